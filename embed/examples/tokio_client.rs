// cargo run --example tokio_client ADDRESS
//! The conversation's client on tokio.

mod socket;

use socket::talk::{connect, talk, target};
use std::io;
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).expect("an address");
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (stream, connection, agreed, rest) = connect(stream, &target("ws", &address)).await?;
    print!("{}", talk(stream, connection, &agreed, rest).await?);
    Ok(())
}
