//! Law: octet i becomes itself XOR octet i modulo 4 of the key, at any cut and alignment, in place
//! and copied, by every body that this machine can run; in place each judges rightly what is ASCII.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::mask::{Mask, backends};
use sockless_fuzz::{Choices, pieces};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let key = [0; 4].map(|_: u8| choices.byte());
    let (offset, times) = (usize::from(choices.byte() % 64), usize::from(choices.byte() % 64));
    let cuts = choices.cuts();
    // Long payloads are repetitions: the content has no say in what is done.
    let payload = choices.0.repeat(1 + times);
    let wanted: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();

    let mut room = vec![0xa5; offset + payload.len() + 64];
    let (before, rest) = room.split_at_mut(offset);
    let (place, after) = rest.split_at_mut(payload.len());
    place.copy_from_slice(&payload);
    let (mut applied, mut copied) = (Mask::new(key), Mask::new(key));
    let (mut start, mut copy) = (0, vec![0; payload.len()]);
    for piece in pieces(&payload, &cuts) {
        let end = start + piece.len();
        applied.apply(&mut place[start..end]);
        assert_eq!(copied.copy(piece, &mut copy[start..end]), piece.len());
        assert_eq!(applied, copied);
        start = end;
    }
    assert!(place == wanted && copy == wanted);
    for backend in backends::all() {
        for verdict in [false, true] {
            let ascii = !verdict || wanted.is_ascii();
            place.copy_from_slice(&payload);
            assert_eq!(backend.apply(verdict, key, place), ascii, "{backend:?}");
            assert!(place == wanted, "{backend:?}");
        }
        backend.unmask(key, place);
        assert!(place == payload, "{backend:?}");
        copy.fill(0);
        backend.copy(key, &payload, &mut copy);
        assert!(copy == wanted, "{backend:?}");
    }
    assert!(before.iter().chain(after.iter()).all(|byte| *byte == 0xa5), "out of bounds");
});
