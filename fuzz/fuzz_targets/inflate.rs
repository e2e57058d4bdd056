//! Law: any payload inflates as it does in `flate2`, in any pieces, up to its limit, and is taken
//! exactly where it breaks off in the head of an empty stored block.
#![no_main]

use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use sockless::deflate::{InflateError, Inflater, Limits};
use sockless_fuzz::inflate::{LIMITS, inflate};
use sockless_fuzz::{Choices, context, pieces};

/// What flate2 makes of data sets, one after the other, as far as they go; and where each ended, if
/// the last one ends with the input.
fn elsewhere(input: &[u8]) -> (Vec<u8>, Option<Vec<usize>>) {
    let (mut message, mut end, mut ends) = (Vec::new(), 0, vec![0]);
    while end < input.len() {
        let mut decoder = Decompress::new(false);
        loop {
            let before = (decoder.total_in(), decoder.total_out());
            message.reserve(1 << 12);
            let at = end + before.0 as usize;
            match decoder.decompress_vec(&input[at..], &mut message, FlushDecompress::None) {
                Ok(Status::StreamEnd) => break,
                Ok(_) if before != (decoder.total_in(), decoder.total_out()) => {}
                _ => return (message, None),
            }
        }
        end += decoder.total_in() as usize;
        ends.push(end);
    }
    (message, Some(ends))
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let context = context(&mut choices);
    let (most, cuts, bytes) = (1 + choices.short() % 4096, choices.cuts(), choices.0);
    // The window takes three bits of its octet.
    let low = data.first().is_some_and(|first| first & 0x40 != 0);
    let max_message = if low { 1 + most as u64 % 64 } else { LIMITS.max_message };
    let limits = Limits { max_message, ..LIMITS };
    let (message, error) = inflate(&mut Inflater::new(context), &[bytes], 1 << 12, limits);
    let again = inflate(&mut Inflater::new(context), &pieces(bytes, &cuts), most, limits);
    assert!(again == (message.clone(), error));
    assert!(message.len() as u64 <= max_message);
    if error == Some(InflateError::TooLarge) {
        let (theirs, _) = elsewhere(bytes);
        assert!(message.len() as u64 == max_message && theirs.len() > message.len());
        return assert!(theirs.starts_with(&message));
    }
    // Stored blocks, of no byte and of one, complete what is taken, and nothing else.
    let none = elsewhere(&[bytes, b"\0\0\xff\xff\x01\0\0\xff\xff"].concat());
    let one = elsewhere(&[bytes, b"\x01\0\xfe\xffx\x01\0\0\xff\xff"].concat());
    let ((none, Some(ends)), (one, Some(_))) = (none, one) else {
        return assert!(error.is_some() || bytes.is_empty(), "taken: {bytes:02x?}");
    };
    // The empty stored block that ends a payload may be a final one: what follows it begins anew.
    let last_is_final = ends.contains(&(bytes.len() + 4)) && none == message;
    let taken = none == message && one == [&message[..], b"x"].concat();
    assert!(error.is_none() == (taken || last_is_final), "{error:?}: {bytes:02x?}");
});
