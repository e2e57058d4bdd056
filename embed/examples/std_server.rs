//! cargo run --manifest-path embed/Cargo.toml --example std_server [ADDRESS]
//!
//! An echo over blocking sockets and a thread for each peer: the standard library and nothing else.

#[path = "common/echo.rs"]
mod echo;

use bytes::{Buf as _, BytesMut};
use echo::Echo;
use sockless::Pool;
use sockless_embed::{complain, say};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{env, thread};

/// How long the network may take nothing of what is written.
const STUCK: Duration = Duration::from_secs(10);
/// How much is written at a time: what the peer has made room for is told after each piece.
const PIECE: usize = 64 << 10;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:9010".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for socket in listener.incoming() {
        let Ok(socket) = socket else {
            thread::sleep(Duration::from_millis(100)); // out of descriptors, most likely
            continue;
        };
        // Where no thread can be had, the peer is gone again, and the others stay.
        let _ = thread::Builder::new().spawn(move || {
            serve(&socket).unwrap_or_else(|error| complain(format_args!("lost: {error}")))
        });
    }
    Ok(())
}

fn serve(mut socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(STUCK))?;
    let clock = Instant::now();
    let mut peer = Echo::new(clock.elapsed(), |line| say(line));
    let (mut scratch, mut out, mut pool) = (vec![0; 64 << 10], BytesMut::new(), Pool::new());
    loop {
        write(socket, &mut out, |out| peer.written(out, clock.elapsed()))?;
        if peer.ended() {
            let _ = socket.shutdown(Shutdown::Write); // what is wrong, the read tells
        }
        let now = clock.elapsed();
        let patience = peer.next().map(|due| due.saturating_sub(now));
        socket.set_read_timeout(patience.map(|it| it.max(Duration::from_millis(1))))?;
        match socket.read(&mut scratch) {
            Ok(0) if peer.ended() => return Ok(()),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(size) => peer.receive(&mut scratch[..size], &mut out, &mut pool, clock.elapsed()),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
        if !peer.tick(&mut out, clock.elapsed()).map_err(io::Error::other)? {
            return Ok(());
        }
    }
}

/// Writes all that waits, and tells of each piece, by which more may come to wait.
pub fn write(
    mut socket: impl Write,
    out: &mut BytesMut,
    mut written: impl FnMut(&mut BytesMut),
) -> io::Result<()> {
    while !out.is_empty() {
        let piece = out.len().min(PIECE);
        socket.write_all(&out[..piece])?;
        out.advance(piece);
        written(out);
    }
    Ok(())
}
