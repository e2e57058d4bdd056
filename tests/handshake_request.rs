//! RFC 6455 section 4.2.1 and the HTTP that guards it: which requests are taken, and which are not.

mod handshake_support;

use handshake_support::{
    FIELDS, GET, KEY, Outcome, feed, head, outcome, outcome_with, refused, refused_by, status,
    upgraded,
};
use proptest::prelude::*;
use sockless::Config;
use sockless::handshake::RequestError;
use std::sync::Arc;

// req: W4.2.1-01, W4.2.1-02, W4.2.1-03, W4.2.1-04, H-03, H-08, H-09, H-10, H-11, H-14, H-20, H-48
// req: H-58, H-01, H-02, H-07
#[test]
fn request_lines() {
    for (line, wanted) in [
        ("POST / HTTP/1.1", 405),
        ("HEADER / HTTP/1.1", 405),
        ("OPTIONS / HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 405),
        ("CONNECT h:80 HTTP/1.1", 405),
        ("get / HTTP/1.1", 405),
        ("GETX / HTTP/1.1", 405),
        ("CONNECT / HTTP/1.1", 400),
        ("PRI * HTTP/2.0", 400),
        ("GET * HTTP/1.1", 400),
        ("GET h:80 HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET  HTTP/1.1", 400),
        ("GET HTTP/1.1", 400),
        ("GET", 400),
        ("GET /", 400),
        ("GET / HTTP/1.0", 400),
        ("GET / HTTP/0.9", 400),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/3.0", 505),
        ("POST / HTTP/2.0", 505),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1", 400),
        ("GET / HTTP/01.1", 400),
        ("GET / HTTP/1.10", 400),
        ("GET / HTTP/1,1", 400),
        ("GET / HTTP/1.\u{661}", 400),
        ("GET / HTTP/1.x", 400),
        ("GET / HTTPS/1.1", 400),
        ("GET /  HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        (" GET / HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET /\tHTTP/1.1", 400),
        ("GET /\u{b}HTTP/1.1", 400),
        ("GET /\u{c} HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET /\u{e9} HTTP/1.1", 400),
        ("G\u{e9}T / HTTP/1.1", 400),
        ("GET /#a HTTP/1.1", 400),
        ("GET /a\\b HTTP/1.1", 400),
        ("GET /\0 HTTP/1.1", 400),
        ("G\rET / HTTP/1.1", 400),
        ("GET /\r HTTP/1.1", 400),
        ("GET / HTTP/1.1\r", 400),
        ("GET / HTTP/1.1\nX: y", 400),
        ("GET ws://h/ HTTP/1.1", 400),
        ("GET ftp://h/ HTTP/1.1", 400),
        ("GET ://h/ HTTP/1.1", 400),
        ("GET http:///a HTTP/1.1", 400),
        ("GET http://u@h/ HTTP/1.1", 400),
        ("GET http://h:x/ HTTP/1.1", 400),
        ("GET http:/h/ HTTP/1.1", 400),
    ] {
        refused(&head(line, &[]), wanted);
    }
    for (line, wanted) in [
        (GET, "upgrade / None h.example h.example false"),
        ("GET / HTTP/1.2", "upgrade / None h.example h.example false"),
        ("GET /a?b HTTP/1.1", "upgrade /a Some(\"b\") h.example h.example false"),
        ("GET /? HTTP/1.1", "upgrade / Some(\"\") h.example h.example false"),
        ("GET //h HTTP/1.1", "upgrade //h None h.example h.example false"),
        ("GET /http://a/?b?c HTTP/1.1", "upgrade /http://a/ Some(\"b?c\") h.example"),
        ("GET http://h.example:80/a HTTP/1.1", "upgrade /a None h.example:80 h.example false"),
        ("GET HTTPS://H.example HTTP/1.1", "upgrade / None H.example H.example false"),
        ("GET http://b?x HTTP/1.1", "upgrade / Some(\"x\") b b true"),
        ("GET http://b/ HTTP/1.1", "upgrade / None b b true"),
    ] {
        let asked = upgraded(&head(line, &[]));
        assert!(asked.starts_with(wanted), "{line}: {asked}");
    }
}

// req: W4.2.1-05, H-21, H-22
#[test]
fn hosts() {
    for host in
        ["a,b", "a b", "a/b", "u@a", "a:x", "a:99999", "[::1", "[::1]x", "", ":80", "a\"", "\u{e9}"]
    {
        refused(&head(GET, &[("Host", Some(host))]), 400);
    }
    refused(&head(GET, &[("Host", None)]), 400);
    refused(&head(GET, &[("Host", Some("h")), ("Host", Some("h"))]), 400);
    refused(&head(GET, &[("Host", Some("h")), ("host", Some("b"))]), 400);
    refused(&head("GET http://a/ HTTP/1.1", &[("Host", None)]), 400);
    // "Any HTTP/1.1 request message" (RFC 9112 section 3.2), be its method refused.
    for method in ["POST", "PUT", "OPTIONS", "get"] {
        let line = format!("{method} / HTTP/1.1");
        refused(&head(&line, &[("Host", None)]), 400);
        refused(&head(&line, &[("Host", Some("h")), ("Host", Some("h"))]), 400);
        refused(&head(&line, &[("Host", Some("a b"))]), 400);
    }
    for (host, wanted) in [
        ("a:80", "upgrade / None a:80 a false"),
        ("[::1]:80", "upgrade / None [::1]:80 [::1] false"),
        ("A", "upgrade / None A A false"),
    ] {
        let asked = upgraded(&head(GET, &[("Host", Some(host))]));
        assert!(asked.starts_with(wanted), "{asked}");
    }
    let asked = upgraded(&head("GET http://a/ HTTP/1.1", &[("Host", Some(""))]));
    assert!(asked.starts_with("upgrade / None a a true"), "{asked}");
}

// req: W4.2.1-06, W4.2.1-07, W2.1-01, H-46, H-45, H-41, W4.2.2-05, W4.4-01
#[test]
fn upgrade_and_connection() {
    for (value, wanted) in [
        (None, 426),
        (Some("websockets"), 426),
        (Some("h2c"), 426),
        (Some("websocket/13"), 426),
        (Some(""), 400),
        (Some("web socket"), 400),
        (Some("web\u{17f}ocket"), 400),
        (Some("\u{ff57}ebsocket"), 400),
        (Some("websocket\0"), 400),
        (Some(&*(",".repeat(1000) + "websocket")), 400),
    ] {
        refused(&head(GET, &[("Upgrade", value)]), wanted);
    }
    for value in
        [None, Some("close"), Some("xupgrade"), Some("\"upgrade\""), Some(""), Some("upgrade, a b")]
    {
        refused(&head(GET, &[("Connection", value)]), 400);
    }
    for (name, value) in [
        ("Upgrade", "h2c, WebSocket"),
        ("UPGRADE", "WEBSOCKET"),
        ("Upgrade", ",,,,,,,,,,,,,,,,websocket"),
        ("Connection", "keep-alive,Upgrade"),
        ("connection", "\t UPGRADE\t , x "),
    ] {
        upgraded(&head(GET, &[(name, Some(value))]));
    }
    for name in ["Upgrade", "Connection"] {
        let token = FIELDS.iter().find(|(n, _)| *n == name).unwrap().1;
        upgraded(&head(GET, &[(name, Some("other")), (name, Some(token))]));
    }
}

// req: W4.2.1-08, W4.2.1-09, W4.3-02, W4.2.2-05, W11.3.1-01, W11.3.5-01, W10.7-03
#[test]
fn key_and_version() {
    for key in ["", "AQIDBAUGBwgJCgsMDQ4P", "AQIDBAUGBwgJCgsMDQ4PEA", "AQIDBAUGBwgJCgsMDQ4P-_=="] {
        refused(&head(GET, &[("Sec-WebSocket-Key", Some(key))]), 400);
    }
    refused(&head(GET, &[("Sec-WebSocket-Key", None)]), 400);
    for other in [KEY, "AQIDBAUGBwgJCgsMDQ4PEC=="] {
        let keys = [("Sec-WebSocket-Key", Some(KEY)), ("sec-websocket-key", Some(other))];
        refused(&head(GET, &keys), 400);
    }
    upgraded(&head(GET, &[("Sec-WebSocket-Key", Some("AQIDBAUGBwgJCgsMDQ4PEC=="))]));
    for (version, wanted) in [
        (None, 400),
        (Some("8"), 426),
        (Some("12"), 426),
        (Some("14"), 426),
        (Some("0"), 426),
        (Some("255"), 426),
        (Some("256"), 400),
        (Some("013"), 400),
        (Some("+13"), 400),
        (Some("13.0"), 400),
        (Some("13,13"), 400),
        (Some("x"), 400),
        (Some(""), 400),
        (Some("1\u{e9}"), 400),
    ] {
        refused(&head(GET, &[("Sec-WebSocket-Version", version)]), wanted);
    }
    let version = ("Sec-WebSocket-Version", Some("13"));
    refused(&head(GET, &[version, version]), 400);
}

// req: W4.2.1-11, W4.2.1-12, W9.1-01, W9.1-05, W9.1-06, W11.3.2-01, W11.3.4-01, W4.3-03, H-40
#[test]
fn offers() {
    const P: &str = "Sec-WebSocket-Protocol";
    const E: &str = "Sec-WebSocket-Extensions";
    for value in ["", ",", "a b", "a;b", "a/b", "a, a", "a\"", "\u{e9}", "a, b, c, b"] {
        refused(&head(GET, &[(P, Some(value))]), 400);
    }
    refused(&head(GET, &[(P, Some("a")), (P, Some("b, a"))]), 400);
    for value in [
        "",
        ";",
        "a;",
        "a;;b",
        "a;=1",
        "a b",
        "a=1",
        "\"a\"",
        "a;b=\"x",
        "a;b=1=2",
        "a;b c",
        "\0",
        "\u{ff}",
        "a;b=\"\"",
        "a;b=\"c d\"",
    ] {
        refused(&head(GET, &[(E, Some(value))]), 400);
    }
    let asked = upgraded(&head(GET, &[(P, Some("b, a")), ("X", Some("c")), (P, Some(",A"))]));
    assert!(asked.contains(r#"["b", "a", "A"] []"#), "{asked}");
    let split = upgraded(&head(GET, &[(E, Some("a; b = \"1\"")), (E, Some("c"))]));
    let joined = upgraded(&head(GET, &[(E, Some("a; b = \"1\", c"))]));
    let wanted = r#"[] [("a", 1), ("c", 0)]"#;
    assert!(split.contains(wanted) && joined.contains(wanted), "{split}");
}

/// "The server MUST respond with a 400 (Bad Request) status code and then close the connection"
/// where nobody can tell how long the content is (RFC 9112 section 6.3).
// req: H-49
#[test]
fn a_body_without_an_end_is_worse_than_a_method() {
    let refused = |fields: &[_], wanted| refused(&head("POST / HTTP/1.1", fields), wanted);
    for (length, wanted) in [
        ("0", 405),
        ("00", 405),
        ("3", 405),
        ("18446744073709551616", 405),
        ("", 400),
        ("abc", 400),
        ("-1", 400),
        ("1 2", 400),
        ("3,3", 400),
    ] {
        refused(&[("Content-Length", Some(length))], wanted);
    }
    refused(&[("Content-Length", Some("3")), ("Content-Length", Some("3"))], 400);
    for (coding, wanted) in [
        ("chunked", 405),
        ("gzip, Chunked", 405),
        ("gzip,chunked ,", 405),
        ("chunked, gzip", 400),
        ("gzip", 400),
        ("xchunked", 400),
        ("", 400),
    ] {
        refused(&[("Transfer-Encoding", Some(coding))], wanted);
    }
    let [gzip, chunked] = ["gzip", "chunked"].map(|coding| ("Transfer-Encoding", Some(coding)));
    refused(&[gzip, chunked], 405);
    refused(&[chunked, gzip], 400);
    refused(&[chunked, ("Content-Length", Some("3"))], 400);
}

// req: H-49, H-50, H-51, H-62, W4.2.1-10
#[test]
fn bodies_expectations_and_origins() {
    for (name, value) in [
        ("Content-Length", "1"),
        ("Content-Length", "+0"),
        ("Content-Length", "-0"),
        ("Content-Length", "00"),
        ("Content-Length", "0,0"),
        ("Content-Length", "0x0"),
        ("Content-Length", " "),
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "identity"),
        ("transfer-encoding", ""),
        ("Transfer-Encoding", "xchunked"),
        ("Transfer-Encoding", "\u{b}chunked"),
        ("Origin", "http://\u{e9}"),
    ] {
        refused(&head(GET, &[(name, Some(value))]), 400);
    }
    for (a, b) in [("Content-Length", "0"), ("Transfer-Encoding", "chunked"), ("Origin", "null")] {
        refused(&head(GET, &[(a, Some(b)), (a, Some(b))]), 400);
    }
    refused(&head(GET, &[("Content-Length", Some("0")), ("Transfer-Encoding", Some("x"))]), 400);
    refused(&head("GET / HTTP/1.0", &[("Transfer-Encoding", Some("chunked"))]), 400);
    refused(&head(GET, &[("Expect", Some("100-continue"))]), 417);
    upgraded(&head(GET, &[("Content-Length", Some("0"))]));
    assert!(upgraded(&head(GET, &[])).contains("false None"));
    assert!(upgraded(&head(GET, &[("Origin", Some("null"))])).contains("Some(\"null\")"));
}

// req: H-02, H-04, H-06, H-07, H-33, H-34, H-36, H-37, H-38, H-39, H-55
#[test]
fn grammar_of_a_head() {
    let good = head(GET, &[]);
    let with = |before: &[u8]| [before, &good].concat();
    upgraded(&with(b"\r\n"));
    refused(&with(b"\r\n\r\n"), 400);
    refused(&with(b"\n"), 400);
    refused(&with(b" "), 400);
    let text = String::from_utf8(good.clone()).unwrap();
    for (from, to) in [
        ("\r\n", "\n"),
        ("\r\nHost", "\nHost"),
        ("\r\n\r\n", "\r\n\n"),
        ("\r\nHost", "\r\n Host"),
        ("\r\nHost", "\r\n\tX: y\r\nHost"),
        ("Host:", "Host :"),
        ("Host:", "Host\t:"),
        ("Host:", ":"),
        ("Host:", "Host"),
        ("Host:", "Ho st:"),
        ("h.example", "h.\r\n example"),
        ("Host: h.example", "Host: h.example\r\nX: a\r\n\tb"),
        ("h.example", "h.exam\rple"),
        ("h.example", "h.example\r"),
        ("\r\n\r\n", "\r\nnonsense\r\n\r\n"),
        ("\r\n\r\n", "\r\n: v\r\n\r\n"),
    ] {
        refused(text.replacen(from, to, 1).as_bytes(), 400);
    }
    let asked = upgraded(&head(GET, &[("X", Some(" \t a b\t "))]));
    assert!(asked.contains(&format!("(\"X\", {:?})", b"a b")), "{asked}");
    let clients: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0",
    ];
    for hello in clients {
        refused(hello, 400);
    }
}

// req: H-36, H-38, H-39, H-01
#[test]
fn every_byte_in_a_name_and_in_a_value() {
    for byte in 0..=255_u8 {
        let text = String::from_utf8(head(GET, &[("X#", Some("y#"))])).unwrap();
        let (before, rest) = text.split_once("X#").unwrap();
        let name = [before.as_bytes(), b"X", &[byte], rest.as_bytes()].concat();
        let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if is_token {
            upgraded(&name);
        } else if byte != b':' {
            refused(&name, 400);
        }
        let (before, rest) = text.split_once("y#").unwrap();
        let value = [before.as_bytes(), b"y", &[byte], b"z", rest.as_bytes()].concat();
        if byte == b'\t' || byte >= b' ' && byte != 0x7f {
            let asked = upgraded(&value);
            assert!(asked.contains(&format!("{:?}", [b'y', byte, b'z'])), "{byte:#x}: {asked}");
        } else {
            refused(&value, 400);
        }
    }
}

// req: H-11, H-12, H-13, H-43, H-59
// bound: L-12
#[test]
fn limits_are_inclusive() {
    let mut config = Config::default();
    (config.max_line, config.max_head, config.max_fields) = (120, 380, 8);
    let config = Arc::new(config);
    let taken = |bytes: &[u8]| {
        let asked = outcome_with(&config, false, bytes).asked;
        assert!(asked.starts_with("upgrade"), "{asked}");
    };
    let line = |len: usize| format!("GET /{} HTTP/1.1", "a".repeat(len - 14));
    taken(&head(&line(120), &[]));
    refused_by(&config, &head(&line(121), &[]), 414);
    refused_by(&config, format!("{}\0", line(119)).as_bytes(), 400);
    refused_by(&config, format!("{}\0", line(120)).as_bytes(), 414);
    let field = |len: usize| "a".repeat(len - 3);
    taken(&head(GET, &[("X", Some(&field(120)))]));
    refused_by(&config, &head(GET, &[("X", Some(&field(121)))]), 431);
    let fields = |n: usize| head(GET, &vec![("X", Some("a")); n]);
    taken(&fields(3));
    refused_by(&config, &fields(4), 431);
    let total = |n: usize| {
        let rest = n - head(GET, &[("X", Some("")), ("Y", Some(&field(120)))]).len();
        head(GET, &[("X", Some(&"a".repeat(rest))), ("Y", Some(&field(120)))])
    };
    assert_eq!(total(380).len(), 380);
    taken(&total(380));
    refused_by(&config, &total(381), 431);
    // Without an end in sight, too; and whatever part of the line a limit falls on.
    refused_by(&config, "X".repeat(33).as_bytes(), 501);
    refused_by(&config, format!("{} / HTTP/1.1\r\n", "X".repeat(33)).as_bytes(), 501);
    refused_by(&config, &head(&format!("{} / HTTP/1.1", "X".repeat(32)), &[]), 405);
    refused_by(&config, "X".repeat(64 << 10).as_bytes(), 501);
    // Whatever part of a line a limit falls on, the cuts do not matter.
    let good = head(GET, &[]);
    for limit in 0..good.len() {
        let (mut short, mut narrow) = (Config::default(), Config::default());
        (short.max_line, short.max_head, narrow.max_line) = (60, limit, limit);
        // All of it was the request line's.
        let wanted = if limit < GET.len() + 2 { 414 } else { 431 };
        refused_by(&Arc::new(short), &good, wanted);
        outcome_with(&Arc::new(narrow), false, &good);
    }
    // A target that is longer than a whole head may be.
    let mut tight = Config::default();
    tight.max_head = 4096;
    let tight = Arc::new(tight);
    refused_by(&tight, &head(&line(5000), &[]), 414);
    refused_by(&tight, &head(&line(20_000), &[]), 414);
    // Default limits take a request line of 8,000 bytes.
    upgraded(&head(&line(8000), &[]));
}

// req: H-44
#[test]
fn nothing_happens_before_the_blank_line() {
    for request in [head(GET, &[]), head("POST / HTTP/1.0", &[("Expect", Some("a"))])] {
        let early = &request[..request.len() - 1];
        let Outcome { asked, out, left } = outcome(early);
        assert_eq!((asked.as_str(), out.len(), left.len()), ("nothing yet", 0, 0));
    }
}

// req: X-08
#[test]
fn every_error_is_reached() {
    use RequestError as E;
    let with = |name, value| head(GET, &[(name, value)]);
    let long = "a".repeat(9000);
    for (request, wanted) in [
        (b"\0".to_vec(), E::Control),
        (head("GET /", &[]), E::RequestLine),
        (head(&long, &[]), E::MethodTooLong),
        (head(&format!("GET /{long} HTTP/1.1"), &[]), E::TargetTooLong),
        (with("a b", Some("c")), E::Field),
        (with("a", Some(&long)), E::FieldTooLong),
        (head(GET, &[("a", Some(&long[..8000])); 3]), E::HeadTooLarge),
        (head(GET, &[("a", Some("")); 96]), E::TooManyFields),
        (head("GET * HTTP/1.1", &[]), E::TargetForm),
        (head("GET / HTTP/1.0", &[]), E::VersionTooOld),
        (head("GET / HTTP/2.0", &[]), E::VersionUnsupported),
        (head("PUT / HTTP/1.1", &[]), E::Method),
        (with("Host", None), E::Host),
        (with("Content-Length", Some("1")), E::Body),
        (with("Expect", Some("100-continue")), E::Expectation),
        (with("Upgrade", Some("a b")), E::Upgrade),
        (with("Upgrade", None), E::NotAnUpgrade),
        (with("Connection", None), E::Connection),
        (with("Sec-WebSocket-Version", None), E::WebSocketVersion),
        (with("Sec-WebSocket-Version", Some("7")), E::WebSocketVersionUnsupported),
        (with("Sec-WebSocket-Key", None), E::Key),
        (with("Sec-WebSocket-Protocol", Some("")), E::Subprotocols),
        (with("Sec-WebSocket-Extensions", Some("")), E::Extensions),
        (with("Origin", Some("\u{e9}")), E::Origin),
        // `OriginNotAllowed` is reached in `origins`.
    ] {
        let asked = outcome(&request).asked;
        assert_eq!(asked, format!("refused {wanted:?}"));
    }
}

proptest! {
    // req: W4.2.1-13, W4.1-30
    #[test]
    fn order_and_other_fields_do_not_matter(
        order in Just(FIELDS.to_vec()).prop_shuffle(),
        others in prop::collection::vec(("X[-!#$%&'*+.^_`|~0-9A-Za-z]{0,20}", "[!-~][ -~]{0,30}"), 0..20),
        places in prop::collection::vec(0..100_usize, 20),
        upper in any::<bool>(),
    ) {
        let mut lines: Vec<String> = order
            .into_iter()
            .map(|(name, value)| (if upper { name.to_uppercase() } else { name.to_lowercase() }, value))
            .map(|(name, value)| format!("{name}:{value}"))
            .collect();
        for ((name, value), place) in others.iter().zip(places) {
            lines.insert(place % (lines.len() + 1), format!("{name}: {value}"));
        }
        let request = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        let asked = feed(&Arc::default(), false, &[request.as_bytes()]).asked;
        prop_assert!(asked.starts_with("upgrade / None h.example h.example false"), "{}", asked);
    }

    // req: X-01, X-03, W4.2.1-01
    #[test]
    fn any_bytes_any_cuts(
        edits in prop::collection::vec((0..400_usize, any::<u8>()), 0..3),
        mut cuts in prop::collection::vec(0..400_usize, 0..8),
        max_line in 1..200_usize,
        max_head in 1..400_usize,
    ) {
        let mut bytes = head("GET /a?b HTTP/1.1", &[
            ("Sec-WebSocket-Protocol", Some("a, b")),
            ("Sec-WebSocket-Extensions", Some("c; d=\"e\\f\"")),
        ]);
        bytes.extend_from_slice(b"\x82\x80mask");
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut config = Config::default();
        (config.max_line, config.max_head) = (max_line, max_head);
        for config in [Arc::new(config), Arc::default()] {
            let whole = feed(&config, false, &[&bytes]);
            prop_assert!(whole.out.is_empty() || (400..=505).contains(&status(&whole.out)));
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().rev() {
                let (left, right) = rest.split_at((*cut).min(rest.len()));
                pieces.insert(0, right);
                rest = left;
            }
            pieces.insert(0, rest);
            prop_assert_eq!(feed(&config, false, &pieces), whole);
        }
    }
}
