//! Instructions of the hot paths, counted by callgrind: the same number on every run.
//!
//! `benches/count` runs this, leaves out what the C library does (its copies differ from processor
//! to processor), and compares with `baseline.tsv`. `growth.rs` looks at longer and longer input.

mod given;

use bytes::{Bytes, BytesMut};
use given::{Given, binary, deflated, from_client, from_compressing, given, mixed, send, text};
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use sockless::deflate::Policy;
use sockless::frame::{Expect, Header, Kind, Opcode};
use sockless::handshake::{Accept, Answer, Asked, Client, Server};
use sockless::mask::Mask;
use sockless::{Chunk, Connection, Event, Inbox, Prepared};
use sockless_instructions::{
    Aligned, KEY, OFFER, REQUEST, asking, client, compressed, compressing, config, congested,
    fragments, frame, noise, offering, output, records, server, streaming, warm,
};
use std::hint::black_box;
use std::sync::Arc;

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

fn ascii(len: usize) -> Given {
    given(server(), &frame(Opcode::Text, true, &vec![b'a'; len]))
}

/// Everything that comes of the bytes, given at once.
fn receive((mut connection, mut bytes, mut out): Given) -> (Given, usize) {
    let len = read(&mut connection, black_box(bytes.bytes()), &mut out);
    ((connection, bytes, out), len)
}

