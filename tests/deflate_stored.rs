//! RFC 1951 section 3.2.4: stored blocks are copied past the decoder, which may be referred to them
//! all the same.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod deflate_support;

use deflate_support::{FREE, at_most, context, inflate};
use proptest::prelude::*;
use sockless::deflate::{InflateError, Inflater, Limits};

#[derive(Debug, Clone, Copy)]
enum Block {
    Stored {
        len: usize,
        last: bool,
    },
    /// Three bytes from this far back.
    Again(usize),
}

fn stored(data: &[u8], last: bool) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    [&[u8::from(last)][..], &len.to_le_bytes(), &(!len).to_le_bytes(), data].concat()
}

/// A block of fixed codes with one reference, and the first octet of an empty stored block.
fn again(distance: usize) -> Vec<u8> {
    let (mut bits, mut len) = (0_u64, 0);
    let mut push = |value: u64, size: u32| {
        bits |= value << len;
        len += size;
    };
    push(0b010, 3); // not final, fixed codes
    push(u64::from(0b000_0001_u8.reverse_bits() >> 1), 7); // length 3 is code 257
    let distance = u32::try_from(distance - 1).unwrap();
    let (code, extra) = match distance.checked_ilog2() {
        None | Some(0) => (distance, 0),
        Some(log) => (2 * log + (distance >> (log - 1) & 1), log - 1),
    };
    push(u64::from(code.reverse_bits() >> 27), 5);
    push(u64::from(distance & ((1 << extra) - 1)), extra);
    push(0, 7 + 3); // the end of the block, and a header
    bits.to_le_bytes()[..len.div_ceil(8) as usize].to_vec()
}

/// The payload of a message, and what it inflates to after `history`, as the RFC has it.
fn message(
    blocks: &[Block],
    history: &mut Vec<u8>,
    noise: &mut impl FnMut() -> u8,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut payload, mut inflated) = (Vec::new(), Some(Vec::new()));
    for block in blocks {
        match *block {
            Block::Stored { len, last } => {
                let data: Vec<u8> = (0..len).map(|_| noise()).collect();
                payload.extend(stored(&data, last));
                if let Some(inflated) = &mut inflated {
                    inflated.extend_from_slice(&data);
                }
                history.extend_from_slice(&data);
                if last {
                    history.clear();
                }
            }
            Block::Again(distance) => {
                payload.extend(again(distance));
                payload.extend([0, 0, 0xff, 0xff]);
                for _ in 0..3 {
                    let byte = history.len().checked_sub(distance).map(|at| history[at]);
                    match (byte, &mut inflated) {
                        (Some(byte), Some(inflated)) => {
                            history.push(byte);
                            inflated.push(byte);
                        }
                        _ => inflated = None,
                    }
                }
            }
        }
    }
    payload.push(0);
    (payload, inflated)
}

fn noise() -> impl FnMut() -> u8 {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    }
}

