//! What the tests of `deflate` share: drivers, data, and a second inflater that shows more.

#![allow(dead_code)]

use bytes::BytesMut;
use sockless::Config;
use sockless::deflate::{Context, Deflater, InflateError, Inflater, Limits, Policy, WindowBits};

pub const FREE: Limits = Limits { max_message: u64::MAX, max_ratio: None };

pub fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("8 to 15")
}

pub fn context(window: u8, takeover: bool) -> Context {
    Context::new(bits(window), takeover)
}

pub fn at_most(max_message: u64) -> Limits {
    Limits { max_message, max_ratio: None }
}

/// One message, its payload in pieces that end at `cuts`, `most` bytes of it at a time.
pub fn inflate(
    inflater: &mut Inflater,
    payload: &[u8],
    cuts: &[usize],
    most: usize,
    limits: Limits,
) -> (Vec<u8>, Result<(), InflateError>) {
    let mut message = vec![0xa5; cuts.len() % 50];
    // What lies in a vector beyond its end is not to be seen.
    message.clear();
    let mut start = 0;
    for end in cuts.iter().copied().chain([payload.len()]) {
        let mut rest = &payload[start..end];
        start = end;
        loop {
            let before = message.len();
            match inflater.inflate(rest, &mut message, most, limits) {
                Ok(progress) => {
                    assert!(progress.consumed + progress.produced > 0 || !progress.more);
                    assert!(progress.more || progress.consumed == rest.len());
                    assert!(progress.produced <= most);
                    assert_eq!(message.len(), before + progress.produced);
                    assert_eq!(inflater.inflated(), message.len() as u64);
                    assert!(message.capacity() as u64 <= limits.max_message.max(50));
                    rest = &rest[progress.consumed..];
                    if !progress.more {
                        break;
                    }
                }
                Err(error) => {
                    let again = inflater.inflate(rest, &mut message, most, limits);
                    assert_eq!(again, Err(error), "a failure is final");
                    assert_eq!(inflater.finish(limits), Err(error));
                    assert_eq!(message.len(), before);
                    return (message, Err(error));
                }
            }
        }
    }
    let end = inflater.finish(limits);
    (message, end)
}

/// A message on its own, whole, with every cut, byte by byte, and through one byte at a time: all
/// the same.
pub fn inflate_every_way(payload: &[u8], limits: Limits) -> (Vec<u8>, Result<(), InflateError>) {
    let fresh = || Inflater::new(context(15, false));
    let whole = inflate(&mut fresh(), payload, &[], 64 << 10, limits);
    let every: Vec<_> = (1..payload.len()).collect();
    for most in [1, 2, 7, usize::MAX] {
        assert_eq!(inflate(&mut fresh(), payload, &every, most, limits), whole, "{payload:02x?}");
        assert_eq!(inflate(&mut fresh(), payload, &[], most, limits), whole, "{payload:02x?}");
    }
    if payload.len() < 300 {
        for cut in every {
            assert_eq!(inflate(&mut fresh(), payload, &[cut], 5, limits), whole, "{cut}");
        }
    }
    whole
}

/// One message in pieces that end at `cuts`; the fragments that come of it.
pub fn deflate(deflater: &mut Deflater, message: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut fragments = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([message.len()]) {
        // What is in the output already is not touched.
        let mut out = BytesMut::from(&b"before"[..]);
        let last = fragments.len() == cuts.len();
        deflater.compress(&message[start..end], last, &mut out);
        assert!(out.starts_with(b"before"));
        fragments.push(out[6..].to_vec());
        start = end;
    }
    fragments
}

pub fn policy(level: u8, memory: u8) -> Policy {
    let mut policy = Policy::server();
    (policy.level, policy.memory) = (level, memory);
    policy
}

/// A policy that compresses everything, and keeps its contexts.
pub fn keen() -> Policy {
    let mut policy = Policy::server();
    policy.threshold = 0;
    policy.server_no_context_takeover = false;
    policy.client_no_context_takeover = false;
    policy.server_max_window_bits = WindowBits::MAX;
    policy
}

pub fn with(policy: impl Into<Option<Policy>>, mut config: Config) -> Config {
    config.deflate = policy.into();
    config
}

