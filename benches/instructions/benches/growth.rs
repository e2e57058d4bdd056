//! How the work grows, counted by callgrind: each row is the work on n, 2n and 4n of something.
//!
//! There is no baseline: `benches/count` looks at the ratios alone, the C library's part included,
//! so that what is copied counts. Most rows are of reads of one byte, where whatever is done again
//! for all that came before shows; n is large enough that a copy of that does, too.

mod given;

use bytes::BytesMut;
use given::{Given, binary, deflated, from_client, from_compressing, given, mixed, send, text};
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use sockless::Event;
use sockless::frame::Opcode;
use sockless::handshake::{Accept, Answer, Asked, Client, Server};
use sockless_instructions::{
    Aligned, OFFER, asking, compressed, compressing, fragments, frame, long_request, offering,
    output, patient, records, roomy, streaming, streaming_compressed, warm,
};
use std::hint::black_box;

/// No read ends before the bytes do.
const WHOLE: usize = usize::MAX;

/// One message in reads of `len` bytes, delivered whole or in chunks.
fn receive((mut connection, mut bytes, mut out): Given, len: usize) -> (Given, usize) {
    let (mut received, mut messages) = (0, 0);
    for read in bytes.bytes().chunks_mut(len) {
        let mut input = black_box(read);
        while let Some(event) = connection.receive(&mut input, &mut out) {
            let (size, last) = match black_box(event) {
                Event::Binary(data) => (data.len(), true),
                Event::Text(text) => (text.len(), true),
                Event::Chunk(chunk) => (chunk.data.len(), chunk.last),
                other => panic!("{other:?}"),
            };
            received += size;
            messages += usize::from(last);
        }
    }
    assert_eq!(messages, 1);
    ((connection, bytes, out), received)
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = binary)]
#[bench::x2(args = (131072), setup = binary)]
#[bench::x4(args = (262144), setup = binary)]
fn linear_receive(given: Given) -> (Given, usize) {
    receive(given, WHOLE)
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = binary)]
#[bench::x2(args = (32768), setup = binary)]
#[bench::x4(args = (65536), setup = binary)]
fn linear_receive_bytes(given: Given) -> (Given, usize) {
    receive(given, 1)
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = mixed)]
#[bench::x2(args = (32768), setup = mixed)]
#[bench::x4(args = (65536), setup = mixed)]
fn linear_text_bytes(given: Given) -> (Given, usize) {
    receive(given, 1)
}

fn in_fragments(count: usize) -> Given {
    given(patient(), &fragments(Opcode::Text, 1, &text(count)))
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = in_fragments)]
#[bench::x2(args = (32768), setup = in_fragments)]
#[bench::x4(args = (65536), setup = in_fragments)]
fn linear_fragments(given: Given) -> (Given, usize) {
    receive(given, WHOLE)
}

fn streamed(len: usize) -> Given {
    given(streaming(), &frame(Opcode::Text, true, &text(len)))
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = streamed)]
#[bench::x2(args = (32768), setup = streamed)]
#[bench::x4(args = (65536), setup = streamed)]
fn linear_streamed(given: Given) -> (Given, usize) {
    receive(given, 1)
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = deflated)]
#[bench::x2(args = (131072), setup = deflated)]
#[bench::x4(args = (262144), setup = deflated)]
fn linear_inflate(given: Given) -> (Given, usize) {
    receive(given, WHOLE)
}

#[library_benchmark]
#[bench::x1(args = (32768), setup = deflated)]
#[bench::x2(args = (65536), setup = deflated)]
#[bench::x4(args = (131072), setup = deflated)]
fn linear_inflate_bytes(given: Given) -> (Given, usize) {
    receive(given, 1)
}

fn deflated_text(len: usize) -> Given {
    let [frame] = compressed(Opcode::Text, false, [&records(len)]);
    given(compressing(false), &frame)
}

#[library_benchmark]
#[bench::x1(args = (32768), setup = deflated_text)]
#[bench::x2(args = (65536), setup = deflated_text)]
#[bench::x4(args = (131072), setup = deflated_text)]
fn linear_inflate_text_bytes(given: Given) -> (Given, usize) {
    receive(given, 1)
}

fn streamed_deflated(len: usize) -> Given {
    let [frame] = compressed(Opcode::Text, false, [&records(len)]);
    given(streaming_compressed(), &frame)
}

