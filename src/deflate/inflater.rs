//! RFC 7692 section 7.2.2: the payload of a compressed message, inflated as it arrives.
//!
//! Pieces in, pieces out: any cut of either gives the same bytes, the same failure after the same
//! byte. What is inflated is counted as it is made, so that a message stops at its limit and not
//! after it. Frames and text are not judged here.
//!
//! Invariant: a call makes progress, says that all is done, or fails; and a failure is final.
//!
//! # What ends a message
//!
//! The sender removed `00 00 FF FF` from the end, so what remains must break off right where these
//! four octets make an empty stored block complete. They are given to the inflater, which must then
//! stand between two blocks, on an octet's boundary, without having made a byte of them. A message
//! that was cut inside a block fails, where it would otherwise be delivered short. An empty payload
//! is an empty message.
//!
//! # Blocks marked as final
//!
//! A block with BFINAL set ends a DEFLATE data set (RFC 1951 section 3.2.3), not the message, nor
//! the connection's use of compression (section 7.2.3.4). What follows it, in the same message or
//! in the next, is a data set of its own: it begins on the next octet, with an empty window. That
//! is how compressors make them, which can be finished but not continued; a reference across a
//! final block fails. As everywhere, the payload ends with the first octet of an empty stored
//! block, which "is necessary to allow the payload to be decompressed in the same manner".
//!
//! # The window
//!
//! zlib-rs 0.6 inflates raw streams with 32 KiB of history whatever it is told. So a reference
//! beyond the beginning fails, and one beyond the agreed window but within the history does not:
//! staying within is the sender's duty, having at least that much the receiver's (section 7.2.2).
//! An inflater that refused would have to decode each distance a second time. Nor do others refuse:
//! zlib, where Python and node have it, finds 700 bytes at 9 bits (1.2.13: it looks at the window
//! only beyond the output of the same call). For the same reason it does no harm that
//! `Inflate::reset` falls back to 15 bits.
//!
//! # What a message costs
//!
//! Without context takeover it makes and drops an inflater, 0.3 to 0.5 µs, most of which zlib-rs
//! spends on clearing and copying tables; unless one is lent (`Pool`), or the payload is whole and
//! all of it is `stored`. The rest is zlib-rs's own time, and less for what did not compress: what
//! is inflated is written where the message will lie (`spare`), into room that grows by what the
//! octets so far came to.

use super::stored::{self, BLOCK_TYPE, HEADER};
use super::{Context, spare};
use alloc::vec::Vec;
use core::fmt;
use zlib_rs::{Inflate, InflateFlush, Status};

/// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload" (section 7.2.2); then an
/// empty stored block, which begins on an octet's boundary.
const TAIL_AND_EMPTY: [u8; TAIL + EMPTY] = [0, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0xff];
const TAIL: usize = 4;
/// The block again, and the first octet of another.
const EMPTY_AND_MORE: [u8; EMPTY + 1] = [0, 0, 0, 0xff, 0xff, 0];
const EMPTY: usize = 5;

/// The ratio is looked at each time this many octets of payload are inflated: at places that do not
/// depend on how they arrived.
const STRIDE: u64 = 4096;
/// What a message may inflate to whatever the ratio.
const FREE: u64 = 64 << 10;

/// How many bytes an octet may well stand for, before any is inflated: records in text come to ten
/// and more; what begins with a stored block stays as it is, or begins with a picture.
const DENSE: usize = 12;
const STORED: usize = 4;
/// How far back a reference may reach (RFC 1951 section 3.2.5).
const HISTORY: usize = 32 << 10;
/// zlib-rs is slow in the last 260 bytes of an output.
const SLOW: usize = 320;

/// How much the decoder is given at a time, of input and of room: it counts them in 32 bits.
const MOST: usize = 1 << 30;

/// Inflates one message after the other.
///
/// ```
/// use sockless::deflate::{Context, Inflater, Limits, WindowBits};
///
/// let mut inflater = Inflater::new(Context::new(WindowBits::MAX, true));
/// let limits = Limits { max_message: 1 << 20, max_ratio: None };
/// for payload in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"] {
///     let mut message = Vec::new();
///     let mut rest = payload;
///     loop {
///         let progress = inflater.inflate(rest, &mut message, usize::MAX, limits)?;
///         rest = &rest[progress.consumed..];
///         if !progress.more {
///             break;
///         }
///     }
///     inflater.finish(limits)?;
///     assert_eq!(message, b"Hello");
/// }
/// # Ok::<(), sockless::deflate::InflateError>(())
/// ```
pub struct Inflater {
    stream: Inflate,
    /// Octets of the payload so far.
    wire: u64,
    /// Bytes of the message so far, never more than its limit.
    inflated: u64,
    /// Up to where the ratio was found good; at most `wire`.
    weighed: u64,
    /// A final block has ended; the next octet begins a data set.
    ended: bool,
    failed: Option<InflateError>,
}

