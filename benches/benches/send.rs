//! Messages encoded into an output that is drained each time: by a server, and masked by a client
//! with a key that is given (peers that draw their own keys say so in their name).
//!
//! The floor writes header and payload, and masks it, in a `Vec` with room for them;
//! `floor-bytesmut` does the same in a [`BytesMut`]; `zeroed` masks into it while copying, as we
//! do, but into room that is filled first, as safe code has to. Headers alone, and keys, have
//! groups of their own.

use bytes::{Bytes, BytesMut};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use fastwebsockets::{Frame, OpCode, Payload};
use futures_util::SinkExt;
use sockless::frame::{Header, Opcode};
use sockless::mask::Mask;
use sockless::{Config, Connection, Keys, Kind};
use sockless_benches::{KEY, Wire, criterion, frame, limit, noise, now, wtx as adapter};
use std::hint::black_box;
use std::sync::Arc;
use tokio_util::codec::Encoder;
use wtx::web_socket::OpCode::Binary;

const SIZES: [usize; 5] = [16, 125, 1 << 10, 16 << 10, 64 << 10];

fn floor(payload: &[u8], masks: bool, out: &mut Vec<u8>) {
    out.clear();
    let bit = if masks { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => out.extend_from_slice(&[0x82, bit | len as u8]),
        len @ 126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[0x82, bit | 126, a, b]);
        }
        len => {
            out.extend_from_slice(&[0x82, bit | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if masks {
        out.extend_from_slice(&KEY);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if masks {
        limit(&mut out[start..], KEY);
    }
}

/// The same into a [`BytesMut`], as safe code can: what that buffer costs is the difference.
fn floor_bytes_mut(payload: &[u8], masks: bool, out: &mut BytesMut) {
    out.clear();
    out.reserve(14 + payload.len());
    let bit = if masks { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => out.extend_from_slice(&[0x82, bit | len as u8]),
        len @ 126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[0x82, bit | 126, a, b]);
        }
        len => {
            out.extend_from_slice(&[0x82, bit | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if masks {
        out.extend_from_slice(&KEY);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if masks {
        limit(&mut out[start..], KEY);
    }
}

/// The same, masked as it is copied, into room that safe code has to fill first.
fn zeroed(payload: &[u8], out: &mut BytesMut) {
    out.clear();
    out.reserve(14 + payload.len());
    let mask = Some(KEY);
    let len = payload.len() as u64;
    let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask, len };
    out.extend_from_slice(&header.encode().expect("a short payload"));
    let start = out.len();
    out.resize(start + payload.len(), 0);
    Mask::new(KEY).copy(payload, &mut out[start..]);
}

fn rows(group: &mut BenchmarkGroup<'_, WallTime>, client: bool, size: usize) {
    let payload = noise(size);
    let owned = Bytes::from(payload.clone());
    group.throughput(Throughput::Bytes(size as u64));
    let config = Arc::new(Config::default());
    let keys = Keys::new(|key| *key = KEY);
    let mut ours =
        if client { Connection::client(config, keys) } else { Connection::server(config) };
    let mut out = BytesMut::with_capacity(2 * size + 64);
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            out.clear();
            ours.send_binary(black_box(&payload), &mut out).expect("an open connection");
            black_box(&mut out);
        });
    });
    let mut room = Vec::with_capacity(2 * size + 64);
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| {
            floor(black_box(&payload), client, &mut room);
            black_box(&mut room);
        });
    });
    group.bench_function(BenchmarkId::new("floor-bytesmut", size), |bencher| {
        bencher.iter(|| {
            floor_bytes_mut(black_box(&payload), client, &mut out);
            black_box(&mut out);
        });
    });
    if client {
        group.bench_function(BenchmarkId::new("zeroed", size), |bencher| {
            bencher.iter(|| {
                zeroed(black_box(&payload), &mut out);
                black_box(&out[..]);
            });
        });
    }
    group.bench_function(BenchmarkId::new("fastwebsockets", size), |bencher| {
        bencher.iter(|| {
            room.clear();
            let (payload, key) = (Payload::Borrowed(black_box(&payload)), client.then_some(KEY));
            let mut frame = Frame::new(true, OpCode::Binary, key, payload);
            if client {
                frame.mask();
            }
            black_box(frame.write(&mut room));
        });
    });
    let role = if client {
        tungstenite::protocol::Role::Client
    } else {
        tungstenite::protocol::Role::Server
    };
    let mut peer = tungstenite::WebSocket::from_raw_socket(Wire::new(vec![0]), role, None);
    let name = |peer: &str| if client { format!("{peer}-own-keys") } else { peer.to_owned() };
    group.bench_function(BenchmarkId::new(name("tungstenite"), size), |bencher| {
        bencher.iter(|| peer.send(tungstenite::Message::Binary(owned.clone())).expect("sent"));
    });
    let role = if client { sockudo_ws::Role::Client } else { sockudo_ws::Role::Server };
    let mut peer = sockudo_ws::protocol::Protocol::new(role, 4 << 20, 4 << 20);
    let message = sockudo_ws::protocol::Message::binary(owned.clone());
    group.bench_function(BenchmarkId::new(name("sockudo-ws"), size), |bencher| {
        bencher.iter(|| {
            out.clear();
            peer.encode_message(black_box(&message), &mut out).expect("encoded");
            black_box(&mut out);
        });
    });
    let mut peer = websocket_codec::MessageCodec::with_masked_encode(client);
    let message = websocket_codec::Message::binary(owned.clone());
    group.bench_function(BenchmarkId::new(name("websocket-codec"), size), |bencher| {
        bencher.iter(|| {
            out.clear();
            peer.encode(black_box(&message), &mut out).expect("encoded");
            black_box(&mut out);
        });
    });
    if client {
        wtx_row::<true>(group, size, payload.clone());
    } else {
        wtx_row::<false>(group, size, payload.clone());
        let mut peer = tokio_websockets::ServerBuilder::new().serve(Wire::new(vec![0]));
        group.bench_function(BenchmarkId::new("tokio-websockets", size), |bencher| {
            bencher.iter(|| {
                now(peer.send(tokio_websockets::Message::binary(owned.clone()))).expect("sent");
            });
        });
    }
}

