//! What a turn has to say: what is small in the common buffer, what is large where it lies.

use bytes::BytesMut;
use mio::net::TcpStream;
use sockless::frame::Kind;
use sockless::{Chunk, Connection, Event, Payload, SendError, Text};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::ops::Deref;

/// From here on, one more slice to write costs less than a copy.
const LARGE: usize = 4 << 10;

/// The output of a turn. `'b` is the scratch buffer, in which most payloads still lie.
pub(crate) struct Outgoing<'a, 'b> {
    pub(crate) small: &'a mut BytesMut,
    /// Payloads, each with the number of small bytes that go before it.
    large: Vec<(usize, Lying<'b>)>,
    /// Whether a message had a buffer of its own.
    pub(crate) has_assembled: bool,
}

/// A payload where it was received.
enum Lying<'b> {
    Text(Text<'b>),
    Binary(Payload<'b>),
}

impl Deref for Lying<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }
}

impl<'a, 'b> Outgoing<'a, 'b> {
    pub(crate) fn new(small: &'a mut BytesMut) -> Self {
        Self { small, large: Vec::new(), has_assembled: false }
    }

    pub(crate) fn text(&mut self, text: Text<'b>, from: &mut Connection) -> Result<(), SendError> {
        if text.len() < LARGE || from.compresses(text.len()) {
            let sent = from.send_text(&text, self.small);
            if !text.is_borrowed() {
                self.has_assembled = true;
                from.recycle(Event::Text(text));
            }
            return sent;
        }
        self.begin(Kind::Text, text.len() as u64, from)?;
        self.has_assembled |= !text.is_borrowed();
        self.lay(Lying::Text(text));
        Ok(())
    }

    pub(crate) fn binary(
        &mut self,
        data: Payload<'b>,
        from: &mut Connection,
    ) -> Result<(), SendError> {
        if data.len() < LARGE || from.compresses(data.len()) {
            let sent = from.send_binary(&data, self.small);
            if !data.is_borrowed() {
                self.has_assembled = true;
                from.recycle(Event::Binary(data));
            }
            return sent;
        }
        self.begin(Kind::Binary, data.len() as u64, from)?;
        self.has_assembled |= !data.is_borrowed();
        self.lay(Lying::Binary(data));
        Ok(())
    }

    /// Passes a part of a message on. A message whose length is known as it begins goes behind its
    /// header, as it comes; `open` is whether this one does. Another goes in fragments, and so does
    /// one that a Pong waits beside: that may go between frames, not into one.
    pub(crate) fn chunk(
        &mut self,
        chunk: Chunk<'b>,
        open: &mut bool,
        from: &mut Connection,
    ) -> Result<(), SendError> {
        let Chunk { kind, first, last, data, .. } = chunk;
        if first {
            let len = from.to_come().filter(|_| !from.pending());
            let len = len.map(|more| more + data.len() as u64);
            let whole =
                len.filter(|len| !from.compresses(usize::try_from(*len).unwrap_or(usize::MAX)));
            if let Some(len) = whole {
                self.begin(kind, len, from)?;
            }
            *open = whole.is_some();
        }
        if !*open {
            return from.send_fragment(kind, &data, last, self.small);
        }
        *open = !last;
        self.has_assembled |= !data.is_borrowed();
        if data.len() < LARGE {
            self.small.extend_from_slice(&data);
        } else {
            self.lay(Lying::Binary(data));
        }
        Ok(())
    }

    fn begin(&mut self, kind: Kind, len: u64, from: &mut Connection) -> Result<(), SendError> {
        self.small.extend_from_slice(&from.header(kind, len)?);
        Ok(())
    }

    fn lay(&mut self, payload: Lying<'b>) {
        self.large.push((self.small.len(), payload));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    /// Writes all, in its order; what the socket does not take is returned. (The standard library
    /// writes with `MSG_NOSIGNAL`, or has the signal ignored: a peer that left is an error.)
    pub(crate) fn write(self, socket: &mut TcpStream) -> io::Result<BytesMut> {
        // What is small alone needs no list.
        let (mut only, mut slices) = ([IoSlice::new(self.small)], Vec::new());
        let mut left = if self.large.is_empty() {
            &mut only[..]
        } else {
            self.list(&mut slices);
            &mut slices[..]
        };
        while left.iter().any(|slice| !slice.is_empty()) {
            let written =
                if let [one] = left { socket.write(one) } else { socket.write_vectored(left) };
            match written {
                Ok(size) => IoSlice::advance_slices(&mut left, size),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let mut rest = BytesMut::with_capacity(left.iter().map(|slice| slice.len()).sum());
        for slice in left {
            rest.extend_from_slice(slice);
        }
        Ok(rest)
    }

    /// All that there is to write, in its order, and nothing that is empty.
    fn list<'s>(&'s self, slices: &mut Vec<IoSlice<'s>>) {
        slices.reserve_exact(2 * self.large.len() + 1);
        let mut push = |bytes: &'s [u8]| {
            if !bytes.is_empty() {
                slices.push(IoSlice::new(bytes));
            }
        };
        let mut done = 0;
        for (before, payload) in &self.large {
            push(&self.small[done..*before]);
            push(payload);
            done = *before;
        }
        push(&self.small[done..]);
    }
}
