//! RFC 6455 section 4.1 and the HTTP that guards it: responses, fed whole, cut, and byte by byte.

use bytes::BytesMut;
use proptest::prelude::*;
use sockless::handshake::{
    Accept, Answer, Asked, Client, FieldError, Offer, ResponseError, Server, Target,
};
use sockless::{Config, Keys};
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The nonce of the RFC's example, four bytes a call.
fn sample_keys() -> Keys {
    thread_local!(static CALLS: Cell<usize> = const { Cell::new(0) });
    CALLS.set(0);
    Keys::new(|key| {
        let at = CALLS.replace((CALLS.get() + 4) % 16);
        key.copy_from_slice(&b"the sample nonce"[at..at + 4]);
    })
}

fn target() -> Target {
    Target::parse("ws://server.example.com/chat").unwrap()
}

#[derive(Debug, PartialEq, Eq, Clone)]
struct Outcome {
    answer: String,
    left: Vec<u8>,
}

fn feed(config: &Arc<Config>, offer: &Offer<'_>, pieces: &[&[u8]]) -> Outcome {
    let mut out = BytesMut::new();
    let mut client = Client::start(Arc::clone(config), sample_keys(), offer, &mut out);
    let mut left = Vec::new();
    let mut answer = None;
    for piece in pieces {
        let mut buffer = piece.to_vec();
        let mut input = &mut buffer[..];
        while let Some(found) = client.receive(&mut input) {
            assert!(answer.is_none(), "a second answer");
            answer = Some(describe(found));
        }
        assert!(answer.is_some() || input.is_empty(), "input is consumed while there is no answer");
        left.extend_from_slice(input);
    }
    Outcome { answer: answer.unwrap_or_else(|| "nothing yet".into()), left }
}

fn describe(answer: Answer<'_>) -> String {
    let show = |response: &sockless::handshake::Response<'_>| {
        let fields: Vec<_> = response.fields().map(|(n, v)| (n.to_owned(), v.to_vec())).collect();
        format!("{} {} {fields:?}", response.status(), response.reason().escape_ascii())
    };
    match answer {
        Answer::Open { agreed, response, .. } => {
            format!("open {:?} {}", agreed.subprotocol, show(&response))
        }
        Answer::Refused(response) => format!("refused {}", show(&response)),
        Answer::Failed(error) => format!("failed {error:?}"),
        _ => unreachable!("no other kind of answer"),
    }
}

/// The outcome, which is the same whole, at every cut and byte by byte (law 4).
fn outcome_with(config: &Arc<Config>, offer: &Offer<'_>, response: &[u8]) -> Outcome {
    let whole = feed(config, offer, &[response]);
    let bytes: Vec<_> = response.chunks(1).collect();
    assert_eq!(feed(config, offer, &bytes), whole, "byte by byte: {}", response.escape_ascii());
    for at in (0..response.len()).step_by(1 + response.len() / 1000) {
        let (a, b) = response.split_at(at);
        assert_eq!(feed(config, offer, &[a, b]), whole, "at {at}: {}", response.escape_ascii());
    }
    whole
}

