// cargo run --example h3_client ADDRESS CERTIFICATE.PEM
//! The conversation's client over HTTP/3 (RFC 9220).

mod h3_stream;
mod socket;

use h3_stream::{H3Stream, read_head, read_settings, send_head, send_settings};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use socket::talk::{offer, talk, target};
use sockless::Keys;
use sockless::handshake::Asking;
use sockless_embed::conversation::client_config;
use std::error::Error;
use std::sync::Arc;

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
    let allowed = read_settings(connection.clone()).await?;

    let (asking, request) =
        Asking::extended(client_config(), Keys::system(), &offer(&target), allowed)
            .ok_or("not allowed")?;
    let pseudo = request.pseudo();
    let mut fields: Vec<_> = [
        (":method", Some(pseudo.method)),
        (":protocol", pseudo.protocol),
        (":scheme", pseudo.scheme),
        (":authority", pseudo.authority),
        (":path", pseudo.path),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    for (name, value) in request.fields() {
        fields.push((name, std::str::from_utf8(value)?));
    }
    let (mut send, mut receive) = connection.open_bi().await?;
    send_head(&mut send, fields).await?;
    let head = read_head(&mut receive).await?;
    let status = head.get(":status").unwrap_or_default().parse()?;
    let fields = head.as_ref().iter().filter(|(name, _)| !name.starts_with(':'));
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let Some((websocket, agreed)) = asking.receive(status, fields)? else {
        return Err(format!("refused with {status}").into());
    };
    let stream = H3Stream::new(send, receive);
    print!("{}", talk(stream, websocket, &agreed, Vec::new()).await?);
    connection.close(0x100_u32.into(), b""); // H3_NO_ERROR
    endpoint.wait_idle().await;
    Ok(())
}
