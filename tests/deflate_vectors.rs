//! RFC 7692 section 7.2: its examples, both ways, and what is no good.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod deflate_support;

use deflate_support::*;
use sockless::deflate::{Deflater, InflateError, Inflater, Limits};

/// The payloads of section 7.2.3 that stand on their own, and a dynamic block.
fn vectors() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let hello = || b"Hello".to_vec();
    let text = data(0, 2000, 7);
    let mut deflater = Deflater::new(context(15, false), &policy(9, 8));
    let dynamic = deflate(&mut deflater, &text, &[]).concat();
    assert_eq!(dynamic[0] & 0b111, 0b100, "a dynamic block, not final");
    vec![
        ("7.2.3.1", b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec(), hello()),
        ("7.2.3.3", b"\x00\x05\x00\xfa\xffHello\x00".to_vec(), hello()),
        ("7.2.3.4", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00".to_vec(), hello()),
        ("7.2.3.5", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00".to_vec(), hello()),
        ("7.2.3.6", b"\x00".to_vec(), Vec::new()),
        ("a stored final block", b"\x01\x05\x00\xfa\xffHello\x00".to_vec(), hello()),
        ("dynamic", dynamic, text),
    ]
}

// req: D7.2.2-01, D7.2.1-02, D6-01
#[test]
fn the_examples_inflate_whole_and_in_any_pieces() {
    for (section, payload, message) in vectors() {
        assert_eq!(inflate_every_way(&payload, FREE), (message, Ok(())), "{section}");
    }
}

// req: D7.2.2-01
#[test]
fn an_empty_payload_is_an_empty_message() {
    assert_eq!(inflate_every_way(b"", FREE), (Vec::new(), Ok(())));
    let mut inflater = Inflater::new(context(15, true));
    for payload in
        [&b""[..], b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"", b"\x00", b"", b"\xf2\x00\x11\x00\x00"]
    {
        let (message, end) = inflate(&mut inflater, payload, &[], 9, FREE);
        assert_eq!(end, Ok(()));
        assert_eq!(message, if payload.len() > 1 { &b"Hello"[..] } else { b"" });
    }
}

// req: D7.2.1-01
#[test]
fn the_examples_are_what_we_compress_to() {
    let mut deflater = Deflater::new(context(15, true), &policy(6, 8));
    assert_eq!(deflate(&mut deflater, b"Hello", &[]), [b"\xf2\x48\xcd\xc9\xc9\x07\x00"]);
    assert_eq!(deflate(&mut deflater, b"Hello", &[]), [b"\xf2\x00\x11\x00\x00"]);
    // Section 7.2.3.6, on any side of other messages.
    for message in [&b""[..], b"", b"x", b"", b""] {
        let payload = deflate(&mut deflater, message, &[]).concat();
        assert_eq!(payload == b"\x00", message.is_empty());
    }
    // Section 7.2.3.3.
    let mut deflater = Deflater::new(context(15, false), &policy(0, 8));
    assert_eq!(deflate(&mut deflater, b"Hello", &[]), [b"\x00\x05\x00\xfa\xffHello\x00"]);
    // Section 7.2.3.1: the same in two frames, each flushed.
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let fragments = deflate(&mut deflater, b"Hello", &[2]);
    assert!(fragments[0].ends_with(b"\x00\x00\xff\xff") && !fragments[1].ends_with(b"\xff\xff"));
    assert_eq!(inflate_every_way(&fragments.concat(), FREE), (b"Hello".to_vec(), Ok(())));
}

// req: D7.2.2-02, D7.2.2-03, D7.2.3-01
#[test]
fn with_takeover_a_message_may_refer_to_the_one_before() {
    let mut inflater = Inflater::new(context(15, true));
    for payload in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00", b"\x00"] {
        let (message, end) = inflate(&mut inflater, payload, &[1], 3, FREE);
        assert_eq!(end, Ok(()));
        assert!(message == b"Hello" || payload == b"\x00");
    }
    // On its own it refers to what is not there.
    assert_eq!(inflate_every_way(b"\xf2\x00\x11\x00\x00", FREE).1, Err(InflateError::Invalid));
}

