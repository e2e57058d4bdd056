//! RFC 6455 section 5.4: a message that does not lie whole in one input.
//!
//! Collects the pieces of a message into one contiguous buffer, unmasked on the way, text checked
//! as it comes; keeps count of bytes and fragments against the budget. In streamed delivery the
//! buffer is that of a chunk, if any. Frame order is not judged here: `frame` did.
//!
//! Invariant: of what comes uncompressed, `capacity <= 2 * received`, whatever length a frame
//! declared; except in room that is lent, which a message leaves once it is not lent any more.

use crate::compression::Inflation;
use crate::config::{Config, Delivery};
use crate::draft::Draft;
use crate::error::ProtocolError;
use crate::frame::Kind;
use crate::mask::Mask;
use crate::payload::{Payload, Text, is_roomy, leave, leave_text};
use crate::utf8::Utf8;
use alloc::{boxed::Box, vec::Vec};
use core::mem;

/// Up to here a copy costs no more than a buffer.
const SMALL: usize = 4096;

/// What is handed out with its room, and will bring it back, keeps this much more: an inflater is
/// slow at the end of its room. Less than [`SMALL`], so it is still no larger than twice its
/// content.
const SLACK: usize = 512;

/// What a fragment of a compressed message may have beside its data: where it ends, the compressor
/// has written out all that it held. Their number is bounded by what they inflate to.
const FLUSH: u64 = 16;

/// An unfinished message; between messages the room that the next one may use.
pub(crate) struct Assembler {
    pub(crate) kind: Kind,
    /// Whether its payload is compressed: RSV1 was set on its first frame.
    pub(crate) compressed: bool,
    /// Whether a chunk of it has been delivered, in streamed delivery.
    pub(crate) started: bool,
    /// Whether there is more to be inflated of what was consumed, in streamed delivery.
    pub(crate) more: bool,
    /// The check of a text, in streamed delivery.
    pub(crate) utf8: Utf8,
    /// The text so far, in whole delivery.
    draft: Draft,
    /// The bytes so far, of `Kind::Binary`; in streamed delivery the next chunk's; of a text that
    /// has ended its room.
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
    /// No message, and no room for one.
    pub(crate) const fn new() -> Self {
        Self {
            kind: Kind::Binary,
            compressed: false,
            started: false,
            more: false,
            utf8: Utf8::new(),
            draft: Draft::new(),
            bytes: Vec::new(),
            len: 0,
            fragments: 0,
            empty_in_a_row: 0,
        }
    }

    /// Begins a message in what room there is.
    fn begin(&mut self, kind: Kind, compressed: bool, delivery: Delivery) {
        let mut room = mem::take(&mut self.bytes);
        room.clear();
        *self = Self { kind, compressed, ..Self::new() };
        match (delivery, kind) {
            (Delivery::Streamed, _) | (_, Kind::Binary) => self.bytes = room,
            (Delivery::Whole, Kind::Text) => self.draft = Draft::within(room),
        }
    }

    /// Gives the room back, in the middle of a message, that is too much for what is here.
    pub(crate) fn release(&mut self) -> Option<Vec<u8>> {
        self.draft.release().or_else(|| leave(&mut self.bytes))
    }

