//! RFC 6455 section 6.2, for adapters: a read buffer that lends its events.
//!
//! A borrow handed out from inside a loop that then refills the same buffer does not compile, and
//! that is just what a `next()` wants to do. An [`Inbox`] takes it in two steps:
//! [`advance`](Inbox::advance) says whether there is an event, [`event`](Inbox::event) lends it.
//!
//! Invariant: `start <= end <= buffer.len()`; a lent payload ends at `start`, where the input that
//! follows it begins.

use crate::close::CloseCode;
use crate::connection::Connection;
use crate::event::{Chunk, Close, Event};
use crate::frame::Kind;
use crate::payload::{Payload, Text};
use crate::utf8;
use alloc::{boxed::Box, vec};
use bytes::BytesMut;
use core::fmt;

/// A read buffer of a fixed size, from which events are lent.
///
/// What a handshake left in its input goes in first: copy it to [`room`](Self::room), which needs
/// to be that large, and say how much by [`filled`](Self::filled).
///
/// ```
/// use bytes::BytesMut;
/// use sockless::{Config, Connection, Event, Inbox};
///
/// struct Client { connection: Connection, inbox: Inbox, out: BytesMut, wire: Vec<u8> }
///
/// impl Client {
///     /// Lends the next event: the loop refills the buffer that the event borrows.
///     fn next(&mut self) -> Option<Event<'_>> {
///         while !self.inbox.advance(&mut self.connection, &mut self.out) {
///             let room = self.inbox.room();
///             let n = room.len().min(self.wire.len()); // a read(2), elsewhere
///             if n == 0 {
///                 return None;
///             }
///             room[..n].copy_from_slice(&self.wire[..n]);
///             self.wire.drain(..n);
///             self.inbox.filled(n);
///         }
///         self.inbox.event()
///     }
/// }
///
/// let config = std::sync::Arc::new(Config::default());
/// let mut client = Client {
///     connection: Connection::server(config),
///     inbox: Inbox::new(8),
///     out: BytesMut::new(),
///     wire: b"\x81\x82\0\0\0\0hi\x81\x83\0\0\0\0you".to_vec(),
/// };
/// assert_eq!(client.next(), Some(Event::Text("hi".into())));
/// assert_eq!(client.next(), Some(Event::Text("you".into())));
/// assert_eq!(client.next(), None);
/// ```
pub struct Inbox {
    buffer: Box<[u8]>,
    /// `buffer[start..end]` is input that is not consumed yet.
    start: usize,
    end: usize,
    event: Option<Held>,
}

/// An event between `advance` and `event`.
enum Held {
    Owned(Event<'static>),
    /// Its payload is the last bytes before `start`, this many.
    Lent(Shape, usize),
}

/// An event without its payload.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Binary,
    Chunk { kind: Kind, first: bool, last: bool },
    Ping,
    Pong,
    Close(CloseCode),
}

impl Inbox {
    /// An inbox that reads at most `size` bytes at a time; at least one.
    pub fn new(size: usize) -> Self {
        let buffer = vec![0; size.max(1)].into();
        Self { buffer, start: 0, end: 0, event: None }
    }

    /// Where to read to: the whole buffer once [`advance`](Self::advance) has returned `false`.
    /// Before that it is only the free end, which may be empty: do not read then, since a read of
    /// no bytes looks like the end.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end && self.event.is_none() {
            (self.start, self.end) = (0, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// The first `len` bytes of [`room`](Self::room) were read into; more than it has is all of it.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// Goes to the next event; `false` when all that was read is consumed. What the connection
    /// answers by itself goes to `out`.
    pub fn advance(&mut self, connection: &mut Connection, out: &mut BytesMut) -> bool {
        let mut input = self.buffer.get_mut(self.start..self.end).unwrap_or_default();
        self.event = connection.receive(&mut input, out).map(Held::new);
        self.start = self.end.saturating_sub(input.len());
        self.event.is_some()
    }

    /// The event that [`advance`](Self::advance) went to; `None` if there was none. One that is
    /// owned is given once, one that is lent as often as it is asked for.
    pub fn event(&mut self) -> Option<Event<'_>> {
        let (shape, len) = match self.event.take()? {
            Held::Owned(event) => return Some(event),
            Held::Lent(shape, len) => (shape, len),
        };
        self.event = Some(Held::Lent(shape, len));
        let consumed = self.buffer.get_mut(..self.start)?;
        let (_, payload) = consumed.split_at_mut_checked(self.start.checked_sub(len)?)?;
        Some(shape.open(payload))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Inbox({} bytes unread of {})",
            self.end.saturating_sub(self.start),
            self.buffer.len()
        )
    }
}

impl Held {
    fn new(event: Event<'_>) -> Self {
        let (shape, len) = match &event {
            Event::Text(text) if text.is_borrowed() => (Shape::Text, text.len()),
            Event::Binary(data) if data.is_borrowed() => (Shape::Binary, data.len()),
            Event::Ping(data) if data.is_borrowed() => (Shape::Ping, data.len()),
            Event::Pong(data) if data.is_borrowed() => (Shape::Pong, data.len()),
            Event::Chunk(Chunk { kind, first, last, data }) if data.is_borrowed() => {
                (Shape::Chunk { kind: *kind, first: *first, last: *last }, data.len())
            }
            Event::Close(Close { code, reason }) if reason.is_borrowed() => {
                (Shape::Close(*code), reason.len())
            }
            _ => return Self::Owned(event.into_owned()),
        };
        Self::Lent(shape, len)
    }
}

impl Shape {
    /// The event again. A text was validated in this very buffer, which nobody else can write to.
    fn open(self, data: &mut [u8]) -> Event<'_> {
        match self {
            Self::Text => Event::Text(text(data)),
            Self::Binary => Event::Binary(Payload::from(data)),
            Self::Ping => Event::Ping(Payload::from(data)),
            Self::Pong => Event::Pong(Payload::from(data)),
            Self::Chunk { kind, first, last } => {
                Event::Chunk(Chunk { kind, first, last, data: Payload::from(data) })
            }
            Self::Close(code) => Event::Close(Close { code, reason: text(data) }),
        }
    }
}

fn text(data: &[u8]) -> Text<'_> {
    let text = utf8::whole(data);
    debug_assert!(text.is_some(), "validated by the receiver");
    text.unwrap_or_default().into()
}