/// What it sends is masked where it lies, and handed to its stream in two pieces: that appends them
/// to an output.
fn wtx_row<const CLIENT: bool>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    mut payload: Vec<u8>,
) {
    let wanted = frame(Opcode::Binary, false, CLIENT, &payload);
    assert_eq!(adapter::frame::<_, CLIENT>((), &payload), wanted, "the same frame");
    let mut peer: adapter::Peer<_, _, CLIENT> = adapter::peer((), adapter::Output::default());
    group.bench_function(BenchmarkId::new("wtx", size), |bencher| {
        bencher.iter(|| {
            let payload = black_box(&mut payload[..]);
            let mut frame = wtx::web_socket::Frame::new_fin(Binary, payload);
            now(peer.write_frame(&mut frame)).expect("sent");
        });
    });
}

/// A header alone, for a payload that is written after it without a copy: made and looked at where
/// it is. To hand it on by value would measure the copy, which waits for what was just stored.
fn headers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send-header");
    let mut ours = Connection::server(Arc::new(Config::default()));
    for size in SIZES {
        group.bench_function(BenchmarkId::new("ours", size), |bencher| {
            bencher.iter(|| {
                let header = ours.header(Kind::Binary, black_box(size as u64));
                black_box(&*header.expect("an open connection"));
            });
        });
        group.bench_function(BenchmarkId::new("floor", size), |bencher| {
            bencher.iter(|| {
                let (header, len) = floor_header(black_box(size as u64));
                black_box(&header[..len]);
            });
        });
    }
    group.finish();
}

/// A masking key from the operating system: out of a block, and by a call for each.
fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys");
    let ours = Keys::system();
    group.bench_function(BenchmarkId::new("ours", "a key"), |bencher| {
        bencher.iter(|| black_box(ours.next()));
    });
    group.bench_function(BenchmarkId::new("one-call-each", "a key"), |bencher| {
        bencher.iter(|| {
            let mut key = [0; 4];
            getrandom::fill(&mut key).expect("entropy");
            black_box(key)
        });
    });
    group.finish();
}

/// The bytes, and how many they are.
fn floor_header(len: u64) -> ([u8; 10], usize) {
    match len {
        0..=125 => ([0x82, len as u8, 0, 0, 0, 0, 0, 0, 0, 0], 2),
        126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            ([0x82, 126, a, b, 0, 0, 0, 0, 0, 0], 4)
        }
        len => {
            let [a, b, c, d, e, f, g, h] = len.to_be_bytes();
            ([0x82, 127, a, b, c, d, e, f, g, h], 10)
        }
    }
}

fn main() {
    let mut criterion = criterion();
    headers(&mut criterion);
    keys(&mut criterion);
    for (name, client) in [("send-server", false), ("send-client", true)] {
        for size in SIZES {
            let mut group = criterion.benchmark_group(name);
            rows(&mut group, client, size);
            group.finish();
        }
    }
    criterion.final_summary();
}