/// Bytes of a kind: 0 text, 1 noise, 2 one byte, 3 far repetitions.
pub fn data(kind: u8, len: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["{\"price\":", "the ", "window ", "\"id\":", "0.25", "},", "message ", "größer "];
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(len + 16);
    let block: Vec<u8> = (0..40_000).map(|_| next().to_le_bytes()[0]).collect();
    while bytes.len() < len {
        let number = next();
        match kind {
            0 => bytes.extend_from_slice(WORDS[usize::try_from(number % 8).unwrap()].as_bytes()),
            1 => bytes.push(number.to_le_bytes()[3]),
            2 => bytes.push(b'a'),
            _ => {
                // Matches at every distance up to 40,000.
                let at = usize::try_from(number % 39_900).unwrap();
                bytes.extend_from_slice(&block[at..at + 20]);
            }
        }
    }
    bytes.truncate(len);
    bytes
}

/// What the second inflater saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub max_distance: usize,
    pub finals: usize,
    pub blocks: usize,
    /// The last block is a stored one of no bytes.
    pub empty_last: bool,
}

/// Inflates whole blocks onto `out`, bit by bit, and stops where `input` does: RFC 1951 in its
/// plainest form, to see what zlib hides. `None` if it is not DEFLATE.
pub fn plain(input: &[u8], out: &mut Vec<u8>) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut bits = Bits { input, at: 0 };
    while bits.at < input.len() * 8 {
        let last = bits.take(1)?;
        seen.finals += last;
        seen.blocks += 1;
        seen.empty_last = false;
        match bits.take(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let (len, complement) = (bits.take(16)?, bits.take(16)?);
                if len ^ complement != 0xffff {
                    return None;
                }
                seen.empty_last = len == 0;
                let start = bits.at / 8;
                out.extend_from_slice(input.get(start..start + len)?);
                bits.at += len * 8;
            }
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                codes(&mut bits, &lengths, &[5; 30], out, &mut seen)?;
            }
            2 => {
                let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
                let mut order = [0; 19];
                let count = bits.take(4)? + 4;
                for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
                    .iter()
                    .take(count)
                {
                    order[*place] = bits.take(3)?;
                }
                let order = Code::new(&order);
                let mut lengths = Vec::new();
                while lengths.len() < literals + distances {
                    let (value, times) = match bits.symbol(&order)? {
                        16 => (*lengths.last()?, bits.take(2)? + 3),
                        17 => (0, bits.take(3)? + 3),
                        18 => (0, bits.take(7)? + 11),
                        length => (length, 1),
                    };
                    lengths.extend(std::iter::repeat_n(value, times));
                }
                let (literal, distance) = lengths.split_at(literals);
                codes(&mut bits, literal, distance, out, &mut seen)?;
            }
            _ => return None,
        }
        if last == 1 {
            // What follows a final block begins on the next octet.
            bits.at = bits.at.next_multiple_of(8);
        }
    }
    Some(seen)
}

struct Bits<'a> {
    input: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let bit = self.input.get(self.at / 8)? >> (self.at % 8) & 1;
            value |= usize::from(bit) << place;
            self.at += 1;
        }
        Some(value)
    }

    fn symbol(&mut self, huffman: &Code) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &huffman.counts[1..] {
            code = code << 1 | self.take(1)?;
            first <<= 1;
            if code < first + count {
                return huffman.symbols.get(index + code.checked_sub(first)?).copied();
            }
            first += count;
            index += count;
        }
        None
    }
}

/// A Huffman code by the lengths of its symbols (RFC 1951 section 3.2.2).
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for length in lengths {
            counts[*length] += 1;
        }
        let mut symbols: Vec<_> =
            (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Self { counts, symbols }
    }
}

fn codes(
    bits: &mut Bits<'_>,
    literals: &[usize],
    distances: &[usize],
    out: &mut Vec<u8>,
    seen: &mut Seen,
) -> Option<()> {
    let (literals, distances) = (Code::new(literals), Code::new(distances));
    loop {
        let symbol = bits.symbol(&literals)?;
        match symbol {
            0..256 => out.push(u8::try_from(symbol).ok()?),
            256 => return Some(()),
            257..=285 => {
                let step = symbol - 257;
                let length = match step {
                    0..8 => step + 3,
                    28 => 258,
                    _ => {
                        let extra = step / 4 - 1;
                        ((4 + step % 4) << extra) + 3 + bits.take(extra)?
                    }
                };
                let step = bits.symbol(&distances)?;
                let distance = if step < 4 {
                    step + 1
                } else {
                    let extra = step / 2 - 1;
                    ((2 + step % 2) << extra) + 1 + bits.take(extra)?
                };
                seen.max_distance = seen.max_distance.max(distance);
                for _ in 0..length {
                    out.push(*out.get(out.len().checked_sub(distance)?)?);
                }
            }
            _ => return None,
        }
    }
}
