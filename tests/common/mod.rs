//! What the integration tests share: frames from the outside, and a trace of a session.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use bytes::BytesMut;
use sockless::frame::{Header, Kind, Opcode};
use sockless::{Closed, Config, Connection, Delivery, Event, Keys, ProtocolError, Role, Want};
use std::sync::Arc;

/// What was seen of an event, owned, with chunks of one message joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    /// A message in streamed delivery; whether it came to its end.
    Streamed(Kind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Failed(ProtocolError),
}

/// All that a session shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    pub events: Vec<Seen>,
    pub out: Vec<u8>,
    pub want: Want,
    pub error: Option<ProtocolError>,
    pub closed: Closed,
}

/// Keys that anyone can predict: the third of `Hello`'s in RFC 6455 section 5.7.
pub fn fixed_keys() -> Keys {
    Keys::new(|key| *key = [0x37, 0xfa, 0x21, 0x3d])
}

pub fn connection(role: Role, config: Config) -> Connection {
    #[cfg(feature = "deflate")]
    let deflate = config.deflate;
    let connection = match role {
        Role::Server => Connection::server(Arc::new(config)),
        Role::Client => Connection::client(Arc::new(config), fixed_keys()),
    };
    #[cfg(feature = "deflate")]
    if let Some(policy) = deflate {
        // As if the answer had no parameters: full windows, kept from message to message.
        let agreed = sockless::deflate::Params::default();
        return connection.with_deflate(match role {
            Role::Server => policy.server_contexts(&agreed),
            Role::Client => policy.client_contexts(&agreed),
        });
    }
    connection
}

pub fn streamed() -> Config {
    let mut config = Config::default();
    config.delivery = Delivery::Streamed;
    config
}

/// Feeds `bytes` in pieces that end at `cuts` (ascending), echoing messages as the documented loop
/// does.
pub fn run(role: Role, config: Config, bytes: &[u8], cuts: &[usize]) -> Trace {
    let mut connection = connection(role, config);
    let mut out = BytesMut::new();
    let mut events = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut piece = bytes[start..end].to_vec();
        start = end;
        let mut input = &mut piece[..];
        while let Some(event) = connection.receive(&mut input, &mut out) {
            match &event {
                // A message that came before the end may be answered; after a Close, it may not.
                Event::Text(text) => connection.send_text(text, &mut out).unwrap_or_default(),
                Event::Binary(data) => connection.send_binary(data, &mut out).unwrap_or_default(),
                _ => {}
            }
            see(&mut events, &event);
        }
        assert!(input.is_empty(), "input left over");
    }
    let (want, error) = (connection.want(), connection.error());
    Trace { events, out: out.to_vec(), want, error, closed: connection.eof() }
}

fn see(events: &mut Vec<Seen>, event: &Event<'_>) {
    let seen = match event {
        Event::Text(text) => Seen::Text(text.to_string()),
        Event::Binary(data) => Seen::Binary(data.to_vec()),
        Event::Chunk(chunk) => {
            assert!(chunk.last || !chunk.data.is_empty(), "an empty chunk that ends nothing");
            let open = events.iter_mut().rev().find_map(|seen| match seen {
                Seen::Streamed(kind, data, done) => Some((kind, data, done)),
                _ => None,
            });
            match open {
                Some((kind, data, done)) if !chunk.first => {
                    assert_eq!((*kind, *done), (chunk.kind, false));
                    data.extend_from_slice(&chunk.data);
                    *done = chunk.last;
                    return;
                }
                open => {
                    assert!(chunk.first && open.is_none_or(|(_, _, done)| *done));
                    Seen::Streamed(chunk.kind, chunk.data.to_vec(), chunk.last)
                }
            }
        }
        Event::Ping(data) => Seen::Ping(data.to_vec()),
        Event::Pong(data) => Seen::Pong(data.to_vec()),
        Event::Close(close) => Seen::Close(close.code.into(), close.reason.to_string()),
        Event::Failed(error) => Seen::Failed(*error),
        other => panic!("unknown event {other:?}"),
    };
    events.push(seen);
}

/// Runs whole, byte by byte and at every single cut, and asserts that all traces are one.
pub fn run_every_way(role: Role, config: &Config, bytes: &[u8]) -> Trace {
    let whole = run(role, config.clone(), bytes, &[]);
    let every: Vec<_> = (1..bytes.len()).collect();
    assert_eq!(run(role, config.clone(), bytes, &every), whole, "byte by byte: {bytes:02x?}");
    if bytes.len() < 300 {
        for cut in every {
            assert_eq!(run(role, config.clone(), bytes, &[cut]), whole, "{cut}: {bytes:02x?}");
        }
    }
    whole
}

/// A frame as the peer of `role` sends it.
pub fn frame_to(role: Role, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = role.expects_mask().then_some([0x11, 0xb2, 0x43, 0xf4]);
    let len = payload.len() as u64;
    let header = Header { fin, rsv1: false, opcode, mask: key, len };
    let mut frame = header.encode().expect("a short payload").to_vec();
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

pub fn hex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0, "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits"))
        .collect()
}