fn outcome(offer: &Offer<'_>, response: &[u8]) -> Outcome {
    outcome_with(&Arc::default(), offer, response)
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols";

fn head(line: &str, changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let fields =
        [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];
    let mut text = format!("{line}\r\n");
    let is_changed = |name: &str| changes.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    for (name, value) in fields.into_iter().filter(|(name, _)| !is_changed(name)) {
        text += &(name.to_owned() + ": " + value + "\r\n");
    }
    for (name, value) in changes {
        if let Some(value) = value {
            text += &((*name).to_owned() + ": " + value + "\r\n");
        }
    }
    (text + "\r\n").into_bytes()
}

fn fails(response: &[u8], wanted: ResponseError) {
    fails_with(&Arc::default(), &Offer::new(&target()), response, wanted);
}

fn fails_with(config: &Arc<Config>, offer: &Offer<'_>, response: &[u8], wanted: ResponseError) {
    let bytes = [response, b"\x81\x02hi"].concat();
    let Outcome { answer, left } = outcome_with(config, offer, &bytes);
    let shown = response[..response.len().min(300)].escape_ascii();
    assert_eq!(answer, format!("failed {wanted:?}"), "{shown}");
    assert!(left.is_empty(), "{shown}");
}

fn opens(offer: &Offer<'_>, response: &[u8]) -> String {
    let Outcome { answer, left } = outcome(offer, &[response, b"\x81\x02hi"].concat());
    assert!(answer.starts_with("open"), "{}: {answer}", response.escape_ascii());
    assert_eq!(left, b"\x81\x02hi");
    answer
}

// req: W4.1-08, W4.1-09, W4.1-10, W4.1-11, W4.1-13, W4.1-14, W4.1-15, W4.1-17, W4.1-18, W4.1-19
// req: W4.1-20, W4.1-21, W4.1-22, H-05, H-20, H-24, H-25, H-40, H-47, W11.3.1-01, W11.3.5-01
#[test]
fn the_request() {
    let target = target();
    let write = |offer: Offer<'_>| {
        let mut out = BytesMut::new();
        Client::start(Arc::default(), sample_keys(), &offer, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    };
    let offer = Offer::new(&target)
        .subprotocol("chat")
        .and_then(|offer| offer.subprotocol("superchat"))
        .and_then(|offer| offer.origin("http://example.com"))
        .and_then(|offer| offer.field("Cookie", "a=b"))
        .unwrap();
    assert_eq!(
        write(offer),
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\n\
         Cookie: a=b\r\n\r\n"
    );
    let plain = write(Offer::new(&target));
    assert!(!plain.contains("Origin") && !plain.contains("-Protocol"));
    assert!(!plain.contains("-Extensions") && plain.matches("Host").count() == 1);
    for (uri, line) in [
        ("ws://h", "GET http://h/ HTTP/1.1\r\nHost: h\r\n"),
        ("wss://h:80/a?b", "GET https://h:80/a?b HTTP/1.1\r\nHost: h:80\r\n"),
    ] {
        let target = Target::parse(uri).unwrap();
        assert!(write(Offer::new(&target).through_proxy()).starts_with(line));
    }
}

// req: W4.1-17, W4.1-19, W4.1-21, H-38, H-61
#[test]
fn mistakes_of_the_caller() {
    let target = target();
    let offer = || Offer::new(&target);
    for name in ["", " ", "a b", "a,b", "a/b", "a\r\nb", "\0", "\u{7f}", "\u{e9}", "a\""] {
        assert_eq!(offer().subprotocol(name).err(), Some(FieldError::Subprotocol), "{name:?}");
    }
    let twice = offer().subprotocol("a").and_then(|offer| offer.subprotocol("a"));
    assert_eq!(twice.err(), Some(FieldError::Duplicate));
    assert!(offer().subprotocol("a").and_then(|offer| offer.subprotocol("A")).is_ok());
    let twice = offer().origin("http://a").and_then(|offer| offer.origin("http://a"));
    assert_eq!(twice.err(), Some(FieldError::Duplicate));
    for malformed in ["http://a\r\nX: y", "http://b\u{fc}cher.example"] {
        assert_eq!(offer().origin(malformed).err(), Some(FieldError::Value));
    }
    for name in ["Host", "Upgrade", "Connection", "sec-websocket-key", "TE", "Expect", "Origin"] {
        assert_eq!(offer().field(name, "a").err(), Some(FieldError::Reserved), "{name}");
    }
    assert_eq!(offer().field("X", "a\nb").err(), Some(FieldError::Value));
    assert_eq!(offer().field("X:", "a").err(), Some(FieldError::Name));
    assert!(offer().field("Authorization", "Basic a").is_ok());
}

// req: W4.1-16
#[test]
fn no_nonce_repeats() {
    let (target, mut seen) = (target(), HashSet::new());
    for _ in 0..10_000 {
        let mut out = BytesMut::new();
        Client::start(Arc::default(), Keys::system(), &Offer::new(&target), &mut out);
        let text = String::from_utf8(out.to_vec()).unwrap();
        let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        assert!(seen.insert(key.to_owned()));
    }
}

// req: W4.1-24, W4.1-25, W4.1-26, W4.1-27, W4.1-29, W11.3.2-01, W11.3.3-01, H-53, W9.1-01, W9.1-04
#[test]
fn answers_that_fail() {
    use ResponseError as E;
    let one_bit_off = "r3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for (name, value, wanted) in [
        ("Upgrade", None, E::Upgrade),
        ("Upgrade", Some(""), E::Upgrade),
        ("Upgrade", Some("websocket2"), E::Upgrade),
        ("Upgrade", Some("web socket"), E::Upgrade),
        ("Upgrade", Some("h2c"), E::Upgrade),
        ("Upgrade", Some("websocket, h2c"), E::Upgrade),
        ("Upgrade", Some("h2c, websocket"), E::Upgrade),
        ("Upgrade", Some("web\u{17f}ocket"), E::Upgrade),
        ("Connection", None, E::Connection),
        ("Connection", Some("close"), E::Connection),
        ("Connection", Some("upgraded"), E::Connection),
        ("Connection", Some("\"upgrade\""), E::Connection),
        ("Connection", Some("upgrade, a b"), E::Connection),
        ("Sec-WebSocket-Accept", None, E::Accept),
        ("Sec-WebSocket-Accept", Some(""), E::Accept),
        ("Sec-WebSocket-Accept", Some(one_bit_off), E::Accept),
        ("Sec-WebSocket-Accept", Some(&*ACCEPT.to_lowercase()), E::Accept),
        ("Sec-WebSocket-Accept", Some("HSmrc0sMlYUkAGmm5OPpG2HaGWk="), E::Accept),
        // The hash of the decoded key.
        ("Sec-WebSocket-Accept", Some("BXhwxM0SZasKmCD9S4BfpPmCnEw="), E::Accept),
        ("Sec-WebSocket-Extensions", Some("permessage-deflate"), E::Extensions),
        ("Sec-WebSocket-Extensions", Some("x-foo; a"), E::Extensions),
        ("Sec-WebSocket-Extensions", Some(""), E::Extensions),
        ("Sec-WebSocket-Extensions", Some("a;;b"), E::Extensions),
        ("Sec-WebSocket-Protocol", Some("chat"), E::Subprotocol),
        ("Content-Length", Some("0"), E::Body),
        ("Transfer-Encoding", Some("chunked"), E::Body),
    ] {
        fails(&head(SWITCHING, &[(name, value)]), wanted);
    }
    for (name, value, wanted) in [
        ("Sec-WebSocket-Accept", ACCEPT, E::Accept),
        ("Sec-WebSocket-Extensions", "a", E::Extensions),
        ("Upgrade", "websocket", E::Upgrade),
    ] {
        fails(&head(SWITCHING, &[(name, Some(value)), (name, Some(value))]), wanted);
    }
    fails(&head("HTTP/1.0 101 OK", &[]), E::VersionTooOld);
}

