//! RFC 6455 sections 5.5.1, 5.5.3 and 7.1.7: what one half owes the peer for what it received.
//!
//! A [`Reply`] is a small value that travels from the receiving half to the sending one, over
//! whatever the caller has between them. One slot is enough: [`Reply::merge`] says which of two
//! survives. It writes nothing itself.
//!
//! Invariant: a reply is whole in itself: it borrows from no event.

use crate::close::{CloseCode, CloseReason};
use crate::control::Control;
use crate::event::Event;

/// A Pong or a Close that is owed for an event: 128 bytes, in place. Box it where a queue
/// of them is made in advance.
#[derive(Clone, Copy)]
pub struct Reply(pub(crate) Owed);

#[derive(Clone, Copy)]
pub(crate) enum Owed {
    /// The Ping's payload.
    Pong(Control),
    /// The peer's Close, to be echoed.
    Close(Control),
    /// The peer's mistake, to be told.
    Failure(CloseCode),
}

impl Reply {
    /// The one of two replies that is still owed, `newer` being the later.
    ///
    /// The newest Pong wins ("MAY elect to send a Pong frame for only the most recently processed
    /// Ping frame", section 5.5.3); a Close beats any Pong; of two Closes the first stands.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sockless::{Config, Receiver, Sender};
    ///
    /// let config = std::sync::Arc::new(Config::default());
    /// let (mut receiver, mut sender) = (Receiver::server(config.clone()), Sender::server(config));
    /// let (mut one, mut two) = (*b"\x89\x81\0\0\0\0a", *b"\x89\x81\0\0\0\0b");
    /// let one = receiver.receive(&mut &mut one[..]).unwrap().reply().unwrap();
    /// let two = receiver.receive(&mut &mut two[..]).unwrap().reply().unwrap();
    ///
    /// let mut out = BytesMut::new();
    /// sender.reply(&one.merge(two), &mut out);
    /// assert_eq!(&out[..], b"\x8a\x01b");
    /// ```
    #[must_use]
    pub const fn merge(self, newer: Self) -> Self {
        match (self.0, newer.0) {
            (Owed::Pong(_), _) => newer,
            (Owed::Close(_) | Owed::Failure(_), _) => self,
        }
    }
}

impl Event<'_> {
    /// What this event obliges the sending half to answer, if anything; nothing for a Ping that no
    /// peer can have sent, being too long.
    ///
    /// A [`Connection`](crate::Connection) answers by itself; with halves, hand it to
    /// [`Sender::reply`](crate::Sender::reply).
    pub fn reply(&self) -> Option<Reply> {
        Some(Reply(match self {
            Self::Ping(payload) => Owed::Pong(Control::new(payload)?),
            // One without a code is answered by one without a code. A peer's Close has no other
            // that may not be on the wire; one that was made by hand might.
            Self::Close(close) if !close.code.is_sendable() => Owed::Close(Control::EMPTY),
            Self::Close(close) => {
                Owed::Close(Control::close(close.code, &CloseReason::truncated(&close.reason)))
            }
            Self::Failed(error) => Owed::Failure(error.close_code()),
            Self::Text(_) | Self::Binary(_) | Self::Chunk(_) | Self::Pong(_) => return None,
        }))
    }
}

impl core::fmt::Debug for Reply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.0 {
            Owed::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
            Owed::Close(body) => write!(f, "Close({} bytes)", body.len()),
            Owed::Failure(code) => write!(f, "Failure({code})"),
        }
    }
}
