//! Heads by chance, against a parser that others wrote and the rules written down again: what is
//! accepted reads the same there, and has all that section 4 of RFC 6455 wants.

#[path = "reference/random.rs"]
#[allow(dead_code, reason = "it makes streams, too")]
mod random;

use bytes::BytesMut;
use random::Random;
use sockless::handshake::{Answer, Asked, Client, Offer, Server, Target};
use sockless::{Config, Keys};
use std::sync::Arc;

const REQUEST: [&str; 6] = [
    "GET /chat?a=b HTTP/1.1",
    "Host: h.example:80",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];
const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
];
/// What a head may have besides, and mostly should not.
const MORE: [&str; 16] = [
    "X: y",
    "X:",
    "Cookie: a=b; c=\"d\"\t",
    "Origin: http://h.example",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Host: other",
    "host: h.example:80",
    "Upgrade: h2c",
    "Connection: close",
    "Sec-WebSocket-Protocol: a, b",
    "Sec-WebSocket-Extensions: x; y=\"z\"",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==",
    "Expect: 100-continue",
];
const ODD: &[u8] = b"\r\n\t \0:;,=\"\x0b\x7f\x80\xffaZ019/*%.";

/// A good head with a few things done to it; now and then nothing.
fn head(random: &mut Random, lines: &[&str]) -> Vec<u8> {
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).into()).collect();
    for _ in 0..random.below(3) {
        let at = 1 + random.below(lines.len() - 1);
        match random.below(5) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, MORE[random.below(MORE.len())].into()),
            2 => lines.push(MORE[random.below(MORE.len())].into()),
            3 => {
                let loud = lines[at].to_ascii_uppercase();
                lines[at] = loud.replacen("SEC-WEBSOCKET-", "sec-webSocket-", 1);
            }
            _ => {
                let last = lines.len() - 1;
                lines.swap(at, last);
            }
        }
        if lines.len() < 2 {
            break;
        }
    }
    let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
    for _ in 0..random.below(3) {
        let at = random.below(bytes.len());
        let odd = ODD[random.below(ODD.len())];
        match random.below(3) {
            0 => bytes.insert(at, odd),
            1 => bytes[at] = odd,
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

/// All fields of that name, as a list (RFC 9110 section 5.6.1).
fn list<'h>(fields: &'h [httparse::Header<'_>], name: &str) -> Vec<&'h str> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let texts = named.map(|field| std::str::from_utf8(field.value).expect("tokens are ASCII"));
    let parts = texts.flat_map(|text| text.split(','));
    parts.map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty()).collect()
}

fn has(list: &[&str], token: &str) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(token))
}

fn is_there(fields: &[httparse::Header<'_>], name: &str) -> bool {
    fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
}

/// The rules of section 4.2.1, and of RFC 9112 on bodies, as far as they can be read off a head.
fn may_be_accepted(fields: &[httparse::Header<'_>]) -> bool {
    let keys = list(fields, "Sec-WebSocket-Key");
    let hosts = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("Host"));
    hosts.count() == 1
        && has(&list(fields, "Upgrade"), "websocket")
        && has(&list(fields, "Connection"), "upgrade")
        && list(fields, "Sec-WebSocket-Version") == ["13"]
        && matches!(keys[..], [key] if key.len() == 24 && key.ends_with("=="))
        && list(fields, "Content-Length").iter().all(|length| *length == "0")
        && !is_there(fields, "Transfer-Encoding")
        && !is_there(fields, "Expect")
}

// req: W4.2.1-01, W4.2.1-05, W4.2.1-06, W4.2.1-07, W4.2.1-08, W4.2.1-09, H-08, H-36, H-37, H-50
#[test]
fn a_request_that_is_accepted_reads_the_same_elsewhere() {
    let mut random = Random::new(0x5eed_9112);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let bytes = head(&mut random, &REQUEST);
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        let mut copy = bytes.clone();
        let mut input = &mut copy[..];
        let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        let shown = String::from_utf8_lossy(&bytes);
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut theirs = httparse::Request::new(&mut fields);
        // It knows HTTP/1.0 and HTTP/1.1; a minor version above is read as the highest known.
        let known: Vec<u8> = shown_as_1_1(&bytes);
        let read = theirs.parse(&known).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!(read, httparse::Status::Complete(bytes.len() - input.len()), "{shown}");
        assert_eq!((theirs.method, theirs.version), (Some("GET"), Some(1)), "{shown}");
        let target = request.query().map_or(String::new(), |query| format!("?{query}"));
        assert!(
            theirs.path.is_some_and(|path| path.ends_with(&(request.path().to_owned() + &target)))
        );
        let same = theirs.headers.iter().map(|field| (field.name, field.value));
        assert!(request.fields().eq(same), "{shown}");
        assert!(may_be_accepted(theirs.headers), "{shown}");
    }
    assert!(accepted > 8000 && refused > 8000, "{accepted} accepted, {refused} refused");
}

