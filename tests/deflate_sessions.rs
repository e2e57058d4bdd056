//! RFC 7692: compressed messages through whole connections and both handshakes.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{Seen, Trace, connection, fixed_keys, hex, run, run_every_way, streamed};
use proptest::prelude::*;
use sockless::deflate::{Policy, WindowBits};
use sockless::frame::Kind;
use sockless::handshake::{Accept, Answer, Asked, Client, Offer, Server, Target};
use sockless::{Config, Connection, Event, Prepared, ProtocolError, Role, SendError};
use std::sync::Arc;

/// A policy that compresses everything, and keeps its contexts.
fn keen() -> Policy {
    let mut policy = Policy::server();
    policy.threshold = 0;
    policy.server_no_context_takeover = false;
    policy.client_no_context_takeover = false;
    policy.server_max_window_bits = WindowBits::MAX;
    policy
}

fn with(policy: impl Into<Option<Policy>>, mut config: Config) -> Config {
    config.deflate = policy.into();
    config
}

/// The same table for whole and for streamed delivery, from the server to the client.
fn both_deliveries(wire: &[u8], check: impl Fn(&Trace, &str)) {
    for (config, name) in [(Config::default(), "whole"), (streamed(), "streamed")] {
        check(&run_every_way(Role::Client, &with(keen(), config), wire), name);
    }
}

