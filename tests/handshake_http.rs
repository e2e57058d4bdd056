//! Feature `http`: what a host has parsed meets the verdict that the same bytes meet.
#![cfg(feature = "http")]

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Version};
use proptest::prelude::*;
use sockless::handshake::{
    Accept, AcceptError, Asked, Asking, FieldError, Offer, PseudoHeaders, Reject, Request,
    RequestError, ResponseError, Server, Target, key,
};
use sockless::{Config, Connection, Event, Keys};
use std::fmt::Write as _;
use std::sync::Arc;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const FIELDS: [(&str, &str); 5] = [
    ("host", "h.example"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", KEY),
    ("sec-websocket-version", "13"),
];

type Head = (Method, String, Version, Vec<(String, String)>);

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parsed((method, target, version, fields): &Head) -> http::Request<()> {
    let mut request = http::Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = target.parse().unwrap();
    *request.version_mut() = *version;
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn bytes((method, target, version, fields): &Head) -> Vec<u8> {
    let mut head = format!("{method} {target} {version:?}\r\n");
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    (head + "\r\n").into_bytes()
}

fn config() -> Arc<Config> {
    #[cfg_attr(not(feature = "deflate"), allow(unused_mut))]
    let mut config = Config::default();
    #[cfg(feature = "deflate")]
    {
        config.deflate = Some(sockless::deflate::Policy::server());
    }
    Arc::new(config)
}

/// The response of one path: its verdict, its status, and the fields that both have.
type Outcome = (Option<RequestError>, u16, Vec<(String, Vec<u8>)>);

fn of_http(head: &Head) -> Outcome {
    let answered = Request::from_http(&parsed(head), None, &config()).and_then(|request| {
        Accept::new(&request).prefer(&["b", "a"]).respond(config()).map(|(response, ..)| response)
    });
    let (error, parts) = match answered {
        Ok(parts) => (None, parts),
        Err(refusal) => (Some(refusal.error()), refusal.respond()),
    };
    let response: http::Response<Bytes> = parts.into();
    let fields = response.headers().iter();
    let mut fields: Vec<_> =
        fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    fields.sort();
    (error, response.status().as_u16(), fields)
}

fn of_bytes(head: &Head) -> Outcome {
    let mut scratch = bytes(head);
    let mut input = &mut scratch[..];
    let mut out = BytesMut::new();
    let mut server = Server::new(config());
    let error = match server.receive(&mut input, &mut out) {
        Some(Asked::Upgrade(request)) => {
            let accept = Accept::new(&request).prefer(&["b", "a"]);
            match server.accept(accept, &mut out) {
                Ok(_) => None,
                Err(AcceptError::Refused(error)) => Some(error),
                Err(error) => panic!("{error:?}"),
            }
        }
        Some(Asked::Refused(error)) => Some(error),
        other => panic!("{other:?}"),
    };
    let text = String::from_utf8(out.to_vec()).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let fields = lines.map(|line| line.split_once(": ").unwrap());
    // The length of the content is the host's business.
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.to_lowercase(), value.as_bytes().to_vec()))
        .filter(|(name, _)| name != "content-length")
        .collect();
    fields.sort();
    (error, status, fields)
}

fn get(fields: Vec<(String, String)>) -> Head {
    (Method::GET, "/chat?x".into(), Version::HTTP_11, fields)
}