// req: W4.1-24, W4.1-25, W4.1-26, W4.1-30, W4.1-31, W4.1-32, H-31, H-37, H-39
#[test]
fn answers_that_open() {
    let target = target();
    let offer = Offer::new(&target);
    for (name, value) in [
        ("UPGRADE", "WebSocket"),
        ("connection", "keep-alive, Upgrade, x"),
        ("Connection", ",Upgrade,"),
        ("sec-websocket-accept", " s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t"),
    ] {
        opens(&offer, &head(SWITCHING, &[(name, Some(value))]));
    }
    let two = [("Connection", Some("keep-alive")), ("Connection", Some("upgrade"))];
    opens(&offer, &head(SWITCHING, &two));
    opens(&offer, &head("HTTP/1.1 101 ", &[]));
    opens(&offer, &head("HTTP/1.1 101 \u{e9}\t!", &[]));
    let cookies = [("Set-Cookie", Some("a=b")), ("Set-Cookie", Some("c=\u{e9}"))];
    let answer = opens(&offer, &head(SWITCHING, &cookies));
    assert!(answer.contains(&format!("{:?}", "c=\u{e9}".as_bytes())), "{answer}");
}

// req: W4.1-28, W4.1-33, W11.3.4-01
#[test]
fn subprotocols() {
    const P: &str = "Sec-WebSocket-Protocol";
    let target = target();
    let offer = Offer::new(&target).subprotocol("b").and_then(|o| o.subprotocol("a")).unwrap();
    for value in ["c", "A", "a, b", "b, a", "", "a b"] {
        let response = head(SWITCHING, &[(P, Some(value))]);
        fails_with(&Arc::default(), &offer, &response, ResponseError::Subprotocol);
    }
    let twice = head(SWITCHING, &[(P, Some("a")), (P, Some("a"))]);
    fails_with(&Arc::default(), &offer, &twice, ResponseError::Subprotocol);
    let answer = opens(&offer, &head(SWITCHING, &[(P, Some("a"))]));
    assert!(answer.starts_with("open Some(\"a\") 101"));
    assert!(opens(&offer, &head(SWITCHING, &[])).starts_with("open None"));
    let strict = offer.clone().require_subprotocol();
    let missing = ResponseError::SubprotocolMissing;
    fails_with(&Arc::default(), &strict, &head(SWITCHING, &[]), missing);
    opens(&strict, &head(SWITCHING, &[(P, Some("b"))]));
}

