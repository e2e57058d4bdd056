//! Request and response heads.
//!
//! The input is text, with `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`; `{all}` is the fields of a good
//! head, `{-Host,Upgrade}` all but these, `{a*100}` a hundred times `a`.
//!
//! Settings: `line`, `head`, `fields`, limits; `plain`, plain requests are handed out; `offers`,
//! the subprotocols that the client offers, between `+`; `require`, it wants one of them;
//! `deflate`, it offers compression, and asks for the server's window of `window` bits.
//!
//! Outcome of a request: `rej:STATUS:RULE`, `more`, `plain=TARGET`, or `up=TARGET@AUTHORITY`, then
//! `sub=` and `ext=` with what is offered, and the status of the default answer. Of a response:
//! `cfail:RULE`, `more`, `http=STATUS`, or `open=SUBPROTOCOL`.

use crate::notation::Row;
use bytes::BytesMut;
use sockless::handshake::{Accept, Answer, Asked, Client, Offer, Server, Target};
use sockless::{Config, Keys};
use std::sync::Arc;

const REQUEST: [(&str, &str); 5] = [
    ("Host", "h.example"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

/// The Accept is that of a nonce of zeros.
const RESPONSE: [(&str, &str); 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
];

fn head(text: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let size = if rest.starts_with('x') { 3 } else { 1 };
                bytes.push(match &rest[..size] {
                    "r" => b'\r',
                    "n" => b'\n',
                    "t" => b'\t',
                    "0" => 0,
                    "\\" => b'\\',
                    code => u8::from_str_radix(&code[1..], 16).expect("two digits"),
                });
                rest = &rest[size..];
            }
            '{' => {
                let (inner, after) = rest.split_once('}').expect("a closing brace");
                rest = after;
                if let Some((part, times)) = inner.rsplit_once('*') {
                    bytes.extend(head(part, fields).repeat(times.parse().expect("a count")));
                    continue;
                }
                let without: Vec<_> = inner.trim_start_matches('-').split(',').collect();
                assert!(inner == "all" || inner.starts_with('-'), "{inner}");
                for (name, value) in fields.iter().filter(|(name, _)| !without.contains(name)) {
                    bytes.extend(format!("{name}: {value}\r\n").bytes());
                }
            }
            _ => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}

fn config(row: &Row) -> Arc<Config> {
    let mut config = Config::default();
    let limit = |name| row.number(name).map(|n| usize::try_from(n).unwrap());
    config.max_line = limit("line").unwrap_or(config.max_line);
    config.max_head = limit("head").unwrap_or(config.max_head);
    config.max_fields = limit("fields").map_or(config.max_fields, |n| n.try_into().unwrap());
    #[cfg(feature = "deflate")]
    if row.setup("deflate").is_some() {
        let mut policy = sockless::deflate::Policy::client();
        if let Some(bits) = row.number("window") {
            let bits = sockless::deflate::WindowBits::new(bits.try_into().unwrap());
            policy.server_max_window_bits = bits.expect("8 to 15");
        }
        config.deflate = Some(policy);
    }
    Arc::new(config)
}

/// What came of a head: words of the table, the output, and what stayed in the input.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    words: Vec<String>,
    out: Vec<u8>,
    left: Vec<u8>,
}

fn serve(row: &Row, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let new = || {
        let server = Server::new(config(row));
        if row.setup("plain").is_some() { server.with_plain_requests() } else { server }
    };
    let (mut server, mut out, mut left) = (new(), BytesMut::new(), Vec::new());
    let mut words = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut piece = bytes[start..end].to_vec();
        start = end;
        let mut input = &mut piece[..];
        let was_answered = !words.is_empty();
        match server.receive(&mut input, &mut out) {
            None => {}
            Some(_) if was_answered => panic!("a second verdict"),
            Some(Asked::Refused(error)) => words.push(format!("{error:?}")),
            Some(Asked::Plain(request)) => {
                let query = request.query().map(|query| format!("?{query}"));
                words.push(format!("plain={}{}", request.path(), query.unwrap_or_default()));
            }
            Some(Asked::Upgrade(request)) => {
                assert!(out.is_empty(), "nothing is said before the decision");
                let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
                words.push(format!("up={}{query}@{}", request.path(), request.authority()));
                for (kind, names) in [
                    ("sub", request.subprotocols().collect::<Vec<_>>()),
                    ("ext", request.extensions().map(|extension| extension.name).collect()),
                ] {
                    if !names.is_empty() {
                        words.push(format!("{kind}={}", names.join("+")));
                    }
                }
                left.extend_from_slice(input);
                left.extend_from_slice(&bytes[end..]);
                let _ = server.accept(Accept::new(&request), &mut out);
                words.push(String::from_utf8_lossy(&out[9..12]).into());
                return Outcome { words, out: out.to_vec(), left };
            }
            other => panic!("{other:?}"),
        }
        left.extend_from_slice(input);
    }
    Outcome { words, out: out.to_vec(), left }
}

