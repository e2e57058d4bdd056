//! RFC 6455 section 5.2: the header of a frame.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//! |I|S|S|S|  (4)  |A|     (7)     |         (16 or 64 bits)       |
//! |N|V|V|V|       |S|             |  if the 7 bits are 126 / 127  |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
//! |        Masking-key, 4 bytes, if MASK is set; then the payload |
//! +---------------------------------------------------------------+
//! ```
//!
//! Parsing is restartable and consumes nothing: hand it what there is, and again with more. It
//! judges each byte as soon as it is there, against what the connection permits at that point
//! ([`Expect`]), so that a frame is refused at the first byte that shows it is wrong, however the
//! bytes were cut; for a limit, that is the last byte of the length. Payloads are not its business.
//!
//! Without an allocator, a loop is made of this, [`mask`](crate::mask), [`utf8`](crate::utf8) and
//! [`close`](crate::close):
//!
//! ```
//! # use sockless::{ProtocolError, frame::{Expect, Header, Opcode}, mask::Mask};
//! // No frame is longer than the buffer that is read into: what is, fails at its header.
//! let expect = Expect { max_frame: 512, ..Expect::unlimited(true) };
//! let mut read = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58 and what follows";
//! if let Some((header, start)) = Header::parse(&read, &expect)? {
//!     // While not all of it is there, it stays where it is: read on.
//!     if let Some(payload) = read.get_mut(start..start + header.len as usize) {
//!         Mask::new(header.mask.unwrap()).apply(payload);
//!         assert_eq!((header.opcode, &*payload), (Opcode::Text, &b"Hello"[..]));
//!     }
//! }
//! # Ok::<(), ProtocolError>(())
//! ```
//!
//! Invariant: a header is refused for the same rule, at the same byte, however it was cut.

use crate::error::{ProtocolError, SendError};
use core::ops::Deref;

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const MAX_HEADER: usize = 14;

/// The longest payload of a control frame (section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
pub(crate) const MASK: u8 = 0x80;
const LEN: u8 = 0x7f;
/// In the 7 bits of the length: a 16-bit length follows.
pub(crate) const LEN_16: u8 = 126;
/// In the 7 bits of the length: a 64-bit length follows.
const LEN_64: u8 = 127;

/// What a frame is (section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the open message.
    Continuation = 0x0,
    /// The first or only frame of a text message.
    Text = 0x1,
    /// The first or only frame of a binary message.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks for a Pong.
    Ping = 0x9,
    /// Answers a Ping, or shows that the sender is alive.
    Pong = 0xa,
}

impl Opcode {
    /// Whether frames of this opcode are control frames (section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    const fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }
}

/// The two types of message (section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl Kind {
    /// The opcode of a first frame of this kind.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// What the receiver permits of the next frame: its role, its limits and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// Whether frames must be masked; if not, they must be unmasked (section 5.1).
    pub masked: bool,
    /// Whether RSV1 may be set on the first frame of a message: an extension gave it a meaning.
    pub rsv1: bool,
    /// Whether a message is open, so that a data frame must be a continuation (section 5.4).
    pub message_open: bool,
    /// The longest data frame, in bytes, inclusive.
    pub max_frame: u64,
    /// How many bytes the message may still have, inclusive.
    pub max_message: u64,
    /// The longest frame with RSV1, instead of the two above: the compressed form of a message may
    /// be longer than the message.
    pub max_compressed: u64,
}

impl Expect {
    /// What a peer without extensions may send at the start of a message; `masked` is true when
    /// the peer is a client. No limits.
    pub const fn unlimited(masked: bool) -> Self {
        Self {
            masked,
            rsv1: false,
            message_open: false,
            max_frame: u64::MAX,
            max_message: u64::MAX,
            max_compressed: u64::MAX,
        }
    }
}

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The first reserved bit, which permessage-deflate sets on compressed messages (RFC 7692).
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, on frames from a client.
    pub mask: Option<[u8; 4]>,
    /// The length of the payload, in bytes, below 2^63.
    pub len: u64,
}

