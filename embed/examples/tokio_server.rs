// cargo run --example tokio_server
//! An echo on tokio: `socket` lends its events, `socket/echo` answers them.

mod socket;

use socket::{Socket, accept::accept, echo::echo};
use sockless::handshake::Accept;
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
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
    match opened.await? {
        Some((stream, connection, agreed, rest)) => {
            echo(Socket::new(stream, connection, server_config(), &rest), &agreed).await
        }
        None => Ok(()),
    }
}
