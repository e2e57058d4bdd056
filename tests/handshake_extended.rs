//! RFC 8441 and RFC 9220: extended CONNECT, pseudo-header fields in, verdict out, in both roles.

use bytes::BytesMut;
use sockless::handshake::{
    Accept, AcceptError, Agreed, Asking, Offer, PseudoHeaders, Refusal, Reject, Request,
    RequestError, ResponseError, ResponseParts, Server, Target,
};
use sockless::{CloseCode, Config, Connection, Event, Keys, Want};
use std::sync::Arc;

const PSEUDO: PseudoHeaders<'_> = PseudoHeaders {
    method: "CONNECT",
    protocol: Some("websocket"),
    scheme: Some("https"),
    authority: Some("h.example"),
    path: Some("/chat?room=1"),
};

type Fields<'a> = &'a [(&'a str, &'a str)];

const FIELDS: Fields<'_> = &[("sec-websocket-version", "13")];

fn request(pseudo: PseudoHeaders<'_>, fields: Fields<'_>) -> Result<Request<'static>, Refusal> {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    Request::extended(pseudo, fields, &Config::default())
}

/// The request with one field more.
fn with(name: &str, value: &str) -> Result<Request<'static>, Refusal> {
    request(PSEUDO, &[FIELDS[0], (name, value)])
}

fn opened(request: &Request<'_>) -> (ResponseParts, Connection, Agreed) {
    Accept::new(request).respond(Arc::default()).unwrap()
}

fn shown(response: &ResponseParts) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    response.fields().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn keys() -> Keys {
    Keys::new(|key| *key = [1, 2, 3, 4])
}

fn ask(uri: &str) -> (Asking, sockless::handshake::RequestParts) {
    let target = Target::parse(uri).unwrap();
    Asking::extended(Arc::default(), keys(), &Offer::new(&target), true).unwrap()
}

fn answer(status: u16, fields: Fields<'_>) -> Result<Option<(Connection, Agreed)>, ResponseError> {
    let target = Target::parse("wss://h.example/chat").unwrap();
    let offer = Offer::new(&target).subprotocol("a").unwrap().subprotocol("b").unwrap();
    let (asking, _) = Asking::extended(Arc::default(), keys(), &offer, true).unwrap();
    asking.receive(status, fields.iter().map(|(name, value)| (*name, value.as_bytes())))
}

// req: E5-01, E5-06, E5-07, H-46
#[test]
fn a_request_is_opened_with_a_200() {
    for protocol in ["websocket", "WebSocket", "WEBSOCKET"] {
        let request =
            request(PseudoHeaders { protocol: Some(protocol), ..PSEUDO }, FIELDS).unwrap();
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!((request.host(), request.authority()), ("h.example", "h.example"));
        assert!(request.fields().eq([("sec-websocket-version", &b"13"[..])]));
        let (response, mut connection, agreed) = opened(&request);
        assert_eq!((response.status(), response.body()), (200, &b""[..]));
        assert_eq!(shown(&response), []);
        assert_eq!(agreed, Agreed::default());
        // Frames run as over TCP: masked from the client, unmasked to it.
        let mut out = BytesMut::new();
        let mut read = *b"\x81\x82\0\0\0\0hi";
        let mut input = &mut read[..];
        assert_eq!(connection.receive(&mut input, &mut out), Some(Event::Text("hi".into())));
        connection.send_text("ho", &mut out).unwrap();
        assert_eq!(&out[..], b"\x81\x02ho");
    }
}

