//! The load: connections which keep a number of messages in flight each.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Bytes of a message.
    pub(crate) size: usize,
    pub(crate) connections: usize,
    /// Messages that a connection has under way.
    pub(crate) in_flight: usize,
}

pub(crate) struct Clients {
    poll: Poll,
    load: Load,
    clients: Vec<Client>,
    /// As many frames as are ever written at once.
    frames: Vec<u8>,
    frame: usize,
    /// Bytes of an answer.
    answer: usize,
    scratch: Vec<u8>,
    done: usize,
    /// No message is begun any more.
    ending: bool,
}

struct Client {
    socket: TcpStream,
    /// Whether an answer has come.
    answered: bool,
    /// Bytes allowed to be written; and of the current frame, how many are.
    credit: usize,
    written: usize,
    /// Bytes of the answer that is coming.
    read: usize,
}

impl Load {
    /// Connects all; without a handshake the frames are just bytes that come back as they are.
    pub(crate) fn connect(self, address: SocketAddr, handshake: bool) -> io::Result<Clients> {
        let frame = frame(self.size);
        let answer = if handshake { frame.len() - KEY.len() } else { frame.len() };
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for token in 0..self.connections {
            let mut socket = std::net::TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            if handshake {
                socket.write_all(REQUEST)?;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    socket.read_exact(&mut byte)?;
                    head.extend(byte);
                }
                assert!(head.starts_with(b"HTTP/1.1 101"), "not accepted");
            }
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(token), both)?;
            let credit = self.in_flight * frame.len();
            clients.push(Client { socket, answered: false, credit, written: 0, read: 0 });
        }
        // At least one whole frame from any place within the first.
        let many = self.in_flight.min((128 << 10) / frame.len()) + 1;
        let (frames, frame) = (frame.repeat(many), frame.len());
        let scratch = vec![0; 256 << 10];
        Ok(Clients {
            poll,
            load: self,
            clients,
            frames,
            frame,
            answer,
            scratch,
            done: 0,
            ending: false,
        })
    }
}

impl Clients {
    /// Goes on for so long; how many messages came back.
    pub(crate) fn drive(&mut self, time: Duration) -> io::Result<f64> {
        let (end, before) = (Instant::now() + time, self.done);
        let mut events = Events::with_capacity(1024);
        for slot in 0..self.clients.len() {
            self.turn(slot)?;
        }
        while Instant::now() < end {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                self.turn(event.token().0)?;
            }
        }
        assert!(self.done > before, "nothing comes back");
        Ok(f64::from(u32::try_from(self.done - before).unwrap_or(u32::MAX)))
    }

    /// Whether every connection has been answered.
    pub(crate) fn all_answered(&self) -> bool {
        self.clients.iter().all(|client| client.answered)
    }

    /// Waits for what is under way.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.ending = true;
        let all = self.load.in_flight * self.frame;
        let mut events = Events::with_capacity(1024);
        while self.clients.iter().any(|client| client.credit < all) {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                self.turn(event.token().0)?;
            }
        }
        self.ending = false;
        Ok(())
    }

    fn turn(&mut self, slot: usize) -> io::Result<()> {
        let Self { load, clients, frames, frame, answer, scratch, done, ending, .. } = self;
        let client = &mut clients[slot];
        loop {
            let mut blocked = true;
            match client.socket.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(size) => {
                    client.read += size;
                    let messages = client.read / *answer;
                    client.read %= *answer;
                    client.answered |= messages > 0;
                    *done += messages;
                    client.credit += messages * *frame;
                    blocked = size < scratch.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            loop {
                let end = match (*ending, client.written) {
                    (true, 0) => 0,
                    (true, _) => *frame,
                    (false, written) => frames.len().min(written + client.credit),
                };
                if client.written >= end {
                    break;
                }
                match client.socket.write(&frames[client.written..end]) {
                    Ok(size) => {
                        client.credit -= size;
                        client.written = (client.written + size) % *frame;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            assert!(client.credit <= load.in_flight * *frame, "more came back than went out");
            if blocked {
                return Ok(());
            }
        }
    }
}

/// A masked binary message in one frame.
fn frame(size: usize) -> Vec<u8> {
    let mut frame = vec![0x82];
    match u16::try_from(size) {
        Ok(short @ 0..126) => frame.push(0x80 | short.to_le_bytes()[0]),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((size as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend((0..size).map(|i| (i % 251) as u8));
    frame
}