/// How many bytes of messages come of a read.
#[inline(always)]
fn read(connection: &mut Connection, mut input: &mut [u8], out: &mut BytesMut) -> usize {
    let mut len = 0;
    while let Some(event) = connection.receive(&mut input, out) {
        match black_box(event) {
            Event::Binary(data) => len += data.len(),
            Event::Text(text) => len += text.len(),
            other => panic!("{other:?}"),
        }
    }
    len
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

/// As it is with every message but the first, for which nothing is set up yet.
fn next((mut connection, bytes, mut out): Given) -> Given {
    assert_eq!(connection.receive(&mut &mut [][..], &mut out), None);
    (connection, bytes, out)
}

fn next_binary(len: usize) -> Given {
    next(binary(len))
}

fn next_ascii(len: usize) -> Given {
    next(ascii(len))
}

fn next_mixed(len: usize) -> Given {
    next(mixed(len))
}

fn next_unmasked(len: usize) -> Given {
    next(given(client(), &frame(Opcode::Binary, false, &noise(len))))
}

#[library_benchmark]
#[bench::binary16(args = (16), setup = next_binary)]
#[bench::binary125(args = (125), setup = next_binary)]
#[bench::binary16384(args = (16384), setup = next_binary)]
#[bench::ascii125(args = (125), setup = next_ascii)]
#[bench::mixed1024(args = (1024), setup = next_mixed)]
#[bench::unmasked125(args = (125), setup = next_unmasked)]
fn receive_next((mut connection, mut bytes, mut out): Given) -> (Given, usize) {
    // Once, for the call that finds no more takes several times as long.
    let len = match black_box(connection.receive(&mut black_box(bytes.bytes()), &mut out)) {
        Some(Event::Binary(data)) => data.len(),
        Some(Event::Text(text)) => text.len(),
        other => panic!("{other:?}"),
    };
    ((connection, bytes, out), len)
}

/// The length of a part of a message that comes in three.
const PIECE: usize = 1024;

fn three(opcode: Opcode) -> Vec<u8> {
    match opcode {
        // Three bytes after the last whole word.
        Opcode::Text => [&text(3 * PIECE)[..], b"end"].concat(),
        _ => noise(3 * PIECE),
    }
}

fn in_one_frame(opcode: Opcode) -> Given {
    next(given(server(), &frame(opcode, true, &three(opcode))))
}

fn in_fragments(opcode: Opcode) -> Given {
    next(given(server(), &fragments(opcode, PIECE, &three(opcode))))
}

// One message in three reads.
#[library_benchmark]
#[bench::binary(args = (Opcode::Binary), setup = in_one_frame)]
#[bench::text(args = (Opcode::Text), setup = in_one_frame)]
fn receive_pieces((mut connection, mut bytes, mut out): Given) -> (Given, usize) {
    let (mut rest, mut len) = (black_box(bytes.bytes()), 0);
    // The header comes with the first.
    for size in [8 + PIECE, PIECE, PIECE] {
        let (input, after) = rest.split_at_mut(size);
        rest = after;
        len += read(&mut connection, input, &mut out);
    }
    ((connection, bytes, out), len)
}

// One message in three fragments, all in one read.
#[library_benchmark]
#[bench::binary(args = (Opcode::Binary), setup = in_fragments)]
#[bench::text(args = (Opcode::Text), setup = in_fragments)]
fn receive_fragments(given: Given) -> (Given, usize) {
    receive(given)
}

fn streamed(opcode: Opcode) -> Given {
    let payload = match opcode {
        Opcode::Text => [&text(16_384)[..], b"text"].concat(),
        _ => noise(16_384),
    };
    given(streaming(), &frame(opcode, true, &payload))
}

// A message of 16 KiB in reads of 4 KiB, passed on behind a header of its own as it comes.
#[library_benchmark]
#[bench::binary(args = (Opcode::Binary), setup = streamed)]
#[bench::text(args = (Opcode::Text), setup = streamed)]
fn pass_on((mut connection, mut bytes, mut out): Given) -> Given {
    for read in bytes.bytes().chunks_mut(4096) {
        let mut input = black_box(read);
        while let Some(event) = connection.receive(&mut input, &mut out) {
            let Event::Chunk(Chunk { kind, first, data, .. }) = black_box(event) else {
                panic!("a part of a message")
            };
            if first {
                let more = connection.to_come().expect("one frame");
                let len = data.len() as u64 + more;
                out.extend_from_slice(&connection.header(kind, len).expect("an open connection"));
            }
            out.extend_from_slice(&data);
        }
    }
    (connection, bytes, out)
}

fn streamed_mixed(len: usize) -> Given {
    next(given(streaming(), &frame(Opcode::Text, true, &text(len))))
}

fn streamed_binary(len: usize) -> Given {
    next(given(streaming(), &frame(Opcode::Binary, true, &noise(len))))
}

// All of a message in one read, handed out as one chunk.
#[library_benchmark]
#[bench::binary16(args = (16), setup = streamed_binary)]
#[bench::mixed1024(args = (1024), setup = streamed_mixed)]
fn receive_chunk((mut connection, mut bytes, mut out): Given) -> Given {
    let event = connection.receive(&mut black_box(bytes.bytes()), &mut out);
    assert!(matches!(black_box(event), Some(Event::Chunk(chunk)) if chunk.first && chunk.last));
    (connection, bytes, out)
}

/// A Pong waits for the output to be written.
fn behind_a_pong(len: usize) -> Given {
    let ping = frame(Opcode::Ping, true, b"ping");
    let (mut connection, bytes, mut out) =
        given(congested(), &frame(Opcode::Binary, true, &noise(len)));
    out.extend_from_slice(b"unwritten");
    assert!(connection.receive(&mut &mut ping.clone()[..], &mut out).is_some());
    assert!(connection.receive(&mut &mut [][..], &mut out).is_none() && connection.pending());
    (connection, bytes, out)
}

/// The header has come by itself.
fn behind_its_header(len: usize) -> Given {
    let mut frame = frame(Opcode::Binary, true, &noise(len));
    let payload = frame.split_off(frame.len() - len);
    let (mut connection, bytes, mut out) = next(given(server(), &payload));
    assert!(connection.receive(&mut &mut frame[..], &mut out).is_none());
    (connection, bytes, out)
}

// Once, for the call that finds no more takes several times as long.
#[library_benchmark]
#[bench::pong16(args = (16), setup = behind_a_pong)]
#[bench::header1024(args = (1024), setup = behind_its_header)]
fn receive_behind((mut connection, mut bytes, mut out): Given) -> Given {
    let event = connection.receive(&mut black_box(bytes.bytes()), &mut out);
    assert!(matches!(black_box(event), Some(Event::Binary(data)) if data.is_borrowed()));
    (connection, bytes, out)
}

fn inbox(len: usize) -> (Connection, Inbox, BytesMut) {
    let (connection, mut bytes, out) = next_mixed(len);
    let (mut inbox, bytes) = (Inbox::new(2 * len), bytes.bytes());
    inbox.room()[..bytes.len()].copy_from_slice(bytes);
    inbox.filled(bytes.len());
    (connection, inbox, out)
}

// Through the buffer that lends what it has read.
#[library_benchmark]
#[bench::mixed1024(args = (1024), setup = inbox)]
fn receive_inbox(
    (mut connection, mut inbox, mut out): (Connection, Inbox, BytesMut),
) -> (Connection, Inbox, BytesMut) {
    assert!(inbox.advance(&mut connection, &mut out));
    assert!(matches!(black_box(inbox.event()), Some(Event::Text(_))));
    (connection, inbox, out)
}

fn ping(len: usize) -> Given {
    next(given(server(), &frame(Opcode::Ping, true, &noise(len))))
}

// And what answers it.
#[library_benchmark]
#[bench::n4(args = (4), setup = ping)]
fn receive_ping((mut connection, mut bytes, mut out): Given) -> Given {
    let event = connection.receive(&mut black_box(bytes.bytes()), &mut out);
    assert!(matches!(black_box(event), Some(Event::Ping(_))), "a Ping");
    (connection, bytes, out)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = deflated)]
fn inflate(given: Given) -> (Given, usize) {
    receive(given)
}