fn texts(trace: &Trace) -> Vec<String> {
    let text = |seen: &Seen| match seen {
        Seen::Text(text) => text.clone(),
        Seen::Streamed(Kind::Text, data, true) => String::from_utf8(data.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    trace.events.iter().map(text).collect()
}

// req: D6-01, D6.2-01, D6.2-02, D7.2.1-02, D7.2.2-01, D7.2.2-02, D7.2.3-01, D6-03
#[test]
fn the_examples_of_the_rfc_arrive() {
    for (wire, wanted) in [
        // 7.2.3.1: one block; the same in two fragments.
        ("c107f248cdc9c90700", &["Hello"][..]),
        ("4103f248cd8004c9c90700", &["Hello"]),
        // 7.2.3.2: the window is shared, also across a message that is not compressed.
        ("c107f248cdc9c90700c105f200110000", &["Hello", "Hello"]),
        ("c107f248cdc9c90700810548656c6c6fc105f200110000", &["Hello", "Hello", "Hello"]),
        // 7.2.3.3: a block without compression.
        ("c10b000500faff48656c6c6f00", &["Hello"]),
        // 7.2.3.4: a final block, and a message after it.
        ("c108f348cdc9c9070000c107f248cdc9c90700", &["Hello", "Hello"]),
        // 7.2.3.5: two blocks.
        ("c10df248050000 00ffffcac9c90700", &["Hello"]),
        // The empty block at the end may be final, too; a message after it begins anew.
        ("c10101", &[""]),
        ("c10cf248cdc9c907000000ffff01c107f248cdc9c90700", &["Hello", "Hello"]),
        // 7.2.3.6: an empty message; and the empty payload that some send for it.
        ("c10100", &[""]),
        ("c100", &[""]),
    ] {
        both_deliveries(&hex(&wire.replace(' ', "")), |trace, name| {
            assert_eq!(texts(trace), wanted, "{wire} {name}");
        });
    }
}

// req: D7.2.1-01, D6.1-01, D6.1-02, D6.1-03, D7.2.1-03, D7.2.1-04
#[test]
fn the_examples_of_the_rfc_are_sent() {
    let mut sender = connection(Role::Server, with(keen(), Config::default()));
    let mut out = BytesMut::new();
    sender.send_text("Hello", &mut out).unwrap();
    sender.send_text("Hello", &mut out).unwrap();
    assert_eq!(out, hex("c107f248cdc9c90700c105f200110000"));

    let mut sender = connection(Role::Server, with(keen(), Config::default()));
    let mut out = BytesMut::new();
    sender.send_fragment(Kind::Text, b"Hel", false, &mut out).unwrap();
    sender.ping(b"", &mut out).unwrap();
    sender.send_fragment(Kind::Text, b"lo", true, &mut out).unwrap();
    assert_eq!(out[0], 0x41, "RSV1 on the first frame");
    let ping = out.windows(2).position(|two| two == [0x89, 0]).unwrap();
    assert!(out[..ping].ends_with(&[0, 0, 0xff, 0xff]), "a fragment keeps its tail");
    assert_eq!(out[ping + 2], 0x80, "and on no other");
    assert!(!out.ends_with(&[0, 0, 0xff, 0xff]), "a message does not");
}

// req: D7.2.3-02, D7.2.3-03, D6.1-04, D6.1-06, D6-02
#[test]
fn what_breaks_the_rules_fails_with_its_code() {
    use ProtocolError as E;
    for (wire, error) in [
        ("c103ca48cd", E::InvalidCompression), // ends inside a block
        ("c10107", E::InvalidCompression),     // block type 3
        ("c1050005000000", E::InvalidCompression), // a stored block whose lengths disagree
        ("c105f200110000", E::InvalidCompression), // a distance beyond the beginning
        ("c1040004fb00", E::InvalidCompression),
        ("c106000100feffff", E::InvalidUtf8), // a stored block of 0xff
        ("c10700010 0feffff00", E::InvalidUtf8),
        ("c108000200fdffe28200", E::InvalidUtf8), // a character cut short
        ("4103f248cdc004c9c90700", E::ReservedBits), // RSV1 on a continuation
        ("c900", E::ReservedBits),
        ("a100", E::ReservedBits),
    ] {
        both_deliveries(&hex(&wire.replace(' ', "")), |trace, name| {
            assert_eq!(trace.error, Some(error), "{wire} {name}");
            let code = u16::from(error.close_code()).to_be_bytes();
            let close: Vec<u8> = code.iter().zip([0x37, 0xfa]).map(|(a, b)| a ^ b).collect();
            assert!(trace.out.ends_with(&close), "{wire} {name}");
        });
    }
    // Nothing agreed: RSV1 has no meaning.
    let trace = run_every_way(Role::Client, &Config::default(), &hex("c107f248cdc9c90700"));
    assert_eq!(trace.error, Some(E::ReservedBits));
}

/// A text is checked where it is inflated: over every cut of its bytes, however many at a time come
/// out, and up to the first impossible one.
// req: W8.1-01
#[test]
fn a_compressed_text_is_checked_at_every_byte() {
    let text = "a é 長 😀 ".repeat(3);
    let whole = text.as_bytes();
    for cut in 0..=whole.len() {
        // In fragments of stored blocks: each comes out on its own.
        let stored = |data: &[u8]| {
            let len = u8::try_from(data.len()).unwrap();
            [&[0, len, 0, !len, 0xff], data].concat()
        };
        let fragment = |first: u8, payload: &[u8]| {
            [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
        };
        let begin = |data: &[u8]| fragment(0x41, &stored(data));
        let end = |data: &[u8]| fragment(0x80, &[&stored(data)[..], b"\0"].concat());
        let good = [begin(&whole[..cut]), end(&whole[cut..])].concat();
        both_deliveries(&good, |trace, name| assert_eq!(texts(trace), [&*text], "{cut} {name}"));

        let short = [begin(&whole[..cut]), end(b"")].concat();
        let valid = text.is_char_boundary(cut);
        let bad = [begin(&whole[..cut]), end(b"\xff")].concat();
        both_deliveries(&short, |trace, name| {
            let wanted = (!valid).then_some(ProtocolError::InvalidUtf8);
            assert_eq!(trace.error, wanted, "{cut} {name}");
        });
        both_deliveries(&bad, |trace, name| {
            assert_eq!(trace.error, Some(ProtocolError::InvalidUtf8), "{cut} {name}");
        });
    }
}

// req: D7.2.3-03
#[test]
fn every_truncation_fails_or_is_whole() {
    let payload = hex("f248cdc9c90700");
    for len in 1..payload.len() {
        let wire = [&[0xc1, u8::try_from(len).unwrap()], &payload[..len]].concat();
        both_deliveries(&wire, |trace, name| {
            assert_eq!(trace.error, Some(ProtocolError::InvalidCompression), "{len} {name}");
        });
    }
}

/// `size` zeros, compressed by another implementation.
fn bomb(size: usize) -> Vec<u8> {
    let mut stream = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(size / 500 + 1000);
    let zeros = vec![0; size];
    stream.compress_vec(&zeros, &mut out, flate2::FlushCompress::Sync).unwrap();
    assert_eq!(stream.total_in(), size as u64);
    out.truncate(out.len() - 4);
    out
}

fn compressed_frame(payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let opcode = sockless::frame::Opcode::Binary;
    let header = sockless::frame::Header { fin: true, rsv1: true, opcode, mask: None, len };
    [&*header.encode().unwrap(), payload].concat()
}

// req: D7.2.3-04, W10.4-01
#[test]
fn the_limit_is_of_what_comes_out() {
    let mut config = with(keen(), Config::default());
    config.max_message = 100_000;
    for (size, wanted) in [(100_000, None), (100_001, Some(ProtocolError::MessageTooLarge))] {
        let wire = compressed_frame(&bomb(size));
        for step in [wire.len(), 1, 7] {
            let cuts: Vec<_> = (step..wire.len()).step_by(step).collect();
            let trace = run(Role::Client, config.clone(), &wire, &cuts);
            assert_eq!(trace.error, wanted, "{size} by {step}");
        }
    }
    // What does not shrink may be a little longer on the wire than the message is.
    config.max_message = 1000;
    config.max_frame = 1000;
    let stored = [&[0, 0xe8, 3, 0x17, 0xfc][..], &[7; 1000], &[0]].concat();
    let trace = run(Role::Client, config.clone(), &compressed_frame(&stored), &[]);
    assert_eq!(trace.events, [Seen::Binary(vec![7; 1000])]);
    let stored = [&[0, 0xe9, 3, 0x16, 0xfc][..], &[7; 1001], &[0]].concat();
    let trace = run(Role::Client, config.clone(), &compressed_frame(&stored), &[]);
    assert_eq!(trace.error, Some(ProtocolError::MessageTooLarge));
    // And no longer: empty blocks without end carry nothing.
    let empty = compressed_frame(&[0, 0, 0, 0xff, 0xff].repeat(1000));
    let trace = run(Role::Client, config, &empty, &[]);
    assert_eq!(trace.error, Some(ProtocolError::FrameTooLarge));
}

#[test]
fn a_ratio_may_be_capped() {
    let mut policy = keen();
    policy.max_ratio = Some(50);
    let mut config = with(policy, Config::default());
    config.max_message = 64 << 20;
    let wire = compressed_frame(&bomb(8 << 20));
    let trace = run(Role::Client, config.clone(), &wire, &[]);
    assert_eq!(trace.error, Some(ProtocolError::CompressionTooDense));
    let cuts: Vec<_> = (1..wire.len()).collect();
    assert_eq!(run(Role::Client, config, &wire, &cuts), trace);
}

#[test]
fn a_streamed_bomb_comes_out_in_small_chunks() {
    let mut input_bytes = compressed_frame(&bomb(20 << 20));
    let mut receiver = connection(Role::Client, with(keen(), streamed()));
    let (mut out, mut total, mut chunks, mut ended) = (BytesMut::new(), 0, 0, false);
    let mut input = &mut input_bytes[..];
    while let Some(event) = receiver.receive(&mut input, &mut out) {
        let Event::Chunk(chunk) = event else { panic!("{event:?}") };
        assert!(chunk.data.len() <= 16 << 10);
        assert_eq!(chunk.first, total == 0);
        total += chunk.data.len();
        chunks += 1;
        assert!(!ended, "a chunk after the last");
        ended = chunk.last;
    }
    assert!(ended && total == 20 << 20 && chunks >= 1280, "{total} in {chunks}");
}

fn open(client: &Config, server: &Config) -> (Connection, Connection, String) {
    let (client_config, server_config) = (Arc::new(client.clone()), Arc::new(server.clone()));
    let target = Target::parse("ws://localhost/").unwrap();
    let (mut request, mut response) = (BytesMut::new(), BytesMut::new());
    let offer = Offer::new(&target);
    let mut opening = Client::start(client_config, fixed_keys(), &offer, &mut request);
    let mut accepting = Server::new(server_config);
    let Some(Asked::Upgrade(asked)) = accepting.receive(&mut &mut request[..], &mut response)
    else {
        panic!("a request")
    };
    let (server, at_server) = accepting.accept(Accept::new(&asked), &mut response).unwrap();
    let text = String::from_utf8(response.to_vec()).unwrap();
    match opening.receive(&mut &mut response[..]) {
        Some(Answer::Open { connection, agreed, .. }) => {
            assert_eq!(agreed, at_server);
            let agreed = agreed.deflate.map_or_else(String::new, |params| params.to_string());
            assert_eq!(agreed.is_empty(), !text.contains("Extensions"), "{text}");
            (connection, server, agreed)
        }
        other => panic!("{other:?}"),
    }
}

// req: D5-01, D5-04, D5-07, D5-08, D5-10, D7.1.1.1-02, W9.2-01, W9.1-04
#[test]
fn both_handshakes_agree_and_the_connections_keep_to_it() {
    let plain = Config::default();
    let bits = |bits| WindowBits::new(bits).unwrap();
    let mut narrow = keen();
    (narrow.server_max_window_bits, narrow.client_max_window_bits) = (bits(9), bits(10));
    let mut client = Policy::client();
    client.threshold = 0;
    for (client, server, wanted) in [
        (None, None, ""),
        (Some(client), None, ""),
        (None, Some(keen()), ""),
        (Some(keen()), Some(keen()), "permessage-deflate"),
        (
            Some(client),
            Some(Policy::server()),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12",
        ),
        (
            Some(keen()),
            Some(narrow),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        ),
    ] {
        let config = |policy| with(policy, plain.clone());
        let (mut one, mut other, agreed) = open(&config(client), &config(server));
        assert_eq!(agreed, wanted);
        for _ in 0..3 {
            for len in [0, 1, 100, 70_000] {
                let text = "compress me, ".repeat(len / 13 + 1);
                exchange(&mut one, &mut other, &text, !agreed.is_empty());
                exchange(&mut other, &mut one, &text, !agreed.is_empty());
            }
        }
    }
}

fn exchange(from: &mut Connection, to: &mut Connection, text: &str, compressed: bool) {
    let (mut wire, mut out) = (BytesMut::new(), BytesMut::new());
    from.send_text(text, &mut wire).unwrap();
    if text.len() > 64 {
        assert_eq!(wire[0], if compressed { 0xc1 } else { 0x81 });
        assert_eq!(wire.len() < text.len(), compressed);
    }
    let event = to.receive(&mut &mut wire[..], &mut out);
    assert_eq!(event, Some(Event::Text(text.into())));
}

/// Stored blocks that would be a message may begin one: here `00` and `hello` would.
#[test]
fn what_looks_whole_may_go_on() {
    let [ours, theirs] = [Policy::client(), Policy::server()].map(|p| with(p, Config::default()));
    let hello = "0500faff48656c6c6f00";
    for wire in [format!("c11500{hello}{hello}"), format!("410b00{hello}800a{hello}")] {
        for cut in 0..wire.len() / 2 {
            let (mut client, _, _) = open(&ours, &theirs);
            let (mut wire, mut out, mut seen) = (hex(&wire), BytesMut::new(), Vec::new());
            for mut piece in <[_; 2]>::from(wire.split_at_mut(cut)) {
                let next = || Some(client.receive(&mut piece, &mut out)?.into_owned());
                seen.extend(std::iter::from_fn(next));
            }
            assert_eq!(seen, [Event::Text("HelloHello".into())], "{cut}: {wire:02x?}");
        }
    }
}

#[test]
fn an_answer_that_was_not_offered_fails() {
    let target = Target::parse("ws://localhost/").unwrap();
    for (policy, extensions, open) in [
        (None, "permessage-deflate", false),
        (Some(Policy::client()), "permessage-deflate", false), // the takeover was not to be
        (Some(keen()), "permessage-deflate", true),
        (Some(keen()), "permessage-deflate; client_max_window_bits", false),
        (Some(keen()), "permessage-deflate; server_max_window_bits=16", false),
        (Some(keen()), "permessage-deflate; x=1", false),
        (Some(keen()), "permessage-deflate, permessage-deflate", false),
        (Some(keen()), "permessage-deflate, x-foo", false),
        (Some(keen()), "x-foo", false),
        (Some(keen()), "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate", false),
    ] {
        let mut request = BytesMut::new();
        let config = Arc::new(with(policy, Config::default()));
        let mut client = Client::start(config, fixed_keys(), &Offer::new(&target), &mut request);
        let key = std::str::from_utf8(&request).unwrap().split("-Key: ").nth(1).unwrap();
        let accept = sockless::handshake::key::accept(key.as_bytes().first_chunk::<24>().unwrap());
        let accept = std::str::from_utf8(&accept).unwrap();
        let mut response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
        )
        .into_bytes();
        let answer = client.receive(&mut &mut response[..]);
        assert_eq!(matches!(answer, Some(Answer::Open { .. })), open, "{extensions}: {answer:?}");
    }
}

// req: D8-01
#[test]
fn a_message_may_be_left_as_it_is() {
    let keeps = with(keen(), Config::default());
    let (mut client, mut server, _) = open(&keeps, &keeps);
    let text = "secret and public, ".repeat(10);
    for on in [true, false, true] {
        server.compress(on);
        exchange(&mut server, &mut client, &text, on);
        let message = Prepared::text(&text).compressed(&Policy::server());
        assert_eq!(server.prepared(&message).unwrap()[0], 0x81, "this one keeps its context");
    }
}

#[test]
fn a_prepared_message_is_compressed_once_for_those_it_fits() {
    let text = "to all of you, ".repeat(20);
    let mut policy = Policy::server();
    policy.server_max_window_bits = WindowBits::new(11).unwrap();
    let message = Prepared::text(&text).compressed(&policy);
    let plain = Prepared::text(&text);
    let mut ends = Vec::new();
    for bits in [15, 11, 10] {
        let mut member = Policy::server();
        member.server_max_window_bits = WindowBits::new(bits).unwrap();
        let mut client = Policy::client();
        client.threshold = 0;
        let server = with(member, Config::default());
        let (client, mut server, _) = open(&with(client, Config::default()), &server);
        ends.push((client, server.prepared(&message).unwrap(), bits >= 11));
    }
    // Its window would miss a message that it has not seen.
    let keeps = with(keen(), Config::default());
    let (client, mut server, _) = open(&keeps, &keeps);
    ends.push((client, server.prepared(&message).unwrap(), false));
    assert_eq!(ends[0].1.as_ptr(), ends[1].1.as_ptr(), "one encoding for both");
    for (mut client, frame, compressed) in ends {
        assert_eq!(frame.len() < text.len(), compressed);
        let mut wire = frame.to_vec();
        let event = client.receive(&mut &mut wire[..], &mut BytesMut::new());
        assert_eq!(event, Some(Event::Text(text.as_str().into())));
    }
    // What does not shrink is kept in one form only.
    let noise = Prepared::text("x").compressed(&policy);
    assert_eq!((noise.payload(), plain.payload()), (&b"x"[..], text.as_bytes()));
}

/// Text that compresses, and bytes that do not.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[abé€😀 ]{0,400}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..400),
        (0..3000_usize).prop_map(|len| b"over and over "
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()),
    ]
}

