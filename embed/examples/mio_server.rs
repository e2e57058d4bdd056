//! cargo run --manifest-path embed/Cargo.toml --example mio_server [ADDRESS]
//!
//! An echo in one thread that waits for readiness. A peer that does not read what it is owed is not
//! read from, so a backlog ends with one answer. For thousands of peers see `examples/echo`: one
//! output for all, nothing held by who is idle, deadlines in a heap.

#[path = "common/echo.rs"]
mod echo;

use bytes::{Buf, BytesMut};
use echo::Echo;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sockless::Pool;
use sockless_embed::{complain, say};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
/// How long to wait before accepting again, when there was no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

struct Peer {
    socket: TcpStream,
    echo: Echo,
    out: BytesMut,
    shut: bool,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9011".into());
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(256));
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let (clock, mut scratch, mut pool) = (Instant::now(), vec![0; 64 << 10], Pool::new());
    let (mut peers, mut count, mut pause) = (BTreeMap::<Token, Peer>::new(), 0, None);
    let mut unread = BTreeSet::new(); // whose socket may hold more than one read took
    loop {
        let due = peers.values().filter_map(|peer| peer.echo.next()).min();
        let due = due.map(|due| due.saturating_sub(clock.elapsed()));
        let at_once = (!unread.is_empty()).then_some(Duration::ZERO);
        match poll.poll(&mut events, at_once.into_iter().chain(due).chain(pause).min()) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = clock.elapsed();
        pause = loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) => break (error.kind() != ErrorKind::WouldBlock).then_some(PAUSE),
            };
            count += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            if poll.registry().register(&mut socket, Token(count), both).is_err() {
                continue; // no room for one more: it is closed, and the others go on
            }
            let (echo, out) = (Echo::new(now, |line| say(line)), BytesMut::new());
            peers.insert(Token(count), Peer { socket, echo, out, shut: false });
        };
        let late = peers.iter().filter(|(_, peer)| peer.echo.next().is_some_and(|due| due <= now));
        let mut turns = mem::take(&mut unread);
        turns.extend(late.map(|(token, _)| *token));
        turns.extend(events.iter().map(|event| event.token()));
        for token in turns {
            let Some(peer) = peers.get_mut(&token) else { continue };
            match peer.turn(&mut scratch, &mut pool, now) {
                Ok(false) => {}
                Ok(true) => _ = unread.insert(token),
                Err(error) => {
                    if !peer.echo.ended() {
                        complain(format_args!("lost: {error}"));
                    }
                    peers.remove(&token);
                }
            }
        }
    }
}

impl Peer {
    /// Whether there is more to do at once.
    fn turn(&mut self, scratch: &mut [u8], pool: &mut Pool, now: Duration) -> io::Result<bool> {
        let more = self.exchange(scratch, pool, now)?;
        // Behind the read: it may have brought the Pong.
        let before = self.out.len();
        if !self.echo.tick(&mut self.out, now).map_err(io::Error::other)? {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(more || self.out.len() > before)
    }

    /// Writes all and reads once; whether there may be more to read. Readiness is told once, but to
    /// read until nothing is left would keep everybody waiting for who never stops sending.
    fn exchange(&mut self, scratch: &mut [u8], pool: &mut Pool, now: Duration) -> io::Result<bool> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(size) => {
                    self.out.advance(size);
                    self.echo.written(&mut self.out, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // Once: a shutdown is an event of the socket, and that another turn.
        if self.echo.ended() && !mem::replace(&mut self.shut, true) {
            let _ = self.socket.shutdown(Shutdown::Write); // what is wrong, the read tells
        }
        match self.socket.read(scratch) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(size) => {
                self.echo.receive(&mut scratch[..size], &mut self.out, pool, now);
                Ok(true) // what this brought is written in the next turn
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
