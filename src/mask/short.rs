//! RFC 6455 section 5.3, what is short: inlined where it is called, with no look at a CPU feature.
//!
//! In two ways. In steps, nothing overlaps; but there are branches for the bits of the length, and
//! a jump for the last four, and where lengths differ nobody can predict them. From both ends, a
//! length costs fewer branches; but a load across two of its stores, soon after, has to wait for
//! both. So messages, which are of any length, are done from both ends; and in steps what a caller
//! masks in place, who may do so again at once.
//!
//! Invariant: no byte meets the key twice.
#![allow(unsafe_code)]
#![allow(clippy::arithmetic_side_effects, reason = "sums of places within one slice")]
#![allow(clippy::inline_always, reason = "half the time of a small message is a call's")]

use super::vector::{LINE, Vector, joined, load, step, store, turned};

/// Up to this many bytes no dispatch pays.
pub(super) const SHORT: usize = 128;

/// With a message of 33 bytes and more, the two lines that lie so far behind its start can be
/// fetched: a read of many leaves the next ones in the second cache, and steps this short outrun
/// what a processor fetches unasked. Shorter ones do not.
const NEXT: usize = 384;

/// Writes `len` bytes XOR the key: whole vectors, a step for each bit of their number, from the
/// lowest on, so that few of them take few branches; and one jump for what is left.
///
/// # Safety
/// `len <= SHORT` readable bytes at `from` and writable ones at `to`, the two the same or apart,
/// and what `V` needs.
#[inline(always)]
pub(super) unsafe fn by_steps<V: Vector>(key: u32, from: *const u8, to: *mut u8, len: usize) {
    macro_rules! rest {
        ($at:ident: $($left:literal)*) => {
            match len % 16 {
                $($left => rest::<$left>(key, from.add($at), to.add($at)),)*
                _ => {}
            }
        };
    }
    debug_assert!(len <= SHORT && V::LEN == 16);
    // SAFETY: the caller's promise; `at` grows by bits of `len`, each but once.
    unsafe {
        let mut at = 0;
        if len >= 16 {
            let wide = V::splat(key);
            if len & 16 != 0 {
                step::<V, 1>(wide, from, to, &mut at);
            }
            if len >= 32 {
                if len & 32 != 0 {
                    step::<V, 2>(wide, from, to, &mut at);
                }
                if len >= 64 {
                    step::<V, 4>(wide, from, to, &mut at);
                    if len == 128 {
                        step::<V, 4>(wide, from, to, &mut at);
                    }
                }
            }
            if len % 16 == 0 {
                // A branch costs less than a jump to nothing.
                return;
            }
        }
        rest!(at: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
}

/// Writes `LEN` bytes XOR the key, fewer than 16, in as few steps as there are bits in that.
///
/// # Safety
/// As for [`by_steps`].
#[inline(always)]
unsafe fn rest<const LEN: usize>(key: u32, from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; `at` grows by the bits of `LEN`, from the highest on.
    unsafe {
        let mut at = 0;
        if LEN & 8 != 0 {
            step::<u64, 1>(u64::splat(key), from, to, &mut at);
        }
        if LEN & 4 != 0 {
            step::<u32, 1>(u32::splat(key), from, to, &mut at);
        }
        if LEN & 2 != 0 {
            step::<u16, 1>(u16::splat(key), from, to, &mut at);
        }
        if LEN & 1 != 0 {
            step::<u8, 1>(u8::splat(turned(key, at)), from, to, &mut at);
        }
    }
}

/// The same, from both ends. With `VERDICT`, whether what was written is ASCII; with `MORE`, others
/// follow it in the same read ([`NEXT`]).
///
/// # Safety
/// As for [`by_steps`].
#[inline(always)]
pub(super) unsafe fn by_ends<V: Vector, const VERDICT: bool, const MORE: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(len <= SHORT && V::LEN == 16);
    // SAFETY: the caller's promise; each branch has a length that its vectors cover.
    unsafe {
        if len < 16 {
            if len >= 8 {
                ends::<u64, VERDICT, 1, 0>(key, from, to, len)
            } else if len >= 4 {
                ends::<u32, VERDICT, 1, 0>(key, from, to, len)
            } else if len >= 2 {
                ends::<u16, VERDICT, 1, 0>(key, from, to, len)
            } else {
                len == 0 || ends::<u8, VERDICT, 1, 0>(key, from, to, len)
            }
        } else if len > 64 {
            next::<V, MORE>(from);
            ends::<V, VERDICT, 4, 3>(key, from, to, len)
        } else if len > 32 {
            next::<V, MORE>(from);
            ends::<V, VERDICT, 2, 1>(key, from, to, len)
        } else {
            ends::<V, VERDICT, 1, 0>(key, from, to, len)
        }
    }
}

/// Has fetched what comes next, with `MORE`.
#[inline(always)]
fn next<V: Vector, const MORE: bool>(from: *const u8) {
    if MORE {
        V::fetch(from.wrapping_add(NEXT));
        V::fetch(from.wrapping_add(NEXT + LINE));
    }
}

/// `N` vectors from the first byte on, the last `M` of those that would follow them side by side
/// and are not the last, and one that ends with the last byte. All are loaded before any is stored:
/// a byte that several cover is stored as often, and the same.
///
/// The last vector alone lies across others, and is stored first: who reads on from the first byte
/// in words of 8 finds each in one store.
///
/// # Safety
/// `len` readable bytes at `from` and writable ones at `to`, of `N` to `N + M + 1` vectors, with
/// `M < N`; the two the same or apart; and what `V` needs.
#[inline(always)]
pub(super) unsafe fn ends<V: Vector, const VERDICT: bool, const N: usize, const M: usize>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    debug_assert!(M < N && len >= N * V::LEN && len <= (N + M + 1) * V::LEN);
    let last = len - V::LEN;
    let tail = (len - 1) / V::LEN * V::LEN - M * V::LEN;
    // SAFETY: the caller's promise: `N` vectors fit, the `M` end before the last byte, and one ends
    // there.
    unsafe {
        let heads = load::<V, N>(V::splat(key), from);
        let tails = load::<V, M>(V::splat(key), from.add(tail));
        let end = load::<V, 1>(V::splat(turned(key, last)), from.add(last));
        store(end, to.add(last));
        store(tails, to.add(tail));
        store(heads, to);
        !VERDICT || joined(heads).or(joined(tails)).or(joined(end)).is_ascii()
    }
}
