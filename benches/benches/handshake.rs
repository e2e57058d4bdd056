//! A server's opening handshake: a browser's request of 608 bytes in one read, the 101 out.
//!
//! The floor finds the ends of the lines, hashes the key and copies an answer: no rule is checked.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use criterion::BenchmarkId;
use sockless::Config;
use sockless::handshake::{Accept, Asked, Server};
use sockless_benches::{Wire, criterion, now};
use std::hint::black_box;
use std::sync::Arc;
use tokio_util::compat::TokioAsyncReadCompatExt;
use wtx::web_socket::WebSocketAcceptor;

const REQUEST: &str = "GET /chat/room?id=42 HTTP/1.1\r\nHost: server.example:8080\r\n\
    Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\n\
    Origin: http://server.example:8080\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";

fn request() -> Vec<u8> {
    let padding = 608 - REQUEST.len() - "X-Padding: \r\n\r\n".len();
    format!("{REQUEST}X-Padding: {}\r\n\r\n", "x".repeat(padding)).into_bytes()
}

fn floor(request: &[u8], out: &mut Vec<u8>) {
    let (mut start, mut key) = (0, &b""[..]);
    for end in memchr::memchr_iter(b'\n', request) {
        let line = &request[start..end];
        start = end + 1;
        if line.len() == 44 && line.starts_with(b"Sec-WebSocket-Key: ") {
            key = &line[19..43];
        }
    }
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut accept = [0; 28];
    STANDARD.encode_slice(sha1.digest().bytes(), &mut accept).expect("28 bytes");
    out.extend_from_slice(ANSWER);
    out.extend_from_slice(&accept);
    out.extend_from_slice(b"\r\n\r\n");
}

fn main() {
    let mut criterion = criterion();
    let mut group = criterion.benchmark_group("handshake-server");
    let bytes = Bytes::from(request());
    let size = bytes.len();

    let config = Arc::new(Config::default());
    let (mut scratch, mut out) = (bytes.to_vec(), BytesMut::with_capacity(1 << 10));
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            out.clear();
            scratch.copy_from_slice(&bytes);
            let mut server = Server::new(Arc::clone(&config));
            let asked = server.receive(&mut &mut scratch[..], &mut out);
            let Some(Asked::Upgrade(request)) = asked else { panic!("a request") };
            let opened = server.accept(Accept::new(&request), &mut out);
            black_box(opened.expect("the same host"));
        });
    });
    let mut room = Vec::with_capacity(1 << 10);
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| {
            room.clear();
            scratch.copy_from_slice(&bytes);
            floor(black_box(&scratch), &mut room);
            black_box(&room);
        });
    });
    assert_eq!(&out[..], &room[..], "the same answer");
    group.bench_function(BenchmarkId::new("tungstenite", size), |bencher| {
        bencher.iter(|| black_box(tungstenite::accept(Wire::new(bytes.clone())).is_ok()));
    });
    group.bench_function(BenchmarkId::new("tokio-websockets", size), |bencher| {
        let server = tokio_websockets::ServerBuilder::new();
        bencher.iter(|| black_box(now(server.accept(Wire::new(bytes.clone()))).is_ok()));
    });
    group.bench_function(BenchmarkId::new("soketto", size), |bencher| {
        use soketto::handshake::server::{Response, Server};
        bencher.iter(|| {
            let mut server = Server::new(Wire::new(bytes.clone()).compat());
            let key = now(server.receive_request()).expect("a request").key();
            now(server.send_response(&Response::Accept { key, protocol: None })).expect("sent");
            black_box(server.into_builder());
        });
    });
    group.bench_function(BenchmarkId::new("wtx", size), |bencher| {
        bencher.iter(|| {
            let server = WebSocketAcceptor::default();
            black_box(now(server.accept(Wire::new(bytes.clone()))).expect("accepted"));
        });
    });
    group.bench_function(BenchmarkId::new("sockudo-ws", size), |bencher| {
        use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
        bencher.iter(|| {
            scratch.copy_from_slice(&bytes);
            let (request, _) = parse_request(&scratch).expect("a request").expect("all of it");
            black_box(build_response(&generate_accept_key(request.key), None, None));
        });
    });
    group.finish();
    criterion.final_summary();
}
