//! permessage-deflate: messages inflated and deflated, through whole connections.
//!
//! `flate2` is zlib-rs used plainly on the same data: one codec, reset for each message unless the
//! context is taken over, into a buffer that is kept and large enough. It is the floor. Who hands
//! messages out cannot keep the buffer: `flate2-owned` makes a new one for each message, and fills
//! it first, since safe code can inflate into nothing else; `zlib-rs-owned` leaves that out.
//! Without takeover a loop lends its codecs to the connection whose turn it is, and the room for a
//! message in any case (`Pool`), and so does `ours`; who keeps nothing between messages makes a
//! codec and a buffer for each: `ours-fresh`, `flate2-fresh`. `ours-codec` is our codec alone, into
//! a buffer that is kept: what is between it and `ours` is the connection's. `utf8` are messages
//! marked as text, where `flate2` is followed by the check of `core::str`; so is
//! `ours-and-core-str`, which had its own.

use bytes::BytesMut;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput,
    measurement::WallTime,
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use futures_util::SinkExt;
use sockless::deflate::{Context, Contexts, Deflater, Inflater, Policy, WindowBits};
use sockless::frame::Opcode;
use sockless::{Config, Connection, Event, Keys, Pool};
use sockless_benches::{READ, Wire, criterion, frame, noise, now, text, wtx as adapter};
use sockudo_ws::deflate::{DeflateDecoder, DeflateEncoder, DeflateWindowBits};
use std::hint::black_box;
use std::sync::Arc;
use wtx::collection::Vector;
use wtx::web_socket::{OpCode, WebSocketPayloadOrigin};
use yawc::{Frame, Options, Role, WebSocket};
use zlib_rs::{Inflate, InflateFlush};

const SIZES: [usize; 5] = [140, 1 << 10, 16 << 10, 256 << 10, 1 << 20];
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn policy() -> Policy {
    let mut policy = Policy::server();
    (policy.threshold, policy.server_max_window_bits) = (0, WindowBits::MAX);
    policy
}

fn connection(server: bool, takeover: bool) -> Connection {
    let mut config = Config::default();
    (config.deflate, config.max_frame) = (Some(policy()), 2 << 20);
    let context = Context::new(WindowBits::MAX, takeover);
    let connection = if server {
        Connection::server(Arc::new(config))
    } else {
        Connection::client(Arc::new(config), Keys::system())
    };
    connection.with_deflate(Contexts { inflate: context, deflate: context })
}

fn yawc(role: Role, takeover: bool, bytes: Vec<u8>) -> WebSocket<Wire> {
    let mut options = Options::default().with_balanced_compression().with_limits(4 << 20, 8 << 20);
    if !takeover {
        options = options.server_no_context_takeover().client_no_context_takeover();
    }
    let extensions = if takeover { "permessage-deflate" } else { NO_TAKEOVER };
    WebSocket::from_stream_with_extensions(Wire::new(bytes), role, Some(extensions), options)
        .expect("options that fit")
}

/// Inflates a payload without its tail, read as every connection reads; how much it became. Not
/// with `decompress_vec`, which fills all of the unused capacity each time it is called.
fn plain_inflate(
    decoder: &mut Decompress,
    takeover: bool,
    payload: &[u8],
    scratch: &mut [u8],
    room: &mut [u8],
) -> usize {
    if !takeover {
        decoder.reset(false);
    }
    let (before, mut len) = (decoder.total_out(), 0);
    for piece in payload.chunks(READ).chain([&TAIL[..]]) {
        let read = &mut scratch[..piece.len()];
        read.copy_from_slice(piece);
        decoder.decompress(read, &mut room[len..], FlushDecompress::Sync).expect("DEFLATE");
        len = (decoder.total_out() - before) as usize;
    }
    len
}

/// The same into a new buffer, which safe code has to fill first.
fn filled_inflate(
    decoder: &mut Decompress,
    takeover: bool,
    payload: &[u8],
    scratch: &mut [u8],
    size: usize,
) -> Vec<u8> {
    let mut room = Vec::with_capacity(size + 64);
    black_box(&mut room).resize(size + 64, 0);
    let len = plain_inflate(decoder, takeover, payload, scratch, &mut room);
    room.truncate(len);
    room
}

