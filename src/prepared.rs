//! RFC 6455 section 5.6: a message encoded once, for any number of connections.
//!
//! A server's frames are the same for every peer, so a broadcast needs one encoding and a
//! reference for each member. A client's are not: it masks each with a key of its own.
//!
//! Invariant: `frame` is a whole, unmasked, final frame; its payload starts at `payload`.

use crate::frame::{Header, Kind};
use bytes::{BufMut, Bytes, BytesMut};

/// A message ready to be sent by many connections; cloning it costs a reference count.
///
/// ```
/// use sockless::{Config, Prepared, Sender};
/// let hello = Prepared::text("Hello");
/// let mut member = Sender::server(std::sync::Arc::new(Config::default()));
/// assert_eq!(&member.prepared(&hello)?[..], b"\x81\x05Hello");
/// # Ok::<(), sockless::SendError>(())
/// ```
#[derive(Clone)]
pub struct Prepared {
    kind: Kind,
    payload: usize,
    frame: Bytes,
}

impl Prepared {
    /// Prepares a text message.
    pub fn text(text: &str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// Prepares a binary message.
    pub fn binary(data: &[u8]) -> Self {
        Self::new(Kind::Binary, data)
    }

    fn new(kind: Kind, data: &[u8]) -> Self {
        let len = data.len() as u64;
        let header = Header { fin: true, rsv1: false, opcode: kind.opcode(), mask: None, len };
        // A slice has no length of 2^63.
        let header = header.encode().unwrap_or_default();
        let mut frame = BytesMut::with_capacity(header.len() + data.len());
        frame.put_slice(&header);
        frame.put_slice(data);
        Self { kind, payload: header.len(), frame: frame.freeze() }
    }

    /// Text or binary.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The message itself.
    pub fn payload(&self) -> &[u8] {
        self.frame.get(self.payload..).unwrap_or_default()
    }

    pub(crate) fn frame(&self) -> Bytes {
        self.frame.clone()
    }
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Prepared({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
