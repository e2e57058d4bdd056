//! Frame streams after a finished handshake.
//!
//! Settings: `deflate`, compression with full windows that are kept; `frame`, `message`,
//! `fragments`, `empties`, `limit`, limits (the last for streamed delivery); `whole`, `streamed`,
//! that delivery only; `closed`, our own Close with 1000 is out.
//!
//! Outcome: `text:BYTES`, `bin:BYTES`, `ping:BYTES`, `pong:BYTES`, `close:CODE:BYTES` (1005 for
//! none), `fail:CODE:RULE`, `part-text:BYTES` and `part-bin:BYTES`: the beginning of a message that
//! has no end, which only streamed delivery shows, and not of what is compressed.

use crate::notation::{Row, bytes};
use bytes::BytesMut;
use sockless::{
    CloseCode, Closed, Config, Connection, Delivery, Event, Keys, Kind, ProtocolError, Role, Want,
};
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) fn check_server(row: &Row) -> Result<(), String> {
    check(Role::Server, row)
}

pub(crate) fn check_client(row: &Row) -> Result<(), String> {
    check(Role::Client, row)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    events: Vec<String>,
    out: Vec<u8>,
    want: Want,
    error: Option<ProtocolError>,
    closed: Closed,
}

fn config(row: &Row, delivery: Delivery) -> Config {
    let mut config = Config::default();
    config.delivery = delivery;
    config.max_streamed = row.number("limit").unwrap_or(1 << 20);
    config.max_frame = row.number("frame").unwrap_or(config.max_frame);
    config.max_message = row.number("message").unwrap_or(config.max_message);
    if let Some(fragments) = row.number("fragments") {
        config.max_fragments = u32::try_from(fragments).unwrap();
    }
    if let Some(empties) = row.number("empties") {
        config.max_empty_fragments = u16::try_from(empties).unwrap();
    }
    config
}

fn connection(role: Role, config: Config, compressing: bool) -> Connection {
    let keys = Keys::new(|key| *key = [0x37, 0xfa, 0x21, 0x3d]);
    let connection = match role {
        Role::Server => Connection::server(Arc::new(config)),
        Role::Client => Connection::client(Arc::new(config), keys),
    };
    #[cfg(feature = "deflate")]
    if compressing {
        let agreed = sockless::deflate::Params::default();
        return connection.with_deflate(match role {
            Role::Server => sockless::deflate::Policy::server().server_contexts(&agreed),
            Role::Client => sockless::deflate::Policy::client().client_contexts(&agreed),
        });
    }
    assert!(!compressing, "needs the feature");
    connection
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A message as far as it came.
struct Part {
    kind: Kind,
    data: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    events: Vec<String>,
    part: Option<Part>,
}

impl Seen {
    fn see(&mut self, event: &Event<'_>) {
        let event = match event {
            Event::Text(text) => format!("text:{}", hex(text.as_bytes())),
            Event::Binary(data) => format!("bin:{}", hex(data)),
            Event::Chunk(chunk) => {
                assert_eq!(chunk.first, self.part.is_none());
                let part = self.part.get_or_insert(Part { kind: chunk.kind, data: vec![] });
                assert_eq!(part.kind, chunk.kind);
                part.data.extend_from_slice(&chunk.data);
                if !chunk.last {
                    return;
                }
                self.end("")
            }
            Event::Ping(data) => format!("ping:{}", hex(data)),
            Event::Pong(data) => format!("pong:{}", hex(data)),
            Event::Close(close) => {
                let code = u16::from(close.code);
                format!("close:{code}:{}", hex(close.reason.as_bytes()))
            }
            Event::Failed(error) => format!("fail:{}:{error:?}", u16::from(error.close_code())),
            other => panic!("{other:?}"),
        };
        self.events.push(event);
    }

    fn end(&mut self, prefix: &str) -> String {
        let part = self.part.take().expect("a message");
        let kind = if part.kind == Kind::Text { "text" } else { "bin" };
        format!("{prefix}{kind}:{}", hex(&part.data))
    }
}

/// Feeds `input` in pieces that end at `cuts`, drains `drain` bytes of output after each.
fn run(role: Role, config: Config, row: &Row, input: &[u8], cuts: &[usize], drain: usize) -> Trace {
    let mut connection = connection(role, config, row.setup("deflate").is_some());
    let (mut out, mut written) = (BytesMut::new(), Vec::new());
    if row.setup("closed").is_some() {
        connection.close(CloseCode::NORMAL, "", &mut out).unwrap();
    }
    let mut seen = Seen::default();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        let mut piece = input[start..end].to_vec();
        start = end;
        let mut rest = &mut piece[..];
        while let Some(event) = connection.receive(&mut rest, &mut out) {
            seen.see(&event);
        }
        assert!(rest.is_empty(), "input left over");
        let size = drain.min(out.len());
        written.extend_from_slice(&out.split_to(size));
    }
    assert!(!connection.pending(), "nothing is held back below the high-water mark");
    written.extend_from_slice(&out);
    if seen.part.is_some() {
        let part = seen.end("part-");
        seen.events.push(part);
    }
    let (want, error) = (connection.want(), connection.error());
    Trace { events: seen.events, out: written, want, error, closed: connection.eof() }
}

