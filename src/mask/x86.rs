//! RFC 6455 section 5.3 on x86-64: vectors of 16, 32 and 64 bytes.
//!
//! SSE2 is in every x86-64. The wider ones are chosen when the program runs, where the standard
//! library can ask the CPU, else when it is compiled. AVX-512 needs Rust 1.89 (build.rs).
//!
//! Invariant: a function that needs a CPU feature is called where that feature was found.
#![allow(unsafe_code)]
#![allow(clippy::inline_always, reason = "a CPU feature is on only where all of it is inlined")]
#![allow(clippy::incompatible_msrv, reason = "what is newer is compiled where build.rs allows it")]

use super::body::long as over;
use super::vector::Vector;
#[allow(clippy::wildcard_imports, reason = "twenty names that each say where they are from")]
use core::arch::x86_64::*;
#[cfg(feature = "std")]
use core::sync::atomic::{AtomicU8, Ordering};

/// What up to `SHORT` bytes are worked on with.
pub(super) type Short = __m128i;

/// Whether the CPU has a feature: asked once and remembered by the standard library.
#[cfg(feature = "std")]
macro_rules! has {
    ($feature:tt) => {
        std::arch::is_x86_feature_detected!($feature)
    };
}
#[cfg(not(feature = "std"))]
macro_rules! has {
    ($feature:tt) => {
        cfg!(target_feature = $feature)
    };
}

/// Below this many bytes the widest vectors leave too much to be done in steps.
const FEW: usize = 256;

/// Beyond this many bytes it is the cache behind the nearest that is waited for (which has 32 to
/// 48 KiB, as a rule). The widest vectors wait like others there, and on Intel's processors the
/// clock falls for them, where nothing else runs for long.
const BEHIND: usize = 56 << 10;

/// How many bytes the vectors have that are taken between the two, and elsewhere; 0 as long as
/// nobody has asked. The standard library remembers each feature, but to ask it keeps a function
/// from ending in a jump.
#[cfg(feature = "std")]
static WIDEST: [AtomicU8; 2] = [const { AtomicU8::new(0) }; 2];

/// The same, asked for: a feature is in it where that was found, as are those of fewer bytes.
fn widest(between: bool) -> u8 {
    match () {
        () if !has!("avx2") => 16,
        () if !cfg!(sockless_avx512) || !has!("avx512f") => 32,
        // SSE4a is AMD's alone, and the widest are the fastest there at any length.
        () if !between && !has!("sse4a") => 32,
        () => 64,
    }
}

/// The body of the widest vectors that pay on this machine.
///
/// # Safety
/// As for `body::long`.
#[inline(always)]
pub(super) unsafe fn long<const VERDICT: bool, const COPY: bool, const BACK: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    #[cfg(feature = "std")]
    let width = {
        let [between, elsewhere] = &WIDEST;
        let width = if (FEW..=BEHIND).contains(&len) { between } else { elsewhere };
        width.load(Ordering::Relaxed)
    };
    #[cfg(not(feature = "std"))]
    let width = widest((FEW..=BEHIND).contains(&len));
    // SAFETY: such a width is only there where the feature was found, or of a wider one; every
    // x86-64 has SSE2; the rest is the caller's promise.
    unsafe {
        match width {
            #[cfg(sockless_avx512)]
            64 => avx512::<VERDICT, COPY, BACK>(key, from, to, len),
            32 => avx2::<VERDICT, COPY, BACK>(key, from, to, len),
            #[cfg(feature = "std")]
            0 => first::<VERDICT, COPY, BACK>(key, from, to, len),
            _ => sse2::<VERDICT, COPY, BACK>(key, from, to, len),
        }
    }
}

/// The first time.
///
/// # Safety
/// As for `body::long`.
#[cfg(feature = "std")]
#[cold]
#[inline(never)]
unsafe fn first<const VERDICT: bool, const COPY: bool, const BACK: bool>(
    key: u32,
    from: *const u8,
    to: *mut u8,
    len: usize,
) -> bool {
    let [between, elsewhere] = &WIDEST;
    between.store(widest(true), Ordering::Relaxed);
    elsewhere.store(widest(false), Ordering::Relaxed);
    // SAFETY: the caller's promise, passed on.
    unsafe { long::<VERDICT, COPY, BACK>(key, from, to, len) }
}

