//! RFC 9110 section 9.3.6: a tunnel through a proxy, its answer fed whole and at every cut.

use bytes::BytesMut;
use sockless::Config;
use sockless::handshake::{FieldError, ResponseError, Target, Tunnel, Tunneled};
use std::sync::Arc;

fn start(uri: &str, fields: &[(&str, &[u8])]) -> Result<(Tunnel, String), FieldError> {
    let target = Target::parse(uri).unwrap();
    let mut out = BytesMut::new();
    let tunnel = Tunnel::start(Arc::default(), &target, fields, &mut out);
    assert!(tunnel.is_ok() || out.is_empty());
    Ok((tunnel?, String::from_utf8(out.to_vec()).unwrap()))
}

/// What an answer comes to, and what it leaves in the input.
fn answer(pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let (mut tunnel, _) = start("ws://h.example", &[]).unwrap();
    let (mut verdict, mut left) = (String::new(), Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(found) = tunnel.receive(&mut input) {
            assert_eq!(verdict, "", "a second verdict");
            verdict = match found {
                Tunneled::Open(response) => format!("open {}", response.status()),
                Tunneled::Refused(response) => format!("refused {}", response.status()),
                Tunneled::Failed(error) => format!("{error:?}"),
                _ => unreachable!(),
            };
        }
        assert!(!verdict.is_empty() || input.is_empty());
        left.extend_from_slice(input);
    }
    (verdict, left)
}

// req: H-60, W4.1-04
#[test]
fn the_request_names_host_and_port() {
    for (uri, authority) in [
        ("ws://h.example/chat", "h.example:80"),
        ("wss://h.example/chat", "h.example:443"),
        ("wss://[::1]:9/", "[::1]:9"),
    ] {
        let (_, request) = start(uri, &[]).unwrap();
        assert_eq!(request, format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    }
    let (_, request) = start("ws://h", &[("Proxy-Authorization", b"Basic eDp5")]).unwrap();
    let wanted = "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic eDp5\r\n\r\n";
    assert_eq!(request, wanted);
    for (field, error) in [
        (("Host", &b"evil"[..]), FieldError::Reserved),
        (("X", b"a\r\nb: c"), FieldError::Value),
        (("X y", b"a"), FieldError::Name),
    ] {
        assert_eq!(start("ws://h", &[field]).err(), Some(error));
    }
}

// req: H-60, X-01
#[test]
fn answers_at_every_cut() {
    for (head, verdict) in [
        ("HTTP/1.1 200 Connection established\r\n\r\n", "open 200"),
        ("HTTP/1.0 200 OK\r\n\r\n", "open 200"),
        ("HTTP/1.1 299 \r\n\r\n", "open 299"),
        // "A client MUST ignore any Content-Length or Transfer-Encoding header fields received in
        // a successful response to CONNECT".
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "open 200"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "open 200"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "refused 302"),
        ("HTTP/1.1 407 \r\nProxy-Authenticate: Basic\r\n\r\n", "refused 407"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "refused 502"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "Status"),
        ("SSH-2.0-x\r\n", "StatusLine"),
        ("HTTP/1.1 200 OK\r\nx y\r\n", "Field"),
        ("\u{16}\u{3}\u{1}", "Control"),
    ] {
        let stays = verdict.starts_with(['o', 'r']);
        let bytes = [head.as_bytes(), b"what follows"].concat();
        let whole = answer(&[&bytes]);
        assert_eq!(whole.0, verdict, "{head}");
        assert_eq!(whole.1, if stays { &b"what follows"[..] } else { b"" }, "{head}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(answer(&[first, second]), whole, "{head} cut at {cut}");
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(answer(&single), whole, "{head} byte by byte");
    }
    let endless = [&b"HTTP/1.1 200 OK\r\nx: "[..], &"a".repeat(100_000).into_bytes()].concat();
    assert_eq!(answer(&[&endless]).0, format!("{:?}", ResponseError::LineTooLong));
    let max = Config::default().max_head;
    let many = [&b"HTTP/1.1 200 OK\r\n"[..], &b"x: y\r\n".repeat(max)].concat();
    assert_eq!(answer(&[&many]).0, format!("{:?}", ResponseError::TooManyFields));
}
