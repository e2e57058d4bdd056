//! RFC 9112 section 11.1: no value that the application gives can end its line. Every byte, at
//! every place where a value goes in, is refused before anything is written, or stays where it was
//! put.
#![allow(missing_docs)]

use bytes::BytesMut;
use sockless::Keys;
use sockless::handshake::{Accept, Asked, Client, Offer, Reject, Server, Target, Tunnel};
use std::sync::Arc;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: axb\r\n\r\n";

/// Where a value goes in, and the head that comes of it.
type Entry = (&'static str, fn(&[u8]) -> Option<BytesMut>);

const ENTRIES: [Entry; 16] = [
    ("a target's host", |value| ask(&format!("ws://{}/", text(value)?), |offer| Some(offer))),
    ("a target's path", |value| ask(&format!("ws://h/{}", text(value)?), |offer| Some(offer))),
    ("an offer's subprotocol", |value| {
        let value = text(value)?;
        ask("ws://h/", |offer| offer.subprotocol(value).ok())
    }),
    ("an offer's origin", |value| {
        let value = text(value)?;
        ask("ws://h/", |offer| offer.origin(value).ok())
    }),
    ("an offer's field", |value| ask("ws://h/", |offer| offer.field("X", value).ok())),
    ("the name of an offer's field", |value| {
        let value = text(value)?;
        ask("ws://h/", |offer| offer.field(value, "y").ok())
    }),
    ("a tunnel's field", |value| tunnel(&[("X", value)])),
    ("the name of a tunnel's field", |value| tunnel(&[(text(value)?, b"y")])),
    ("an answer's field", |value| answer(|accept| accept.field("X", value).ok())),
    ("the name of an answer's field", |value| {
        let value = text(value)?;
        answer(|accept| accept.field(value, "y").ok())
    }),
    ("an answer's subprotocol", |value| {
        let value = text(value)?;
        answer(|accept| accept.subprotocol(value).ok())
    }),
    ("a refusal's reason", |value| {
        let value = text(value)?;
        refuse(|reject| reject.reason(value).ok())
    }),
    ("a refusal's field", |value| refuse(|reject| reject.field("X", value).ok())),
    ("the name of a refusal's field", |value| {
        let value = text(value)?;
        refuse(|reject| reject.field(value, "y").ok())
    }),
    ("the type of a refusal's body", |value| {
        let value = text(value)?;
        refuse(|reject| reject.body(value, b"").ok())
    }),
    ("a Cookie", |value| ask("ws://h/", |offer| offer.field("Cookie", value).ok())),
];

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn ask(uri: &str, change: impl FnOnce(Offer<'_>) -> Option<Offer<'_>>) -> Option<BytesMut> {
    let target = Target::parse(uri).ok()?;
    let offer = change(Offer::new(&target))?;
    let mut out = BytesMut::new();
    drop(Client::start(Arc::default(), Keys::new(|key| *key = [1; 4]), &offer, &mut out));
    Some(out)
}

fn tunnel(fields: &[(&str, &[u8])]) -> Option<BytesMut> {
    let (target, mut out) = (Target::parse("ws://h/").unwrap(), BytesMut::new());
    let started = Tunnel::start(Arc::default(), &target, fields, &mut out).is_ok();
    assert!(started || out.is_empty());
    started.then_some(out)
}

fn answer(change: impl for<'r> FnOnce(Accept<'r>) -> Option<Accept<'r>>) -> Option<BytesMut> {
    let (mut bytes, mut out) = (REQUEST.to_vec(), BytesMut::new());
    let mut server = Server::new(Arc::default());
    let mut input = &mut bytes[..];
    let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) else { panic!() };
    let accept = change(Accept::new(&request))?;
    server.accept(accept, &mut out).ok()?;
    Some(out)
}

fn refuse<'a>(change: impl FnOnce(Reject<'a>) -> Option<Reject<'a>>) -> Option<BytesMut> {
    let reject = change(Reject::new(404).unwrap())?;
    let mut out = BytesMut::new();
    Server::new(Arc::default()).reject(&reject, &mut out);
    Some(out)
}

/// The lines of a head; each ends by CR LF, and there is no other CR, LF or NUL.
fn lines(head: &[u8]) -> usize {
    let lines = head.windows(2).filter(|two| two == b"\r\n").count();
    let breaks = head.iter().filter(|byte| b"\r\n\0".contains(byte)).count();
    assert_eq!(breaks, 2 * lines, "{}", head.escape_ascii());
    assert!(head.ends_with(b"\r\n\r\n"));
    lines
}

// req: H-38, H-61
// bound: L-21
#[test]
fn every_byte_at_every_place_is_refused_or_stays_where_it_was_put() {
    for (place, entry) in ENTRIES {
        let plain = lines(&entry(b"axb").unwrap_or_else(|| panic!("{place}: a plain value")));
        let mut taken = 0;
        for byte in 0..=u8::MAX {
            for value in [&[b'a', byte, b'b'][..], &[byte], &[byte, b'a'], &[b'a', byte]] {
                let Some(head) = entry(value) else { continue };
                assert_eq!(lines(&head), plain, "{place}: {}", value.escape_ascii());
                assert!(byte == b'\t' || !byte.is_ascii_control(), "{place}: {byte:#x}");
                taken += 1;
            }
        }
        assert!(taken > 0, "{place}: a plain value is taken");
        for value in ["a\r\nX: y", "a\r\n y", "a\r\n\r\nGET / HTTP/1.1\r\n\r\n", "é\u{a}"] {
            assert!(entry(value.as_bytes()).is_none(), "{place}: {value:?}");
        }
    }
}
