//! Whole spaces of input, each against a reference that shares nothing with the crate.
//!
//! `UTF8_ALL=1 cargo test --release --test enumeration` adds all strings of four bytes.

mod common;
#[path = "reference/random.rs"]
mod random;
mod reference;

use bytes::BytesMut;
use common::{connection, fixed_keys, streamed};
use reference::{Rules, Saw, Type, Unicode, decode, is_close_code};
use sockless::frame::{Expect, Header, Opcode};
use sockless::handshake::{Offer, Reject, Target};
use sockless::utf8::Utf8;
use sockless::{CloseCode, Config, Connection, Delivery, Event, Kind, Role, SendError};
use std::sync::Arc;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn rules(role: Role, config: &Config) -> Rules {
    let is_streamed = config.delivery == Delivery::Streamed;
    let either = |whole, streamed| if is_streamed { streamed } else { whole };
    Rules {
        server: role == Role::Server,
        compression: false,
        max_frame: either(config.max_frame, config.max_streamed),
        max_message: either(config.max_message, config.max_streamed),
        max_fragments: config.max_fragments.into(),
        max_empty: config.max_empty_fragments.into(),
    }
}

/// What the crate makes of a stream that comes in pieces which end at `cuts`.
fn observe(connection: &mut Connection, stream: &[u8], cuts: &[usize]) -> (Vec<Saw>, Vec<u8>) {
    let (mut saw, mut out, mut start) = (Vec::new(), BytesMut::new(), 0);
    let mut part: Option<(Type, Vec<u8>)> = None;
    let kind = |kind| if kind == Kind::Text { Type::Text } else { Type::Binary };
    for end in cuts.iter().copied().chain([stream.len()]) {
        let mut piece = stream[start..end].to_vec();
        start = end;
        let mut input = &mut piece[..];
        while let Some(event) = connection.receive(&mut input, &mut out) {
            if matches!(event, Event::Close(_) | Event::Failed(_)) {
                saw.extend(part.take().map(|(kind, data)| Saw::Part(kind, data)));
            }
            saw.push(match event {
                Event::Text(text) => Saw::Message(Type::Text, text.as_bytes().to_vec()),
                Event::Binary(data) => Saw::Message(Type::Binary, data.to_vec()),
                Event::Ping(data) => Saw::Ping(data.to_vec()),
                Event::Pong(data) => Saw::Pong(data.to_vec()),
                Event::Close(close) => {
                    Saw::Close(close.code.into(), close.reason.as_bytes().to_vec())
                }
                Event::Failed(error) => Saw::Fail(error.close_code().into()),
                Event::Chunk(chunk) => {
                    let (kind, mut data) = part.take().unwrap_or((kind(chunk.kind), vec![]));
                    data.extend_from_slice(&chunk.data);
                    if !chunk.last {
                        part = Some((kind, data));
                        continue;
                    }
                    Saw::Message(kind, data)
                }
                other => panic!("{other:?}"),
            });
        }
        assert!(input.is_empty());
    }
    saw.extend(part.map(|(kind, data)| Saw::Part(kind, data)));
    (saw, out.to_vec())
}

/// Whole delivery keeps what has no end to itself.
fn shown(mut saw: Vec<Saw>, delivery: Delivery) -> Vec<Saw> {
    saw.retain(|saw| delivery == Delivery::Streamed || !matches!(saw, Saw::Part(..)));
    saw
}

/// A connection on which compression is agreed, or is not.
fn agreeing(role: Role, config: &Arc<Config>, compression: bool) -> Connection {
    let connection = match role {
        Role::Server => Connection::server(Arc::clone(config)),
        Role::Client => Connection::client(Arc::clone(config), fixed_keys()),
    };
    #[cfg(feature = "deflate")]
    if compression {
        let policy = sockless::deflate::Policy::server();
        let agreed = sockless::deflate::Params::default();
        return connection.with_deflate(match role {
            Role::Server => policy.server_contexts(&agreed),
            Role::Client => policy.client_contexts(&agreed),
        });
    }
    assert!(!compression, "needs the feature");
    connection
}

