//! What every server does that moves the bytes itself: a handshake, an echo, the timers and the
//! end, as one value. Bytes and the time go in, bytes to write come out; sockets are the examples'.

use bytes::BytesMut;
use sockless::handshake::{Accept, Asked, Server};
use sockless::{
    CloseCode, Connection, Due, Event, Keepalive, Phase, Pool, SendError, Timeout, Want,
};
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use std::time::Duration;

/// One peer. Time is since any origin, the same for all calls.
pub struct Echo {
    stage: Stage,
    timers: Keepalive,
    /// Is told what happens, line by line.
    note: fn(&str),
}

enum Stage {
    Opening(Option<Server>),
    Open(Box<Connection>),
    /// All is said. Once it is written: shut down writing, and drop what is read until the peer's
    /// end. To close with input unread would reset the connection, and could destroy the Close.
    Ended,
}

impl Echo {
    pub fn new(now: Duration, note: fn(&str)) -> Self {
        let config = server_config();
        let timers = Keepalive::new(config.clone(), now);
        Self { stage: Stage::Opening(Some(Server::new(config))), timers, note }
    }

    /// Takes what was read, all of it. What that obliges to is in `out`. The pool is for all peers,
    /// whose turns come one after the other.
    pub fn receive(
        &mut self,
        mut input: &mut [u8],
        out: &mut BytesMut,
        pool: &mut Pool,
        now: Duration,
    ) {
        self.timers.heard(now);
        if let Stage::Opening(handshake) = &mut self.stage {
            let opened = match handshake.as_mut().and_then(|it| it.receive(&mut input, out)) {
                None => return,
                Some(Asked::Upgrade(request)) => handshake
                    .take()
                    .and_then(|it| it.accept(Accept::new(&request).prefer(&SPOKEN), out).ok()),
                Some(_) => None,
            };
            let Some((connection, agreed)) = opened else {
                return self.end(now); // refused; the response is in `out`
            };
            (self.note)(&agreement(&agreed));
            self.timers.phase(Phase::Open, now);
            self.stage = Stage::Open(Box::new(connection));
        }
        let Stage::Open(connection) = &mut self.stage else { return };
        connection.borrow_from(pool);
        while let Some(event) = connection.receive(&mut input, out) {
            (self.note)(&line(&event));
            let sent = match &event {
                Event::Text(text) => connection.send_text(text, out),
                Event::Binary(data) => connection.send_binary(data, out),
                Event::Pong(data) => {
                    self.timers.pong(data, now);
                    Ok(())
                }
                _ => Ok(()), // Pongs and Closes are in `out`
            };
            // After a Close of our own, messages still come and cannot be answered.
            assert!(matches!(sent, Ok(()) | Err(SendError::Closed)));
            connection.recycle(event);
        }
        connection.return_to(pool);
        if connection.want() != Want::Read {
            (self.note)(&end(&connection.eof()));
            self.end(now);
        }
    }

    /// When to [`tick`](Self::tick) next.
    pub fn next(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Does what the time has come for. False says to drop the transport, whose end is all that is
    /// missing; an error, that it is lost.
    pub fn tick(&mut self, out: &mut BytesMut, now: Duration) -> Result<bool, Timeout> {
        match (self.timers.poll(now), &mut self.stage) {
            (Due::Abort(_), Stage::Ended) if out.is_empty() => return Ok(false),
            (Due::Abort(why), _) => return Err(why),
            (Due::Ping(payload), Stage::Open(connection)) => _ = connection.ping(&payload, out),
            (Due::Close(_), Stage::Open(connection)) => {
                let _ = connection.close(CloseCode::GOING_AWAY, "idle", out);
                self.timers.phase(Phase::Closing, now);
            }
            _ => {}
        }
        Ok(true)
    }

    /// A write took some of `out`. If it took the rest, the Pong that was held back meanwhile is
    /// added, if there is one.
    pub fn written(&mut self, out: &mut BytesMut, now: Duration) {
        if !out.is_empty() {
            self.timers.backlog(now);
        } else if let Stage::Open(connection) = &mut self.stage {
            connection.flush(out);
        }
    }

    /// Whether nothing more will be in `out`.
    pub fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    fn end(&mut self, now: Duration) {
        self.stage = Stage::Ended;
        self.timers.phase(Phase::Closing, now);
    }
}
