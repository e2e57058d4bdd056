//! A raw TCP echo: what a server with no protocol at all costs. Its loop is that of the `echo`
//! example: a turn is one read of at most 320 KiB, and one write of what it brought.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;

const LISTENER: Token = Token(usize::MAX);
const SCRATCH: usize = 320 << 10;

struct Peer {
    socket: TcpStream,
    backlog: Vec<u8>,
}

pub(crate) fn serve() -> io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let (mut peers, mut unread, mut scratch) = (Vec::new(), Vec::new(), vec![0; SCRATCH]);
    loop {
        let patience = (!unread.is_empty()).then_some(std::time::Duration::ZERO);
        match poll.poll(&mut events, patience) {
            Ok(()) => {}
            // As when a tracer comes.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let again = mem::take(&mut unread);
        for slot in events.iter().map(|event| event.token()).chain(again) {
            if slot == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(peers.len()), both)?;
                    peers.push(Peer { socket, backlog: Vec::new() });
                }
            } else if peers.get_mut(slot.0).is_some_and(|peer| peer.turn(&mut scratch)) {
                unread.push(slot);
            }
        }
    }
}

impl Peer {
    /// Whether there may be more to read.
    fn turn(&mut self, scratch: &mut [u8]) -> bool {
        let mut full = false;
        if !self.backlog.is_empty() {
            let backlog = mem::take(&mut self.backlog);
            self.write(&backlog);
            full = true;
        }
        if !self.backlog.is_empty() {
            return false;
        }
        match self.socket.read(scratch) {
            Ok(size) if size > 0 => {
                self.write(&scratch[..size]);
                full || size == scratch.len()
            }
            _ => false,
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(size) => bytes = &bytes[size..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.backlog = bytes.to_vec();
                }
                Err(_) => return,
            }
        }
    }
}
