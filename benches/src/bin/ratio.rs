//! Prints how long the payload of a compressed message is, in bytes: a first message of records in
//! text, and one that follows with the context taken over; ours by window, and everybody's at 15
//! bits, level 6.

use flate2::{Compress, Compression, FlushCompress};
use futures_util::SinkExt;
use sockless::deflate::{Context, Deflater, Policy, WindowBits};
use sockless_benches::{now, text};
use sockudo_ws::deflate::{DeflateEncoder, DeflateWindowBits};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context as Task, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use yawc::{Frame, Options, Role, WebSocket};

const SIZES: [(usize, &str); 5] = [
    (140, "140 B"),
    (1 << 10, "1 KiB"),
    (16 << 10, "16 KiB"),
    (256 << 10, "256 KiB"),
    (1 << 20, "1 MiB"),
];

/// Counts what is written to it.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl AsyncRead for Count {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Task<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Count {
    fn poll_write(self: Pin<&mut Self>, _: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.fetch_add(bytes.len(), Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The payloads of the two messages, without the four octets that are not sent.
fn ours(window: u8, [first, second]: [&[u8]; 2]) -> [usize; 2] {
    let window = WindowBits::new(window).expect("8 to 15");
    let mut deflater = Deflater::new(Context::new(window, true), &Policy::server());
    [first, second].map(|message| {
        let mut payload = bytes::BytesMut::new();
        deflater.compress(message, true, &mut payload);
        payload.len()
    })
}

fn flate2(messages: [&[u8]; 2]) -> [usize; 2] {
    let mut encoder = Compress::new(Compression::new(6), false);
    messages.map(|message| {
        let mut room = vec![0; message.len() + message.len() / 8 + 64];
        let before = encoder.total_out();
        encoder.compress(message, &mut room, FlushCompress::Sync).expect("room");
        (encoder.total_out() - before) as usize - 4
    })
}

fn yawc(messages: [&[u8]; 2]) -> [usize; 2] {
    let (count, options) = (Count::default(), Options::default().with_balanced_compression());
    let mut peer = WebSocket::from_stream_with_extensions(
        count.clone(),
        Role::Server,
        Some("permessage-deflate"),
        options.with_limits(4 << 20, 8 << 20),
    )
    .expect("options that fit");
    messages.map(|message| {
        count.0.store(0, Relaxed);
        now(peer.send(Frame::binary(bytes::Bytes::copy_from_slice(message)))).expect("sent");
        match count.0.load(Relaxed) {
            frame @ 0..=127 => frame - 2,
            frame @ ..=0x1_0003 => frame - 4,
            frame => frame - 10,
        }
    })
}

fn sockudo(messages: [&[u8]; 2]) -> [usize; 2] {
    let mut encoder = DeflateEncoder::new(DeflateWindowBits::Bits15, false, 6, 0);
    messages.map(|message| {
        encoder
            .compress(message)
            .expect("compressed")
            .map_or(message.len(), |payload| payload.len())
    })
}

fn main() {
    println!("| message | ours, 9 bits | 12 | 15 | `flate2` | `yawc` | `sockudo-ws` |");
    println!("|---|---|---|---|---|---|---|");
    for at in [0, 1] {
        for (size, name) in SIZES {
            let records = text(2 * size + 64);
            let first = text(size);
            let messages = [&first[..], &records[first.len()..2 * first.len()]];
            let lens = [ours(9, messages), ours(12, messages), ours(15, messages)];
            let theirs = [flate2(messages), yawc(messages), sockudo(messages)];
            let cells: Vec<_> = lens
                .iter()
                .chain(&theirs)
                .map(|lens| format!("{} ({:.1}×)", lens[at], first.len() as f64 / lens[at] as f64))
                .collect();
            let which = ["", ", taken over"][at];
            println!("| {name}{which} | {} |", cells.join(" | "));
        }
    }
}