/// What this machine has, for the tests.
#[cfg(any(test, fuzzing))]
pub(super) fn found() -> alloc::vec::Vec<(&'static str, super::backends::Runs)> {
    macro_rules! runs {
        ($body:ident) => {
            [
                $body::<false, false, false>,
                $body::<false, false, true>,
                $body::<true, false, false>,
                $body::<true, false, true>,
                $body::<false, true, false>,
            ]
        };
    }
    let mut found: alloc::vec::Vec<(_, super::backends::Runs)> = alloc::vec![("sse2", runs!(sse2))];
    if has!("avx2") {
        found.push(("avx2", runs!(avx2)));
    }
    #[cfg(sockless_avx512)]
    if has!("avx512f") {
        found.push(("avx512", runs!(avx512)));
    }
    found
}

macro_rules! bodies {
    ($($(#[$cfg:meta])* $name:ident, $feature:literal, $vector:ty;)*) => {$(
        $(#[$cfg])*
        /// # Safety
        /// As for `body::long`, and a CPU that has the feature.
        #[target_feature(enable = $feature)]
        #[inline(never)]
        unsafe fn $name<const VERDICT: bool, const COPY: bool, const BACK: bool>(
            key: u32,
            from: *const u8,
            to: *mut u8,
            len: usize,
        ) -> bool {
            // SAFETY: the caller's promise; the feature is on in here.
            unsafe { over::<$vector, VERDICT, COPY, BACK>(key, from, to, len) }
        }
    )*};
}

bodies! {
    sse2, "sse2", __m128i;
    avx2, "avx2", __m256i;
    #[cfg(sockless_avx512)]
    avx512, "avx512f", __m512i;
}

macro_rules! vectors {
    ($($(#[$cfg:meta])* $vector:ident, $load:ident, $store:ident, $splat:ident, $xor:ident,
        $or:ident, |$bytes:ident| $is_ascii:expr;)*) => {$(
        $(#[$cfg])*
        // SAFETY: unaligned loads and stores of just this type's bytes.
        unsafe impl Vector for $vector {
            const LEN: usize = size_of::<$vector>();

            #[inline(always)]
            unsafe fn splat(key: u32) -> Self {
                // SAFETY: the caller's CPU has the feature, here and in each method.
                unsafe { $splat(i32::from_ne_bytes(key.to_ne_bytes())) }
            }
            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller's promise of `LEN` readable bytes.
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller's promise of `LEN` writable bytes.
                unsafe { $store(to.cast(), self) }
            }
            #[inline(always)]
            unsafe fn xor(self, other: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $xor(self, other) }
            }
            #[inline(always)]
            unsafe fn or(self, other: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $or(self, other) }
            }
            #[inline(always)]
            fn fetch(at: *const u8) {
                // SAFETY: a hint, which no address makes wrong.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            unsafe fn is_ascii(self) -> bool {
                let $bytes = self;
                // SAFETY: as in `splat`.
                unsafe { $is_ascii }
            }
        }
    )*};
}

vectors! {
    __m128i, _mm_loadu_si128, _mm_storeu_si128, _mm_set1_epi32, _mm_xor_si128, _mm_or_si128,
        |bytes| _mm_movemask_epi8(bytes) == 0;
    __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_set1_epi32, _mm256_xor_si256,
        _mm256_or_si256, |bytes| _mm256_movemask_epi8(bytes) == 0;
    #[cfg(sockless_avx512)]
    __m512i, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi32, _mm512_xor_si512,
        _mm512_or_si512,
        |bytes| _mm512_test_epi32_mask(bytes, _mm512_set1_epi32(i32::from_ne_bytes([0x80; 4]))) == 0;
}