// req: H-01, H-02, H-03, H-06, H-08, H-30, H-31, H-33, H-35, H-36, H-38, W4.1-29
#[test]
fn grammar_of_a_response() {
    use ResponseError as E;
    for line in [
        "HTTP/1.1 101",
        "HTTP/1.1 1O1 a",
        "HTTP/1.1 0101 a",
        "HTTP/1.1 99 a",
        "HTTP/1.1 099 a",
        "HTTP/1.1 600 a",
        "HTTP/1.1 999 a",
        "HTTP/1.1  101 a",
        "HTTP/1.1\t101 a",
        "HTTP/2.0 101 a",
        "http/1.1 101 a",
        "HTTP/1 101 a",
        "HTTP/1.10 101 a",
        " HTTP/1.1 101 a",
        "",
        "101",
        "ICY 200 OK",
    ] {
        fails(&head(line, &[]), E::StatusLine);
    }
    for (from, to, wanted) in [
        ("Protocols", "Proto\0cols", E::Control),
        ("Protocols", "Proto\rcols", E::Control),
        ("\r\n", "\n", E::Control),
        ("\r\nUpgrade", "\nUpgrade", E::Control),
        ("\r\n\r\n", "\r\n\n", E::Control),
        ("\r\nUpgrade", "\r\n Upgrade", E::Field),
        ("websocket\r\n", "web\r\n socket\r\n", E::Field),
        ("Upgrade:", "Upgrade :", E::Field),
        ("Upgrade:", ":", E::Field),
        ("Upgrade:", "Upgrade", E::Field),
        ("websocket", "websocket\u{b}", E::Control),
    ] {
        let text = String::from_utf8(head(SWITCHING, &[])).unwrap().replacen(from, to, 1);
        fails(text.as_bytes(), wanted);
    }
    for byte in 0..=255_u8 {
        let mut response = head(SWITCHING, &[("X", Some("#"))]);
        let at = response.iter().position(|&b| b == b'#').unwrap();
        response[at] = byte;
        if byte == b'\t' || byte >= b' ' && byte != 0x7f {
            opens(&Offer::new(&target()), &response);
        } else {
            fails(&response, E::Control);
        }
        response[at] = b'v';
        response[at - 3] = byte; // the name
        if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte) {
            opens(&Offer::new(&target()), &response);
        } else {
            let is_control = byte < b' ' && byte != b'\t' || byte == 0x7f;
            fails(&response, if is_control { E::Control } else { E::Field });
        }
    }
}