#[library_benchmark]
#[bench::x1(args = (32768), setup = streamed_deflated)]
#[bench::x2(args = (65536), setup = streamed_deflated)]
#[bench::x4(args = (131072), setup = streamed_deflated)]
fn linear_streamed_inflate(given: Given) -> (Given, usize) {
    receive(given, 1)
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = from_client)]
#[bench::x2(args = (131072), setup = from_client)]
#[bench::x4(args = (262144), setup = from_client)]
fn linear_send(given: Given) -> Given {
    send(given)
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = from_compressing)]
#[bench::x2(args = (131072), setup = from_compressing)]
#[bench::x4(args = (262144), setup = from_compressing)]
fn linear_deflate(given: Given) -> Given {
    send(given)
}

/// A server, the head that it is asked by, and its output.
type Asking = (Server, Aligned, BytesMut);

fn head(len: usize) -> Asking {
    warm();
    (Server::new(roomy()), Aligned::new(&long_request(len)), output(1024))
}

/// As many offers as a list may have, in a line that is as long as a line may be.
fn offers(count: usize) -> Asking {
    let other =
        "other; name=value; quoted=\"a\\-token\"; and=one; with=more; without; any; meaning";
    asking_for(&vec![other; count - 1].join(", "))
}

/// One offer, whose parameters have no limit but the line's.
fn params(count: usize) -> Asking {
    asking_for(&format!("other{}", "; name=\"value\"".repeat(count)))
}

/// The offer that can be taken comes last.
fn asking_for(others: &str) -> Asking {
    warm();
    let request = offering(&format!("{others}, {OFFER}"));
    (Server::new(roomy()), Aligned::new(&request), output(1024))
}

/// The head in reads of `len` bytes, and the answer.
fn open((mut server, mut bytes, mut out): Asking, len: usize) -> (Aligned, BytesMut) {
    let mut reads = bytes.bytes().chunks_mut(len);
    let asked = reads.find_map(|read| server.receive(&mut black_box(read), &mut out));
    let Some(Asked::Upgrade(request)) = asked else { panic!("a request") };
    black_box(server.accept(Accept::new(&request), &mut out).expect("the same host"));
    (bytes, out)
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = head)]
#[bench::x2(args = (32768), setup = head)]
#[bench::x4(args = (65536), setup = head)]
fn linear_head(asking: Asking) -> (Aligned, BytesMut) {
    open(asking, WHOLE)
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = head)]
#[bench::x2(args = (32768), setup = head)]
#[bench::x4(args = (65536), setup = head)]
fn linear_head_bytes(asking: Asking) -> (Aligned, BytesMut) {
    open(asking, 1)
}

#[library_benchmark]
#[bench::x1(args = (16), setup = offers)]
#[bench::x2(args = (32), setup = offers)]
#[bench::x4(args = (64), setup = offers)]
fn linear_offers(asking: Asking) -> (Aligned, BytesMut) {
    open(asking, WHOLE)
}

#[library_benchmark]
#[bench::x1(args = (1024), setup = params)]
#[bench::x2(args = (2048), setup = params)]
#[bench::x4(args = (4096), setup = params)]
fn linear_params(asking: Asking) -> (Aligned, BytesMut) {
    open(asking, WHOLE)
}

#[library_benchmark]
#[bench::x1(args = (1024), setup = params)]
#[bench::x2(args = (2048), setup = params)]
#[bench::x4(args = (4096), setup = params)]
fn linear_params_bytes(asking: Asking) -> (Aligned, BytesMut) {
    open(asking, 1)
}

fn answer(len: usize) -> (Client, Aligned) {
    warm();
    asking(roomy(), len)
}

#[library_benchmark]
#[bench::x1(args = (16384), setup = answer)]
#[bench::x2(args = (32768), setup = answer)]
#[bench::x4(args = (65536), setup = answer)]
fn linear_response_bytes((mut client, mut bytes): (Client, Aligned)) -> Aligned {
    let mut reads = bytes.bytes().chunks_mut(1);
    let answer = black_box(reads.find_map(|read| client.receive(&mut black_box(read))));
    assert!(matches!(answer, Some(Answer::Open { .. })), "a connection");
    drop(answer);
    bytes
}

library_benchmark_group!(
    name = growth,
    benchmarks = [
        linear_receive,
        linear_receive_bytes,
        linear_text_bytes,
        linear_fragments,
        linear_streamed,
        linear_inflate,
        linear_inflate_bytes,
        linear_inflate_text_bytes,
        linear_streamed_inflate,
        linear_send,
        linear_deflate,
        linear_head,
        linear_head_bytes,
        linear_offers,
        linear_params,
        linear_params_bytes,
        linear_response_bytes
    ]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = [growth]
);
