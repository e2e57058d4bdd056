//! Classes of failure that were published for other implementations: each must not happen here.

use bytes::BytesMut;
use sockless::handshake::{Accept, Asked, FieldError, Offer, Reject, RequestError, Server, Target};
use sockless::{Config, Connection, Event, Keys, ProtocolError, Role};
use std::sync::Arc;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The last event of a stream of frames without masking, made for `role`; all keys are zero.
fn last(role: Role, frames: &[(u8, &[u8])], config: &Arc<Config>) -> Option<ProtocolError> {
    let keys = Keys::new(|key| *key = [0; 4]);
    let mut connection = match role {
        Role::Server => Connection::server(Arc::clone(config)),
        Role::Client => Connection::client(Arc::clone(config), keys),
    };
    let mut out = BytesMut::new();
    for (first, payload) in frames {
        let len = u8::try_from(payload.len()).unwrap();
        let mut frame = match role {
            Role::Server => [&[*first, 0x80 | len, 0, 0, 0, 0], *payload].concat(),
            Role::Client => [&[*first, len], *payload].concat(),
        };
        let mut input = &mut frame[..];
        while let Some(event) = connection.receive(&mut input, &mut out) {
            if let Event::Failed(error) = event {
                return Some(error);
            }
        }
    }
    None
}

fn served(config: &Arc<Config>, request: &[u8]) -> Option<RequestError> {
    let (mut bytes, mut out) = (request.to_vec(), BytesMut::new());
    match Server::new(Arc::clone(config)).receive(&mut &mut bytes[..], &mut out) {
        Some(Asked::Refused(error)) => Some(error),
        Some(Asked::Upgrade(_)) => None,
        other => panic!("{other:?}"),
    }
}

const FIELDS: [&str; 5] = [
    "Host: h",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

fn request(fields: &[&str]) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{}\r\n\r\n", fields.join("\r\n")).into_bytes()
}

// req: W5.2-05, W10.4-01, X-03
#[test]
fn cve_a_length_of_64_bits_overflows() {
    let mut huge: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
    huge.extend([u64::MAX, u64::MAX >> 1, (1 << 63) + 5, u64::from(u32::MAX), 1 << 20 | 1]);
    // A position that is not zero: what came before is in the message already.
    for role in ROLES {
        for len in huge.iter().filter(|len| **len > 1 << 20) {
            for before in [&[][..], &[(0x02_u8, &b"abc"[..])]] {
                let first = if before.is_empty() { 0x82 } else { 0x80 };
                let mut connection = match role {
                    Role::Server => Connection::server(Arc::default()),
                    Role::Client => Connection::client(Arc::default(), Keys::new(|_| {})),
                };
                let mask = if role == Role::Server { 0x80 } else { 0 };
                let key: &[u8] = if role == Role::Server { &[0; 4] } else { &[] };
                let mut wire = Vec::new();
                for (opening, payload) in before {
                    let len = u8::try_from(payload.len()).unwrap();
                    wire.extend([&[*opening, mask | len], key, *payload].concat());
                }
                wire.extend([&[first, mask | 0x7f], &len.to_be_bytes()[..], key, b"xyz"].concat());
                let mut out = BytesMut::new();
                let event = connection.receive(&mut &mut wire[..], &mut out);
                let wanted = if *len >> 63 == 1 { 1002 } else { 1009 };
                let Some(Event::Failed(error)) = event else { panic!("{len:#x}: {event:?}") };
                assert_eq!(error.close_code(), wanted, "{len:#x}");
            }
        }
    }
}

// req: W5.4-09, W8.1-01
#[test]
fn cve_an_orphan_continuation_is_not_checked() {
    for role in ROLES {
        for payload in [&b"\xff"[..], b"fine", b""] {
            for first in [0x00, 0x80] {
                let error = last(role, &[(first, payload)], &Arc::default());
                assert_eq!(error, Some(ProtocolError::ContinuationWithoutStart));
            }
        }
    }
}

// req: W10.4-01
#[test]
fn cve_empty_continuations_are_not_counted() {
    for role in ROLES {
        for first in [0x01, 0x02] {
            let mut flood = vec![(0, &b""[..]); 2000];
            flood[0].0 = first;
            let fails_at = |n: usize| last(role, &flood[..n], &Arc::default());
            assert_eq!(fails_at(1024), None);
            assert_eq!(fails_at(1025), Some(ProtocolError::TooManyEmptyFragments));
            // An empty first fragment is a message in progress.
            let error = last(role, &[(first, b""), (0x81, b"a")], &Arc::default());
            assert_eq!(error, Some(ProtocolError::ContinuationExpected));
        }
    }
}

// req: W10.4-01
#[test]
fn cve_only_frames_are_limited_and_not_what_they_add_up_to() {
    let mut config = Config::default();
    (config.max_frame, config.max_message) = (100, 250);
    let config = Arc::new(config);
    let piece = [b'a'; 100];
    for role in ROLES {
        let frames = [(0x01, &piece[..]), (0x00, &piece), (0x89, b"ping"), (0x80, &piece[..50])];
        assert_eq!(last(role, &frames, &config), None);
        let frames = [(0x01, &piece[..]), (0x00, &piece), (0x89, b"ping"), (0x80, &piece[..51])];
        assert_eq!(last(role, &frames, &config), Some(ProtocolError::MessageTooLarge));
    }
}