// req: D7.2.3-03
#[test]
fn cut_anywhere_it_fails() {
    for (section, payload, _) in vectors() {
        for len in 1..payload.len() {
            let cut = &payload[..len];
            let (message, end) = inflate_every_way(cut, FREE);
            // These are whole messages themselves; all else is cut in a block.
            let legal = match cut {
                b"\x00" | b"\x01" => Some(&b""[..]),
                b"\xf2\x48\x05\x00" => Some(&b"He"[..]),
                _ => None,
            };
            assert_eq!(end.ok().map(|()| &message[..]), legal, "{section} at {len}");
        }
    }
    for payload in [
        &b"\xca\x48\xcd"[..],            // others deliver "heh"
        b"\x00\x05\x00\xfa\xffH",        // the tail would be taken for its other four bytes
        b"\xf3\x48\xcd\xc9\xc9\x07\x00", // a final block, and nothing after it
        b"\x00\x00\x00\xff\xff",         // a whole block, then nothing
        b"\x00\x00",                     // the tail, shifted
        b"\x00\x00\x00\xff",
    ] {
        assert_eq!(
            inflate_every_way(payload, FREE).1,
            Err(InflateError::Invalid),
            "{payload:02x?}"
        );
    }
}

// req: D7.2.3-02
#[test]
fn what_is_not_deflate_fails() {
    for (what, payload) in [
        ("block type 3", &b"\x06\x00"[..]),
        ("stored lengths that do not match", b"\x00\x05\x00\xfa\xfeHello\x00"),
        ("a distance beyond the beginning", b"\x02\x03\x02\x00"),
        ("too many length codes", b"\xfc\x00\x00\x00\x00\x00"),
        ("over-subscribed code lengths", b"\x04\x00\xfe\xff\xff\xff\xff"),
        ("no end-of-block code", b"\x04\x80\x00\x00\x00\x00\x00\x00\x00"),
        ("noise", b"\xff\xff\xff\xff"),
    ] {
        let (message, end) = inflate_every_way(payload, FREE);
        assert_eq!((message.len(), end), (0, Err(InflateError::Invalid)), "{what}");
    }
    // Symbol 286 of the fixed code (11000110), after "H": what precedes it comes out.
    let mut bits = Writer::default();
    bits.put(0b010, 3);
    bits.code(0x30 + u32::from(b'H'), 8);
    bits.code(0b1100_0110, 8);
    let (message, end) = inflate_every_way(&bits.done(), FREE);
    assert_eq!((&message[..], end), (&b"H"[..], Err(InflateError::Invalid)));
}

// req: D7.2.1-02
#[test]
fn a_final_block_ends_a_data_set_and_not_the_message() {
    const FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00"; // "Hello", 7.2.3.4 without its last octet
    const PLAIN: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    for (payload, message) in [
        ([FINAL, PLAIN].concat(), "HelloHello"),
        ([FINAL, FINAL, b"\x00"].concat(), "HelloHello"),
        ([FINAL, b"\x03\x00\x03\x00\x01\x00\x00\xff\xff", PLAIN].concat(), "HelloHello"),
        ([&PLAIN[..5], b"\x07\x00\x00\x00\xff\xff", FINAL, b"\x00"].concat(), "HelloHello"),
    ] {
        let (seen, end) = inflate_every_way(&payload, FREE);
        assert_eq!((seen, end), (message.as_bytes().to_vec(), Ok(())), "{payload:02x?}");
    }
    // Another message may follow, of either kind; but its window is empty.
    let mut inflater = Inflater::new(context(15, true));
    let done = [FINAL, b"\x00"].concat();
    for payload in [&done[..], &done, PLAIN, b"\xf2\x00\x11\x00\x00", &done, PLAIN] {
        let (message, end) = inflate(&mut inflater, payload, &[1], 3, FREE);
        assert_eq!((&message[..], end), (&b"Hello"[..], Ok(())));
    }
    let (_, end) = inflate(&mut inflater, &done, &[], 9, FREE);
    assert_eq!(end, Ok(()));
    let (_, end) = inflate(&mut inflater, b"\xf2\x00\x11\x00\x00", &[], 9, FREE);
    assert_eq!(end, Err(InflateError::Invalid), "a reference across a final block");
}

