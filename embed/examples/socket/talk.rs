//! A client over anything that tokio reads and writes: its handshake, then the script.

use bytes::BytesMut;
use sockless::handshake::{Agreed, Answer, Client, Offer, Target};
use sockless::{Connection, Keys, Want};
use sockless_embed::conversation::{OFFERED, PATH, Script, client_config};
use std::error::Error;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a server may say nothing. It is asked nothing: the script knows when it is done.
const SILENCE: Duration = Duration::from_secs(30);

/// The script's target at an address.
pub fn target(scheme: &str, address: &str) -> Target {
    Target::parse(&format!("{scheme}://{address}{PATH}")).expect("an address")
}

/// The script's offer.
pub fn offer(target: &Target) -> Offer<'_> {
    let offers = OFFERED.iter().try_fold(Offer::new(target), |offer, name| offer.subprotocol(name));
    offers.expect("distinct tokens")
}

/// What a client waits for before the conversation, for as long as that may take.
pub async fn in_time<T, E>(opening: impl Future<Output = Result<T, E>>) -> io::Result<T>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    timeout(client_config().open_timeout, opening).await?.map_err(io::Error::other)
}

/// The client's handshake over HTTP/1.1.
pub async fn connect<T>(mut io: T, target: &Target) -> io::Result<(T, Connection, Agreed, Vec<u8>)>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (mut out, mut scratch) = (BytesMut::new(), [0; 4096]);
    let mut client = Client::start(client_config(), Keys::system(), &offer(target), &mut out);
    let deadline = Instant::now() + client_config().open_timeout;
    timeout_at(deadline, io.write_all(&out)).await??;
    timeout_at(deadline, io.flush()).await??;
    loop {
        let n = timeout_at(deadline, io.read(&mut scratch)).await??;
        let mut input = &mut scratch[..n];
        return match client.receive(&mut input) {
            None if n == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            None => continue,
            Some(Answer::Open { connection, agreed, .. }) => {
                Ok((io, connection, agreed, input.to_vec()))
            }
            Some(other) => Err(io::Error::other(format!("{other:?}"))),
        };
    }
}

/// The script, once the connection is open; what it saw.
pub async fn talk<T>(
    io: T,
    connection: Connection,
    agreed: &Agreed,
    mut rest: Vec<u8>,
) -> io::Result<String>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut script = Script::new(connection, agreed);
    script.receive(&mut rest);
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut scratch = vec![0; 16 << 10];
    loop {
        // `write_buf` and `read` may be dropped: what they did not do has not been done.
        tokio::select! {
            n = timeout(SILENCE, reader.read(&mut scratch)) => match n? {
                // Once both Closes have passed, how the transport ends is of no interest.
                Err(error) if script.want() == Want::Read => return Err(error),
                Ok(0) | Err(_) => break,
                Ok(n) => script.receive(&mut scratch[..n]),
            },
            written = writer.write_buf(&mut script.out), if !script.out.is_empty() => {
                written?;
                writer.flush().await?;
            }
        }
        if script.out.is_empty() && script.want() == Want::CloseNow {
            break;
        }
    }
    let end = async {
        writer.shutdown().await?;
        // To close with input unread would reset the connection, and could destroy the Close.
        while reader.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(client_config().close_timeout, end).await; // all is said, however it ends
    Ok(script.eof())
}
