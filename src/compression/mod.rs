//! RFC 7692 section 6, as the halves of a connection see it: a codec, if one was agreed.
//!
//! It holds each half's codec for as long as the agreement asks for it, and turns its errors into
//! the connection's. What was agreed, and how DEFLATE works, is `deflate`'s business. Without the
//! feature nothing is ever agreed, and the halves read the same.
//!
//! Invariant: without context takeover there is a codec only while a message is under way, or while
//! it is lent.

#[cfg(feature = "deflate")]
mod with;
#[cfg(feature = "deflate")]
pub(crate) use with::{Deflation, Inflation};

#[cfg(not(feature = "deflate"))]
mod without;
#[cfg(not(feature = "deflate"))]
pub(crate) use without::{Deflation, Inflation};

/// What inflating a piece has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inflated {
    /// How much of the piece is consumed.
    pub(crate) consumed: usize,
    /// Whether there is more to come of what is consumed, or an error.
    pub(crate) more: bool,
}