impl Header {
    /// The header at the start of `bytes` and its length there, or `None` while it is incomplete
    /// and nothing is wrong so far.
    ///
    /// # Errors
    /// The [`ProtocolError`] that the earliest offending byte shows (sections 5.1 to 5.5).
    ///
    /// ```
    /// use sockless::ProtocolError;
    /// use sockless::frame::{Expect, Header, Opcode};
    ///
    /// let expect = Expect::unlimited(true);
    /// let (header, len) = Header::parse(b"\x81\x85\x37\xfa\x21\x3d\x7f", &expect)?.unwrap();
    /// assert_eq!((header.opcode, header.len, len), (Opcode::Text, 5, 6));
    /// assert_eq!(Header::parse(b"\x81", &expect)?, None);
    /// assert_eq!(Header::parse(b"\x83", &expect), Err(ProtocolError::ReservedOpcode));
    /// # Ok::<(), ProtocolError>(())
    /// ```
    pub fn parse(bytes: &[u8], expect: &Expect) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let opcode = judge_first(first, expect)?;

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        judge_second(second, opcode, expect)?;

        let Some((len, rest)) = parse_len(second & LEN, rest)? else { return Ok(None) };
        if !opcode.is_control() {
            let compressed = first & RSV1 != 0;
            if len > if compressed { expect.max_compressed } else { expect.max_frame } {
                return Err(ProtocolError::FrameTooLarge);
            }
            if !compressed && len > expect.max_message {
                return Err(ProtocolError::MessageTooLarge);
            }
        }

        let (mask, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        };
        let header = Self { fin: first & FIN != 0, rsv1: first & RSV1 != 0, opcode, mask, len };
        Ok(Some((header, bytes.len().saturating_sub(rest.len()))))
    }

    /// The header's bytes, its length in the shortest form. Whether such a frame may be sent is not
    /// asked: [`Sender`](crate::Sender) does that, or who keeps the rules of sections 5.4 and 5.5.
    ///
    /// # Errors
    /// [`SendError::LengthTopBit`] when `len` is 2^63 or more.
    ///
    /// ```
    /// use sockless::frame::{Header, Opcode};
    /// let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask: None, len: 256 };
    /// assert_eq!(&*header.encode()?, b"\x82\x7e\x01\x00");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[inline]
    pub fn encode(&self) -> Result<HeaderBytes, SendError> {
        if self.len >> 63 != 0 {
            return Err(SendError::LengthTopBit);
        }
        let first = first_byte(self.fin, self.rsv1, self.opcode);
        Ok(HeaderBytes::new(first, self.mask, self.len))
    }
}

/// FIN, RSV1 and opcode, in their places.
pub(crate) const fn first_byte(fin: bool, rsv1: bool, opcode: Opcode) -> u8 {
    let fin = if fin { FIN } else { 0 };
    let rsv1 = if rsv1 { RSV1 } else { 0 };
    fin | rsv1 | opcode as u8
}

/// The rules of the first byte: FIN, RSV and opcode, and whether such a frame has its turn.
fn judge_first(byte: u8, expect: &Expect) -> Result<Opcode, ProtocolError> {
    if byte & RSV2_RSV3 != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let opcode = Opcode::parse(byte & OPCODE).ok_or(ProtocolError::ReservedOpcode)?;
    let starts_message = matches!(opcode, Opcode::Text | Opcode::Binary);
    if byte & RSV1 != 0 && !(expect.rsv1 && starts_message) {
        return Err(ProtocolError::ReservedBits);
    }
    if opcode.is_control() {
        // "All control frames [...] MUST NOT be fragmented" (section 5.5).
        return if byte & FIN == 0 { Err(ProtocolError::FragmentedControl) } else { Ok(opcode) };
    }
    match (expect.message_open, starts_message) {
        (false, false) => Err(ProtocolError::ContinuationWithoutStart),
        (true, true) => Err(ProtocolError::ContinuationExpected),
        (false, true) | (true, false) => Ok(opcode),
    }
}

