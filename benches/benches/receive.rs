//! A server that receives masked messages, in reads of 64 KiB at most. Times are for each message.
//!
//! The floor copies each read into a scratch buffer, as a socket does, looks at the header and
//! unmasks in place; a message larger than a read is copied once, and is unmasked then. Every peer
//! reads the same wire.
//!
//! * `receive`: binary. A loop lends the room for a message (`Pool`), and `ours` gets it back once
//!   the message is done with; `ours-fresh` makes a buffer for each. Of 1 MiB, also
//!   `ours-streamed`, in chunks that lie where they were read, and `two-copies`: the wire into the
//!   scratch buffer and that into a kept message, with nothing unmasked.
//! * `receive-in-place`: the bytes are in the scratch buffer already, as where a socket was read
//!   into it; nothing is copied, by the floor neither. The peers read into buffers of their own:
//!   what they do is the same as above.
//! * `receive-any-length`: as `receive`, of any length from 0 to the one that is named: 20 reads of
//!   messages in no order, more than a processor can learn by heart. What branches on a length
//!   cannot predict it.
//! * `receive-pieces`: a message of 1 MiB in pieces of 64 KiB, which are there already. The floor
//!   copies them into a kept buffer and unmasks that.
//! * `receive-text-ascii`, `receive-text-mixed`: `unmask-simdutf8` does what the floor of `receive`
//!   does, then validates with `simdutf8`.

use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Throughput};
use futures_util::StreamExt;
use sockless::frame::Opcode;
use sockless::{Config, Connection, Delivery, Event, Pool};
use sockless_benches::{
    KEY, READ, Wire, ascii, criterion, frame, limit, noise, now, wtx as adapter,
};
use std::hint::black_box;
use std::sync::Arc;
use tokio_util::codec::Decoder;
use tokio_util::compat::TokioAsyncReadCompatExt;
use wtx::collection::Vector;
use wtx::web_socket::WebSocketPayloadOrigin;

const SIZES: [usize; 6] = [0, 16, 125, 1 << 10, 16 << 10, 1 << 20];
const TEXT_SIZES: [usize; 5] = [16, 125, 1 << 10, 16 << 10, 1 << 20];

/// Unmasks the frames that lie whole in `rest`, and hands each to `seen`.
#[inline]
fn frames(mut rest: &mut [u8], seen: impl Fn(&[u8])) -> usize {
    let mut count = 0;
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
        seen(payload);
        count += 1;
        rest = after;
    }
    count
}

fn drop_it(payload: &[u8]) {
    black_box(payload);
}

fn validate(payload: &[u8]) {
    black_box(simdutf8::basic::from_utf8(payload).expect("text"));
}

fn floor(
    wire: &mut Wire,
    scratch: &mut [u8],
    message: &mut Vec<u8>,
    total: usize,
    seen: impl Fn(&[u8]),
) -> usize {
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
        count += frames(&mut scratch[..piece.len()], &seen);
    }
    if total > READ {
        limit(&mut message[14..], KEY);
        seen(&message[14..]);
        count = 1;
    }
    count
}

/// As many messages as a read brings, or one.
fn wire(opcode: Opcode, payload: &[u8]) -> (bytes::Bytes, usize) {
    let one = frame(opcode, false, true, payload);
    let count = (READ / one.len()).max(1);
    (one.repeat(count).into(), count)
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, size: usize, bytes: &bytes::Bytes, count: usize) {
    let mut ours = Connection::server(Arc::new(Config::default()));
    let (mut from, mut scratch, mut out) =
        (Wire::new(bytes.clone()), vec![0; READ], BytesMut::new());
    let mut receive = |ours: &mut Connection| {
        let (mut came, mut seen) = (0, 0);
        while came < bytes.len() {
            let piece = from.bring(READ);
            came += piece.len();
            scratch[..piece.len()].copy_from_slice(piece);
            let mut input = &mut scratch[..piece.len()];
            while let Some(event) = ours.receive(&mut input, &mut out) {
                match &event {
                    Event::Binary(data) => drop(black_box(&data[..])),
                    Event::Text(text) => drop(black_box(&text[..])),
                    _ => panic!("a message"),
                }
                if size > READ {
                    ours.recycle(event);
                }
                seen += 1;
            }
        }
        assert_eq!(seen, count);
    };
    let mut pool = Pool::new();
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            ours.borrow_from(&mut pool);
            receive(&mut ours);
            ours.return_to(&mut pool);
        });
    });
    if size > READ {
        group.bench_function(BenchmarkId::new("ours-fresh", size), |bencher| {
            bencher.iter(|| receive(&mut ours));
        });
    }
}

