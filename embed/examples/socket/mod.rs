//! A WebSocket over anything that tokio reads and writes: TCP, TLS, an upgraded connection of
//! hyper.
//!
//! Nothing is in a future that is not in the socket: drop one at any await, nothing is lost and
//! nothing is sent twice. Where writing fails, reading goes on: why the peer left may be read yet.
#![allow(dead_code, reason = "each example needs a part of it")]

pub mod accept;
pub mod echo;
pub mod messages;
pub mod talk;

use bytes::{Buf as _, BytesMut};
use sockless::{CloseCode, Closed, Config, Connection, Due, Event, Inbox, Keepalive, Phase, Want};
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How much may wait to be written before [`Socket::next`] lends no more, and a `Sink` is full.
const BACKLOG: usize = 1 << 20;

pub struct Socket<T> {
    io: T,
    connection: Connection,
    inbox: Inbox,
    out: BytesMut,
    timers: Keepalive,
    alarm: Pin<Box<Sleep>>,
    start: Instant,
    /// Whether the transport, when last asked, kept nothing of what it was given, as TLS may.
    flushed: bool,
    /// Whether the peer has ended its side: it may still take what is left.
    deaf: bool,
    /// Why nothing more can be written.
    mute: Option<io::ErrorKind>,
    closed: Option<Closed>,
}

/// An event, and what it can be answered with while it is held.
pub type Lent<'a> = (Event<'a>, &'a mut Connection, &'a mut BytesMut);

impl<T: AsyncRead + AsyncWrite + Unpin> Socket<T> {
    /// A connection whose handshake is done, and what was read behind it.
    pub fn new(io: T, connection: Connection, config: Arc<Config>, rest: &[u8]) -> Self {
        let mut inbox = Inbox::new(rest.len().max(16 << 10));
        inbox.room()[..rest.len()].copy_from_slice(rest);
        inbox.filled(rest.len());
        let start = Instant::now();
        let mut timers = Keepalive::new(config, start.elapsed());
        timers.phase(Phase::Open, start.elapsed());
        let alarm = Box::pin(sleep_until(start));
        let (out, flushed, deaf, mute, closed) = (BytesMut::new(), true, false, None, None);
        Self { io, connection, inbox, out, timers, alarm, start, flushed, deaf, mute, closed }
    }