// req: H-20, H-22, W4.2.1-01, W4.2.1-08, W4.2.2-13
#[test]
fn both_paths_give_the_same_answer() {
    let mut seen = std::collections::HashSet::new();
    let mut check = |head: &Head| {
        let outcome = of_http(head);
        assert_eq!(outcome, of_bytes(head), "{head:?}");
        seen.insert(outcome.0);
    };
    let fine = owned(&FIELDS);
    check(&get(fine.clone()));
    for method in [Method::POST, Method::HEAD, Method::OPTIONS, Method::CONNECT] {
        check(&(method, "/chat".into(), Version::HTTP_11, fine.clone()));
    }
    check(&(Method::CONNECT, "h.example:80".into(), Version::HTTP_11, fine.clone()));
    check(&(Method::OPTIONS, "*".into(), Version::HTTP_11, fine.clone()));
    check(&(Method::GET, "http://h.example/a?b".into(), Version::HTTP_11, fine.clone()));
    check(&(Method::GET, "http://other.example/a".into(), Version::HTTP_11, fine.clone()));
    check(&(Method::from_bytes(&[b'A'; 33]).unwrap(), "/".into(), Version::HTTP_11, fine.clone()));
    check(&(Method::GET, format!("/{}", "a".repeat(9000)), Version::HTTP_11, fine.clone()));
    for version in [Version::HTTP_09, Version::HTTP_10] {
        check(&(Method::GET, "/".into(), version, fine.clone()));
    }
    for at in 0..FIELDS.len() {
        let mut fields = fine.clone();
        let removed = fields.remove(at);
        check(&get(fields.clone()));
        fields.extend([removed.clone(), removed]);
        check(&get(fields));
    }
    let long = "a".repeat(9000);
    for (name, value) in [
        ("origin", "http://h.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("upgrade", "h2c, "),
        ("upgrade", "a b"),
        ("connection", "keep-alive"),
        ("content-length", "0"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-protocol", "a"),
        ("sec-websocket-protocol", "a, a"),
        ("sec-websocket-protocol", "c, b ,a"),
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
        ("sec-websocket-extensions", "permessage-deflate;"),
        ("cookie", long.as_str()),
    ] {
        let mut fields = fine.clone();
        fields.push((name.into(), value.into()));
        check(&get(fields));
    }
    let with = |name: &str, value: &str| {
        let others = FIELDS.iter().filter(|(found, _)| *found != name);
        let mut fields: Vec<_> = others.copied().collect();
        fields.push((name, value));
        get(owned(&fields))
    };
    for (name, value) in [
        ("host", ""),
        ("host", "a b"),
        ("host", "h.example:x"),
        ("upgrade", "h2c"),
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, UPGRADE"),
        ("connection", "a b"),
        ("sec-websocket-key", "short"),
        ("sec-websocket-version", "12"),
        ("sec-websocket-version", "013"),
    ] {
        check(&with(name, value));
    }
    let many: Vec<_> =
        fine.iter().cloned().chain((0..200).map(|_| ("x".into(), "y".into()))).collect();
    check(&get(many));
    let large: Vec<_> =
        fine.iter().cloned().chain((0..3).map(|_| ("x".into(), "y".repeat(8000)))).collect();
    check(&get(large));
    assert_eq!(seen.len(), 21, "{seen:?}");
}

proptest! {
    #[test]
    fn both_paths_agree_about_any_request(
        picks in prop::collection::vec((0..FIELDS.len() + 8, 0..3_usize), 0..12),
        target in "(/[!-~]{0,9}|http://[a-z]{1,4}(:[0-9]{1,5})?(/[a-z?]{0,4})?)",
        old in any::<bool>(),
    ) {
        let more = [
            ("origin", ["http://h.example", "http://x", "null"]),
            ("host", ["h.example", "x:1", ","]),
            ("upgrade", ["websocket", "h2c", ",,"]),
            ("connection", ["upgrade", "close", ";"]),
            ("sec-websocket-protocol", ["a", "b, c", "a,,b"]),
            ("sec-websocket-extensions", ["permessage-deflate", "x;y=\"1\"", "\"" ]),
            ("content-length", ["0", "00", "7"]),
            ("expect", ["", "100-continue", "x"]),
        ];
        let fields = picks.iter().map(|&(which, value)| match FIELDS.get(which) {
            Some(&(name, value)) => (name.to_owned(), value.to_owned()),
            None => (more[which - 5].0.to_owned(), more[which - 5].1[value].to_owned()),
        });
        let mut fields: Vec<_> = owned(&FIELDS[..picks.len() % 6]).into_iter().chain(fields).collect();
        // A map of fields keeps the order of one name, and that is all that may matter.
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let version = if old { Version::HTTP_10 } else { Version::HTTP_11 };
        let head = (Method::GET, target.clone(), version, fields);
        // What this type does not hold never arrives, and some of it is written otherwise.
        if target.parse::<http::Uri>().is_ok_and(|uri| uri.to_string() == target) {
            prop_assert_eq!(of_http(&head), of_bytes(&head));
        }
    }
}

/// Every target that there is can be asked for in the types of crate `http`.
// req: W3-06
#[test]
fn a_target_is_asked_for_as_it_is() {
    let mut refused = String::new();
    for byte in 0..=0x7f_u8 {
        for place in ["//a", "/a?b"] {
            let resource = format!("{place}{}c", char::from(byte));
            let Ok(target) = Target::parse(&format!("ws://h{resource}")) else {
                refused.extend((place == "//a").then_some(char::from(byte)));
                continue;
            };
            let offer = Offer::new(&target);
            let (_, request) = Asking::upgrade(config(), keys(), &offer).unwrap();
            assert_eq!(request.uri(), resource.as_str());
            let (_, parts) = Asking::extended(config(), keys(), &offer, true).unwrap();
            let connect = http::Request::try_from(parts).unwrap();
            assert_eq!(connect.uri(), format!("http://h{resource}").as_str());
        }
    }
    assert_eq!(refused.trim_matches(|c: char| c.is_control() || c == ' '), "\"#%<>\\`");
}

/// A host may be percent-encoded (RFC 3986 section 3.2.2): crate `http` has no room for that.
#[test]
fn a_host_that_http_cannot_hold_is_an_error() {
    let target = Target::parse("wss://%68/chat").unwrap();
    let offer = Offer::new(&target);
    let (_, parts) = Asking::extended(config(), keys(), &offer, true).unwrap();
    assert_eq!(parts.pseudo().authority, Some("%68"));
    assert!(http::Request::try_from(parts).is_err());
    let (_, request) = Asking::upgrade(config(), keys(), &offer).unwrap();
    assert_eq!(
        (request.uri().path(), &request.headers()["host"]),
        ("/chat", &"%68".parse().unwrap())
    );
    assert!(Asking::upgrade(config(), keys(), &offer.through_proxy()).is_err());
}

/// Nothing is left out, and nothing is another URI, without a word.
#[test]
fn what_http_cannot_hold_is_an_error() {
    for (len, fits) in [(65_534, true), (65_535, false), (65_600, false), (131_080, false)] {
        for query in ["", "?q=1"] {
            let resource = "/".to_owned() + &"a".repeat(len - query.len() - 1) + query;
            let target = Target::parse(&format!("ws://h{resource}")).unwrap();
            let offer = Offer::new(&target);
            let upgrade = Asking::upgrade(config(), keys(), &offer);
            let upgrade = upgrade.map(|(_, request)| request.uri().to_string());
            assert_eq!(upgrade.ok(), fits.then(|| resource.clone()), "{len}{query}");
            let (_, parts) = Asking::extended(config(), keys(), &offer, true).unwrap();
            let connect = http::Request::try_from(parts).map(|request| request.uri().to_string());
            assert_eq!(connect.ok(), fits.then(|| format!("http://h{resource}")), "{len}{query}");
        }
    }
    let request = parsed(&get(owned(&FIELDS)));
    let asked = Request::from_http(&request, None, &config()).unwrap();
    let name = "x".repeat(65_535);
    let reject = Reject::new(400).unwrap().field(&name, "v").unwrap();
    let response: http::Response<Bytes> = reject.respond(&asked).unwrap().into();
    assert_eq!(response.headers()[name.as_str()], "v");
    assert_eq!(Reject::new(400).unwrap().field(&(name + "x"), "v").err(), Some(FieldError::Name));
}

#[test]
fn more_fields_than_a_map_holds() {
    let target = Target::parse("ws://h/").unwrap();
    let (mut offer, mut reject) = (Offer::new(&target), Reject::new(400).unwrap());
    for number in 0..24_577 {
        offer = offer.field(&format!("x{number}"), "v").unwrap();
        reject = reject.field(&format!("x{number}"), "v").unwrap();
    }
    let request = parsed(&get(owned(&FIELDS)));
    let asked = Request::from_http(&request, None, &config()).unwrap();
    let response: http::Response<Bytes> = reject.respond(&asked).unwrap().into();
    assert_eq!(response.headers().len(), 24_576);
    assert!(Asking::upgrade(config(), keys(), &offer).is_err());
    let (_, parts) = Asking::extended(config(), keys(), &offer, true).unwrap();
    assert!(http::Request::try_from(parts).is_err());
}

/// "The server MUST NOT send content in the response" (RFC 9110 section 9.3.2).
#[test]
fn an_answer_to_head_has_no_content() {
    for (method, has_content) in [(Method::HEAD, false), (Method::POST, true)] {
        let request = parsed(&(method, "/".into(), Version::HTTP_11, owned(&FIELDS)));
        let response = Request::from_http(&request, None, &config()).unwrap_err().respond();
        assert_eq!((response.status(), response.body().is_empty()), (405, !has_content));
    }
}

#[test]
fn a_refusal_has_the_reason_that_is_registered() {
    let request = bytes(&get(owned(&FIELDS)));
    let mut named = vec![];
    for status in 200..=599 {
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        assert!(server.receive(&mut &mut request.clone()[..], &mut out).is_some());
        server.reject(&Reject::new(status).unwrap(), &mut out);
        let line = std::str::from_utf8(&out).unwrap().lines().next().unwrap();
        let reason = line.strip_prefix(&format!("HTTP/1.1 {status} ")).unwrap();
        if !reason.is_empty() {
            let registered = http::StatusCode::from_u16(status).unwrap().canonical_reason();
            assert_eq!(Some(reason), registered, "{status}");
            named.push(status);
        }
    }
    assert_eq!(
        named,
        [
            200, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 407, 408, 410, 414,
            417, 421, 426, 429, 431, 500, 501, 502, 503, 504, 505
        ]
    );
}

// req: E5-01, E5-05, F3-02
#[test]
fn an_extended_connect_by_its_version() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut request = parsed(&(
            Method::CONNECT,
            "https://h.example/chat?x".into(),
            version,
            owned(&[("sec-websocket-version", "13"), ("origin", "https://h.example")]),
        ));
        let asked = Request::from_http(&request, Some("websocket"), &config()).unwrap();
        assert_eq!((asked.path(), asked.query()), ("/chat", Some("x")));
        let (parts, ..) = Accept::new(&asked).respond(config()).unwrap();
        let response: http::Response<Bytes> = parts.into();
        assert_eq!((response.status().as_u16(), response.headers().len()), (200, 0));
        for (protocol, error) in
            [(None, RequestError::Protocol), (Some("x"), RequestError::Protocol)]
        {
            let refusal = Request::from_http(&request, protocol, &config()).unwrap_err();
            assert_eq!(refusal.error(), error);
        }
        *request.method_mut() = Method::GET;
        let refusal = Request::from_http(&request, None, &config()).unwrap_err();
        let response: http::Response<Bytes> = refusal.respond().into();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &HeaderValue::from_static("CONNECT"))
        );
    }
}