/// The rules of the second byte: MASK, and the length of a control frame.
fn judge_second(byte: u8, opcode: Opcode, expect: &Expect) -> Result<(), ProtocolError> {
    match (byte & MASK != 0, expect.masked) {
        (false, true) => return Err(ProtocolError::MaskMissing),
        (true, false) => return Err(ProtocolError::MaskForbidden),
        (true, true) | (false, false) => {}
    }
    if opcode.is_control() && usize::from(byte & LEN) > MAX_CONTROL_PAYLOAD {
        return Err(ProtocolError::ControlTooLong);
    }
    Ok(())
}

/// The payload length, and the bytes after it. "The minimal number of bytes MUST be used to encode
/// the length" and "the most significant bit MUST be 0" (section 5.2).
fn parse_len(code: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    match code {
        LEN_16 => {
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            let len = u16::from_be_bytes(*len);
            if len < u16::from(LEN_16) {
                return Err(ProtocolError::LengthNotMinimal);
            }
            Ok(Some((u64::from(len), rest)))
        }
        LEN_64 => {
            if rest.first().is_some_and(|byte| byte & 0x80 != 0) {
                return Err(ProtocolError::LengthTopBit);
            }
            if rest.first_chunk() == Some(&[0; 6]) {
                return Err(ProtocolError::LengthNotMinimal);
            }
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            Ok(Some((u64::from_be_bytes(*len), rest)))
        }
        len => Ok(Some((u64::from(len), rest))),
    }
}

/// An encoded header: at most [`MAX_HEADER`] bytes, on the stack.
#[derive(Clone, Copy, Default)]
pub struct HeaderBytes {
    /// Its bytes are `words[..len]`, as if they were not in two words; the rest is zero.
    words: [[u8; 8]; 2],
    len: u8,
}

impl HeaderBytes {
    /// The header that starts with the byte `first`; `len` is below 2^63.
    ///
    /// It is put together in registers: a wide load of bytes that were stored one by one has to
    /// wait until they have reached the cache.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "10 octets and a key")]
    pub(crate) fn new(first: u8, mask: Option<[u8; 4]>, len: u64) -> Self {
        debug_assert!(len >> 63 == 0);
        let (bit, key, key_len) = match mask {
            Some(key) => (MASK, u64::from(u32::from_le_bytes(key)), 4),
            None => (0, 0, 0),
        };
        let two = |code| u64::from(u16::from_le_bytes([first, bit | code]));
        let (low, high, len) = if let Ok(len @ 0..LEN_16) = u8::try_from(len) {
            (two(len) | key << 16, 0, 2)
        } else if let Ok(len) = u16::try_from(len) {
            (two(LEN_16) | u64::from(len.swap_bytes()) << 16 | key << 32, 0, 4)
        } else {
            let len = len.swap_bytes();
            (two(LEN_64) | len << 16, len >> 48 | key << 16, 10)
        };
        Self { words: [low.to_le_bytes(), high.to_le_bytes()], len: len + key_len }
    }
}

