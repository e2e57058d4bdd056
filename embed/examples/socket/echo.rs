//! What every server here does with its socket: an echo that tells what came.

use super::Socket;
use sockless::Event;
use sockless::handshake::Agreed;
use sockless_embed::conversation::{agreement, end, line};
use sockless_embed::say;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

pub async fn echo<T>(mut socket: Socket<T>, agreed: &Agreed) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    say(agreement(agreed));
    while let Some((event, connection, out)) = socket.next().await? {
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
