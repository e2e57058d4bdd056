// cargo run --example h3_server [CERTIFICATE.PEM]
//! WebSockets over HTTP/3 (RFC 9220): each a stream of a QUIC connection.

mod h3_stream;
mod socket;

use h3_stream::{H3Stream, OF_A_REQUEST, REQUEST_INCOMPLETE, read_settings, send_settings};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, TransportConfig};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use socket::{Socket, echo::echo};
use sockless::handshake::{Accept, PseudoHeaders, Request, ResponseParts};
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(file, made.cert.pem())?;
    }
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h3".to_vec()];
    let config = QuicServerConfig::try_from(config)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(config));
    let mut transport = TransportConfig::default();
    // QUIC ends a connection that is idle for 30 s, as quinn has it; our Pings come as seldom.
    transport.keep_alive_interval(Some(Duration::from_secs(10)));
    // Streams that nobody reads hold a window each; a client needs three (RFC 9114 section 6.2).
    transport.max_concurrent_uni_streams(8_u8.into());
    config.transport_config(Arc::new(transport));
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse()?)?;
    println!("listening on {}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let served = match incoming.await {
                Ok(connection) => serve(connection).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = served {
                complain(error);
            }
        });
    }
    Ok(())
}

/// One connection, any number of streams.
async fn serve(connection: Connection) -> io::Result<()> {
    let _control = send_settings(&connection).await?;
    let _settings = read_settings(connection.clone());
    loop {
        let (send, receive) = connection.accept_bi().await?;
        tokio::spawn(async move {
            if let Err(error) = answer(send, receive).await {
                complain(error);
            }
        });
    }
}

/// One stream.
async fn answer(send: SendStream, receive: RecvStream) -> io::Result<()> {
    let config = server_config();
    let mut stream = H3Stream::new(send, receive);
    stream.code = REQUEST_INCOMPLETE;
    let head = timeout(config.open_timeout, stream.read_head(&OF_A_REQUEST)).await??;
    let pseudo = PseudoHeaders {
        method: head.pseudo(":method").unwrap_or_default(),
        protocol: head.pseudo(":protocol"),
        scheme: head.pseudo(":scheme"),
        authority: head.pseudo(":authority"),
        path: head.pseudo(":path"),
    };
    complain(format_args!("{} {} HTTP/3", pseudo.method, pseudo.path.unwrap_or_default()));
    let opened = Request::extended(pseudo, head.fields(), &config)
        .and_then(|asked| Accept::new(&asked).prefer(&SPOKEN).respond(config.clone()));
    match opened {
        Ok((response, connection, agreed)) => {
            respond(&mut stream, &response).await?;
            echo(Socket::new(stream, connection, config, &[]), &agreed).await
        }
        Err(refusal) => {
            let response = refusal.respond();
            respond(&mut stream, &response).await?;
            stream.write_all(response.body()).await?;
            stream.shutdown().await
        }
    }
}

async fn respond(stream: &mut H3Stream, response: &ResponseParts) -> io::Result<()> {
    let status = response.status().to_string();
    let status = std::iter::once((":status", status.as_bytes()));
    stream.send_head(status.chain(response.fields())).await
}
