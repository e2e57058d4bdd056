//! RFC 6455 sections 5.2 and 5.3: a frame appended to the output, its payload masked as it is
//! copied.
//!
//! What is short is masked in registers between the load and the store, so that each byte is
//! touched once, without a call. What is long is left to [`mask`](crate::mask), block by block,
//! while the block is in the nearest cache. What the frame says is `sender`'s business.
//!
//! Invariant: there is room for the whole frame before its first byte is written.

use crate::frame::{HeaderBytes, MAX_HEADER};
use crate::mask::Mask;
use bytes::BytesMut;

/// The longest payload that is masked in registers, in bytes.
const SHORT: usize = 1024;
/// Bytes copied and masked at a time: they are still in the nearest cache for the second step.
const BLOCK: usize = 4096;

/// Appends a frame that starts with the byte `first` and is not masked.
#[inline]
pub(crate) fn append_plain(first: u8, payload: &[u8], out: &mut BytesMut) {
    append_header(first, None, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a frame that starts with the byte `first`, masked with `key`.
pub(crate) fn append(first: u8, key: [u8; 4], payload: &[u8], out: &mut BytesMut) {
    append_header(first, Some(key), payload.len(), out);
    match payload.len() {
        0..4 => {
            for (byte, key) in payload.iter().zip(key) {
                out.extend_from_slice(&[byte ^ key]);
            }
        }
        4..8 => words::<4>(key, payload, out),
        8..16 => words::<8>(key, payload, out),
        16..32 => words::<16>(key, payload, out),
        32..64 => words::<32>(key, payload, out),
        64..=SHORT => words::<64>(key, payload, out),
        _ => long(key, payload, out),
    }
}

/// The header, and room for the rest. The common lengths are known where they are copied: that is
/// one store each.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "without it a client's short message costs 1.5 times as much"
)]
fn append_header(first: u8, key: Option<[u8; 4]>, len: usize, out: &mut BytesMut) {
    out.reserve(MAX_HEADER + len);
    #[expect(clippy::match_same_arms, reason = "each copies a length that is known there")]
    match &*HeaderBytes::new(first, key, len as u64) {
        plain @ [_, _] => out.extend_from_slice(plain),
        plain @ [_, _, _, _] => out.extend_from_slice(plain),
        masked @ [_, _, _, _, _, _] => out.extend_from_slice(masked),
        masked @ [_, _, _, _, _, _, _, _] => out.extend_from_slice(masked),
        longer => out.extend_from_slice(longer),
    }
}

/// At least `N` bytes in words of `N`, a multiple of four. The last word overlaps the one before
/// it, whose bytes come out the same again.
#[inline]
fn words<const N: usize>(key: [u8; 4], payload: &[u8], out: &mut BytesMut) {
    let mut words = payload.chunks_exact(N);
    let wide = widen(key);
    for word in &mut words {
        put::<N>(&wide, word, out);
    }
    let rest = words.remainder().len();
    if rest > 0 {
        // It starts `rest` bytes behind a whole number of keys; in a register the turn is free.
        let bits = u32::try_from(rest % 4 * 8).unwrap_or_default();
        let turned = u32::from_le_bytes(key).rotate_right(bits).to_le_bytes();
        out.truncate(out.len() + rest - N);
        put::<N>(&widen(turned), payload.get(payload.len() - N..).unwrap_or_default(), out);
    }
}

/// Exactly `N` bytes.
#[inline]
fn put<const N: usize>(key: &[u8; N], word: &[u8], out: &mut BytesMut) {
    let mut masked = [0; N];
    for ((to, from), key) in masked.iter_mut().zip(word).zip(key) {
        *to = from ^ key;
    }
    out.extend_from_slice(&masked);
}

#[inline]
fn widen<const N: usize>(key: [u8; 4]) -> [u8; N] {
    let mut wide = [0; N];
    for four in wide.chunks_exact_mut(4) {
        four.copy_from_slice(&key);
    }
    wide
}

fn long(key: [u8; 4], payload: &[u8], out: &mut BytesMut) {
    let mut mask = Mask::new(key);
    for block in payload.chunks(BLOCK) {
        let start = out.len();
        out.extend_from_slice(block);
        mask.apply(out.get_mut(start..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, SHORT, append, append_plain};
    use crate::frame::{Header, Opcode};
    use bytes::BytesMut;

    fn definition(key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let len = payload.len() as u64;
        let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask: key, len };
        let mut frame = header.encode().unwrap().to_vec();
        let key = key.unwrap_or_default().into_iter().cycle();
        frame.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key));
        frame
    }

    // req: W5.3-04, W5.2-04
    #[test]
    fn every_length_is_the_definition_whatever_room_there_is() {
        let source: Vec<u8> = (0..70_000).map(|i| (i * 7 % 251).try_into().unwrap()).collect();
        let long = [SHORT + 1, SHORT + 3, BLOCK, BLOCK + 1, 3 * BLOCK + 2, 65_535, 65_536];
        for len in (0..=300).chain(SHORT - 65..=SHORT).chain(long) {
            let payload = &source[..len];
            for room in [0, len / 2, len + 64] {
                let mut out = BytesMut::from(&b"before"[..]);
                out.reserve(room);
                let mut wanted = b"before".to_vec();
                for key in [[0x01, 0x80, 0xfe, 0x5a], [0, 0, 0, 0], [0xff; 4]] {
                    append(0x82, key, payload, &mut out);
                    wanted.extend(definition(Some(key), payload));
                }
                append_plain(0x82, payload, &mut out);
                wanted.extend(definition(None, payload));
                assert!(out == wanted, "{len} bytes, room for {room}");
            }
        }
    }
}
