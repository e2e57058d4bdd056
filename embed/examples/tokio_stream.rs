// cargo run --example tokio_stream
//! An echo on tokio, its socket a `Stream` and a `Sink`: for code that is written in those.

mod socket;

use futures_util::{SinkExt as _, StreamExt as _};
use socket::messages::{Message, Messages};
use socket::{Socket, accept::accept};
use sockless::Event;
use sockless::handshake::Accept;
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use sockless_embed::{complain, say};
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await; // out of descriptors, most likely
            continue;
        };
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                complain(error);
            }
        });
    }
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let opened =
        accept(stream, server_config(), |request| Ok(Accept::new(request).prefer(&SPOKEN)));
    let Some((stream, connection, agreed, rest)) = opened.await? else { return Ok(()) };
    say(agreement(&agreed));
    let mut messages = Messages::new(Socket::new(stream, connection, server_config(), &rest));
    while let Some(event) = messages.next().await.transpose()? {
        say(line(&event));
        match event {
            Event::Text(text) => messages.feed(Message::Text(text.into_string())).await?,
            Event::Binary(data) => messages.feed(Message::Binary(data.to_vec())).await?,
            _ => {}
        }
    }
    if let Some(closed) = messages.socket.closed() {
        say(end(closed));
    }
    Ok(())
}