/// The second of two messages, the first of which has been received.
fn deflated_second(len: usize) -> Given {
    let records = records(2 * len);
    let (first, second) = records.split_at(len);
    let [mut first, second] = compressed(Opcode::Binary, true, [first, second]);
    let (mut connection, bytes, mut out) = given(compressing(true), &second);
    assert!(connection.receive(&mut &mut first[..], &mut out).is_some());
    (connection, bytes, out)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = deflated_second)]
fn inflate_takeover(given: Given) -> (Given, usize) {
    receive(given)
}

fn from_server(len: usize) -> Given {
    given(server(), &noise(len))
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

fn text_from_client(len: usize) -> Given {
    given(client(), &text(len))
}

#[library_benchmark]
#[bench::binary1024(args = (Kind::Binary, from_client(1024)))]
#[bench::text1024(args = (Kind::Text, text_from_client(1024)))]
fn mask_in_place(kind: Kind, (mut connection, mut bytes, out): Given) -> Given {
    assert!(connection.mask_in_place(kind, black_box(bytes.bytes())).is_ok());
    (connection, bytes, out)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = from_compressing)]
fn deflate(given: Given) -> Given {
    send(given)
}

/// The second of two messages, the first of which has been sent.
fn from_second(len: usize) -> Given {
    let records = records(2 * len);
    let (first, second) = records.split_at(len);
    // By the same call: one more would be one more place where the sending half is inlined or not.
    let (connection, ..) = send(given(compressing(true), first));
    given(connection, second)
}

#[library_benchmark]
#[bench::n1024(args = (1024), setup = from_second)]
fn deflate_takeover(given: Given) -> Given {
    send(given)
}

/// A message that has been sent to one already, and the connection of another.
fn prepared(connection: Connection) -> (Connection, Prepared) {
    warm();
    let message = Prepared::binary(&records(1024)).compressed(&Policy::server());
    assert!(compressing(false).prepared(&message).is_ok_and(|frame| frame.len() < 1024));
    assert!(server().prepared(&message).is_ok_and(|frame| frame.len() > 1024));
    (connection, message)
}

#[library_benchmark]
#[bench::plain(args = (server()), setup = prepared)]
#[bench::compressed(args = (compressing(false)), setup = prepared)]
fn send_prepared(
    (mut connection, message): (Connection, Prepared),
) -> (Connection, Prepared, Bytes) {
    let frame = connection.prepared(black_box(&message)).expect("an open connection");
    (connection, message, frame)
}

fn request() -> (Server, Aligned, BytesMut) {
    warm();
    (Server::new(Arc::default()), Aligned::new(REQUEST.as_bytes()), output(1024))
}

fn request_that_offers() -> (Server, Aligned, BytesMut) {
    warm();
    (Server::new(config()), Aligned::new(&offering(OFFER)), output(1024))
}

#[library_benchmark]
#[bench::browser(setup = request)]
#[bench::deflate(setup = request_that_offers)]
fn handshake_server(
    (mut server, mut bytes, mut out): (Server, Aligned, BytesMut),
) -> (Aligned, BytesMut) {
    let asked = server.receive(&mut bytes.bytes(), &mut out);
    let Some(Asked::Upgrade(request)) = asked else { panic!("a request") };
    black_box(server.accept(Accept::new(&request), &mut out).expect("the same host"));
    (bytes, out)
}

// The head in reads of one byte.
#[library_benchmark]
#[bench::browser(setup = request)]
fn handshake_server_bytes(
    (mut server, mut bytes, mut out): (Server, Aligned, BytesMut),
) -> (Aligned, BytesMut) {
    let mut reads = bytes.bytes().chunks_mut(1);
    let asked = reads.find_map(|read| server.receive(&mut black_box(read), &mut out));
    let Some(Asked::Upgrade(request)) = asked else { panic!("a request") };
    black_box(server.accept(Accept::new(&request), &mut out).expect("the same host"));
    (bytes, out)
}

fn answer() -> (Client, Aligned) {
    warm();
    asking(Arc::default(), 0)
}

#[library_benchmark]
#[bench::plain(setup = answer)]
fn handshake_client((mut client, mut bytes): (Client, Aligned)) -> Aligned {
    let answer = black_box(client.receive(&mut bytes.bytes()));
    assert!(matches!(answer, Some(Answer::Open { .. })), "a connection");
    drop(answer);
    bytes
}

library_benchmark_group!(
    name = paths,
    benchmarks = [
        mask,
        header_parse,
        receive_binary,
        receive_text,
        receive_next,
        receive_pieces,
        receive_fragments,
        receive_chunk,
        receive_behind,
        receive_inbox,
        receive_ping,
        pass_on,
        inflate,
        inflate_takeover,
        send_server,
        send_client,
        send_header,
        mask_in_place,
        send_prepared,
        deflate,
        deflate_takeover,
        handshake_server,
        handshake_server_bytes,
        handshake_client
    ]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = [paths]
);