// req: H-38, H-61, W3-06, W4.1-19, W4.1-21
#[test]
fn cve_a_line_break_in_what_the_application_gives() {
    for evil in ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\r\n\r\n"] {
        assert!(Target::parse(&format!("ws://h/{evil}")).is_err());
        assert!(Target::parse(&format!("ws://{evil}/")).is_err());
        let target = Target::parse("ws://h/").unwrap();
        let offer = || Offer::new(&target);
        assert_eq!(offer().subprotocol(evil).err(), Some(FieldError::Subprotocol));
        assert_eq!(offer().origin(evil).err(), Some(FieldError::Value));
        assert_eq!(offer().field("X", evil).err(), Some(FieldError::Value));
        assert_eq!(offer().field(evil, "a").err(), Some(FieldError::Name));
        let reject = || Reject::new(404).unwrap();
        assert_eq!(reject().field("X", evil).err(), Some(FieldError::Value));
        assert_eq!(reject().field(evil, "a").err(), Some(FieldError::Name));
        assert_eq!(reject().reason(evil).err(), Some(FieldError::Value));
        assert!(reject().body(evil, b"").is_err());
        let (mut bytes, mut out) = (request(&FIELDS), BytesMut::new());
        let mut server = Server::new(Arc::default());
        let asked = server.receive(&mut &mut bytes[..], &mut out);
        let Some(Asked::Upgrade(request)) = asked else { panic!("a good request") };
        assert_eq!(Accept::new(&request).field("X", evil).err(), Some(FieldError::Value));
        assert_eq!(Accept::new(&request).field(evil, "a").err(), Some(FieldError::Name));
        assert!(Accept::new(&request).subprotocol(evil).is_err());
    }
}

// req: W4.2.1-05, W4.2.1-06, W4.2.1-07, W4.2.1-08, W4.2.1-09
#[test]
fn cve_a_missing_field_is_taken_for_granted() {
    for some in 0..32_u32 {
        let fields: Vec<_> = (0..5).filter(|at| some >> at & 1 == 1).map(|at| FIELDS[at]).collect();
        let error = served(&Arc::default(), &request(&fields));
        assert_eq!(error.is_none(), some == 31, "{fields:?}: {error:?}");
    }
}

// req: H-43, H-59
#[test]
fn cve_many_fields_crowd_out_one_that_is_needed() {
    for at in 0..=FIELDS.len() {
        let mut fields = FIELDS.to_vec();
        fields.splice(at..at, ["X: y"; 96]);
        assert_eq!(served(&Arc::default(), &request(&fields)), Some(RequestError::TooManyFields));
        fields.remove(at);
        assert_eq!(served(&Arc::default(), &request(&fields)), None);
    }
}

// req: W9.1-01, H-41
#[test]
fn cve_odd_names_and_endless_lists_in_a_list_field() {
    for name in ["constructor", "__proto__", "toString", "hasOwnProperty", "a.b", "!#$%&'*+-.^_`|~"]
    {
        for field in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            let line = format!("{field}: {name}");
            let fields = [&FIELDS[..], &[&*line]].concat();
            assert_eq!(served(&Arc::default(), &request(&fields)), None, "{line}");
        }
    }
    let quoted = format!("a; b=\"{}", "\\\"".repeat(4000));
    for value in
        [&quoted, &", ".repeat(4000), &"a,".repeat(4000), &format!("a;{}", "b;".repeat(3000))]
    {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let fields = [&FIELDS[..], &[&*line]].concat();
        assert_eq!(served(&Arc::default(), &request(&fields)), Some(RequestError::Extensions));
    }
}

// req: H-50, H-51, H-55
#[test]
fn cve_lenient_lengths_hide_a_second_request() {
    for lines in [
        &["Content-Length: 5"][..],
        &["Content-Length: 0", "Content-Length: 5"],
        &["Content-Length: 0, 5"],
        &["Content-Length: +0"],
        &["Content-Length : 0"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: x", "Content-Length: 0"],
        &["Transfer-Encoding\t: chunked"],
        &["Transfer-Encoding: identity, chunked"],
        &["X: a\r\n Transfer-Encoding: chunked"],
    ] {
        let fields = [&FIELDS[..], lines].concat();
        let bytes = [&request(&fields)[..], b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        let (mut bytes, mut out) = (bytes, BytesMut::new());
        let mut input = &mut bytes[..];
        let mut server = Server::new(Arc::default());
        let asked = server.receive(&mut input, &mut out);
        assert!(matches!(asked, Some(Asked::Refused(_))), "{lines:?}");
        assert!(input.is_empty() && server.receive(&mut input, &mut out).is_none());
        let text = std::str::from_utf8(&out).unwrap();
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "one answer: {text}");
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("Connection: close"));
    }
}

// req: W10.2-01, W10.2-02, W4.2.2-04
#[test]
fn cve_a_page_of_another_site_connects() {
    for (origin, wanted) in [
        ("http://h", "101"),
        ("https://h", "101"),
        ("http://evil", "403"),
        ("http://h.evil", "403"),
        ("http://evil/h", "403"),
        ("http://h@evil", "403"),
        ("http://h:8080", "403"),
        ("null", "403"),
    ] {
        let line = format!("Origin: {origin}");
        let mut bytes = request(&[&FIELDS[..], &[&*line, "Cookie: session=1"]].concat());
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        let asked = server.receive(&mut &mut bytes[..], &mut out);
        let Some(Asked::Upgrade(request)) = asked else { panic!("a good request") };
        let opened = server.accept(Accept::new(&request), &mut out);
        assert_eq!(opened.is_ok(), wanted == "101", "{origin}");
        assert_eq!(&out[9..12], wanted.as_bytes(), "{origin}");
    }
}
