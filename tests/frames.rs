//! RFC 6455 section 5: wire bytes and their meaning, in both directions.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{Seen, connection, fixed_keys, frame_to, hex, run_every_way, streamed};
use sockless::frame::{Kind, Opcode};
use sockless::{CloseCode, Config, Connection, Event, Prepared, Role, SendError, Sender};
use std::sync::Arc;

/// One thing to send, and what arrives.
enum Say {
    Text(&'static str),
    Binary(Vec<u8>),
    Fragments(&'static [&'static str]),
    Ping(&'static str),
    Pong(&'static str),
    Close(u16, &'static str),
}

impl Say {
    fn send(&self, sender: &mut Connection, out: &mut BytesMut) -> Result<(), SendError> {
        match self {
            Self::Text(text) => sender.send_text(text, out),
            Self::Binary(data) => sender.send_binary(data, out),
            Self::Fragments(pieces) => pieces.iter().enumerate().try_for_each(|(at, piece)| {
                let last = at + 1 == pieces.len();
                sender.send_fragment(Kind::Text, piece.as_bytes(), last, out)
            }),
            Self::Ping(payload) => sender.ping(payload.as_bytes(), out),
            Self::Pong(payload) => sender.pong(payload.as_bytes(), out),
            Self::Close(code, reason) => sender.close((*code).into(), reason, out),
        }
    }

    fn seen(&self) -> Seen {
        match self {
            Self::Text(text) => Seen::Text((*text).into()),
            Self::Binary(data) => Seen::Binary(data.clone()),
            Self::Fragments(pieces) => Seen::Text(pieces.concat()),
            Self::Ping(payload) => Seen::Ping(payload.as_bytes().into()),
            Self::Pong(payload) => Seen::Pong(payload.as_bytes().into()),
            Self::Close(code, reason) => Seen::Close(*code, (*reason).into()),
        }
    }
}

/// The examples of section 5.7, and the edges of every length.
fn table() -> Vec<(Role, Vec<u8>, Say)> {
    let long = |head: &str, byte, len| [hex(head), vec![byte; len]].concat();
    vec![
        (Role::Server, hex("810548656c6c6f"), Say::Text("Hello")),
        (Role::Client, hex("818537fa213d7f9f4d5158"), Say::Text("Hello")),
        (Role::Server, hex("010348656c80026c6f"), Say::Fragments(&["Hel", "lo"])),
        (Role::Server, hex("890548656c6c6f"), Say::Ping("Hello")),
        (Role::Client, hex("8a8537fa213d7f9f4d5158"), Say::Pong("Hello")),
        (Role::Server, long("827e0100", 7, 256), Say::Binary(vec![7; 256])),
        (Role::Server, long("827f0000000000010000", 7, 65_536), Say::Binary(vec![7; 65_536])),
        (Role::Server, hex("8100"), Say::Text("")),
        (Role::Client, hex("818037fa213d"), Say::Text("")),
        (Role::Client, hex("828037fa213d"), Say::Binary(vec![])),
        (Role::Server, long("827d", 1, 125), Say::Binary(vec![1; 125])),
        (Role::Server, long("827e007e", 1, 126), Say::Binary(vec![1; 126])),
        (Role::Server, long("827e007f", 1, 127), Say::Binary(vec![1; 127])),
        (Role::Server, long("827effff", 1, 65_535), Say::Binary(vec![1; 65_535])),
        (Role::Client, hex("898037fa213d"), Say::Ping("")),
        (Role::Server, hex("0100000080023430"), Say::Fragments(&["", "", "40"])),
        (Role::Client, hex("018137fa213d56808137fa213d55"), Say::Fragments(&["a", "b"])),
        (Role::Server, hex("880203e8"), Say::Close(1000, "")),
        (Role::Server, hex("88060fa1676f6e65"), Say::Close(4001, "gone")),
        (Role::Client, hex("888237fa213d3412"), Say::Close(1000, "")),
    ]
}

// req: W5.1-01, W5.1-03, W5.2-02, W5.2-09, W5.4-01, W5.4-02, W5.4-06, W5.4-11, W5.4-12, W5.4-13
// req: W5.5.1-06, W6.1-02, W6.1-03, W6.1-04, W6.1-05, W6.1-06, W6.2-01, W6.2-03, W6.2-04, W5.6-02
#[test]
fn wire_and_meaning_in_both_directions() {
    for (from, wire, say) in table() {
        let mut out = BytesMut::new();
        say.send(&mut connection(from, Config::default()), &mut out).unwrap();
        assert_eq!(out, wire);
        let trace = run_every_way(from.peer(), &Config::default(), &wire);
        assert_eq!(trace.events, [say.seen()]);
        assert_eq!(trace.error, None);
    }
}

#[test]
fn streamed_and_whole_agree() {
    for (from, wire, say) in table() {
        let trace = run_every_way(from.peer(), &streamed(), &wire);
        let wanted = match say.seen() {
            Seen::Text(text) => Seen::Streamed(Kind::Text, text.into_bytes(), true),
            Seen::Binary(data) => Seen::Streamed(Kind::Binary, data, true),
            other => other,
        };
        assert_eq!(trace.events, [wanted]);
    }
}

// req: X-01, W5.5.1-08
#[test]
fn hostile_streams_have_their_verdict_at_every_cut() {
    let table = include_str!("vectors/frames-server.tsv");
    let mut bounded = streamed();
    bounded.max_streamed = 64 << 20;
    let mut rows = 0;
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = row.split('\t').collect();
        let [name, wire, verdict] = columns[..] else { panic!("{row}") };
        rows += 1;
        for config in [&Config::default(), &bounded] {
            let trace = run_every_way(Role::Server, config, &hex(wire));
            let last = trace.events.last();
            match verdict.split_once(':') {
                Some(("fail", code)) => {
                    let code: u16 = code.parse().unwrap();
                    let Some(Seen::Failed(error)) = last else { panic!("{name}: {last:?}") };
                    assert_eq!(error.close_code(), code, "{name}");
                    assert_eq!(trace.error, Some(*error), "{name}");
                    let close = [&[0x88, 2][..], &code.to_be_bytes()].concat();
                    assert!(trace.out.ends_with(&close), "{name}: {:02x?}", trace.out);
                    assert_eq!(trace.closed.code, CloseCode::ABNORMAL);
                    assert!(!trace.closed.clean);
                }
                Some(("close", "none")) => {
                    assert_eq!(last, Some(&Seen::Close(1005, String::new())), "{name}");
                    assert_eq!(trace.out, [0x88, 0], "{name}");
                }
                Some(("close", code)) => {
                    let code: u16 = code.parse().unwrap();
                    assert_eq!(last, Some(&Seen::Close(code, String::new())), "{name}");
                    let reply = [&[0x88, 2][..], &code.to_be_bytes()].concat();
                    assert_eq!(trace.out, reply, "{name}");
                    assert_eq!(trace.closed.code, code, "{name}");
                }
                None => {
                    assert_eq!(verdict, "msg");
                    let done =
                        matches!(last, Some(Seen::Text(_) | Seen::Streamed(Kind::Text, _, true)));
                    assert!(done && trace.error.is_none(), "{name}: {last:?}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    assert_eq!(rows, 78);
}

// req: W5.3-02, W10.3-02
#[test]
fn every_frame_draws_one_key() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let keys = sockless::Keys::new(|key| *key = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let mut sender = Sender::client(Arc::new(Config::default()), keys);
    let mut out = BytesMut::new();
    sender.send_text("", &mut out).unwrap();
    sender.send_fragment(Kind::Binary, b"", false, &mut out).unwrap();
    sender.ping(b"", &mut out).unwrap();
    sender.send_fragment(Kind::Binary, b"", true, &mut out).unwrap();
    let mut payload = [];
    let header = sender.mask_in_place(Kind::Binary, &mut payload).unwrap();
    assert_eq!(header.as_ref(), hex("828000000005"));
    sender.close(CloseCode::NORMAL, "", &mut out).unwrap();
    let wanted = "818000000001028000000002898000000003808000000004888200000006 03e8";
    assert_eq!(out, hex(&wanted.replace(' ', "")));
    assert_eq!(NEXT.load(Ordering::Relaxed), 7);
}

#[test]
fn headers_alone_fit_what_the_whole_send_writes() {
    for len in [0, 1, 125, 126, 4095, 4096, 65_535, 65_536, 70_001] {
        let data: Vec<u8> = (0..=250).cycle().take(len).collect();
        for role in [Role::Server, Role::Client] {
            let mut whole = BytesMut::new();
            connection(role, Config::default()).send_binary(&data, &mut whole).unwrap();

            let mut vectored = data.clone();
            let mut connection = connection(role, Config::default());
            let header = connection.mask_in_place(Kind::Binary, &mut vectored).unwrap();
            assert_eq!([&*header, &vectored].concat(), whole);

            let prepared = connection.prepared(&Prepared::binary(&data)).unwrap();
            assert_eq!(prepared, whole);

            let alone = connection.header(Kind::Binary, len as u64);
            match role {
                Role::Server => assert_eq!([&*alone.unwrap(), &data].concat(), whole),
                Role::Client => assert_eq!(alone.err(), Some(SendError::MaskRequired)),
            }
        }
    }
}

#[test]
fn a_prepared_message_is_shared_not_copied() {
    let message = Prepared::text("to all");
    let config = Arc::new(Config::default());
    let one = Sender::server(config.clone()).prepared(&message).unwrap();
    let two = Sender::server(config).prepared(&message).unwrap();
    assert_eq!(&one[..], b"\x81\x06to all");
    assert_eq!(one.as_ptr(), two.as_ptr());
}

// req: W5.5-02, W5.5.1-04, W7.4.1-01, W7.4.1-03, W7.4.1-04, W5.4-08, W5.4-04, X-08
#[test]
fn what_may_not_be_sent_writes_and_changes_nothing() {
    type Call = fn(&mut Connection, &mut BytesMut) -> Result<(), SendError>;
    let cases: [(Call, SendError); 12] = [
        (|c, out| c.ping(&[0; 126], out), SendError::ControlTooLong),
        (|c, out| c.pong(&[0; 126], out), SendError::ControlTooLong),
        (|c, out| c.close(CloseCode::NORMAL, &"a".repeat(124), out), SendError::ReasonTooLong),
        (|c, out| c.close(CloseCode::NO_STATUS, "", out), SendError::InvalidCloseCode),
        (|c, out| c.close(CloseCode::ABNORMAL, "", out), SendError::InvalidCloseCode),
        (|c, out| c.close(CloseCode::TLS_HANDSHAKE, "", out), SendError::InvalidCloseCode),
        (|c, out| c.close(1004.into(), "", out), SendError::InvalidCloseCode),
        (|c, out| c.close(CloseCode::MANDATORY_EXTENSION, "", out), SendError::InvalidCloseCode),
        (|c, out| c.send_fragment(Kind::Text, b"a\xff", false, out), SendError::InvalidUtf8),
        (|c, out| c.send_fragment(Kind::Text, b"a\xe2\x82", true, out), SendError::InvalidUtf8),
        (|c, _| c.mask_in_place(Kind::Text, &mut [0xff]).map(drop), SendError::InvalidUtf8),
        (|c, _| c.header(Kind::Binary, 1 << 63).map(drop), SendError::LengthTopBit),
    ];
    for (call, error) in cases {
        let mut connection = connection(Role::Server, Config::default());
        let mut out = BytesMut::new();
        assert_eq!(call(&mut connection, &mut out), Err(error));
        assert!(out.is_empty(), "{error:?}");
        connection.send_text("still open", &mut out).unwrap();
    }
    // The client may say which extension it misses.
    let mut out = BytesMut::new();
    let mut client = connection(Role::Client, Config::default());
    client.close(CloseCode::MANDATORY_EXTENSION, "x-foo", &mut out).unwrap();
    let mut server = connection(Role::Server, Config::default());
    let event = server.receive(&mut &mut out[..], &mut BytesMut::new());
    let Some(Event::Close(close)) = event else { panic!("{event:?}") };
    assert_eq!((close.code, &*close.reason), (CloseCode::MANDATORY_EXTENSION, "x-foo"));
}

// req: W5.4-08, W5.5.2-04
#[test]
fn a_fragmented_message_takes_only_its_own_fragments_and_control_frames() {
    let mut sender = Sender::server(Arc::new(Config::default()));
    let mut out = BytesMut::new();
    sender.send_fragment(Kind::Text, b"\xe2\x82", false, &mut out).unwrap();
    let open = Err(SendError::FragmentedMessageOpen);
    let before = out.clone();
    assert_eq!(sender.send_text("b", &mut out), open);
    assert_eq!(sender.send_binary(b"b", &mut out), open);
    assert_eq!(sender.send_fragment(Kind::Binary, b"b", false, &mut out), open);
    assert_eq!(sender.header(Kind::Text, 1).map(drop), open);
    assert_eq!(sender.mask_in_place(Kind::Text, &mut []).map(drop), open);
    assert_eq!(sender.prepared(&Prepared::text("b")).map(drop), open);
    let invalid = Err(SendError::InvalidUtf8);
    assert_eq!(sender.send_fragment(Kind::Text, b"(", true, &mut out), invalid);
    assert_eq!(out, before);
    sender.ping(b"", &mut out).unwrap();
    sender.send_fragment(Kind::Text, b"\xac", true, &mut out).unwrap();
    sender.send_text("next", &mut out).unwrap();
    assert_eq!(&out[..], b"\x01\x02\xe2\x82\x89\x00\x80\x01\xac\x81\x04next");
}

// req: W5.5.2-01, W5.5.3-01, W5.5.3-03
#[test]
fn pings_of_every_length_are_answered_with_their_payload() {
    for role in [Role::Server, Role::Client] {
        for len in 0..=125 {
            let payload: Vec<u8> = (0..len).map(|i| i * 2).collect();
            let ping = frame_to(role, true, Opcode::Ping, &payload);
            let trace = run_every_way(role, &Config::default(), &ping);
            assert_eq!(trace.events, [Seen::Ping(payload.clone())]);
            let mut answer = BytesMut::new();
            connection(role, Config::default()).pong(&payload, &mut answer).unwrap();
            assert_eq!(trace.out, answer);

            let unasked = frame_to(role, true, Opcode::Pong, &payload);
            let trace = run_every_way(role, &Config::default(), &unasked);
            assert_eq!((trace.events, trace.out), (vec![Seen::Pong(payload)], vec![]));
        }
    }
}

#[test]
fn a_client_refuses_what_a_server_must_not_send() {
    let masked = hex("818537fa213d7f9f4d5158");
    let trace = run_every_way(Role::Client, &Config::default(), &masked);
    assert_eq!(trace.events, [Seen::Failed(sockless::ProtocolError::MaskForbidden)]);
    let mut close = BytesMut::new();
    let mut client = Connection::client(Arc::new(Config::default()), fixed_keys());
    client.close(CloseCode::PROTOCOL_ERROR, "", &mut close).unwrap();
    assert_eq!(trace.out, close);
}
