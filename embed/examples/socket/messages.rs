//! A socket as a `Stream` of events of their own and a `Sink` of messages. Its halves
//! (`StreamExt::split`) may be on two tasks.

use super::{BACKLOG, Socket};
use futures_util::task::AtomicWaker;
use futures_util::{Sink, Stream};
use sockless::{CloseCode, Event};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite};

pub struct Messages<T> {
    pub socket: Socket<T>,
    tasks: Arc<Tasks>,
}

/// Who waits. Either half reads, writes and sets the alarm, and what is waited for knows only its
/// last waker: so that is always one that wakes both.
#[derive(Default)]
struct Tasks {
    stream: AtomicWaker,
    sink: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.stream.wake();
        self.sink.wake();
    }
}

impl<T> Messages<T> {
    pub fn new(socket: Socket<T>) -> Self {
        Self { socket, tasks: Arc::default() }
    }
}

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
        let Self { socket, tasks } = self.get_mut();
        tasks.stream.register(cx.waker());
        let both = Waker::from(Arc::clone(tasks));
        let advanced = socket.poll_advance(&mut Context::from_waker(&both), usize::MAX);
        if socket.closed().is_some() {
            tasks.sink.wake(); // what it waits for may never come
        }
        Poll::Ready(match ready!(advanced) {
            Ok(_) => socket.event().map(|(event, ..)| Ok(event.into_owned())),
            Err(error) => Some(Err(error)),
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Messages<T> {
    type Error = io::Error;

    /// There is room while the peer takes what it is sent.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.out.len() <= BACKLOG { Poll::Ready(Ok(())) } else { self.poll_flush(cx) }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        let (connection, out) = self.get_mut().socket.sender();
        let sent = match message {
            Message::Text(text) => connection.send_text(&text, out),
            Message::Binary(data) => connection.send_binary(&data, out),
        };
        sent.map_err(io::Error::other)
    }

    /// Who waits here does not read meanwhile, so the timers are looked at here as well.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tasks } = self.get_mut();
        tasks.sink.register(cx.waker());
        let both = Waker::from(Arc::clone(tasks));
        let cx = &mut Context::from_waker(&both);
        let flushed = socket.poll_flush(cx)?;
        if flushed.is_pending() {
            if socket.closed().is_some() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())); // it never will be
            }
            socket.poll_timers(cx)?;
        }
        flushed.map(Ok)
    }

    /// The closing handshake; messages that still come are dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tasks } = self.get_mut();
        tasks.sink.register(cx.waker());
        let both = Waker::from(Arc::clone(tasks));
        let cx = &mut Context::from_waker(&both);
        socket.close(CloseCode::NORMAL, "");
        while ready!(socket.poll_advance(cx, usize::MAX))? {}
        Poll::Ready(Ok(()))
    }
}
