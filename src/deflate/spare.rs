//! RFC 1951 section 3: DEFLATE done and undone straight into the unused capacity of a buffer.
//!
//! What comes of it is written where it will lie, into memory that nobody has cleared. Filling it
//! first adds a fifth to a third to what a message of 256 KiB and more costs that did not compress
//! (`flate2-owned` beside `zlib-rs-owned` in `benches/README.md`), and 3 % to compressing one of
//! 16 KiB that does so well. How much room there is, and what a status means, is the caller's
//! business.
//!
//! Invariant: the buffer grows by what the codec has written, and by nothing else.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use bytes::BytesMut;
use zlib_rs::{Deflate, DeflateError, DeflateFlush, Inflate, InflateError, InflateFlush, Status};

/// How many bytes `onto` may still take without growing.
pub(super) fn room(onto: &Vec<u8>) -> usize {
    onto.capacity().saturating_sub(onto.len())
}

/// Inflates `input` onto the end of `onto`, by `room` bytes at most, and by no more than it has
/// capacity for.
pub(super) fn inflate(
    stream: &mut Inflate,
    input: &[u8],
    onto: &mut Vec<u8>,
    room: usize,
) -> Result<Status, InflateError> {
    let len = onto.len();
    let spare = onto.spare_capacity_mut();
    let room = room.min(spare.len());
    let output = spare.get_mut(..room).unwrap_or_default();
    let made = stream.total_out();
    let status = stream.decompress_uninit(input, output, InflateFlush::NoFlush);
    let written = usize::try_from(stream.total_out().saturating_sub(made)).unwrap_or(usize::MAX);
    debug_assert!(written <= room, "the decoder counts what it wrote");
    let written = written.min(room);
    // SAFETY: `len + written` is within the capacity, by the two lines that bound `room` and it.
    // The first `written` bytes of the spare room are initialised: `total_out` counts what
    // `decompress_uninit` wrote, from the beginning of `output` and without a gap.
    unsafe { onto.set_len(len.saturating_add(written)) };
    status
}

/// Deflates and flushes `input` onto the end of `onto`, by `room` bytes at most.
pub(super) fn deflate(
    stream: &mut Deflate,
    input: &[u8],
    onto: &mut BytesMut,
    room: usize,
) -> Result<Status, DeflateError> {
    onto.reserve(room);
    let len = onto.len();
    let output = onto.spare_capacity_mut().get_mut(..room).unwrap_or_default();
    let made = stream.total_out();
    let status = stream.compress_uninit(input, output, DeflateFlush::SyncFlush);
    let written = usize::try_from(stream.total_out().saturating_sub(made)).unwrap_or(usize::MAX);
    debug_assert!(written <= room, "the encoder counts what it wrote");
    let written = written.min(room);
    // SAFETY: `len + written` is within the capacity, by `reserve` and the line before this. The
    // first `written` bytes of the spare room are initialised: `total_out` counts what
    // `compress_uninit` wrote, from the beginning of `output` and without a gap.
    unsafe { onto.set_len(len.saturating_add(written)) };
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Hello", twice, and a cut in the middle of a block (RFC 7692 section 7.2.3).
    const PAYLOAD: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xf2\x00\x11\x00";

    #[test]
    fn the_vector_grows_by_what_is_written_whatever_lay_there() {
        for room in 0..=12 {
            for capacity in 0..=12 {
                let mut onto = Vec::with_capacity(20);
                onto.resize(20, 0xa5);
                onto.clear();
                onto.extend_from_slice(b"before ");
                onto.shrink_to(7 + capacity);
                let mut stream = Inflate::new(false, 15);
                let status = inflate(&mut stream, PAYLOAD, &mut onto, room);
                let most = room.min(onto.capacity() - 7).min(10);
                assert!(onto == b"before HelloHello"[..7 + most], "{room} {capacity}");
                assert_eq!((status, stream.total_out()), (Ok(Status::Ok), most as u64));
            }
        }
    }

    #[test]
    fn the_output_grows_by_what_is_written_whatever_lay_there() {
        for room in 0..=PAYLOAD.len() {
            let mut onto = BytesMut::zeroed(40);
            onto.fill(0xa5);
            onto.truncate(3);
            let mut stream = Deflate::new(6, false, 15);
            let status = deflate(&mut stream, b"Hello", &mut onto, room);
            let most = room.min(11);
            // The first message of the payload, and its flush.
            assert!(onto[3..] == PAYLOAD[..most] && onto[..3] == [0xa5; 3], "{room}");
            assert_eq!(stream.total_out(), most as u64);
            assert_eq!(status, Ok(if room > 0 { Status::Ok } else { Status::BufError }), "{room}");
        }
    }

    #[test]
    fn what_precedes_an_error_is_there_and_no_more() {
        let mut onto = Vec::with_capacity(600);
        // "a", then a reference two bytes back.
        let mut stream = Inflate::new(false, 15);
        let status = inflate(&mut stream, b"\x4b\x04\x12\x00", &mut onto, 600);
        assert_eq!(status, Err(InflateError::DataError));
        assert_eq!(onto, b"a");
    }
}
