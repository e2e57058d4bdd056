//! `fastwebsockets`, with the handshakes that it leaves to `hyper`.

use crate::Result;
use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, WebSocket, handshake, upgrade};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::TcpListener;
use tokio::net::TcpStream;

async fn echo(mut socket: WebSocket<TokioIo<Upgraded>>, limit: usize) -> Result {
    socket.set_max_message_size(limit);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                socket.write_frame(Frame::new(true, frame.opcode, None, frame.payload)).await?;
            }
            _ => {}
        }
    }
}

async fn answer(mut request: Request<Incoming>, limit: usize) -> Result<Response<Empty<Bytes>>> {
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move { echo(upgraded.await?, limit).await });
    Ok(response)
}

pub(crate) fn serve(listener: TcpListener, limit: usize) -> Result {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(move |request| answer(request, limit));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving.with_upgrades());
        }
    })
}

/// Ties the executor of `hyper` to the runtime of tokio.
struct Executor;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

pub(crate) fn connect(url: &str, limit: usize) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    runtime.block_on(async move {
        let stream = TcpStream::connect(address).await?;
        let request = Request::builder()
            .uri(format!("http://{address}/"))
            .header(HOST, address)
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())?;
        let (socket, _) = handshake::client(&Executor, request, stream).await?;
        echo(socket, limit).await
    })
}
