//! RFC 7692 section 7.2.2: messages inflated in room that a pool lends.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod common;
mod counting;
mod deflate_support;

use bytes::BytesMut;
use common::streamed;
use counting::{counted, held};
use deflate_support::{context, policy};
use sockless::deflate::{Contexts, Deflater};
use sockless::{Config, Connection, Event, Pool};
use std::sync::Arc;

fn server(mut config: Config) -> Connection {
    config.deflate = Some(policy(6, 8));
    let context = context(15, false);
    Connection::server(Arc::new(config))
        .with_deflate(Contexts { inflate: context, deflate: context })
}

/// The frames of a compressed message, whose payload is `payload`, from a client with zero keys.
fn compressed(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xc0 | first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    [&frame, &[0; 4][..], payload].concat()
}

/// What `message` compresses to.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Deflater::new(context(15, false), &policy(6, 8)).compress(message, true, &mut out);
    out.to_vec()
}

fn owned(event: Option<Event<'_>>) -> Vec<u8> {
    match event {
        Some(Event::Text(text)) => text.into_string().into_bytes(),
        Some(Event::Binary(data)) => data.into_vec(),
        other => panic!("{other:?}"),
    }
}

/// A payload may be longer than the message: by all of it, where its blocks are empty.
#[test]
fn a_pool_holds_no_more_than_the_longest_message() {
    let mut config = Config::default();
    (config.max_message, config.max_frame) = (100_000, 100_000);
    let empty = [&b"\0\0\0\xff\xff".repeat(21_200)[..], b"\0"].concat();
    let block = |len: u16| {
        [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), &vec![7; len.into()]].concat()
    };
    let full = [&block(50_000)[..], &block(50_000), b"\0"].concat();
    for payload in [empty, full] {
        for first in [1, 2] {
            let (mut pool, mut out) = (Pool::new(), BytesMut::new());
            let mut server = server(config.clone());
            server.borrow_from(&mut pool);
            let mut wire = compressed(first, &payload);
            let event = server.receive(&mut &mut wire[..], &mut out).unwrap();
            server.recycle(event);
            server.return_to(&mut pool);
            assert!(pool.room() <= 100_003, "{}", pool.room());
        }
    }
}

#[test]
fn compressed_messages_that_are_recycled_need_no_heap() {
    let text: String = (0..60_000_u32).map(|at| char::from(b'a' + (at * at % 23) as u8)).collect();
    for first in [1, 2] {
        let wire = compressed(first, &deflated(text.as_bytes()));
        for size in [1000, usize::MAX] {
            let (mut pool, mut out) = (Pool::new(), BytesMut::new());
            let mut scratch = wire.clone();
            let mut round = || {
                let mut server = server(Config::default());
                scratch.copy_from_slice(&wire);
                counted(|| {
                    let mut heard = 0;
                    server.borrow_from(&mut pool);
                    for piece in scratch.chunks_mut(size) {
                        let mut input = piece;
                        while let Some(event) = server.receive(&mut input, &mut out) {
                            heard += match &event {
                                Event::Text(text) => text.len(),
                                Event::Binary(data) => data.len(),
                                other => panic!("{other:?}"),
                            };
                            server.recycle(event);
                        }
                    }
                    server.return_to(&mut pool);
                    heard
                })
            };
            assert_eq!(round().0, text.len());
            let (heard, heap) = round();
            assert_eq!(
                (heard, heap.calls, heap.held),
                (text.len(), 0, 0),
                "{first} {size}: {heap:?}"
            );
        }
    }
}

