//! RFC 6455 section 5.3: the one XOR loop, over whatever vectors the machine has.
//!
//! Up to [`SHORT`] bytes it is `short`, inlined where it is called. Beyond, in place, the same with
//! a verdict on what came out, or from one buffer into another: the three are one body. The first
//! and the last vector are loaded before anything is stored, so that neither needs a loop of
//! smaller steps and no byte meets the key twice; between them runs a loop that stores to aligned
//! addresses only, since payloads never start aligned. What is too short for that is done like what
//! is `short`: messages from both ends, whole vectors at a time, and in steps what a caller masks.
//!
//! Copies go from the first byte to the last. Many bytes in place go from the last one on: they
//! were written there from the first one on, so the nearest cache still has their end, and has
//! their beginning when that is looked at next.
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
use super::plain;
use super::short::{SHORT, by_ends, by_steps, ends};
use super::vector::{LINE, Vector, joined, load, store, turned};

/// Beyond this many bytes, aligned stores pay for vectors that overlap in what a caller masks.
const ALIGNED: usize = 512;

/// From this many bytes on, what starts aligned is done in longer steps.
const LONG_STEPS: usize = 2 << 10;

/// From this many bytes on, the nearest cache may not hold all of what was written before; twice as
/// many where a line starts, since there every vector from the first on is a whole one.
pub(super) const MANY: usize = 16 << 10;
const _: () = assert!(MANY >= ALIGNED, "with `BACK` nobody asks for both");

/// Beyond this many bytes, a copy has the lines fetched that it is to write, so many bytes ahead:
/// what a message is assembled in is far away, as a rule, and stores alone do not bring it in time.
/// Where the machine takes no such hint, nothing is fetched.
const FAR: usize = 4 << 10;
const AHEAD: usize = 1024;

/// XORs `piece` with the key, in place.
#[inline(always)]
pub(super) fn apply(key: u32, piece: &mut [u8]) {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both; of each branch it needs the length that
    // is tested.
    unsafe {
        if plain::BEST {
            plain::apply::<false>(key, piece);
        } else if len > SHORT {
            longer::<false>(key, place, place, len);
        } else {
            by_steps::<best::Short>(key, place, place, len);
        }
    }
}

