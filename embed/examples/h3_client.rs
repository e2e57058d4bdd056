// cargo run --example h3_client ADDRESS CERTIFICATE.PEM
//! The conversation's client over HTTP/3 (RFC 9220).

mod h3_stream;
mod socket;

use h3_stream::{H3Stream, OF_A_REQUEST, OF_A_RESPONSE, read_settings, send_settings};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use socket::talk::{in_time, offer, talk, target};
use sockless::Keys;
use sockless::handshake::Asking;
use sockless_embed::conversation::client_config;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// How many interim responses are passed over.
const MOST_INTERIM: u32 = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (address, certificate) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
    let endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
    let target = target("wss", &address);
    let connecting = endpoint.connect_with(config, address.parse()?, target.host())?;
    let connection = connecting.await?;
    let _control = send_settings(&connection).await?;
    let allowed = in_time(read_settings(connection.clone())).await?;

    let (asking, request) =
        Asking::extended(client_config(), Keys::system(), &offer(&target), allowed)
            .ok_or("not allowed")?;
    let pseudo = request.pseudo();
    let values =
        [Some(pseudo.method), pseudo.protocol, pseudo.scheme, pseudo.authority, pseudo.path];
    let pseudo = OF_A_REQUEST.into_iter().zip(values);
    let pseudo = pseudo.filter_map(|(name, value)| Some((name, value?.as_bytes())));
    let (send, receive) = connection.open_bi().await?;
    let mut stream = H3Stream::new(send, receive);
    stream.send_head(pseudo.chain(request.fields())).await?;
    let answer = async {
        let mut interim = 0;
        loop {
            let head = stream.read_head(&OF_A_RESPONSE).await?;
            let status = head.pseudo(":status").and_then(|status| status.parse().ok());
            let status: u16 = status.ok_or(ErrorKind::InvalidData)?;
            // "A client MUST be able to parse one or more 1xx responses received prior to a final
            // response" (RFC 9110 section 15.2); HTTP/3 has no 101.
            if !matches!(status, 100 | 102..=199) || interim == MOST_INTERIM {
                return io::Result::Ok((head, status));
            }
            interim += 1;
        }
    };
    let (head, status) = in_time(answer).await?;
    let Some((websocket, agreed)) = asking.receive(status, head.fields())? else {
        return Err(format!("refused with {status}").into());
    };
    print!("{}", talk(stream, websocket, &agreed, Vec::new()).await?);
    connection.close(0x100_u32.into(), b""); // H3_NO_ERROR
    endpoint.wait_idle().await;
    Ok(())
}