/// What a message may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in bytes, inclusive; never more than `isize::MAX`.
    pub max_message: u64,
    /// How many bytes an octet of payload may stand for on average, after the first 64 KiB.
    pub max_ratio: Option<u32>,
}

/// What a call has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// Octets taken from the input.
    pub consumed: usize,
    /// Bytes added to the output.
    pub produced: usize,
    /// Call again, with what is left of the input, be it nothing: there is more to come of it, or
    /// an error that stands behind what was produced. Otherwise all of the input is consumed.
    pub more: bool,
}

/// The message cannot be inflated, nor can any after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InflateError {
    /// Not DEFLATE, or cut inside a block: close code 1007.
    Invalid,
    /// Longer than [`Limits::max_message`]: close code 1009.
    TooLarge,
    /// Denser than [`Limits::max_ratio`]: close code 1009.
    TooDense,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "compressed data is invalid or cut short",
            Self::TooLarge => "message inflates to more than the limit",
            Self::TooDense => "message inflates to too many times its size",
        })
    }
}

impl core::error::Error for InflateError {}

impl Inflater {
    /// An inflater with an empty window.
    ///
    /// # Panics
    /// When there is no memory, as other allocations end the program then.
    // Inlined, its 5 KiB of stack would be taken by each piece of each message.
    #[inline(never)]
    pub fn new(context: Context) -> Self {
        Self {
            // zlib compresses with 512 octets where 256 were agreed, so these need 9 bits.
            stream: Inflate::new(false, context.window().get().max(9)),
            wire: 0,
            inflated: 0,
            weighed: 0,
            ended: false,
            failed: None,
        }
    }

    /// How long the message is so far.
    pub const fn inflated(&self) -> u64 {
        self.inflated
    }

