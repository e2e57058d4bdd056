//! RFC 6455 section 5.3 on any machine: safe code over blocks that the compiler vectorises.
//!
//! Invariant: a block is a whole number of keys, so each starts at the key's first byte.

/// The bytes of a long stretch, worked on at a time.
const BLOCK: usize = 32;
/// The bytes of the rest, worked on at a time.
const WORD: usize = 8;

/// XORs `piece` with the key, in place.
#[inline]
pub(super) fn apply(key: [u8; 4], piece: &mut [u8]) {
    let wide = widen::<BLOCK>(key);
    let word = widen::<WORD>(key);
    let mut blocks = piece.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        xor(block, &wide);
    }
    let mut words = blocks.into_remainder().chunks_exact_mut(WORD);
    for bytes in &mut words {
        xor(bytes, &word);
    }
    xor(words.into_remainder(), &word);
}

/// Writes `from` XOR the key into `to`, which has the same length.
pub(super) fn copy(key: [u8; 4], from: &[u8], to: &mut [u8]) {
    debug_assert_eq!(from.len(), to.len());
    let wide = widen::<BLOCK>(key);
    let mut sources = from.chunks_exact(BLOCK);
    let mut targets = to.chunks_exact_mut(BLOCK);
    for (source, target) in (&mut sources).zip(&mut targets) {
        for ((to, from), key) in target.iter_mut().zip(source).zip(wide) {
            *to = from ^ key;
        }
    }
    let rest = targets.into_remainder();
    rest.copy_from_slice(sources.remainder());
    apply(key, rest);
}

fn xor(bytes: &mut [u8], key: &[u8]) {
    for (byte, key) in bytes.iter_mut().zip(key) {
        *byte ^= key;
    }
}

fn widen<const N: usize>(key: [u8; 4]) -> [u8; N] {
    let mut wide = [0; N];
    for (byte, key) in wide.iter_mut().zip(key.iter().cycle()) {
        *byte = *key;
    }
    wide
}
