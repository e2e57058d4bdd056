//! RFC 6455 section 5.3, a word at a time: where memory is small, and loads have to be aligned.
//!
//! There the one body (`body`) is ten times the code, and slower: a load from any address is a load
//! of each byte. In place, what is stored aligned is loaded aligned too; a copy stores aligned
//! words, and loads what the machine can.
//!
//! Invariant: as for `body`.
#![allow(unsafe_code)]

use super::vector::{Vector, turned};
use core::mem::MaybeUninit;
use core::slice;

/// Whether this is what masks here: where there are no vectors for `body`, and a load from any
/// address is not known to be one instruction.
pub(super) const BEST: bool = !cfg!(any(
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    target_arch = "powerpc64",
    target_arch = "s390x",
    target_arch = "wasm32",
    target_arch = "wasm64",
    target_arch = "x86",
    target_arch = "x86_64",
));

/// What a register holds.
#[cfg(target_pointer_width = "64")]
type Word = u64;
#[cfg(not(target_pointer_width = "64"))]
type Word = u32;

/// XORs `piece` with the key, in place. With `VERDICT`, whether what came out is ASCII, else true.
#[inline(never)]
pub(super) fn apply<const VERDICT: bool>(mut key: u32, piece: &mut [u8]) -> bool {
    // SAFETY: a word is any bytes of its length.
    let (head, words, tail) = unsafe { piece.align_to_mut::<Word>() };
    let (mut seen, mut seen_words) = (0, 0);
    for byte in head {
        *byte ^= first(&mut key);
        seen |= *byte;
    }
    let wide = splat(key);
    for word in words {
        *word ^= wide;
        seen_words |= *word;
    }
    for byte in tail {
        *byte ^= first(&mut key);
        seen |= *byte;
    }
    !VERDICT || (seen < 0x80 && seen_words & splat(0x8080_8080) == 0)
}

/// Writes `len` bytes XOR the key elsewhere.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`, which do not overlap.
#[inline(never)]
pub(super) unsafe fn copy(mut key: u32, mut from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise; a word is any bytes of its length.
    let (head, words, tail) = unsafe {
        let to = slice::from_raw_parts_mut(to.cast::<MaybeUninit<u8>>(), len);
        to.align_to_mut::<MaybeUninit<Word>>()
    };
    // SAFETY: the three are `len` bytes together, and `from` goes on by as many as are written.
    unsafe {
        for byte in head {
            byte.write(*from ^ first(&mut key));
            from = from.add(1);
        }
        let wide = splat(key);
        for word in words {
            word.write(from.cast::<Word>().read_unaligned() ^ wide);
            from = from.add(size_of::<Word>());
        }
        for byte in tail {
            byte.write(*from ^ first(&mut key));
            from = from.add(1);
        }
    }
}

/// The byte of the key that belongs to the next byte, behind which the key goes on.
#[inline]
fn first(key: &mut u32) -> u8 {
    let [first, ..] = key.to_le_bytes();
    *key = turned(*key, 1);
    first
}

/// The key, over and over; its lowest byte belongs to the first byte.
#[inline]
fn splat(key: u32) -> Word {
    // SAFETY: an integer needs no CPU feature.
    unsafe { Vector::splat(key) }
}
