//! Requests, fed to a server whole, at every cut, and byte by byte.
#![allow(dead_code, reason = "not every test needs all of it")]

use bytes::BytesMut;
use sockless::Config;
use sockless::handshake::{Asked, Server};
use std::sync::Arc;

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The fields of a request that is accepted.
pub(crate) const FIELDS: [(&str, &str); 5] = [
    ("Host", "h.example"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

/// What a request comes to: a word for what was asked, the output, and what stayed in the input.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Outcome {
    pub(crate) asked: String,
    pub(crate) out: Vec<u8>,
    pub(crate) left: Vec<u8>,
}

/// Feeds `pieces` in turn, until there is a verdict; the rest stays, as the law of input says.
pub(crate) fn feed(config: &Arc<Config>, plain: bool, pieces: &[&[u8]]) -> Outcome {
    let mut server = Server::new(Arc::clone(config));
    if plain {
        server = server.with_plain_requests();
    }
    let mut out = BytesMut::new();
    let mut left = Vec::new();
    let mut asked = None;
    for piece in pieces {
        let mut buffer = piece.to_vec();
        let mut input = &mut buffer[..];
        while let Some(found) = server.receive(&mut input, &mut out) {
            assert!(asked.is_none(), "a second verdict");
            asked = Some(describe(found));
        }
        assert!(asked.is_some() || input.is_empty(), "input is consumed while there is no verdict");
        left.extend_from_slice(input);
    }
    Outcome { asked: asked.unwrap_or_else(|| "nothing yet".into()), out: out.to_vec(), left }
}

fn describe(asked: Asked<'_>) -> String {
    match asked {
        Asked::Upgrade(request) => {
            let subprotocols: Vec<_> = request.subprotocols().collect();
            let extensions: Vec<_> =
                request.extensions().map(|e| (e.name.to_owned(), e.params.count())).collect();
            let fields: Vec<_> = request.fields().collect();
            format!(
                "upgrade {} {:?} {} {} {} {:?} {subprotocols:?} {extensions:?} {fields:?}",
                request.path(),
                request.query(),
                request.authority(),
                request.host(),
                request.host_differs(),
                request.origin(),
            )
        }
        Asked::Plain(request) => format!("plain {} {:?}", request.path(), request.query()),
        Asked::Refused(error) => format!("refused {error:?}"),
        _ => unreachable!("no other kind of verdict"),
    }
}

/// The outcome, which is the same whole, at every cut and byte by byte (law 4).
pub(crate) fn outcome_with(config: &Arc<Config>, plain: bool, request: &[u8]) -> Outcome {
    let whole = feed(config, plain, &[request]);
    let bytes: Vec<_> = request.chunks(1).collect();
    assert_eq!(feed(config, plain, &bytes), whole, "byte by byte: {}", request.escape_ascii());
    // A long one is cut at a sample of places: the scanner's unit is the line, not the head.
    for at in (0..request.len()).step_by(1 + request.len() / 1000) {
        let (a, b) = request.split_at(at);
        assert_eq!(feed(config, plain, &[a, b]), whole, "cut at {at}: {}", request.escape_ascii());
    }
    whole
}

pub(crate) fn outcome(request: &[u8]) -> Outcome {
    outcome_with(&Arc::default(), false, request)
}

/// A head; `None` as a value leaves a field out, another value replaces it, new ones are added.
pub(crate) fn head(line: &str, changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut text = format!("{line}\r\n");
    let is_changed = |name: &str| changes.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    for (name, value) in FIELDS.into_iter().filter(|(name, _)| !is_changed(name)) {
        text += &(name.to_owned() + ": " + value + "\r\n");
    }
    for (name, value) in changes {
        if let Some(value) = value {
            text += &((*name).to_owned() + ": " + value + "\r\n");
        }
    }
    (text + "\r\n").into_bytes()
}

pub(crate) const GET: &str = "GET / HTTP/1.1";

pub(crate) fn status(out: &[u8]) -> u16 {
    let text = std::str::from_utf8(out).unwrap();
    let status = text.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("no response: {text:?}"));
    status[..3].parse().unwrap()
}

/// The request is refused with this status, in one small response, and swallows what follows.
pub(crate) fn refused(request: &[u8], wanted: u16) {
    refused_by(&Arc::default(), request, wanted);
}

pub(crate) fn refused_by(config: &Arc<Config>, request: &[u8], wanted: u16) {
    let mut bytes = request.to_vec();
    bytes.extend_from_slice(b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n");
    let Outcome { asked, out, left } = outcome_with(config, false, &bytes);
    let shown = request[..request.len().min(300)].escape_ascii();
    assert!(asked.starts_with("refused"), "{shown}: {asked}");
    assert_eq!(status(&out), wanted, "{shown}: {asked}");
    assert!(out.len() <= 512 && left.is_empty(), "{shown}");
    let text = std::str::from_utf8(&out).unwrap();
    let (fields, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(fields.contains("\r\nConnection: close"), "{shown}");
    assert!(fields.contains(&format!("\r\nContent-Length: {}", body.len())), "{shown}");
    assert_eq!(fields.contains("\r\nAllow: GET"), wanted == 405);
    for field in ["\r\nUpgrade: websocket", "\r\nSec-WebSocket-Version: 13", "close, Upgrade"] {
        assert_eq!(fields.contains(field), wanted == 426, "{field}");
    }
}

/// The request is accepted, and what follows it stays.
pub(crate) fn upgraded(request: &[u8]) -> String {
    let mut bytes = request.to_vec();
    bytes.extend_from_slice(b"\x81\x80maskGET");
    let Outcome { asked, out, left } = outcome(&bytes);
    assert!(asked.starts_with("upgrade"), "{}: {asked}", request.escape_ascii());
    assert_eq!((out.as_slice(), left.as_slice()), (&b""[..], &b"\x81\x80maskGET"[..]));
    asked
}
