//! RFC 9110 sections 5.5 and 5.6.2 on x86-64: sixteen bytes of a head in a vector.
//!
//! SSE2 is in every x86-64, so nothing is asked.
//!
//! Invariant: a bit of a mask is about the byte of its place, and no other.
#![allow(unsafe_code)]
#![allow(clippy::inline_always, reason = "in registers, a line takes a few instructions")]

use super::{is_control, is_token_byte};
use core::arch::x86_64::{
    _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8,
};

/// How many of the first bytes are tchars.
///
/// Names are letters and hyphens, nearly all of them: sixteen at a time, and the rest by the table.
#[inline]
pub(in super::super) fn token_len(bytes: &[u8]) -> usize {
    let (mut rest, mut start) = (bytes, 0_usize);
    while let Some((block, after)) = rest.split_first_chunk() {
        let found = others(block);
        if found != 0 {
            let at = start | found.trailing_zeros() as usize;
            if bytes.get(at) == Some(&b':') {
                return at;
            }
            return token_len_by_table(bytes, at);
        }
        (rest, start) = (after, start.saturating_add(16));
    }
    token_len_by_table(bytes, start)
}

/// The same where the first bytes are known to be tchars.
#[inline(never)]
fn token_len_by_table(bytes: &[u8], known: usize) -> usize {
    let rest = bytes.get(known..).unwrap_or_default();
    let more = rest.iter().take_while(|&&byte| is_token_byte(byte)).count();
    known.saturating_add(more)
}

/// Where the control characters are, in order.
///
/// They are looked for in steps of 64 bytes, wherever the last one was: who asks for the next need
/// not wait for what came of this one.
pub(in super::super) struct Controls<'a> {
    bytes: &'a [u8],
    /// A bit for each byte that may be one and was not looked at, of the 64 from `start` on.
    found: u64,
    /// A multiple of 64.
    start: usize,
}

impl<'a> Controls<'a> {
    #[inline]
    pub(in super::super) fn of(bytes: &'a [u8]) -> Self {
        // The step before the first.
        Self { bytes, found: 0, start: BLOCK.wrapping_neg() }
    }

    /// Steps over the LF after the CR that was handed out.
    #[inline]
    pub(in super::super) fn step_over_lf(&mut self) {
        if self.found == 0 {
            (self.start, self.found) = search_on(self.bytes, self.next_step());
        }
        self.found &= self.found.wrapping_sub(1);
    }

    #[inline]
    const fn next_step(&self) -> usize {
        self.start.wrapping_add(BLOCK)
    }

    #[inline(always)]
    fn candidate(&mut self) -> Option<usize> {
        if self.found == 0 {
            (self.start, self.found) = search(self.bytes, self.next_step());
            if self.found == 0 {
                return None;
            }
        }
        let at = self.start | self.found.trailing_zeros() as usize;
        self.found &= self.found.wrapping_sub(1);
        Some(at)
    }
}

impl Iterator for Controls<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        loop {
            let at = self.candidate()?;
            if self.bytes.get(at).is_some_and(|&byte| byte == b'\r' || is_control(byte)) {
                return Some(at);
            }
        }
    }
}

/// In steps of 64 bytes from `start` on: where the first one starts that has a candidate, and the
/// mask of it, which is empty if none has.
#[inline(always)]
fn search(bytes: &[u8], mut start: usize) -> (usize, u64) {
    let mut rest = bytes.get(start..).unwrap_or_default();
    while let Some((block, after)) = rest.split_first_chunk() {
        let found = controls(block);
        if found != 0 {
            return (start, found);
        }
        start = start.saturating_add(BLOCK);
        rest = after;
    }
    if let Some(block) = bytes.last_chunk() {
        // The first of these were looked at already.
        let again = u32::try_from(BLOCK.saturating_sub(rest.len())).unwrap_or(u32::MAX);
        return (start, controls(block).checked_shr(again).unwrap_or_default());
    }
    let mut block = [b' '; BLOCK];
    for (place, &byte) in block.iter_mut().zip(rest) {
        *place = byte;
    }
    (start, controls(&block))
}

/// The same for an LF in another step than its CR: out of line, since a second copy of the loop
/// takes the registers of the first.
#[inline(never)]
fn search_on(bytes: &[u8], start: usize) -> (usize, u64) {
    search(bytes, start)
}

/// How many bytes one step looks at: as many as a mask has bits.
const BLOCK: usize = 64;

/// A bit for each byte that is a control character or is not ASCII. What is neither, but HTAB, is
/// what heads are made of; the others are told apart one by one.
#[inline]
fn controls(block: &[u8; BLOCK]) -> u64 {
    let mut mask = 0;
    for (vector, place) in block.chunks_exact(16).zip([0, 16, 32, 48]) {
        if let Some(vector) = vector.first_chunk() {
            mask |= u64::from(controls_of(vector)) << place;
        }
    }
    mask
}

#[inline]
fn controls_of(bytes: &[u8; 16]) -> u32 {
    // SAFETY: sixteen bytes are read, from a reference to as many; every x86-64 has SSE2.
    let mask = unsafe {
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        // As signed bytes: one more than a control character is at most SP, and one more than DEL
        // is the least of all. What is not ASCII is below zero.
        let after = _mm_add_epi8(bytes, _mm_set1_epi8(1));
        _mm_movemask_epi8(_mm_cmplt_epi8(after, _mm_set1_epi8(0x21)))
    };
    u32::from_ne_bytes(mask.to_ne_bytes())
}

/// A bit for each byte that is neither a letter nor a hyphen.
#[inline]
fn others(bytes: &[u8; 16]) -> u32 {
    // SAFETY: as in `controls_of`.
    let mask = unsafe {
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        // `a` to `z` become the 26 least of all bytes, which are signed here.
        let small = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        let turned = _mm_add_epi8(small, _mm_set1_epi8(0x1f));
        let letter = _mm_cmplt_epi8(turned, _mm_set1_epi8(-0x80 + 26));
        let hyphen = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x2d));
        _mm_movemask_epi8(_mm_or_si128(letter, hyphen))
    };
    u32::from_ne_bytes(mask.to_ne_bytes()) ^ 0xffff
}
