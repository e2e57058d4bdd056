//! RFC 6455 section 5.3 on any machine: safe code over blocks that the compiler vectorises.

/// The bytes of a block: the key, repeated, fills one exactly.
const BLOCK: usize = 32;

/// XORs `piece` with the key, in place.
pub(super) fn apply(key: [u8; 4], piece: &mut [u8]) {
    let wide = widen(key);
    let mut blocks = piece.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    for (byte, key) in blocks.into_remainder().iter_mut().zip(wide) {
        *byte ^= key;
    }
}

/// Writes `from` XOR the key into `to`, which has the same length.
pub(super) fn copy(key: [u8; 4], from: &[u8], to: &mut [u8]) {
    debug_assert_eq!(from.len(), to.len());
    let wide = widen(key);
    let mut sources = from.chunks_exact(BLOCK);
    let mut targets = to.chunks_exact_mut(BLOCK);
    for (source, target) in (&mut sources).zip(&mut targets) {
        for ((to, from), key) in target.iter_mut().zip(source).zip(wide) {
            *to = from ^ key;
        }
    }
    let rest = targets.into_remainder().iter_mut().zip(sources.remainder());
    for ((to, from), key) in rest.zip(wide) {
        *to = from ^ key;
    }
}

fn widen(key: [u8; 4]) -> [u8; BLOCK] {
    let mut wide = [0; BLOCK];
    for (byte, key) in wide.iter_mut().zip(key.iter().cycle()) {
        *byte = *key;
    }
    wide
}