/// Messages and control frames apart: streamed delivery tells a message when it begins to come,
/// whole delivery when it ends.
fn apart(events: &[String]) -> (Vec<&String>, Vec<&String>) {
    let is_message = |e: &&String| ["text", "bin", "part"].iter().any(|kind| e.starts_with(kind));
    events.iter().partition(is_message)
}

/// What the table says, for one delivery.
fn expected(row: &Row, delivery: Delivery) -> Result<Vec<String>, String> {
    let plain = |event: &String| match event.split_once(':') {
        Some((kind @ ("text" | "bin" | "ping" | "pong" | "part-text" | "part-bin"), payload)) => {
            Ok(format!("{kind}:{}", hex(&bytes(payload))))
        }
        Some(("close" | "fail", _)) => Ok(event.clone()),
        _ => Err(format!("no event: {event}")),
    };
    let events: Result<Vec<_>, _> = row.outcome.iter().map(plain).collect();
    let shows_parts = delivery == Delivery::Streamed && row.setup("deflate").is_none();
    Ok(events?.into_iter().filter(|e| shows_parts || !e.starts_with("part")).collect())
}

fn check(role: Role, row: &Row) -> Result<(), String> {
    let input = bytes(&row.input);
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let other = if delivery == Delivery::Whole { "streamed" } else { "whole" };
        if row.setup(other).is_some() {
            continue;
        }
        let config = config(row, delivery);
        let mut whole = run(role, config.clone(), row, &input, &[], usize::MAX);
        every_way(role, &config, row, &input, &whole)?;
        if row.setup("deflate").is_some() {
            whole.events.retain(|event| !event.starts_with("part"));
        }
        verdict(role, row, delivery, &whole)?;
    }
    Ok(())
}

fn every_way(
    role: Role,
    config: &Config,
    row: &Row,
    input: &[u8],
    whole: &Trace,
) -> Result<(), String> {
    let same = |way: &str, input: &[u8], cuts: &[usize], drain| {
        let trace = run(role, config.clone(), row, input, cuts, drain);
        if &trace == whole { Ok(()) } else { Err(format!("{way}: {trace:?}, not {whole:?}")) }
    };
    let every: Vec<_> = (1..input.len()).collect();
    same("byte by byte", input, &every, usize::MAX)?;
    same("byte by byte, drained alike", input, &every, 1)?;
    same("undrained", input, &every, 0)?;
    // A long one is cut around its headers, and at its end.
    let edge = if input.len() > 1000 { 32 } else { input.len() };
    for at in every.into_iter().filter(|at| *at < edge || at + edge > input.len()) {
        same(&format!("cut at {at}"), input, &[at], 1)?;
    }
    let is_over = whole.want != Want::Read;
    if is_over {
        let mut more = input.to_vec();
        let mask: &[u8] = if role == Role::Server { &[0x80, 0, 0, 0, 0] } else { &[0] };
        for first in [0x89, 0x81, 0x88, 0x7f] {
            more.push(first);
            more.extend_from_slice(mask);
        }
        same("with more after it", &more, &[], usize::MAX)?;
        let every: Vec<_> = (1..more.len()).collect();
        same("with more after it, byte by byte", &more, &every, 1)?;
    }
    Ok(())
}

fn verdict(role: Role, row: &Row, delivery: Delivery, trace: &Trace) -> Result<(), String> {
    let wanted = expected(row, delivery)?;
    let is_same = match delivery {
        Delivery::Whole => trace.events == wanted,
        Delivery::Streamed => apart(&trace.events) == apart(&wanted),
    };
    if !is_same {
        return Err(format!("{delivery:?}: {:?}, not {wanted:?}", trace.events));
    }
    let out = if row.output.is_empty() { vec![] } else { bytes(&row.output) };
    if trace.out != out {
        return Err(format!("{delivery:?}: writes {}, not {}", hex(&trace.out), hex(&out)));
    }
    // What follows from the last event.
    let last = row.outcome.iter().rfind(|event| !event.starts_with("part"));
    let mut words = last.map_or("", |last| last).split(':');
    let (kind, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let both_closed = if role == Role::Server { Want::CloseNow } else { Want::AwaitEof };
    let (want, clean, code) = match kind {
        "close" => (both_closed, true, code.parse().map_err(|_| "a code")?),
        "fail" => (Want::CloseNow, false, CloseCode::ABNORMAL.into()),
        _ => (Want::Read, false, CloseCode::ABNORMAL.into()),
    };
    let found = (trace.want, trace.closed.clean, u16::from(trace.closed.code));
    let has_error = trace.error.is_some() == (kind == "fail");
    if found != (want, clean, code) || !has_error {
        return Err(format!("{delivery:?}: ends as {found:?} with {:?}", trace.error));
    }
    Ok(())
}