fn keys() -> Keys {
    Keys::new(|key| *key = [7; 4])
}

#[test]
fn a_client_of_each_kind_opens_a_connection_to_a_server_of_its_kind() {
    let target = Target::parse("wss://h.example:99/chat?x").unwrap();
    let offer = Offer::new(&target).subprotocol("a").unwrap().field("Cookie", "a=b").unwrap();
    let (upgrade, request) = Asking::upgrade(config(), keys(), &offer).unwrap();
    assert_eq!(
        (request.uri().to_string().as_str(), request.version()),
        ("/chat?x", Version::HTTP_11)
    );
    assert_eq!(request.headers()["host"], "h.example:99");
    let (extended, parts) = Asking::extended(config(), keys(), &offer, true).unwrap();
    let pseudo_headers = PseudoHeaders { method: "CONNECT", ..parts.pseudo() };
    assert_eq!(parts.pseudo(), pseudo_headers);
    let connect = http::Request::try_from(parts).unwrap();
    assert_eq!(connect.uri(), "https://h.example:99/chat?x");
    assert_eq!((connect.method(), connect.version()), (&Method::CONNECT, Version::HTTP_2));
    for (asking, request) in [(upgrade, request), (extended, connect)] {
        assert_eq!(request.headers()["cookie"], "a=b");
        let asked = Request::from_http(&request, Some("websocket"), &config()).unwrap();
        let accept = Accept::new(&asked).prefer(&["a"]);
        let (parts, mut server, told) = accept.respond(config()).unwrap();
        let response: http::Response<Bytes> = parts.into();
        let (mut client, agreed) = asking.receive_http(&response).unwrap().unwrap();
        assert_eq!(told, agreed);
        assert_eq!(agreed.subprotocol.as_deref(), Some("a"));
        #[cfg(feature = "deflate")]
        assert!(agreed.deflate.is_some());
        converse(&mut client, &mut server);
        converse(&mut server, &mut client);
    }
}

