//! RFC 6455 section 5.3 on 64-bit Arm: vectors of 16 bytes.
//!
//! NEON is in every CPU of this kind that has floating point, so nothing is asked.
//!
//! Invariant: this file is compiled only where NEON is on for the whole program.
#![allow(unsafe_code)]
#![allow(clippy::inline_always, reason = "a CPU feature is on only where all of it is inlined")]

use super::body::long as over;
use super::vector::Vector;
use core::arch::aarch64::{
    uint8x16_t, vdupq_n_u32, veorq_u8, vld1q_u8, vmaxvq_u8, vorrq_u8, vreinterpretq_u8_u32,
    vst1q_u8,
};

/// What up to `SHORT` bytes are worked on with.
pub(super) type Short = uint8x16_t;

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
    unsafe { over::<uint8x16_t, VERDICT, COPY, BACK>(key, from, to, len) }
}

// SAFETY: unaligned loads and stores of 16 bytes.
unsafe impl Vector for uint8x16_t {
    const LEN: usize = 16;

    #[inline(always)]
    unsafe fn splat(key: u32) -> Self {
        // SAFETY: NEON is on, here and in each method.
        unsafe { vreinterpretq_u8_u32(vdupq_n_u32(key.to_le())) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller's promise of `LEN` readable bytes.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise of `LEN` writable bytes.
        unsafe { vst1q_u8(to, self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: as in `splat`.
        unsafe { veorq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: as in `splat`.
        unsafe { vorrq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn is_ascii(self) -> bool {
        // SAFETY: as in `splat`.
        unsafe { vmaxvq_u8(self) < 0x80 }
    }
}
