//! A future that is dropped, at whatever await, loses nothing and sends nothing twice.

#[path = "../examples/socket/mod.rs"]
mod socket;

use bytes::BytesMut;
use socket::Socket;
use sockless::{CloseCode, Config, Connection, Event, Keys};
use sockless_embed::conversation::line;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport that is ready half of the times that it is asked, for few bytes at a time.
struct Halting {
    input: Vec<u8>,
    taken: usize,
    written: Vec<u8>,
    asked: u32,
    shut: bool,
}

impl Halting {
    /// How many bytes may pass; none half of the time.
    fn grant(&mut self) -> usize {
        self.asked = self.asked.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if self.asked >> 31 == 0 { 0 } else { 1 + (self.asked >> 16) as usize % 7 }
    }
}

impl AsyncRead for Halting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.grant().min(room.remaining());
        if n == 0 {
            return Poll::Pending;
        }
        let end = self.input.len().min(self.taken + n);
        room.put_slice(&self.input[self.taken..end]);
        self.taken = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Halting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.shut, "written after the end");
        let n = self.grant().min(bytes.len());
        if n == 0 {
            return Poll::Pending;
        }
        self.written.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.grant() == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        if self.grant() == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

/// What a client sends: messages whole and in fragments, a ping amid them, a close.
fn session() -> Vec<u8> {
    let keys = Keys::new(|key| *key = [0x5a, 0xa5, 0x3c, 0xc3]);
    let mut client = Connection::client(Arc::new(Config::default()), keys);
    let mut wire = BytesMut::new();
    for n in 0..20 {
        client.send_text(&"é".repeat(n * 7), &mut wire).unwrap();
        client.send_fragment(sockless::Kind::Binary, &[n as u8; 40], false, &mut wire).unwrap();
        client.ping(&[b'a' + n as u8], &mut wire).unwrap();
        client.send_fragment(sockless::Kind::Binary, &[n as u8; 50], true, &mut wire).unwrap();
    }
    client.close(CloseCode::from(4001), "done", &mut wire).unwrap();
    wire.to_vec()
}

/// An echo whose `next` is polled `patience` times and then dropped, over and over; what it saw and
/// what it wrote.
fn echo(patience: usize) -> (Vec<String>, Vec<u8>, usize) {
    let config = Arc::new(Config::default());
    let io = Halting { input: session(), taken: 0, written: Vec::new(), asked: 0, shut: false };
    let mut socket = Socket::new(io, Connection::server(Arc::clone(&config)), config, &[]);
    let (mut seen, mut dropped) = (Vec::new(), 0);
    let mut cx = Context::from_waker(Waker::noop());
    'events: loop {
        let mut next = pin!(socket.next());
        for _ in 0..patience {
            let Poll::Ready(event) = next.as_mut().poll(&mut cx) else { continue };
            let Some((event, connection, out)) = event.unwrap() else { break 'events };
            seen.push(line(&event));
            match event {
                Event::Text(text) => connection.send_text(&text, out).unwrap(),
                Event::Binary(data) => connection.send_binary(&data, out).unwrap(),
                _ => {}
            }
            continue 'events;
        }
        dropped += 1;
        assert!(dropped < 1_000_000, "no progress");
    }
    assert!(socket.closed().unwrap().clean);
    (seen, socket.into_inner().written, dropped)
}

#[tokio::test]
async fn a_dropped_next_loses_nothing_and_sends_nothing_twice() {
    let (seen, written, dropped) = echo(usize::MAX);
    assert_eq!((seen.len(), dropped), (61, 0));
    for patience in 1..12 {
        let (same, also, dropped) = echo(patience);
        assert_eq!(same, seen, "polled {patience} times");
        assert!(also == written, "polled {patience} times");
        assert!(dropped > 0, "polled {patience} times, never dropped");
    }
}
