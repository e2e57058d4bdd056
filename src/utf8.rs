//! RFC 6455 section 8.1: text is UTF-8, checked as it arrives.
//!
//! "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not,
//! in fact, a valid UTF-8 stream, that endpoint MUST Fail the WebSocket Connection." A stream may
//! be cut anywhere, inside a character too; [`Utf8`] carries the unfinished character over the cut
//! and refuses at the first byte that no continuation can save. It holds no text itself.
//!
//! A whole text is unmasked and judged in one pass where it is ASCII.
//!
//! Invariant: `pending[..len]` is a proper prefix of some character's encoding, so `len <= 3`.
#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
use crate::mask::Mask;

/// A UTF-8 check over a stream of pieces.
///
/// ```
/// use sockless::utf8::Utf8;
/// let mut check = Utf8::new();
/// assert_eq!(check.push(b"\xf0\x9f"), Ok(()));        // half of an emoji
/// assert!(!check.is_boundary());
/// assert_eq!(check.push(b"\x98\x80!"), Ok(()));
/// assert!(check.is_boundary());
/// // U+110000 would start like this: refused at the second byte, not at the end.
/// assert_eq!(check.push(b"abc\xf4\x90").unwrap_err().index, 4);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Utf8 {
    pending: [u8; 3],
    len: u8,
}

/// The stream cannot be UTF-8, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8 {
    /// Where the first impossible byte stands in the piece that was pushed.
    pub index: usize,
}

impl core::fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not UTF-8 from byte {} on", self.index)
    }
}

impl core::error::Error for InvalidUtf8 {}

impl Utf8 {
    /// A check at the start of a text.
    pub const fn new() -> Self {
        Self { pending: [0; 3], len: 0 }
    }

    /// Whether the text may end here: no character is unfinished.
    pub const fn is_boundary(&self) -> bool {
        self.len == 0
    }

    /// Checks the next piece.
    ///
    /// # Errors
    /// [`InvalidUtf8`] at the first byte that cannot belong to UTF-8 (RFC 6455 section 8.1). The
    /// check is spent then.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        let used = self.complete(piece)?;
        let rest = piece.get(used..).unwrap_or_default();
        let start = rest.len().saturating_sub(unfinished(rest));
        let (text, tail) = rest.split_at_checked(start).unwrap_or_default();
        if whole(text).is_none() || !may_go_on(tail) {
            return Err(InvalidUtf8 { index: used.saturating_add(impossible(rest)) });
        }
        if !tail.is_empty() {
            self.hold(tail);
        }
        Ok(())
    }

    /// Takes from `piece` what the pending character lacks: how many bytes that is.
    fn complete(&mut self, piece: &[u8]) -> Result<usize, InvalidUtf8> {
        for (index, byte) in piece.iter().enumerate() {
            let len = usize::from(self.len);
            if len == 0 {
                return Ok(index);
            }
            let [a, b, c] = self.pending;
            let mut bytes = [a, b, c, 0];
            let Some((last, _)) = bytes.get_mut(len..).and_then(<[u8]>::split_first_mut) else {
                break;
            };
            *last = *byte;
            let so_far = bytes.get(..=len).unwrap_or_default();
            match core::str::from_utf8(so_far) {
                Ok(_) => {
                    self.len = 0;
                    return Ok(index.saturating_add(1));
                }
                // What was pending could be continued, so it is this byte that cannot.
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8 { index }),
                Err(_) => self.hold(so_far),
            }
        }
        Ok(piece.len())
    }

    fn hold(&mut self, tail: &[u8]) {
        debug_assert!(tail.len() <= self.pending.len());
        for (slot, byte) in self.pending.iter_mut().zip(tail) {
            *slot = *byte;
        }
        self.len = u8::try_from(tail.len().min(self.pending.len())).unwrap_or_default();
    }
}

/// Unmasks a whole text in place; `None` when it is not UTF-8.
#[cfg(feature = "alloc")]
#[inline(never)]
pub(crate) fn unmask(mut mask: Mask, payload: &mut [u8]) -> Option<&str> {
    if mask.unmask_judging(payload) {
        // SAFETY: the verdict on all of `payload`, which nothing has written to since, is ASCII,
        // and that is UTF-8.
        return Some(unsafe { core::str::from_utf8_unchecked(payload) });
    }
    whole(payload)
}

/// A whole text, if it is UTF-8.
pub(crate) fn whole(text: &[u8]) -> Option<&str> {
    #[cfg(feature = "simdutf8")]
    match text.len() {
        WIDE.. => return simdutf8::basic::from_utf8(text).ok(),
        SHORT.. => return padded(text),
        _ => {}
    }
    core::str::from_utf8(text).ok()
}

/// The SIMD validator's step, below which it is the standard library's.
#[cfg(feature = "simdutf8")]
const WIDE: usize = 64;

/// From this many bytes on, a whole step costs less than the standard library takes, also where the
/// text was stored just before.
#[cfg(feature = "simdutf8")]
const SHORT: usize = 40;