// req: E5-01, E4-02, E5-02, E5-03, E5-05, E5-09, F3-02, H-22
#[test]
fn every_rule_of_a_request_has_its_status() {
    use RequestError as E;
    let pseudo = |change: fn(&mut PseudoHeaders<'static>)| {
        let mut pseudo = PSEUDO;
        change(&mut pseudo);
        pseudo
    };
    for (pseudo, error, status) in [
        (pseudo(|p| p.method = "GET"), E::Method, 405),
        (pseudo(|p| p.method = "connect"), E::Method, 405),
        (pseudo(|p| p.protocol = None), E::Protocol, 501),
        (pseudo(|p| p.protocol = Some("")), E::Protocol, 501),
        (pseudo(|p| p.protocol = Some("websocket/13")), E::Protocol, 501),
        (pseudo(|p| p.protocol = Some("connect-udp")), E::Protocol, 501),
        (pseudo(|p| p.scheme = None), E::PseudoHeader, 400),
        (pseudo(|p| p.scheme = Some("wss")), E::PseudoHeader, 400),
        (pseudo(|p| p.scheme = Some("")), E::PseudoHeader, 400),
        (pseudo(|p| p.authority = None), E::PseudoHeader, 400),
        (pseudo(|p| p.authority = Some("")), E::PseudoHeader, 400),
        (pseudo(|p| p.authority = Some("u@h")), E::PseudoHeader, 400),
        (pseudo(|p| p.authority = Some("h/x")), E::PseudoHeader, 400),
        (pseudo(|p| p.authority = Some("h\r\nx: y")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = None), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("*")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("chat")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("/a b")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("/a#b")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("/\r\nx: y")), E::PseudoHeader, 400),
        (pseudo(|p| p.path = Some("/ü")), E::PseudoHeader, 400),
    ] {
        let refusal = request(pseudo, FIELDS).unwrap_err();
        assert_eq!((refusal.error(), refusal.respond().status()), (error, status), "{pseudo:?}");
    }
    let version = FIELDS[0];
    for (fields, error, status) in [
        (&[][..], E::WebSocketVersion, 400),
        (&[version, version], E::WebSocketVersion, 400),
        (&[("sec-websocket-version", "x")], E::WebSocketVersion, 400),
        (&[("sec-websocket-version", "12")], E::WebSocketVersionUnsupported, 400),
        (&[version, ("upgrade", "websocket")], E::ConnectionSpecific, 400),
        (&[version, ("connection", "upgrade")], E::ConnectionSpecific, 400),
        (&[version, ("keep-alive", "1")], E::ConnectionSpecific, 400),
        (&[version, ("proxy-connection", "close")], E::ConnectionSpecific, 400),
        (&[version, ("transfer-encoding", "chunked")], E::ConnectionSpecific, 400),
        (&[version, ("te", "gzip")], E::ConnectionSpecific, 400),
        (&[version, ("te", "trailers, gzip")], E::ConnectionSpecific, 400),
        (&[version, ("host", "other.example")], E::Host, 400),
        (&[version, ("host", "h.example"), ("host", "h.example")], E::Host, 400),
        (&[version, ("content-length", "1")], E::Body, 400),
        (&[version, ("expect", "100-continue")], E::Expectation, 417),
        (&[version, ("origin", "https://h.example"), ("origin", "null")], E::Origin, 400),
        (&[version, ("sec-websocket-protocol", "a, a")], E::Subprotocols, 400),
        (&[version, ("sec-websocket-protocol", "a b")], E::Subprotocols, 400),
        (&[version, ("sec-websocket-extensions", "x;")], E::Extensions, 400),
        (&[("Sec-WebSocket-Version", "13")], E::Field, 400),
        (&[version, (":path", "/")], E::Field, 400),
        (&[("sec-websocket-version", "13 ")], E::Field, 400),
        (&[version, ("x", " a")], E::Field, 400),
        (&[version, ("cookie", "a=b\t")], E::Field, 400),
        (&[version, ("x", "a\r\nb: c")], E::Control, 400),
    ] {
        let refusal = request(PSEUDO, fields).unwrap_err();
        let response = refusal.respond();
        assert_eq!((refusal.error(), response.status()), (error, status), "{fields:?}");
        assert_eq!(response.body(), format!("{error}\n").as_bytes());
        let names: Vec<_> = response.fields().map(|(name, _)| name).collect();
        assert!(!names.contains(&"upgrade") && !names.contains(&"connection"), "{names:?}");
        // RFC 6455 section 4.4.
        let tells_version = error == E::WebSocketVersionUnsupported;
        assert_eq!(names.contains(&"sec-websocket-version"), tells_version);
    }
    // "The server MUST NOT send content in the response" to HEAD (RFC 9110 section 9.3.2).
    for (method, has_content) in [("GET", true), ("HEAD", false), ("head", true)] {
        let refusal = request(PseudoHeaders { method, ..PSEUDO }, FIELDS).unwrap_err();
        assert_eq!(shown(&refusal.respond())[0], ("allow".into(), "CONNECT".into()));
        assert_eq!(refusal.respond().body().is_empty(), !has_content, "{method}");
    }
}

