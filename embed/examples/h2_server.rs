// cargo run --example h2_server [CERTIFICATE.PEM]
//! WebSockets over HTTP/2 (RFC 8441): a page by GET, connections by extended CONNECT, all of them
//! streams of one TLS connection.

mod h2_stream;
mod socket;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2_stream::H2Stream;
use http::{Method, Response};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use socket::{Socket, echo::echo};
use sockless::handshake::{Accept, Request};
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long a connection may have no stream.
const IDLE: Duration = Duration::from_secs(30);

const PAGE: &str = include_str!("page/talk.html");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(file, made.cert.pem())?;
    }
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
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

/// One connection, any number of streams.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let limit = server_config().open_timeout;
    let stream = timeout(limit, acceptor.accept(stream)).await??;
    let mut connection = timeout(limit, h2_stream::server().handshake(stream)).await??;
    let streams = Arc::new(());
    loop {
        let accepted = match timeout(IDLE, connection.accept()).await {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return Ok(()),
            Err(_) if Arc::strong_count(&streams) > 1 => continue, // they have timers of their own
            Err(late) => return Err(late.into()),
        };
        let ((request, respond), stream) = (accepted?, Arc::clone(&streams));
        tokio::spawn(async move {
            let _stream = stream;
            if let Err(error) = answer(request, respond).await {
                complain(error);
            }
        });
    }
}

/// One stream.
async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    complain(format_args!("{} {} {:?}", request.method(), request.uri().path(), request.version()));
    // "The HEAD method is identical to GET except that the server MUST NOT send content in the
    // response" (RFC 9110 section 9.3.2).
    let is_head = request.method() == Method::HEAD;
    if is_head || request.method() == Method::GET {
        let page = Response::builder().header("content-type", "text/html").body(())?;
        let mut stream = respond.send_response(page, is_head)?;
        if !is_head {
            stream.send_data(PAGE.into(), true)?;
        }
        return Ok(());
    }
    let config = server_config();
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let opened = Request::from_http(&request, protocol, &config)
        .and_then(|asked| Accept::new(&asked).prefer(&SPOKEN).respond(config.clone()));
    let (response, connection, agreed) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            let (head, body) = Response::<Bytes>::from(refusal.respond()).into_parts();
            respond.send_response(Response::from_parts(head, ()), false)?.send_data(body, true)?;
            return Ok(());
        }
    };
    let response = Response::<Bytes>::from(response).map(drop);
    let stream = H2Stream::new(request.into_body(), respond.send_response(response, false)?);
    Ok(echo(Socket::new(stream, connection, config, &[]), &agreed).await?)
}