/// The same into a new buffer that nobody fills.
fn unfilled_inflate(
    decoder: &mut Inflate,
    takeover: bool,
    payload: &[u8],
    scratch: &mut [u8],
    size: usize,
) -> Vec<u8> {
    if !takeover {
        decoder.reset(false);
    }
    let mut room = Vec::with_capacity(size + 64);
    for piece in payload.chunks(READ).chain([&TAIL[..]]) {
        let read = &mut scratch[..piece.len()];
        read.copy_from_slice(piece);
        let before = decoder.total_out();
        let spare = room.spare_capacity_mut();
        decoder.decompress_uninit(read, spare, InflateFlush::SyncFlush).expect("DEFLATE");
        let written = (decoder.total_out() - before) as usize;
        // SAFETY: the decoder has written that many bytes of the spare capacity.
        unsafe { room.set_len(room.len() + written) };
    }
    room
}

/// The length of what a connection hands out, reading as every connection reads.
fn received(
    connection: &mut Connection,
    wire: &[u8],
    scratch: &mut [u8],
    out: &mut BytesMut,
    check: impl Fn(&str),
) -> usize {
    let mut length = 0;
    for piece in wire.chunks(READ) {
        scratch[..piece.len()].copy_from_slice(piece);
        let mut input = &mut scratch[..piece.len()];
        while let Some(event) = connection.receive(&mut input, out) {
            length = match black_box(&event) {
                Event::Binary(data) => data.len(),
                Event::Text(text) => {
                    check(text);
                    text.len()
                }
                event => panic!("{event:?}"),
            };
            connection.recycle(event);
        }
    }
    length
}

/// A text, marked as one.
fn inflate_utf8(group: &mut Group<'_>, size: usize, message: &[u8]) {
    let mut payload = BytesMut::new();
    Deflater::new(Context::new(WindowBits::MAX, false), &policy()).compress(
        message,
        true,
        &mut payload,
    );
    let wire = frame(Opcode::Text, true, false, &payload);
    let (mut ours, mut pool) = (connection(false, true), Pool::new());
    ours.borrow_from(&mut pool);
    let (mut scratch, mut out) = (vec![0; READ], BytesMut::new());
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            assert_eq!(received(&mut ours, &wire, &mut scratch, &mut out, |_| ()), size);
        });
    });
    group.bench_function(BenchmarkId::new("ours-and-core-str", size), |bencher| {
        bencher.iter(|| {
            let check = |text: &str| assert!(str::from_utf8(black_box(text.as_bytes())).is_ok());
            assert_eq!(received(&mut ours, &wire, &mut scratch, &mut out, check), size);
        });
    });
    let mut decoder = Decompress::new(false);
    let mut room = vec![0; size + 64];
    group.bench_function(BenchmarkId::new("flate2", size), |bencher| {
        bencher.iter(|| {
            let len = plain_inflate(&mut decoder, true, &payload, &mut scratch, &mut room);
            assert_eq!(str::from_utf8(&room[..len]).map(str::len), Ok(size));
        });
    });
    let mut peer = yawc(Role::Client, true, wire.clone());
    group.bench_function(BenchmarkId::new("yawc", size), |bencher| {
        bencher.iter(|| {
            let frame = now(peer.next_frame()).expect("a message");
            assert_eq!(black_box(frame).payload().len(), size);
        });
    });
}

