//! RFC 9110 section 9.3.2: an answer to HEAD is a head, whatever the answer.

#[path = "../examples/h3_stream/mod.rs"]
mod h3_stream;

use h3_stream::{H3Stream, read_head, send_head, send_settings};
use http::{Method, Request};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// The program of an example, and what a client needs to trust it.
    fn start(name: &str, protocol: &str) -> (Self, rustls::ClientConfig) {
        let test = std::env::current_exe().unwrap();
        let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
        let file = std::env::temp_dir().join(format!("{name}-head-{}.pem", std::process::id()));
        let mut process = Command::new(program).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
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

#[tokio::test]
async fn http_2() {
    let (server, config) = Server::start("h2_server", "h2");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for (method, has_content) in [(Method::GET, true), (Method::HEAD, false)] {
        let request = Request::builder().method(&method).uri("https://127.0.0.1/").body(());
        let (response, _) = requests.send_request(request.unwrap(), true).unwrap();
        let response = response.await.unwrap();
        assert!(response.status() == 200 && response.headers()["content-type"] == "text/html");
        let content = response.into_body().data().await;
        assert_eq!(content.is_some_and(|data| !data.unwrap().is_empty()), has_content, "{method}");
    }
}

#[tokio::test]
async fn http_3() {
    let (server, config) = Server::start("h3_server", "h3");
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, server.address, "127.0.0.1").unwrap();
    let connection = connecting.await.unwrap();
    let _control = send_settings(&connection).await.unwrap();
    for (method, has_content) in [("GET", true), ("HEAD", false)] {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let request =
            [(":method", method), (":scheme", "https"), (":authority", "a"), (":path", "/")];
        send_head(&mut send, request.into()).await.unwrap();
        let head = read_head(&mut receive).await.unwrap();
        assert_eq!(head.get(":status"), Some("405"), "{method}");
        let mut content = Vec::new();
        H3Stream::new(send, receive).read_to_end(&mut content).await.unwrap();
        assert_eq!(!content.is_empty(), has_content, "{method}");
    }
}