    /// Lends the next event, and what to answer it with; `None` at the end. Meanwhile it writes:
    /// who does not read what it is sent is not read from.
    pub async fn next(&mut self) -> io::Result<Option<Lent<'_>>> {
        poll_fn(|cx| self.poll_advance(cx, BACKLOG)).await?;
        Ok(self.event())
    }

    /// Goes to the next event; false at the end. While more than `backlog` waits to be written, it
    /// reads nothing, and keeps what it has read.
    pub fn poll_advance(&mut self, cx: &mut Context<'_>, backlog: usize) -> Poll<io::Result<bool>> {
        loop {
            let is_full = self.out.len() > backlog && self.closed.is_none();
            if !is_full && self.inbox.advance(&mut self.connection, &mut self.out) {
                return Poll::Ready(Ok(true));
            }
            if self.closed.is_some() {
                return Poll::Ready(Ok(false));
            }
            let written = matches!(self.poll_flush(cx), Poll::Ready(Ok(())));
            if written && self.connection.want() == Want::CloseNow {
                let _ = Pin::new(&mut self.io).poll_shutdown(cx); // what is wrong, the read tells
            }
            let is_blocked = self.out.len() > backlog;
            if is_full && !is_blocked {
                continue; // to what has been read
            }
            // Behind the peer's end there is nothing to read, only to write, in a closing's time.
            let is_left = self.deaf && !written && self.mute.is_none();
            let mut room = ReadBuf::new(self.inbox.room());
            let read = match is_blocked || is_left {
                true => Poll::Pending,
                false => Pin::new(&mut self.io).poll_read(cx, &mut room),
            };
            let n = room.filled().len();
            // Once both Closes have passed, how the transport ends is of no interest.
            let error = match (self.mute, read) {
                // Not before: what waits to be read may be the Pong.
                (_, Poll::Pending) if self.poll_timers(cx)? => continue,
                (_, Poll::Pending) => return Poll::Pending,
                (_, Poll::Ready(Ok(()))) if n > 0 => {
                    self.inbox.filled(n);
                    self.timers.heard(self.start.elapsed());
                    self.poll_timers(cx)?;
                    continue;
                }
                (None, Poll::Ready(Ok(()))) if !written && !self.deaf => {
                    self.deaf = true;
                    self.poll_timers(cx)?;
                    continue;
                }
                (Some(kind), _) => kind.into(),
                (None, Poll::Ready(Err(error))) if self.connection.want() == Want::Read => error,
                (None, _) => {
                    self.closed = Some(self.connection.eof());
                    continue;
                }
            };
            self.closed = Some(Closed { clean: false, ..self.connection.abort() });
            return Poll::Ready(Err(error));
        }
    }

    /// The event that was gone to.
    pub fn event(&mut self) -> Option<Lent<'_>> {
        let event = self.inbox.event()?;
        match &event {
            Event::Pong(payload) => drop(self.timers.pong(payload, self.start.elapsed())),
            Event::Ping(_) => {}
            _ => self.timers.active(self.start.elapsed()),
        }
        Some((event, &mut self.connection, &mut self.out))
    }

    /// Writes all that waits to be written. Once that has failed, it is dropped.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match self.mute {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => self.poll_write(cx),
        };
        self.flushed = matches!(flushed, Poll::Ready(Ok(())));
        if let Poll::Ready(Err(error)) = &flushed {
            self.mute = Some(error.kind());
            self.out.clear();
        }
        flushed
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(n);
            if !self.out.is_empty() {
                self.timers.backlog(self.start.elapsed());
            }
            self.connection.flush(&mut self.out);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Pings, and gives up a peer that is silent. Whether there is more to do now.
    fn poll_timers(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let before = self.out.len();
        if !self.connection.is_open() || self.mute.is_some() || self.deaf {
            self.timers.phase(Phase::Closing, self.start.elapsed());
        }
        // What is due beyond the end of time is not due.
        while let Some(at) = self.timers.next().and_then(|at| self.start.checked_add(at)) {
            if self.alarm.deadline() != at {
                self.alarm.as_mut().reset(at);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                break;
            }
            match self.timers.poll(self.start.elapsed()) {
                Due::Nothing => {}
                // After a Close of our own there is nothing to ping.
                Due::Ping(payload) => _ = self.connection.ping(&payload, &mut self.out),
                Due::Close(why) => self.close(CloseCode::GOING_AWAY, &why.to_string()),
                Due::Abort(why) => {
                    let all_written = self.out.is_empty() && self.flushed;
                    let closed = self.closed.insert(self.connection.abort());
                    closed.clean &= all_written;
                    // Both Closes have passed: the transport's end is all that is missing.
                    if closed.clean {
                        return Ok(true);
                    }
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
            }
        }
        Ok(self.out.len() > before)
    }

    /// Starts the closing handshake; [`next`](Self::next) carries it out.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        // Closed already is as good.
        let _ = self.connection.close(code, reason, &mut self.out);
        self.timers.phase(Phase::Closing, self.start.elapsed());
    }

    /// To send without having received: messages are written by [`next`](Self::next). Where both
    /// ends have more waiting than it reads with, neither reads: wait for the output to be shorter.
    pub fn sender(&mut self) -> (&mut Connection, &mut BytesMut) {
        (&mut self.connection, &mut self.out)
    }

    /// How it ended, once it has.
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// The transport, and nothing of the WebSocket.
    pub fn into_inner(self) -> T {
        self.io
    }
}
