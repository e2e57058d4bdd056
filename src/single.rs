//! RFC 6455 section 5.6: a message in one frame that lies whole in the input, what nearly every
//! frame is.
//!
//! A shortcut, not a judge: it recognises such a frame by its bytes and leaves anything else, right
//! or wrong, to `frame`. Limits but one, masks and text are not its business.
//!
//! Invariant: what is recognised here, [`Header::parse`](crate::frame::Header::parse) parses to the
//! same kind, key and payload.

use crate::frame::{Kind, LEN_16, MASK, first_byte};
use core::mem;

const FIN_TEXT: u8 = first_byte(true, false, Kind::Text.opcode());
const FIN_BINARY: u8 = first_byte(true, false, Kind::Binary.opcode());

/// A whole message, still masked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Single<'b> {
    /// Zero where frames are not masked.
    pub(crate) key: [u8; 4],
    pub(crate) payload: &'b mut [u8],
}

impl<'b> Single<'b> {
    /// The kind of message that begins here, if one in a single frame does. Who asks this first,
    /// and goes a way of its own for each, has the least to ask behind it.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub(crate) fn kind(input: &[u8]) -> Option<Kind> {
        match *input.first()? {
            FIN_BINARY => Some(Kind::Binary),
            FIN_TEXT => Some(Kind::Text),
            _ => None,
        }
    }

    /// Takes a whole message of less than `below` bytes off the start of `input`, or nothing. Its
    /// first byte was judged by [`kind`](Self::kind), and is not looked at again.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub(crate) fn take(input: &mut &'b mut [u8], masked: bool, below: u32) -> Option<Self> {
        debug_assert!(Self::kind(input).is_some());
        if masked { Self::cut::<true>(input, below) } else { Self::cut::<false>(input, below) }
    }

    /// Each form of the length goes its own way, so that in each the payload's place is known.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    fn cut<const MASKED: bool>(input: &mut &'b mut [u8], below: u32) -> Option<Self> {
        let &[_, second, ..] = &**input else { return None };
        // Where MASK is as it must be, what is left is the length.
        match second ^ if MASKED { MASK } else { 0 } {
            len @ ..LEN_16 => Self::split::<MASKED, 2>(input, u32::from(len), below),
            LEN_16 => {
                let &[_, _, high, low, ..] = &**input else { return None };
                let len = u16::from_be_bytes([high, low]);
                if len < u16::from(LEN_16) {
                    return None;
                }
                Self::split::<MASKED, 4>(input, u32::from(len), below)
            }
            _ => None,
        }
    }

    /// Behind `KEY` bytes is the key, if there is one.
    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "8 octets, and a length of 16 bits")]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    fn split<const MASKED: bool, const KEY: usize>(
        input: &mut &'b mut [u8],
        len: u32,
        below: u32,
    ) -> Option<Self> {
        let start = KEY + if MASKED { 4 } else { 0 };
        let end = start + len as usize;
        if len >= below || end > input.len() {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut(end);
        *input = rest;
        let (header, payload) = frame.split_at_mut(start);
        let key = if MASKED { header.last_chunk().copied().unwrap_or_default() } else { [0; 4] };
        Some(Self { key, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Expect, Header, Opcode};

    /// Kind, key and payload, and what follows.
    type Judged<'b> = Option<((Kind, [u8; 4], &'b [u8]), &'b [u8])>;

    /// What the invariant says, from the judge's side.
    fn judged(bytes: &[u8], masked: bool) -> Judged<'_> {
        let (header, start) = Header::parse(bytes, &Expect::unlimited(masked)).ok()??;
        let kind = match header.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary => Kind::Binary,
            _ => return None,
        };
        let end = start + usize::try_from(header.len).ok()?;
        let key = header.mask.unwrap_or_default();
        let short = header.len < 200 && header.fin && end <= bytes.len();
        short.then(|| ((kind, key, &bytes[start..end]), &bytes[end..]))
    }

    #[test]
    fn it_agrees_with_the_judge_on_every_two_bytes() {
        let mut found = 0;
        // All of them, but under valgrind only the lengths of 7 bits that mean something.
        let is_thin = option_env!("SOCKLESS_THIN").is_some();
        let kept = |second: &u8| !is_thin || matches!(second & 127, 0 | 1 | 4 | 124..);
        for first in 0..=255 {
            for second in (0..=255).filter(kept) {
                for len in [[0, 0], [0, 125], [0, 126], [0, 199], [0, 200], [1, 0]] {
                    for size in [0, 1, 4, 5, 130, 131, 204, 205, 300] {
                        let mut bytes = vec![first, second, len[0], len[1]];
                        bytes.resize(2 + size, 7);
                        for masked in [true, false] {
                            let mut taken = bytes.clone();
                            let mut input = &mut taken[..];
                            let single = Single::kind(input).and_then(|kind| {
                                let single = Single::take(&mut input, masked, 200)?;
                                Some((kind, single.key, &*single.payload))
                            });
                            let (judged, left) = judged(&bytes, masked)
                                .map_or((None, &bytes[..]), |(single, rest)| (Some(single), rest));
                            assert_eq!((single, &*input), (judged, left), "{bytes:02x?}");
                            found += usize::from(single.is_some());
                        }
                    }
                }
            }
        }
        assert!(found > if is_thin { 100 } else { 1000 }, "{found}");
    }
}