// req: W5.1-02, W5.1-04, W5.2-01, W5.2-03, W5.2-06, W5.4-03, W5.4-07, W5.4-09, W5.5-01, D6-02
// req: D6.1-04, X-01
#[test]
fn the_first_two_bytes_in_every_state() {
    let compressions: &[bool] = if cfg!(feature = "deflate") { &[false, true] } else { &[false] };
    let mut verdicts = [0_u32; 2];
    let config = Arc::new(Config::default());
    let states = ROLES.iter().flat_map(|role| compressions.iter().map(move |c| (*role, *c)));
    for (role, compression) in states {
        let rules = Rules { compression, ..rules(role, &config) };
        for open in [&[][..], &common::frame_to(role, false, Opcode::Text, b"a")] {
            for bytes in 0..=u16::MAX {
                let stream = [open, &bytes.to_be_bytes()].concat();
                let wanted = shown(decode(rules, &stream), Delivery::Whole);
                for cuts in [&[][..], &[stream.len() - 1]] {
                    let mut subject = agreeing(role, &config, compression);
                    let (saw, _) = observe(&mut subject, &stream, cuts);
                    assert_eq!(saw, wanted, "{role:?} {compression} {stream:02x?} {cuts:?}");
                }
                let fails = matches!(wanted.last(), Some(Saw::Fail(_)));
                verdicts[usize::from(fails)] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|count| *count > 1000), "{verdicts:?}");
}

// req: W7.4.1-01, W7.4.1-02, W7.4.1-03, W7.4.1-04, W7.4.2-01, W5.5.1-08
#[test]
fn every_close_code_in_both_directions() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let stream = common::frame_to(role, true, Opcode::Close, &code.to_be_bytes());
            let mut subject = connection(role, Config::default());
            let (saw, out) = observe(&mut subject, &stream, &[]);
            let fate = if is_close_code(code) { Saw::Close(code, vec![]) } else { Saw::Fail(1002) };
            assert_eq!(saw, [fate]);
            let told = if is_close_code(code) { code } else { 1002 };
            assert_eq!(decode(own(role), &out), [Saw::Close(told, vec![])], "the reply");

            let mut sent = BytesMut::new();
            let result = connection(role, Config::default()).close(code.into(), "", &mut sent);
            // 1010 is the client's alone.
            if is_close_code(code) && (code != 1010 || role == Role::Client) {
                assert_eq!(decode(own(role), &sent), [Saw::Close(code, vec![])]);
            } else {
                assert_eq!((result, sent.len()), (Err(SendError::InvalidCloseCode), 0), "{code}");
            }
        }
    }
}

/// The rules by which the peer of `role` reads.
fn own(role: Role) -> Rules {
    let mut config = Config::default();
    (config.max_frame, config.max_message) = (u64::MAX >> 1, u64::MAX >> 1);
    rules(role.peer(), &config)
}

/// A header by section 5.2, with the length in `size` bytes.
fn header(fin_opcode: u8, mask: Option<[u8; 4]>, len: u64, size: usize) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let short = match size {
        1 => u8::try_from(len).unwrap(),
        2 => 126,
        _ => 127,
    };
    let wide = len.to_be_bytes();
    let long = if size == 1 { &[][..] } else { &wide[8 - size..] };
    [&[fin_opcode, bit | short][..], long, mask.as_ref().map_or(&[][..], |key| key)].concat()
}

fn fewest(len: u64) -> usize {
    match len {
        0..=125 => 1,
        126..=65_535 => 2,
        _ => 8,
    }
}

// req: W5.2-04, W5.2-05, W5.2-06, W5.2-07, W5.2-08, W5.3-05
#[test]
fn payload_lengths_and_their_forms() {
    let edges = [1 << 17, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 53, 1 << 62, (1 << 63) - 2];
    let around = edges.into_iter().flat_map(|edge| edge - 2..=edge + 1);
    for len in (0..=70_000).chain(around) {
        for mask in [None, Some([1, 2, 3, 4])] {
            let expect = Expect::unlimited(mask.is_some());
            let wire = header(0x82, mask, len, fewest(len));
            let value = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask, len };
            assert_eq!(value.encode().unwrap().as_ref(), wire, "{len}");
            assert_eq!(Header::parse(&wire, &expect), Ok(Some((value, wire.len()))), "{len}");
            assert_eq!(Header::parse(&wire[..wire.len() - 1], &expect), Ok(None));
            for size in [2, 8] {
                let fits = size == 8 || len <= 65_535;
                if fits && size > fewest(len) {
                    let longer = header(0x82, mask, len, size);
                    let error = sockless::ProtocolError::LengthNotMinimal;
                    assert_eq!(Header::parse(&longer, &expect), Err(error), "{len} in {size}");
                }
            }
        }
    }
    for len in [1 << 63, (1 << 63) + 1, u64::MAX] {
        let parsed = Header::parse(&header(0x82, None, len, 8), &Expect::unlimited(false));
        assert_eq!(parsed, Err(sockless::ProtocolError::LengthTopBit));
    }
}

