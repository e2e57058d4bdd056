//! Laws of the codec: what is compressed inflates, in any pieces, here and elsewhere; what is
//! garbage fails as elsewhere.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod deflate_support;

use deflate_support::*;
use flate2::{Decompress, FlushDecompress, Status};
use proptest::prelude::*;
use sockless::deflate::{Deflater, InflateError, Inflater};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn cuts(points: &[u16], len: usize) -> Vec<usize> {
    let mut cuts: Vec<_> = points.iter().map(|at| usize::from(*at) % (len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// What flate2 makes of it, and whether it was content.
fn elsewhere(decoder: &mut Decompress, input: &[u8], limit: usize) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(limit);
    let before = decoder.total_in();
    loop {
        let at = usize::try_from(decoder.total_in() - before).unwrap();
        let len = out.len();
        match decoder.decompress_vec(&input[at..], &mut out, FlushDecompress::None) {
            Ok(Status::Ok | Status::BufError) if out.len() == len || out.len() == limit => {
                return (out, true);
            }
            Ok(Status::Ok) => {}
            _ => return (out, false),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // req: D7.2.1-01, D7.2.1-04, D7.2.1-05, D7.2.1-06, D7.2.1-07, D7.2.1-08, D7.2.1-09, D7.2.2-02
    #[test]
    fn what_is_compressed_inflates_and_keeps_to_its_window(
        window in 8..=15_u8,
        takeover: bool,
        level in 0..=9_u8,
        memory in 1..=9_u8,
        messages in prop::collection::vec(
            (0..4_u8, prop_oneof![4 => 0..40_usize, 4 => 0..3_000_usize, 1 => 60_000..90_000_usize],
             prop::collection::vec(any::<u16>(), 0..4), prop::collection::vec(any::<u16>(), 0..4)),
            1..5,
        ),
        room in 1..3000_usize,
    ) {
        let agreed = context(window, takeover);
        let mut deflater = Some(Deflater::new(agreed, &policy(level, memory)));
        let mut inflater = Some(Inflater::new(agreed));
        let mut decoder = Decompress::new(false);
        let mut history = Vec::new();
        for (kind, len, fragments, pieces) in messages {
            let message = data(kind, len, u64::from(window) << 8 | u64::from(level));
            let compressor =
                deflater.get_or_insert_with(|| Deflater::new(agreed, &policy(level, memory)));
            let parts = deflate(compressor, &message, &cuts(&fragments, len));
            let payload = parts.concat();
            prop_assert!(!parts.last().unwrap().ends_with(&TAIL) || kind == 1 || level == 0);
            prop_assert!(payload.len() <= len + len / 8 + 64 + 16 * parts.len());

            let ours = inflater.get_or_insert_with(|| Inflater::new(agreed));
            let (seen, end) = inflate(ours, &payload, &cuts(&pieces, payload.len()), room, FREE);
            prop_assert_eq!(end, Ok(()));
            prop_assert!(seen == message);

            // Elsewhere too, and in no block is there a far distance or an end.
            let whole = [&payload[..], &TAIL].concat();
            if !takeover {
                decoder.reset(false);
                history.clear();
            }
            let (theirs, content) = elsewhere(&mut decoder, &whole, len + 1);
            prop_assert!(content && theirs == message);
            let start = history.len();
            let shown = plain(&whole, &mut history).expect("DEFLATE");
            prop_assert!(history[start..] == message);
            prop_assert!(shown.max_distance <= 1 << window, "{} of {}", shown.max_distance, window);
            prop_assert_eq!(shown.finals, 0);

            agreed.settle(&mut deflater);
            agreed.settle(&mut inflater);
        }
    }

    // req: D7.2.3-02, D7.2.3-03
    #[test]
    fn garbage_fails_as_elsewhere_and_the_same_in_any_pieces(
        kind in 0..4_u8,
        len in 1..2000_usize,
        level in 0..=9_u8,
        flips in prop::collection::vec((any::<u16>(), 0..8_u8), 0..4),
        keep in any::<u16>(),
        whole: bool,
        points in prop::collection::vec(any::<u16>(), 0..5),
        room in 1..600_usize,
    ) {
        let message = data(kind, len, 77);
        let mut deflater = Deflater::new(context(15, false), &policy(level, 8));
        let mut payload = deflate(&mut deflater, &message, &[]).concat();
        for (at, bit) in &flips {
            let at = usize::from(*at) % payload.len();
            payload[at] ^= 1 << bit;
        }
        if !whole {
            payload.truncate(usize::from(keep) % payload.len());
        }
        compare(&payload, &points, room);
    }

    #[test]
    fn noise_fails_as_elsewhere_and_the_same_in_any_pieces(
        mut payload in prop::collection::vec(any::<u8>(), 1..200),
        kind in 0..8_u8,
        points in prop::collection::vec(any::<u16>(), 0..5),
        room in 1..600_usize,
    ) {
        payload[0] = payload[0] & !7 | kind;
        compare(&payload, &points, room);
    }
}

/// Compares a payload's fate whole and in pieces, and with two other inflaters.
fn compare(payload: &[u8], points: &[u16], room: usize) {
    const LIMIT: usize = 1 << 20;
    let fresh = || Inflater::new(context(15, false));
    let seen = inflate(&mut fresh(), payload, &[], LIMIT, at_most(LIMIT as u64));
    let cuts = cuts(points, payload.len());
    assert!(inflate(&mut fresh(), payload, &cuts, room, at_most(LIMIT as u64)) == seen);
    let every: Vec<_> = (1..payload.len()).collect();
    assert!(inflate(&mut fresh(), payload, &every, room, at_most(LIMIT as u64)) == seen);

    let (message, end) = seen;
    if end == Err(InflateError::TooLarge) {
        return;
    }
    // A good message is whole blocks, and these are what others make of it.
    let tailed = [payload, &TAIL].concat();
    let mut shown = Vec::new();
    let blocks = plain(&tailed, &mut shown);
    if end.is_ok() && !payload.is_empty() {
        let blocks = blocks.unwrap_or_else(|| panic!("whole blocks: {payload:02x?}"));
        if blocks.finals == 0 {
            assert!(shown == message);
            let (theirs, content) = elsewhere(&mut Decompress::new(false), &tailed, LIMIT);
            assert!(content && theirs == message);
        }
    } else if let (Some(blocks), Err(_)) = (blocks, end) {
        // Whole blocks that fail: the tail was part of one, or a final block was referred across.
        let is_part = !blocks.empty_last || shown.len() > message.len();
        assert!(is_part || blocks.finals > 0, "{payload:02x?}");
    }
}

/// Cut in the table of codes of its one block; the tail completes that, and the block with it.
#[test]
fn a_tail_that_is_taken_for_codes_does_not_end_a_message() {
    let payload =
        b"\x8c\x54\xcb\x09\xc3\x30\x0c\x5d\x25\xe4\x6c\x4a\x29\xf4\xd2\x6d\x4a\x63\xd2\x1c\
        \xfa\x21\x29\xe4\x10\x3c\x4b\xb7\xe8\x02\x59\xac\xc8\x89\x14\x7d\x6c\x93\x83\xb1";
    let seen = inflate(&mut Inflater::new(context(15, false)), payload, &[], 600, at_most(1 << 20));
    assert_eq!(seen, (Vec::new(), Err(InflateError::Invalid)));
    compare(payload, &[], 600);
}