// req: D7.1.2.1-05, D7.1.2.2-05, D7.2.2-04, D7.2.2-05
#[test]
fn the_whole_window_may_be_referred_to_and_not_a_byte_more() {
    for (distance, fits) in [(32_768_usize, true), (32_767, true), (300, true)] {
        for before in [distance, distance + 1000, distance - 1] {
            // `before` bytes, stored, then a match of 258 at `distance`.
            let bytes = data(1, before, 5);
            let mut payload = Vec::new();
            for block in bytes.chunks(65_535) {
                let len = u16::try_from(block.len()).unwrap();
                payload.push(0);
                payload.extend(len.to_le_bytes());
                payload.extend((!len).to_le_bytes());
                payload.extend(block);
            }
            let mut bits = Writer::default();
            bits.put(0b010, 3);
            bits.code(0b1100_0101, 8); // length 258
            let (code, extra, base) = match distance {
                32_768 | 32_767 => (29, 13, 24_577),
                _ => (16, 7, 257),
            };
            bits.code(code, 5);
            bits.put(u32::try_from(distance - base).unwrap(), extra);
            bits.code(0, 7);
            bits.put(0, 3);
            payload.extend(bits.done());
            let mut inflater = Inflater::new(context(15, false));
            let (message, end) = inflate(&mut inflater, &payload, &[], 1000, FREE);
            assert_eq!(end.is_ok(), fits && before >= distance, "{distance} {before}");
            if end.is_ok() {
                let from = before - distance;
                assert_eq!(message[before..], bytes.repeat(2)[from..from + 258]);
            }
        }
    }
}

// req: D7.2.3-04
#[test]
fn the_limit_is_inclusive_and_what_fits_comes_out_before_it() {
    let message = data(0, 5000, 3);
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let payload = deflate(&mut deflater, &message, &[]).concat();
    for limit in [0, 1, 4999, 5000, 5001, u64::MAX] {
        let (seen, end) = inflate_every_way(&payload, at_most(limit));
        let fits = usize::try_from(limit).unwrap_or(usize::MAX).min(5000);
        assert_eq!(seen, message[..fits]);
        assert_eq!(end, if fits == 5000 { Ok(()) } else { Err(InflateError::TooLarge) }, "{limit}");
    }
    assert_eq!(inflate_every_way(b"\x00", at_most(0)), (Vec::new(), Ok(())));
    // The limit is each message's own.
    let mut inflater = Inflater::new(context(15, true));
    for _ in 0..3 {
        let (_, end) = inflate(&mut inflater, b"\xf2\x48\xcd\xc9\xc9\x07\x00", &[], 9, at_most(5));
        assert_eq!(end, Ok(()));
    }
}