// req: E5-03
#[test]
fn a_host_that_is_the_same_is_no_contradiction() {
    // RFC 9113 section 8.3.1: an intermediary may keep it.
    for host in ["h.example", "H.EXAMPLE", "h.example:443"] {
        let request = with("host", host).unwrap();
        assert_eq!((request.authority(), request.host_differs()), ("h.example", false), "{host}");
    }
    // Nor is one that is not there, as in all that was HTTP/2 or HTTP/3 from the start.
    assert!(!request(PSEUDO, FIELDS).unwrap().host_differs());
    for host in ["h.example:80", "h.example:", "", "h"] {
        let refused = with("host", host).map_err(|refusal| refusal.error());
        let is_same = host == "h.example:";
        assert_eq!(refused.err(), (!is_same).then_some(RequestError::Host), "{host}");
    }
}

/// "If there are multiple Cookie header fields after decompression, these MUST be concatenated into
/// a single octet string" (RFC 9113 section 8.2.3).
#[test]
fn a_cookie_in_crumbs_is_one_again() {
    for (crumbs, wanted) in [
        (&["a=1"][..], "a=1"),
        (&["a=1", "b=2"], "a=1; b=2"),
        (&["a=1", "", "b=2"], "a=1; ; b=2"),
        (&["a=1; b=2", "c=3"], "a=1; b=2; c=3"),
    ] {
        let cookies = crumbs.iter().map(|crumb| ("cookie", *crumb));
        let fields: Vec<_> = cookies.chain([("te", "trailers"), FIELDS[0]]).collect();
        let request = request(PSEUDO, &fields).unwrap();
        assert_eq!(request.field("Cookie"), Some(wanted.as_bytes()));
        assert_eq!(request.fields().count(), 3, "{crumbs:?}");
    }
    assert_eq!(request(PSEUDO, FIELDS).unwrap().field("cookie"), None);
    // They are no more fields than one, but a line as long.
    let many = |count: usize, crumb| [&vec![("cookie", crumb); count], FIELDS].concat();
    assert!(request(PSEUDO, &many(1000, "a=bcd")).is_ok());
    let refused = |fields: &[_]| request(PSEUDO, fields).unwrap_err().error();
    assert_eq!(refused(&many(2000, "a=bcd")), RequestError::FieldTooLong);
    assert_eq!(refused(&many(2, "a=b\r\nc: d")), RequestError::Control);
}

// req: E5-04
#[test]
fn there_is_no_key_and_no_answer_to_one() {
    for stray in ["", "dGhlIHNhbXBsZSBub25jZQ==", "nonsense"] {
        let (response, ..) = opened(&with("sec-websocket-key", stray).unwrap());
        assert_eq!(shown(&response), []);
        assert!(answer(200, &[("sec-websocket-accept", stray)]).unwrap().is_some());
    }
    let (_, request) = ask("wss://h.example/");
    assert!(request.fields().eq([("sec-websocket-version", &b"13"[..])]));
}

