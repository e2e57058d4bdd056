//! RFC 6455 section 5.4: room that a pool lends changes what a message costs, and nothing else.
#![allow(missing_docs)]

mod common;
mod counting;

use bytes::BytesMut;
use common::streamed;
use counting::{counted, held};
use proptest::prelude::*;
use sockless::frame::{Header, Opcode};
use sockless::{Config, Connection, Event, Pool};
use std::sync::Arc;

fn fragment(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mask = Some([1, 2, 3, 4]);
    let header = Header { fin, rsv1: false, opcode, mask, len: payload.len() as u64 };
    let mut frame = header.encode().unwrap().to_vec();
    frame.extend(payload.iter().zip((1..=4).cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A message of `len` bytes in one frame.
fn message(len: usize) -> Vec<u8> {
    fragment(Opcode::Binary, true, &vec![7; len])
}

/// Receives `wire` in reads of `size` bytes, and gives back what came of it.
fn hear(connection: &mut Connection, wire: &[u8], size: usize, scratch: &mut [u8]) -> usize {
    let (mut out, mut len) = (BytesMut::new(), 0);
    for piece in wire.chunks(size) {
        let mut input = &mut scratch[..piece.len()];
        input.copy_from_slice(piece);
        while let Some(event) = connection.receive(&mut input, &mut out) {
            match &event {
                Event::Binary(data) => len += data.len(),
                Event::Text(text) => len += text.len(),
                other => panic!("{other:?}"),
            }
            connection.recycle(event);
        }
    }
    len
}

fn server() -> Connection {
    Connection::server(Arc::new(Config::default()))
}

#[derive(Debug, Clone)]
enum Do {
    Borrow,
    Return,
    Recycle(bool),
    Say { text: bool, len: usize, last: bool },
    Garbage,
    Read(usize),
}

fn action() -> impl Strategy<Value = Do> {
    prop_oneof![
        3 => Just(Do::Borrow),
        3 => Just(Do::Return),
        2 => any::<bool>().prop_map(Do::Recycle),
        6 => (any::<bool>(), 0..2000_usize, any::<bool>())
            .prop_map(|(text, len, last)| Do::Say { text, len, last }),
        1 => Just(Do::Garbage),
        8 => prop_oneof![0..3000_usize, Just(usize::MAX)].prop_map(Do::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_heard_is_the_same_in_room_that_is_lent(
        script in proptest::collection::vec((0..3_usize, action()), 0..80),
        delivers_chunks in any::<bool>(),
    ) {
        let config = Arc::new(if delivers_chunks { streamed() } else { Config::default() });
        let twins = || [Connection::server(config.clone()), Connection::server(config.clone())];
        // Two servers, what is on its way to them, whether a message is open, whether it is a text.
        let mut members = [(); 3].map(|()| (twins(), Vec::new(), false, false));
        let (mut pool, mut recycles) = (Pool::new(), false);
        for (at, action) in script {
            let (twins, wire, open, is_text) = &mut members[at];
            match action {
                Do::Borrow => twins[0].borrow_from(&mut pool),
                Do::Return => twins[0].return_to(&mut pool),
                Do::Recycle(on) => recycles = on,
                Do::Say { text, len, last } => {
                    *is_text = if *open { *is_text } else { text };
                    let opcode = match (*open, text) {
                        (true, _) => Opcode::Continuation,
                        (_, true) => Opcode::Text,
                        (_, false) => Opcode::Binary,
                    };
                    // A character may be cut by the end of a fragment, not by that of a text.
                    let mut text = "é€".repeat(len / 5 + 1).into_bytes();
                    if !*is_text {
                        text.truncate(len);
                    }
                    wire.extend(fragment(opcode, last, &text));
                    *open = !last;
                }
                Do::Garbage => wire.extend(fragment(Opcode::Text, true, b"\xff")),
                Do::Read(len) => {
                    let read: Vec<u8> = wire.drain(..len.min(wire.len())).collect();
                    let [one, other] = [0, 1].map(|at| {
                        let (mut read, mut out) = (read.clone(), BytesMut::new());
                        let (mut input, mut seen) = (&mut read[..], Vec::new());
                        while let Some(event) = twins[at].receive(&mut input, &mut out) {
                            seen.push(match &event {
                                Event::Text(text) => text.as_bytes().to_vec(),
                                Event::Binary(data) => data.to_vec(),
                                Event::Chunk(chunk) => chunk.data.to_vec(),
                                other => format!("{other:?}").into_bytes(),
                            });
                            if recycles {
                                twins[at].recycle(event);
                            }
                        }
                        (seen, out)
                    });
                    prop_assert_eq!(one, other);
                }
            }
        }
    }
}

#[test]
fn messages_that_are_recycled_need_no_heap() {
    let mut scratch = vec![0; 65536];
    let texts: Vec<u8> = ["é", "€uro", ""]
        .into_iter()
        .enumerate()
        .flat_map(|(at, text)| {
            let opcode = if at == 0 { Opcode::Text } else { Opcode::Continuation };
            fragment(opcode, at == 2, text.repeat(20_000).as_bytes())
        })
        .collect();
    for (wire, len) in [(message(1 << 20), 1 << 20), (texts, 160_000)] {
        let mut pool = Pool::new();
        let mut round = || {
            let mut connection = server();
            counted(|| {
                connection.borrow_from(&mut pool);
                assert_eq!(hear(&mut connection, &wire, 65536, &mut scratch), len);
                connection.return_to(&mut pool);
            })
        };
        round();
        let ((), heap) = round();
        assert_eq!((heap.calls, heap.held), (0, 0), "{len}: {heap:?}");
        assert!(pool.room() >= len);
    }
}

#[test]
fn a_short_message_does_not_take_a_large_room_along() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut connection = server();
    connection.borrow_from(&mut pool);
    hear(&mut connection, &message(100_000), 65536, &mut scratch);
    let text = [fragment(Opcode::Text, false, b"a"), fragment(Opcode::Continuation, true, b"bc")];
    let data = [fragment(Opcode::Binary, false, b"a"), fragment(Opcode::Continuation, true, b"bc")];
    for wire in [text, data] {
        let (mut wire, mut out) = (wire.concat(), BytesMut::new());
        let event = connection.receive(&mut &mut wire[..], &mut out);
        let room = match event {
            Some(Event::Text(text)) => text.into_string().into_bytes(),
            Some(Event::Binary(data)) => data.into_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(room, b"abc");
        assert!(room.capacity() <= 6, "{}", room.capacity());
    }
    connection.return_to(&mut pool);
    assert_eq!(pool.room(), 100_000);
}

#[test]
fn messages_of_about_the_same_length_share_their_room() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut connection = server();
    connection.borrow_from(&mut pool);
    for (len, calls) in [
        (100_000, None),
        (60_000, Some(0)),
        (50_000, Some(0)),
        (100_000, Some(0)),
        (49_000, Some(1)), // more than half of the room would be empty: it is made smaller
        (49_400, Some(0)),
        (4_000, Some(2)), // is copied, and the copy dropped
        (49_400, Some(0)),
    ] {
        // In two pieces at least, so that each is assembled.
        let wire = message(len);
        let (_, heap) = counted(|| hear(&mut connection, &wire, len.min(40_000), &mut scratch));
        assert!(calls.is_none_or(|calls| heap.calls == calls), "{len}: {heap:?}");
    }
    connection.return_to(&mut pool);
    assert_eq!(pool.room(), 49_512);
}

/// Else whoever begins a message and waits would hold what others have filled.
#[test]
fn an_unfinished_message_leaves_room_that_it_does_not_fill() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut first = server();
    first.borrow_from(&mut pool);
    hear(&mut first, &message(1 << 20), 65536, &mut scratch);
    first.return_to(&mut pool);
    let texts = fragment(Opcode::Text, true, &vec![b'a'; 1 << 20]);
    for wire in [message(1 << 20), texts] {
        for part in [14, 15, 1000, 400_000] {
            let before = held();
            let mut waits = server();
            waits.borrow_from(&mut pool);
            hear(&mut waits, &wire[..part], 65536, &mut scratch);
            waits.return_to(&mut pool);
            assert!(pool.room() >= 1 << 20, "{part}");
            let holds = usize::try_from(held() - before).unwrap();
            assert!(holds <= 600 + part, "{part}: {holds}");
            // And goes on, in room of its own or of another.
            waits.borrow_from(&mut pool);
            assert_eq!(hear(&mut waits, &wire[part..], 65536, &mut scratch), 1 << 20);
            waits.return_to(&mut pool);
        }
    }
    // One that fills half of it has it until the end.
    let (mut waits, wire) = (server(), message(1 << 20));
    waits.borrow_from(&mut pool);
    hear(&mut waits, &wire[..600_000], 65536, &mut scratch);
    waits.return_to(&mut pool);
    assert!(pool.room() < 1 << 20);
    assert_eq!(hear(&mut waits, &wire[600_000..], 65536, &mut scratch), 1 << 20);
}

/// Else a peer that ends badly would make the next message of another one dear.
#[test]
fn a_message_that_never_ends_leaves_its_room() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut first = server();
    first.borrow_from(&mut pool);
    hear(&mut first, &message(1 << 20), 65536, &mut scratch);
    first.return_to(&mut pool);
    let (close, most) = (fragment(Opcode::Close, true, b""), vec![b'a'; 600_000]);
    for config in [Arc::new(Config::default()), Arc::new(streamed())] {
        for (opcode, said, then) in [
            (Opcode::Binary, &b""[..], &b"\xf0"[..]),
            (Opcode::Binary, &most, b"\xf0"),
            (Opcode::Text, b"a", b"\xf0"),
            (Opcode::Text, b"a\xff", b""),
            (Opcode::Text, b"a", &fragment(Opcode::Continuation, true, b"\xc3")),
            (Opcode::Text, &most, &close),
            (Opcode::Binary, b"a", &close),
            (Opcode::Binary, b"a", b""),
        ] {
            let before = held();
            let mut connection = Connection::server(config.clone());
            connection.borrow_from(&mut pool);
            let mut out = BytesMut::new();
            for mut wire in [fragment(opcode, false, said), then.to_vec()] {
                let mut input = &mut wire[..];
                while connection.receive(&mut input, &mut out).is_some() {}
            }
            connection.eof();
            connection.return_to(&mut pool);
            drop(out);
            let holds = held() - before;
            assert!(
                pool.room() >= 1 << 20 && holds <= 0,
                "{opcode:?} {} {then:02x?}: {} {holds}",
                said.len(),
                pool.room()
            );
        }
    }
}

#[test]
fn what_is_not_borrowed_keeps_nothing() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut connection = server();
    let fragments =
        [fragment(Opcode::Text, false, b"a"), fragment(Opcode::Continuation, true, b"b")].concat();
    let ((), heap) = counted(|| {
        for wire in [&message(100_000)[..], &fragments] {
            hear(&mut connection, wire, 65536, &mut scratch);
        }
        connection.return_to(&mut pool); // it has not borrowed
    });
    assert_eq!((heap.held, pool.room()), (0, 0));
    // Nor does one that has ended, once it has given back what it borrowed.
    connection.borrow_from(&mut pool);
    hear(&mut connection, &fragments, 65536, &mut scratch);
    connection.eof();
    connection.return_to(&mut pool);
    let ((), freed) = counted(|| drop(connection));
    let ((), kept) = counted(|| drop(pool));
    assert!(freed.held > -200 && kept.held < -2, "{freed:?} {kept:?}");
}

#[test]
fn of_two_rooms_the_larger_stays() {
    let (mut pool, mut scratch) = (Pool::new(), vec![0; 65536]);
    let mut other = Pool::new();
    for (len, wanted) in [(100_000, 100_000), (200_000, 200_000), (70_000, 200_000)] {
        let mut connection = server();
        connection.borrow_from(&mut other);
        hear(&mut connection, &message(len), 65536, &mut scratch);
        connection.return_to(&mut pool);
        assert_eq!(pool.room(), wanted);
    }
    assert_eq!(
        format!("{other:?}").split(',').next(),
        format!("{:?}", Pool::new()).split(',').next()
    );
}

/// A message that fills an eighth of its room, and is not short, has it; one that fills less is
/// copied out of it, so that the next need not make it again.
#[test]
fn a_message_has_its_room_unless_it_is_small_in_it() {
    let config = Arc::new(Config::default());
    for (room, len, stays) in [
        (1 << 20, 600_000, false),
        (1 << 20, 300_000, false),
        (1 << 20, (1 << 17) + 1, false),
        (1 << 20, 100_000, true),
        (1 << 20, 4096, true),
        (8000, 3000, true), // more than an eighth, but short
        (8192, 4095, true),
        (9000, 4096, false),
    ] {
        for opcode in [Opcode::Binary, Opcode::Text] {
            let mut pool = Pool::new();
            let mut connection = Connection::server(config.clone());
            connection.borrow_from(&mut pool);
            connection.recycle(Event::Binary(vec![7; room].into()));
            let (mut out, mut cut) = (BytesMut::new(), fragment(opcode, true, &vec![b'a'; len]));
            let last = cut.split_off(cut.len() - 1);
            assert_eq!(connection.receive(&mut &mut cut[..], &mut out), None);
            let (mut last, place) = (last, pool.room());
            let event = connection.receive(&mut &mut last[..], &mut out);
            let heard = match event {
                Some(Event::Text(text)) => text.into_string().into_bytes(),
                Some(Event::Binary(data)) => data.into_vec(),
                other => panic!("{other:?}"),
            };
            assert_eq!((heard.len(), place), (len, 0));
            let fills = heard.capacity() / 2 <= len;
            assert!(fills, "{room} {len}: {}", heard.capacity());
            // What fills half of it is handed out with all of it.
            assert_eq!(heard.capacity() == room, room / 2 <= len, "{room} {len}");
            connection.return_to(&mut pool);
            assert_eq!(pool.room(), if stays { room } else { 0 }, "{room} {len} {opcode:?}");
        }
    }
}

/// What lay in the caller's input is no room, nor is the payload of a control frame.
#[test]
fn what_is_recycled_is_a_buffer_of_its_own() {
    let mut connection = server();
    let mut pool = Pool::new();
    connection.borrow_from(&mut pool);
    let (mut wire, mut out) = (message(1000), BytesMut::new());
    let mut input = &mut wire[..];
    let whole = connection.receive(&mut input, &mut out).unwrap();
    let ((), heap) = counted(|| {
        connection.recycle(whole);
        connection.recycle(Event::Text("lent".into()));
        connection.recycle(Event::Ping(Vec::new().into()));
    });
    assert_eq!((heap.calls, heap.held), (0, 0));
    connection.recycle(Event::Ping(vec![7; 100].into()));
    connection.return_to(&mut pool);
    assert_eq!(pool.room(), 0);
    // Nor does anything stay that is given to one that does not borrow.
    let event = Event::Binary(vec![7; 1000].into());
    connection.recycle(event);
    connection.return_to(&mut pool);
    connection.borrow_from(&mut pool);
    connection.return_to(&mut pool);
    assert_eq!(pool.room(), 0);
}
