// cargo run --example tls_threads_client ADDRESS CERTIFICATE.PEM
//! The conversation's client over `wss` with rustls, no runtime.

use bytes::BytesMut;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::{Keys, Want};
use sockless_embed::conversation::{OFFERED, PATH, Script, client_config};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (address, certificate) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let target = Target::parse(&format!("wss://{address}{PATH}"))?;
    let name = ServerName::try_from(target.host().to_owned())?;
    let tls = ClientConnection::new(Arc::new(config), name)?;
    let mut tls = StreamOwned::new(tls, TcpStream::connect(&address)?);
    tls.sock.set_nodelay(true)?;
    // However the bytes drip: a program of its own would keep a deadline, as `tls_threads` does.
    tls.sock.set_read_timeout(Some(Duration::from_secs(10)))?;

    let offer = Offer::new(&target).subprotocol(OFFERED[0])?.subprotocol(OFFERED[1])?;
    let (mut scratch, mut out) = (vec![0; 16 << 10], BytesMut::new());
    let mut client = Client::start(client_config(), Keys::system(), &offer, &mut out);
    tls.write_all(&out)?;
    let mut script = loop {
        let n = tls.read(&mut scratch)?;
        let mut input = &mut scratch[..n];
        match client.receive(&mut input) {
            None if n == 0 => return Err("no answer".into()),
            None => {}
            Some(Answer::Open { connection, agreed, .. }) => {
                let mut script = Script::new(connection, &agreed);
                script.receive(input);
                break script;
            }
            Some(other) => return Err(format!("{other:?}").into()),
        }
    };
    loop {
        tls.write_all(&script.out)?;
        script.out.clear();
        if script.want() == Want::CloseNow {
            break;
        }
        match tls.read(&mut scratch) {
            // Once both Closes have passed, how the transport ends is of no interest.
            Err(error) if script.want() == Want::Read => return Err(error.into()),
            Ok(0) | Err(_) => break,
            Ok(n) => script.receive(&mut scratch[..n]),
        }
    }
    tls.conn.send_close_notify();
    let _ = tls.flush();
    let _ = tls.sock.shutdown(Shutdown::Write);
    // To close with input unread would reset the connection, and could destroy the Close.
    while tls.read(&mut scratch).is_ok_and(|n| n > 0) {}
    print!("{}", script.eof());
    Ok(())
}
