//! The main thread: what is sent, and when it has taken too long.

use crate::complain;
use crate::farewell::Farewell;
use crate::is_temporary;
use crate::options::Failure;
use crate::reading::{Input, Slot, lock};
use bytes::{Buf, BytesMut};
use sockless::{CloseCode, Due, Keepalive, Phase, Receiver, Sender, Timeout, Want};
use std::io::{ErrorKind, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// How long a write may block before the timers are looked at.
pub(crate) const STUCK: Duration = Duration::from_millis(100);

/// The main thread's part of a connection.
pub(crate) struct Session {
    pub(crate) socket: TcpStream,
    pub(crate) sender: Sender,
    pub(crate) timers: Keepalive,
    pub(crate) clock: Instant,
    /// How to close at the end of the input.
    pub(crate) farewell: Option<Farewell>,
    pub(crate) slot: Arc<Mutex<Slot>>,
    /// Not written yet. While there is some, no line is taken.
    pub(crate) out: BytesMut,
    /// The socket takes nothing more; the server's Close may still be on its way to us.
    pub(crate) mute: bool,
    /// What the slot said last.
    pub(crate) printing: bool,
}

impl Session {
    pub(crate) fn run(mut self, inbox: &mpsc::Receiver<Input>) -> Result<(), Failure> {
        loop {
            let (now, mut floor) = (self.clock.elapsed(), Duration::ZERO);
            if let Some(receiver) = self.take_news(now) {
                self.write(); // the server may have ended its side only
                return self.end(receiver);
            }
            match self.timers.poll(now) {
                Due::Ping(payload) => {
                    lock(&self.slot).ping = Some(payload);
                    let _ = self.sender.ping(&payload, &mut self.out);
                }
                Due::Abort(Timeout::Pong) => {
                    return Err(Failure(4, "the server is silent: no answer to a ping".into()));
                }
                // What it said is still being printed.
                Due::Abort(_) if self.printing => floor = STUCK,
                // Both Closes have passed, so a server that does not hang up may be hung up on.
                Due::Abort(_) if self.sender.want() == Want::AwaitEof => {
                    let _ = self.socket.shutdown(Shutdown::Both);
                    floor = STUCK;
                }
                Due::Abort(_) => return Err(Failure(4, "the server did not close in time".into())),
                Due::Nothing | Due::Close(_) => {}
            }
            self.write();
            if !self.out.is_empty() {
                continue;
            }
            let patience = self.timers.next().map(|due| due.saturating_sub(self.clock.elapsed()));
            let first = inbox.recv_timeout(patience.unwrap_or(Duration::MAX).max(floor));
            for input in first.into_iter().chain(inbox.try_iter().take(16)) {
                self.take(input);
            }
        }
    }

    /// What the reading thread has told since; its half, when the transport has ended.
    fn take_news(&mut self, now: Duration) -> Option<Receiver> {
        let mut slot = lock(&self.slot);
        let (printing, unwanted, ping) = (slot.printing, slot.unwanted, slot.ping);
        let left = Slot { printing, unwanted, ping, ..Slot::default() };
        let news = mem::replace(&mut *slot, left);
        drop(slot);
        self.printing = news.printing;
        if news.heard || news.printing {
            self.timers.heard(now);
        }
        if let Some(payload) = news.pong {
            self.timers.pong(&payload, now);
        }
        if let Some(reply) = news.reply {
            self.sender.reply(&reply, &mut self.out);
        }
        if news.unwanted {
            self.close(CloseCode::GOING_AWAY, "");
        }
        if self.mute || !self.sender.is_open() {
            self.timers.phase(Phase::Closing, now);
        }
        news.ended
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Slot => {}
            Input::End => match self.farewell {
                Some((code, reason)) => self.close(code, &reason),
                None => self.close(CloseCode::NORMAL, ""),
            },
            Input::Line(line) => match String::from_utf8(line) {
                // It can only fail because the connection is closing.
                Ok(text) => drop(self.sender.send_text(&text, &mut self.out)),
                Err(_) => complain("a line that is not UTF-8 was not sent"),
            },
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        if self.sender.close(code, reason, &mut self.out).is_ok() {
            self.timers.phase(Phase::Closing, self.clock.elapsed());
        }
    }

    /// Writes what there is to write, unless that takes too long.
    fn write(&mut self) {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(size) => {
                    self.out.advance(size);
                    if !self.out.is_empty() {
                        self.timers.backlog(self.clock.elapsed());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_temporary(&error) => return,
                Err(_) => {
                    self.mute = true;
                    self.out.clear();
                }
            }
            if self.out.is_empty() {
                self.sender.flush(&mut self.out); // a Pong that was held back
            }
        }
        if self.sender.want() == Want::CloseNow {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }

    fn end(mut self, mut receiver: Receiver) -> Result<(), Failure> {
        let error = receiver.error();
        let ((code, reason), clean) = (receiver.eof(), self.sender.eof());
        match (error, u16::from(code)) {
            (Some(error), _) => Err(Failure(4, format!("the server broke the protocol: {error}"))),
            (None, 1000 | 1001 | 1005) if clean => Ok(()),
            (None, _) if clean => {
                let reason = (!reason.is_empty()).then(|| format!(" {reason:?}"));
                let reason = reason.unwrap_or_default();
                Err(Failure(4, format!("closed with {code}{reason}")))
            }
            (None, _) => Err(Failure(4, "the connection was lost".into())),
        }
    }
}
