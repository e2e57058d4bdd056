//! RFC 6455 section 5.4: a message that does not lie whole in one input.
//!
//! Collects the pieces of a message into one contiguous buffer, unmasked on the way, text checked
//! as it comes; keeps count of bytes and fragments against the budget. In streamed delivery there
//! is no buffer, only the counts and the check. Frame order is not judged here: `frame` did.
//!
//! Invariant: of what comes uncompressed, `capacity <= 2 * received`, and 3 more for a text,
//! whatever length a frame declared.

use crate::compression::Inflation;
use crate::config::Config;
use crate::draft::Draft;
use crate::error::ProtocolError;
use crate::frame::Kind;
use crate::mask::Mask;
use crate::payload::{Payload, Text};
use crate::utf8::Utf8;
use alloc::{string::String, vec::Vec};

/// Bytes of a text unmasked, checked and copied at a time: they stay in the nearest cache from one
/// step to the next.
const BLOCK: usize = 4096;

/// An unfinished message.
pub(crate) struct Assembler {
    pub(crate) kind: Kind,
    /// Whether its payload is compressed: RSV1 was set on its first frame.
    pub(crate) compressed: bool,
    /// Whether a chunk of it has been delivered, in streamed delivery.
    pub(crate) started: bool,
    /// Whether there is more to be inflated of what was consumed, in streamed delivery.
    pub(crate) more: bool,
    /// The text so far, and whether it may end here. Only for `Kind::Text`.
    pub(crate) utf8: Utf8,
    text: String,
    /// The text so far, if it is compressed.
    draft: Draft,
    /// The bytes so far, of `Kind::Binary`.
    bytes: Vec<u8>,
    /// The lengths that the frames so far declared, all below 2^63 and within the message limit.
    len: u64,
    fragments: u32,
    empty_in_a_row: u16,
}

/// A finished message.
pub(crate) enum Message {
    Text(Text<'static>),
    Binary(Payload<'static>),
}

impl Assembler {
    pub(crate) fn new(kind: Kind, compressed: bool) -> Self {
        Self {
            kind,
            compressed,
            started: false,
            more: false,
            utf8: Utf8::new(),
            text: String::new(),
            draft: Draft::new(),
            bytes: Vec::new(),
            len: 0,
            fragments: 0,
            empty_in_a_row: 0,
        }
    }

    /// How many bytes the frames so far have declared.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Counts a frame of the message when its header is complete.
    pub(crate) fn frame(
        &mut self,
        len: u64,
        fin: bool,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        self.len = self.len.saturating_add(len);
        self.fragments = self.fragments.saturating_add(1);
        let budget = u64::from(config.max_fragments).saturating_add(self.len / 16);
        if self.fragments > 1 && u64::from(self.fragments) > budget {
            return Err(ProtocolError::TooManyFragments);
        }
        if len > 0 || fin {
            self.empty_in_a_row = 0;
            return Ok(());
        }
        self.empty_in_a_row = self.empty_in_a_row.saturating_add(1);
        if self.empty_in_a_row > config.max_empty_fragments {
            return Err(ProtocolError::TooManyEmptyFragments);
        }
        Ok(())
    }

    /// Adds the next piece of a frame. `left` bytes of that frame are still to come; `fin` says
    /// that it is the last, so that nothing needs room after them. What more a message may have
    /// bounds its room, too.
    pub(crate) fn append(
        &mut self,
        piece: &mut [u8],
        mask: &mut Mask,
        left: u64,
        fin: bool,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        let held = self.text.len().saturating_add(self.bytes.len());
        let received = held.saturating_add(piece.len());
        let open = if fin { 0 } else { config.message_limit().saturating_sub(self.len) };
        let expected = usize::try_from(left.saturating_add(open)).unwrap_or(usize::MAX);
        let more = room(received, expected).saturating_sub(held);
        match self.kind {
            Kind::Text => {
                // An unfinished character of an earlier piece comes on top.
                if self.text.capacity() < received.saturating_add(3) {
                    self.text.reserve_exact(more.saturating_add(3));
                }
                for block in piece.chunks_mut(BLOCK) {
                    let split = self.utf8.unmask_and_split(mask, block);
                    let (completed, whole) = split.map_err(|_| ProtocolError::InvalidUtf8)?;
                    self.text.extend(completed);
                    self.text.push_str(whole);
                }
            }
            Kind::Binary => {
                if self.bytes.capacity() < received {
                    self.bytes.reserve_exact(more);
                }
                mask.append(piece, &mut self.bytes);
            }
        }
        Ok(())
    }

    /// Adds what the next piece of a compressed frame inflates to. The message ends with it, if it
    /// is the `last`.
    pub(crate) fn inflate(
        &mut self,
        piece: &mut [u8],
        last: bool,
        mask: &mut Mask,
        inflation: &mut Inflation,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        if *mask != Mask::NONE {
            mask.apply(piece);
        }
        let mut rest: &[u8] = piece;
        loop {
            let inflated = match self.kind {
                Kind::Text => self.draft.inflate(rest, last, inflation, config)?,
                Kind::Binary => {
                    inflation.inflate(rest, last, &mut self.bytes, usize::MAX, config)?
                }
            };
            rest = rest.get(inflated.consumed..).unwrap_or_default();
            if !inflated.more {
                return Ok(());
            }
        }
    }

    /// The message, now that its last frame is in.
    pub(crate) fn finish(self) -> Result<Message, ProtocolError> {
        match self.kind {
            Kind::Text if self.compressed => Ok(Message::Text(self.draft.finish()?.into())),
            Kind::Text if !self.utf8.is_boundary() => Err(ProtocolError::InvalidUtf8),
            Kind::Text => Ok(Message::Text(self.text.into())),
            Kind::Binary => Ok(Message::Binary(self.bytes.into())),
        }
    }
}

/// The room for a message of which `received` bytes are here and `expected` may follow: as much as
/// it needs, halved until it is no more than twice what is here. Then the last of its moves comes
/// as early as it may, and all of them together copy less than the message has bytes.
fn room(received: usize, expected: usize) -> usize {
    if received == 0 {
        // An empty fragment: there is nothing to make room for, nor to be halved down to.
        return 0;
    }
    let mut room = received.saturating_add(expected);
    while room > received.saturating_mul(2) {
        room = room.div_ceil(2);
    }
    room
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn room_is_within_twice_what_is_here_and_what_is_needed() {
        for expected in [0, 1, 2, 100, 1 << 20, usize::MAX] {
            for received in 0..2000 {
                let found = room(received, expected);
                assert!(received <= found && found <= 2 * received, "{received} {expected}");
                assert!(found <= received.saturating_add(expected), "{received} {expected}");
            }
        }
        assert_eq!(room(1000, 500), 1500);
        assert_eq!(room(500, 500), 1000);
    }

    #[test]
    fn a_message_that_grows_moves_less_than_itself() {
        for len in [1000, 1 << 20, 1_000_003] {
            for piece in [1, 7, 1000, 65_536] {
                let (mut held, mut capacity, mut moved) = (0, 0, 0);
                while held < len {
                    let received = (held + piece).min(len);
                    if capacity < received {
                        moved += held;
                        capacity = room(received, len - received);
                    }
                    held = received;
                }
                assert!(
                    moved <= len + 64 && capacity == len,
                    "{len} by {piece}: {moved} {capacity}"
                );
            }
        }
    }
}