#[test]
fn the_ratio_is_judged_at_the_same_place_however_it_arrives() {
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let dense = deflate(&mut deflater, &data(2, 1 << 20, 0), &[]).concat();
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let text = deflate(&mut deflater, &data(0, 300_000, 3), &[]).concat();
    let both = {
        let mut deflater = Deflater::new(context(15, true), &policy(6, 8));
        let message = [data(1, 20_000, 9), data(2, 5 << 20, 0), data(1, 20_000, 9)].concat();
        deflate(&mut deflater, &message, &[]).concat()
    };
    for (payload, ratio, ends) in [
        (&dense, 2000, true),
        (&dense, 100, false),
        (&dense, 1, false),
        (&text, 20, true),
        (&text, 2, false),
        (&both, 3, false),
        (&both, 1000, true),
    ] {
        let limits = Limits { max_message: u64::MAX, max_ratio: Some(ratio) };
        let whole = inflate(&mut Inflater::new(context(15, false)), payload, &[], 1 << 20, limits);
        let wanted = if ends { Ok(()) } else { Err(InflateError::TooDense) };
        assert_eq!(whole.1, wanted, "{ratio}");
        let every: Vec<_> = (1..payload.len()).collect();
        for (cuts, room) in [(&every[..], 1000), (&[], 777), (&every[..], 1 << 20)] {
            let seen = inflate(&mut Inflater::new(context(15, false)), payload, cuts, room, limits);
            assert!(seen == whole, "{ratio}");
        }
    }
    // What is short may be as dense as it likes.
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let short = deflate(&mut deflater, &data(2, 60_000, 0), &[]).concat();
    let limits = Limits { max_message: u64::MAX, max_ratio: Some(1) };
    assert_eq!(inflate_every_way(&short, limits).1, Ok(()));
}

#[test]
fn the_ratio_is_inclusive() {
    let run = |len| {
        let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
        deflate(&mut deflater, &data(2, len, 0), &[]).concat()
    };
    let limits = Limits { max_message: u64::MAX, max_ratio: Some(100) };
    // The length that the ratio allows to a payload of `octets` grows less than what they hold.
    let longest = |octets: usize| (64 << 10) + 100 * octets;
    let octets = (1..200).find(|octets| run(longest(*octets)).len() == *octets).unwrap();
    for (more, wanted) in [(0, Ok(())), (1, Err(InflateError::TooDense))] {
        let payload = run(longest(octets) + more);
        assert_eq!(payload.len(), octets);
        assert_eq!(inflate_every_way(&payload, limits).1, wanted, "{octets} octets");
    }
}

// req: D7.2.1-04
#[test]
fn fragments_may_be_empty_and_in_any_number() {
    for cuts in [&[0, 0][..], &[0], &[5], &[5, 5, 5], &[1, 2, 3, 4, 5], &[0, 3, 3, 5]] {
        for takeover in [true, false] {
            let mut deflater = Deflater::new(context(12, takeover), &policy(6, 8));
            let mut inflater = Inflater::new(context(12, takeover));
            for _ in 0..3 {
                let fragments = deflate(&mut deflater, b"Hello", cuts);
                for fragment in &fragments[..fragments.len() - 1] {
                    assert!(fragment.is_empty() || fragment.ends_with(b"\x00\x00\xff\xff"));
                }
                let payload = fragments.concat();
                let (message, end) = inflate(&mut inflater, &payload, &[], 99, FREE);
                assert_eq!((&message[..], end), (&b"Hello"[..], Ok(())), "{cuts:?}");
            }
        }
    }
}

#[test]
fn an_abandoned_message_leaves_nothing_to_refer_to() {
    let mut deflater = Deflater::new(context(15, true), &policy(6, 8));
    let mut inflater = Inflater::new(context(15, true));
    let first = deflate(&mut deflater, b"Hello, first", &[]).concat();
    let whole = |inflater: &mut Inflater, payload: &[u8]| {
        let (message, end) = inflate(inflater, payload, &[], usize::MAX, FREE);
        end.map(|()| message)
    };
    assert_eq!(whole(&mut inflater, &first).unwrap(), b"Hello, first");
    // Compressed and not sent, whole or in the middle.
    deflate(&mut deflater, b"never sent, never sent", &[]);
    deflater.abandon();
    let mut out = bytes::BytesMut::new();
    deflater.compress(b"nor this one", false, &mut out);
    deflater.abandon();
    let next = deflate(&mut deflater, b"Hello, never sent, nor this one", &[]).concat();
    assert_eq!(whole(&mut inflater, &next).unwrap(), b"Hello, never sent, nor this one");
}

