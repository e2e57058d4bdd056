//! An echo server, and the manual for putting sockless into an event loop.
//!
//! ```text
//! cargo run --release --example echo [-- ADDR] [options]        (127.0.0.1:9002 by default)
//! ```
//!
//! With `--features deflate` it compresses, as `--help` tells.
//!
//! One thread, readiness from `mio`, and for all connections together one buffer to read into, one
//! to write from, and one pool for what is assembled or compressed. A turn of a peer is at most one
//! read, whatever that brings, and one write of all there is to say. Between its turns a peer owns
//! its [`Peer`] and nothing else, unless it is in the middle of a message, or did not take all that
//! was written to it: then the rest is its backlog, and it is not read from until that is gone.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it says where it listens")]

#[path = "../common/deflate.rs"]
mod deflate;
#[path = "../common/farewell.rs"]
mod farewell;
mod heap;
#[path = "../common/limits.rs"]
mod limits;
mod options;
mod outgoing;
mod peer;

use bytes::BytesMut;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use options::Options;
use peer::{Peer, Shared, State, Turn};
use sockless::handshake::Server;
use sockless::{Delivery, Due, Phase, Pool, Role};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::mem;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);
/// How much is read at a time. A read and a write cost more than the copies they make: with 64 KiB,
/// messages of 16 KiB that come many at a time take 1.8 times as long (`benches/README.md`); with
/// 512 KiB nothing is gained.
const SCRATCH: usize = 320 << 10;
/// The room that is kept for what goes out and is small.
const OUT: usize = 64 << 10;
/// The longest message, and frame.
const MAX_MESSAGE: u64 = 64 << 20;
/// The output buffer is given back after a turn that made it grow beyond this.
const MAX_KEPT: usize = 1 << 20;
/// For how long nothing has to happen before what messages took is given back to the system.
const QUIET: Duration = Duration::from_millis(50);
/// How long to wait before accepting again, when there was no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("echo: {why}");
            return ExitCode::FAILURE;
        }
    };
    let served = Echo::bind(&options).and_then(|mut server| {
        println!("listening on {}", server.listener.local_addr()?);
        server.run()
    });
    if let Err(error) = served {
        eprintln!("echo: {}: {error}", options.address);
    }
    ExitCode::FAILURE
}

/// The event loop.
struct Echo {
    poll: Poll,
    listener: TcpListener,
    /// By token. A slot is used again, so a deadline may come late and find another peer there: it
    /// does no harm.
    peers: Vec<Option<Peer>>,
    vacant: Vec<usize>,
    /// Whose socket may hold more than one read took: each stands here once, and `waits`. If it
    /// leaves meanwhile, its slot is vacant when its turn would have come.
    unread: Vec<usize>,
    /// Whether somebody may wait to be accepted.
    knocking: bool,
    shared: Shared,
}

impl Echo {
    fn bind(options: &Options) -> io::Result<Self> {
        let mut config = options.config.clone();
        if options.stream {
            config.delivery = Delivery::Streamed;
        }
        options.deflate.configure(&mut config, Role::Server);
        let (poll, mut listener) = (Poll::new()?, TcpListener::bind(options.address)?);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let shared = Shared {
            config: Arc::new(config),
            farewell: options.farewell,
            clock: Instant::now(),
            deadlines: BinaryHeap::new(),
            scratch: vec![0; options.read],
            out: BytesMut::with_capacity(OUT),
            pool: Pool::new(),
            has_freed: false,
        };
        let (peers, vacant, unread) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { poll, listener, peers, vacant, unread, knocking: false, shared })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let patience = self.patience();
            match self.poll.poll(&mut events, patience) {
                Ok(()) if events.is_empty() && patience == Some(QUIET) => {
                    self.shared.has_freed = false;
                    heap::trim();
                }
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.knocking = true,
                    // Its turn comes below.
                    Token(slot) if self.waits(slot) => {}
                    // The end of a stream may come together with its last bytes, and is not
                    // announced again.
                    Token(slot) => self.turn(slot, event.is_read_closed()),
                }
            }
            // One after the other: who has more is served again when all who are ready have been
            // asked for.
            for slot in mem::take(&mut self.unread) {
                match self.peers[slot].as_mut() {
                    Some(peer) => {
                        peer.waits = false;
                        self.turn(slot, true);
                    }
                    None => self.vacant.push(slot),
                }
            }
            self.expire();
            if self.knocking {
                self.accept();
            }
        }
    }

    /// How long to wait for sockets.
    fn patience(&self) -> Option<Duration> {
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.shared.deadlines.peek().map(|Reverse((due, _))| *due);
        let next = next.map(|due| due.saturating_sub(self.shared.clock.elapsed()));
        let pause = self.knocking.then_some(PAUSE);
        let quiet = self.shared.has_freed.then_some(QUIET);
        [next, pause, quiet].into_iter().flatten().min()
    }

    /// Accepts all who wait.
    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => drop(self.enter(socket)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break self.knocking = false,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => break, // no descriptors: others have to leave first
            }
        }
    }

    fn enter(&mut self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let slot = self.vacant.pop().unwrap_or(self.peers.len());
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut socket, Token(slot), both);
        let timers = self.shared.timers(slot, Phase::Opening);
        let state = State::Opening(Box::new((Server::new(self.shared.config.clone()), timers)));
        if slot == self.peers.len() {
            self.peers.push(None);
        }
        self.peers[slot] = Some(Peer { socket, waits: false, state, backlog: None });
        registered.inspect_err(|_| self.leave(slot))
    }

    /// Whether this peer is among the unread.
    fn waits(&self, slot: usize) -> bool {
        self.peers.get(slot).and_then(Option::as_ref).is_some_and(|peer| peer.waits)
    }

    /// Dropping the socket closes it. The slot is free once nobody waits for its turn.
    fn leave(&mut self, slot: usize) {
        let waits = self.peers[slot].take().is_some_and(|peer| peer.waits);
        self.shared.has_freed = true;
        if !waits {
            self.vacant.push(slot);
        }
    }

    fn turn(&mut self, slot: usize, to_the_end: bool) {
        let Some(peer) = self.peers.get_mut(slot).and_then(Option::as_mut) else { return };
        let found = peer.turn(slot, &mut self.shared);
        self.shared.out.clear();
        if self.shared.out.capacity() > MAX_KEPT {
            self.shared.has_freed = true;
            self.shared.out = BytesMut::with_capacity(OUT);
        }
        match found {
            Ok(Turn::Blocked) => {}
            // It has emptied the socket, except where readiness is made of completions.
            Ok(Turn::Short) if !to_the_end && cfg!(unix) => {}
            Ok(Turn::Short | Turn::Full) => {
                peer.waits = true;
                self.unread.push(slot);
            }
            Err(_) => self.leave(slot), // the end, or something worse
        }
    }

    /// Ends what has taken too long.
    fn expire(&mut self) {
        let now = self.shared.clock.elapsed();
        while self.shared.deadlines.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, slot))) = self.shared.deadlines.pop() else { return };
            let timers = match self.peers[slot].as_mut().map(|peer| &mut peer.state) {
                Some(State::Opening(opening)) => &mut opening.1,
                Some(State::Closing(timers)) => timers,
                Some(State::Open(..)) | None => continue,
            };
            if let Due::Abort(_) = timers.poll(now) {
                self.leave(slot);
            }
        }
    }
}