// req: W5.2-04, W5.3-04, W5.3-05, W5.3-06, W6.1-06, X-05
#[test]
fn payloads_around_every_boundary_arrive() {
    let lens = (0..300).chain(4090..4100).chain([16_383, 16_384]).chain(65_530..65_545);
    for len in lens {
        let data: Vec<u8> = (0..=250).cycle().take(len).collect();
        for role in ROLES {
            let mut out = BytesMut::new();
            connection(role, Config::default()).send_binary(&data, &mut out).unwrap();
            let message = [Saw::Message(Type::Binary, data.clone())];
            assert_eq!(decode(own(role), &out), message, "the reference reads what we write");
            let mut peer = connection(role.peer(), Config::default());
            assert_eq!(observe(&mut peer, &out, &[out.len() / 2]).0, message);
        }
    }
}

// req: H-36, H-38, H-39, H-61, W4.1-21
#[test]
fn every_byte_in_the_names_and_values_that_the_caller_gives() {
    let target = Target::parse("ws://h/").unwrap();
    for byte in 0..=255_u8 {
        // RFC 9110 sections 5.6.2 and 5.5.
        let is_tchar = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_value = byte == b'\t' || byte >= b' ' && byte != 0x7f;
        let value = [b'a', byte, b'b'];
        assert_eq!(Offer::new(&target).field("X", value).is_ok(), is_value, "{byte:#x}");
        assert_eq!(Reject::new(404).unwrap().field("X", value).is_ok(), is_value, "{byte:#x}");
        let name = format!("X{}Y", char::from(byte));
        assert_eq!(Offer::new(&target).field(&name, "a").is_ok(), is_tchar, "{name:?}");
        assert_eq!(Offer::new(&target).subprotocol(&name).is_ok(), is_tchar, "{name:?}");
        assert_eq!(Reject::new(404).unwrap().field(&name, "a").is_ok(), is_tchar, "{name:?}");
        let reason = Reject::new(404).unwrap().reason(&name).is_ok();
        assert_eq!(reason, is_value, "{name:?}");
    }
}

/// All strings that start with `prefix`, of up to `more` bytes more.
fn strings(prefix: &mut Vec<u8>, checks: Option<(Utf8, Unicode)>, more: usize) {
    for byte in 0..=255 {
        prefix.push(byte);
        let mut next = None;
        if let Some((mut check, state)) = checks {
            let pushed = check.push(&[byte]);
            let state = state.step(byte);
            assert_eq!(pushed.is_ok(), state.is_some(), "the first impossible byte: {prefix:02x?}");
            next = state.map(|state| (check, state));
        }
        let ours = next.is_some_and(|(check, _)| check.is_boundary());
        let reference = next.is_some_and(|(_, state)| state.is_whole());
        let theirs = std::str::from_utf8(prefix).is_ok();
        assert!(ours == theirs && reference == theirs, "{prefix:02x?}");
        if more > 1 {
            strings(prefix, next, more - 1);
        }
        prefix.pop();
    }
}

// req: W8.1-01, W8.1-02
#[test]
fn every_string_of_up_to_three_bytes() {
    let len = if std::env::var_os("UTF8_ALL").is_some() { 4 } else { 3 };
    strings(&mut Vec::new(), Some((Utf8::new(), Unicode::START)), len);
}

/// The order of messages and that of the rest; streamed delivery begins a message earlier.
fn apart(saw: &[Saw]) -> (Vec<&Saw>, Vec<&Saw>) {
    saw.iter().partition(|saw| matches!(saw, Saw::Message(..) | Saw::Part(..)))
}

