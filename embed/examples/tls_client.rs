// cargo run --example tls_client ADDRESS CERTIFICATE.PEM
//! The conversation's client over `wss` on tokio-rustls, which trusts one certificate.

mod socket;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use socket::talk::{connect, in_time, talk, target};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (address, certificate) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let target = target("wss", &address);
    let name = ServerName::try_from(target.host().to_owned())?;
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let stream = in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await?;
    let (stream, connection, agreed, rest) = connect(stream, &target).await?;
    print!("{}", talk(stream, connection, &agreed, rest).await?);
    Ok(())
}
