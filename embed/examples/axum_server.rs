// cargo run --example axum_server
//! A route of axum that becomes a WebSocket, over HTTP/1.1 or HTTP/2: hyper has parsed the request,
//! sockless decides about it and takes the connection over, or the stream. What the application
//! refuses, it refuses in its own words.
//!
//! `axum::serve` waits for a head as long as that takes, and keeps a connection that asks nothing:
//! before all the world, put something in front of it that does not.

mod socket;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use socket::{Socket, echo::echo};
use sockless::handshake::{self, Accept};
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use tokio::net::TcpListener;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let router = Router::new()
        .route("/conversation", any(conversation))
        .route("/members", any(members))
        .route("/", any(|| async { "A page like any other." }));
    axum::serve(listener, router).await
}

async fn conversation(mut request: Request) -> Response {
    let config = server_config();
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let opened = handshake::Request::from_http(&request, protocol, &config)
        .and_then(|asked| Accept::new(&asked).prefer(&SPOKEN).respond(config.clone()));
    let (response, connection, agreed) = match opened {
        Ok(opened) => opened,
        Err(refusal) => return Response::<Bytes>::from(refusal.respond()).map(Body::from),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let talked = match timeout(config.open_timeout, upgrade).await {
            Ok(Ok(upgraded)) => {
                echo(Socket::new(TokioIo::new(upgraded), connection, config, &[]), &agreed).await
            }
            Ok(Err(error)) => Err(std::io::Error::other(error)),
            Err(late) => Err(late.into()),
        };
        if let Err(error) = talked {
            complain(error);
        }
    });
    Response::<Bytes>::from(response).map(Body::from)
}

/// Who may enter is the application's to know, and its answer the application's to give.
async fn members(request: Request) -> Response {
    match request.headers().get(header::AUTHORIZATION) {
        Some(secret) if secret == "Bearer of good news" => conversation(request).await,
        _ => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"members\"")];
            // Frames that were sent too early must not be read as a request; HTTP/2 has streams.
            let is_last = request.version() < Version::HTTP_2;
            let close = is_last.then_some([(header::CONNECTION, "close")]);
            (StatusCode::UNAUTHORIZED, challenge, close, "Members only.\n").into_response()
        }
    }
}