fn block() -> impl Strategy<Value = Block> {
    let len = || prop_oneof![6 => 0..20_usize, 3 => 0..3000_usize, 2 => 16_000..65_536_usize];
    let distance = prop_oneof![1..25_usize, 1..3000_usize, 1..=32_768_usize];
    prop_oneof![
        6 => len().prop_map(|len| Block::Stored { len, last: false }),
        1 => len().prop_map(|len| Block::Stored { len, last: true }),
        3 => distance.prop_map(Block::Again),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // req: D7.2.2-02
    #[test]
    fn what_is_copied_may_be_referred_to(
        messages in prop::collection::vec(prop::collection::vec(block(), 0..5), 1..5),
        points in prop::collection::vec(any::<u16>(), 0..4),
        most in prop_oneof![Just(usize::MAX), 1..40_000_usize],
        takeover: bool,
        max_message in prop_oneof![Just(u64::MAX), 0..5000_u64, 0..70_000_u64],
    ) {
        let (mut noise, mut history) = (noise(), Vec::new());
        let fresh = || Inflater::new(context(15, takeover));
        let mut inflaters = [fresh(), fresh(), fresh()];
        for blocks in messages {
            let (payload, wanted) = message(&blocks, &mut history, &mut noise);
            let mut cuts: Vec<_> =
                points.iter().map(|at| usize::from(*at) % (payload.len() + 1)).collect();
            cuts.sort_unstable();
            // So short pieces that no block is whole.
            let fine: Vec<_> = (1..payload.len()).step_by(if payload.len() < 500 { 1 } else { 5 }).collect();
            let limits = at_most(max_message);
            let [whole, cut, finely] = [(&[][..], most), (&cuts, most), (&fine, 7)];
            let [one, two, three] = &mut inflaters;
            let seen = inflate(one, &payload, whole.0, whole.1, limits);
            prop_assert_eq!(&inflate(two, &payload, cut.0, cut.1, limits), &seen);
            prop_assert_eq!(&inflate(three, &payload, finely.0, finely.1, limits), &seen);
            match (wanted, seen) {
                (Some(wanted), (message, Ok(()))) => prop_assert_eq!(message, wanted),
                (None, (_, Err(InflateError::Invalid | InflateError::TooLarge))) => break,
                (Some(wanted), (message, Err(InflateError::TooLarge))) => {
                    prop_assert!(wanted.len() as u64 > max_message && wanted.starts_with(&message));
                    break;
                }
                (wanted, seen) => panic!("{wanted:?} {seen:?}"),
            }
            if !takeover {
                inflaters = [fresh(), fresh(), fresh()];
                history.clear();
            }
        }
    }
}

/// All that may be referred to is in the window, be it of one block or of many, and no more.
#[test]
fn the_last_32_kib_are_remembered() {
    for (blocks, len) in
        [(1, 32_768), (2, 16_384), (2, 32_767), (3, 20_000), (5, 16_383), (60, 1000), (4, 60_000)]
    {
        let all: Vec<_> = (0..blocks).map(|_| Block::Stored { len, last: false }).collect();
        let known = (blocks * len).min(32_768);
        for distance in [1, 3, len, len + 1, known - 1, known].into_iter().filter(|at| *at <= known)
        {
            let again = [Block::Again(distance)];
            // In the message itself, and in the one after it.
            for messages in [vec![[&all[..], &again].concat()], vec![all.clone(), again.to_vec()]] {
                let (mut noise, mut history) = (noise(), Vec::new());
                let mut inflater = Inflater::new(context(15, true));
                for blocks in messages {
                    let (payload, wanted) = message(&blocks, &mut history, &mut noise);
                    let seen = inflate(&mut inflater, &payload, &[], usize::MAX, FREE);
                    assert!(seen == (wanted.unwrap(), Ok(())), "{blocks:?} {:?}", seen.1);
                }
            }
        }
    }
}

/// Where the block that the tail completes is a final one.
#[test]
fn a_message_may_begin_a_data_set_with_a_stored_block() {
    let data: Vec<u8> = (0..100).collect();
    for (distance, wanted) in [(100, Ok(&[0, 1, 2][..])), (101, Err(InflateError::Invalid))] {
        let mut inflater = Inflater::new(context(15, true));
        let first = [&stored(b"history", false)[..], &[1]].concat();
        let (_, end) = inflate(&mut inflater, &first, &[], usize::MAX, FREE);
        assert_eq!(end, Ok(()));
        let second = [stored(&data, false), again(distance)].concat();
        let (message, end) = inflate(&mut inflater, &second, &[], usize::MAX, FREE);
        assert_eq!(end.map(|()| &message[100..]), wanted);
    }
}

#[test]
fn what_is_not_remembered_fails() {
    let stored = |len, last| Block::Stored { len, last };
    for blocks in [
        &[stored(100, false), Block::Again(101)][..],
        &[stored(100, true), Block::Again(1)],
        &[stored(100, true), stored(5, false), Block::Again(6)],
        &[stored(0, false), Block::Again(1)],
    ] {
        let (payload, wanted) = message(blocks, &mut Vec::new(), &mut noise());
        assert_eq!(wanted, None);
        let mut inflater = Inflater::new(context(15, true));
        let (_, end) = inflate(&mut inflater, &payload, &[], usize::MAX, FREE);
        assert_eq!(end, Err(InflateError::Invalid), "{blocks:?}");
    }
}

/// Where a call has added all that it may, there may be more of the message, and more input.
#[test]
fn what_a_call_may_add_is_not_what_a_message_may() {
    let payload = [stored(&[b'x'; 180], false), stored(b"y", false), vec![0]].concat();
    for (limit, wanted) in [(1000, Ok(())), (181, Ok(())), (180, Err(InflateError::TooLarge))] {
        for most in 175..=185 {
            let mut inflater = Inflater::new(context(15, false));
            let (mut message, mut rest) = (Vec::new(), &payload[..]);
            let ended = loop {
                match inflater.inflate(rest, &mut message, most, at_most(limit)) {
                    Ok(progress) => {
                        assert!(progress.produced <= most);
                        rest = &rest[progress.consumed..];
                        if !progress.more {
                            break inflater.finish(at_most(limit));
                        }
                    }
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(ended, wanted, "{most} of {limit}");
            assert_eq!(message.len() as u64, limit.min(181), "{most} of {limit}");
        }
    }
}

#[test]
fn where_no_ratio_is_allowed_none_is_copied() {
    let (payload, _) =
        message(&[Block::Stored { len: 65_535, last: false }; 2], &mut Vec::new(), &mut noise());
    let limits = Limits { max_message: u64::MAX, max_ratio: Some(0) };
    let fine: Vec<_> = (1..payload.len()).step_by(50).collect();
    let [whole, finely] = [&[][..], &fine].map(|cuts| {
        inflate(&mut Inflater::new(context(15, true)), &payload, cuts, usize::MAX, limits)
    });
    assert_eq!(whole.1, Err(InflateError::TooDense));
    assert!(whole == finely, "{} {}", whole.0.len(), finely.0.len());
}

/// Where nothing but whole blocks came, the decoder has not seen an octet of them.
#[test]
fn a_payload_without_the_octet_that_the_tail_completes_is_cut() {
    for takeover in [false, true] {
        let mut inflater = Inflater::new(context(15, takeover));
        let seen = inflate(&mut inflater, &stored(&[7; 100], false), &[], usize::MAX, FREE);
        assert_eq!(seen.1, Err(InflateError::Invalid));
    }
}