// req: H-43, H-59
#[test]
fn limits_are_inclusive() {
    use ResponseError as E;
    let (target, mut config) = (target(), Config::default());
    (config.max_line, config.max_head, config.max_fields) = (60, 200, 5);
    let config = Arc::new(config);
    let offer = Offer::new(&target);
    let opens = |response: &[u8]| {
        let answer = outcome_with(&config, &offer, response).answer;
        assert!(answer.starts_with("open"), "{answer}");
    };
    let line = |len: usize| format!("HTTP/1.1 101 {}", "a".repeat(len - 13));
    opens(&head(&line(60), &[]));
    fails_with(&config, &offer, &head(&line(61), &[]), E::LineTooLong);
    let value = |len: usize| "a".repeat(len - 3);
    opens(&head(&line(13), &[("X", Some(&value(60)))]));
    fails_with(&config, &offer, &head(&line(13), &[("X", Some(&value(61)))]), E::LineTooLong);
    opens(&head(&line(13), &[("X", Some("")); 2]));
    fails_with(&config, &offer, &head(&line(13), &[("X", Some("")); 3]), E::TooManyFields);
    let spare = 200 - head(SWITCHING, &[("X", Some("")), ("Y", Some(""))]).len();
    let total = |n: usize| {
        head(SWITCHING, &[("X", Some(&"a".repeat(n / 2))), ("Y", Some(&"a".repeat(n - n / 2)))])
    };
    opens(&total(spare));
    fails_with(&config, &offer, &total(spare + 1), E::HeadTooLarge);
    // Interim responses count, but for their fields: each head has five of its own.
    let interim = b"HTTP/1.1 100 \r\nA:\r\nB:\r\n\r\n";
    opens(&[&interim[..], &total(spare - interim.len())].concat());
    let over = [&interim[..], &total(spare + 1 - interim.len())].concat();
    fails_with(&config, &offer, &over, E::HeadTooLarge);
    // Where the limit falls into a line that is no longer than it may be.
    let interim = format!("HTTP/1.1 100 \r\nA:{0}\r\nB:{0}\r\n\r\n", "a".repeat(58));
    let over = [interim.as_bytes(), &head(&line(60), &[])].concat();
    fails_with(&config, &offer, &over, E::HeadTooLarge);
    fails_with(&config, &offer, &[b'X'; 1000], E::StatusLine);
}

// req: H-54, H-53
#[test]
fn interim_responses_are_skipped() {
    let target = target();
    let offer = Offer::new(&target);
    let interim = "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\nSec-WebSocket-Accept: x\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let response = [interim.as_bytes(), &head(SWITCHING, &[])].concat();
    let answer = opens(&offer, &response);
    assert!(!answer.contains("Link"), "{answer}");
    let many = |n: usize| {
        let interim = "HTTP/1.1 102 \r\n\r\n".repeat(n);
        [interim.as_bytes(), &head(SWITCHING, &[])].concat()
    };
    opens(&offer, &many(8));
    fails(&many(9), ResponseError::TooManyInterim);
    // An empty line is no interim response.
    fails(&[b"\r\n", &head(SWITCHING, &[])[..]].concat(), ResponseError::StatusLine);
}