/// Messages, each in fragments of this size, as a client or server would send them; sometimes one
/// byte is wrong.
fn session() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let messages = proptest::collection::vec((payload(), 1..500_usize, any::<bool>()), 0..6);
    let damage = proptest::option::weighted(0.4, (any::<prop::sample::Index>(), any::<u8>()));
    (any::<bool>(), 0..200_usize, messages, damage).prop_map(
        |(client, threshold, messages, damage)| {
            let role = if client { Role::Client } else { Role::Server };
            let mut policy = keen();
            policy.threshold = threshold;
            let mut sender = connection(role, with(policy, Config::default()));
            let mut wire = BytesMut::new();
            for (data, size, whole) in &messages {
                let kind =
                    if std::str::from_utf8(data).is_ok() { Kind::Text } else { Kind::Binary };
                let sent = match (std::str::from_utf8(data), *whole) {
                    (Ok(text), true) => sender.send_text(text, &mut wire),
                    (Err(_), true) => sender.send_binary(data, &mut wire),
                    (_, false) => {
                        let mut pieces = data.chunks(*size).peekable();
                        let mut sent = Ok(());
                        while let Some(piece) = pieces.next() {
                            let last = pieces.peek().is_none();
                            sent = sent.and(sender.send_fragment(kind, piece, last, &mut wire));
                        }
                        sent
                    }
                };
                assert_eq!(sent, Ok::<(), SendError>(()));
            }
            let mut wire = wire.to_vec();
            if let (Some((at, byte)), false) = (damage, wire.is_empty()) {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            (role.peer(), wire)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // req, D7.2.1-05
    #[test]
    fn how_compressed_bytes_are_chopped_never_matters(
        (role, wire) in session(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        limit in prop_oneof![Just(1_u64 << 20), 0..2000_u64],
        ratio in proptest::option::of(1..100_u32),
        deliver_chunks in any::<bool>(),
    ) {
        let mut config = if deliver_chunks { streamed() } else { Config::default() };
        (config.max_message, config.max_streamed) = (limit, limit);
        let mut policy = keen();
        policy.max_ratio = ratio;
        config.deflate = Some(policy);
        let whole = run(role, config.clone(), &wire, &[]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&run(role, config.clone(), &wire, &cuts), &whole);
        let every: Vec<_> = (1..wire.len()).collect();
        prop_assert_eq!(&run(role, config, &wire, &every), &whole);
    }
}
