//! RFC 6455 section 5.4 and RFC 7692 section 7.1.1: what messages take, lent to any number of
//! connections in turns.
//!
//! A message that does not lie whole in its input needs a buffer, one that is compressed a codec
//! too. Neither belongs to a connection: without context takeover a message refers to nothing
//! before it, so any codec will do. To make these takes longer than to use them on a short message,
//! and a long one moves as its buffer grows. Whoever serves many connections in turns keeps one
//! pool and lends it to the one whose turn it is; a lock or a hidden global has no place here.
//!
//! Invariant: what is kept here has forgotten every message.

use crate::assembler::Spare;
#[cfg(feature = "deflate")]
use crate::deflate::Codecs;
use core::fmt;

/// Room for a message, an inflater and a deflater, to be lent to one connection at a time, between
/// the call of [`Connection::borrow_from`](crate::Connection::borrow_from) and that of
/// [`return_to`](crate::Connection::return_to).
///
/// What is sent and received is the same without it; it only takes longer. The first connection to
/// need something makes it. The room is handed out with a message that fills it; it comes back by
/// [`Connection::recycle`](crate::Connection::recycle). Connections that agreed to context takeover
/// have codecs of their own. A deflater is only of use to those with the same window and policy,
/// and the one that was used last is kept; one of level 9 is not, nor is one taken for a message
/// that is sent in several fragments, for there it might remember a byte of another's.
///
/// A pool holds at most room for the longest message, as [`Config`](crate::Config) has it, and two
/// codecs.
///
/// ```
/// use bytes::BytesMut;
/// use sockless::{Connection, Event, Pool};
///
/// let mut connections = [(); 2].map(|()| Connection::server(Default::default()));
/// let (mut pool, mut out) = (Pool::new(), BytesMut::new());
/// for connection in &mut connections {
///     let mut read = *b"\x01\x83\0\0\0\0Hel\x80\x82\0\0\0\0lo"; // in two fragments
///     let mut input = &mut read[..];
///     connection.borrow_from(&mut pool);
///     while let Some(event) = connection.receive(&mut input, &mut out) {
///         assert_eq!(event, Event::Text("Hello".into()));
///         connection.recycle(event);
///     }
///     connection.return_to(&mut pool);
/// }
/// assert!(pool.room() >= 5); // the second message was assembled where the first had been
/// ```
#[derive(Default)]
pub struct Pool {
    pub(crate) spare: Spare,
    #[cfg(feature = "deflate")]
    pub(crate) codecs: Codecs,
}

impl Pool {
    /// An empty one: what is in it is made when it is needed.
    pub const fn new() -> Self {
        Self {
            spare: Spare::NONE,
            #[cfg(feature = "deflate")]
            codecs: Codecs::new(),
        }
    }

    /// How many bytes of a message have room without more being made. To get rid of what a very
    /// long one left, drop the pool and make another.
    pub fn room(&self) -> usize {
        self.spare.room()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pool = f.debug_struct("Pool");
        pool.field("spare", &self.room());
        #[cfg(feature = "deflate")]
        pool.field("codecs", &self.codecs);
        pool.finish()
    }
}
