//! The program of an example as a server over TLS or QUIC, and what a client of it needs.
#![allow(dead_code, reason = "each test needs a part of it")]

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A number that no other server of this process has.
fn next() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Where the program of an example is.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

/// A connection over QUIC.
pub async fn connect(address: SocketAddr, config: rustls::ClientConfig) -> Connection {
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.connect_with(config, address, "127.0.0.1").unwrap().await.unwrap()
}

pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// The program of an example, and what a client needs to trust it.
    pub fn start(name: &str, protocol: &str) -> (Self, rustls::ClientConfig) {
        let file =
            std::env::temp_dir().join(format!("{name}-{}-{}.pem", std::process::id(), next()));
        let mut process =
            Command::new(program(name)).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&file).unwrap()).unwrap();
        std::fs::remove_file(file).unwrap();
        let mut config =
            rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        (Self { process, address }, config)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