/// The same for what a read has brought. With `VERDICT`, whether what came out is ASCII.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(super) fn unmask<const VERDICT: bool>(key: u32, piece: &mut [u8]) -> bool {
    let (place, len) = (piece.as_mut_ptr(), piece.len());
    // SAFETY: one exclusive slice of `len` bytes, as both; of each branch it needs the length that
    // is tested.
    unsafe {
        match (VERDICT, len <= SHORT) {
            _ if plain::BEST => plain::apply::<VERDICT>(key, piece),
            (true, true) => by_ends::<best::Short, true, false>(key, place, place, len),
            (false, true) => by_ends::<best::Short, false, true>(key, place, place, len),
            // Up to there the verdict costs less than it would to tell the two apart.
            (_, false) if VERDICT || len <= ALIGNED => longer_judged(key, place, len),
            (_, false) => {
                longer::<false>(key, place, place, len);
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
    unsafe { run(key, from.as_ptr(), to.as_mut_ptr(), len) };
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
    unsafe { run(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
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
    unsafe { run(key, from.as_ptr(), room.as_mut_ptr().cast(), from.len()) };
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
    // overlap it.
    unsafe {
        let to = room.as_mut_ptr().cast::<u8>();
        to.cast::<[u8; 2]>().write(header);
        run(0, from.as_ptr(), to.add(header.len()), from.len());
    }
    // SAFETY: that many bytes have just been written behind the old length.
    unsafe { onto.set_len(onto.len() + header.len() + from.len()) };
    true
}

/// Writes `len` bytes XOR the key elsewhere.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`, which do not overlap.
#[inline(always)]
unsafe fn run(key: u32, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, passed on; of each branch it needs the length that is tested.
    unsafe {
        if plain::BEST {
            plain::copy(key, from, to, len);
        } else if len > SHORT {
            longer::<true>(key, from, to, len);
        } else {
            by_ends::<best::Short, false, false>(key, from, to, len);
        }
    }
}

/// More than [`SHORT`] bytes, called where the short are inlined: with `COPY` written elsewhere.
/// It returns nothing, so that it can end in a jump.
///
/// # Safety
/// `len > SHORT` readable bytes at `from` and writable ones at `to`; the two are the same, or with
/// `COPY` do not overlap.
#[inline(never)]
unsafe fn longer<const COPY: bool>(key: u32, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, passed on.
    unsafe { either_way::<false, COPY>(key, from, to, len) };
}

/// The same in place, of what a read has brought, with a verdict.
///
/// # Safety
/// As for [`longer`].
#[cfg(feature = "alloc")]
#[inline(never)]
unsafe fn longer_judged(key: u32, place: *mut u8, len: usize) -> bool {
    // SAFETY: the caller's promise, passed on.
    unsafe { either_way::<true, false>(key, place, place, len) }
}

/// From the first byte on, or from the last.
///
/// # Safety
/// As for [`longer`].
#[inline(always)]
unsafe fn either_way<const VERDICT: bool, const COPY: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise, passed on; `goes_back` saw the `MANY` that `BACK` asks for.
    unsafe {
        if !COPY && goes_back(to, len) {
            best::long::<VERDICT, false, true>(key, to, to, len)
        } else {
            best::long::<VERDICT, COPY, false>(key, from, to, len)
        }
    }
}

/// Whether bytes in place are worked on from the last one on. The address is only looked at.
#[inline(always)]
pub(super) fn goes_back(place: *const u8, len: usize) -> bool {
    len >= MANY && (len >= 2 * MANY || place as usize % LINE != 0)
}

/// More than [`SHORT`] bytes: few vectors from both ends, or few bytes in steps, as a text that is
/// not ASCII; else the first vector, the last, and between them an aligned body, with `BACK` from
/// the last byte on.
///
/// # Safety
/// As for [`longer`], and what `V` needs; with `BACK` at least [`MANY`] bytes.
#[inline(always)]
pub(super) unsafe fn long<V: Vector, const VERDICT: bool, const COPY: bool, const BACK: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len > if BACK { MANY - 1 } else { SHORT } && V::LEN <= SHORT);
    // In place the two are the same: told so, the loops need one address.
    let from = if COPY { from } else { to.cast_const() };
    // SAFETY: the caller's promise. In place, a byte is loaded before it is stored, but for those
    // that the first two, the last, and the aligned vector across one of them cover: these were
    // loaded before one of them was stored, and what they store is the same bytes again. Each
    // branch has the length that it needs; in five vectors the first two do not reach the last two.
    unsafe {
        if !BACK && (VERDICT || COPY) && len <= 8 * V::LEN {
            return if len <= 4 * V::LEN {
                ends::<V, VERDICT, 2, 1>(key, from, to, len)
            } else {
                ends::<V, VERDICT, 4, 3>(key, from, to, len)
            };
        }
        if !BACK && !VERDICT && !COPY && len <= ALIGNED {
            let at = Body::<V, VERDICT, COPY>::new(key, from, to, len).forth(0, len);
            if at != len {
                by_steps::<best::Short>(key, from.add(at), to.add(at), len - at);
            }
            return true;
        }
        debug_assert!(len >= 5 * V::LEN);
        let last = len - V::LEN;
        let tail = V::load(from.add(last)).xor(V::splat(turned(key, last)));
        if VERDICT && !BACK && !joined(load::<V, 4>(V::splat(key), from)).is_ascii() {
            // Most texts that are not ASCII show it here, and no verdict is needed of the rest.
            // They are read again at once, to be validated, in steps from the first byte on, so
            // they are stored in such steps: a load is served by one store, or waits for both.
            if Body::<V, false, COPY>::new(key, from, to, len).forth(0, len) != len {
                tail.store(to.add(last));
            }
            return false;
        }
        // How far the stores are from being aligned. The address is only looked at.
        let start = (to as usize).wrapping_neg() % V::LEN;
        let head = V::load(from).xor(V::splat(key));
        let mut body = Body::<V, VERDICT, COPY>::new(turned(key, start), from, to, len);
        body.see([head, tail]);
        if !BACK && start == 0 {
            // None but the last can lie across another, and none does where they fill the bytes.
            if body.forth(0, len) != len {
                tail.store(to.add(last));
            }
            return !VERDICT || body.seen().is_ascii();
        }
        // The vectors that lie across others are stored first: whoever works on these bytes next
        // finds them long stored when it comes there.
        let end = last - (last - start) % V::LEN;
        let ([next], [across]) = (body.load(start), body.load(end));
        tail.store(to.add(last));
        across.store(to.add(end));
        head.store(to);
        next.store(to.add(start));
        if BACK {
            body.back(start + V::LEN, end);
        } else {
            body.forth(start + V::LEN, end);
        }
        !VERDICT || body.seen().is_ascii()
    }
}

/// What goes on in whole vectors, where the key stands the same in each.
struct Body<V, const VERDICT: bool, const COPY: bool> {
    key: V,
    from: *const u8,
    to: *mut u8,
    /// Whether lines are fetched ([`FAR`]).
    fetches: bool,
    /// The bits of what came out, in four, so that none waits for the one before.
    seen: [V; 4],
}

impl<V: Vector, const VERDICT: bool, const COPY: bool> Body<V, VERDICT, COPY> {
    /// # Safety
    /// As for [`longer`], and what `V` needs, here and in each method.
    #[inline(always)]
    unsafe fn new(key: u32, from: *const u8, to: *mut u8, len: usize) -> Self {
        // SAFETY: the caller's promise.
        let (key, seen) = unsafe { (V::splat(key), [V::splat(0); 4]) };
        Self { key, from, to, fetches: COPY && len > FAR, seen }
    }

    /// As many whole vectors as there are from `at` on; where they end.
    ///
    /// # Safety
    /// `at <= len`, of the `len` bytes that are there.
    #[inline(always)]
    unsafe fn forth(&mut self, mut at: usize, len: usize) -> usize {
        // SAFETY: each step is tested to end by `len`.
        unsafe {
            if !COPY && at == 0 && len >= LONG_STEPS {
                while len - at >= 8 * V::LEN {
                    self.step::<8>(at);
                    at += 8 * V::LEN;
                }
            }
            while len - at >= 4 * V::LEN {
                self.step::<4>(at);
                at += 4 * V::LEN;
            }
            while len - at >= V::LEN {
                self.step::<1>(at);
                at += V::LEN;
            }
        }
        at
    }

    /// Whole vectors, from the one that ends at `at` to the one at `start`.
    ///
    /// # Safety
    /// They lie in what is there.
    #[inline(always)]
    unsafe fn back(&mut self, start: usize, mut at: usize) {
        debug_assert!((at - start) % V::LEN == 0);
        // SAFETY: `at` is whole vectors behind `start`; no step begins before that.
        unsafe {
            while at - start >= 8 * V::LEN {
                at -= 8 * V::LEN;
                self.step::<8>(at);
            }
            while at > start {
                at -= V::LEN;
                self.step::<1>(at);
            }
        }
    }

    /// The `N` vectors at `at`, all loaded before any is stored.
    ///
    /// # Safety
    /// They lie in what is there.
    #[inline(always)]
    unsafe fn step<const N: usize>(&mut self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for line in 0..if self.fetches { N * V::LEN / LINE } else { 0 } {
                V::fetch(self.to.wrapping_add(at + AHEAD + line * LINE));
            }
            let vectors = self.load::<N>(at);
            store(vectors, self.to.add(at));
        }
    }

    /// The `N` vectors at `at`, as they are to be stored.
    ///
    /// # Safety
    /// They lie in what is there.
    #[inline(always)]
    unsafe fn load<const N: usize>(&mut self, at: usize) -> [V; N] {
        // SAFETY: the caller's promise.
        unsafe {
            let vectors = load(self.key, self.from.add(at));
            self.see(vectors);
            vectors
        }
    }

    /// Remembers the bits of what is stored.
    ///
    /// # Safety
    /// What `V` needs.
    #[inline(always)]
    unsafe fn see<const N: usize>(&mut self, vectors: [V; N]) {
        if VERDICT {
            for four in vectors.chunks(4) {
                for (seen, vector) in self.seen.iter_mut().zip(four) {
                    // SAFETY: the caller's promise.
                    *seen = unsafe { seen.or(*vector) };
                }
            }
        }
    }

    /// The bits that were set in any of them.
    ///
    /// # Safety
    /// What `V` needs.
    #[inline(always)]
    unsafe fn seen(&self) -> V {
        // SAFETY: the caller's promise.
        unsafe { joined(self.seen) }
    }
}
