//! A client over anything that tokio reads and writes: its handshake, then the script.

use bytes::BytesMut;
use sockless::handshake::{Agreed, Answer, Client, Offer, Target};
use sockless::{Connection, Keys, Want};
use sockless_embed::conversation::{OFFERED, PATH, Script, client_config};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The script's target at an address.
pub fn target(scheme: &str, address: &str) -> Target {
    Target::parse(&format!("{scheme}://{address}{PATH}")).expect("an address")
}

/// The script's offer.
pub fn offer(target: &Target) -> Offer<'_> {
    let offers = OFFERED.iter().try_fold(Offer::new(target), |offer, name| offer.subprotocol(name));
    offers.expect("distinct tokens")
}

/// The client's handshake over HTTP/1.1.
pub async fn connect<T>(mut io: T, target: &Target) -> io::Result<(T, Connection, Agreed, Vec<u8>)>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (mut out, mut scratch) = (BytesMut::new(), [0; 4096]);
    let mut client = Client::start(client_config(), Keys::system(), &offer(target), &mut out);
    io.write_all(&out).await?;
    io.flush().await?;
    loop {
        let n = io.read(&mut scratch).await?;
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
            n = reader.read(&mut scratch) => match n? {
                0 => break,
                n => script.receive(&mut scratch[..n]),
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
    writer.shutdown().await?;
    Ok(script.eof())
}