fn inflate(group: &mut Group<'_>, takeover: bool, size: usize, message: &[u8]) {
    let mut payload = BytesMut::new();
    Deflater::new(Context::new(WindowBits::MAX, false), &policy()).compress(
        message,
        true,
        &mut payload,
    );
    let wire = frame(Opcode::Binary, true, false, &payload);

    let (mut ours, mut pool) = (connection(false, takeover), Pool::new());
    let (mut scratch, mut out) = (vec![0; READ], BytesMut::new());
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            ours.borrow_from(&mut pool);
            assert_eq!(received(&mut ours, &wire, &mut scratch, &mut out, |_| ()), size);
            ours.return_to(&mut pool);
        });
    });
    group.bench_function(BenchmarkId::new("ours-fresh", size), |bencher| {
        bencher.iter(|| {
            assert_eq!(received(&mut ours, &wire, &mut scratch, &mut out, |_| ()), size);
        });
    });
    let limits = policy().limits(1 << 20);
    let context = Context::new(WindowBits::MAX, takeover);
    let (mut codec, mut kept) = (None, Vec::with_capacity(size + 320));
    group.bench_function(BenchmarkId::new("ours-codec", size), |bencher| {
        bencher.iter(|| {
            let inflater = codec.get_or_insert_with(|| Inflater::new(context));
            kept.clear();
            for piece in payload.chunks(READ) {
                let mut rest = &mut scratch[..piece.len()];
                rest.copy_from_slice(piece);
                loop {
                    let progress =
                        inflater.inflate(rest, &mut kept, size, limits).expect("DEFLATE");
                    rest = &mut rest[progress.consumed..];
                    if !progress.more {
                        break;
                    }
                }
            }
            inflater.finish(limits).expect("a whole message");
            assert_eq!(kept.len(), size);
            context.settle(&mut codec);
        });
    });
    let mut decoder = Decompress::new(false);
    let mut room = vec![0; size + 64];
    group.bench_function(BenchmarkId::new("flate2", size), |bencher| {
        bencher.iter(|| {
            let len = plain_inflate(&mut decoder, takeover, &payload, &mut scratch, &mut room);
            assert_eq!(black_box(&room[..len]).len(), size);
        });
    });
    group.bench_function(BenchmarkId::new("flate2-owned", size), |bencher| {
        bencher.iter(|| {
            let room = filled_inflate(&mut decoder, takeover, &payload, &mut scratch, size);
            assert_eq!(black_box(room).len(), size);
        });
    });
    let mut unfilled = Inflate::new(false, 15);
    group.bench_function(BenchmarkId::new("zlib-rs-owned", size), |bencher| {
        bencher.iter(|| {
            let room = unfilled_inflate(&mut unfilled, takeover, &payload, &mut scratch, size);
            assert_eq!(black_box(room).len(), size);
        });
    });
    if !takeover {
        let mut peer: adapter::Peer<_, _, true> =
            adapter::peer(adapter::compression::<true>(), Wire::new(wire.clone()));
        let mut kept = Vector::new();
        group.bench_function(BenchmarkId::new("wtx", size), |bencher| {
            bencher.iter(|| {
                let read = peer.read_frame(&mut kept, WebSocketPayloadOrigin::Adaptive);
                let message = now(read).expect("a message");
                assert_eq!(black_box(message.payload()).len(), size);
            });
        });
        group.bench_function(BenchmarkId::new("flate2-fresh", size), |bencher| {
            bencher.iter(|| {
                let mut decoder = Decompress::new(false);
                let room = filled_inflate(&mut decoder, true, &payload, &mut scratch, size);
                assert_eq!(black_box(room).len(), size);
            });
        });
    }
    let mut peer = yawc(Role::Client, takeover, wire.clone());
    group.bench_function(BenchmarkId::new("yawc", size), |bencher| {
        bencher.iter(|| {
            let frame = now(peer.next_frame()).expect("a message");
            assert_eq!(black_box(frame).payload().len(), size);
        });
    });
    let mut peer = DeflateDecoder::new(DeflateWindowBits::Bits15, !takeover);
    group.bench_function(BenchmarkId::new("sockudo-ws-codec", size), |bencher| {
        bencher.iter(|| {
            let data = peer.decompress(&payload, 1 << 20).expect("a message");
            assert_eq!(black_box(data).len(), size);
        });
    });
}

/// What the payload of its frame inflates to.
fn wtx_sends(message: &[u8]) -> Vec<u8> {
    let frame = adapter::frame::<_, false>(adapter::compression::<false>(), message);
    let payload = &frame[match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    }..];
    let (mut decoder, mut scratch) = (Decompress::new(false), vec![0; READ]);
    filled_inflate(&mut decoder, true, payload, &mut scratch, message.len())
}