impl Deref for HeaderBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.words.as_flattened().get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for HeaderBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl core::fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:02x?}", &**self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPCODES: [Opcode; 6] = [
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ];

    fn expect(header: &Header) -> Expect {
        Expect {
            masked: header.mask.is_some(),
            rsv1: header.rsv1,
            message_open: header.opcode == Opcode::Continuation,
            ..Expect::unlimited(true)
        }
    }

    /// Encode, then parse at every cut: nothing before the last byte, then the same header.
    fn round_trip(header: Header) {
        let expect = expect(&header);
        let bytes = header.encode().unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(Header::parse(&bytes[..cut], &expect), Ok(None), "{header:?} cut at {cut}");
        }
        let longer = [&*bytes, b"payload"].concat();
        assert_eq!(Header::parse(&longer, &expect), Ok(Some((header, bytes.len()))));
    }

    // req: W5.2-04, W5.2-07, W5.2-08, W5.3-01, W5.3-05
    #[test]
    fn every_length_both_ways() {
        let edges = [1 << 20, u64::from(u32::MAX), 1 << 32, (1 << 63) - 1];
        for len in (0..=70_000).chain(edges) {
            for mask in [None, Some([0xa5, 0, 0xff, 1])] {
                let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask, len };
                let size = header.encode().unwrap().len() - if mask.is_some() { 4 } else { 0 };
                let wanted = match len {
                    0..=125 => 2,
                    126..=0xffff => 4,
                    _ => 10,
                };
                assert_eq!(size, wanted, "{len}");
                if len % 251 < 4 || len > 65_530 {
                    round_trip(header);
                }
            }
        }
    }

    #[test]
    fn every_first_byte_both_ways() {
        for opcode in OPCODES {
            for fin in [true, false] {
                for rsv1 in [true, false] {
                    if opcode.is_control() && !fin {
                        continue;
                    }
                    if rsv1 && !matches!(opcode, Opcode::Text | Opcode::Binary) {
                        continue;
                    }
                    round_trip(Header { fin, rsv1, opcode, mask: Some([1, 2, 3, 4]), len: 7 });
                    round_trip(Header { fin, rsv1, opcode, mask: None, len: 0 });
                }
            }
        }
    }

    // req: W5.2-01, W5.2-03, W5.4-03, W5.4-07, W5.4-09, W5.1-02, W5.1-04, W5.5-01, W5.2-10
    #[test]
    fn two_bytes_are_judged_in_order() {
        use ProtocolError as E;
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                for state in 0..8 {
                    let (masked, rsv1, open) = (state & 1 != 0, state & 2 != 0, state & 4 != 0);
                    let expect =
                        Expect { masked, rsv1, message_open: open, ..Expect::unlimited(masked) };
                    let opcode = first & 15;
                    let control = opcode >= 8;
                    let error = if first & 0x30 != 0 {
                        Some(E::ReservedBits)
                    } else if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
                        Some(E::ReservedOpcode)
                    } else if first & 0x40 != 0 && !(rsv1 && (opcode == 1 || opcode == 2)) {
                        Some(E::ReservedBits)
                    } else if control && first < 0x80 {
                        Some(E::FragmentedControl)
                    } else if opcode == 0 && !open {
                        Some(E::ContinuationWithoutStart)
                    } else if !control && opcode != 0 && open {
                        Some(E::ContinuationExpected)
                    } else {
                        None
                    };
                    assert_eq!(Header::parse(&[first], &expect).err(), error, "{first:x}");
                    let error = error.or(match (second >= 0x80, masked) {
                        (false, true) => Some(E::MaskMissing),
                        (true, false) => Some(E::MaskForbidden),
                        _ if control && second & 0x7f > 125 => Some(E::ControlTooLong),
                        _ => None,
                    });
                    let found = Header::parse(&[first, second], &expect).err();
                    assert_eq!(found, error, "{first:x} {second:x}");
                }
            }
        }
    }

    // req: W5.2-05, W5.2-06, W5.2-10
    #[test]
    fn lengths_are_refused_at_the_first_byte_that_shows_it() {
        use ProtocolError as E;
        let cases: [(&[u8], usize, E); 8] = [
            (&[0x82, 126, 0, 0], 4, E::LengthNotMinimal),
            (&[0x82, 126, 0, 125], 4, E::LengthNotMinimal),
            (&[0x82, 127, 0x80], 3, E::LengthTopBit),
            (&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 3, E::LengthTopBit),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0], 8, E::LengthNotMinimal),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 8, E::LengthNotMinimal),
            (&[0x82, 126, 4, 1], 4, E::FrameTooLarge),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 10, E::FrameTooLarge),
        ];
        let expect = Expect { max_frame: 1024, ..Expect::unlimited(false) };
        for (bytes, at, error) in cases {
            assert_eq!(Header::parse(&bytes[..at - 1], &expect), Ok(None), "{bytes:x?}");
            assert_eq!(Header::parse(&bytes[..at], &expect), Err(error), "{bytes:x?}");
            assert_eq!(Header::parse(bytes, &expect), Err(error), "{bytes:x?}");
        }
        assert_eq!(
            Header { fin: true, rsv1: false, opcode: Opcode::Text, mask: None, len: 1 << 63 }
                .encode()
                .err(),
            Some(SendError::LengthTopBit)
        );
    }
}
