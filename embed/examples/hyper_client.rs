// cargo run --example hyper_client ADDRESS
//! The conversation's client where hyper speaks HTTP: the request and the response are hyper's, the
//! upgraded connection is sockless's.

mod socket;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket::talk::{in_time, offer, talk, target};
use sockless::Keys;
use sockless::handshake::Asking;
use sockless_embed::conversation::client_config;
use std::error::Error;
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("an address")?;
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            eprintln!("{error}");
        }
    });
    let target = target("ws", &address);
    let (asking, request) = Asking::upgrade(client_config(), Keys::system(), &offer(&target))?;
    let response = requests.send_request(request.map(|()| Empty::<Bytes>::new()));
    let response = in_time(response).await?;
    let Some((connection, agreed)) = asking.receive_http(&response)? else {
        return Err(format!("refused with {}", response.status()).into());
    };
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await?);
    print!("{}", talk(upgraded, connection, &agreed, Vec::new()).await?);
    Ok(())
}
