//! RFC 7692 section 7.2.1: a message compressed, whole or by fragments.
//!
//! Each fragment is flushed, so that it can be inflated when it arrives; from the last one the four
//! octets that every message would end in are dropped. Whether a message is worth compressing is
//! not decided here.
//!
//! Invariant: what was appended is sent, or the deflater is told; only so does its window agree
//! with the peer's.

use super::{Context, Effort, Policy, WindowBits, spare};
use bytes::{BufMut, BytesMut};
use zlib_rs::{Deflate, DeflateConfig, Strategy};

/// The most that is reserved ahead of what is written.
const CHUNK: usize = 16 << 10;

/// What a flush ends in, and a message does not.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The octet before `TAIL`: an empty stored block, up to its length.
const STORED: u8 = 0x00;

/// Compresses one message after the other. It never sets BFINAL, and refers back no further than
/// the agreed window.
///
/// zlib cannot keep within a window of 256 octets: it takes 512, or refuses. So where 8 bits were
/// agreed, only runs of one byte are found (a distance of 1) and the rest is Huffman-coded, which
/// is legal for any window.
///
/// ```
/// use bytes::BytesMut;
/// use sockless::deflate::{Context, Deflater, Policy, WindowBits};
///
/// let context = Context::new(WindowBits::MAX, true);
/// let mut deflater = Deflater::new(context, &Policy::server());
/// let mut out = BytesMut::new();
/// deflater.compress(b"Hello", true, &mut out);
/// assert_eq!(&out[..], b"\xf2\x48\xcd\xc9\xc9\x07\x00");
/// out.clear();
/// deflater.compress(b"Hello", true, &mut out);
/// assert_eq!(&out[..], b"\xf2\x00\x11\x00\x00");
/// ```
pub struct Deflater {
    stream: Deflate,
    context: Context,
    effort: Effort,
    /// Whether a fragment of a message has been compressed, and not its last.
    open: bool,
}

impl Deflater {
    /// A deflater with an empty window.
    ///
    /// # Panics
    /// When there is no memory, as other allocations end the program then.
    pub fn new(context: Context, policy: &Policy) -> Self {
        Self::with_effort(context, policy.effort())
    }

    pub(crate) fn with_effort(context: Context, effort: Effort) -> Self {
        let runs_only = context.window() == WindowBits::MIN;
        let stream = Deflate::new_with_config(DeflateConfig {
            level: effort.level().into(),
            // Negative bits mean a stream without a zlib header.
            window_bits: i32::from(context.window().get().max(9)).saturating_neg(),
            mem_level: effort.memory().into(),
            strategy: if runs_only { Strategy::Rle } else { Strategy::Default },
            ..DeflateConfig::default()
        });
        Self { stream, context, effort, open: false }
    }

    /// Whether one made for this would be the same.
    pub(super) fn suits(&self, context: Context, effort: Effort) -> bool {
        self.context == context && self.effort == effort
    }

    /// Whether it compresses whole messages as a new one does, once it is told to forget.
    pub(super) const fn forgets(&self) -> bool {
        self.effort.forgets()
    }

    /// Whether no message is under way.
    pub(crate) const fn is_at_start(&self) -> bool {
        !self.open
    }

    /// Appends the payload of a message's next fragment; `last` ends the message.
    ///
    /// All that was appended since the last message must be sent: the next may refer to it. If it
    /// will not be, say so by [`abandon`](Self::abandon).
    pub fn compress(&mut self, piece: &[u8], last: bool, out: &mut BytesMut) {
        let start = out.len();
        // A flush of nothing after a flush writes nothing: zlib takes it for a call repeated.
        if !piece.is_empty() && !self.flush(piece, out) {
            debug_assert!(false, "the compressor refused");
            out.truncate(start);
            self.abandon();
            store(piece, out);
        }
        self.open = !last;
        if !last {
            return;
        }
        if out.len() > start {
            out.truncate(out.len().saturating_sub(TAIL.len()));
        } else {
            // "the DEFLATE blocks can be [..] an empty DEFLATE block with no compression"
            // (section 7.2.3.6), after an octet's boundary, where each flush ends.
            out.put_u8(STORED);
        }
    }

    /// What was appended since the last message is not sent: nothing that follows will refer to it,
    /// nor to what was before.
    pub fn abandon(&mut self) {
        self.stream.reset();
        self.open = false;
    }

    /// Compresses and flushes `piece`; whether that went as it should.
    fn flush(&mut self, piece: &[u8], out: &mut BytesMut) -> bool {
        let mut rest = piece;
        loop {
            let start = out.len();
            // Mostly one call: what does not shrink grows by less than an eighth.
            let room = rest.len().saturating_add(rest.len() / 8).saturating_add(64).min(CHUNK);
            let before = self.stream.total_in();
            let status = spare::deflate(&mut self.stream, rest, out, room);
            // Not more than the slice it counts in.
            let taken = usize::try_from(self.stream.total_in().saturating_sub(before)).unwrap_or(0);
            rest = rest.get(taken..).unwrap_or_default();
            if status.is_err() {
                return false;
            }
            // Room is left only when the flush is done.
            if out.len() < start.saturating_add(room) {
                return rest.is_empty() && out.ends_with(&TAIL);
            }
        }
    }
}

/// Appends `piece` in stored blocks, and `STORED` with its `TAIL`: what DEFLATE has for data that
/// is not compressed.
fn store(piece: &[u8], out: &mut BytesMut) {
    for block in piece.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.put_u8(STORED);
        out.put_u16_le(len);
        out.put_u16_le(!len);
        out.put_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::{Inflater, Limits};
    use alloc::vec::Vec;

    #[test]
    fn what_is_stored_inflates() {
        for len in [0, 1, 65_535, 65_536, 200_000] {
            let data: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[1]).collect();
            let mut out = BytesMut::new();
            store(&data, &mut out);
            assert!(out.ends_with(&TAIL));
            out.truncate(out.len() - TAIL.len());

            let limits = Limits { max_message: 1 << 20, max_ratio: None };
            let mut inflater = Inflater::new(Context::new(WindowBits::MAX, false));
            let (mut message, mut at) = (Vec::new(), 0);
            loop {
                let progress =
                    inflater.inflate(&out[at..], &mut message, usize::MAX, limits).unwrap();
                at += progress.consumed;
                if !progress.more {
                    break;
                }
            }
            inflater.finish(limits).unwrap();
            assert!(message == data, "{len}");
        }
    }
}
