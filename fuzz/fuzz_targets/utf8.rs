//! Law: at any cut, a text is refused at the first octet that no continuation can save, and may end
//! where core says that it is UTF-8.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::utf8::Utf8;
use sockless_fuzz::{Choices, pieces};

/// The definition, by the prefixes of the text.
fn first_impossible(bytes: &[u8]) -> Option<usize> {
    let valid = std::str::from_utf8(bytes).err()?.valid_up_to();
    (valid..bytes.len()).find(|end| {
        let error = std::str::from_utf8(&bytes[valid..=*end]).err();
        error.is_some_and(|error| error.error_len().is_some())
    })
}

fn check(bytes: &[u8], pieces: &[&[u8]]) {
    let (mut text, mut start, mut refused) = (Utf8::new(), 0, None);
    for piece in pieces {
        if let Err(error) = text.push(piece) {
            refused = Some(start + error.index);
            break;
        }
        start += piece.len();
    }
    assert_eq!(refused, first_impossible(bytes), "{bytes:02x?} in {pieces:02x?}");
    if refused.is_none() {
        assert_eq!(text.is_boundary(), std::str::from_utf8(bytes).is_ok());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let cuts = choices.cuts();
    let bytes = choices.0;
    check(bytes, &[bytes]);
    check(bytes, &pieces(bytes, &cuts));
    check(bytes, &bytes.chunks(1).collect::<Vec<_>>());
    check(bytes, &bytes.chunks(3).collect::<Vec<_>>());
});
