//! A session: its configuration drawn from the fuzzer's bytes, and a trace of it.

use crate::{Choices, logged};
use bytes::BytesMut;
use sockless::deflate::{Context, Contexts, Policy, WindowBits};
use sockless::frame::Kind;
use sockless::{
    Closed, Config, Connection, Delivery, Event, Inbox, Keys, ProtocolError, Role, Want,
};
use std::sync::Arc;

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
            echo(&mut connection, &event, &mut out);
            see(&mut events, &event);
        }
        assert!(input.is_empty(), "input left over");
    }
    end(connection, events, &out)
}

/// The same through an [`Inbox`] of `size` bytes.
pub fn run_inbox(mut connection: Connection, size: usize, mut bytes: &[u8]) -> Trace {
    let (mut out, mut events, mut inbox) = (BytesMut::new(), Vec::new(), Inbox::new(size));
    loop {
        while inbox.advance(&mut connection, &mut out) {
            if let Some(event) = inbox.event() {
                echo(&mut connection, &event, &mut out);
                see(&mut events, &event);
            }
        }
        let room = inbox.room();
        let (piece, rest) = bytes.split_at(room.len().min(bytes.len()));
        if piece.is_empty() {
            return end(connection, events, &out);
        }
        room[..piece.len()].copy_from_slice(piece);
        inbox.filled(piece.len());
        bytes = rest;
    }
}

/// The same through two halves that pass on what is owed, and where every Pong goes out in time.
pub fn run_halves(connection: Connection, bytes: &[u8]) -> (Vec<Seen>, Vec<u8>, Want, Closed) {
    let (mut receiver, mut sender) = connection.split();
    let (mut out, mut events, mut bytes) = (BytesMut::new(), Vec::new(), bytes.to_vec());
    let mut input = &mut bytes[..];
    loop {
        sender.flush(&mut out);
        let Some(event) = receiver.receive(&mut input) else { break };
        if let Some(reply) = event.reply() {
            sender.reply(&reply, &mut out);
        }
        match &event {
            Event::Text(text) => sender.send_text(text, &mut out).unwrap_or_default(),
            Event::Binary(data) => sender.send_binary(data, &mut out).unwrap_or_default(),
            _ => {}
        }
        see(&mut events, &event);
    }
    let (want, (code, reason)) = (sender.want(), receiver.eof());
    (events, out.to_vec(), want, Closed { code, reason, clean: sender.eof() })
}

fn echo(connection: &mut Connection, event: &Event<'_>, out: &mut BytesMut) {
    match event {
        Event::Text(text) => connection.send_text(text, out).unwrap_or_default(),
        Event::Binary(data) => connection.send_binary(data, out).unwrap_or_default(),
        _ => {}
    }
}

fn end(mut connection: Connection, events: Vec<Seen>, out: &[u8]) -> Trace {
    assert!(format!("{connection:?}").len() < 300);
    let (want, error) = (connection.want(), connection.error());
    Trace { events, out: out.to_vec(), want, error, closed: connection.eof() }
}

pub fn see(events: &mut Vec<Seen>, event: &Event<'_>) {
    // A log has no room for what a peer sent.
    assert!(format!("{event:?}").len() < 120);
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
        Event::Failed(error) => {
            logged(error);
            Seen::Failed(*error)
        }
        other => panic!("unknown event {other:?}"),
    });
}
