//! A stream of HTTP/2 as something that tokio reads and writes, with flow control as it should be:
//! what is taken is released, what is sent has been reserved, and nothing queues in between.
#![allow(dead_code, reason = "each side needs a part of it")]

use bytes::{Buf as _, Bytes};
use h2::{RecvStream, SendStream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `data_frame_budget` for both sides. Each small message is a small DATA frame, and by default h2
/// ends the connection when about a hundred of them wait to be read. With this the windows are the
/// limit: 65,535 bytes, hence as many frames.
pub const BUDGET: usize = 256 * 65_535;

/// How many connections one connection of HTTP/2 may carry; unless told, h2 has no limit, and each
/// may hold a message.
const STREAMS: u32 = 100;

/// A server that allows extended CONNECT.
pub fn server() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol().data_frame_budget(BUDGET).max_concurrent_streams(STREAMS);
    builder
}

pub struct H2Stream {
    receive: RecvStream,
    send: SendStream<Bytes>,
    /// DATA that has come, of which not all is taken.
    data: Bytes,
}

impl H2Stream {
    pub fn new(receive: RecvStream, send: SendStream<Bytes>) -> Self {
        Self { receive, send, data: Bytes::new() }
    }
}

impl AsyncRead for H2Stream {
    /// END_STREAM is the end; RST_STREAM an error, as a TCP reset is (RFC 8441 section 5).
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.data.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(data) => self.data = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.data.len().min(room.remaining());
        room.put_slice(&self.data[..n]);
        self.data.advance(n);
        // Only now may the peer send as much again: who does not read holds one window at most.
        let flow = self.receive.flow_control();
        Poll::Ready(flow.release_capacity(n).map_err(io::Error::other))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        // `poll_capacity` tells of changes: what is there already has to be asked for.
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => _ = capacity.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let n = bytes.len().min(self.send.capacity());
        let data = Bytes::copy_from_slice(&bytes[..n]);
        self.send.send_data(data, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(n))
    }

    /// The connection's task writes what the stream was given.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// END_STREAM.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream has ended already, or been reset: that is as good.
        let _ = self.send.send_data(Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}
