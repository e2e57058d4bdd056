//! A server's handshake over anything that tokio reads and writes.

use bytes::BytesMut;
use sockless::handshake::{Accept, Agreed, Asked, FieldError, Request, Server};
use sockless::{Config, Connection};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

/// A connection, and what came behind the handshake.
pub type Opened<T> = (T, Connection, Agreed, Vec<u8>);

/// `None` if the client was refused, and has had the time to read why.
pub async fn accept<T>(
    mut io: T,
    config: Arc<Config>,
    decide: impl for<'r> FnOnce(&'r Request<'r>) -> Result<Accept<'r>, FieldError>,
) -> io::Result<Option<Opened<T>>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = Instant::now() + config.open_timeout;
    let mut server = Server::new(config);
    let (mut scratch, mut out) = ([0; 4096], BytesMut::new());
    loop {
        let n = timeout_at(deadline, io.read(&mut scratch)).await??;
        let mut input = &mut scratch[..n];
        let opened = match server.receive(&mut input, &mut out) {
            None if n == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => continue,
            Some(Asked::Upgrade(request)) => {
                let accept = decide(&request).map_err(io::Error::other)?;
                server.accept(accept, &mut out).ok()
            }
            Some(_) => None,
        };
        timeout_at(deadline, io.write_all(&out)).await??;
        timeout_at(deadline, io.flush()).await??;
        if let Some((connection, agreed)) = opened {
            return Ok(Some((io, connection, agreed, input.to_vec())));
        }
        // To close with input unread would reset the connection, and could destroy the answer.
        let end = async {
            io.shutdown().await?;
            while io.read(&mut scratch).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout_at(deadline, end).await; // all is said, however it ends
        return Ok(None);
    }
}
