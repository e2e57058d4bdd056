//! RFC 6455 section 4.2.2: what a server answers.

mod handshake_support;

use bytes::BytesMut;
use handshake_support::{GET, head, outcome_with, status};
use sockless::handshake::{
    Accept, AcceptError, Asked, Client, FieldError, Offer, Reject, RequestError, Server, Target,
};
use sockless::{Config, Event, Keys, ProtocolError};
use std::sync::Arc;

// req: W4.2.2-10, W4.2.2-11, W4.2.2-12, W4.2.2-13, W4.2.2-14, W4.2.2-15, W4.2.2-07, W4.2.2-08
// req: W4.2.2-09, W9-01, H-61, H-52, W9.1-02
#[test]
fn accepting() {
    let offer = [
        ("Sec-WebSocket-Protocol", Some("chat, superchat")),
        ("Sec-WebSocket-Extensions", Some("permessage-deflate")),
        ("Sec-WebSocket-Accept", Some("means nothing in a request")),
    ];
    let mut buffer = head(GET, &offer);
    let mut out = BytesMut::new();
    let mut server = Server::new(Arc::default());
    let mut input = &mut buffer[..];
    let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) else {
        panic!("a good request")
    };
    for absent in ["", "Chat", "other", "chat, superchat"] {
        let error = Accept::new(&request).subprotocol(absent).err();
        assert_eq!(error, Some(FieldError::SubprotocolNotOffered));
    }
    for (name, value, wanted) in [
        ("X\r\nY", "a", FieldError::Name),
        ("X", "a\r\nY: b", FieldError::Value),
        ("X", "\0", FieldError::Value),
        ("Sec-WebSocket-Extensions", "permessage-deflate", FieldError::Reserved),
        ("Content-Length", "0", FieldError::Reserved),
        ("Transfer-Encoding", "chunked", FieldError::Reserved),
    ] {
        assert_eq!(Accept::new(&request).field(name, value).err(), Some(wanted), "{name}");
    }
    assert_eq!(Accept::new(&request).origins(&["a.example"]).err(), Some(FieldError::Origin));
    let accept = Accept::new(&request)
        .subprotocol("superchat")
        .and_then(|accept| accept.field("Set-Cookie", b"a=\xff"))
        .unwrap();
    let (_, agreed) = server.accept(accept, &mut out).unwrap();
    assert_eq!(agreed.subprotocol.as_deref(), Some("superchat"));
    let wanted: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: superchat\r\nSet-Cookie: a=\xff\r\n\r\n";
    assert_eq!(out.escape_ascii().to_string(), wanted.escape_ascii().to_string());
    // A copy can be decided on after the input is gone.
    let (mut later, mut out) = (Server::new(Arc::default()), BytesMut::new());
    let request = {
        let mut buffer = head(GET, &offer);
        match later.receive(&mut &mut buffer[..], &mut out) {
            Some(Asked::Upgrade(request)) => request.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    let (_, agreed) = later.accept(Accept::new(&request), &mut out).unwrap();
    assert_eq!(agreed.subprotocol, None);
    assert!(!out.windows(9).any(|w| w == b"-Protocol"));
}

// req: W4.2.2-07, W4.2.2-08
#[test]
fn the_server_s_preference_decides_among_what_is_offered() {
    let offer = [("Sec-WebSocket-Protocol", Some("chat, superchat"))];
    for (ours, wanted) in [
        (&["other", "superchat", "chat"][..], Some("superchat")),
        (&["chat", "superchat"], Some("chat")),
        (&["Chat"], None),
        (&[], None),
    ] {
        let (mut buffer, mut out) = (head(GET, &offer), BytesMut::new());
        let mut server = Server::new(Arc::default());
        match server.receive(&mut &mut buffer[..], &mut out) {
            Some(Asked::Upgrade(request)) => {
                let accept = Accept::new(&request).prefer(ours);
                let (_, agreed) = server.accept(accept, &mut out).unwrap();
                assert_eq!(agreed.subprotocol.as_deref(), wanted);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_connection_may_have_other_limits_than_its_handshake() {
    let mut config = Config::default();
    config.max_frame = 3;
    let (mut buffer, mut out) = (head(GET, &[]), BytesMut::new());
    let mut server = Server::new(Arc::default());
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut buffer[..], &mut out) else {
        panic!("a good request")
    };
    let accept = Accept::new(&request).config(Arc::new(config));
    let (mut connection, _) = server.accept(accept, &mut out).unwrap();
    let mut frame = *b"\x82\x84\0\0\0\0four";
    let event = connection.receive(&mut &mut frame[..], &mut out);
    assert_eq!(event, Some(Event::Failed(ProtocolError::FrameTooLarge)));
}

// req: W10.2-01, W10.2-02, W4.2.2-04
#[test]
fn origins() {
    for (origin, list, any, wanted) in [
        (None, None, false, true),
        (Some("http://h.example"), None, false, true),
        (Some("https://h.example:443"), None, false, true),
        (Some("http://h.example.evil"), None, false, false),
        (Some("null"), None, false, false),
        (Some("http://evil"), None, true, true),
        (Some("https://a"), Some(&["https://a"][..]), false, true),
        (Some("http://h.example"), Some(&["https://a"]), false, false),
        (Some("null"), Some(&["https://a"]), false, false),
    ] {
        let mut buffer = head(GET, &[("Origin", origin)]);
        let mut out = BytesMut::new();
        let mut server = Server::new(Arc::default());
        let Some(Asked::Upgrade(request)) = server.receive(&mut &mut buffer[..], &mut out) else {
            panic!("a good request")
        };
        let mut accept = Accept::new(&request);
        if let Some(list) = list {
            accept = accept.origins(list).unwrap();
        }
        if any {
            accept = accept.any_origin();
        }
        let accepted = server.accept(accept, &mut out).map(|_| ());
        let wanted = wanted.then_some(()).ok_or(RequestError::OriginNotAllowed);
        assert_eq!(accepted, wanted.map_err(AcceptError::Refused), "{origin:?}");
        assert_eq!(status(&out), if wanted.is_ok() { 101 } else { 403 });
    }
}

// req: W4.2.2-02, W4.2.2-03, W4.2.2-06, H-32, H-61, H-52, H-45, H-58
#[test]
fn rejecting() {
    let reject = |reject: &Reject<'_>| {
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        let mut buffer = head(GET, &[]);
        assert!(server.receive(&mut &mut buffer[..], &mut out).is_some());
        server.reject(reject, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    };
    let cases = [
        (
            Reject::new(401).and_then(|r| r.field("WWW-Authenticate", "Basic realm=\"a\"")),
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\
             WWW-Authenticate: Basic realm=\"a\"\r\n\r\n",
        ),
        (
            Reject::new(301).and_then(|r| r.field("Location", "/b")),
            "HTTP/1.1 301 Moved Permanently\r\nConnection: close\r\nContent-Length: 0\r\n\
             Location: /b\r\n\r\n",
        ),
        (
            Reject::new(404).and_then(|r| r.body("text/plain", b"no")),
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\n\
             Content-Type: text/plain\r\n\r\nno",
        ),
        (Reject::new(599), "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        (
            Reject::new(503).and_then(|r| r.reason("Busy now")),
            "HTTP/1.1 503 Busy now\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
        (Reject::new(204), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        (
            Reject::new(405).and_then(|r| r.field("allow", "PUT")),
            "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\
             allow: PUT\r\n\r\n",
        ),
        (
            Reject::new(426),
            "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n",
        ),
    ];
    for (given, wanted) in cases {
        assert_eq!(reject(&given.unwrap()), wanted);
    }
    for status in [0, 100, 101, 199, 600, 999] {
        assert_eq!(Reject::new(status).err(), Some(FieldError::Status));
    }
    let fine = || Reject::new(400).unwrap();
    for reason in ["a\r\nX: y", "\0", "\u{7f}"] {
        assert_eq!(fine().reason(reason).err(), Some(FieldError::Value));
    }
    assert_eq!(fine().field("Content-Length", "5").err(), Some(FieldError::Reserved));
    assert_eq!(fine().body("a\r\nb", b"").err(), Some(FieldError::Value));
    assert_eq!(Reject::new(304).unwrap().body("a/b", b"c").err(), Some(FieldError::Body));
    let twice = fine().body("a/b", b"").and_then(|reject| reject.field("content-type", "a/b"));
    assert_eq!(twice.err(), Some(FieldError::Duplicate));
}

/// "The server MUST NOT send content in the response" (RFC 9110 section 9.3.2), be the request
/// refused before its line is whole.
#[test]
fn an_answer_to_head_has_no_content() {
    for (line, status, rest) in [
        (format!("HEAD /{} HTTP/1.1\r\n", "a".repeat(9000)), "414", ""),
        ("HEAD /a b HTTP/1.1\r\n".into(), "400", ""),
        ("HEAD /\\ HTTP/1.1\r\n".into(), "400", ""),
        ("HEAD\0".into(), "400", "bad"),
        ("\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405", ""),
        (format!("\r\nHEAD /{} HTTP/1.1\r\n", "a".repeat(9000)), "414", ""),
        ("\r\nHEAD /\\ HTTP/1.1\r\n".into(), "400", ""),
        ("\r\n\r\nHEAD / HTTP/1.1\r\n".into(), "400", "not"),
        ("HEADER / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405", "method"),
    ] {
        for size in [1, 7, line.len()] {
            let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
            for mut piece in line.clone().into_bytes().chunks_mut(size) {
                let asked = server.receive(&mut piece, &mut out);
                assert!(matches!(asked, None | Some(Asked::Refused(_))), "{line}");
            }
            let answer = String::from_utf8(out.to_vec()).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
            let (_, content) = answer.split_once("\r\n\r\n").unwrap();
            assert_eq!(content.is_empty(), rest.is_empty(), "{line}: {answer}");
        }
    }
    // A request that is given up is answered like one that has come.
    for (line, content) in
        [("HEAD / HTTP/1.1\r\n", ""), ("HEAD ", ""), ("\r\nHEAD ", ""), ("GET", "no")]
    {
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        for mut byte in line.to_owned().into_bytes().chunks_mut(1) {
            assert!(server.receive(&mut byte, &mut out).is_none());
        }
        server.reject(&Reject::new(408).unwrap().body("text/plain", b"no").unwrap(), &mut out);
        assert!(out.ends_with(format!("\r\n\r\n{content}").as_bytes()), "{line}");
        assert!(out.starts_with(b"HTTP/1.1 408 "), "{line}");
    }
}

/// Limits that are shorter than what says that it is one.
// req: X-01
#[test]
fn how_a_head_is_cut_does_not_decide_what_it_is_answered() {
    let answer = |config: &Arc<Config>, line: &str, size: usize| {
        let (mut server, mut out) = (Server::new(Arc::clone(config)), BytesMut::new());
        for mut piece in line.to_owned().into_bytes().chunks_mut(size) {
            assert!(matches!(server.receive(&mut piece, &mut out), None | Some(Asked::Refused(_))));
        }
        out
    };
    let mut without = 0;
    for line in ["HEAD / HTTP/1.1\r\n\r\n", "\r\nHEAD / HTTP/1.1\r\n\r\n"] {
        for (max_head, max_line) in (0..12).flat_map(|head| (0..9).map(move |line| (head, line))) {
            let mut config = Config::default();
            (config.max_head, config.max_line) = (max_head, max_line);
            let config = Arc::new(config);
            let whole = answer(&config, line, line.len());
            for size in 1..8 {
                assert_eq!(answer(&config, line, size), whole, "{max_head}, {max_line}: {size}");
            }
            without += usize::from(whole.ends_with(b"\r\n\r\n"));
        }
    }
    assert!((1..2 * 12 * 9).contains(&without), "some have content, some have none: {without}");
}

// req: X-04, H-55
#[test]
fn a_refusal_is_final() {
    let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
    let mut buffer = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nrest".to_vec();
    let asked = server.receive(&mut &mut buffer[..], &mut out);
    assert!(matches!(asked, Some(Asked::Refused(RequestError::Method))));
    // An answer to HEAD has no content.
    assert!(out.ends_with(b"\r\n\r\n"));
    let before = out.len();
    let mut good = head(GET, &[]);
    let mut input = &mut good[..];
    assert!(server.receive(&mut input, &mut out).is_none() && input.is_empty());
    server.reject(&Reject::new(400).unwrap(), &mut out);
    assert_eq!(out.len(), before);
    // Nor does the request of another handshake open this one.
    let (mut other, mut refused) = (Server::new(Arc::default()), Server::new(Arc::default()));
    let mut good = head(GET, &[]);
    let Some(Asked::Upgrade(request)) = other.receive(&mut &mut good[..], &mut out) else {
        panic!("a good request")
    };
    assert!(refused.receive(&mut &mut [0][..], &mut BytesMut::new()).is_some());
    let opened = refused.accept(Accept::new(&request), &mut out).map(|_| ());
    assert_eq!((opened, out.len()), (Err(AcceptError::OtherRequest), before));
}

#[test]
fn plain_requests_are_handed_out_on_demand() {
    let config = Arc::default();
    for (request, wanted) in [
        (head("GET /p?q HTTP/1.1", &[("Upgrade", None)]), "plain /p Some(\"q\")"),
        (head("GET /p HTTP/1.1", &[("Upgrade", Some("h2c"))]), "plain /p None"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "plain / None"),
        (head(GET, &[]), "upgrade"),
        (head("POST / HTTP/1.1", &[("Upgrade", None)]), "refused Method"),
        (head(GET, &[("Upgrade", None), ("Host", None)]), "refused Host"),
        (head(GET, &[("Sec-WebSocket-Version", None)]), "refused WebSocketVersion"),
    ] {
        let asked = outcome_with(&config, true, &request).asked;
        assert!(asked.starts_with(wanted), "{asked}");
    }
}

// A whole head is a borrow of the input; one in pieces is not.
#[test]
fn a_whole_head_is_not_copied() {
    let mut buffer = head(GET, &[]);
    let range = buffer.as_ptr_range();
    let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut buffer[..], &mut out) else {
        panic!("a good request")
    };
    assert!(range.contains(&request.path().as_ptr()));
    assert!(request.fields().all(|(name, value)| {
        range.contains(&name.as_ptr()) && range.contains(&value.as_ptr())
    }));
    assert_eq!(out.capacity(), 0);
}

// bound: L-29
#[test]
fn a_handshake_is_small() {
    assert!(size_of::<Server>() <= 256, "{}", size_of::<Server>());
}

/// An `Accept` opens only the handshake whose request it was made from.
#[test]
fn a_decision_about_another_request_opens_nothing() {
    let other = ("Sec-WebSocket-Key", Some("AAAAAAAAAAAAAAAAAAAAAA=="));
    let (mut one, mut out) = (head(GET, &[]), BytesMut::new());
    let mut first = Server::new(Arc::default());
    let Some(Asked::Upgrade(request)) = first.receive(&mut &mut one[..], &mut out) else {
        panic!("a good request")
    };
    for (bytes, plain) in [
        (head(GET, &[other]), false),
        (b"GET / HTTP/1.1\r\nHo".to_vec(), false),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), true),
    ] {
        let mut server = Server::new(Arc::default()).with_plain_requests();
        let mut bytes = bytes;
        let asked = server.receive(&mut &mut bytes[..], &mut out);
        assert_eq!(matches!(asked, Some(Asked::Plain(_))), plain);
        let opened = server.accept(Accept::new(&request), &mut out);
        assert_eq!(opened.err(), Some(AcceptError::OtherRequest));
        assert!(out.is_empty());
    }
    assert!(first.accept(Accept::new(&request), &mut out).is_ok());
}

/// What holds cookies and credentials does not print them.
#[test]
fn debug_output_keeps_secrets() {
    let secret = "Bearer 1234";
    let target = Target::parse("ws://h/").unwrap();
    let offer = Offer::new(&target).field("Authorization", secret).unwrap();
    let mut shown = vec![format!("{offer:?}")];
    let reject = Reject::new(401).unwrap().field("X-Token", secret).unwrap();
    shown.push(format!("{:?}", reject.body("text/plain", secret.as_bytes()).unwrap()));
    let mut out = BytesMut::new();
    let mut client = Client::start(Arc::default(), Keys::new(|_| ()), &offer, &mut out);
    assert!(
        client.receive(&mut &mut b"HTTP/1.1 101 S\r\nA: Bearer 1234\r\n".to_vec()[..]).is_none()
    );
    shown.push(format!("{client:?}"));
    let mut server = Server::new(Arc::default());
    let _ = server.receive(&mut &mut out[..40], &mut BytesMut::new());
    shown.push(format!("{server:?}"));
    let mut bytes = head(GET, &[("Authorization", Some(secret))]);
    let mut server = Server::new(Arc::default());
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut bytes[..], &mut out) else {
        panic!("a good request")
    };
    shown.push(format!("{request:?} {:?}", request.fields()));
    assert!(
        request.field("authorization") == Some(secret.as_bytes()) && request.field("x").is_none()
    );
    shown.push(format!("{:?}", Accept::new(&request).field("Set-Cookie", secret).unwrap()));
    let bytes = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    for text in shown {
        assert!(!text.contains("1234") && !text.contains(&bytes), "{text}");
    }
}
