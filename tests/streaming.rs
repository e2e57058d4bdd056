//! RFC 6455 section 5.4: a message passed on while it arrives.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{connection, frame_to, streamed};
use sockless::frame::{Kind, Opcode};
use sockless::{Connection, Event, ProtocolError, Role};

/// What comes out, fed in pieces of `size`: each chunk's bytes and what was still to come then.
fn chunks(connection: &mut Connection, wire: &[u8], size: usize) -> Vec<(Vec<u8>, Option<u64>)> {
    let (mut wire, mut out, mut seen) = (wire.to_vec(), BytesMut::new(), Vec::new());
    for mut piece in wire.chunks_mut(size) {
        while let Some(event) = connection.receive(&mut piece, &mut out) {
            if let Event::Chunk(chunk) = event {
                seen.push((chunk.data.to_vec(), connection.to_come()));
            }
        }
    }
    seen
}

#[test]
fn of_one_frame_it_is_known_how_much_is_to_come() {
    for (role, opcode) in [(Role::Server, Opcode::Text), (Role::Client, Opcode::Binary)] {
        let message = b"a message in one frame";
        let wire = frame_to(role, true, opcode, message);
        for size in 1..=wire.len() {
            let mut left = message.len() as u64;
            for (data, to_come) in chunks(&mut connection(role, streamed()), &wire, size) {
                left -= data.len() as u64;
                assert_eq!(to_come, Some(left), "{size}");
            }
            assert_eq!(left, 0, "{size}");
        }
    }
}

#[test]
fn of_a_fragmented_message_only_its_last_frame_tells() {
    let wire = [
        frame_to(Role::Client, false, Opcode::Binary, b"one"),
        frame_to(Role::Client, false, Opcode::Continuation, b""),
        frame_to(Role::Client, true, Opcode::Continuation, b"three"),
    ]
    .concat();
    let told: Vec<_> = chunks(&mut connection(Role::Client, streamed()), &wire, 4)
        .into_iter()
        .map(|(data, to_come)| (String::from_utf8(data).unwrap(), to_come))
        .collect();
    // The wire, four bytes at a time: 02 03 o n, e 00 00 80, 05 t h r, e e.
    let wanted = [("on", None), ("e", None), ("thr", Some(2)), ("ee", Some(0))];
    assert_eq!(told, wanted.map(|(data, to_come)| (data.to_owned(), to_come)));
}

/// It must not be passed on as if that were all of it.
#[test]
fn of_a_text_that_breaks_off_nothing_is_known_to_come() {
    for len in [1, 125, 300, 70_000] {
        let text = [&vec![b'a'; len][..], b"\xff", &vec![b'a'; len]].concat();
        let mut wire = frame_to(Role::Server, true, Opcode::Text, &text);
        let (mut server, mut out) = (connection(Role::Server, streamed()), BytesMut::new());
        assert!(server.receive(&mut &mut [][..], &mut out).is_none());
        let mut input = &mut wire[..];
        let Some(Event::Chunk(chunk)) = server.receive(&mut input, &mut out) else { panic!() };
        assert_eq!((chunk.data.len(), chunk.first, chunk.last), (len, true, false));
        // The input goes on where the chunk ends, by which an `Inbox` finds it.
        assert_eq!((server.to_come(), input.len()), (None, len + 1));
        let failed = Event::Failed(ProtocolError::InvalidUtf8);
        assert_eq!(server.receive(&mut input, &mut out), Some(failed));
        assert!(server.receive(&mut input, &mut out).is_none() && input.is_empty());
    }
}

