//! RFC 6455 section 5.3: the one XOR loop, over whatever vectors the machine has.
//!
//! In place or from one buffer into another, with or without a verdict on what came out; the four
//! are one body. Up to [`SHORT`] bytes it is inlined where it is called and looks at no CPU feature.
//! Beyond, the first and the last vector are loaded before anything is stored and stored after all
//! else, so that neither needs a loop of smaller steps and no byte meets the key twice; between
//! them runs a loop that stores to aligned addresses only, since payloads never start aligned.
//!
//! Invariant: reads stay within `from..from + len`, writes within `to..to + len`.
#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use bytes::BytesMut;

use super::best;

/// Up to this many bytes no dispatch pays.
pub(super) const SHORT: usize = 128;

/// A register of the machine, seen as bytes.
///
/// # Safety
/// `load` and `store` touch the `LEN` bytes at the address and no others. Every method needs the
/// CPU feature that the implementation names.
pub(super) unsafe trait Vector: Copy {
    /// In bytes: a power of two, and a multiple of the key's four.
    const LEN: usize;

    /// The key, over and over.
    unsafe fn splat(key: [u8; 4]) -> Self;
    /// Needs `LEN` readable bytes at `from`, aligned or not.
    unsafe fn load(from: *const u8) -> Self;
    /// Needs `LEN` writable bytes at `to`, aligned or not.
    unsafe fn store(self, to: *mut u8);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    /// Whether no byte has its top bit set.
    unsafe fn is_ascii(self) -> bool;
}

/// XORs `piece` with the key, in place. With `VERDICT`, whether what came out is ASCII.
#[inline]
pub(super) fn apply<const VERDICT: bool>(key: [u8; 4], piece: &mut [u8]) -> bool {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both.
    unsafe { run::<VERDICT>(key, place, place, len) }
}

/// Writes `from` XOR the key into `to`: as much as the shorter holds.
#[inline]
pub(super) fn copy(key: [u8; 4], from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    // SAFETY: both are `len` bytes at least, and an exclusive slice overlaps no other.
    unsafe { run::<false>(key, from.as_ptr(), to.as_mut_ptr(), len) };
    len
}

/// Appends `from` XOR the key.
#[cfg(feature = "alloc")]
#[inline]
pub(super) fn append(key: [u8; 4], from: &[u8], onto: &mut Vec<u8>) {
    onto.reserve(from.len());
    let room = onto.spare_capacity_mut();
    debug_assert!(room.len() >= from.len());
    // SAFETY: `reserve` made the room that many bytes at least; it is exclusive.
    unsafe { run::<false>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
    // SAFETY: `run` has written the `from.len()` bytes that follow the old length.
    unsafe { onto.set_len(onto.len() + from.len()) };
}

/// Appends `from` XOR the key.
#[cfg(feature = "alloc")]
#[inline]
pub(super) fn append_to_output(key: [u8; 4], from: &[u8], onto: &mut BytesMut) {
    onto.reserve(from.len());
    let room = onto.spare_capacity_mut();
    debug_assert!(room.len() >= from.len());
    // SAFETY: `reserve` made the room that many bytes at least; it is exclusive.
    unsafe { run::<false>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
    // SAFETY: `run` has written the `from.len()` bytes that follow the old length.
    unsafe { onto.set_len(onto.len() + from.len()) };
}

/// Writes `len` bytes XOR the key; with `VERDICT`, whether what was written is ASCII.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`; the two are the same or do not
/// overlap.
#[inline(always)]
unsafe fn run<const VERDICT: bool>(
    key: [u8; 4],
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if len > SHORT {
            best::long::<VERDICT>(key, from, to, len)
        } else {
            short::<best::Short, VERDICT>(key, from, to, len)
        }
    }
}

/// Up to [`SHORT`] bytes: two runs of vectors that overlap where the length asks for it.
///
/// # Safety
/// As for [`run`], with `len <= SHORT`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn short<V: Vector, const VERDICT: bool>(
    key: [u8; 4],
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len <= SHORT && V::LEN == 16);
    // SAFETY: the caller's promise; each arm's own needs stand in its pattern: a run of vectors is
    // no longer than `len`.
    unsafe {
        match len {
            65.. => ends::<V, 4, VERDICT>(key, from, to, len),
            33.. => ends::<V, 2, VERDICT>(key, from, to, len),
            16.. => ends::<V, 1, VERDICT>(key, from, to, len),
            8.. => ends::<u64, 1, VERDICT>(key, from, to, len),
            4.. => ends::<u32, 1, VERDICT>(key, from, to, len),
            _ => {
                let [a, b, c, _] = key;
                let mut seen = 0;
                for (at, key) in [a, b, c].into_iter().enumerate().take(len) {
                    let byte = from.add(at).read() ^ key;
                    to.add(at).write(byte);
                    seen |= byte;
                }
                !VERDICT || seen.is_ascii()
            }
        }
    }
}