/// A message larger than a read: in chunks, and what it costs to move it into one piece.
fn large(group: &mut BenchmarkGroup<'_, WallTime>, size: usize, bytes: &bytes::Bytes) {
    let mut config = Config::default();
    config.delivery = Delivery::Streamed;
    let mut ours = Connection::server(Arc::new(config));
    let (mut from, mut scratch, mut out) =
        (Wire::new(bytes.clone()), vec![0; READ], BytesMut::new());
    group.bench_function(BenchmarkId::new("ours-streamed", size), |bencher| {
        bencher.iter(|| {
            let (mut came, mut seen, mut ends) = (0, 0, 0);
            while came < bytes.len() {
                let piece = from.bring(READ);
                came += piece.len();
                scratch[..piece.len()].copy_from_slice(piece);
                let mut input = &mut scratch[..piece.len()];
                while let Some(event) = ours.receive(&mut input, &mut out) {
                    let Event::Chunk(chunk) = event else { panic!("a chunk") };
                    seen += black_box(&chunk.data[..]).len();
                    ends += usize::from(chunk.last);
                }
            }
            assert_eq!((seen, ends), (size, 1));
        });
    });
    let mut message = Vec::with_capacity(bytes.len());
    group.bench_function(BenchmarkId::new("two-copies", size), |bencher| {
        bencher.iter(|| {
            message.clear();
            while message.len() < bytes.len() {
                let piece = from.bring(READ);
                let scratch = &mut scratch[..piece.len()];
                scratch.copy_from_slice(piece);
                message.extend_from_slice(black_box(scratch));
            }
            black_box(&message);
        });
    });
}

fn binary(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let (bytes, count) = wire(Opcode::Binary, &noise(size));
    group.throughput(Throughput::Elements(count as u64));
    ours(group, size, &bytes, count);
    let (mut from, mut scratch, mut message) =
        (Wire::new(bytes.clone()), vec![0; READ], Vec::with_capacity(bytes.len()));
    let total = bytes.len();
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| {
            assert_eq!(floor(&mut from, &mut scratch, &mut message, total, drop_it), count);
        });
    });
    if total > READ {
        large(group, size, &bytes);
    }
    peers(group, size, &bytes, count, count * size);
}

fn any_length(group: &mut BenchmarkGroup<'_, WallTime>, most: usize) {
    const READS: usize = 20;
    let (mut wire, mut count, mut payload) = (Vec::new(), 0, 0);
    for drawn in noise(2 * READS * READ).as_chunks().0 {
        // No frame is cut by the end of a read: the last one fills it. With a header of 6 bytes
        // that is one of 125 at most, with one of 8 another of 126 at least.
        let len = match READ - wire.len() % READ {
            room @ ..=131 => room - 6,
            132 | 133 => 0,
            room if room <= 8 + most => room - 8,
            room => (usize::from(u16::from_le_bytes(*drawn)) % (most + 1)).min(room - 16),
        };
        wire.extend(frame(Opcode::Binary, false, true, &noise(len)));
        (count, payload) = (count + 1, payload + len);
        if wire.len() == READS * READ {
            break;
        }
    }
    let bytes = bytes::Bytes::from(wire);
    group.throughput(Throughput::Elements(count as u64));
    ours(group, most, &bytes, count);
    let (mut from, mut scratch) = (Wire::new(bytes.clone()), vec![0; READ]);
    group.bench_function(BenchmarkId::new("floor", most), |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            for _ in 0..READS {
                scratch.copy_from_slice(from.bring(READ));
                seen += frames(&mut scratch, drop_it);
            }
            assert_eq!(seen, count);
        });
    });
    peers(group, most, &bytes, count, payload);
}

