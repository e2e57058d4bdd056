//! RFC 6455 sections 5.2 and 5.3: a frame appended to the output, its payload masked as it is
//! copied.
//!
//! Header and payload are written in one go, each byte once. How bytes are masked is
//! [`mask`](crate::mask)'s business, what the frame says `sender`'s.
//!
//! Invariant: there is room for the whole frame before its first byte is written.

use crate::frame::{HeaderBytes, LEN_16, MAX_HEADER};
use crate::mask::{self, Mask};
use bytes::BytesMut;

/// Appends a frame that starts with the byte `first` and is not masked, if its length fits the
/// second and `out` has room for it already; whether it did.
#[inline(always)]
#[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
pub(crate) fn append_short(first: u8, payload: &[u8], out: &mut BytesMut) -> bool {
    match u8::try_from(payload.len()) {
        Ok(len @ 0..LEN_16) => mask::append_short([first, len], payload, out),
        _ => false,
    }
}

/// Appends a frame that starts with the byte `first` and is not masked.
#[inline]
pub(crate) fn append_plain(first: u8, payload: &[u8], out: &mut BytesMut) {
    append_header(first, None, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a frame that starts with the byte `first`, masked with `key`.
pub(crate) fn append(first: u8, key: [u8; 4], payload: &[u8], out: &mut BytesMut) {
    append_header(first, Some(key), payload.len(), out);
    Mask::new(key).append_to_output(payload, out);
}

/// The header, and room for the rest. The common lengths are known where they are copied: that is
/// one store each.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "without it a client's short message costs 1.5 times as much"
)]
fn append_header(first: u8, key: Option<[u8; 4]>, len: usize, out: &mut BytesMut) {
    out.reserve(len.saturating_add(MAX_HEADER));
    #[expect(clippy::match_same_arms, reason = "each copies a length that is known there")]
    match &*HeaderBytes::new(first, key, len as u64) {
        plain @ [_, _] => out.extend_from_slice(plain),
        plain @ [_, _, _, _] => out.extend_from_slice(plain),
        masked @ [_, _, _, _, _, _] => out.extend_from_slice(masked),
        masked @ [_, _, _, _, _, _, _, _] => out.extend_from_slice(masked),
        longer => out.extend_from_slice(longer),
    }
}

#[cfg(test)]
mod tests {
    use super::{append, append_plain, append_short};
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
        for len in (0..=300).chain(510..=515).chain([4096, 4097, 65_535, 65_536]) {
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

    #[test]
    fn a_short_frame_is_appended_where_there_is_room() {
        let source: Vec<u8> = (0..130).map(|i| (i * 7 % 251).try_into().unwrap()).collect();
        for len in 0..=130 {
            for less in [0, 1, 2] {
                let mut out = BytesMut::with_capacity(6 + 2 + len - less);
                out.extend_from_slice(b"before");
                // A buffer may have more room than was asked for.
                let has_room = out.capacity() - out.len() >= 2 + len;
                let is_appended = append_short(0x82, &source[..len], &mut out);
                assert_eq!(is_appended, has_room && len < 126, "{len}, {less} bytes too few");
                let mut wanted = b"before".to_vec();
                if is_appended {
                    wanted.extend(definition(None, &source[..len]));
                }
                assert_eq!(out, wanted, "{len}, {less} bytes too few");
            }
        }
    }
}
