//! Rows of the matrix that no other test shows: each test here cites what it is for.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "deflate")]
mod compressed;
#[path = "../handshake_support/mod.rs"]
mod handshake_support;

use bytes::BytesMut;
use common::{Seen, connection, frame_to, run_every_way, streamed};
use handshake_support::{GET, head, upgraded};
use sockless::frame::{Kind, Opcode};
use sockless::handshake::{Accept, Asked, Reject, Server};
use sockless::{CloseCode, Config, Connection, Event, ProtocolError, Role, SendError, Want};
use std::sync::Arc;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn feed(connection: &mut Connection, bytes: &[u8], out: &mut BytesMut) -> Vec<Event<'static>> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut events = Vec::new();
    while let Some(event) = connection.receive(&mut input, out) {
        events.push(event.into_owned());
    }
    events
}

fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

// req: W2.1-02, X-02
#[test]
fn output_may_be_batched_and_stays_in_order() {
    for role in ROLES {
        let say = |step: usize, connection: &mut Connection, out: &mut BytesMut| {
            match step % 4 {
                0 => connection.send_text("one", out),
                1 => connection.ping(&[1], out),
                2 => connection.send_fragment(Kind::Binary, b"two", false, out),
                _ => connection.send_fragment(Kind::Binary, b"", true, out),
            }
            .unwrap();
        };
        let (mut batched, mut all) = (connection(role, Config::default()), BytesMut::new());
        let (mut eager, mut written) = (connection(role, Config::default()), Vec::new());
        for step in 0..12 {
            say(step, &mut batched, &mut all);
            let mut out = BytesMut::new();
            say(step, &mut eager, &mut out);
            written.extend_from_slice(&out);
        }
        assert_eq!(all, written);
    }
}

// req: W5.5.1-09, W5.5.1-08, W6.1-01
#[test]
fn the_reply_to_a_close_precedes_every_message_not_yet_begun() {
    for role in ROLES {
        for fragmented in [false, true] {
            let (mut ours, mut out) = (connection(role, Config::default()), BytesMut::new());
            if fragmented {
                ours.send_fragment(Kind::Text, b"begun", false, &mut out).unwrap();
            } else {
                ours.send_text("sent", &mut out).unwrap();
            }
            let before = out.clone();
            let close = frame_to(role, true, Opcode::Close, &close_body(1001, "gone"));
            assert!(matches!(feed(&mut ours, &close, &mut out)[..], [Event::Close(_)]));
            let mut reply = BytesMut::new();
            let mut other = connection(role, Config::default());
            other.close(CloseCode::GOING_AWAY, "gone", &mut reply).unwrap();
            assert_eq!(out, [before, reply].concat(), "nothing between, nothing held back");
            let end = out.clone();
            assert_eq!(ours.send_text("late", &mut out), Err(SendError::Closed));
            let next = ours.send_fragment(Kind::Text, b"late", true, &mut out);
            assert_eq!((next, out), (Err(SendError::Closed), end));
        }
    }
}

// req: W5.8-01, W9.1-04, W9.2-01, D5-08, W5.2-02
#[test]
fn no_extension_is_used_that_was_not_negotiated() {
    for role in ROLES {
        for (fin, first) in [(true, Opcode::Text), (false, Opcode::Binary)] {
            for rsv in [0x40, 0x20, 0x10] {
                let mut frame = frame_to(role, fin, first, b"\x01\0\0\xff\xff");
                frame[0] |= rsv;
                let trace = run_every_way(role, &Config::default(), &frame);
                assert_eq!(trace.events, [Seen::Failed(ProtocolError::ReservedBits)]);
            }
        }
        let (mut ours, mut out) = (connection(role, Config::default()), BytesMut::new());
        ours.send_text(&"a".repeat(100), &mut out).unwrap();
        assert_eq!(out[0], 0x81, "no reserved bit, though it would compress well");
    }
    // Whatever a request offers, nothing is agreed to without a policy.
    let offer = [("Sec-WebSocket-Extensions", Some("permessage-deflate, x-foo; a=1"))];
    let (mut request, mut out) = (head(GET, &offer), BytesMut::new());
    let mut server = Server::new(Arc::default());
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut request[..], &mut out) else {
        panic!("a good request")
    };
    server.accept(Accept::new(&request), &mut out).unwrap();
    assert!(!out.windows(9).any(|nine| nine == b"xtensions"), "{}", out.escape_ascii());
}

// req: W7.1.1-02, W7.1.1-03, W7.1.2-02, W5.5.1-11, W5.5.1-12
#[test]
fn the_server_closes_the_transport_first_whoever_began() {
    for (role, wanted) in [(Role::Server, Want::CloseNow), (Role::Client, Want::AwaitEof)] {
        for we_begin in [false, true] {
            let (mut ours, mut out) = (connection(role, Config::default()), BytesMut::new());
            if we_begin {
                ours.close(CloseCode::NORMAL, "", &mut out).unwrap();
            }
            assert_eq!(ours.want(), Want::Read, "not before the peer's Close");
            let close = frame_to(role, true, Opcode::Close, &close_body(1000, ""));
            feed(&mut ours, &close, &mut out);
            assert_eq!(ours.want(), wanted);
            assert!(ours.eof().clean);
        }
    }
}

