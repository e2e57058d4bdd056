//! What the peer under flood is given to read: a wire in memory that takes nothing, or all.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Brings `first`, then `again` over and over, `total` bytes in all.
pub struct Flood {
    first: &'static [u8],
    again: &'static [u8],
    total: usize,
    /// The most that one read brings.
    read: usize,
    takes_output: bool,
    at: Rc<Cell<usize>>,
}

impl Flood {
    /// Frames, in large reads, for a peer whose output nobody takes.
    pub fn frames(first: &'static [u8], again: &'static [u8], times: usize) -> Self {
        let total = first.len() + again.len() * times;
        let (read, at) = (sockless_benches::READ, Rc::default());
        Self { first, again, total, read, takes_output: false, at }
    }

    /// A head of which each read brings one byte.
    pub fn drip(first: &'static [u8], again: &'static [u8], total: usize) -> Self {
        Self { first, again, total, read: 1, takes_output: true, at: Rc::default() }
    }

    /// How much of it was read, even when it is gone.
    pub fn progress(&self) -> Rc<Cell<usize>> {
        Rc::clone(&self.at)
    }

    pub fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let len = buffer.len().min(self.total - self.at.get()).min(self.read);
        let mut room = &mut buffer[..len];
        while !room.is_empty() {
            let at = self.at.get();
            let rest = match at.checked_sub(self.first.len()) {
                Some(at) => &self.again[at % self.again.len()..],
                None => &self.first[at..],
            };
            let len = rest.len().min(room.len());
            room[..len].copy_from_slice(&rest[..len]);
            room = &mut room[len..];
            self.at.set(at + len);
        }
        len
    }
}

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.fill(buffer) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Flood {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.takes_output { Ok(bytes.len()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.fill(buffer.initialize_unfilled()) {
            0 => Poll::Pending,
            len => {
                buffer.advance(len);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.takes_output { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.takes_output { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.takes_output { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}
