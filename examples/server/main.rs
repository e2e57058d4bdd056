//! A chat server: plain threads and blocking sockets around the library, nothing else.
//!
//! `cargo run --release --example server [-- ADDRESS]` serves a page at `/` that talks to `/chat`,
//! and sends everything back at `/echo`. With `--features deflate` it compresses, and takes
//! `--no-deflate`, `--deflate-takeover` and `--window-bits N`.
//!
//! ```text
//!                what the peer is owed                    what it says
//!   one writing thread ◀── queue ◀── one reading thread a peer ──▶ room
//!   a peer: Sender,          ▲       handshake, then Receiver        │
//!   Keepalive                └────────── what the others say ────────┘
//! ```
//!
//! A reading thread waits for nobody but its own peer, and nobody waits for a writing thread: the
//! room finds space in its queue at once, or drops the member. So no peer stalls another.
//!
//! This file opens and ends connections; `peer.rs` drives an open one; `room.rs` is the chat.

#[path = "../common/deflate.rs"]
mod deflate;
mod peer;
mod room;

use bytes::BytesMut;
use deflate::Deflate;
use peer::{Clock, Opened, Service};
use room::Room;
use sockless::handshake::{Accept, Asked, FieldError, Reject, Server};
use sockless::{Config, Due, Keepalive, Phase, Role};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

/// How many peers there may be: each costs two threads, a descriptor and a buffer of 64 KiB.
const MAX_PEERS: usize = 1000;

/// How long the network may take nothing of what is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the page may do: run itself, and connect to where it came from.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; connect-src 'self'; \
     style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; frame-ancestors 'none'";

/// What all peers share.
struct House {
    config: Arc<Config>,
    clock: Clock,
    room: Arc<Room>,
    page: Reject<'static>,
    not_found: Reject<'static>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut address, mut deflate) = (String::from("127.0.0.1:9001"), Deflate::default());
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        if !deflate.take(&arg, || args.next())? {
            if arg.starts_with('-') {
                return Err(format!("server [ADDRESS] [options]\n\n{}", deflate::HELP).into());
            }
            address = arg;
        }
    }
    let listener = TcpListener::bind(address)?;
    let house = Arc::new(House::new(&deflate)?);
    println!("Open http://{}/ in a browser", listener.local_addr()?);

    for socket in listener.incoming() {
        let Ok(socket) = socket else {
            // Out of descriptors, most likely: the peers that leave give theirs back.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        // Each peer's thread holds the house. One peer too many is hung up on, and so is one that
        // there is no thread for.
        if Arc::strong_count(&house) <= MAX_PEERS {
            let house = Arc::clone(&house);
            let _ = thread::Builder::new().spawn(move || house.serve(&Arc::new(socket)));
        }
    }
    Ok(())
}

/// A line for whoever runs the server. `eprintln!` would panic where nobody reads it any more, and
/// a member would stay in the room without its thread.
fn log(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl House {
    fn new(deflate: &Deflate) -> Result<Self, FieldError> {
        // The defaults are for many quiet connections; this page wants to see the clocks tick.
        let mut config = Config::default();
        config.max_message = 4 << 20;
        config.max_frame = 4 << 20;
        config.open_timeout = Duration::from_secs(5);
        config.close_timeout = Duration::from_secs(2);
        config.ping_interval = Some(Duration::from_secs(2));
        config.pong_timeout = Some(Duration::from_secs(10));
        config.idle_timeout = Some(Duration::from_secs(600));
        deflate.configure(&mut config, Role::Server);
        let config = Arc::new(config);
        Ok(Self {
            config: config.clone(),
            clock: Clock::start(),
            room: Arc::new(Room::new(config)),
            page: Reject::new(200)?
                .field("Content-Security-Policy", PAGE_POLICY)?
                .field("Cache-Control", "no-store")?
                .body("text/html; charset=utf-8", include_bytes!("page.html"))?,
            not_found: Reject::new(404)?.body("text/plain", b"nothing here\n")?,
        })
    }

    /// A peer's reading thread, from its first byte to its last.
    fn serve(&self, socket: &Arc<TcpStream>) {
        let mut timers = Keepalive::new(self.config.clone(), self.clock.now());
        // What fails here has failed for the peer as well: there is nobody to tell.
        if let Ok(Some(opened)) = self.open(socket, &mut timers) {
            timers.phase(Phase::Open, self.clock.now());
            peer::converse(opened, timers.clone(), self.clock, &self.room, socket);
        }
        // All is written. Now shut down writing, drain, close: to close at once, with input
        // unread, would reset the connection and could destroy what is still on its way.
        timers.phase(Phase::Closing, self.clock.now());
        let _ = socket.shutdown(Shutdown::Write);
        let mut drain = [0; 4096];
        while self.read(socket, &mut drain, &mut timers).is_ok_and(|n| n > 0) {}
    }

    /// The opening handshake; `None` when it is answered by anything but a connection.
    fn open(&self, mut socket: &TcpStream, timers: &mut Keepalive) -> io::Result<Option<Opened>> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let mut handshake = Server::new(self.config.clone()).with_plain_requests();
        let (mut scratch, mut out) = (vec![0; 64 << 10], BytesMut::new());
        let agreed = loop {
            let n = self.read(socket, &mut scratch, timers)?;
            if n == 0 {
                break None;
            }
            let mut input = &mut scratch[..n];
            break match handshake.receive(&mut input, &mut out) {
                None => continue,
                Some(Asked::Upgrade(request)) => {
                    let (service, subprotocol) = match request.path() {
                        "/chat" => (Service::Chat, "chat"),
                        "/echo" => (Service::Echo, "echo"),
                        _ => {
                            handshake.reject(&self.not_found, &mut out);
                            break None;
                        }
                    };
                    // A peer that does not offer the subprotocol may do without.
                    let accept = Accept::new(&request).prefer(&[subprotocol]);
                    // The page of another site is refused here, its 403 in `out`.
                    let connection = handshake.accept(accept, &mut out);
                    // What is left of the input is the first frames.
                    let rest = n - input.len()..n;
                    connection.ok().map(|(connection, _)| (connection, service, rest))
                }
                Some(Asked::Plain(request)) => {
                    let root = request.path() == "/";
                    handshake.reject(if root { &self.page } else { &self.not_found }, &mut out);
                    None
                }
                // Refused, its answer in `out`.
                Some(_) => None,
            };
        };
        socket.write_all(&out)?;
        Ok(agreed.map(|(connection, service, rest)| Opened { connection, service, scratch, rest }))
    }

    /// Reads for as long as the timers allow, however the bytes drip.
    fn read(
        &self,
        mut socket: &TcpStream,
        buffer: &mut [u8],
        timers: &mut Keepalive,
    ) -> io::Result<usize> {
        loop {
            let now = self.clock.now();
            if let Due::Abort(_) = timers.poll(now) {
                return Err(ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(timers.next().map(|deadline| deadline.saturating_sub(now)))?;
            match socket.read(buffer) {
                // The program was stopped and goes on: a read with a timeout is told so.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}
