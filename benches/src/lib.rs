//! What the benches share: data, frames, and a wire in memory that every peer reads and writes
//! alike.

use bytes::Bytes;
use criterion::Criterion;
use sockless::frame::{Header, Opcode};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub mod wtx;

/// What one read brings at most: the scratch buffer of an event loop.
pub const READ: usize = 64 << 10;

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Rounds are short: what counts is the least of many, with the rows taking turns.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(20)
        .without_plots()
        .configure_from_args()
}

/// Records as services send them, with numbers that do not repeat.
pub fn text(len: usize) -> Vec<u8> {
    let (mut text, mut state) = (String::with_capacity(len + 128), 0x2545_f491_u32);
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price, kind) =
            (state >> 8, state >> 16 & 0x3ff, ["bid", "ask"][usize::from(state >> 31 != 0)]);
        text += &format!(
            "{{\"id\":{id},\"symbol\":\"EURUSD\",\"side\":\"{kind}\",\"price\":1.0{price},\"note\":\"größer\"}},"
        );
    }
    // A cut inside a character would be no text.
    let mut end = len;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text += &"."[..].repeat(len - end);
    text.into_bytes()
}

/// Text in which no byte stands for more than itself.
pub fn ascii(len: usize) -> Vec<u8> {
    text(len).into_iter().map(|byte| if byte.is_ascii() { byte } else { b'o' }).collect()
}

/// What does not compress.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// A whole message in one frame.
pub fn frame(opcode: Opcode, compressed: bool, masked: bool, payload: &[u8]) -> Vec<u8> {
    let (mask, len) = (masked.then_some(KEY), payload.len() as u64);
    let header = Header { fin: true, rsv1: compressed, opcode, mask, len };
    let mut frame = header.encode().expect("a short payload").to_vec();
    let key = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Brings the same bytes over and over, in reads of [`READ`] at most, and drops what is written.
pub struct Wire {
    bytes: Bytes,
    at: usize,
}

impl Wire {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), at: 0 }
    }

    /// The next bytes: as many as there is room for, up to the end of the round.
    pub fn bring(&mut self, room: usize) -> &[u8] {
        let end = self.bytes.len().min(self.at + room.min(READ));
        let brought = &self.bytes[self.at..end];
        self.at = if end == self.bytes.len() { 0 } else { end };
        brought
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let brought = self.bring(buffer.len());
        buffer[..brought.len()].copy_from_slice(brought);
        Ok(brought.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(std::hint::black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let brought = self.bring(buffer.remaining());
        buffer.put_slice(brought);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(std::hint::black_box(bytes).len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The result of what a wire in memory never makes wait.
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// The limit of the machine: XOR in place, in the widest registers that it has. The payload is best
/// aligned.
pub fn limit(payload: &mut [u8], key: [u8; 4]) {
    #[cfg(target_arch = "x86_64")]
    if payload.len() > 128 && std::arch::is_x86_feature_detected!("avx512f") {
        use std::arch::x86_64::*;

        #[target_feature(enable = "avx512f")]
        fn wide(blocks: &mut [[u8; 64]], key: [u8; 4]) {
            let pattern = _mm512_set1_epi32(i32::from_ne_bytes(key));
            for block in blocks {
                let place = block.as_mut_ptr().cast();
                // SAFETY: the block's own 64 bytes.
                unsafe {
                    _mm512_storeu_si512(place, _mm512_xor_si512(_mm512_loadu_si512(place), pattern))
                }
            }
        }
        let (blocks, rest) = payload.as_chunks_mut();
        // SAFETY: the feature is there.
        unsafe { wide(blocks, key) };
        return narrow(rest, key);
    }
    narrow(payload, key);
}

/// The same for what is short, in registers of 16 bytes and less.
fn narrow(payload: &mut [u8], key: [u8; 4]) {
    let pattern = u128::from(u32::from_ne_bytes(key)) * 0x1_0000_0001_0000_0001_0000_0001;
    let (blocks, rest) = payload.as_chunks_mut();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ pattern).to_ne_bytes();
    }
    let (words, rest) = rest.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}
