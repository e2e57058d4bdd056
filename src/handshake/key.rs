//! RFC 6455 sections 4.1 (item 7) and 4.2.2 (item 5.4): the key of a request and its answer.
//!
//! Pure functions, without an allocator: they serve hosts that parse HTTP on their own as well.
//! They prove that the server read a WebSocket request, and nothing else: neither is a secret.
//!
//! Invariant: what [`encode`] makes, [`is_valid`] takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

/// "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" (RFC 6455 section 1.3): a value "unlikely to be used by
/// network endpoints that do not understand the WebSocket Protocol".
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` value that answers a key (RFC 6455 section 4.2.2, item 5.4).
///
/// The key is hashed as it was received, not decoded: its base64 text is what counts.
///
/// ```
/// use sockless::handshake::key;
/// assert_eq!(&key::accept(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept(key: &[u8]) -> [u8; 28] {
    let mut value = [0; 28];
    write_accept(key, &mut value);
    value
}

/// [`accept`], where it is to be.
#[inline]
pub(super) fn write_accept(key: &[u8], place: &mut [u8; 28]) {
    // 20 bytes are 28 in base64, always: there is no other outcome.
    let written = STANDARD.encode_slice(hash(key), place);
    debug_assert_eq!(written, Ok(place.len()));
}

/// SHA-1 of the key and the GUID.
fn hash(key: &[u8]) -> [u8; 20] {
    #[cfg(feature = "sha1")]
    if let Ok(key) = key.try_into() {
        return hash_blocks(key);
    }
    hash_any(key)
}

fn hash_any(key: &[u8]) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    sha1.digest().bytes()
}

