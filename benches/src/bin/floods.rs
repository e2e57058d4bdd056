//! Prints what floods cost, here and elsewhere: the most that one connection held on the heap, and
//! the time for each frame of `n` and of `2n`. The peer under flood is a server at its defaults whose
//! output nobody takes.

use bytes::BytesMut;
use futures_util::StreamExt as _;
use sockless::{Config, Connection};
use sockless_benches::READ;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; the rest is counting.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size().cast_signed();
        PEAK.fetch_max(HELD.fetch_add(size, Relaxed) + size, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A wire that brings `first`, then `again` so many times, and takes nothing.
struct Flood {
    first: &'static [u8],
    again: &'static [u8],
    times: usize,
    at: usize,
}

impl Flood {
    /// As many whole frames as fit in, so that a read brings much of a flood at once.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let total = self.first.len() + self.again.len() * self.times;
        let len = buffer.len().min(total - self.at).min(READ);
        for (slot, at) in buffer.iter_mut().zip(self.at..self.at + len) {
            *slot = match at.checked_sub(self.first.len()) {
                Some(at) => self.again[at % self.again.len()],
                None => self.first[at],
            };
        }
        self.at += len;
        len
    }
}

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.fill(buffer) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Flood {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.fill(buffer.initialize_unfilled()) {
            0 => Poll::Pending,
            len => {
                buffer.advance(len);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Whether the peer took all of the flood, or refused it; with what it still holds.
type Peer = fn(Flood) -> (bool, Box<dyn std::any::Any>);

fn ours(mut flood: Flood) -> (bool, Box<dyn std::any::Any>) {
    let mut connection = Connection::server(Arc::new(Config::default()));
    let (mut out, mut scratch) = (BytesMut::new(), vec![0; READ]);
    loop {
        let len = flood.fill(&mut scratch);
        let mut input = &mut scratch[..len];
        while connection.receive(&mut input, &mut out).is_some() {}
        if len == 0 || connection.error().is_some() {
            drop(scratch); // Any number of connections share it.
            return (connection.error().is_none(), Box::new((connection, out)));
        }
    }
}

fn tungstenite(flood: Flood) -> (bool, Box<dyn std::any::Any>) {
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(flood, role, None);
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::Io(_)) => return (true, Box::new(socket)),
            Err(_) => return (false, Box::new(socket)),
        }
    }
}

fn tokio_websockets(flood: Flood) -> (bool, Box<dyn std::any::Any>) {
    let mut stream = tokio_websockets::ServerBuilder::new().serve(flood);
    loop {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match stream.poll_next_unpin(&mut context) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Pending => return (true, Box::new(stream)),
            Poll::Ready(_) => return (false, Box::new(stream)),
        }
    }
}

fn sockudo(mut flood: Flood) -> (bool, Box<dyn std::any::Any>) {
    let limit = 64 << 20;
    let mut peer = sockudo_ws::protocol::Protocol::new(sockudo_ws::Role::Server, limit, limit);
    let (mut buffer, mut messages) = (BytesMut::with_capacity(READ), Vec::new());
    let mut scratch = vec![0; READ];
    loop {
        let len = flood.fill(&mut scratch);
        buffer.extend_from_slice(&scratch[..len]);
        let refused = peer.process_into(&mut buffer, &mut messages).is_err();
        messages.clear();
        if len == 0 || refused {
            drop(scratch);
            return (!refused, Box::new((peer, buffer)));
        }
    }
}

const PEERS: [(&str, Peer); 4] = [
    ("sockless", ours),
    ("tungstenite", tungstenite),
    ("tokio-websockets", tokio_websockets),
    ("sockudo-ws", sockudo),
];

/// A name, what comes once, what comes again, and how often.
const FLOODS: [(&str, &[u8], &[u8], usize); 6] = [
    ("empty pings", b"", b"\x89\x80\0\0\0\0", 1_000_000),
    ("empty continuations", b"\x02\x81\0\0\0\0x", b"\0\x80\0\0\0\0", 1_000_000),
    ("one-byte fragments", b"\x02\x81\0\0\0\0x", b"\0\x81\0\0\0\0x", 1_000_000),
    ("empty messages", b"", b"\x82\x80\0\0\0\0", 1_000_000),
    ("a header of 1 MiB - 1", b"\x82\xff\0\0\0\0\0\x0f\xff\xff\0\0\0\0", b"x", 1),
    ("a Close of 16 MB", b"\x88\xff\0\0\0\0\x01\0\0\0\0\0\0\0", b"x", 16 << 20),
];

fn main() {
    println!("| flood | peer | most held, n | 2n | ns a frame, n | 2n | |");
    println!("|---|---|---|---|---|---|---|");
    for (name, first, again, times) in FLOODS {
        for (peer, run) in PEERS {
            let [(held, time, taken), (held2, time2, _)] = [times, 2 * times].map(|times| {
                let (start, clock) = (HELD.load(Relaxed), Instant::now());
                PEAK.store(start, Relaxed);
                let (taken, peer) = run(Flood { first, again, times, at: 0 });
                let time = clock.elapsed().as_nanos() / (times as u128 + 1);
                let most = PEAK.load(Relaxed) - start;
                drop(peer);
                (most, time, taken)
            });
            let verdict = if taken { "taken" } else { "refused" };
            println!("| {name} | {peer} | {held} | {held2} | {time} | {time2} | {verdict} |");
        }
    }

    // Some peers clear what they reserve: ten times as many would take all of a machine.
    const CONNECTIONS: usize = 1000;
    println!("\n| 14 bytes on each of {CONNECTIONS} connections | held for each |\n|---|---|");
    for (peer, run) in PEERS {
        let (_, first, again, _) = FLOODS[4];
        let start = HELD.load(Relaxed);
        let kept: Vec<_> =
            (0..CONNECTIONS).map(|_| run(Flood { first, again, times: 0, at: 0 }).1).collect();
        println!("| {peer} | {} |", (HELD.load(Relaxed) - start) / CONNECTIONS.cast_signed());
        drop(kept);
    }
}
