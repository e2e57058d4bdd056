// cargo run --example tls_server [CERTIFICATE.PEM]
//! `wss` on tokio-rustls: the same socket, over a TLS stream. The certificate is made at the start,
//! and written to a file for those who are to trust it.

mod socket;

use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use socket::{Socket, accept::accept, echo::echo};
use sockless::handshake::Accept;
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

fn acceptor() -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(file, made.cert.pem())?;
    }
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let acceptor = acceptor()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await; // out of descriptors, most likely
            continue;
        };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(acceptor, stream).await {
                complain(error);
            }
        });
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let config = server_config();
    let stream = timeout(config.open_timeout, acceptor.accept(stream)).await??;
    let opened = accept(stream, config.clone(), |request| {
        // The page of the test is a file, whose origin is no host.
        Ok(Accept::new(request).prefer(&SPOKEN).any_origin())
    });
    match opened.await? {
        Some((stream, connection, agreed, rest)) => {
            echo(Socket::new(stream, connection, config, &rest), &agreed).await
        }
        None => Ok(()),
    }
}
