//! RFC 7692 section 7.1.1: one pair of codecs for any number of connections that keep no context.
//!
//! Which connection has them, and until when, is `Pool`'s business.
//!
//! Invariant: what is kept here has forgotten every message.

use super::{Context, Deflater, Effort, Inflater};
use alloc::boxed::Box;
use core::fmt;

/// The codecs that are spare.
#[derive(Default)]
pub(crate) struct Codecs {
    pub(crate) inflater: Option<Box<Inflater>>,
    deflater: Option<Box<Deflater>>,
}

impl Codecs {
    /// None yet: they are made when they are needed.
    pub(crate) const fn new() -> Self {
        Self { inflater: None, deflater: None }
    }

    /// The deflater, if it is of use for messages of this `context` and `effort`.
    pub(crate) fn deflater(&mut self, context: Context, effort: Effort) -> Option<Box<Deflater>> {
        self.deflater.take_if(|deflater| deflater.suits(context, effort))
    }

    /// Keeps one that no message is under way in, if the last one leaves no trace there.
    pub(crate) fn keep(&mut self, deflater: Box<Deflater>) {
        if deflater.forgets() {
            self.deflater = Some(deflater);
        }
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs")
            .field("inflater", &self.inflater.is_some())
            .field("deflater", &self.deflater.is_some())
            .finish()
    }
}
