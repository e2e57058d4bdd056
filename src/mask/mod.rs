//! RFC 6455 section 5.3: masking, which is its own inverse.
//!
//! "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
//! i modulo 4 of the masking key." A payload may come in pieces of any length; [`Mask`] keeps its
//! place in the key from one to the next. Where keys come from is `keys`' business.
//!
//! The work is one body over the vectors of the machine (`body`), which the rooms beside it name:
//! AVX-512, AVX2 or SSE2 on x86-64, NEON on 64-bit Arm, words where a load from any address is one
//! instruction. On other machines, microcontrollers above all, it is a loop of words (`plain`).
//!
//! Invariant: how a payload is cut changes no byte of what comes out.

mod body;
mod plain;
mod short;
mod vector;

#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
mod aarch64;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
use aarch64 as best;

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod x86;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use x86 as best;

#[cfg(any(
    test,
    fuzzing,
    not(any(
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
        all(target_arch = "x86_64", target_feature = "sse2")
    ))
))]
mod portable;
#[cfg(not(any(
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    all(target_arch = "x86_64", target_feature = "sse2")
)))]
use portable as best;

#[cfg(any(test, fuzzing))]
pub mod backends;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use bytes::BytesMut;

/// A masking key, and how far its payload has come.
///
/// ```
/// use sockless::mask::Mask;
/// let mut hello = *b"\x7f\x9f\x4d\x51\x58";
/// let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
/// mask.apply(&mut hello[..3]);
/// mask.apply(&mut hello[3..]);
/// assert_eq!(&hello, b"Hello");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// The key, turned so that its lowest byte belongs to the next byte of the payload.
    turned: u32,
}

impl Mask {
    /// The mask of a frame that has none: it changes nothing.
    #[cfg(feature = "alloc")]
    pub(crate) const NONE: Self = Self::new([0; 4]);

    /// A mask at the start of its payload.
    pub const fn new(key: [u8; 4]) -> Self {
        Self { turned: u32::from_le_bytes(key) }
    }

    /// Masks or unmasks the next piece of the payload in place.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub fn apply(&mut self, piece: &mut [u8]) {
        body::apply(self.turned, piece);
        self.turn(piece.len());
    }

    /// [`apply`](Self::apply) for what a read has brought: lengths that nobody can predict, and
    /// bytes that may not be near. Beyond 512 bytes it is the same.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub(crate) fn unmask(&mut self, piece: &mut [u8]) {
        body::unmask::<false>(self.turned, piece);
        self.turn(piece.len());
    }

    /// The same, and whether what came out is ASCII, which costs next to nothing here.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn unmask_judging(&mut self, piece: &mut [u8]) -> bool {
        let ascii = body::unmask::<true>(self.turned, piece);
        self.turn(piece.len());
        ascii
    }

    /// Masks or unmasks the next piece of the payload into `to`, in one pass: as much as the
    /// shorter of the two holds. Returns how many bytes that was.
    ///
    /// ```
    /// use sockless::mask::Mask;
    /// let mut wire = [0; 5];
    /// let n = Mask::new([0x37, 0xfa, 0x21, 0x3d]).copy(b"Hello", &mut wire);
    /// assert_eq!((n, &wire), (5, b"\x7f\x9f\x4d\x51\x58"));
    /// ```
    #[inline]
    pub fn copy(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let len = body::copy(self.turned, from, to);
        self.turn(len);
        len
    }

    /// Masks or unmasks the next piece of the payload onto the end of `onto`, in one pass; nothing
    /// is filled with zeros first. Room that is there already is used.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn append(&mut self, from: &[u8], onto: &mut Vec<u8>) {
        body::append(self.turned, from, onto);
        self.turn(from.len());
    }

    /// [`append`](Self::append) for the caller's output.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn append_to_output(&mut self, from: &[u8], onto: &mut BytesMut) {
        body::append_to_output(self.turned, from, onto);
        self.turn(from.len());
    }

    /// Goes on by `len` bytes that need no change.
    #[inline]
    pub(crate) fn turn(&mut self, len: usize) {
        self.turned = vector::turned(self.turned, len);
    }
}

/// Appends two bytes and a short payload as it is, if there is room for both already; whether there
/// was.
#[cfg(feature = "alloc")]
#[inline(always)]
#[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
pub(crate) fn append_short(header: [u8; 2], payload: &[u8], onto: &mut BytesMut) -> bool {
    body::append_short(header, payload, onto)
}

#[cfg(test)]
mod tests {
    use super::Mask;
    #[cfg(feature = "alloc")]
    use super::body::MANY;

