//! RFC 6455 section 5.3: what masking asks of a register, whatever the machine has.
//!
//! The rooms beside this one name the machine's own; the integers here do what is too short for
//! them.
//!
//! Invariant: a register is loaded from just its own bytes, and stored to them.
#![allow(unsafe_code)]
#![allow(clippy::arithmetic_side_effects, reason = "sums of places within one slice")]
#![allow(clippy::inline_always, reason = "a CPU feature is on only where all of it is inlined")]

/// How much [`Vector::fetch`] brings, at an address that is a multiple of it.
pub(super) const LINE: usize = 64;

/// A register of the machine, seen as bytes.
///
/// # Safety
/// `load` and `store` touch the `LEN` bytes at the address and no others. Every method needs the
/// CPU feature that the implementation names.
pub(super) unsafe trait Vector: Copy {
    /// In bytes: a power of two; a multiple of the key's four where several follow each other.
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
    /// Has the line of memory at `at`, which may be anywhere, fetched to be written soon.
    #[inline(always)]
    fn fetch(_at: *const u8) {}
}

/// `N` vectors from `from` on, XOR the key.
///
/// # Safety
/// `N * V::LEN` readable bytes at `from`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const N: usize>(key: V, from: *const u8) -> [V; N] {
    let mut vectors = [key; N];
    for (nth, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *vector = unsafe { V::load(from.add(nth * V::LEN)).xor(key) };
    }
    vectors
}

/// Stores `N` vectors from `to` on.
///
/// # Safety
/// `N * V::LEN` writable bytes at `to`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn store<V: Vector, const N: usize>(vectors: [V; N], to: *mut u8) {
    for (nth, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { vector.store(to.add(nth * V::LEN)) };
    }
}

/// The next `N` vectors, all loaded before any is stored.
///
/// # Safety
/// `N * V::LEN` readable bytes at `from + at` and writable ones at `to + at`, and what `V` needs.
#[inline(always)]
pub(super) unsafe fn step<V: Vector, const N: usize>(
    key: V,
    from: *const u8,
    to: *mut u8,
    at: &mut usize,
) -> [V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let vectors = load(key, from.add(*at));
        store(vectors, to.add(*at));
        *at += N * V::LEN;
        vectors
    }
}

/// The bits that are set in any of them.
///
/// # Safety
/// What `V` needs.
#[inline(always)]
pub(super) unsafe fn joined<V: Vector, const N: usize>(vectors: [V; N]) -> V {
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
