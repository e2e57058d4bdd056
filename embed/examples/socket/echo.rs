//! What every server here does with its socket: an echo that tells what came.

use super::{BACKLOG, Socket};
use sockless::handshake::Agreed;
use sockless::{CloseCode, Event};
use sockless_embed::conversation::{agreement, end, line};
use sockless_embed::say;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncWrite};

pub async fn echo<T>(socket: Socket<T>, agreed: &Agreed) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    echo_until(pending(), socket, agreed).await
}

/// The same, and at `stop` it says goodbye, and goes on until the peer has.
pub async fn echo_until<T>(
    stop: impl Future<Output = ()>,
    mut socket: Socket<T>,
    agreed: &Agreed,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    say(agreement(agreed));
    let (mut stop, mut stopped) = (pin!(stop), false);
    loop {
        let advanced = poll_fn(|cx| {
            if !stopped && stop.as_mut().poll(cx).is_ready() {
                stopped = true;
                socket.close(CloseCode::GOING_AWAY, "the server stops");
            }
            socket.poll_advance(cx, BACKLOG)
        });
        if !advanced.await? {
            break;
        }
        let Some((event, connection, out)) = socket.event() else { continue };
        say(line(&event));
        // A message is answered while it is held. After a Close of our own there is no answer.
        let _ = match event {
            Event::Text(text) => connection.send_text(&text, out),
            Event::Binary(data) => connection.send_binary(&data, out),
            _ => Ok(()),
        };
    }
    if let Some(closed) = socket.closed() {
        say(end(closed));
    }
    Ok(())
}