// req: W4.1-23, W4.4-02, W11.3.5-01
#[test]
fn other_answers_are_handed_over() {
    let target = target();
    let offer = Offer::new(&target);
    for status in [200, 204, 301, 400, 401, 403, 404, 407, 426, 500, 503, 599] {
        let response = format!("HTTP/1.0 {status} Any\r\nA: b\r\nContent-Length: 4\r\n\r\nbody");
        let Outcome { answer, left } = outcome(&offer, response.as_bytes());
        assert!(answer.starts_with(&format!("refused {status} Any [(\"A\"")), "{answer}");
        assert_eq!(left, b"body");
    }
    let mut out = BytesMut::new();
    let mut client = Client::start(Arc::default(), sample_keys(), &offer, &mut out);
    let mut buffer = b"HTTP/1.1 426 \r\nSec-WebSocket-Version: 13, 8\r\nLocation: /a\r\n\
        sec-websocket-version: 7, 08, 256, \"9\", 6; x, 6 5, \xc3\xa9, \xe9,,0\r\n\r\n"
        .to_vec();
    let range = buffer.as_ptr_range();
    let Some(Answer::Refused(response)) = client.receive(&mut &mut buffer[..]) else {
        panic!("a 426")
    };
    assert_eq!(response.versions().collect::<Vec<_>>(), [13, 8, 7, 0]);
    assert_eq!(response.field("location"), Some(&b"/a"[..]));
    assert!(range.contains(&response.field("location").unwrap().as_ptr()), "it is borrowed");
    assert_eq!(response.into_owned().field("LOCATION"), Some(&b"/a"[..]));
}

// req: W4.1-01, W4.1-06, W4.1-22, H-57, X-04, W7.2.2-01
// By type: there is no client before its request is written, no connection before the answer.
#[test]
fn no_answer_but_one() {
    let target = target();
    let mut out = BytesMut::new();
    let mut client = Client::start(Arc::default(), sample_keys(), &Offer::new(&target), &mut out);
    assert!(client.receive(&mut &mut head(SWITCHING, &[])[..10]).is_none());
    let mut bad = *b"\0";
    assert!(matches!(client.receive(&mut &mut bad[..]), Some(Answer::Failed(_))));
    let mut good = head(SWITCHING, &[]);
    let mut input = &mut good[..];
    assert!(client.receive(&mut input).is_none() && input.is_empty());
}

// req: W4.1-31, W4.2.2-13, W4.1-32
#[test]
fn both_halves_agree() {
    let target = target();
    let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
    let offer = Offer::new(&target).subprotocol("chat").unwrap();
    let offer = offer.origin("http://server.example.com").unwrap();
    let mut client = Client::start(Arc::default(), Keys::system(), &offer, &mut to_server);
    let mut server = Server::new(Arc::default());
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut to_server[..], &mut to_client)
    else {
        panic!("our own request")
    };
    let accept = Accept::new(&request).subprotocol("chat").unwrap();
    let (_, agreed) = server.accept(accept, &mut to_client).unwrap();
    let Some(Answer::Open { agreed: ours, .. }) = client.receive(&mut &mut to_client[..]) else {
        panic!("our own response")
    };
    assert_eq!(agreed, ours);
}

proptest! {
    // req
    #[test]
    fn any_bytes_any_cuts(
        edits in prop::collection::vec((0..400_usize, any::<u8>()), 0..3),
        mut cuts in prop::collection::vec(0..300_usize, 0..8),
        max_line in 1..100_usize,
        max_head in 1..250_usize,
        interim in 0..3_usize,
    ) {
        let mut bytes = "HTTP/1.1 100 \r\n\r\n".repeat(interim).into_bytes();
        bytes.extend_from_slice(&head(SWITCHING, &[("Sec-WebSocket-Protocol", Some("a"))]));
        bytes.extend_from_slice(b"\x82\x00");
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let target = target();
        let offer = Offer::new(&target).subprotocol("a").unwrap();
        let mut config = Config::default();
        (config.max_line, config.max_head) = (max_line, max_head);
        for config in [Arc::new(config), Arc::default()] {
            let whole = feed(&config, &offer, &[&bytes]);
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().rev() {
                let (left, right) = rest.split_at((*cut).min(rest.len()));
                pieces.insert(0, right);
                rest = left;
            }
            pieces.insert(0, rest);
            prop_assert_eq!(feed(&config, &offer, &pieces), whole);
        }
    }
}