/// The same of a key as long as every valid one is, by the CPU's instructions for it where it has
/// them. The blocks are laid out here: to have them buffered takes a third more.
#[cfg(feature = "sha1")]
fn hash_blocks(key: &[u8; 24]) -> [u8; 20] {
    let mut blocks = BLOCKS;
    let [first, _] = &mut blocks;
    if let Some(start) = first.first_chunk_mut() {
        *start = *key;
    }
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    sha1::block_api::compress(&mut state, &blocks);
    let mut hash = [0; 20];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// What SHA-1 works on, but for the key at its start: the GUID, a bit, and the length of both in
/// bits (RFC 3174 section 4).
#[cfg(feature = "sha1")]
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const BLOCKS: [[u8; 64]; 2] = {
    let mut blocks = [[0; 64]; 2];
    let mut at = 0;
    while at < GUID.len() {
        blocks[0][24 + at] = GUID[at];
        at += 1;
    }
    blocks[0][60] = 0x80;
    let [.., high, low] = (60_u64 * 8).to_be_bytes();
    (blocks[1][62], blocks[1][63]) = (high, low);
    blocks
};

/// The `Sec-WebSocket-Key` value of a nonce (RFC 6455 section 4.1, item 7).
///
/// "The nonce MUST be selected randomly for each connection."
///
/// ```
/// use sockless::handshake::key;
/// assert_eq!(&key::encode(*b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
/// ```
#[must_use]
pub fn encode(nonce: [u8; 16]) -> [u8; 24] {
    let mut value = [0; 24];
    let written = STANDARD.encode_slice(nonce, &mut value);
    debug_assert_eq!(written, Ok(value.len()));
    value
}

/// Whether a received `Sec-WebSocket-Key` is base64 of 16 bytes (RFC 6455 section 4.2.1, item 5).
///
/// That is 22 characters of the alphabet and `==`. The four bits of the last character that carry
/// nothing may be set: the example in section 4.1 of the RFC has a key like that.
///
/// ```
/// use sockless::handshake::key;
/// assert!(key::is_valid(b"AQIDBAUGBwgJCgsMDQ4PEC=="));
/// assert!(!key::is_valid(b"AQIDBAUGBwgJCgsMDQ4PEC"));
/// ```
pub fn is_valid(key: &[u8]) -> bool {
    let Some((text, b"==")) = key.split_first_chunk::<22>() else { return false };
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    // All are looked at, side by side: none is likely to be wrong.
    text.iter().fold(true, |all, &byte| all & alphabet(byte))
}

#[cfg(test)]
mod tests {
    use super::{accept, encode, is_valid};
    #[cfg(feature = "sha1")]
    use super::{hash_any, hash_blocks};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    // req: W4.2.2-13
    #[test]
    fn known_answers() {
        let cases: [(&[u8; 24], &[u8; 28]); 5] = [
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            (b"x3JJHMbDL1EzLkh9GBhXDw==", b"HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
            (b"sN9cRrP/n9NdMgdcy2VJFQ==", b"fFBooB7FAkLlXgRSz0BT3v4hq5s="),
            (b"NlNG/FK/FrQS/RH5Bcy9Gw==", b"61owE5R5/c6QNYBTkaX4yWAmFos="),
            // Bits that carry nothing are hashed as sent: not the answer to `...EA==`.
            (b"AQIDBAUGBwgJCgsMDQ4PEC==", b"OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ];
        for (key, answer) in cases {
            assert_eq!(accept(key), *answer);
            assert!(is_valid(key));
        }
    }

    /// It is the caller who knows whether a key is one: whatever comes is hashed.
    #[test]
    fn keys_of_any_length_have_an_answer() {
        for (key, answer) in [
            (&b""[..], b"Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="),
            (b"dGhlIHNhbXBsZSBub25jZQ=", b"pKh//x18h+UqQMnMiqvoRJiH5T4="),
            (b"dGhlIHNhbXBsZSBub25jZQ===", b"GB9DKuNDKKGyW6en4L3RiKNDiyA="),
        ] {
            assert_eq!(accept(key), *answer, "{}", key.escape_ascii());
        }
    }

    #[cfg(feature = "sha1")]
    #[test]
    fn blocks_are_hashed_as_text_is() {
        for at in 0..24 {
            for byte in 0..=255 {
                let mut key = [b'A'; 24];
                key[at] = byte;
                assert_eq!(hash_blocks(&key), hash_any(&key), "{}", key.escape_ascii());
            }
        }
    }

    // req: W4.1-15
    #[test]
    fn keys_are_canonical_base64_of_the_nonce() {
        for seed in 0..=255_u8 {
            let nonce = [seed, 0, 255, seed ^ 0x55, 1, 2, 3, 4, 5, 6, 7, 8, 9, seed, seed, !seed];
            let key = encode(nonce);
            assert!(is_valid(&key) && key.ends_with(b"=="));
            let mut decoded = [0; 18];
            let len = STANDARD.decode_slice(key, &mut decoded).unwrap();
            assert_eq!(decoded[..len], nonce);
        }
    }

    // req: W4.2.1-08
    #[test]
    fn only_22_characters_and_two_pads_are_a_key() {
        for (key, wanted) in [
            ("AQIDBAUGBwgJCgsMDQ4PEA==", true),
            ("++++++++++++++++++++//==", true),
            ("", false),
            ("==", false),
            ("AQIDBAUGBwgJCgsMDQ4P", false),         // 15 bytes
            ("AQIDBAUGBwgJCgsMDQ4PEBE=", false),     // 17 bytes
            ("AQIDBAUGBwgJCgsMDQ4P-_==", false),     // the alphabet of URLs
            ("AQIDBAUGBwgJCgsMDQ4PEA", false),       // no pad
            ("AQIDBAUGBwgJCgsMDQ4PEA=", false),      // one pad
            ("AQIDBAUGBwgJCgsMDQ4PE===", false),     // three pads
            ("AQIDBAUGBwg JCgsMDQ4PE==", false),     // a space inside
            ("AQIDBAUGBwgJCgsMDQ4PEA==AAAA", false), // text after the pad
            ("AQIDBAUGBwgJCgsMDQ4PEAA==", false),
        ] {
            assert_eq!(is_valid(key.as_bytes()), wanted, "{key}");
        }
    }
}
