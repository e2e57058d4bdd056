//! RFC 9110 sections 5.5 and 5.6.2 on any machine: eight bytes of a head in a word.
//!
//! Invariant: of the bytes of a word, the first one that is found is one.

use super::{is_control, is_token_byte};

/// A word with 1 in each byte, and one with the top bit of each.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;
/// What takes `a` and all above it to the top bit, and what takes all above `z`.
const ABOVE_A: u64 = ONES * (0x80 - 0x61);
const ABOVE_Z: u64 = ONES * (0x7f - 0x7a);

/// How many of the first bytes are tchars.
///
/// Names are letters and hyphens, nearly all of them: eight at a time, and the rest by the table.
#[inline]
pub(in super::super) fn token_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // In each byte: its top bit is set if it is ASCII, and a letter or a hyphen. No addition
        // carries into the next byte, for the top bits are clear.
        let low = word & !TOPS;
        let small = low | (ONES * 0x20);
        let letter = small.wrapping_add(ABOVE_A) & !small.wrapping_add(ABOVE_Z);
        let hyphen = !(low ^ (ONES * 0x2d)).wrapping_add(!TOPS);
        let other = !((letter | hyphen) & !word) & TOPS;
        if other != 0 {
            let at = other.trailing_zeros() as usize / 8;
            rest = rest.get(at..).unwrap_or_default();
            if rest.first() == Some(&b':') {
                return bytes.len().saturating_sub(rest.len());
            }
            break;
        }
        rest = after;
    }
    let others = rest
        .iter()
        .position(|&byte| !is_token_byte(byte))
        .map_or(0, |at| rest.len().saturating_sub(at));
    bytes.len().saturating_sub(others)
}

/// Where the control characters are, in order.
pub(in super::super) struct Controls<'a> {
    bytes: &'a [u8],
    /// What is before it was looked at.
    seen: usize,
}

impl<'a> Controls<'a> {
    #[inline]
    pub(in super::super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, seen: 0 }
    }

    /// Steps over the LF after the CR that was handed out.
    #[inline]
    pub(in super::super) fn step_over_lf(&mut self) {
        self.seen = self.seen.saturating_add(1);
    }
}

impl Iterator for Controls<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let at = self.seen.saturating_add(first_control(self.bytes.get(self.seen..)?)?);
        self.seen = at.saturating_add(1);
        Some(at)
    }
}

/// Where the first one is. Sixteen bytes at a time, side by side, without a branch for each.
#[inline]
fn first_control(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(0, |found, &byte| found | u8::from(is_control(byte))) != 0 {
            break;
        }
        rest = after;
    }
    // Here is one, or less than sixteen bytes are left: now eight at a time.
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // A top bit is left where a byte is below SP, and where a byte is DEL; a borrow can leave
        // more of them, but only above one that is right.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let other = word ^ (ONES * 0x7f);
        let delete = other.wrapping_sub(ONES) & !other;
        let found = (below | delete) & TOPS;
        if found != 0 {
            let at = found.trailing_zeros() as usize / 8;
            rest = rest.get(at..).unwrap_or_default();
            if rest.first() != Some(&b'\t') {
                return Some(bytes.len().saturating_sub(rest.len()));
            }
            break;
        }
        rest = after;
    }
    let clean = bytes.len().saturating_sub(rest.len());
    rest.iter().position(|&byte| is_control(byte)).map(|at| clean.saturating_add(at))
}