    /// Whether none of its bytes has come, and they need not be inflated.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.compressed && self.draft.len() == 0 && self.bytes.is_empty()
    }

    /// Leaves its room to the next one. It is untouched.
    pub(crate) fn vacate(&mut self) {
        self.bytes = self.release().unwrap_or_default();
    }

    /// How many bytes the frames so far have declared.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// How many bytes the frames up to the next may declare, if they are compressed.
    pub(crate) fn compressed_limit(&self, config: &Config) -> u64 {
        let flushes = u64::from(self.fragments).saturating_mul(FLUSH);
        config.compressed_limit().saturating_add(flushes)
    }

    /// Counts a frame of the message when its header is complete. What it is compressed to says
    /// nothing of how finely it was split: what it has `inflated` to so far does.
    pub(crate) fn frame(
        &mut self,
        len: u64,
        fin: bool,
        inflated: u64,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        self.len = self.len.saturating_add(len);
        self.fragments = self.fragments.saturating_add(1);
        let bytes = if self.compressed { inflated } else { self.len };
        let budget = u64::from(config.max_fragments).saturating_add(bytes / 16);
        if self.fragments > 1 && u64::from(self.fragments) > budget {
            return Err(ProtocolError::TooManyFragments);
        }
        if len > 0 || fin {
            self.empty_in_a_row = 0;
            return Ok(());
        }
        if self.empty_in_a_row >= config.max_empty_fragments {
            return Err(ProtocolError::TooManyEmptyFragments);
        }
        self.empty_in_a_row = self.empty_in_a_row.saturating_add(1);
        Ok(())
    }

    /// Adds the next piece of a frame. `left` bytes of that frame are still to come; `fin` says
    /// that it is the last, so that nothing needs room after them. What more a message may have
    /// bounds its room, too.
    pub(crate) fn append(
        &mut self,
        piece: &[u8],
        mask: &mut Mask,
        left: u64,
        fin: bool,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        // One of them is empty.
        let held = self.draft.len().saturating_add(self.bytes.len());
        let received = held.saturating_add(piece.len());
        let open = if fin { 0 } else { config.message_limit().saturating_sub(self.len) };
        let expected = usize::try_from(left.saturating_add(open)).unwrap_or(usize::MAX);
        let more = || room(received, expected).saturating_sub(held);
        match self.kind {
            Kind::Text => {
                if self.draft.capacity() < received {
                    self.draft.reserve_exact(more());
                }
                self.draft.append(piece, mask)
            }
            Kind::Binary => {
                if self.bytes.capacity() < received {
                    self.bytes.reserve_exact(more());
                }
                mask.append(piece, &mut self.bytes);
                Ok(())
            }
        }
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
            mask.unmask(piece);
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

    /// The message, now that its last frame is in. One that is small in its room is copied out of
    /// it, if that `stays` for the next.
    pub(crate) fn finish(&mut self, stays: bool) -> Result<Message, ProtocolError> {
        let mut text = match self.kind {
            Kind::Binary => {
                let bytes = self.take();
                return Ok(Message::Binary(self.fit(bytes, stays).into()));
            }
            Kind::Text => self.draft.finish()?,
        };
        if stays && is_small(text.capacity(), text.len()) {
            self.bytes = leave_text(&mut text);
        } else if stays && is_roomy(text.capacity(), text.len()) {
            text.shrink_to(text.len().saturating_add(SLACK));
        }
        Ok(Message::Text(text.into()))
    }

    /// Drops what is here, and leaves its room to the next one.
    pub(crate) fn discard(&mut self) {
        let room = self.draft.discard();
        if self.bytes.capacity() < room.capacity() {
            self.bytes = room;
        }
        self.bytes.clear();
    }

    /// What the next chunk is inflated to.
    pub(crate) const fn chunk(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes the buffer, to be given to [`fit`](Self::fit).
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }

    /// Makes `bytes` ready to be handed out in the same way.
    pub(crate) fn fit(&mut self, mut bytes: Vec<u8>, stays: bool) -> Vec<u8> {
        if stays && is_small(bytes.capacity(), bytes.len()) {
            self.bytes = leave(&mut bytes).unwrap_or_default();
        } else if stays && is_roomy(bytes.capacity(), bytes.len()) {
            bytes.shrink_to(bytes.len().saturating_add(SLACK));
        }
        bytes
    }
}

/// The room for the next message, if there is any; and the box for it.
#[derive(Default)]
pub(crate) struct Spare(Option<Box<Assembler>>);

impl Spare {
    /// Nothing.
    pub(crate) const NONE: Self = Self(None);

    /// How many bytes fit.
    pub(crate) fn room(&self) -> usize {
        self.0.as_ref().map_or(0, |spare| spare.bytes.capacity())
    }

    /// Begins a message in it.
    #[expect(clippy::unnecessary_box_returns, reason = "the box is used again, too")]
    pub(crate) fn begin(
        &mut self,
        kind: Kind,
        compressed: bool,
        delivery: Delivery,
    ) -> Box<Assembler> {
        let mut message = self.0.take().unwrap_or_else(|| Box::new(Assembler::new()));
        message.begin(kind, compressed, delivery);
        message
    }

    /// Takes a message that has ended, or another's room: of two it keeps the larger.
    pub(crate) fn keep(&mut self, spare: impl Into<Self>) {
        let spare = spare.into();
        if self.0.is_none() || self.room() < spare.room() {
            *self = spare;
        }
    }

    /// The same of what a message was handed out in.
    pub(crate) fn keep_room(&mut self, room: Vec<u8>) {
        let spare = self.0.get_or_insert_with(|| Box::new(Assembler::new()));
        if spare.bytes.capacity() < room.capacity() {
            spare.bytes = room;
        }
    }
}

impl From<Box<Assembler>> for Spare {
    fn from(ended: Box<Assembler>) -> Self {
        Self(Some(ended))
    }
}

/// Whether a message of `len` bytes is better copied out of its room than handed out with it: a
/// copy costs less than to make such room again.
const fn is_small(capacity: usize, len: usize) -> bool {
    is_roomy(capacity, len) && (len < SMALL || capacity / 8 > len)
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
