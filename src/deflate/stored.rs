//! RFC 1951 section 3.2.4: a payload that is nothing but stored blocks, copied out of them.
//!
//! What does not compress, such as a picture, lies in its payload as it is. A decoder would copy it
//! too, and a second time into its window, and would have to be made for it: three times the time
//! at 1 KiB (`inflate-noise` in `benches/README.md`). A payload that has any other block, that
//! breaks a rule or passes a limit is left to [`Inflater`](super::Inflater), as a whole.
//!
//! Invariant: what is copied here, an inflater without history would have made of the payload.

use super::Limits;
use alloc::vec::Vec;

/// Where the type of a block is, of which stored is 0; the bit before says whether it is final. A
/// data set that ends with it changes nothing: "any bits of input up to the next byte boundary are
/// ignored" before the length, and what follows refers to nothing.
pub(super) const BLOCK_TYPE: u8 = 0b110;
const FINAL: u8 = 0b001;
/// How many octets a stored block has before its data.
pub(super) const HEADER: usize = 5;

/// Adds what the whole `payload` of a message inflates to onto `message`; false, if it is not for
/// this to say what that is.
pub(crate) fn copy(payload: &[u8], message: &mut Vec<u8>, limits: Limits) -> bool {
    let (mut rest, mut len) = (payload, 0_usize);
    while let Some((data, after)) = block(rest) {
        (rest, len) = (after, len.saturating_add(data.len()));
    }
    // The octet whose block the removed four complete.
    let is_all = matches!(rest, [header] if header & BLOCK_TYPE == 0);
    // Data is shorter than its payload, so it is too dense only where everything is.
    if !is_all || len as u64 > limits.max_message || limits.max_ratio == Some(0) {
        return false;
    }
    message.reserve_exact(len);
    rest = payload;
    while let Some((data, after)) = block(rest) {
        message.extend_from_slice(data);
        rest = after;
    }
    true
}

/// The data of the whole stored blocks that `payload` begins with, up to one that is final, or with
/// which they would be more than `room`.
pub(super) fn blocks(payload: &[u8], room: usize) -> impl Iterator<Item = &[u8]> + Clone {
    let (mut rest, mut room) = (payload, room);
    core::iter::from_fn(move || {
        let is_final = rest.first().is_some_and(|header| header & FINAL != 0);
        let (data, after) = block(rest).filter(|_| !is_final)?;
        (rest, room) = (after, room.checked_sub(data.len())?);
        Some(data)
    })
}

/// The data of the stored block that begins here, and what follows it.
fn block(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[header, len @ .., n0, n1], rest) = payload.split_first_chunk::<HEADER>()?;
    let len = u16::from_le_bytes(len);
    // "NLEN is the one's complement of LEN."
    if header & BLOCK_TYPE != 0 || len != !u16::from_le_bytes([n0, n1]) {
        return None;
    }
    rest.split_at_checked(usize::from(len))
}

#[cfg(test)]
mod tests {
    use super::super::{Context, InflateError, Inflater, WindowBits};
    use super::*;

    const LIMITS: Limits = Limits { max_message: 9, max_ratio: None };

    /// What an inflater without history makes of it.
    fn inflated(payload: &[u8], limits: Limits) -> Result<Vec<u8>, InflateError> {
        let mut inflater = Inflater::new(Context::new(WindowBits::MAX, false));
        let (mut message, mut rest) = (Vec::new(), payload);
        loop {
            let progress = inflater.inflate(rest, &mut message, usize::MAX, limits)?;
            rest = &rest[progress.consumed..];
            if !progress.more {
                return inflater.finish(limits).map(|()| message);
            }
        }
    }

    fn copied(payload: &[u8], limits: Limits) -> Option<Vec<u8>> {
        let mut message = b"before".to_vec();
        copy(payload, &mut message, limits).then(|| message.split_off(6))
    }

    // req: D7.2.1-02
    #[test]
    fn stored_blocks_are_copied() {
        let hello = b"\x00\x05\x00\xfa\xffHello\x00";
        for (payload, wanted) in [
            (&hello[..], Some(&b"Hello"[..])),
            (b"\x00", Some(b"")),
            (b"\x01", Some(b"")),
            (b"\xf9", Some(b"")), // five bits that are ignored
            (b"\x00\x00\x00\xff\xff\x00", Some(b"")),
            (b"\x00\x01\x00\xfe\xffa\x00\x01\x00\xfe\xffb\x00", Some(b"ab")),
            (b"\x01\x01\x00\xfe\xffa\x00\x01\x00\xfe\xffb\x00", Some(b"ab")), // the first is final
            (b"\xf8\x01\x00\xfe\xffa\xf9", Some(b"a")),
            (b"\x00\x09\x00\xf6\xff012345678\x00", Some(b"012345678")), // as long as may be
            (b"", None),
            (&hello[..10], None), // no octet of another block
            (&hello[..9], None),  // cut
            (b"\x00\x05\x00\xfa\xfeHello\x00", None), // NLEN is another
            (b"\x02\x05\x00\xfa\xffHello\x00", None), // a block of another type
            (b"\x04\x05\x00\xfa\xffHello\x00", None),
            (b"\x06\x05\x00\xfa\xffHello\x00", None),
            (b"\x00\x05\x00\xfa\xffHello\x02", None),
            (b"\x00\x05\x00\xfa\xffHello\x00\x00", None), // a block that is cut
            (b"\x00\x01\x00\xfe\xffa\xf2\x48\xcd\xc9\xc9\x07\x00", None), // goes on compressed
            (b"\x00\x0a\x00\xf5\xff0123456789\x00", None), // longer than may be
        ] {
            let copied = copied(payload, LIMITS);
            assert_eq!(copied.as_deref(), wanted, "{payload:02x?}");
            assert!(wanted.is_none_or(|data| inflated(payload, LIMITS).as_deref() == Ok(data)));
        }
        let dense = Limits { max_message: 9, max_ratio: Some(0) };
        assert_eq!(copied(hello, dense), None);
    }

    #[test]
    fn what_is_copied_is_what_an_inflater_makes_of_it() {
        let mut copies = 0;
        for (first, last) in (0..=255).flat_map(|first| (0..=255).map(move |last| (first, last))) {
            for data in [&b""[..], b"a", b"\x01\x00"] {
                let len = u16::try_from(data.len()).unwrap();
                let head = [&[first][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
                let payload = [&head, data, &[last]].concat();
                if let Some(message) = copied(&payload, LIMITS) {
                    assert_eq!(inflated(&payload, LIMITS), Ok(message), "{payload:02x?}");
                    copies += 1;
                }
            }
        }
        // A quarter of all octets begins a stored block.
        assert_eq!(copies, 64 * 64 * 3);
    }
}
