//! RFC 6455 section 8.1: a compressed text under assembly, checked where it lies.
//!
//! Such a text is inflated into the buffer it is handed out in, so copying it from one that is
//! checked into one that is known to be UTF-8 would be all the copying there is: a third of the
//! time of a long message (`inflate-takeover-utf8` in `benches/README.md`). What came uncompressed
//! is copied in any case, and `assembler` copies it as text.
//!
//! Invariant: `bytes` is what `check` has seen since it was made, and found possible.

#![allow(unsafe_code)]

use crate::compression::{Inflated, Inflation};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::payload::leave;
use crate::utf8::Utf8;
use alloc::{string::String, vec::Vec};

/// The text so far.
pub(crate) struct Draft {
    bytes: Vec<u8>,
    check: Utf8,
}

impl Draft {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), check: Utf8::new() }
    }

    /// An empty text in this room.
    pub(crate) fn within(mut room: Vec<u8>) -> Self {
        room.clear();
        Self { bytes: room, check: Utf8::new() }
    }

    /// Gives the room back that is too much for the text.
    pub(crate) fn release(&mut self) -> Option<Vec<u8>> {
        leave(&mut self.bytes)
    }

    /// Adds what the next piece of the payload inflates to, or a part of that. The message ends
    /// with it, if it is the `last`.
    pub(crate) fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        inflation: &mut Inflation,
        config: &Config,
    ) -> Result<Inflated, ProtocolError> {
        let start = self.bytes.len();
        let inflated = inflation.inflate(piece, last, &mut self.bytes, usize::MAX, config);
        debug_assert!(
            self.bytes.len() >= start,
            "a message is inflated onto the end of what is there"
        );
        if let Some(Ok(())) = self.bytes.get(start..).map(|added| self.check.push(added)) {
            return inflated;
        }
        *self = Self::new();
        Err(ProtocolError::InvalidUtf8)
    }

    /// The text, if it may end here.
    pub(crate) fn finish(self) -> Result<String, ProtocolError> {
        if !self.check.is_boundary() {
            return Err(ProtocolError::InvalidUtf8);
        }
        debug_assert!(core::str::from_utf8(&self.bytes).is_ok(), "the check is as strict");
        // SAFETY: all of `bytes` went through `check`, piece by piece and in order: it grows in
        // `inflate` alone, which checks what was added or drops everything, and the inflater only
        // ever adds to a vector. No character is left unfinished.
        Ok(unsafe { String::from_utf8_unchecked(self.bytes) })
    }
}
