//! What the targets share: choices drawn from the front of the fuzzer's bytes, pieces, and a trace
//! of a session.

pub mod inflate;

use bytes::BytesMut;
use sockless::deflate::{Context, Contexts, Policy, WindowBits};
use sockless::frame::Kind;
use sockless::{Closed, Config, Connection, Delivery, Event, Keys, ProtocolError, Role, Want};
use std::sync::Arc;

/// The fuzzer's bytes: choices first, then data. What is not there is zero.
pub struct Choices<'d>(pub &'d [u8]);

impl<'d> Choices<'d> {
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn short(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub fn take(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to fifteen places to cut at, wherever they fall.
    pub fn cuts(&mut self) -> Vec<usize> {
        (0..self.byte() % 16).map(|_| self.short()).collect()
    }
}

/// `bytes` in pieces that end at `cuts`, taken modulo the length.
pub fn pieces<'d>(bytes: &'d [u8], cuts: &[usize]) -> Vec<&'d [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// A head whose HTTP/1.2 and above is HTTP/1.1, which it is to be read as (RFC 9110 section 2.5).
/// The parser that ours is compared with refuses it.
pub fn as_http_1_1(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    let start = head.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = head[start..].split_mut(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(at) = line
        .windows(8)
        .rposition(|eight| eight.starts_with(b"HTTP/1.") && matches!(eight[7], b'2'..=b'9'))
    {
        line[at + 7] = b'1';
    }
    head
}

/// Keys that a seed can be written for.
pub fn keys() -> Keys {
    Keys::new(|key| *key = [0x37, 0xfa, 0x21, 0x3d])
}

/// A configuration, drawn: small limits run out, large ones do not.
pub fn config(choices: &mut Choices<'_>) -> Config {
    let (flags, mut config) = (choices.byte(), Config::default());
    config.delivery = if flags & 1 == 0 { Delivery::Whole } else { Delivery::Streamed };
    if flags & 2 != 0 {
        config.max_frame = choices.byte().into();
        config.max_message = 2 * config.max_frame;
        config.max_streamed = 3 * config.max_frame;
        config.max_fragments = u32::from(choices.byte() % 8);
        config.max_empty_fragments = u16::from(choices.byte() % 4);
        config.high_water = choices.byte().into();
    }
    if flags & 4 != 0 {
        let mut policy = Policy::server();
        (policy.level, policy.memory) = (flags >> 3 & 1, 1 + (flags >> 4 & 1));
        policy.threshold = usize::from(flags >> 5) * 8;
        policy.max_ratio = (flags >> 5 == 7).then_some(4);
        config.deflate = Some(policy);
    }
    config
}

/// One side of a connection, with compression in these contexts if the configuration has it.
pub fn connection(role: Role, config: Config, contexts: Contexts) -> Connection {
    let compressed = config.deflate.is_some();
    let connection = match role {
        Role::Server => Connection::server(Arc::new(config)),
        Role::Client => Connection::client(Arc::new(config), keys()),
    };
    if compressed { connection.with_deflate(contexts) } else { connection }
}

pub fn context(choices: &mut Choices<'_>) -> Context {
    let byte = choices.byte();
    let window = WindowBits::new(8 + byte % 8).unwrap_or(WindowBits::MAX);
    Context::new(window, byte & 0x80 != 0)
}

/// What was seen of an event, with the chunks of one message joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Message(Kind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Failed(ProtocolError),
}

/// All that a session shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    pub events: Vec<Seen>,
    pub out: Vec<u8>,
    pub want: Want,
    pub error: Option<ProtocolError>,
    pub closed: Closed,
}

/// Feeds the pieces, echoing whole messages.
pub fn run(mut connection: Connection, pieces: &[&[u8]]) -> Trace {
    let (mut out, mut events) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(event) = connection.receive(&mut input, &mut out) {
            match &event {
                Event::Text(text) => connection.send_text(text, &mut out).unwrap_or_default(),
                Event::Binary(data) => connection.send_binary(data, &mut out).unwrap_or_default(),
                _ => {}
            }
            see(&mut events, event);
        }
        assert!(input.is_empty(), "input left over");
    }
    let (want, error) = (connection.want(), connection.error());
    Trace { events, out: out.to_vec(), want, error, closed: connection.eof() }
}

pub fn see(events: &mut Vec<Seen>, event: Event<'_>) {
    events.push(match event {
        Event::Text(text) => Seen::Message(Kind::Text, text.as_bytes().to_vec(), true),
        Event::Binary(data) => Seen::Message(Kind::Binary, data.to_vec(), true),
        Event::Chunk(chunk) if chunk.first => {
            Seen::Message(chunk.kind, chunk.data.to_vec(), chunk.last)
        }
        Event::Chunk(chunk) => {
            assert!(chunk.last || !chunk.data.is_empty(), "an empty chunk that ends nothing");
            // Control frames may stand between the parts of a message.
            let open = events.iter_mut().rev().find_map(|seen| match seen {
                Seen::Message(kind, data, done) => Some((kind, data, done)),
                _ => None,
            });
            let Some((kind, data, done)) = open else { panic!("a chunk of no message") };
            assert_eq!((*kind, *done), (chunk.kind, false));
            data.extend_from_slice(&chunk.data);
            *done = chunk.last;
            return;
        }
        Event::Ping(data) => Seen::Ping(data.to_vec()),
        Event::Pong(data) => Seen::Pong(data.to_vec()),
        Event::Close(close) => Seen::Close(close.code.into(), close.reason.to_string()),
        Event::Failed(error) => Seen::Failed(error),
        other => panic!("unknown event {other:?}"),
    });
}
