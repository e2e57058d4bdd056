// cargo run --example h3_server [CERTIFICATE.PEM]
//! WebSockets over HTTP/3 (RFC 9220): each a stream of a QUIC connection.

mod h3_stream;
mod socket;

use h3_stream::{H3Stream, read_head, read_settings, send_head, send_settings};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use socket::{Socket, echo::echo};
use sockless::handshake::{Accept, PseudoHeaders, Request, ResponseParts};
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use std::io;
use std::sync::Arc;
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
    let config = quinn::ServerConfig::with_crypto(Arc::new(config));
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
async fn answer(mut send: SendStream, mut receive: RecvStream) -> io::Result<()> {
    let config = server_config();
    let head = timeout(config.open_timeout, read_head(&mut receive)).await??;
    let pseudo = PseudoHeaders {
        method: head.get(":method").unwrap_or_default(),
        protocol: head.get(":protocol"),
        scheme: head.get(":scheme"),
        authority: head.get(":authority"),
        path: head.get(":path"),
    };
    complain(format_args!("{} {} HTTP/3", pseudo.method, pseudo.path.unwrap_or_default()));
    let fields = head.as_ref().iter().filter(|(name, _)| !name.starts_with(':'));
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let opened = Request::extended(pseudo, fields, &config)
        .and_then(|asked| Accept::new(&asked).prefer(&SPOKEN).respond(config.clone()));
    match opened {
        Ok((response, connection, agreed)) => {
            respond(&mut send, &response).await?;
            let stream = H3Stream::new(send, receive);
            echo(Socket::new(stream, connection, config, &[]), &agreed).await
        }
        Err(refusal) => {
            let response = refusal.respond();
            respond(&mut send, &response).await?;
            let mut stream = H3Stream::new(send, receive);
            stream.write_all(response.body()).await?;
            stream.shutdown().await
        }
    }
}

async fn respond(send: &mut SendStream, response: &ResponseParts) -> io::Result<()> {
    let status = response.status().to_string();
    let text = |value| std::str::from_utf8(value).map_err(io::Error::other);
    let mut fields = vec![(":status", status.as_str())];
    for (name, value) in response.fields() {
        fields.push((name, text(value)?));
    }
    send_head(send, fields).await
}
