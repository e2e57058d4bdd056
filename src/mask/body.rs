//! RFC 6455 section 5.3: the one XOR loop, over whatever vectors the machine has.
//!
//! In place, the same with a verdict on what came out, or from one buffer into another: the three are
//! one body. Up to [`SHORT`] bytes it is inlined where it is called and looks at no CPU feature.
//! Beyond, the first and the last vector are loaded before anything is stored, and stored after all
//! else, so that neither needs a loop of smaller steps and no byte meets the key twice; between
//! them runs a loop that stores to aligned addresses only, since payloads never start aligned. What may
//! be larger than a cache is done in blocks, the last one first.
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

/// Up to this many bytes no dispatch pays.
pub(super) const SHORT: usize = 128;

/// From this many bytes on, aligned stores pay for two vectors that overlap.
const ALIGNED: usize = 512;

/// From this many bytes on, the nearest cache may not hold all; and how much is done at a time then.
pub(super) const LARGE: usize = 32 << 10;
pub(super) const BLOCK: usize = 8 << 10;

/// Beyond this many bytes, most come from the cache behind the nearest (which has 32 to 48 KiB, as a
/// rule), and no sooner in the widest vectors than in others.
pub(super) const BEHIND: usize = 56 << 10;

/// From this many bytes on, a copy has the lines fetched that it is to write, so many bytes ahead:
/// what a message is assembled in is far away, as a rule, and stores alone do not bring it in time.
/// Where the machine takes no such hint, nothing is fetched.
const FAR: usize = 4 << 10;
const AHEAD: usize = 256;
const LINE: usize = 64;

/// A register of the machine, seen as bytes.
///
/// # Safety
/// `load` and `store` touch the `LEN` bytes at the address and no others. Every method needs the
/// CPU feature that the implementation names.
pub(super) unsafe trait Vector: Copy {
    /// In bytes: a power of two, and a multiple of the key's four.
    const LEN: usize;

    /// The key, over and over; its lowest byte belongs to the first byte.
    unsafe fn splat(key: u32) -> Self;
    /// Needs `LEN` readable bytes at `from`, aligned or not.
    unsafe fn load(from: *const u8) -> Self;
    /// Needs `LEN` writable bytes at `to`, aligned or not.
    unsafe fn store(self, to: *mut u8);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    /// Whether no byte has its top bit set.
    unsafe fn is_ascii(self) -> bool;
    /// Has the line of memory at `to`, which may be anywhere, fetched to be written soon.
    #[inline(always)]
    fn fetch(_to: *const u8) {}
}

/// XORs `piece` with the key, in place. With `VERDICT`, whether what came out is ASCII.
#[inline(always)]
pub(super) fn apply<const VERDICT: bool>(key: u32, piece: &mut [u8]) -> bool {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both.
    unsafe { run::<VERDICT, false>(key, place, place, len) }
}

/// Writes `from` XOR the key into `to`: as much as the shorter holds.
#[inline]
pub(super) fn copy(key: u32, from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    // SAFETY: both are `len` bytes at least, and an exclusive slice overlaps no other.
    unsafe { run::<false, true>(key, from.as_ptr(), to.as_mut_ptr(), len) };
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
    unsafe { run::<false, true>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
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
    unsafe { run::<false, true>(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
    // SAFETY: `run` has written the `from.len()` bytes that follow the old length.
    unsafe { onto.set_len(onto.len() + from.len()) };
}

/// Appends two bytes and `from` as it is, where that is no longer than [`SHORT`] and there is room for
/// it already; whether it did. Nothing is called: a copy is a mask of zeros, in short steps.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(super) fn append_short(header: [u8; 2], from: &[u8], onto: &mut BytesMut) -> bool {
    let room = onto.spare_capacity_mut();
    if from.len() > SHORT || header.len() + from.len() > room.len() {
        return false;
    }
    // SAFETY: the room is that long, as was just seen, and exclusive, so that `from` does not overlap
    // it; `short` asks for no more than `SHORT` bytes.
    unsafe {
        let to = room.as_mut_ptr().cast::<u8>();
        to.cast::<[u8; 2]>().write(header);
        short::<best::Short, false>(0, from.as_ptr(), to.add(header.len()), from.len());
    }
    // SAFETY: that many bytes have just been written behind the old length.
    unsafe { onto.set_len(onto.len() + header.len() + from.len()) };
    true
}

/// Writes `len` bytes XOR the key; with `VERDICT`, whether what was written is ASCII. `COPY` says
/// that it is written elsewhere.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`; the two are the same or do not
/// overlap.
#[inline(always)]
unsafe fn run<const VERDICT: bool, const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if len > SHORT {
            if VERDICT {
                return longer_judged::<COPY>(key, from, to, len);
            }
            longer::<COPY>(key, from, to, len);
            true
        } else {
            short::<best::Short, VERDICT>(key, from, to, len)
        }
    }
}

