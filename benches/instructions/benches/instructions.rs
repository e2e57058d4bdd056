//! Instructions of the hot paths, counted by callgrind: the same number on every run.
//!
//! `benches/count` runs this, leaves out what the C library does (its copies differ from processor
//! to processor), and compares with `baseline.tsv`. The rows `linear_*` have no baseline: each is
//! the work on n, 2n and 4n bytes, and what is checked is that it grows no faster.

use bytes::BytesMut;
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use sockless::frame::{Expect, Header, Kind, Opcode};
use sockless::handshake::{Accept, Answer, Asked, Client, Server};
use sockless::mask::Mask;
use sockless::{Connection, Event};
use sockless_instructions::{
    Aligned, KEY, REQUEST, asking, client, compressed, compressing, frame, long_request, noise,
    output, records, server, warm,
};
use std::hint::black_box;
use std::sync::Arc;

/// A connection, what it is given, and where it writes.
type Given = (Connection, Aligned, BytesMut);

fn given(connection: Connection, bytes: &[u8]) -> Given {
    warm();
    (connection, Aligned::new(bytes), output(bytes.len() + 64))
}

fn to_mask(len: usize) -> Aligned {
    warm();
    // As in a frame from a client whose length takes two bytes.
    Aligned::new(&noise(len + 8))
}

#[library_benchmark]
#[bench::n125(args = (125), setup = to_mask)]
#[bench::n1024(args = (1024), setup = to_mask)]
#[bench::n16384(args = (16384), setup = to_mask)]
fn mask(mut bytes: Aligned) -> Aligned {
    Mask::new(KEY).apply(black_box(&mut bytes.bytes()[8..]));
    bytes
}

fn headers(long: bool) -> Vec<u8> {
    warm();
    frame(Opcode::Binary, true, &noise(if long { 70_000 } else { 125 }))
}

#[library_benchmark]
#[bench::short(args = (false), setup = headers)]
#[bench::long(args = (true), setup = headers)]
fn header_parse(bytes: Vec<u8>) -> Vec<u8> {
    let expect = Expect::unlimited(true);
    assert!(black_box(Header::parse(black_box(&bytes), &expect)).is_ok());
    bytes
}

fn binary(len: usize) -> Given {
    given(server(), &frame(Opcode::Binary, true, &noise(len)))
}

fn ascii(len: usize) -> Given {
    given(server(), &frame(Opcode::Text, true, &vec![b'a'; len]))
}

fn mixed(len: usize) -> Given {
    given(server(), &frame(Opcode::Text, true, &"größer ".repeat(len / 9).into_bytes()))
}

fn deflated(len: usize) -> Given {
    given(compressing(), &compressed(&records(len)))
}

/// Everything that comes of the bytes, given at once.
fn receive((mut connection, mut bytes, mut out): Given) -> (Given, usize) {
    let (mut input, mut len) = (black_box(bytes.bytes()), 0);
    while let Some(event) = connection.receive(&mut input, &mut out) {
        match black_box(event) {
            Event::Binary(data) => len += data.len(),
            Event::Text(text) => len += text.len(),
            other => panic!("{other:?}"),
        }
    }
    ((connection, bytes, out), len)
}

/// The same, given byte by byte.
fn receive_bytes((mut connection, mut bytes, mut out): Given) -> (Given, usize) {
    let mut len = 0;
    for byte in bytes.bytes().chunks_mut(1) {
        let mut input = byte;
        while let Some(event) = connection.receive(&mut input, &mut out) {
            let Event::Binary(data) = black_box(event) else { panic!("a message") };
            len += data.len();
        }
    }
    ((connection, bytes, out), len)
}

#[library_benchmark]
#[bench::n0(args = (0), setup = binary)]
#[bench::n16(args = (16), setup = binary)]
#[bench::n125(args = (125), setup = binary)]
#[bench::n16384(args = (16384), setup = binary)]
fn receive_binary(given: Given) -> (Given, usize) {
    receive(given)
}

#[library_benchmark]
#[bench::ascii125(args = (125), setup = ascii)]
#[bench::ascii1024(args = (1024), setup = ascii)]
#[bench::mixed1024(args = (1024), setup = mixed)]
fn receive_text(given: Given) -> (Given, usize) {
    receive(given)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = deflated)]
fn inflate(given: Given) -> (Given, usize) {
    receive(given)
}

fn from_server(len: usize) -> Given {
    given(server(), &noise(len))
}

fn from_client(len: usize) -> Given {
    given(client(), &noise(len))
}

fn from_compressing(len: usize) -> Given {
    given(compressing(), &records(len))
}

fn send((mut connection, mut bytes, mut out): Given) -> Given {
    connection.send_binary(black_box(bytes.bytes()), &mut out).expect("an open connection");
    (connection, bytes, out)
}

#[library_benchmark]
#[bench::n16(args = (16), setup = from_server)]
#[bench::n125(args = (125), setup = from_server)]
#[bench::n1024(args = (1024), setup = from_server)]
fn send_server(given: Given) -> Given {
    send(given)
}

