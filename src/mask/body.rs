//! RFC 6455 section 5.3: the one XOR loop, over whatever vectors the machine has.
//!
//! Up to [`SHORT`] bytes it is `short`, inlined where it is called. Beyond, in place, the same with
//! a verdict on what came out, or from one buffer into another: the three are one body. The first
//! and the last vector are loaded before anything is stored, and stored after all else, so that
//! neither needs a loop of smaller steps and no byte meets the key twice; between them runs a loop
//! that stores to aligned addresses only, since payloads never start aligned. What may be larger
//! than a cache is done in blocks, the last one first.
//!
//! Invariant: reads stay within `from..from + len`, writes within `to..to + len`.
#![allow(unsafe_code)]
#![allow(clippy::arithmetic_side_effects, reason = "sums of places within one slice")]
#![allow(clippy::inline_always, reason = "a CPU feature is on only where all of it is inlined")]

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use bytes::BytesMut;

use super::best;
use super::short::{SHORT, by_ends, by_steps};
use super::vector::{LINE, Vector, joined, step, turned};

/// From this many bytes on, aligned stores pay for two vectors that overlap.
const ALIGNED: usize = 512;

/// From this many bytes on, the nearest cache may not hold all; and how much is done at a time
/// then.
pub(super) const LARGE: usize = 32 << 10;
pub(super) const BLOCK: usize = 8 << 10;

/// The same of what a read has brought, with other messages, as a rule.
#[cfg(feature = "alloc")]
pub(super) const READ: usize = 16 << 10;

/// Beyond this many bytes, most come from the cache behind the nearest (which has 32 to 48 KiB, as
/// a rule), and no sooner in the widest vectors than in others.
pub(super) const BEHIND: usize = 56 << 10;

/// From this many bytes on, a copy has the lines fetched that it is to write, so many bytes ahead:
/// what a message is assembled in is far away, as a rule, and stores alone do not bring it in time.
/// Where the machine takes no such hint, nothing is fetched.
const FAR: usize = 4 << 10;
const AHEAD: usize = 256;

/// XORs `piece` with the key, in place.
#[inline(always)]
pub(super) fn apply(key: u32, piece: &mut [u8]) {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both.
    unsafe { run::<false>(key, place, place, len) }
}

/// The same for what a read has brought (`short`, [`READ`]). With `VERDICT`, whether what came out
/// is ASCII.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(super) fn unmask<const VERDICT: bool>(key: u32, piece: &mut [u8]) -> bool {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both; of each branch it needs the length that
    // is tested.
    unsafe {
        match (VERDICT, len <= SHORT) {
            (true, true) => by_ends::<best::Short, true, false>(key, place, place, len),
            (true, false) => longer_judged(key, place, len),
            (false, true) => by_ends::<best::Short, false, true>(key, place, place, len),
            (false, false) => {
                longer::<false, READ>(key, place, place, len);
                true
            }
        }
    }
}

/// Writes `from` XOR the key into `to`: as much as the shorter holds.
#[inline]
pub(super) fn copy(key: u32, from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    // SAFETY: both are `len` bytes at least, and an exclusive slice overlaps no other.
    unsafe { run::<true>(key, from.as_ptr(), to.as_mut_ptr(), len) };
    len
}

/// Appends `from` XOR the key.
#[cfg(feature = "alloc")]
#[inline]
pub(super) fn append(key: u32, from: &[u8], onto: &mut Vec<u8>) {
    onto.reserve(from.len());
    let room = onto.spare_capacity_mut();
    debug_assert!(room.len() >= from.len());
    // SAFETY: `reserve` made the room that many bytes at least; it is exclusive.
    unsafe { run::<true>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
    // SAFETY: `run` has written the `from.len()` bytes that follow the old length.
    unsafe { onto.set_len(onto.len() + from.len()) };
}

/// Appends `from` XOR the key.
#[cfg(feature = "alloc")]
#[inline]
pub(super) fn append_to_output(key: u32, from: &[u8], onto: &mut BytesMut) {
    onto.reserve(from.len());
    let room = onto.spare_capacity_mut();
    debug_assert!(room.len() >= from.len());
    // SAFETY: `reserve` made the room that many bytes at least; it is exclusive.
    unsafe { run::<true>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
    // SAFETY: `run` has written the `from.len()` bytes that follow the old length.
    unsafe { onto.set_len(onto.len() + from.len()) };
}

/// Appends two bytes and `from` as it is, where that is no longer than [`SHORT`] and there is room
/// for it already; whether it did. Nothing is called: a copy is a mask of zeros.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(super) fn append_short(header: [u8; 2], from: &[u8], onto: &mut BytesMut) -> bool {
    let room = onto.spare_capacity_mut();
    if from.len() > SHORT || header.len() + from.len() > room.len() {
        return false;
    }
    // SAFETY: the room is that long, as was just seen, and exclusive, so that `from` does not
    // overlap it; `by_ends` asks for no more than `SHORT` bytes.
    unsafe {
        let to = room.as_mut_ptr().cast::<u8>();
        to.cast::<[u8; 2]>().write(header);
        by_ends::<best::Short, false, false>(0, from.as_ptr(), to.add(header.len()), from.len());
    }
    // SAFETY: that many bytes have just been written behind the old length.
    unsafe { onto.set_len(onto.len() + header.len() + from.len()) };
    true
}

/// Writes `len` bytes XOR the key. `COPY` says that it is written elsewhere.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`; the two are the same or do not
/// overlap.
#[inline(always)]
unsafe fn run<const COPY: bool>(key: u32, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if len > SHORT {
            longer::<COPY, LARGE>(key, from, to, len);
        } else if COPY {
            by_ends::<best::Short, false, false>(key, from, to, len);
        } else {
            by_steps::<best::Short>(key, from, to, len);
        }
    }
}