fn in_place(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let (bytes, count) = wire(Opcode::Binary, &noise(size));
    group.throughput(Throughput::Elements(count as u64));
    // What is unmasked twice is masked again: the same bytes serve every round.
    let (mut scratch, mut out) = (bytes.to_vec(), BytesMut::new());
    let mut ours = Connection::server(Arc::new(Config::default()));
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            let (mut input, mut seen) = (&mut scratch[..], 0);
            while let Some(event) = ours.receive(&mut input, &mut out) {
                let Event::Binary(data) = event else { panic!("a message") };
                black_box(&data[..]);
                seen += 1;
            }
            assert_eq!(seen, count);
        });
    });
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| assert_eq!(frames(&mut scratch, drop_it), count));
    });
    peers(group, size, &bytes, count, count * size);
}

fn pieces(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let (bytes, count) = wire(Opcode::Binary, &noise(size));
    group.throughput(Throughput::Elements(count as u64));
    // A piece is unmasked while it is copied: the same bytes serve every round.
    let (mut scratch, mut out) = (bytes.to_vec(), BytesMut::new());
    let mut ours = Connection::server(Arc::new(Config::default()));
    let mut receive = |ours: &mut Connection| {
        let mut seen = 0;
        for mut input in scratch.chunks_mut(READ) {
            while let Some(event) = ours.receive(&mut input, &mut out) {
                let Event::Binary(data) = &event else { panic!("a message") };
                black_box(&data[..]);
                ours.recycle(event);
                seen += 1;
            }
        }
        assert_eq!(seen, count);
    };
    let mut pool = Pool::new();
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            ours.borrow_from(&mut pool);
            receive(&mut ours);
            ours.return_to(&mut pool);
        });
    });
    group.bench_function(BenchmarkId::new("ours-fresh", size), |bencher| {
        bencher.iter(|| receive(&mut ours));
    });
    let mut message = Vec::with_capacity(bytes.len());
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        bencher.iter(|| {
            message.clear();
            bytes.chunks(READ).for_each(|piece| message.extend_from_slice(piece));
            limit(&mut message[14..], KEY);
            black_box(&message);
        });
    });
}

fn text(group: &mut BenchmarkGroup<'_, WallTime>, size: usize, payload: &[u8]) {
    let (bytes, count) = wire(Opcode::Text, payload);
    group.throughput(Throughput::Elements(count as u64));
    ours(group, size, &bytes, count);
    let (mut from, mut scratch, mut message) =
        (Wire::new(bytes.clone()), vec![0; READ], Vec::new());
    let total = bytes.len();
    group.bench_function(BenchmarkId::new("unmask-simdutf8", size), |bencher| {
        bencher.iter(|| {
            assert_eq!(floor(&mut from, &mut scratch, &mut message, total, validate), count);
        });
    });
    peers(group, size, &bytes, count, count * size);
}

fn peers(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    bytes: &bytes::Bytes,
    count: usize,
    payload: usize,
) {
    let total = bytes.len();
    let wire = || Wire::new(bytes.clone());

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
    let options = yawc::Options::default().with_limits(4 << 20, 8 << 20).with_utf8();
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

    let mut peer: adapter::Peer<_, _, false> = adapter::peer((), wire());
    let mut kept = Vector::new();
    group.bench_function(BenchmarkId::new("wtx", size), |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            for _ in 0..count {
                let read = peer.read_frame(&mut kept, WebSocketPayloadOrigin::Adaptive);
                let message = now(read).expect("a message");
                seen += black_box(message.payload()).len();
            }
            assert_eq!(seen, payload);
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
        binary(&mut group, size);
        group.finish();
    }
    let mut group = criterion.benchmark_group("receive-any-length");
    any_length(&mut group, 125);
    any_length(&mut group, 500);
    group.finish();
    for size in [125, 1 << 10, 16 << 10] {
        let mut group = criterion.benchmark_group("receive-in-place");
        in_place(&mut group, size);
        group.finish();
    }
    let mut group = criterion.benchmark_group("receive-pieces");
    pieces(&mut group, 1 << 20);
    group.finish();
    type Source = fn(usize) -> Vec<u8>;
    let texts: [(&str, Source); 2] =
        [("receive-text-ascii", ascii), ("receive-text-mixed", sockless_benches::text)];
    for (name, source) in texts {
        for size in TEXT_SIZES {
            let mut group = criterion.benchmark_group(name);
            text(&mut group, size, &source(size));
            group.finish();
        }
    }
    criterion.final_summary();
}
