//! RFC 6455 section 5.6: a message in one frame that lies whole in the input, what nearly every
//! frame is.
//!
//! A shortcut, not a judge: it recognises such a frame by its bytes and leaves anything else, right
//! or wrong, to `frame`. Limits, masks and text are not its business.
//!
//! Invariant: what is recognised here, [`Header::parse`](crate::frame::Header::parse) parses to the
//! same kind, key and payload.

use crate::frame::{FIN, Kind, LEN, LEN_16, LEN_64, MASK, Opcode};

const FIN_TEXT: u8 = FIN | Opcode::Text as u8;
const FIN_BINARY: u8 = FIN | Opcode::Binary as u8;

/// A whole message at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Single {
    pub(crate) kind: Kind,
    /// Zero where frames are not masked.
    pub(crate) key: [u8; 4],
    /// Where the payload starts and ends.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Single {
    #[inline]
    pub(crate) fn parse(bytes: &[u8], masked: bool) -> Option<Self> {
        let &[first, second, ref rest @ ..] = bytes else { return None };
        let kind = match first {
            FIN_TEXT => Kind::Text,
            FIN_BINARY => Kind::Binary,
            _ => return None,
        };
        if (second & MASK != 0) != masked {
            return None;
        }
        let (len, rest) = match second & LEN {
            LEN_64 => return None,
            LEN_16 => {
                let (len, rest) = rest.split_first_chunk()?;
                let len = u16::from_be_bytes(*len);
                if len < u16::from(LEN_16) {
                    return None;
                }
                (usize::from(len), rest)
            }
            len => (usize::from(len), rest),
        };
        let (key, rest) = if masked {
            let (key, rest) = rest.split_first_chunk()?;
            (*key, rest)
        } else {
            ([0; 4], rest)
        };
        let start = bytes.len() - rest.len();
        (len <= rest.len()).then_some(Self { kind, key, start, end: start + len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Expect, Header};

    /// What the invariant says, from the judge's side.
    fn judged(bytes: &[u8], masked: bool) -> Option<Single> {
        let (header, start) = Header::parse(bytes, &Expect::unlimited(masked)).ok()??;
        let kind = match header.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary => Kind::Binary,
            _ => return None,
        };
        let end = start + usize::try_from(header.len).ok()?;
        let short = u16::try_from(header.len).is_ok() && header.fin && end <= bytes.len();
        short.then_some(Single { kind, key: header.mask.unwrap_or_default(), start, end })
    }

    #[test]
    fn it_agrees_with_the_judge_on_every_two_bytes() {
        let mut found = 0;
        for first in 0..=255 {
            for second in 0..=255 {
                for len in [[0, 0], [0, 125], [0, 126], [0, 200], [1, 0]] {
                    for size in [0, 1, 4, 5, 130, 131, 204, 205, 300] {
                        let mut bytes = vec![first, second, len[0], len[1]];
                        bytes.resize(2 + size, 7);
                        for masked in [true, false] {
                            let single = Single::parse(&bytes, masked);
                            assert_eq!(single, judged(&bytes, masked), "{bytes:02x?}");
                            found += usize::from(single.is_some());
                        }
                    }
                }
            }
        }
        assert!(found > 1000, "{found}");
    }
}
