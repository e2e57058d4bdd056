//! A server that receives masked binary messages, in reads of 64 KiB at most. Times are for each
//! message.
//!
//! The floor copies each read into a scratch buffer, as a socket does, looks at the header and
//! unmasks in place; a message larger than a read is copied once. Every peer reads the same wire.

use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Throughput};
use futures_util::StreamExt;
use sockless::frame::Opcode;
use sockless::{Config, Connection, Event};
use sockless_benches::{KEY, READ, Wire, criterion, frame, limit, noise, now};
use std::hint::black_box;
use std::sync::Arc;
use tokio_util::codec::Decoder;
use tokio_util::compat::TokioAsyncReadCompatExt;

const SIZES: [usize; 6] = [0, 16, 125, 1 << 10, 16 << 10, 1 << 20];

fn floor(wire: &mut Wire, scratch: &mut [u8], message: &mut Vec<u8>, total: usize) -> usize {
    let (mut came, mut count) = (0, 0);
    message.clear();
    while came < total {
        let piece = wire.bring(READ);
        came += piece.len();
        if total > READ {
            message.extend_from_slice(piece);
            continue;
        }
        scratch[..piece.len()].copy_from_slice(piece);
        let mut rest = &mut scratch[..piece.len()];
        while let [_, second, tail @ ..] = rest {
            let (size, header) = match (*second & 0x7f, &*tail) {
                (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 2),
                (127, _) => unreachable!("no message of this size fits a read"),
                (size, _) => (usize::from(size), 0),
            };
            let (frame, after) = tail.split_at_mut(header + 4 + size);
            let (head, payload) = frame.split_at_mut(header + 4);
            let key = head.last_chunk().copied().unwrap_or_default();
            limit(payload, key);
            black_box(payload);
            count += 1;
            rest = after;
        }
    }
    if total > READ {
        limit(&mut message[14..], KEY);
        black_box(&message);
        count = 1;
    }
    count
}

fn rows(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let one = frame(Opcode::Binary, false, true, &noise(size));
    let count = (READ / one.len()).max(1);
    let bytes = bytes::Bytes::from(one.repeat(count));
    let total = bytes.len();
    let wire = || Wire::new(bytes.clone());
    group.throughput(Throughput::Elements(count as u64));

    let mut ours = Connection::server(Arc::new(Config::default()));
    let (mut from, mut scratch, mut out) = (wire(), vec![0; READ], BytesMut::new());
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            let (mut came, mut seen) = (0, 0);
            while came < total {
                let piece = from.bring(READ);
                came += piece.len();
                scratch[..piece.len()].copy_from_slice(piece);
                let mut input = &mut scratch[..piece.len()];
                while let Some(event) = ours.receive(&mut input, &mut out) {
                    let Event::Binary(data) = event else { panic!("a message") };
                    black_box(&data[..]);
                    seen += 1;
                }
            }
            assert_eq!(seen, count);
        });
    });
    let (mut from, mut message) = (wire(), Vec::with_capacity(total));
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| assert_eq!(floor(&mut from, &mut scratch, &mut message, total), count));
    });

    let role = tungstenite::protocol::Role::Server;
    let mut peer = tungstenite::WebSocket::from_raw_socket(wire(), role, None);
    group.bench_function(BenchmarkId::new("tungstenite", size), |bencher| {
        bencher.iter(|| (0..count).for_each(|_| drop(black_box(peer.read().expect("a message")))));
    });
    let mut peer = fastwebsockets::WebSocket::after_handshake(wire(), fastwebsockets::Role::Server);
    group.bench_function(BenchmarkId::new("fastwebsockets", size), |bencher| {
        bencher.iter(|| {
            (0..count).for_each(|_| drop(black_box(now(peer.read_frame()).expect("a message"))));
        });
    });
    let mut peer = tokio_websockets::ServerBuilder::new().serve(wire());
    group.bench_function(BenchmarkId::new("tokio-websockets", size), |bencher| {
        bencher.iter(|| {
            for _ in 0..count {
                black_box(now(peer.next()).expect("no end").expect("a message"));
            }
        });
    });
    let options = yawc::Options::default().with_limits(4 << 20, 8 << 20);
    let mut peer = yawc::WebSocket::from_stream(wire(), yawc::Role::Server, options)
        .expect("options that fit");
    group.bench_function(BenchmarkId::new("yawc", size), |bencher| {
        bencher.iter(|| {
            (0..count).for_each(|_| drop(black_box(now(peer.next_frame()).expect("a message"))));
        });
    });
    let (_, mut peer) =
        soketto::connection::Builder::new(wire().compat(), soketto::connection::Mode::Server)
            .finish();
    group.bench_function(BenchmarkId::new("soketto", size), |bencher| {
        let mut message = Vec::new();
        bencher.iter(|| {
            for _ in 0..count {
                message.clear();
                now(peer.receive_data(&mut message)).expect("a message");
                black_box(&message);
            }
        });
    });

    // These two have no socket of their own: a read is appended to a buffer.
    let (mut from, mut buffer) = (wire(), BytesMut::with_capacity(2 * READ));
    let mut peer = websocket_codec::MessageCodec::server();
    group.bench_function(BenchmarkId::new("websocket-codec", size), |bencher| {
        bencher.iter(|| {
            let (mut came, mut seen) = (0, 0);
            while came < total {
                let piece = from.bring(READ);
                came += piece.len();
                buffer.extend_from_slice(piece);
                while let Some(message) = peer.decode(&mut buffer).expect("frames") {
                    black_box(message);
                    seen += 1;
                }
            }
            assert_eq!(seen, count);
        });
    });
    let (mut from, mut buffer) = (wire(), BytesMut::with_capacity(2 * READ));
    let mut peer = sockudo_ws::protocol::Protocol::new(sockudo_ws::Role::Server, 4 << 20, 4 << 20);
    let mut messages = Vec::new();
    group.bench_function(BenchmarkId::new("sockudo-ws", size), |bencher| {
        bencher.iter(|| {
            let (mut came, mut seen) = (0, 0);
            while came < total {
                let piece = from.bring(READ);
                came += piece.len();
                buffer.extend_from_slice(piece);
                peer.process_into(&mut buffer, &mut messages).expect("frames");
                seen += messages.len();
                black_box(&messages);
                messages.clear();
            }
            assert_eq!(seen, count);
        });
    });
}

fn main() {
    let mut criterion = criterion();
    for size in SIZES {
        let mut group = criterion.benchmark_group("receive");
        rows(&mut group, size);
        group.finish();
    }
    criterion.final_summary();
}