    fn definition(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    fn payload(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 % 251).try_into().unwrap()).collect()
    }

    #[test]
    fn every_way_of_masking_is_the_definition() {
        let key = [0x01, 0x80, 0xfe, 0x5a];
        for len in (0..=300).chain([4096, 65_537]) {
            let data = payload(len);
            let wanted = definition(key, &data);
            let mut place = data.clone();
            let mut applied = Mask::new(key);
            applied.apply(&mut place);
            assert_eq!(place, wanted);

            let (mut copy, mut copied) = (vec![0; len], Mask::new(key));
            assert_eq!((copied.copy(&data, &mut copy), copied), (len, applied));
            assert_eq!(copy, wanted);
            #[cfg(feature = "alloc")]
            {
                let (mut place, mut judged) = (data.clone(), Mask::new(key));
                assert_eq!(judged.unmask_judging(&mut place), wanted.is_ascii());
                assert_eq!((&place, judged), (&wanted, applied));
                let (mut place, mut unmasked) = (data.clone(), Mask::new(key));
                unmasked.unmask(&mut place);
                assert_eq!((&place, unmasked), (&wanted, applied));
                let whole = [b"before", &*wanted].concat();
                let (mut onto, mut appended) = (b"before".to_vec(), Mask::new(key));
                appended.append(&data, &mut onto);
                assert_eq!((&onto, appended), (&whole, applied));
                let (mut onto, mut appended) = (bytes::BytesMut::from("before"), Mask::new(key));
                appended.append_to_output(&data, &mut onto);
                assert_eq!((&onto[..], appended), (&whole[..], applied));
            }
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn from_the_last_byte_on_it_is_the_definition_too() {
        let key = [0x01, 0x82, 0xfe, 0x5a];
        let source: Vec<u8> = payload(100_003).iter().map(|byte| byte % 128).collect();
        let wanted = definition(key, &source);
        let step = if option_env!("SOCKLESS_THIN").is_some() { 21 } else { 1 };
        for len in [MANY - 1, MANY, MANY + 63, MANY + 511, 2 * MANY - 1, 2 * MANY, 100_003] {
            for offset in (0..64).step_by(step) {
                let mut room = vec![b' '; 100_200];
                let offset = room.as_ptr().align_offset(64) + offset;
                let place = offset..offset + len;
                Mask::new(key).copy(&source[..len], &mut room[place.clone()]);
                assert!(room[place.clone()] == wanted[..len], "{len} {offset}");
                for at in [0, len / 2, len - 512, len - 1] {
                    room[offset + at] ^= 0x80;
                    assert!(!Mask::new(key).unmask_judging(&mut room[place.clone()]), "{at}");
                    room[offset + at] ^= 0x80;
                    Mask::new(key).unmask(&mut room[place.clone()]);
                    assert!(room[place.clone()] == wanted[..len], "{len} {offset}");
                    Mask::new(key).apply(&mut room[place.clone()]);
                    assert!(room[place.clone()] == source[..len], "{len} {offset}");
                    Mask::new(key).apply(&mut room[place.clone()]);
                }
                assert!(Mask::new(key).unmask_judging(&mut room[place.clone()]));
                assert!(room[place.clone()] == source[..len], "{len} {offset}");
                // Nothing beside it was touched.
                room[place].fill(b' ');
                assert!(room.iter().all(|byte| *byte == b' '), "{len} {offset}");
            }
        }
    }

    // req: W5.3-06, W6.2-05
    #[test]
    fn the_phase_is_kept_over_every_two_cuts() {
        let key = [9, 8, 7, 6];
        let source = payload(64);
        let wanted = definition(key, &source);
        for first in 0..=64 {
            for second in first..=64 {
                let mut data = source.clone();
                let mut mask = Mask::new(key);
                mask.apply(&mut data[..first]);
                mask.apply(&mut data[first..second]);
                mask.apply(&mut data[second..]);
                assert_eq!(data, wanted);
            }
        }
    }

    #[test]
    fn copy_stops_at_the_shorter() {
        let mut mask = Mask::new([1, 2, 3, 4]);
        let mut to = [0; 3];
        assert_eq!(mask.copy(&[0; 9], &mut to), 3);
        assert_eq!(to, [1, 2, 3]);
        assert_eq!(mask.copy(&[0; 2], &mut [0; 9]), 2);
        assert_eq!(mask, Mask::new([2, 3, 4, 1]));
    }

    /// The lengths that `masked` asks for are its tests' business; beyond them nothing is written.
    #[cfg(feature = "alloc")]
    #[test]
    fn what_is_not_short_is_not_appended() {
        for len in [127, 128, 129, 300] {
            let mut onto = bytes::BytesMut::with_capacity(512);
            let is_appended = super::append_short([1, 2], &payload(len), &mut onto);
            let wanted = if len > 128 { Vec::new() } else { [&[1, 2], &payload(len)[..]].concat() };
            assert_eq!((is_appended, &onto[..]), (len <= 128, &wanted[..]));
        }
    }
}