/// One message, compressed if there is compression.
fn converse(from: &mut Connection, to: &mut Connection) {
    let (text, mut wire) = ("over and over, ".repeat(20), BytesMut::new());
    from.send_text(&text, &mut wire).unwrap();
    assert_eq!(wire[0], if cfg!(feature = "deflate") { 0xc1 } else { 0x81 });
    let event = to.receive(&mut &mut wire[..], &mut BytesMut::new());
    assert_eq!(event, Some(Event::Text(text.as_str().into())));
}

// req: W4.1-28, W4.1-31
#[test]
fn a_client_of_http_1_judges_the_answer() {
    let target = Target::parse("ws://h.example").unwrap();
    let ask = || Asking::upgrade(config(), keys(), &Offer::new(&target)).unwrap().0;
    let accept = key::accept(&key::encode([7; 16]));
    let fields = [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-accept", std::str::from_utf8(&accept).unwrap()),
    ];
    let answer = |status: u16, fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        ask().receive(status, fields).map(|opened| opened.is_some())
    };
    assert_eq!(answer(101, &fields), Ok(true));
    assert_eq!(answer(101, &fields[1..]), Err(ResponseError::Upgrade));
    assert_eq!(answer(101, &fields[..2]), Err(ResponseError::Accept));
    assert_eq!(answer(101, &[fields[0], fields[2]]), Err(ResponseError::Connection));
    assert_eq!(answer(200, &fields), Ok(false));
    assert_eq!(answer(401, &[]), Ok(false));
    assert_eq!(answer(100, &[]), Err(ResponseError::Status));
    for (version, error) in [
        (http::Version::HTTP_09, Some(ResponseError::VersionTooOld)),
        (http::Version::HTTP_10, Some(ResponseError::VersionTooOld)),
        (http::Version::HTTP_11, None),
    ] {
        let response = |status| {
            let start = http::Response::builder().version(version).status(status);
            let add =
                |response: http::response::Builder, (name, value)| response.header(name, value);
            fields.into_iter().fold(start, add).body(()).unwrap()
        };
        assert_eq!(ask().receive_http(&response(101)).err(), error);
        assert!(ask().receive_http(&response(404)).unwrap().is_none());
    }
}

#[test]
fn an_application_refuses_an_upgrade_with_a_response_of_its_own() {
    let request = parsed(&get(owned(&FIELDS)));
    let asked = Request::from_http(&request, None, &config()).unwrap();
    let response: http::Response<Bytes> = Reject::new(426).unwrap().respond(&asked).unwrap().into();
    assert_eq!(response.headers().len(), 3, "{response:?}");
    assert_eq!(response.headers()["connection"], "close, Upgrade");
    let response: http::Response<Bytes> = Reject::new(404).unwrap().respond(&asked).unwrap().into();
    assert_eq!(response.headers().len(), 1, "{response:?}");
    assert_eq!(response.headers()["connection"], "close");
    let response: http::Response<Bytes> = Reject::new(405).unwrap().respond(&asked).unwrap().into();
    assert_eq!(response.headers()["allow"], "GET");
}