// req: W7.4-01, W5.5.1-01
#[test]
fn code_and_reason_are_optional() {
    for role in ROLES {
        for (body, code, reason) in [
            (vec![], 1005, ""),
            (close_body(1000, ""), 1000, ""),
            (close_body(4000, "why"), 4000, "why"),
        ] {
            let close = frame_to(role, true, Opcode::Close, &body);
            let trace = run_every_way(role, &Config::default(), &close);
            assert_eq!(trace.events, [Seen::Close(code, reason.into())]);
            assert_eq!(trace.out, frame_to_with_fixed_key(role, &body), "echoed as it came");
            assert!(trace.closed.clean);
        }
        let mut out = BytesMut::new();
        connection(role, Config::default()).close(CloseCode::NORMAL, "", &mut out).unwrap();
        assert_eq!(out, frame_to_with_fixed_key(role, &close_body(1000, "")));
    }
}

/// A Close as `role` itself writes it, with the key of `fixed_keys`.
fn frame_to_with_fixed_key(role: Role, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).unwrap();
    if role == Role::Server {
        return [&[0x88, len], body].concat();
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let masked: Vec<_> = body.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
    [&[0x88, 0x80 | len], &key[..], &masked].concat()
}

// req: W10.5-01, W4.2.2-02
#[test]
fn a_request_can_be_judged_by_its_fields_before_it_is_accepted() {
    for (credentials, wanted) in [("Basic Zm9vOmJhcg==", "101"), ("Basic Zm9vOmJheg==", "401")] {
        let mut bytes = head(GET, &[("Authorization", Some(credentials)), ("X", Some("y"))]);
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        let Some(Asked::Upgrade(request)) = server.receive(&mut &mut bytes[..], &mut out) else {
            panic!("a good request")
        };
        assert!(out.is_empty(), "nothing is said before the decision");
        let found = request.field("authorization");
        assert_eq!(found, Some(credentials.as_bytes()));
        if found == Some(b"Basic Zm9vOmJhcg==") {
            server.accept(Accept::new(&request), &mut out).unwrap();
        } else {
            let login = Reject::new(401).unwrap().field("WWW-Authenticate", "Basic realm=\"a\"");
            server.reject(&login.unwrap(), &mut out);
            let text = std::str::from_utf8(&out).unwrap();
            assert!(text.contains("\r\nWWW-Authenticate: Basic realm=\"a\"\r\n"));
        }
        assert_eq!(&out[9..12], wanted.as_bytes());
    }
}

// req: W10.7-01, W10.7-02, W7.1.7-03
#[test]
fn no_setting_lets_invalid_data_pass_and_a_close_with_a_code_comes_first() {
    let mut lavish = Config::default();
    (lavish.max_message, lavish.max_frame) = (u64::MAX, u64::MAX);
    (lavish.max_fragments, lavish.max_empty_fragments) = (u32::MAX, u16::MAX);
    lavish.high_water = usize::MAX;
    let mut lavish_streamed = lavish.clone();
    lavish_streamed.delivery = sockless::Delivery::Streamed;
    for role in ROLES {
        for config in [Config::default(), streamed(), lavish.clone(), lavish_streamed.clone()] {
            let wrong_mask = frame_to(role.peer(), true, Opcode::Text, b"a");
            for (wire, code) in [
                (wrong_mask, 1002),
                (frame_to(role, true, Opcode::Text, b"\xff"), 1007),
                (frame_to(role, true, Opcode::Close, b"\x03\xe8\xff"), 1007),
                (frame_to(role, true, Opcode::Close, &close_body(1005, "")), 1002),
                (frame_to(role, true, Opcode::Continuation, b"a"), 1002),
                (frame_to(role, false, Opcode::Ping, b""), 1002),
            ] {
                let (mut ours, mut out) = (connection(role, config.clone()), BytesMut::new());
                let events = feed(&mut ours, &wire, &mut out);
                let [Event::Failed(error)] = events[..] else { panic!("{events:?}") };
                assert_eq!(error.close_code(), code);
                assert_eq!(out, frame_to_with_fixed_key(role, &close_body(code, "")));
                assert_eq!(ours.want(), Want::CloseNow);
                assert!(!ours.eof().clean);
            }
        }
    }
}

// req: H-56
#[test]
fn text_that_follows_a_request_is_no_frame() {
    let configs = [Config::default(), streamed()];
    #[cfg(feature = "deflate")]
    let configs = configs.clone().into_iter().chain(configs.map(|mut config| {
        config.deflate = Some(sockless::deflate::Policy::server());
        config
    }));
    for config in configs {
        // The start of every method, and of anything else that is ASCII: the mask bit is not set.
        for (a, b) in (0..128).flat_map(|a| (0..128).map(move |b| (a, b))) {
            let (mut server, mut out) = (connection(Role::Server, config.clone()), BytesMut::new());
            let events = feed(&mut server, &[a, b], &mut out);
            let [Event::Failed(error)] = events[..] else { panic!("{a:02x}{b:02x}: {events:?}") };
            assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
            assert_eq!(&out[..], b"\x88\x02\x03\xea");
        }
    }
    // Early bytes stay in the input, where who wants none can see them: `upgraded` checks it.
    upgraded(&head(GET, &[]));
}