fn deflate(group: &mut Group<'_>, takeover: bool, size: usize, message: &[u8]) {
    let (mut ours, mut pool) = (connection(true, takeover), Pool::new());
    let mut out = BytesMut::new();
    group.bench_function(BenchmarkId::new("ours", size), |bencher| {
        bencher.iter(|| {
            out.clear();
            ours.borrow_from(&mut pool);
            ours.send_binary(message, &mut out).expect("an open connection");
            ours.return_to(&mut pool);
            black_box(&out);
        });
    });
    if !takeover {
        group.bench_function(BenchmarkId::new("ours-fresh", size), |bencher| {
            bencher.iter(|| {
                out.clear();
                ours.send_binary(message, &mut out).expect("an open connection");
                black_box(&out);
            });
        });
    }
    let context = Context::new(WindowBits::MAX, takeover);
    let (mut codec, mut kept) = (None, BytesMut::with_capacity(size + size / 8 + 64));
    group.bench_function(BenchmarkId::new("ours-codec", size), |bencher| {
        bencher.iter(|| {
            kept.clear();
            let deflater = codec.get_or_insert_with(|| Deflater::new(context, &policy()));
            deflater.compress(message, true, &mut kept);
            black_box(&kept);
            context.settle(&mut codec);
        });
    });
    let mut encoder = Compress::new(Compression::default(), false);
    let mut room = vec![0; size + size / 8 + 64];
    group.bench_function(BenchmarkId::new("flate2", size), |bencher| {
        bencher.iter(|| {
            if !takeover {
                encoder.reset();
            }
            let before = encoder.total_out();
            encoder.compress(message, &mut room, FlushCompress::Sync).expect("room");
            let len = (encoder.total_out() - before) as usize;
            assert!(room[..len].ends_with(&TAIL));
        });
    });
    let mut peer = yawc(Role::Server, takeover, vec![0]);
    let owned = bytes::Bytes::copy_from_slice(message);
    group.bench_function(BenchmarkId::new("yawc", size), |bencher| {
        bencher.iter_batched(
            || Frame::binary(owned.clone()),
            |frame| now(peer.send(frame)).expect("sent"),
            BatchSize::PerIteration,
        );
    });
    // Of 1 MiB of noise it drops the end: it takes a message that was read for one that was
    // written.
    if !takeover && wtx_sends(message) == message {
        let mut peer: adapter::Peer<_, _, false> =
            adapter::peer(adapter::compression::<false>(), adapter::Output::default());
        let mut message = message.to_vec();
        group.bench_function(BenchmarkId::new("wtx", size), |bencher| {
            bencher.iter(|| {
                let mut frame = wtx::web_socket::Frame::new_fin(OpCode::Binary, &mut message[..]);
                now(peer.write_frame(&mut frame)).expect("sent");
            });
        });
    }
    let mut peer = DeflateEncoder::new(DeflateWindowBits::Bits15, !takeover, 6, 0);
    group.bench_function(BenchmarkId::new("sockudo-ws-codec", size), |bencher| {
        bencher.iter(|| black_box(peer.compress(message).expect("compressed")));
    });
}

fn main() {
    let mut criterion: Criterion = criterion();
    for (kind, data) in [("text", text as fn(usize) -> Vec<u8>), ("noise", noise)] {
        for (name, takeover) in [("", false), ("-takeover", true)] {
            for size in SIZES {
                let message = data(size);
                let mut group = criterion.benchmark_group(format!("inflate{name}-{kind}"));
                group.throughput(Throughput::Bytes(size as u64)).sampling_mode(SamplingMode::Flat);
                inflate(&mut group, takeover, size, &message);
                group.finish();
                if takeover && kind == "text" {
                    let mut group = criterion.benchmark_group("inflate-takeover-utf8");
                    group.throughput(Throughput::Bytes(size as u64));
                    inflate_utf8(group.sampling_mode(SamplingMode::Flat), size, &message);
                    group.finish();
                }
                if takeover && kind == "noise" {
                    continue; // the same as without, and slow
                }
                let mut group = criterion.benchmark_group(format!("deflate{name}-{kind}"));
                group.throughput(Throughput::Bytes(size as u64)).sampling_mode(SamplingMode::Flat);
                deflate(&mut group, takeover, size, &message);
                group.finish();
            }
        }
    }
    criterion.final_summary();
}
