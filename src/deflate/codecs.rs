//! RFC 7692 section 7.1.1: one pair of codecs for any number of connections that keep no context.
//!
//! Without context takeover a message refers to nothing before it, so any codec will do for it. To
//! make one takes longer than to use it on a short message. Whoever serves many connections in turns
//! keeps a pair and lends it to the one whose turn it is; a lock or a hidden global has no place
//! here.
//!
//! Invariant: what is kept here has forgotten every message.

use super::{Context, Deflater, Inflater, Policy};
use alloc::boxed::Box;

/// An inflater and a deflater to be lent to one connection at a time, between the call of
/// [`Connection::borrow_codecs`](crate::Connection::borrow_codecs) and that of
/// [`return_codecs`](crate::Connection::return_codecs).
///
/// What is sent and received is the same without them; it only takes longer: a codec is made for each
/// message then. The first connection to need one makes it. Connections that agreed to context
/// takeover borrow nothing: each has its own. A deflater is only of use to those with the same window
/// and policy, and the one that was used last is kept.
///
/// ```
/// use bytes::BytesMut;
/// use sockless::deflate::{Codecs, Context, Contexts, WindowBits};
/// use sockless::{Config, Connection, Event};
///
/// let context = Context::new(WindowBits::MAX, false);
/// let agreed = Contexts { inflate: context, deflate: context };
/// let mut connections =
///     [(); 2].map(|()| Connection::server(Default::default()).with_deflate(agreed));
///
/// let (mut codecs, mut out) = (Codecs::new(), BytesMut::new());
/// for connection in &mut connections {
///     let mut read = *b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
///     let mut input = &mut read[..];
///     connection.borrow_codecs(&mut codecs);
///     while let Some(event) = connection.receive(&mut input, &mut out) {
///         assert_eq!(event, Event::Text("Hello".into()));
///     }
///     connection.return_codecs(&mut codecs);
/// }
/// ```
#[derive(Default)]
pub struct Codecs {
    pub(crate) inflater: Option<Box<Inflater>>,
    pub(crate) deflater: Option<Box<Deflater>>,
}

impl Codecs {
    /// None yet: they are made when they are needed.
    pub const fn new() -> Self {
        Self { inflater: None, deflater: None }
    }

    /// The deflater, if it is of use for messages of this `context` and `policy`.
    pub(crate) fn deflater(&mut self, context: Context, policy: &Policy) -> Option<Box<Deflater>> {
        self.deflater.take_if(|deflater| deflater.suits(context, policy))
    }
}

impl core::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codecs")
            .field("inflater", &self.inflater.is_some())
            .field("deflater", &self.deflater.is_some())
            .finish()
    }
}
