//! One connection among others: its states, and what it does when it is its turn.

use crate::farewell::Farewell;
use crate::outgoing::Outgoing;
use bytes::{Buf, BytesMut};
use mio::net::TcpStream;
use sockless::handshake::{Accept, Asked, Server};
use sockless::{Config, Connection, Event, Keepalive, Phase, Pool, SendError, Want};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one turn after the other uses.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// What is said once the first message was sent back, if anything is.
    pub(crate) farewell: Option<Farewell>,
    /// The origin of the core's time.
    pub(crate) clock: Instant,
    /// When to look at the timers of which slot. A peer whose timers have become irrelevant stays
    /// in here until then.
    pub(crate) deadlines: BinaryHeap<Reverse<(Duration, usize)>>,
    pub(crate) scratch: Vec<u8>,
    /// Empty between turns.
    pub(crate) out: BytesMut,
    pub(crate) pool: Pool,
    /// Whether a handshake, a message or a backlog has left free memory behind.
    pub(crate) has_freed: bool,
}

impl Shared {
    /// Timers that end a phase of the peer in this slot.
    pub(crate) fn timers(&mut self, slot: usize, phase: Phase) -> Keepalive {
        let now = self.clock.elapsed();
        let mut timers = Keepalive::new(self.config.clone(), now);
        timers.phase(phase, now);
        self.deadlines.extend(timers.next().map(|due| Reverse((due, slot))));
        timers
    }
}

/// A connection: all that it owns while nothing happens.
pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    /// Whether it has a turn to come before its socket says anything.
    pub(crate) waits: bool,
    pub(crate) state: State,
    /// What the socket did not take yet.
    pub(crate) backlog: Option<Box<BytesMut>>,
}

/// Only an open connection lives in its slot, and has no timers there: the others are gone in
/// seconds. Who wants to ping gives each a [`Keepalive`] of its own.
pub(crate) enum State {
    Opening(Box<(Server, Keepalive)>),
    Open(Connection, Streaming),
    /// All is said; once it is written, the peer's end is waited for.
    Closing(Box<Keepalive>),
}

/// Whether the peer is in the middle of a message that goes back as it comes.
pub(crate) type Streaming = bool;

/// What a turn found.
pub(crate) enum Turn {
    /// The socket gives or takes nothing more: it says when that changes.
    Blocked,
    /// A read that did not fill the scratch buffer.
    Short,
    /// A full one, or the first after a backlog.
    Full,
}

impl Peer {
    /// Writes the backlog, reads once, and writes what that brought.
    pub(crate) fn turn(&mut self, slot: usize, shared: &mut Shared) -> io::Result<Turn> {
        let mut full = false;
        if self.backlog.is_some() {
            self.drain()?;
            shared.has_freed |= self.backlog.is_none();
            full = true; // what came meanwhile was announced once, and not read
        }
        // After the last word, what comes is read to be dropped: the peer must get rid of it.
        let closing = matches!(self.state, State::Closing(_));
        if self.backlog.is_some() && !closing {
            return Ok(Turn::Blocked);
        }
        let size = match self.socket.read(&mut shared.scratch) {
            // An end of one side only: the peer may still take what is left.
            Ok(0) if self.backlog.is_some() => return Ok(Turn::Blocked),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Blocked),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Turn::Full),
            Err(error) => return Err(error),
        };
        if !closing {
            self.receive(size, slot, shared)?;
        }
        full |= size == shared.scratch.len();
        Ok(if full { Turn::Full } else { Turn::Short })
    }

    /// What came goes into the core, and what it says goes out. The last word of a connection, be
    /// it a Close or the response that refuses a request, starts the wait for the peer's end.
    fn receive(&mut self, size: usize, slot: usize, shared: &mut Shared) -> io::Result<()> {
        let Shared { config, farewell, scratch, out, pool, has_freed, .. } = shared;
        let mut input = &mut scratch[..size];
        let mut out = Outgoing::new(out);
        let mut going = true;
        if let State::Opening(opening) = &mut self.state {
            match opening.0.receive(&mut input, out.small) {
                None => return Ok(()),
                Some(Asked::Upgrade(request)) => {
                    let mut accept = Accept::new(&request).any_origin();
                    if let Some(first) = request.subprotocols().next() {
                        accept = accept.subprotocol(first).map_err(io::Error::other)?;
                    }
                    let server = mem::replace(&mut opening.0, Server::new(config.clone()));
                    *has_freed = true;
                    match server.accept(accept, out.small) {
                        Ok((connection, _)) => self.state = State::Open(connection, false),
                        Err(_) => going = false,
                    }
                }
                Some(_) => going = false, // its response is in `out`
            }
        }
        // What follows the request are frames. The input is the loop's own, so that it need not be
        // in memory.
        let (mut input, farewell) = (input, farewell.as_ref());
        if let State::Open(connection, streaming) = &mut self.state {
            connection.borrow_from(pool);
            while let Some(event) = connection.receive(&mut input, out.small) {
                let (sent, last) = match event {
                    Event::Text(text) => (out.text(text, connection), true),
                    Event::Binary(data) => (out.binary(data, connection), true),
                    Event::Chunk(chunk) => {
                        let last = chunk.last;
                        (out.chunk(chunk, streaming, connection), last)
                    }
                    _ => continue, // Pongs and Closes are in `out`
                };
                match (farewell, sent) {
                    (Some(farewell), Ok(())) if last => part(connection, farewell, out.small)?,
                    (_, Ok(())) => {}
                    (_, Err(error)) => unsent(error)?,
                }
            }
            connection.return_to(pool);
            if let Some(error) = connection.error().filter(|_| *streaming) {
                // Its Close would be taken for what is missing of the message.
                return Err(io::Error::other(error));
            }
            going = connection.want() == Want::Read;
        }
        *has_freed |= out.has_assembled;
        let mut rest = if out.is_empty() { BytesMut::new() } else { out.write(&mut self.socket)? };
        let blocked = !rest.is_empty();
        if !going {
            self.state = State::Closing(Box::new(shared.timers(slot, Phase::Closing)));
        } else if let State::Open(connection, _) = &mut self.state {
            connection.flush(&mut rest); // a Pong that was held back while there was much else
        }
        self.backlog = (!rest.is_empty()).then(|| Box::new(rest));
        if blocked { Ok(()) } else { self.drain() }
    }

    /// Writes the backlog, as far as it goes. The end of a closing connection's output is the end
    /// of its stream. Reading goes on: to close with unread input would reset the connection, and
    /// could destroy the Close on its way.
    fn drain(&mut self) -> io::Result<()> {
        while let Some(backlog) = &mut self.backlog {
            match self.socket.write(backlog) {
                Ok(size) => backlog.advance(size),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if let (State::Open(connection, _), true) = (&mut self.state, backlog.is_empty()) {
                connection.flush(backlog);
            }
            self.backlog.take_if(|backlog| backlog.is_empty());
        }
        match self.state {
            State::Closing(_) => self.socket.shutdown(Shutdown::Write),
            _ => Ok(()),
        }
    }
}

/// The last word, once a message was sent back.
#[cold]
fn part(
    connection: &mut Connection,
    (code, reason): &Farewell,
    out: &mut BytesMut,
) -> io::Result<()> {
    connection.close(*code, reason, out).map_err(io::Error::other)
}

/// Messages that come after our Close are not sent back.
#[cold]
fn unsent(error: SendError) -> io::Result<()> {
    if error == SendError::Closed { Ok(()) } else { Err(io::Error::other(error)) }
}
