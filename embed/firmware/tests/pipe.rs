//! The endpoint of the board, on this host: what it answers to whole sessions and to bad peers.

use bytes::BytesMut;
use firmware::{CAPACITY, Endpoint};
use sockless::frame::{Header, Opcode};
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::mask::Mask;
use sockless::{CloseCode, Config, Connection, Event, Keys};
use std::sync::Arc;

const REQUEST: &str = "GET /echo HTTP/1.1\r\nHost: board\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn feed(endpoint: &mut Endpoint, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bytes {
        endpoint.take(*byte, &mut |bytes| out.extend_from_slice(bytes));
    }
    out
}

/// An endpoint whose peer's request has been answered.
fn open() -> Endpoint {
    let mut endpoint = Endpoint::new();
    let response = feed(&mut endpoint, REQUEST.as_bytes());
    assert!(response.starts_with(b"HTTP/1.1 101 "));
    endpoint
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = match first & 15 {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        _ => Opcode::Pong,
    };
    let (key, len) = ([1, 2, 3, 4], payload.len() as u64);
    let header = Header { fin: first & 0x80 != 0, rsv1: false, opcode, mask: Some(key), len };
    let mut frame = header.encode().unwrap().to_vec();
    frame.extend_from_slice(payload);
    let start = frame.len() - payload.len();
    Mask::new(key).apply(&mut frame[start..]);
    frame
}

/// What a whole client says and hears through the pipe; each answer in one piece.
fn client(endpoint: &mut Endpoint) -> (Connection, BytesMut) {
    let (config, mut out) = (Arc::new(Config::default()), BytesMut::new());
    let target = Target::parse("ws://board/echo").unwrap();
    let mut client = Client::start(config, Keys::system(), &Offer::new(&target), &mut out);
    let mut answer = feed(endpoint, &out);
    out.clear();
    match client.receive(&mut &mut answer[..]) {
        Some(Answer::Open { connection, .. }) => (connection, out),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_from_the_request_to_the_close_and_the_next_peer() {
    let mut endpoint = Endpoint::new();
    for round in 0..3 {
        let (mut connection, mut out) = client(&mut endpoint);
        connection.send_text("Grüße", &mut out).unwrap();
        connection.send_binary(&[7; CAPACITY], &mut out).unwrap();
        for (index, piece) in [b"ab\xe2".as_slice(), b"\x82", b"\xac!"].into_iter().enumerate() {
            connection.send_fragment(sockless::Kind::Text, piece, index == 2, &mut out).unwrap();
            connection.ping(b"still there?", &mut out).unwrap();
        }
        connection.close(CloseCode::from(4001), "", &mut out).unwrap();
        let mut answer = feed(&mut endpoint, &out);
        let (mut input, mut seen) = (&mut answer[..], Vec::new());
        while let Some(event) = connection.receive(&mut input, &mut BytesMut::new()) {
            seen.push(match event {
                Event::Text(text) => text.to_string(),
                Event::Binary(data) => format!("{} bytes", data.len()),
                Event::Pong(data) => format!("pong {}", data.len()),
                Event::Close(close) => close.code.to_string(),
                other => panic!("{other:?}"),
            });
        }
        let pong = "pong 12";
        assert_eq!(seen, ["Grüße", "1024 bytes", pong, pong, "ab€!", pong, "4001"], "{round}");
        assert!(connection.eof().clean);
    }
}

#[test]
fn bad_frames_are_answered_by_their_close_code() {
    let long = frame(0x82, &[0; CAPACITY + 1]);
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("unmasked", b"\x81\x02hi".to_vec(), 1002),
        ("reserved bit", vec![0xc1], 1002),
        ("reserved opcode", vec![0x83], 1002),
        ("Ping in fragments", vec![0x09], 1002),
        ("Ping of 126 bytes", vec![0x89, 0xfe], 1002),
        ("length not minimal", vec![0x82, 0xfe, 0, 125], 1002),
        ("continuation of nothing", frame(0x80, b"x"), 1002),
        ("message inside a message", [frame(1, b"x"), frame(0x81, b"x")].concat(), 1002),
        ("a byte more than the buffer", long[..4].to_vec(), 1009),
        ("2^63 - 1 bytes", b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(), 1009),
        ("not UTF-8", frame(0x81, b"\xff"), 1007),
        ("UTF-8 cut short", [frame(1, b"\xe2"), frame(0x80, b"\x82")].concat(), 1007),
        ("Close of one byte", frame(0x88, b"\x03"), 1002),
        ("Close with 1005", frame(0x88, b"\x03\xed"), 1002),
        ("Close with a reason that is no text", frame(0x88, b"\x03\xe8\xff"), 1007),
    ];
    for (name, bytes, code) in cases {
        let mut endpoint = open();
        let out = feed(&mut endpoint, bytes);
        let close = out.len().checked_sub(4).map(|start| &out[start..]);
        let [high, low] = code.to_be_bytes();
        assert_eq!(close, Some(&[0x88, 2, high, low][..]), "{name}");
        // The bad peer's rest is skipped, and the next one is served.
        assert!(feed(&mut endpoint, b"\x81\x85GG GET rest").is_empty(), "{name}");
        assert!(feed(&mut endpoint, REQUEST.as_bytes()).starts_with(b"HTTP/1.1 101 "), "{name}");
    }
}

#[test]
fn requests_are_judged() {
    let without = |line: &str| REQUEST.replace(line, "");
    let before = |lines: &str| REQUEST.replace("Host: board\r\n", lines);
    let more = |lines: &str| REQUEST.replace("\r\n\r\n", &format!("\r\n{lines}\r\n"));
    let long = format!("X-Cookie: {}\r\n\r\n", "x".repeat(4000));
    for (name, request, status) in [
        ("the request itself", REQUEST.to_owned(), "101"),
        ("after noise", format!("\0\0GE\r\nGGET{REQUEST}"), "101"),
        ("a long line", REQUEST.replace("\r\n\r\n", &format!("\r\n{long}")), "101"),
        ("no Upgrade", without("Upgrade: websocket\r\n"), "400"),
        ("no Connection", without("Connection: keep-alive, Upgrade\r\n"), "400"),
        ("another version", REQUEST.replace(": 13", ": 8"), "426"),
        ("no version", without("Sec-WebSocket-Version: 13\r\n"), "426"),
        ("no key", without(KEY), "400"),
        ("a short key", REQUEST.replace("Q==", "=="), "400"),
        ("two keys", more(KEY), "400"),
        ("three keys", more(&KEY.repeat(2)), "400"),
        ("a bad key before a good one", before("Sec-WebSocket-Key: no\r\n"), "400"),
        ("another version before ours", before("Sec-WebSocket-Version: 8\r\n"), "400"),
        ("another version after ours", more("Sec-WebSocket-Version: 8\r\n"), "400"),
        ("a line of a blank", more(" \r\n"), "400"),
        ("a line of many blanks", more(&format!("{}X: folded\r\n", " ".repeat(128))), "400"),
        ("no end", format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(9000)), "400"),
    ] {
        let out = feed(&mut Endpoint::new(), request.as_bytes());
        let (wanted, out) = (format!("HTTP/1.1 {status} "), String::from_utf8_lossy(&out));
        // One answer: what is left of a head is no frame, and no request.
        let end = out.find("\r\n\r\n").map(|at| at + 4);
        assert!(out.starts_with(&wanted) && end == Some(out.len()), "{name}: {out:?}");
    }
}

#[test]
fn a_connection_is_what_the_board_has_room_for() {
    assert!(size_of::<Endpoint>() <= CAPACITY + 256, "{}", size_of::<Endpoint>());
}
