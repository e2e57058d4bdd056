//! `tokio-websockets`, on a thread of tokio.

use crate::Result;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::net::TcpListener;
use tokio_websockets::{ClientBuilder, Connector, Error, Limits, Message, ServerBuilder};

pub(crate) fn limits(limit: usize) -> Limits {
    Limits::default().max_payload_len(Some(limit))
}

async fn echo<S>(mut socket: S) -> Result
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

pub(crate) fn serve(listener: TcpListener, limit: usize) -> Result {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let builder = ServerBuilder::new().limits(limits(limit));
                let (_, socket) = builder.accept(stream).await?;
                echo(socket).await
            });
        }
    })
}

pub(crate) fn connect(url: &str, limit: usize) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let builder = ClientBuilder::new().uri(url)?.limits(limits(limit));
        let (socket, _) = builder.connector(&Connector::Plain).connect().await?;
        echo(socket).await
    })
}