    /// Inflates `input`, the next piece of a message's payload, onto the end of `message`, by
    /// `most` bytes at most: 16 KiB, say, where chunks are handed out, any number where the whole
    /// is awaited.
    ///
    /// The vector grows with what came, not with what was declared, and never beyond the limit. It
    /// may be taken away between calls.
    ///
    /// # Errors
    /// [`InflateError`], after all that precedes the offence was produced; the same from then on.
    pub fn inflate(
        &mut self,
        input: &[u8],
        message: &mut Vec<u8>,
        most: usize,
        limits: Limits,
    ) -> Result<Progress, InflateError> {
        let most = most.max(1).min(self.left(limits, message.len()));
        self.reserve(input, message, most);
        let room = most.min(spare::room(message));
        let (mut consumed, mut produced) = self.copy(input, message, room, limits);
        if produced == most && consumed < input.len() && self.left(limits, message.len()) > 0 {
            return Ok(Progress { consumed, produced, more: true });
        }
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let step = self.step(rest, message, room.saturating_sub(produced), limits);
            consumed = consumed.saturating_add(step.consumed);
            produced = produced.saturating_add(step.produced);
            match self.failed {
                Some(error) if produced == 0 => return Err(error),
                Some(_) => return Ok(Progress { consumed, produced, more: true }),
                None if step.drained && consumed >= input.len() => {
                    return Ok(Progress { consumed, produced, more: false });
                }
                None if produced == room && room > 0 => {
                    return Ok(Progress { consumed, produced, more: true });
                }
                None => {}
            }
        }
    }

    /// Makes room for what `input` may come to, by what the message came to so far: the vector is
    /// not cleared, and what is too much costs nothing. What another message has left is tried
    /// first.
    fn reserve(&self, input: &[u8], message: &mut Vec<u8>, most: usize) {
        if self.wire == 0 && spare::room(message) >= input.len().saturating_add(SLOW) {
            return;
        }
        let density = match (self.inflated.checked_div(self.wire), input.first()) {
            (Some(density), _) => size(density).saturating_add(1),
            (None, Some(first)) if first & BLOCK_TYPE == 0 => STORED,
            (None, _) => DENSE,
        };
        // What was denser need not stay so: for that there is as much again as came, at most.
        let bound = input.len().saturating_mul(DENSE).max(size(self.inflated)).min(MOST);
        let wanted = input.len().saturating_mul(density).min(bound).saturating_add(SLOW);
        if spare::room(message) < wanted.min(most) {
            let more = wanted.saturating_add(SLOW).max(message.len());
            message.reserve_exact(more.min(most));
        }
    }

    /// Copies the stored blocks that a message begins with, as far as they are whole and there is
    /// room, and tells the decoder what it may be referred to.
    ///
    /// The decoder would copy them into its window from where it has just written them, which takes
    /// longer than from where they came: a fifth of the time of 16 KiB (`inflate-takeover-noise`).
    fn copy(
        &mut self,
        input: &[u8],
        message: &mut Vec<u8>,
        room: usize,
        limits: Limits,
    ) -> (usize, usize) {
        // Data is shorter than its payload, so it is too dense only where everything is.
        if !self.is_at_start() || limits.max_ratio == Some(0) {
            return (0, 0);
        }
        let blocks = stored::blocks(input, room);
        let produced: usize = blocks.clone().map(<[u8]>::len).sum();
        let consumed = blocks.clone().count().saturating_mul(HEADER).saturating_add(produced);
        // Where much else follows, or the blocks are tiny, it is faster by itself.
        if produced < input.len().saturating_sub(input.len() / 16) {
            return (0, 0);
        }
        let mut left = produced;
        for data in blocks {
            self.restart();
            left = left.saturating_sub(data.len());
            if left < HISTORY {
                let told = self.stream.set_dictionary(data);
                debug_assert!(told.is_ok(), "a raw stream takes one at any time");
            }
            message.extend_from_slice(data);
        }
        (self.wire, self.inflated) = (consumed as u64, produced as u64);
        (consumed, produced)
    }

    /// The payload is complete, and [`inflate`](Self::inflate) has said that there is no more of
    /// it. With context takeover the next message may follow; else the inflater has had its time.
    ///
    /// # Errors
    /// [`InflateError`] if the message was cut short, or was too dense.
    pub fn finish(&mut self, limits: Limits) -> Result<(), InflateError> {
        if self.failed.is_none() {
            self.weigh(limits);
        }
        // Some send nothing at all for an empty message, not even the octet of section 7.2.3.6.
        if self.failed.is_none() && self.wire > 0 && !self.ends_here() {
            self.failed = Some(InflateError::Invalid);
        }
        (self.wire, self.inflated, self.weighed) = (0, 0, 0);
        self.failed.map_or(Ok(()), Err)
    }

    /// Forgets all that came before, an error too: the next octet begins a message, and refers to
    /// none before it.
    pub fn reset(&mut self) {
        self.stream.reset(false);
        (self.wire, self.inflated, self.weighed) = (0, 0, 0);
        (self.ended, self.failed) = (false, None);
    }

    /// Whether no octet of a message has come yet, and one may.
    pub(crate) const fn is_at_start(&self) -> bool {
        self.wire == 0 && self.failed.is_none()
    }

    /// Whether the tail completes an empty block.
    ///
    /// `Block` stops the inflater between two blocks, which shows when it leaves input behind. Bits
    /// that it holds back there would show in what it makes of another empty block. The block that
    /// the tail completes may be a final one: then a data set ends, and no other block is begun.
    fn ends_here(&mut self) -> bool {
        if self.after(&TAIL_AND_EMPTY) != Some((Status::Ok, TAIL)) {
            return false;
        }
        match self.after(&EMPTY_AND_MORE) {
            Some((Status::Ok, EMPTY)) => true,
            Some((Status::StreamEnd, 0)) => {
                self.ended = true;
                true
            }
            _ => false,
        }
    }

    /// How the decoder stands when it stops in `input`, and where, if it makes nothing of it.
    fn after(&mut self, input: &[u8]) -> Option<(Status, usize)> {
        let mut nothing = [0];
        self.restart();
        let (before, made) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.decompress(input, &mut nothing, InflateFlush::Block).ok()?;
        let taken = usize::try_from(self.stream.total_in().saturating_sub(before)).ok()?;
        (self.stream.total_out() == made).then_some((status, taken))
    }

    /// Begins another data set, if the last one has ended.
    fn restart(&mut self) {
        if core::mem::take(&mut self.ended) {
            self.stream.reset(false);
        }
    }

    /// One call of the decoder, for `room` bytes at most, of which there are none at the limit.
    fn step(&mut self, input: &[u8], message: &mut Vec<u8>, room: usize, limits: Limits) -> Step {
        let mut step = Step { consumed: 0, produced: 0, drained: false };
        if self.failed.is_some() {
            return step;
        }
        let (size, room) = self.portion(input.len(), room, limits);
        let input = input.get(..size).unwrap_or_default();
        if self.ended && input.is_empty() {
            step.drained = true;
            return step;
        }
        self.restart();

        let (before, made) = (self.stream.total_in(), self.stream.total_out());
        let status = if room > 0 {
            spare::inflate(&mut self.stream, input, message, room)
        } else {
            // One byte too many is enough to know.
            self.stream.decompress(input, &mut [0], InflateFlush::NoFlush)
        };
        // Neither is more than the slice it counts in.
        step.consumed = usize::try_from(self.stream.total_in().saturating_sub(before)).unwrap_or(0);
        step.produced = usize::try_from(self.stream.total_out().saturating_sub(made)).unwrap_or(0);
        self.wire = self.wire.saturating_add(step.consumed as u64);
        if room == 0 && step.produced > 0 {
            step.produced = 0;
            self.failed = Some(InflateError::TooLarge);
            return step;
        }
        self.inflated = self.inflated.saturating_add(step.produced as u64);
        match status {
            Ok(Status::StreamEnd) => (self.ended, step.drained) = (true, true),
            Ok(_) => step.drained = step.produced < room.max(1),
            Err(_) => self.failed = Some(InflateError::Invalid),
        }
        if step.drained && !self.ended && step.consumed < input.len() {
            debug_assert!(false, "room, input, and no use made of them");
            self.failed = Some(InflateError::Invalid);
        }
        if step.drained && self.wire % STRIDE == 0 {
            self.weigh(limits);
        }
        step
    }

    /// How many bytes the message may still have, of which there are `len`: no vector has more than
    /// `isize::MAX`.
    fn left(&self, limits: Limits, len: usize) -> usize {
        let left = size(limits.max_message.saturating_sub(self.inflated));
        left.min(isize::MAX.unsigned_abs().saturating_sub(len))
    }

    /// How much of `size` octets, and for how much of `room`, the decoder is called.
    fn portion(&self, size: usize, room: usize, limits: Limits) -> (usize, usize) {
        (self.stride(size, limits).min(MOST), room.min(MOST))
    }

    /// How much of `size` octets to take: with a ratio, up to the next place where that is looked
    /// at, and not beyond it before all that comes of it is out.
    fn stride(&self, size: usize, limits: Limits) -> usize {
        let at = self.wire % STRIDE;
        if limits.max_ratio.is_none() {
            size
        } else if at == 0 && self.weighed < self.wire {
            0
        } else {
            usize::try_from(STRIDE.saturating_sub(at)).unwrap_or(usize::MAX).min(size)
        }
    }

    /// Compares what came with what came of it.
    fn weigh(&mut self, limits: Limits) {
        self.weighed = self.wire;
        let Some(ratio) = limits.max_ratio else { return };
        if self.inflated > self.wire.saturating_mul(u64::from(ratio)).saturating_add(FREE) {
            self.failed = Some(InflateError::TooDense);
        }
    }
}

/// A count as a size: what does not fit is more than any.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What a step has done; whether all that could come of it is out.
struct Step {
    consumed: usize,
    produced: usize,
    drained: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::WindowBits;

    #[test]
    fn the_decoder_is_given_what_it_can_count() {
        let inflater = Inflater::new(Context::new(WindowBits::MAX, false));
        for max_ratio in [None, Some(1)] {
            let limits = Limits { max_message: u64::MAX, max_ratio };
            let (size, room) = inflater.portion(usize::MAX, usize::MAX, limits);
            assert!(u32::try_from(size).is_ok() && u32::try_from(room).is_ok());
        }
    }

    /// "Never more than `isize::MAX`", where to reserve more would panic.
    #[test]
    fn a_vector_is_asked_for_no_more_than_it_can_have() {
        let inflater = Inflater::new(Context::new(WindowBits::MAX, false));
        let most = isize::MAX.unsigned_abs();
        for max_message in [most as u64, u64::MAX] {
            let limits = Limits { max_message, max_ratio: None };
            for len in [0, 1, most - 1, most] {
                assert_eq!(inflater.left(limits, len), most - len);
            }
        }
        assert_eq!(inflater.left(Limits { max_message: 7, max_ratio: None }, 1 << 20), 7);
    }
}