/// The head with the version that the other parser knows in place of a later one.
fn shown_as_1_1(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap_or_default();
    let mut bytes = bytes.to_vec();
    let start = bytes[..end].windows(7).rposition(|seven| seven == b"HTTP/1.");
    if let Some(minor) = start.map(|start| start + 7).filter(|at| matches!(bytes[*at], b'2'..=b'9'))
    {
        bytes[minor] = b'1';
    }
    bytes
}

// req: W4.1-24, W4.1-25, W4.1-26, H-30, H-36, H-53
#[test]
fn a_response_that_is_accepted_reads_the_same_elsewhere() {
    let mut random = Random::new(0x5eed_9110);
    let target = Target::parse("ws://h.example/").unwrap();
    let (mut accepted, mut refused, mut other) = (0, 0, 0);
    for _ in 0..40_000 {
        let bytes = head(&mut random, &RESPONSE);
        let (keys, mut out) = (Keys::new(|key| *key = [0; 4]), BytesMut::new());
        let offer = Offer::new(&target).subprotocol("a").unwrap();
        let mut client = Client::start(Arc::new(Config::default()), keys, &offer, &mut out);
        let mut copy = bytes.clone();
        let mut input = &mut copy[..];
        let (response, is_open) = match client.receive(&mut input) {
            Some(Answer::Open { response, .. }) => (response, true),
            Some(Answer::Refused(response)) => (response, false),
            _ => {
                refused += 1;
                continue;
            }
        };
        let shown = String::from_utf8_lossy(&bytes);
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut theirs = httparse::Response::new(&mut fields);
        let known = shown_as_1_1(&bytes);
        let read = theirs.parse(&known).map_err(|error| format!("{error}: {shown}"));
        assert_eq!(read, Ok(httparse::Status::Complete(bytes.len() - input.len())), "{shown}");
        assert_eq!(theirs.code, Some(response.status()), "{shown}");
        let same = theirs.headers.iter().map(|field| (field.name, field.value));
        assert!(response.fields().eq(same), "{shown}");
        if !is_open {
            other += 1;
            continue;
        }
        accepted += 1;
        let accept = theirs
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case("Sec-WebSocket-Accept"));
        let accept: Vec<_> = accept.map(|field| field.value).collect();
        assert_eq!((theirs.code, accept), (Some(101), vec![&b"ICX+Yqv66kxgM0FcWaLWlFLwTAI="[..]]));
        assert!(has(&list(theirs.headers, "Connection"), "upgrade"), "{shown}");
        let upgrade = list(theirs.headers, "Upgrade");
        assert!(upgrade.len() == 1 && has(&upgrade, "websocket"), "{shown}");
        for name in ["Content-Length", "Transfer-Encoding", "Sec-WebSocket-Extensions"] {
            assert!(!is_there(theirs.headers, name), "{shown}");
        }
        assert!(list(theirs.headers, "Sec-WebSocket-Protocol").iter().all(|name| *name == "a"));
    }
    assert!(
        accepted > 5000 && refused > 5000,
        "{accepted} accepted, {refused} refused, {other} other"
    );
}
