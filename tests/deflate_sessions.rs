//! RFC 7692: compressed messages through whole connections and both handshakes.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod common;
mod deflate_support;

use bytes::BytesMut;
use common::{Seen, Trace, connection, fixed_keys, hex, run, run_every_way, streamed};
use deflate_support::{bits, data, keen, plain, with};
use sockless::deflate::{Policy, WindowBits};
use sockless::frame::Kind;
use sockless::handshake::{Accept, Answer, Asked, Client, Offer, Server, Target};
use sockless::{Config, Connection, Event, Prepared, ProtocolError, Role};
use std::sync::Arc;

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

/// What an end takes over, and how far back it refers, is what was agreed for that end: not for the
/// other, and not less.
// req: D7.1.1.1-02
#[test]
fn each_end_keeps_to_what_was_agreed_for_it() {
    // Noise that repeats itself at any distance, in text that repeats itself at once.
    let noise = data(3, 60_000, 5);
    let mixed: Vec<u8> =
        noise.chunks(20).flat_map(|one| [one, b"again and again "].concat()).collect();
    let narrow = |server, client| {
        let mut policy = keen();
        (policy.server_max_window_bits, policy.client_max_window_bits) =
            (bits(server), bits(client));
        policy
    };
    let forgetful = |server, client| {
        let mut policy = keen();
        (policy.server_no_context_takeover, policy.client_no_context_takeover) = (server, client);
        policy
    };
    for (server, takeover, windows) in [
        (forgetful(true, false), [true, false], [15, 15]),
        (forgetful(false, true), [false, true], [15, 15]),
        (narrow(9, 15), [true, true], [15, 9]),
        (narrow(15, 9), [true, true], [9, 15]),
        (narrow(10, 12), [true, true], [12, 10]),
    ] {
        let config = |policy| with(policy, Config::default());
        let (client, server, agreed) = open(&config(Some(keen())), &config(Some(server)));
        for (at, mut end) in [client, server].into_iter().enumerate() {
            let (masked, mut sent) = (at == 0, Vec::new());
            let (mut farthest, mut sizes) = (0, Vec::new());
            // Of the short ones the second repeats the first, in any window.
            for message in [&noise[..200], &noise[..200], &mixed] {
                let mut wire = BytesMut::new();
                end.send_binary(message, &mut wire).unwrap();
                let payload = payload_of(&wire, masked);
                sizes.push(payload.len());
                if wire[0] & 0x40 != 0 {
                    let seen = plain(&[&payload, &TAIL[..]].concat(), &mut sent).unwrap();
                    farthest = seen.max_distance.max(farthest);
                    assert!(sent.ends_with(message));
                }
            }
            assert_eq!(sizes[1] < sizes[0] / 2, takeover[at], "{at}: {agreed}: {sizes:?}");
            let window = 1_usize << windows[at];
            assert!(farthest <= window && farthest > window / 4, "{at}: {agreed}: {farthest}");
        }
    }
}

/// What a message's end on the wire lacks (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The payload of the one frame on the wire.
fn payload_of(wire: &[u8], masked: bool) -> Vec<u8> {
    let header = [2, 4, 10][match wire[1] & 0x7f {
        127 => 2,
        126 => 1,
        _ => 0,
    }];
    let (key, payload) = wire[header..].split_at(if masked { 4 } else { 0 });
    payload.iter().enumerate().map(|(at, byte)| byte ^ key.get(at % 4).unwrap_or(&0)).collect()
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
    // A client's own window is the smaller one of its policy, and a server takes any.
    let (mut client, mut server, _) =
        open(&with(Policy::client(), Config::default()), &with(policy, Config::default()));
    let wire = client.prepared(&Prepared::text(&text).compressed(&Policy::client())).unwrap();
    assert_eq!(wire[0], 0xc1);
    let mut wire = wire.to_vec();
    let event = server.receive(&mut &mut wire[..], &mut BytesMut::new());
    assert_eq!(event, Some(Event::Text(text.as_str().into())));
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