// req: E5-05, E8-01, W10.2-01
#[test]
fn the_origin_is_held_against_the_authority() {
    for (origin, allowed) in [
        ("https://h.example", true),
        ("https://H.example:443", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let request = with("origin", origin).unwrap();
        assert_eq!(request.origin(), Some(origin));
        let answered = Accept::new(&request).respond(Arc::default());
        assert_eq!(answered.is_ok(), allowed, "{origin}");
        if let Err(refusal) = answered {
            assert_eq!(refusal.error(), RequestError::OriginNotAllowed);
            assert_eq!(refusal.respond().status(), 403);
        }
        assert!(Accept::new(&request).any_origin().respond(Arc::default()).is_ok());
    }
}

// req: E5-05
#[test]
fn names_are_in_lower_case_both_ways() {
    // A scheme is not a name: it has no case (RFC 9110 section 4.2.3).
    assert!(request(PseudoHeaders { scheme: Some("HTTPS"), ..PSEUDO }, FIELDS).is_ok());
    for value in [" a", "a\t"] {
        assert_eq!(answer(200, &[("x", value)]).err(), Some(ResponseError::Field));
    }
    let request = with("sec-websocket-protocol", "a, b").unwrap();
    let accept = Accept::new(&request).prefer(&["b"]).field("Set-Cookie", "Seen=1").unwrap();
    let (response, _, agreed) = accept.respond(Arc::default()).unwrap();
    let wanted = [("sec-websocket-protocol", "b"), ("set-cookie", "Seen=1")];
    assert_eq!(shown(&response), wanted.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(agreed.subprotocol.as_deref(), Some("b"));

    let target = Target::parse("wss://h.example/chat").unwrap();
    let offer = Offer::new(&target).subprotocol("A").unwrap().origin("https://h.example").unwrap();
    let offer = offer.field("Authorization", "Bearer 1").unwrap();
    let (_, request) = Asking::extended(Arc::default(), keys(), &offer, true).unwrap();
    let wanted = [
        ("sec-websocket-version", &b"13"[..]),
        ("sec-websocket-protocol", b"A"),
        ("origin", b"https://h.example"),
        ("authorization", b"Bearer 1"),
    ];
    assert!(request.fields().eq(wanted), "{request:?}");
    assert!(!format!("{request:?}").contains("Bearer"));
}

// req: E3-02, E4-01, E5-01, E5-02
#[test]
fn a_client_asks_only_where_it_may() {
    for (uri, scheme, authority, path) in [
        ("wss://h.example", "https", "h.example", "/"),
        ("ws://h.example/a?b", "http", "h.example", "/a?b"),
        ("wss://[::1]:8443/a", "https", "[::1]:8443", "/a"),
    ] {
        let target = Target::parse(uri).unwrap();
        let offer = Offer::new(&target);
        assert!(Asking::extended(Arc::default(), keys(), &offer, false).is_none());
        let (_, request) = Asking::extended(Arc::default(), keys(), &offer, true).unwrap();
        let wanted = PseudoHeaders {
            scheme: Some(scheme),
            authority: Some(authority),
            path: Some(path),
            ..PSEUDO
        };
        assert_eq!(request.pseudo(), wanted);
        // What this client asks, this server takes.
        let config = Config::default();
        assert!(Request::extended(request.pseudo(), request.fields(), &config).is_ok());
    }
}

// req: E5-06, E5-05, W4.1-31
#[test]
fn a_client_judges_the_answer() {
    for status in [200, 201, 204, 299] {
        assert!(answer(status, &[("server", "x"), ("content-length", "5")]).unwrap().is_some());
    }
    for status in [300, 307, 400, 401, 404, 426, 501, 503, 599] {
        assert!(answer(status, &[("sec-websocket-protocol", "unheard of")]).unwrap().is_none());
    }
    for status in [0, 99, 100, 101, 103, 199, 600, 65535] {
        assert_eq!(answer(status, &[]).unwrap_err(), ResponseError::Status, "{status}");
    }
    let (_, agreed) = answer(200, &[("sec-websocket-protocol", "b")]).unwrap().unwrap();
    assert_eq!(agreed.subprotocol.as_deref(), Some("b"));
    for (fields, error) in [
        (&[("sec-websocket-protocol", "c")][..], ResponseError::Subprotocol),
        (&[("sec-websocket-protocol", "a"); 2], ResponseError::Subprotocol),
        (&[("sec-websocket-extensions", "x")], ResponseError::Extensions),
        (&[("upgrade", "websocket")], ResponseError::ConnectionSpecific),
        (&[("connection", "upgrade")], ResponseError::ConnectionSpecific),
        (&[("transfer-encoding", "chunked")], ResponseError::ConnectionSpecific),
        (&[("keep-alive", "1")], ResponseError::ConnectionSpecific),
        (&[("proxy-connection", "close")], ResponseError::ConnectionSpecific),
        (&[("Keep-Alive", "1")], ResponseError::Field),
        (&[("Sec-WebSocket-Protocol", "b")], ResponseError::Field),
        (&[("x", "a\nb")], ResponseError::Control),
        (&[("x y", "a")], ResponseError::Field),
        (&[("x", "y"); 101], ResponseError::TooManyFields),
    ] {
        assert_eq!(answer(200, fields).unwrap_err(), error, "{fields:?}");
    }
    let target = Target::parse("wss://h.example/chat").unwrap();
    let offer = Offer::new(&target).subprotocol("a").unwrap().require_subprotocol();
    let (asking, _) = Asking::extended(Arc::default(), keys(), &offer, true).unwrap();
    assert_eq!(asking.receive(200, []).unwrap_err(), ResponseError::SubprotocolMissing);
}

// req: E5-08, F3-03
#[test]
fn the_end_of_the_stream_is_the_end_of_the_transport() {
    let open = || answer(200, &[]).unwrap().unwrap().0;
    let mut out = BytesMut::new();
    // END_STREAM or FIN after both Closes: clean.
    let mut connection = open();
    connection.close(CloseCode::NORMAL, "done", &mut out).unwrap();
    let mut read = *b"\x88\x06\x03\xe8done";
    let mut input = &mut read[..];
    assert!(matches!(connection.receive(&mut input, &mut out), Some(Event::Close(_))));
    // As over TCP: the client leaves the end to the server for a while.
    assert_eq!(connection.want(), Want::AwaitEof);
    let closed = connection.eof();
    assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
    // A reset before them: abnormal, and the stream is to be given up.
    let mut connection = open();
    let closed = connection.abort();
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
    assert_eq!(connection.want(), Want::CloseNow);
    // So is the end of a stream without a Close.
    let closed = open().eof();
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
}

#[test]
fn a_decision_about_an_extended_connect_opens_no_upgrade() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    let mut server = Server::new(Arc::default());
    let mut scratch = head.into_bytes();
    let mut out = BytesMut::new();
    assert!(server.receive(&mut &mut scratch[..], &mut out).is_some());
    let other = with("sec-websocket-key", key).unwrap();
    let opened = server.accept(Accept::new(&other), &mut out);
    assert_eq!(opened.err(), Some(AcceptError::OtherRequest));
    assert!(out.is_empty());
}

#[test]
fn an_application_refuses_with_a_response_of_its_own() {
    let request = request(PSEUDO, FIELDS).unwrap();
    let reject = Reject::new(401).unwrap().field("WWW-Authenticate", "Basic").unwrap();
    let response = reject.body("text/plain", b"who?").unwrap().respond(&request).unwrap();
    assert_eq!((response.status(), response.body()), (401, &b"who?"[..]));
    let wanted = [("www-authenticate", &b"Basic"[..]), ("content-type", b"text/plain")];
    assert!(response.fields().eq(wanted), "{response:?}");
    let response = Reject::new(405).unwrap().respond(&request).unwrap();
    assert!(response.fields().eq([("allow", &b"CONNECT"[..])]));
    let response =
        Reject::new(405).unwrap().field("Allow", "GET").unwrap().respond(&request).unwrap();
    assert!(response.fields().eq([("allow", &b"GET"[..])]));
    // "A 2xx response" opens the connection (RFC 8441 section 5), so it refuses nothing; a 426 has
    // to have an Upgrade.
    for (status, refuses) in
        [(200, false), (204, false), (299, false), (300, true), (426, false), (599, true)]
    {
        let response = Reject::new(status).unwrap().respond(&request);
        assert_eq!(response.map(|response| response.status()).ok(), refuses.then_some(status));
    }
}
