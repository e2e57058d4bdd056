//! RFC 9220 on real streams: what a stream is given up with, and which heads are taken.

#[path = "../examples/h3_stream/mod.rs"]
mod h3_stream;
mod server;

use h3_stream::{
    H3Stream, MESSAGE_ERROR, OF_A_REQUEST, REQUEST_CANCELLED, REQUEST_INCOMPLETE, read_settings,
    send_settings,
};
use qpack::{HeaderField, encode_stateless};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, Endpoint, ReadError, ReadToEndError, RecvStream, SendStream, ServerConfig,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use server::Server;
use sockless::frame::{Header, Opcode};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

const NO_ERROR: u64 = 0x100;

/// What a WebSocket is asked for with.
const ASKED: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":authority", "h.example"),
    (":path", "/conversation"),
    ("sec-websocket-version", "13"),
];

/// A HEADERS frame.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut payload = Vec::new();
    encode_stateless(&mut payload, fields.iter().map(|&field| HeaderField::from(field))).unwrap();
    let len = u16::try_from(payload.len()).unwrap() | 0x4000; // in two octets
    [&[1][..], &len.to_be_bytes(), &payload].concat()
}

async fn stream(connection: &Connection, bytes: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, receive) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    (send, receive)
}

/// What the stream is reset with.
async fn reset(mut receive: RecvStream) -> u64 {
    match receive.read_to_end(1 << 16).await {
        Err(ReadToEndError::Read(ReadError::Reset(code))) => code.into_inner(),
        other => panic!("{other:?}"),
    }
}

/// The status that a request is answered with.
async fn status(connection: &Connection, fields: &[(&str, &str)]) -> String {
    let (send, receive) = stream(connection, &head(fields)).await;
    status_of(send, receive).await
}

async fn status_of(send: SendStream, receive: RecvStream) -> String {
    let answer = H3Stream::new(send, receive).read_head(&[":status"]).await.unwrap();
    answer.pseudo(":status").unwrap().to_owned()
}

#[tokio::test]
async fn what_is_given_up_is_reset() {
    let (server, config) = Server::start("h3_server", "h3");
    let connection = server::connect(server.address, config).await;
    let _control = send_settings(&connection).await.unwrap();

    // A WebSocket, from the other side.
    let (mut send, mut receive) = stream(&connection, &head(&ASKED)).await;
    let mut first = [0];
    receive.read_exact(&mut first).await.unwrap();
    send.reset(REQUEST_CANCELLED.into()).unwrap();
    assert_eq!(reset(receive).await, u64::from(REQUEST_CANCELLED));

    // The other direction is not read on.
    let (send, receive) = stream(&connection, &head(&ASKED[..1])).await;
    let stopped = send.stopped().await.unwrap().unwrap().into_inner();
    assert_eq!((stopped, status_of(send, receive).await.as_str()), (NO_ERROR, "501"));

    // A head that ends too early.
    let whole = head(&ASKED);
    let (mut send, receive) = stream(&connection, &whole[..whole.len() - 1]).await;
    send.finish().unwrap();
    assert_eq!(reset(receive).await, u64::from(REQUEST_INCOMPLETE));

    // Heads that are none: fields that QPACK has not, or that come twice, late or unasked.
    let malformed = [
        [1, 3, 0, 0, 0x80].into(), // the first of a dynamic table that is empty
        head(&[&ASKED[..], &[(":foo", "x")]].concat()),
        head(&[&[(":foo", "x")], &ASKED[..]].concat()),
        head(&[&[(":status", "200")], &ASKED[..]].concat()),
        head(&[&[(":path", "/")], &ASKED[..]].concat()),
        head(&[&[("sec-websocket-version", "13")], &ASKED[..5]].concat()),
    ];
    for bytes in malformed {
        let (_send, receive) = stream(&connection, &bytes).await;
        assert_eq!(reset(receive).await, u64::from(MESSAGE_ERROR), "{bytes:02x?}");
    }
    assert_eq!(status(&connection, &ASKED).await, "200");
}