fn ask(row: &Row, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let target = Target::parse("ws://h.example/").unwrap();
    let mut offer = Offer::new(&target);
    for name in row.setup("offers").into_iter().flat_map(|names| names.split('+')) {
        offer = offer.subprotocol(name).unwrap();
    }
    if row.setup("require").is_some() {
        offer = offer.require_subprotocol();
    }
    let (keys, mut out) = (Keys::new(|key| *key = [0; 4]), BytesMut::new());
    let mut client = Client::start(config(row), keys, &offer, &mut out);
    let (mut words, mut left) = (Vec::new(), Vec::new());
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut piece = bytes[start..end].to_vec();
        start = end;
        let mut input = &mut piece[..];
        let was_answered = !words.is_empty();
        match client.receive(&mut input) {
            None => {}
            Some(_) if was_answered => panic!("a second answer"),
            Some(Answer::Failed(error)) => words.push(format!("cfail:{error:?}")),
            Some(Answer::Refused(response)) => words.push(format!("http={}", response.status())),
            Some(Answer::Open { agreed, .. }) => {
                #[cfg(feature = "deflate")]
                assert_eq!(agreed.deflate.map(|it| it.to_string()), answered(bytes));
                words.push(format!("open={}", agreed.subprotocol.unwrap_or_default()));
            }
            Some(other) => panic!("{other:?}"),
        }
        left.extend_from_slice(input);
    }
    Outcome { words, out: vec![], left }
}

/// What a response that opens says of compression.
#[cfg(feature = "deflate")]
fn answered(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut values = text.lines().filter_map(|it| it.strip_prefix("Sec-WebSocket-Extensions: "));
    values.next().map(|value| value.replace('"', ""))
}

/// The same outcome whole, at every cut and byte by byte.
fn every_way(bytes: &[u8], feed: impl Fn(&[u8], &[usize]) -> Outcome) -> Result<Outcome, String> {
    let whole = feed(bytes, &[]);
    let every: Vec<_> = (1..bytes.len()).collect();
    // A long one is cut at a sample of places: it is one long line.
    let step = if bytes.len() > 1000 { bytes.len() / 32 } else { 1 };
    let singles = every.iter().step_by(step).map(|at| vec![*at]);
    for cuts in [every.clone()].into_iter().chain(singles) {
        let other = feed(bytes, &cuts);
        if other != whole {
            return Err(format!("cut at {:?}: {other:?}, not {whole:?}", cuts.first()));
        }
    }
    Ok(whole)
}

pub(crate) fn check_request(row: &Row) -> Result<(), String> {
    let bytes = head(&row.input, &REQUEST);
    let alone = every_way(&bytes, |bytes, cuts| serve(row, bytes, cuts))?;
    if alone.words.is_empty() {
        let is_silent = alone.out.is_empty() && alone.left.is_empty();
        return same(row, &["more".into()], is_silent);
    }
    // What follows the head is never a second request, nor part of the first.
    let behind = b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n";
    let followed =
        every_way(&[&bytes[..], behind].concat(), |bytes, cuts| serve(row, bytes, cuts))?;
    if followed.words != alone.words || followed.out != alone.out {
        return Err(format!("followed: {:?}, not {:?}", followed.words, alone.words));
    }
    let is_upgrade = alone.words[0].starts_with("up=");
    if is_upgrade || alone.words[0].starts_with("plain=") {
        return same(row, &alone.words, followed.left == behind);
    }
    let status = well_formed_refusal(&alone.out)?;
    let is_mute = followed.left.is_empty() && alone.out.len() <= 512;
    same(row, &[format!("rej:{status}:{}", alone.words[0])], is_mute)
}

pub(crate) fn check_response(row: &Row) -> Result<(), String> {
    let bytes = head(&row.input, &RESPONSE);
    let alone = every_way(&bytes, |bytes, cuts| ask(row, bytes, cuts))?;
    if alone.words.is_empty() {
        return same(row, &["more".into()], alone.left.is_empty());
    }
    let behind = b"\x81\x02hiHTTP/1.1 200 OK\r\n\r\n";
    let followed = every_way(&[&bytes[..], behind].concat(), |bytes, cuts| ask(row, bytes, cuts))?;
    if followed.words != alone.words {
        return Err(format!("followed: {:?}, not {:?}", followed.words, alone.words));
    }
    let is_failure = alone.words[0].starts_with("cfail");
    let left: &[u8] = if is_failure { b"" } else { behind };
    same(row, &alone.words, followed.left == left)
}

fn same(row: &Row, words: &[String], rest_is_right: bool) -> Result<(), String> {
    if row.outcome != words {
        return Err(format!("{words:?}, not {:?}", row.outcome));
    }
    if !row.output.is_empty() || !rest_is_right {
        return Err("the output, or what stays in the input".into());
    }
    Ok(())
}

/// One response that closes, with a length that is right: its status.
fn well_formed_refusal(out: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(out).map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no end of the head")?;
    let status =
        head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..4)).ok_or("no status")?;
    let has = |field: &str| head.contains(&format!("\r\n{field}"));
    // The answer to HEAD has the length of a body that is not there.
    let is_sized = has(&format!("Content-Length: {}", body.len()))
        || body.is_empty() && has("Content-Length: ");
    let upgrades = has("Upgrade: websocket") && has("Sec-WebSocket-Version: 13");
    let fits = match status {
        "405 " => has("Allow: GET"),
        "426 " => upgrades && has("Connection: close, Upgrade"),
        _ => !has("Upgrade") && !has("Allow"),
    };
    if !(is_sized && has("Connection: close") && fits) {
        return Err(format!("a malformed refusal: {text}"));
    }
    Ok(status.trim_end().into())
}