// req: D7.2.1-08, D7.2.1-09, D7-04
#[test]
fn where_256_octets_were_agreed_only_runs_are_found() {
    let message = [data(0, 3000, 1), data(2, 3000, 1)].concat();
    for level in 1..=9 {
        let mut deflater = Deflater::new(context(8, true), &policy(level, 8));
        let payload = deflate(&mut deflater, &message, &[]).concat();
        let mut out = Vec::new();
        let seen = plain(&[&payload[..], b"\x00\x00\xff\xff"].concat(), &mut out).unwrap();
        assert_eq!((out, seen.max_distance), (message.clone(), 1));
        assert!(payload.len() < message.len() / 2, "{}", payload.len());
    }
}

/// The tail may end a block and leave bits behind: no head of a stored block stands there. A
/// dynamic block whose head ends in the zeros of the tail, and whose end-of-block code is nine
/// ones.
// req: D7.2.2-01
#[test]
fn a_block_that_the_tail_ends_is_cut_short() {
    let mut tried = 0;
    for distances in 6..=30 {
        let mut writer = Writer::default();
        writer.put(0b100, 3);
        writer.put(0, 5);
        writer.put(distances - 1, 5);
        // Lengths of the codes for lengths, in the order of RFC 1951 section 3.2.7: 18, 0, 8, 7, 9,
        // 6, 5, 4, 3, 2, 1 have four bits each, with five more that are not used.
        writer.put(18 - 4, 4);
        for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1_u32] {
            writer.put(if matches!(symbol, 16 | 17) { 0 } else { 4 }, 3);
        }
        // In the order of their values: 0 to 14, 18.
        for len in [1, 2, 3, 4, 5, 6, 7, 8, 9] {
            writer.code(len, 4);
        }
        // Zeros up to 256, the end of the block.
        for zeros in [138, 98, 11] {
            writer.code(15, 4);
            writer.put(zeros - 11, 7);
        }
        writer.code(9, 4);
        let len = writer.bytes.len() * 8 + writer.count as usize + 4 * distances as usize - 16;
        if len % 8 > 0 {
            continue;
        }
        for _ in 0..distances {
            writer.code(0, 4);
        }
        let whole = writer.done();
        let ends = [&whole[..len / 8], b"\x00\x00\xff\x01\x00\x00\xff\xff"].concat();
        assert!(plain(&ends, &mut Vec::new()).is_some(), "elsewhere it is a block that ends");
        assert_eq!(inflate_every_way(&whole[..len / 8], FREE).1, Err(InflateError::Invalid));
        tried += 1;
    }
    assert!(tried > 5, "{tried} are cut at an octet");
}

#[test]
fn a_codec_says_what_it_is_for_and_how_far_it_is() {
    let agreed = context(11, true);
    assert_eq!(format!("{agreed:?}"), "Context { window: 11, takeover: true }");
    let mut inflater = Inflater::new(agreed);
    for _ in 0..2 {
        let mut message = Vec::new();
        for (piece, so_far) in [
            (&b"\xf2\x48\x05\x00\x00\x00\xff\xff"[..], 2),
            (b"", 2),
            (b"\xca\xc9\xc9\x07\x00", 5),
            // A data set that ends, and pieces of nothing behind it.
            (b"\x00\x00\xff\xff\x01\x01\x00\xfe\xff!", 6),
            (b"", 6),
            (b"\x00", 6),
        ] {
            let progress = inflater.inflate(piece, &mut message, 99, FREE).unwrap();
            assert!(!progress.more && progress.consumed == piece.len());
            assert_eq!((inflater.inflated(), message.len()), (so_far as u64, so_far));
        }
        assert_eq!(message, b"Hello!");
        inflater.finish(FREE).unwrap();
        assert_eq!(inflater.inflated(), 0);
    }
}

#[test]
fn codecs_go_where_connections_go() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Inflater>();
    check::<Deflater>();
}

/// Writes bits in the order of RFC 1951 section 3.1.1.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Writer {
    fn put(&mut self, value: u32, count: u32) {
        self.held |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// A Huffman code: its most significant bit first.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    fn done(mut self) -> Vec<u8> {
        self.put(0, 7);
        self.bytes
    }
}