/// A peer that has ended its side without a Close is answered to the end, and ended in order.
#[tokio::test]
async fn what_was_answered_before_the_end_arrives() {
    let (server, config) = Server::start("h3_server", "h3");
    let connection = server::connect(server.address, config).await;
    let _control = send_settings(&connection).await.unwrap();
    for len in [2, 60_000_u32] {
        let payload = vec![b'x'; len as usize];
        let header = Header {
            fin: true,
            rsv1: false,
            opcode: Opcode::Text,
            mask: Some([0; 4]),
            len: len.into(),
        };
        let frame = [&header.encode().unwrap(), &payload[..]].concat();
        let data = [&[0][..], &(0x8000_0000 | frame.len() as u32).to_be_bytes(), &frame].concat();
        let (mut send, receive) = stream(&connection, &[head(&ASKED), data].concat()).await;
        send.finish().unwrap();
        let mut answered = H3Stream::new(send, receive);
        let head = answered.read_head(&[":status"]).await.unwrap();
        assert_eq!(head.pseudo(":status"), Some("200"));
        let mut echo = Vec::new();
        answered.read_to_end(&mut echo).await.unwrap();
        assert!(echo.ends_with(&payload) && echo.len() <= payload.len() + 4);
    }
}

/// No field is lost on the way to what judges them.
#[tokio::test]
async fn what_comes_twice_is_seen_twice() {
    let (server, config) = Server::start("h3_server", "h3");
    let connection = server::connect(server.address, config).await;
    let _control = send_settings(&connection).await.unwrap();
    for (fields, wanted) in [
        (&[("origin", "https://h.example")][..], "200"),
        (&[("origin", "https://evil.example")], "403"),
        (&[("origin", "https://evil.example"), ("origin", "https://h.example")], "400"),
        (&[("origin", "https://h.example"), ("origin", "https://h.example")], "400"),
        (&[("sec-websocket-version", "13")], "400"),
        (&[("cookie", "a=1"), ("cookie", "b=2")], "200"),
    ] {
        let fields = [&ASKED[..], fields].concat();
        assert_eq!(status(&connection, &fields).await, wanted, "{fields:?}");
    }
}

/// Streams that nobody reads hold a window each, so there are few.
#[tokio::test]
async fn streams_of_one_direction_are_counted() {
    let (server, config) = Server::start("h3_server", "h3");
    let connection = server::connect(server.address, config).await;
    let mut streams = Vec::new();
    let open = async {
        loop {
            streams.push(connection.open_uni().await.unwrap());
        }
    };
    assert!(timeout(Duration::from_millis(300), open).await.is_err());
    assert_eq!(streams.len(), 8);
}

/// "One or more interim responses" may come before the one that opens (RFC 9114 section 4.1).
#[tokio::test]
async fn a_client_passes_over_interim_responses() {
    let opened = "client: agreed on none, none\nclient: ended, not clean, 1006 \"\"\n";
    for (interim, wanted) in [
        ("", opened),
        ("103", opened),
        ("103 100 103", opened),
        ("101", ""),
        ("103 103 103 103 103 103 103 103", opened),
        ("103 103 103 103 103 103 103 103 103", ""),
    ] {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let name = interim.replace(' ', "-");
        let file = format!("h3-client-{name}-{}.pem", std::process::id());
        let file = std::env::temp_dir().join(file);
        std::fs::write(&file, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![b"h3".to_vec()];
        let config = QuicServerConfig::try_from(config).unwrap();
        let config = ServerConfig::with_crypto(Arc::new(config));
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let client = Command::new(server::program("h3_client"))
            .arg(endpoint.local_addr().unwrap().to_string())
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();

        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let _control = send_settings(&connection).await.unwrap();
        let _settings = read_settings(connection.clone());
        let (send, receive) = connection.accept_bi().await.unwrap();
        let mut stream = H3Stream::new(send, receive);
        let head = stream.read_head(&OF_A_REQUEST).await.unwrap();
        assert_eq!(head.pseudo(":protocol"), Some("websocket"));
        for status in interim.split_whitespace().chain(["200"]) {
            stream.send_head([(":status", status)].into_iter()).await.unwrap();
        }
        // No word more: a client that has opened hears that its transport has ended.
        stream.shutdown().await.unwrap();
        let output = client.wait_with_output().await.unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{interim}");
        assert_eq!(output.status.success(), !wanted.is_empty(), "{interim}");
    }
}