/// The first `N` vectors and the last `N`, all loaded before any is stored: together they are all
/// of `N * V::LEN..=2 * N * V::LEN` bytes.
///
/// # Safety
/// As for [`run`], with `N * V::LEN <= len`, and what `V` needs.
#[inline(always)]
unsafe fn ends<V: Vector, const N: usize, const VERDICT: bool>(
    key: [u8; 4],
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(N * V::LEN <= len && len <= 2 * N * V::LEN);
    // SAFETY: every address is a whole vector before the end or after the start of `len` bytes.
    unsafe {
        let last = len - N * V::LEN;
        let (head_key, tail_key) = (V::splat(key), V::splat(turned(key, last)));
        let (mut head, mut tail) = ([head_key; N], [tail_key; N]);
        let mut seen = None;
        for (at, (head, tail)) in head.iter_mut().zip(&mut tail).enumerate() {
            *head = V::load(from.add(at * V::LEN)).xor(*head);
            *tail = V::load(from.add(last + at * V::LEN)).xor(*tail);
            let both = head.or(*tail);
            seen = Some(seen.map_or(both, |seen: V| seen.or(both)));
        }
        for (at, (head, tail)) in head.into_iter().zip(tail).enumerate() {
            head.store(to.add(at * V::LEN));
            tail.store(to.add(last + at * V::LEN));
        }
        !VERDICT || seen.is_none_or(|seen| seen.is_ascii())
    }
}

/// More than [`SHORT`] bytes: the first vector, the last, and between them an aligned body.
///
/// # Safety
/// As for [`run`], with `len >= V::LEN`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn long<V: Vector, const VERDICT: bool>(
    key: [u8; 4],
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len >= V::LEN);
    // SAFETY: `at` starts below `V::LEN <= len` and a vector is taken at it only where `at + V::LEN`
    // (or four of them) is no more than `len`. In place, a byte is loaded before it is stored, but
    // for those that the first and last vectors cover: these two were loaded before anything was
    // stored, and what they store is the same bytes again.
    unsafe {
        let last = len - V::LEN;
        let head = V::load(from).xor(V::splat(key));
        let tail = V::load(from.add(last)).xor(V::splat(turned(key, last)));
        let mut seen = head.or(tail);

        // Where the stores are aligned. The address is only looked at.
        let mut at = (to as usize).wrapping_neg() % V::LEN;
        let body = V::splat(turned(key, at));
        while len - at >= 4 * V::LEN {
            let a = V::load(from.add(at)).xor(body);
            let b = V::load(from.add(at + V::LEN)).xor(body);
            let c = V::load(from.add(at + 2 * V::LEN)).xor(body);
            let d = V::load(from.add(at + 3 * V::LEN)).xor(body);
            if VERDICT {
                seen = seen.or(a.or(b).or(c.or(d)));
            }
            a.store(to.add(at));
            b.store(to.add(at + V::LEN));
            c.store(to.add(at + 2 * V::LEN));
            d.store(to.add(at + 3 * V::LEN));
            at += 4 * V::LEN;
        }
        while len - at >= V::LEN {
            let block = V::load(from.add(at)).xor(body);
            if VERDICT {
                seen = seen.or(block);
            }
            block.store(to.add(at));
            at += V::LEN;
        }

        head.store(to);
        tail.store(to.add(last));
        !VERDICT || seen.is_ascii()
    }
}

/// The key as it stands `by` bytes later.
#[inline(always)]
pub(super) fn turned(key: [u8; 4], by: usize) -> [u8; 4] {
    let bits = match by % 4 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    };
    u32::from_le_bytes(key).rotate_right(bits).to_le_bytes()
}

macro_rules! integers {
    ($($int:ident: $splat:expr, $high:expr;)*) => {$(
        // SAFETY: the pointers are read and written as arrays of the integer's own bytes; no CPU
        // feature is needed.
        unsafe impl Vector for $int {
            const LEN: usize = size_of::<$int>();

            #[inline(always)]
            unsafe fn splat(key: [u8; 4]) -> Self {
                $int::from(u32::from_ne_bytes(key)) * $splat
            }
            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller's promise.
                unsafe { from.cast::<$int>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<$int>().write_unaligned(self) }
            }
            #[inline(always)]
            unsafe fn xor(self, other: Self) -> Self {
                self ^ other
            }
            #[inline(always)]
            unsafe fn or(self, other: Self) -> Self {
                self | other
            }
            #[inline(always)]
            unsafe fn is_ascii(self) -> bool {
                self & $high == 0
            }
        }
    )*};
}

integers! {
    u32: 1, 0x8080_8080;
    u64: 0x1_0000_0001, 0x8080_8080_8080_8080;
}