// req, W5.4-02, W5.4-06, W5.6-01, W6.2-01, W6.2-03, W8.1-01, W10.4-01, W10.7-01
#[test]
fn random_and_mutated_streams() {
    let mut random = random::Random::new(0x9e37_79b9_7f4a_7c15);
    let mut ends = [0_u32; 3];
    for case in 0..3000 {
        let role = ROLES[random.below(2)];
        let mut config = if random.one_in(2) { streamed() } else { Config::default() };
        config.max_streamed = 1 << 20;
        if random.one_in(3) {
            let (frame, message) = (random.below(300) as u64, random.below(600) as u64);
            (config.max_frame, config.max_message, config.max_streamed) = (frame, message, message);
            config.max_fragments = u32::try_from(random.below(6)).unwrap();
            config.max_empty_fragments = u16::try_from(random.below(4)).unwrap();
        }
        config.high_water = usize::MAX;
        let stream = random.stream(role == Role::Server);
        let wanted = shown(decode(rules(role, &config), &stream), config.delivery);
        ends[match wanted.last() {
            Some(Saw::Fail(_)) => 0,
            Some(Saw::Close(..)) => 1,
            _ => 2,
        }] += 1;
        let mut ways = vec![vec![], (1..stream.len()).collect()];
        ways.push(random.cuts(stream.len()));
        for cuts in ways {
            let (saw, out) = observe(&mut connection(role, config.clone()), &stream, &cuts);
            assert_eq!(apart(&saw), apart(&wanted), "{case}: {role:?} {cuts:?} {stream:02x?}");
            assert_eq!(decode(own(role), &out), replies(&wanted), "{case}: {stream:02x?}");
        }
    }
    assert!(ends.iter().all(|count| *count > 70), "failed, closed, open: {ends:?}");
}

/// What is owed for what was seen (sections 5.5.1 and 5.5.2).
fn replies(saw: &[Saw]) -> Vec<Saw> {
    let reply = |saw: &Saw| match saw {
        Saw::Ping(payload) => Some(Saw::Pong(payload.clone())),
        Saw::Close(code, reason) => Some(Saw::Close(*code, reason.clone())),
        Saw::Fail(code) => Some(Saw::Close(*code, vec![])),
        Saw::Message(..) | Saw::Part(..) | Saw::Pong(_) => None,
    };
    saw.iter().filter_map(reply).collect()
}

// req: X-05, W5.1-01, W5.1-03, W5.2-02, W5.4-04, W6.1-02, W6.1-03, W6.1-04, W6.1-06
#[test]
fn what_is_sent_reads_the_same_elsewhere() {
    let mut random = random::Random::new(77);
    for _ in 0..500 {
        let role = ROLES[random.below(2)];
        let mut sender = match role {
            Role::Server => Connection::server(Arc::default()),
            Role::Client => Connection::client(Arc::default(), fixed_keys()),
        };
        let (mut out, mut said) = (BytesMut::new(), Vec::new());
        for _ in 0..random.below(8) {
            let data = random.bytes();
            match random.below(5) {
                0 => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    sender.send_text(&text, &mut out).unwrap();
                    said.push(Saw::Message(Type::Text, text.into_bytes()));
                }
                1 => {
                    sender.send_binary(&data, &mut out).unwrap();
                    said.push(Saw::Message(Type::Binary, data));
                }
                2 => {
                    let cut = random.below(data.len() + 1);
                    sender.send_fragment(Kind::Binary, &data[..cut], false, &mut out).unwrap();
                    sender.send_fragment(Kind::Binary, &data[cut..], true, &mut out).unwrap();
                    said.push(Saw::Message(Type::Binary, data));
                }
                3 => {
                    let payload = &data[..data.len().min(125)];
                    sender.ping(payload, &mut out).unwrap();
                    said.push(Saw::Ping(payload.to_vec()));
                }
                _ => {
                    let payload = &data[..data.len().min(125)];
                    sender.pong(payload, &mut out).unwrap();
                    said.push(Saw::Pong(payload.to_vec()));
                }
            }
        }
        sender.close(CloseCode::NORMAL, "bye", &mut out).unwrap();
        said.push(Saw::Close(1000, b"bye".to_vec()));
        assert_eq!(decode(own(role), &out), said);
    }
}
