//! RFC 6455 section 8.1: a text under assembly, checked where it lies.
//!
//! A text is unmasked or inflated into the buffer it is handed out in. To copy it from one that is
//! checked into one that is known to be UTF-8 would be once more than needed: a third of the time
//! of a long compressed message (`inflate-takeover-utf8` in `benches/README.md`).
//!
//! Invariant: `bytes` is what `check` has seen since it was made, and found possible.

#![allow(unsafe_code)]

use crate::compression::{Inflated, Inflation};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::mask::Mask;
use crate::payload::leave;
use crate::utf8::Utf8;
use alloc::{string::String, vec::Vec};
use core::mem;

/// Bytes of a text unmasked and checked at a time: they stay in the nearest cache in between, and
/// what is stored has the time of the check to arrive, so nothing need be fetched for it.
const BLOCK: usize = 4096;

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

    /// How many bytes of it have come.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve_exact(&mut self, more: usize) {
        self.bytes.reserve_exact(more);
    }

    /// Adds the next piece of the payload.
    pub(crate) fn append(&mut self, piece: &[u8], mask: &mut Mask) -> Result<(), ProtocolError> {
        for block in piece.chunks(BLOCK) {
            let start = self.bytes.len();
            mask.append(block, &mut self.bytes);
            self.check(start)?;
        }
        Ok(())
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
        // Should the inflater panic, what it has added unchecked is nobody's.
        let mut draft = mem::replace(self, Self::new());
        let start = draft.bytes.len();
        let inflated = inflation.inflate(piece, last, &mut draft.bytes, usize::MAX, config);
        debug_assert!(
            draft.bytes.len() >= start,
            "a message is inflated onto the end of what is there"
        );
        let checked = draft.check(start);
        *self = draft;
        checked.and(inflated)
    }

    /// Checks what was added behind `start`.
    fn check(&mut self, start: usize) -> Result<(), ProtocolError> {
        if let Some(Ok(())) = self.bytes.get(start..).map(|added| self.check.push(added)) {
            return Ok(());
        }
        *self = Self::within(self.discard());
        Err(ProtocolError::InvalidUtf8)
    }

    /// Its room, without what was in it.
    pub(crate) fn discard(&mut self) -> Vec<u8> {
        let mut room = mem::replace(self, Self::new()).bytes;
        room.clear();
        room
    }

    /// The text, if it may end here. Another may begin.
    pub(crate) fn finish(&mut self) -> Result<String, ProtocolError> {
        if !self.check.is_boundary() {
            return Err(ProtocolError::InvalidUtf8);
        }
        let bytes = mem::replace(self, Self::new()).bytes;
        debug_assert!(core::str::from_utf8(&bytes).is_ok(), "the check is as strict");
        // SAFETY: all of `bytes` went through `check`, piece by piece and in order: it grows in
        // `append` and `inflate` alone, which check what was added or drop everything, also where
        // the inflater panics, and a mask and the inflater only ever add to a vector. No character
        // is left unfinished.
        Ok(unsafe { String::from_utf8_unchecked(bytes) })
    }
}