/// Up to [`SHORT`] bytes: one step for each bit of the length, but for the branches that a length of
/// 16 to 31, or of 64, would take in vain; no byte twice. A load that reaches over two stores just made
/// has to wait for both, so nothing overlaps here.
///
/// # Safety
/// As for [`run`], with `len <= SHORT`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn short<V: Vector, const VERDICT: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len <= SHORT && V::LEN == 16);
    // SAFETY: the caller's promise; `at` grows by the bits of `len`, from the highest on.
    unsafe {
        if len < 16 {
            return below_16::<VERDICT>(key, from, to, len);
        }
        let (wide, mut seen, mut at) = (V::splat(key), V::splat(0), 0);
        if len < 32 {
            seen = joined(step::<V, 1>(wide, from, to, &mut at));
        } else {
            if len >= 64 {
                seen = joined(step::<V, 4>(wide, from, to, &mut at));
                if len == 128 {
                    seen = seen.or(joined(step::<V, 4>(wide, from, to, &mut at)));
                }
                if len % 64 == 0 {
                    return !VERDICT || seen.is_ascii();
                }
            }
            if len & 32 != 0 {
                seen = seen.or(joined(step::<V, 2>(wide, from, to, &mut at)));
            }
            if len & 16 != 0 {
                seen = seen.or(joined(step::<V, 1>(wide, from, to, &mut at)));
            }
        }
        let ascii = !VERDICT || seen.is_ascii();
        if len % 16 == 0 {
            return ascii;
        }
        below_16::<VERDICT>(key, from.add(at), to.add(at), len % 16) & ascii
    }
}

/// The bytes that fill no vector of 16.
///
/// # Safety
/// As for [`run`], with `len < 16`.
#[inline(always)]
unsafe fn below_16<const VERDICT: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise; `at` grows by the bits of `len`, from the highest on.
    unsafe {
        let (mut seen, mut at) = (0, 0);
        if len & 8 != 0 {
            seen = joined(step::<u64, 1>(u64::splat(key), from, to, &mut at));
        }
        if len & 4 != 0 {
            seen |= u64::from(joined(step::<u32, 1>(u32::splat(key), from, to, &mut at)));
        }
        if len & 2 != 0 {
            seen |= u64::from(joined(step::<u16, 1>(u16::splat(key), from, to, &mut at)));
        }
        if len & 1 != 0 {
            let key = if len & 2 == 0 { key } else { turned(key, 2) };
            seen |= u64::from(joined(step::<u8, 1>(u8::splat(key), from, to, &mut at)));
        }
        !VERDICT || seen.is_ascii()
    }
}

/// More than [`SHORT`] bytes, called where the short are inlined. It returns nothing, so that it can end
/// in a jump.
///
/// # Safety
/// As for [`run`], with `len > SHORT`.
#[inline(never)]
unsafe fn longer<const COPY: bool>(key: u32, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if len < LARGE {
            best::long::<false, COPY>(key, from, to, len);
        } else {
            large::<false, COPY>(key, from, to, len);
        }
    }
}

/// The same, with a verdict.
///
/// # Safety
/// As for [`longer`].
#[inline(never)]
unsafe fn longer_judged<const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: as in `longer`.
    unsafe {
        if len < LARGE {
            best::long::<true, COPY>(key, from, to, len)
        } else {
            large::<true, COPY>(key, from, to, len)
        }
    }
}

/// What may be larger than the nearest cache, block by block from its end: that is where a read has
/// written last, and its start is what is looked at next.
///
/// # Safety
/// As for [`run`], with `len >= LARGE`.
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
        // SAFETY: the caller's promise; the blocks lie in `..len`, side by side, and none is shorter
        // than `BLOCK - LINE`, which is more than `SHORT`.
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
            return short::<best::Short, VERDICT>(key, from, to, len - at) & ascii;
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
            // It is read again at once, to be validated, in steps that lie across the aligned stores:
            // those would wait for the first of them, since a load is served by one store or by none.
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

/// The next `N` vectors, all loaded before any is stored.
///
/// # Safety
/// `N * V::LEN` readable bytes at `from + at` and writable ones at `to + at`, and what `V` needs.
#[inline(always)]
unsafe fn step<V: Vector, const N: usize>(
    key: V,
    from: *const u8,
    to: *mut u8,
    at: &mut usize,
) -> [V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut vectors = [key; N];
        for (nth, vector) in vectors.iter_mut().enumerate() {
            *vector = V::load(from.add(*at + nth * V::LEN)).xor(key);
        }
        for (nth, vector) in vectors.into_iter().enumerate() {
            vector.store(to.add(*at + nth * V::LEN));
        }
        *at += N * V::LEN;
        vectors
    }
}

/// The bits that are set in any of them.
///
/// # Safety
/// What `V` needs.
#[inline(always)]
unsafe fn joined<V: Vector, const N: usize>(vectors: [V; N]) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let mut all = V::splat(0);
        for vector in vectors {
            all = all.or(vector);
        }
        all
    }
}

/// The key as it stands `by` bytes later.
#[inline(always)]
pub(super) const fn turned(key: u32, by: usize) -> u32 {
    let bits = match by % 4 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    };
    key.rotate_right(bits)
}

macro_rules! integers {
    ($($int:ident: |$key:ident| $splat:expr;)*) => {$(
        // SAFETY: the pointers are read and written as the integer's own bytes; no CPU feature is
        // needed.
        unsafe impl Vector for $int {
            const LEN: usize = size_of::<$int>();

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "as much of the key as there is room")]
            unsafe fn splat($key: u32) -> Self {
                $int::to_le($splat)
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
                self & ($int::MAX / 0xff * 0x80) == 0
            }
        }
    )*};
}

integers! {
    u8: |key| key as u8;
    u16: |key| key as u16;
    u32: |key| key;
    u64: |key| u64::from(key) * 0x1_0000_0001;
}
