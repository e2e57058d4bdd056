//! Law: any payload inflates as it does in `flate2`, in any pieces, and is taken exactly where it
//! breaks off in the head of an empty stored block.
#![no_main]

use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use sockless::deflate::{InflateError, Inflater};
use sockless_fuzz::inflate::inflate;
use sockless_fuzz::{Choices, context, pieces};

/// What flate2 makes of data sets, one after the other, if the last one ends with the input; and
/// where each ended.
fn elsewhere(input: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let (mut message, mut ends) = (Vec::new(), vec![0]);
    while let Some(rest) = input.get(*ends.last()?..).filter(|rest| !rest.is_empty()) {
        let mut decoder = Decompress::new(false);
        loop {
            let before = (decoder.total_in(), decoder.total_out());
            let at = usize::try_from(before.0).ok()?;
            message.reserve(1 << 12);
            match decoder.decompress_vec(&rest[at..], &mut message, FlushDecompress::None) {
                Ok(Status::StreamEnd) => break,
                Ok(_) if before != (decoder.total_in(), decoder.total_out()) => {}
                _ => return None,
            }
        }
        ends.push(ends.last()? + usize::try_from(decoder.total_in()).ok()?);
    }
    Some((message, ends))
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let context = context(&mut choices);
    let (most, cuts, bytes) = (1 + choices.short() % 4096, choices.cuts(), choices.0);
    let (message, error) = inflate(&mut Inflater::new(context), &[bytes], 1 << 12);
    let again = inflate(&mut Inflater::new(context), &pieces(bytes, &cuts), most);
    assert!(again == (message.clone(), error));
    if error == Some(InflateError::TooLarge) {
        return;
    }
    // Stored blocks, of no byte and of one, complete what is taken, and nothing else.
    let none = elsewhere(&[bytes, b"\0\0\xff\xff\x01\0\0\xff\xff"].concat());
    let one = elsewhere(&[bytes, b"\x01\0\xfe\xffx\x01\0\0\xff\xff"].concat());
    let (Some((none, ends)), Some((one, _))) = (none, one) else {
        return assert!(error.is_some() || bytes.is_empty(), "taken: {bytes:02x?}");
    };
    // The empty stored block that ends a payload may be a final one: what follows it begins anew.
    let last_is_final = ends.contains(&(bytes.len() + 4)) && none == message;
    let taken = none == message && one == [&message[..], b"x"].concat();
    assert!(error.is_none() == (taken || last_is_final), "{error:?}: {bytes:02x?}");
});