#[library_benchmark]
#[bench::n16(args = (16), setup = from_client)]
#[bench::n125(args = (125), setup = from_client)]
#[bench::n1024(args = (1024), setup = from_client)]
#[bench::n16384(args = (16384), setup = from_client)]
fn send_client(given: Given) -> Given {
    send(given)
}

#[library_benchmark]
#[bench::n125(args = (125), setup = from_server)]
#[bench::n65536(args = (65536), setup = from_server)]
fn send_header((mut connection, mut bytes, out): Given) -> Given {
    let len = bytes.bytes().len() as u64;
    assert!(black_box(connection.header(Kind::Binary, black_box(len))).is_ok());
    (connection, bytes, out)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = from_compressing)]
fn deflate(given: Given) -> Given {
    send(given)
}

fn request() -> (Server, Aligned, BytesMut) {
    warm();
    (Server::new(Arc::default()), Aligned::new(REQUEST.as_bytes()), output(1024))
}

#[library_benchmark]
#[bench::browser(setup = request)]
fn handshake_server(
    (mut server, mut bytes, mut out): (Server, Aligned, BytesMut),
) -> (Aligned, BytesMut) {
    let asked = server.receive(&mut bytes.bytes(), &mut out);
    let Some(Asked::Upgrade(request)) = asked else { panic!("a request") };
    black_box(server.accept(Accept::new(&request), &mut out).expect("the same host"));
    (bytes, out)
}

fn answer() -> (Client, Aligned) {
    warm();
    asking()
}

#[library_benchmark]
#[bench::plain(setup = answer)]
fn handshake_client((mut client, mut bytes): (Client, Aligned)) -> Aligned {
    let answer = black_box(client.receive(&mut bytes.bytes()));
    assert!(matches!(answer, Some(Answer::Open { .. })), "a connection");
    drop(answer);
    bytes
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = binary)]
#[bench::x2(args = (131072), setup = binary)]
#[bench::x4(args = (262144), setup = binary)]
fn linear_receive(given: Given) -> (Given, usize) {
    receive(given)
}

#[library_benchmark]
#[bench::x1(args = (4096), setup = binary)]
#[bench::x2(args = (8192), setup = binary)]
#[bench::x4(args = (16384), setup = binary)]
fn linear_receive_bytes(given: Given) -> (Given, usize) {
    receive_bytes(given)
}

#[library_benchmark]
#[bench::x1(args = (65536), setup = deflated)]
#[bench::x2(args = (131072), setup = deflated)]
#[bench::x4(args = (262144), setup = deflated)]
fn linear_inflate(given: Given) -> (Given, usize) {
    receive(given)
}

#[library_benchmark]
#[bench::x1(args = (8192), setup = deflated)]
#[bench::x2(args = (16384), setup = deflated)]
#[bench::x4(args = (32768), setup = deflated)]
fn linear_inflate_bytes(given: Given) -> (Given, usize) {
    receive_bytes(given)
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

/// In pieces of one byte or whole.
fn head((len, piece): (usize, usize)) -> (Server, Aligned, BytesMut, usize) {
    warm();
    let piece = if piece == 0 { len } else { piece };
    (Server::new(Arc::default()), Aligned::new(&long_request(len)), output(1024), piece)
}

fn read(
    (mut server, mut bytes, mut out, piece): (Server, Aligned, BytesMut, usize),
) -> (Server, Aligned, BytesMut) {
    let mut asked = 0;
    for bytes in bytes.bytes().chunks_mut(piece) {
        let mut input = bytes;
        asked += usize::from(black_box(server.receive(&mut input, &mut out)).is_some());
    }
    assert_eq!(asked, 1);
    (server, bytes, out)
}

#[library_benchmark]
#[bench::x1(args = ((2048, 0)), setup = head)]
#[bench::x2(args = ((4096, 0)), setup = head)]
#[bench::x4(args = ((8192, 0)), setup = head)]
fn linear_head(given: (Server, Aligned, BytesMut, usize)) -> (Server, Aligned, BytesMut) {
    read(given)
}

#[library_benchmark]
#[bench::x1(args = ((2048, 1)), setup = head)]
#[bench::x2(args = ((4096, 1)), setup = head)]
#[bench::x4(args = ((8192, 1)), setup = head)]
fn linear_head_bytes(given: (Server, Aligned, BytesMut, usize)) -> (Server, Aligned, BytesMut) {
    read(given)
}

library_benchmark_group!(
    name = paths,
    benchmarks = [
        mask,
        header_parse,
        receive_binary,
        receive_text,
        inflate,
        send_server,
        send_client,
        send_header,
        deflate,
        handshake_server,
        handshake_client
    ]
);

library_benchmark_group!(
    name = growth,
    benchmarks = [
        linear_receive,
        linear_receive_bytes,
        linear_inflate,
        linear_inflate_bytes,
        linear_send,
        linear_deflate,
        linear_head,
        linear_head_bytes
    ]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = [paths, growth]
);
