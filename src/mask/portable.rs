//! RFC 6455 section 5.3 on any machine: two words at a time, which most compilers make one vector.
//!
//! Invariant: no CPU feature is needed.
#![allow(unsafe_code)]
#![allow(clippy::inline_always, reason = "a CPU feature is on only where all of it is inlined")]

use super::body::long as over;
use super::vector::Vector;

/// What up to `SHORT` bytes are worked on with.
pub(super) type Short = Words;

/// # Safety
/// As for `body::long`.
#[inline(always)]
pub(super) unsafe fn long<const VERDICT: bool, const COPY: bool, const BACK: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { over::<Words, VERDICT, COPY, BACK>(key, from, to, len) }
}

/// Sixteen bytes in plain registers.
#[derive(Clone, Copy)]
pub(super) struct Words([u64; 2]);

// SAFETY: unaligned reads and writes of 16 bytes.
unsafe impl Vector for Words {
    const LEN: usize = 16;

    #[inline(always)]
    unsafe fn splat(key: u32) -> Self {
        Self([(u64::from(key) * 0x1_0000_0001).to_le(); 2])
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller's promise of `LEN` readable bytes.
        Self(unsafe { from.cast::<[u64; 2]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise of `LEN` writable bytes.
        unsafe { to.cast::<[u64; 2]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a ^ c, b ^ d])
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a | c, b | d])
    }

    #[inline(always)]
    unsafe fn is_ascii(self) -> bool {
        let [a, b] = self.0;
        (a | b) & 0x8080_8080_8080_8080 == 0
    }
}
