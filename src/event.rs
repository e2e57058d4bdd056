//! RFC 6455 section 6.2: what a receiver hands out.
//!
//! Events say what arrived; what is owed for it is the reply's business (`Event::reply`).
//!
//! Invariant: an event borrows the caller's input at most, never the connection.

use crate::close::CloseCode;
use crate::error::ProtocolError;
use crate::frame::Kind;
use crate::payload::{Payload, Text};
use alloc::vec::Vec;

/// Something arrived. `'b` is the caller's input.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A whole text message.
    Text(Text<'b>),
    /// A whole binary message.
    Binary(Payload<'b>),
    /// A part of a message, in [`Delivery::Streamed`](crate::Delivery::Streamed).
    Chunk(Chunk<'b>),
    /// A Ping. [`Connection`](crate::Connection) has answered it, or holds the answer back
    /// ([`pending`](crate::Connection::pending)).
    Ping(Payload<'b>),
    /// A Pong, asked for or not.
    Pong(Payload<'b>),
    /// The peer's Close: the last event. [`Connection`](crate::Connection) has answered it.
    Close(Close<'b>),
    /// The peer broke the protocol: the last event. [`Connection`](crate::Connection) has put the
    /// Close that says so into the output, unless one was there before.
    Failed(ProtocolError),
}

/// A part of a message, in the order of arrival.
///
/// The joined parts of a text are UTF-8; a single one may end inside a character.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'b> {
    /// What the message is.
    pub kind: Kind,
    /// Whether the message begins with this chunk.
    pub first: bool,
    /// Whether the message ends with this chunk.
    pub last: bool,
    /// The bytes; empty only when the chunk is the last.
    pub data: Payload<'b>,
}

/// The content of a Close frame (section 5.5.1).
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Close<'b> {
    /// The code; [`CloseCode::NO_STATUS`] if the frame had none.
    pub code: CloseCode,
    /// The reason, or empty.
    pub reason: Text<'b>,
}

impl Event<'_> {
    /// The event with a payload of its own, to be kept while the input is used again.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Text(text) => Event::Text(text.into_owned()),
            Self::Binary(data) => Event::Binary(data.into_owned()),
            Self::Chunk(Chunk { kind, first, last, data }) => {
                Event::Chunk(Chunk { kind, first, last, data: data.into_owned() })
            }
            Self::Ping(data) => Event::Ping(data.into_owned()),
            Self::Pong(data) => Event::Pong(data.into_owned()),
            Self::Close(Close { code, reason }) => {
                Event::Close(Close { code, reason: reason.into_owned() })
            }
            Self::Failed(error) => Event::Failed(error),
        }
    }

    /// The buffer that its payload has to itself, if it has one.
    pub(crate) fn into_room(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) if !text.is_borrowed() => Some(text.into_string().into_bytes()),
            Self::Binary(data) | Self::Chunk(Chunk { data, .. }) if !data.is_borrowed() => {
                Some(data.into_vec())
            }
            _ => None,
        }
    }
}
