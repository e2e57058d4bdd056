//! RFC 6455 section 5.6: a message encoded once, for any number of connections.
//!
//! A server's frames are the same for every peer, so a broadcast needs one encoding and a
//! reference for each member. A client's are not: it masks each with a key of its own.
//!
//! Invariant: a compressed form fits only connections whose window is at least the one that it was
//! made with, and that compress each message on its own.

use crate::compression::Deflation;
#[cfg(feature = "deflate")]
use crate::deflate::{Context, Deflater, Policy};
use crate::frame::{Header, Kind};
#[cfg(feature = "deflate")]
use crate::pool::Pool;
#[cfg(feature = "deflate")]
use alloc::boxed::Box;
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
    plain: Form,
    /// The compressed form, and what a connection must have agreed to for it.
    #[cfg(feature = "deflate")]
    compressed: Option<(Form, Context)>,
}

/// One way to send a message: a whole, unmasked, final frame, whose payload starts at `payload`.
#[derive(Clone)]
pub(crate) struct Form {
    frame: Bytes,
    payload: usize,
    compressed: bool,
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
        Self {
            kind,
            plain: Form::new(kind, data, false),
            #[cfg(feature = "deflate")]
            compressed: None,
        }
    }

    /// Prepares the compressed form too, once for all connections that compress without context
    /// takeover and with a window of at least the smaller of the `policy`'s two; the others send
    /// the plain one, which is always legal. Nothing is kept that is below the policy's threshold
    /// or does not shrink.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compressed(self, policy: &Policy) -> Self {
        self.compressed_by(&mut Pool::new(), policy)
    }

    /// The same with the deflater of `pool`, which takes less time where many are prepared.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compressed_by(mut self, pool: &mut Pool, policy: &Policy) -> Self {
        // Whichever side this is: what either may use in its own direction.
        let window = policy.server_max_window_bits.min(policy.client_max_window_bits);
        let context = Context::new(window, false);
        if self.payload().len() >= policy.least() as usize {
            let mut compressed = BytesMut::new();
            let mut deflater = pool
                .codecs
                .deflater(context, policy.effort())
                .unwrap_or_else(|| Box::new(Deflater::new(context, policy)));
            deflater.compress(self.payload(), true, &mut compressed);
            deflater.abandon();
            pool.codecs.keep(deflater);
            let shrinks = compressed.len() < self.payload().len();
            let form = shrinks.then(|| Form::new(self.kind, &compressed, true));
            self.compressed = form.map(|form| (form, context));
        }
        self
    }

    /// Text or binary.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The message itself.
    pub fn payload(&self) -> &[u8] {
        self.plain.payload()
    }

    /// The form that suits a connection.
    #[cfg(feature = "deflate")]
    pub(crate) fn form(&self, deflation: &Deflation) -> &Form {
        match &self.compressed {
            Some((form, context)) if deflation.fits(*context) => form,
            _ => &self.plain,
        }
    }

    /// The form that suits a connection.
    #[cfg(not(feature = "deflate"))]
    pub(crate) fn form(&self, _: &Deflation) -> &Form {
        &self.plain
    }
}

impl Form {
    fn new(kind: Kind, data: &[u8], compressed: bool) -> Self {
        let (len, opcode) = (data.len() as u64, kind.opcode());
        let header = Header { fin: true, rsv1: compressed, opcode, mask: None, len };
        // A slice has no length of 2^63.
        let header = header.encode().unwrap_or_default();
        let mut frame = BytesMut::with_capacity(data.len().saturating_add(header.len()));
        frame.put_slice(&header);
        frame.put_slice(data);
        Self { frame: frame.freeze(), payload: header.len(), compressed }
    }

    pub(crate) fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.frame.get(self.payload..).unwrap_or_default()
    }

    pub(crate) const fn is_compressed(&self) -> bool {
        self.compressed
    }
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Prepared({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