/// One that cannot be inflated, or is cut short, leaves it as well.
#[test]
fn a_compressed_message_that_fails_leaves_its_room() {
    let payload = deflated(&vec![b'a'; 600_000]);
    for config in [Config::default(), streamed()] {
        for first in [1, 2] {
            let (mut pool, mut out) = (Pool::new(), BytesMut::new());
            let mut lender = server(config.clone());
            lender.borrow_from(&mut pool);
            lender.recycle(Event::Binary(vec![7; 1 << 20].into()));
            lender.return_to(&mut pool);
            let cut = compressed(first, &payload[..payload.len() - 1]);
            let invalid = compressed(first, b"\x06");
            let text = compressed(first, &deflated(b"a\xff"));
            for (mut wire, fails) in [(cut, true), (invalid, true), (text, first == 1)] {
                let mut server = server(config.clone());
                server.borrow_from(&mut pool);
                let mut input = &mut wire[..];
                while let Some(event) = server.receive(&mut input, &mut out) {
                    server.recycle(event);
                }
                server.return_to(&mut pool);
                assert_eq!(server.error().is_some(), fails);
                assert!(pool.room() >= 1 << 20, "{first} {}: {}", wire.len(), pool.room());
            }
        }
    }
}

/// One that fills less than half of a lent room takes no more of it along than an inflater has use
/// for; what fills more has all of it.
#[test]
fn a_compressed_message_is_handed_out_in_little_more_than_it_needs() {
    for first in [1, 2] {
        for (len, most) in [(600_000, 1 << 20), (500_000, 500_512), (140_000, 140_512)] {
            let (mut pool, mut out) = (Pool::new(), BytesMut::new());
            let mut server = server(Config::default());
            server.borrow_from(&mut pool);
            server.recycle(Event::Binary(vec![7; 1 << 20].into()));
            let mut wire = compressed(first, &deflated(&vec![b'a'; len]));
            let heard = owned(server.receive(&mut &mut wire[..], &mut out));
            assert_eq!(heard.len(), len);
            assert_eq!(heard.capacity(), most, "{len}");
            server.return_to(&mut pool);
        }
    }
}

/// Its room serves one chunk after the other.
#[test]
fn chunks_that_are_small_in_their_room_leave_it_there() {
    let (mut pool, mut out) = (Pool::new(), BytesMut::new());
    let mut server = server(streamed());
    server.borrow_from(&mut pool);
    server.recycle(Event::Binary(vec![7; 1 << 20].into()));
    let mut wire = compressed(2, &deflated(&vec![b'a'; 1 << 20]));
    let (mut input, mut heard) = (&mut wire[..], 0);
    let ((), heap) = counted(|| {
        while let Some(event) = server.receive(&mut input, &mut out) {
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            heard += chunk.data.len();
        }
    });
    // An inflater, a chunk and what was shared of the wire.
    assert!(heard == 1 << 20 && heap.peak <= (48 + 16 + 1) << 10, "{heap:?}");
    server.return_to(&mut pool);
    assert_eq!(pool.room(), 1 << 20);
}

/// Else whoever begins a message and waits would hold what others have filled.
#[test]
fn an_unfinished_message_leaves_room_that_it_does_not_fill() {
    for first in [1, 2] {
        for config in [Config::default(), streamed()] {
            let (mut pool, mut out) = (Pool::new(), BytesMut::new());
            let mut server = server(config);
            server.borrow_from(&mut pool);
            server.recycle(Event::Binary(vec![7; 1 << 20].into()));
            let mut wire = compressed(first, &deflated(&vec![b'a'; 1000]));
            let last = wire.len() - 1;
            let mut input = &mut wire[..last];
            while server.receive(&mut input, &mut out).is_some() {}
            server.return_to(&mut pool);
            assert_eq!(pool.room(), 1 << 20);
            let before = held();
            drop(server);
            // An inflater, and what came.
            let holds = usize::try_from(before - held()).unwrap();
            assert!(holds <= (48 << 10) + 2000, "{holds}");
        }
    }
}

/// What is declared is bounded by the limit, not by what a payload could be.
#[test]
fn no_room_is_made_for_blocks_that_are_empty() {
    let mut wire = compressed(2, &[&b"\0\0\0\xff\xff".repeat(20_000)[..], b"\0"].concat());
    let (mut server, mut out) = (server(Config::default()), BytesMut::new());
    let (event, heap) = counted(|| server.receive(&mut &mut wire[..], &mut out));
    assert_eq!(event, Some(Event::Binary(Vec::new().into())));
    assert!(heap.peak <= 1000, "{heap:?}");
}
