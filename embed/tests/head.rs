//! RFC 9110 section 9.3.2: an answer to HEAD is a head, whatever the answer.

#[path = "../examples/h3_stream/mod.rs"]
mod h3_stream;
mod server;

use h3_stream::{H3Stream, OF_A_RESPONSE};
use http::{Method, Request};
use rustls::pki_types::ServerName;
use server::Server;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
    let connection = server::connect(server.address, config).await;
    for (method, has_content) in [("GET", true), ("HEAD", false)] {
        let (send, receive) = connection.open_bi().await.unwrap();
        let mut stream = H3Stream::new(send, receive);
        let request =
            [(":method", method), (":scheme", "https"), (":authority", "a"), (":path", "/")];
        stream.send_head(request.into_iter()).await.unwrap();
        let head = stream.read_head(&OF_A_RESPONSE).await.unwrap();
        assert_eq!(head.pseudo(":status"), Some("405"), "{method}");
        let mut content = Vec::new();
        stream.read_to_end(&mut content).await.unwrap();
        assert_eq!(!content.is_empty(), has_content, "{method}");
    }
}
