// cargo run --example h2_client ADDRESS CERTIFICATE.PEM
//! The conversation's client over HTTP/2 (RFC 8441).

mod h2_stream;
mod socket;

use h2::ext::Protocol;
use h2_stream::{BUDGET, H2Stream};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use socket::talk::{in_time, offer, talk, target};
use sockless::Keys;
use sockless::handshake::Asking;
use sockless_embed::conversation::client_config;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (address, certificate) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let target = target("wss", &address);
    let name = ServerName::try_from(target.host().to_owned())?;
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let stream = in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await?;
    let mut builder = h2::client::Builder::new();
    let (mut requests, connection) = builder.data_frame_budget(BUDGET).handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("{error}");
        }
    });

    // The server's settings are under way: whether it may be asked is in them.
    let settings = async {
        while !requests.is_extended_connect_protocol_enabled() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), settings).await?;
    let allowed = requests.is_extended_connect_protocol_enabled();
    let (asking, parts) =
        Asking::extended(client_config(), Keys::system(), &offer(&target), allowed)
            .ok_or("not allowed")?;
    let mut request = http::Request::try_from(parts)?;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let (response, send) = requests.send_request(request, false)?;
    let response = in_time(response).await?;
    let Some((connection, agreed)) = asking.receive_http(&response)? else {
        return Err(format!("refused with {}", response.status()).into());
    };
    let stream = H2Stream::new(response.into_body(), send);
    print!("{}", talk(stream, connection, &agreed, Vec::new()).await?);
    Ok(())
}
