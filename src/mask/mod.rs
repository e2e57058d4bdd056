//! RFC 6455 section 5.3: masking, which is its own inverse.
//!
//! "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
//! i modulo 4 of the masking key." A payload may come in pieces of any length; [`Mask`] keeps its
//! place in the key from one to the next. Where keys come from is `keys`' business.
//!
//! The work is done by one room for each kind of machine, chosen here; so far there is the
//! portable one.

mod portable;

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
    /// The key, turned so that its first byte belongs to the next byte of the payload.
    turned: [u8; 4],
}

impl Mask {
    /// The mask of a frame that has none: it changes nothing.
    #[cfg(feature = "alloc")]
    pub(crate) const NONE: Self = Self::new([0; 4]);

    /// A mask at the start of its payload.
    pub const fn new(key: [u8; 4]) -> Self {
        Self { turned: key }
    }

    /// Masks or unmasks the next piece of the payload in place.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        portable::apply(self.turned, piece);
        self.turn(piece.len());
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
    pub fn copy(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let len = from.len().min(to.len());
        if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
            portable::copy(self.turned, from, to);
        }
        self.turn(len);
        len
    }

    /// Goes on by `len` bytes that need no change.
    pub(crate) fn turn(&mut self, len: usize) {
        self.turned.rotate_left(len % 4);
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    fn definition(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    fn payload(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 % 251).try_into().unwrap()).collect()
    }

    // req: W5.3-04
    #[test]
    fn every_length_alignment_and_phase_is_the_definition() {
        let key = [0x01, 0x80, 0xfe, 0x5a];
        let source = payload(600);
        for len in (0..=300).chain([511, 512]) {
            for offset in 0..16 {
                for phase in 0..4 {
                    let data = &source[offset..][..len];
                    let wanted =
                        definition(key, &[&source[..phase], data].concat())[phase..].to_vec();
                    let mut start = Mask::new(key);
                    start.apply(&mut [0; 4][..phase]);

                    let mut room = source.clone();
                    let mut mask = start;
                    mask.apply(&mut room[offset..][..len]);
                    assert_eq!(room[offset..][..len], wanted);
                    assert_eq!(room[..offset], source[..offset]);
                    assert_eq!(room[offset + len..], source[offset + len..]);

                    let mut copy = vec![0; len];
                    let mut copied = start;
                    assert_eq!(copied.copy(data, &mut copy), len);
                    assert_eq!((&copy, copied), (&wanted, mask));
                }
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
}
