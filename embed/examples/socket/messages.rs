//! A socket as a `Stream` of events of their own and a `Sink` of messages.

use super::{BACKLOG, Socket};
use futures_util::{Sink, Stream};
use sockless::{CloseCode, Event};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

pub struct Messages<T>(pub Socket<T>);

/// What is sent.
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for Messages<T> {
    type Item = io::Result<Event<'static>>;

    /// Whatever waits to be written, it reads: what bounds that is [`Sink::poll_ready`], and a peer
    /// that does as much would wait for this one.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let socket = &mut self.get_mut().0;
        Poll::Ready(match ready!(socket.poll_advance(cx, usize::MAX)) {
            Ok(_) => socket.event().map(|(event, ..)| Ok(event.into_owned())),
            Err(error) => Some(Err(error)),
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Messages<T> {
    type Error = io::Error;

    /// There is room while the peer takes what it is sent.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.out.len() <= BACKLOG { Poll::Ready(Ok(())) } else { self.poll_flush(cx) }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        let (connection, out) = self.get_mut().0.sender();
        let sent = match message {
            Message::Text(text) => connection.send_text(&text, out),
            Message::Binary(data) => connection.send_binary(&data, out),
        };
        sent.map_err(io::Error::other)
    }

    /// Who waits here does not read meanwhile, so the timers are looked at here as well.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &mut self.get_mut().0;
        let flushed = socket.poll_flush(cx)?;
        if flushed.is_pending() {
            socket.poll_timers(cx)?;
        }
        flushed.map(Ok)
    }

    /// The closing handshake; messages that still come are dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &mut self.get_mut().0;
        socket.close(CloseCode::NORMAL, "");
        while ready!(socket.poll_advance(cx, usize::MAX))? {}
        Poll::Ready(Ok(()))
    }
}