/// More than [`SHORT`] bytes, called where the short are inlined; in blocks from `MANY` on. It
/// returns nothing, so that it can end in a jump.
///
/// # Safety
/// As for [`run`], with `len > SHORT`.
#[inline(never)]
unsafe fn longer<const COPY: bool, const MANY: usize>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if len < MANY {
            best::long::<false, COPY>(key, from, to, len);
        } else {
            large::<false, COPY>(key, from, to, len);
        }
    }
}

/// The same of what a read has brought, in place and with a verdict.
///
/// # Safety
/// As for [`longer`].
#[cfg(feature = "alloc")]
#[inline(never)]
unsafe fn longer_judged(key: u32, place: *mut u8, len: usize) -> bool {
    // SAFETY: as in `longer`.
    unsafe {
        if len < READ {
            best::long::<true, false>(key, place, place, len)
        } else {
            large::<true, false>(key, place, place, len)
        }
    }
}

/// What may be larger than the nearest cache, block by block from its end: that is where a read has
/// written last, and its start is what is looked at next.
///
/// # Safety
/// As for [`run`], with `len > SHORT`.
#[inline(never)]
unsafe fn large<const VERDICT: bool, const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    let (mut end, mut ascii) = (len, true);
    while end > 0 {
        let at = if end < 2 * BLOCK { 0 } else { end - BLOCK };
        // Back to where the stores are aligned, or the start is. The address is only looked at.
        let at = at - at.min((to as usize).wrapping_add(at) % LINE);
        // SAFETY: the caller's promise; the blocks lie in `..len`, side by side, and none is
        // shorter than `BLOCK - LINE`, which is more than `SHORT`.
        ascii &= unsafe {
            let (key, from, to) = (turned(key, at), from.add(at), to.add(at));
            if len > BEHIND {
                best::behind::<VERDICT, COPY>(key, from, to, end - at)
            } else {
                best::long::<VERDICT, COPY>(key, from, to, end - at)
            }
        };
        end = at;
    }
    ascii
}

/// More than [`SHORT`] bytes: vectors from the first byte on, or, where that pays, the first
/// vector, the last, and between them an aligned body.
///
/// # Safety
/// As for [`run`], with `len > SHORT`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn long<V: Vector, const VERDICT: bool, const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len > SHORT && V::LEN <= SHORT);
    // SAFETY: the caller's promise. In place, a byte is loaded before it is stored, but for those
    // that the first two and the last vector cover: these were loaded before anything was stored,
    // and what they store is the same bytes again. `len` is `ALIGNED` at least, so all three fit.
    unsafe {
        // How far the stores are from being aligned. The address is only looked at.
        let start = (to as usize).wrapping_neg() % V::LEN;
        if len < ALIGNED || start == 0 {
            let (seen, at) = middle::<V, VERDICT, COPY>(key, from, to, 0, len);
            let ascii = !VERDICT || seen.is_ascii();
            if at == len {
                return ascii;
            }
            let (from, to) = (from.add(at), to.add(at));
            if VERDICT {
                // Steps judge nothing.
                return by_ends::<best::Short, true, false>(key, from, to, len - at) & ascii;
            }
            by_steps::<best::Short>(key, from, to, len - at);
            return true;
        }
        let last = len - V::LEN;
        let head = V::load(from).xor(V::splat(key));
        let next = V::load(from.add(V::LEN)).xor(V::splat(key));
        let tail = V::load(from.add(last)).xor(V::splat(turned(key, last)));
        let (seen, _) = middle::<V, VERDICT, COPY>(turned(key, start), from, to, start, len);
        head.store(to);
        tail.store(to.add(last));
        let ascii = !VERDICT || seen.or(head.or(tail)).is_ascii();
        if !ascii {
            // It is read again at once, to be validated, in steps that lie across the aligned
            // stores: those would wait for the first of them, since a load is served by one store
            // or by none.
            next.store(to.add(V::LEN));
        }
        ascii
    }
}

/// As many whole vectors as there are from `at` on, where `key` stands. What was seen in them, and
/// where they end.
///
/// # Safety
/// As for [`run`], with `at <= len`, and what `V` needs.
#[inline(always)]
unsafe fn middle<V: Vector, const VERDICT: bool, const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    mut at: usize,
    len: usize,
) -> (V, usize) {
    // SAFETY: the caller's promise; each step is tested to end by `len`.
    unsafe {
        // Four of them, so that no step waits for the one before.
        let (wide, mut seen) = (V::splat(key), [V::splat(0); 4]);
        let fetches = COPY && len >= FAR;
        while len - at >= 4 * V::LEN {
            for line in 0..if fetches { 4 * V::LEN / LINE } else { 0 } {
                V::fetch(to.wrapping_add(at + AHEAD + line * LINE));
            }
            let vectors = step::<V, 4>(wide, from, to, &mut at);
            if VERDICT {
                for (seen, vector) in seen.iter_mut().zip(vectors) {
                    *seen = seen.or(vector);
                }
            }
        }
        let mut seen = joined(seen);
        while len - at >= V::LEN {
            seen = seen.or(joined(step::<V, 1>(wide, from, to, &mut at)));
        }
        (seen, at)
    }
}
