//! cargo run --manifest-path embed/Cargo.toml --example io_uring_server [ADDRESS]
//!
//! An echo over completions: the kernel reads into a buffer and writes from one, and says when it
//! has. A peer has one operation under way at a time, so what the kernel holds is never touched.
//! Each is linked to a timeout, the next deadline of the timers. Linux; where the kernel refuses
//! io_uring, the program says so and ends with status 75.

#[path = "common/echo.rs"]
mod echo;

use bytes::{Buf, BytesMut};
use echo::Echo;
use io_uring::{IoUring, opcode, squeue, types};
use sockless::Pool;
use sockless_embed::{complain, say};
use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::slice;
use std::time::{Duration, Instant};

/// Completions that are no peer's: a connection to accept, and the end of a timeout.
const ACCEPT: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
/// The end of a pause: to accept again, where there was no descriptor left.
const PAUSE: u64 = u64::MAX - 2;

struct Peer {
    socket: TcpStream,
    echo: Echo,
    timeout: types::Timespec,
    /// The kernel fills this while a read is under way, and reads `out` while a write is.
    input: Vec<u8>,
    out: BytesMut,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9012".into());
    let mut ring = IoUring::new(256).unwrap_or_else(|error| {
        eprintln!("this kernel refuses io_uring: {error}");
        std::process::exit(75)
    });
    let (listener, clock) = (TcpListener::bind(address)?, Instant::now());
    println!("listening on {}", listener.local_addr()?);
    let (file, null) = (types::Fd(listener.as_raw_fd()), std::ptr::null_mut());
    let accept = opcode::Accept::new(file, null, null.cast()).build().user_data(ACCEPT);
    push(&mut ring, slice::from_ref(&accept))?;
    let pause = types::Timespec::from(Duration::from_millis(100));
    // By the number that its operations carry; boxed, so that its buffers stay where they are. Where
    // an error or a panic ends this loop, operations are under way: then they are never freed.
    let (mut peers, mut pool) = (ManuallyDrop::new(Vec::<Option<Box<Peer>>>::new()), Pool::new());
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let done: Vec<_> = ring.completion().map(|it| (it.user_data(), it.result())).collect();
        for (number, result) in done {
            let now = clock.elapsed();
            if number == TIMER {
                continue; // the operation that it belongs to has a completion of its own
            }
            if number == ACCEPT && result < 0 {
                // Out of descriptors, most likely: the others go on meanwhile.
                let timeout = opcode::Timeout::new(&raw const pause).build().user_data(PAUSE);
                push(&mut ring, &[timeout])?;
                continue;
            }
            if number == PAUSE {
                push(&mut ring, slice::from_ref(&accept))?;
                continue;
            }
            if number == ACCEPT {
                push(&mut ring, slice::from_ref(&accept))?;
                // SAFETY: the kernel has just opened this descriptor for this program.
                let socket = unsafe { TcpStream::from_raw_fd(result) };
                let slot = peers.iter().position(Option::is_none).unwrap_or(peers.len());
                let count = peers.len().max(slot + 1);
                peers.resize_with(count, || None);
                let peer = peers[slot].insert(Box::new(Peer::new(socket, now)?));
                peer.submit(&mut ring, slot as u64, now)?;
                continue;
            }
            let slot = &mut peers[usize::try_from(number).map_err(io::Error::other)?];
            let Some(peer) = slot else { continue };
            match peer.turn(result, &mut pool, now) {
                Ok(()) => peer.submit(&mut ring, number, now)?,
                Err(error) => {
                    if !peer.echo.ended() {
                        complain(format_args!("lost: {error}"));
                    }
                    *slot = None; // nothing of it is under way
                }
            }
        }
    }
}

fn push(ring: &mut IoUring, entries: &[squeue::Entry]) -> io::Result<()> {
    // SAFETY: an entry refers to nothing, or to what a boxed peer owns, which stays as it is until
    // its completion has come: it has no other operation, and is dropped only in its turn.
    while unsafe { ring.submission().push_multiple(entries) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}

impl Peer {
    fn new(socket: TcpStream, now: Duration) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let (echo, timeout) = (Echo::new(now, |line| say(line)), types::Timespec::new());
        Ok(Self { socket, echo, timeout, input: vec![0; 64 << 10], out: BytesMut::new() })
    }

    /// The next operation: to write what there is, else to read.
    fn submit(&mut self, ring: &mut IoUring, number: u64, now: Duration) -> io::Result<()> {
        let file = types::Fd(self.socket.as_raw_fd());
        let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let operation = if self.out.is_empty() {
            if self.echo.ended() {
                let _ = self.socket.shutdown(Shutdown::Write); // what is wrong, the read tells
            }
            opcode::Recv::new(file, self.input.as_mut_ptr(), len(self.input.len())).build()
        } else {
            let send = opcode::Send::new(file, self.out.as_ptr(), len(self.out.len()));
            send.flags(libc::MSG_NOSIGNAL).build()
        };
        let left = self.echo.next().unwrap_or(Duration::MAX).saturating_sub(now);
        self.timeout = types::Timespec::from(left);
        let timeout = opcode::LinkTimeout::new(&raw const self.timeout).build();
        let linked = operation.user_data(number).flags(squeue::Flags::IO_LINK);
        push(ring, &[linked, timeout.user_data(TIMER)])
    }

    /// Goes on from the operation that has ended.
    fn turn(&mut self, result: i32, pool: &mut Pool, now: Duration) -> io::Result<()> {
        match usize::try_from(result) {
            Ok(size) if !self.out.is_empty() => {
                self.out.advance(size);
                self.echo.written(&mut self.out, now);
            }
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(size) => self.echo.receive(&mut self.input[..size], &mut self.out, pool, now),
            Err(_) if -result == libc::ECANCELED => {} // it is time to look at the timers
            Err(_) => return Err(io::Error::from_raw_os_error(-result)),
        }
        let goes_on = self.echo.tick(&mut self.out, now).map_err(io::Error::other)?;
        if goes_on { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}