#[test]
fn a_header_alone_does_not_make_a_chunk_the_last_one() {
    let wire = [
        frame_to(Role::Client, true, Opcode::Binary, b"one"),
        frame_to(Role::Client, true, Opcode::Binary, b"three"),
    ]
    .concat();
    let (mut connection, mut out) = (connection(Role::Client, streamed()), BytesMut::new());
    let (mut told, mut wire) = (Vec::new(), wire);
    for mut byte in wire.chunks_mut(1) {
        while connection.receive(&mut byte, &mut out).is_some() {}
        told.push(connection.to_come().unwrap());
    }
    assert_eq!(told, [0, 0, 2, 1, 0, 0, 0, 4, 3, 2, 1, 0]);
}

#[test]
fn a_message_goes_on_behind_a_header_of_its_own() {
    let wire = frame_to(Role::Server, true, Opcode::Binary, &vec![7; 70_000]);
    let (mut wire, mut connection) = (wire, connection(Role::Server, streamed()));
    let (mut out, mut on) = (BytesMut::new(), Vec::new());
    for mut piece in wire.chunks_mut(4096) {
        while let Some(event) = connection.receive(&mut piece, &mut out) {
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            if chunk.first {
                let len = chunk.data.len() as u64 + connection.to_come().unwrap();
                on.extend_from_slice(&connection.header(Kind::Binary, len).unwrap());
            }
            on.extend_from_slice(&chunk.data);
        }
    }
    assert_eq!(on, frame_to(Role::Client, true, Opcode::Binary, &vec![7; 70_000]));
    assert!(out.is_empty());
}

/// A Pong that is held back as the message begins would be written into its payload.
#[test]
fn a_pong_that_waits_is_seen_before_a_header_is_written() {
    let wire = [
        frame_to(Role::Server, true, Opcode::Ping, b"p"),
        frame_to(Role::Server, true, Opcode::Binary, &[7; 200]),
    ]
    .concat();
    for (unsent, waits) in [(0, false), (1, true)] {
        let mut config = streamed();
        config.high_water = 0;
        let (mut connection, mut out) =
            (connection(Role::Server, config), BytesMut::zeroed(unsent));
        let mut wire = wire.clone();
        let (mut early, late) = wire.split_at_mut(100);
        assert!(matches!(connection.receive(&mut early, &mut out), Some(Event::Ping(_))));
        assert!(matches!(connection.receive(&mut early, &mut out), Some(Event::Chunk(_))));
        assert_eq!((connection.pending(), connection.to_come().is_some()), (waits, true));
        out.clear();
        assert!(matches!(connection.receive(&mut &mut *late, &mut out), Some(Event::Chunk(_))));
        assert_eq!(&out[..], if waits { &b"\x8a\x01p"[..] } else { b"" });
    }
}

#[cfg(feature = "deflate")]
#[test]
fn of_a_compressed_one_it_is_known_when_it_has_come() {
    let mut config = streamed();
    config.deflate = Some(sockless::deflate::Policy::server());
    let message = b"over and over ".repeat(4000);
    let mut wire = BytesMut::new();
    connection(Role::Client, config.clone()).send_binary(&message, &mut wire).unwrap();
    assert!(wire[0] == 0xc2 && wire.len() < message.len());
    for size in 1..=wire.len() {
        let mut left = message.len();
        let chunks = chunks(&mut connection(Role::Server, config.clone()), &wire, size);
        // A bounded part at a time, and no smaller parts than what came makes.
        let most = 2 * (message.len() / (16 << 10) + 1 + wire.len() / size);
        assert!(chunks.len() <= most, "{size}: {}", chunks.len());
        for (data, to_come) in chunks {
            assert!(data.len() <= 16 << 10);
            left -= data.len();
            assert!(to_come.is_none() || to_come == Some(0) && left == 0, "{size}: {to_come:?}");
        }
        assert_eq!(left, 0, "{size}");
    }
    // What comes of the octets that were read does not wait for more of them.
    for read in 1..wire.len() {
        let came = |size| -> usize {
            let mut connection = connection(Role::Server, config.clone());
            chunks(&mut connection, &wire[..read], size).iter().map(|(data, _)| data.len()).sum()
        };
        assert_eq!(came(read), came(1), "{read}");
    }
}