/// A text of less than a step, checked with zeros behind it.
#[cfg(feature = "simdutf8")]
#[inline(never)]
fn padded(text: &[u8]) -> Option<&str> {
    debug_assert!(text.len() < WIDE);
    let mut step = [0; WIDE];
    step.get_mut(..text.len())?.copy_from_slice(text);
    simdutf8::basic::from_utf8(&step).ok()?;
    // SAFETY: `text` and zeros are UTF-8, and a zero is a character of its own: so the text ends
    // where a character does.
    Some(unsafe { core::str::from_utf8_unchecked(text) })
}

/// How many bytes at the end of `text` begin a character that is longer.
fn unfinished(text: &[u8]) -> usize {
    for (back, byte) in (1..4).zip(text.iter().rev()) {
        let len = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if back < len { back } else { 0 };
    }
    0
}

/// Whether what is left of a text may be the beginning of a character, or is nothing.
fn may_go_on(tail: &[u8]) -> bool {
    core::str::from_utf8(tail).err().is_none_or(|error| error.error_len().is_none())
}

/// Where the first byte of `text` stands that no UTF-8 has there.
#[cold]
fn impossible(text: &[u8]) -> usize {
    #[cfg(feature = "simdutf8")]
    let valid =
        simdutf8::compat::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    #[cfg(not(feature = "simdutf8"))]
    let valid = core::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    valid.saturating_add(possible(text.get(valid..).unwrap_or_default()))
}

/// How many bytes of `tail`, which starts with an error, could still have been UTF-8: none when its
/// first byte can start no character, else what `core` counts as the invalid sequence.
fn possible(tail: &[u8]) -> usize {
    match tail.first() {
        Some(0xc2..=0xf4) => {
            core::str::from_utf8(tail).err().and_then(|error| error.error_len()).unwrap_or_default()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: a prefix is possible while some continuation makes it valid.
    fn first_impossible(bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).find(|&end| match core::str::from_utf8(&bytes[..=end]) {
            Ok(_) => false,
            Err(error) => error.error_len().is_some(),
        })
    }

    fn at_every_cut(bytes: &[u8]) {
        let wanted = first_impossible(bytes);
        for cut in 0..=bytes.len() {
            let mut check = Utf8::new();
            let (head, tail) = bytes.split_at(cut);
            let found = match check.push(head) {
                Err(error) => Some(error.index),
                Ok(()) => check.push(tail).err().map(|error| cut + error.index),
            };
            assert_eq!(found, wanted, "{bytes:x?} cut at {cut}");
            if wanted.is_none() {
                assert_eq!(check.is_boundary(), core::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
            }
        }
    }

    // req: W8.1-01, W8.1-02, W5.6-01
    #[test]
    fn every_string_of_two_bytes_at_every_cut() {
        for a in 0..=255 {
            for b in 0..=255 {
                at_every_cut(&[a, b]);
            }
        }
    }

    // req: W8.1-01, W8.1-02
    #[test]
    fn every_byte_after_every_kind_of_prefix() {
        let prefixes: [&[u8]; 12] = [
            b"\xe0",
            b"\xe0\xa0",
            b"\xe2\x82",
            b"\xed",
            b"\xed\x9f",
            b"\xf0",
            b"\xf0\x90",
            b"\xf0\x9f\x98",
            b"\xf4",
            b"\xf4\x8f\xbf",
            b"ok\xc3",
            b"\xef\xbf\xbf\xf1\x80",
        ];
        for prefix in prefixes {
            for byte in 0..=255 {
                for last in [0x00, 0x80, 0xbf, 0xc0, 0xff] {
                    at_every_cut(&[prefix, &[byte, last]].concat());
                }
            }
        }
    }

    /// Around the length of a step: cut anywhere, with what is wrong at its end.
    // req: W8.1-01
    #[test]
    fn a_whole_text_of_any_length_is_what_core_says() {
        let source = "Grüße, мир 世界 🎈".repeat(8);
        for start in (0..40).filter(|&start| source.is_char_boundary(start)) {
            for len in 0..=2 * 64 + 2 {
                let mut text = source.as_bytes()[start..start + len].to_vec();
                assert_eq!(whole(&text), core::str::from_utf8(&text).ok(), "{len} from {start}");
                for back in 1..=len.min(5) {
                    for byte in [0x00, 0x80, 0xbf, 0xc3, 0xe0, 0xed, 0xf0, 0xf4, 0xff] {
                        let kept = core::mem::replace(&mut text[len - back], byte);
                        assert_eq!(whole(&text), core::str::from_utf8(&text).ok(), "{text:x?}");
                        text[len - back] = kept;
                    }
                }
            }
        }
    }

    /// Pieces that are long enough for the SIMD validator.
    // req: W8.1-01, W8.1-02
    #[test]
    fn long_pieces_at_every_cut() {
        let text = "κόσμε €uro 😀 plain ".repeat(10);
        at_every_cut(text.as_bytes());
        for at in 0..text.len() {
            for byte in [0x00, 0x80, 0xbf, 0xc1, 0xe0, 0xed, 0xf0, 0xf4, 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                at_every_cut(&bytes);
            }
        }
    }
}
