//! What a connection holds, by a counting allocator: nothing when idle, and never more than its
//! limits allow.
#![allow(missing_docs)]

mod common;
mod counting;

use bytes::BytesMut;
use common::{connection, frame_to, streamed};
use counting::counted;
use sockless::frame::Opcode;
use sockless::handshake::{Accept, Asked, Server};
use sockless::{Config, Connection, Event, Pool, Role, Want};
use std::sync::Arc;

/// Bytes that `work` leaves held, the peak above the start, and the calls of the allocator.
fn measured(work: impl FnOnce()) -> (isize, isize, usize) {
    let ((), heap) = counted(work);
    (heap.held, heap.peak, heap.calls)
}

fn unlimited() -> Config {
    let mut config = Config::default();
    (config.max_message, config.max_frame) = (u64::MAX, u64::MAX);
    (config.max_fragments, config.max_empty_fragments) = (u32::MAX, u16::MAX);
    config
}

/// Feeds `bytes` in place, in pieces of `size`; events are dropped.
fn feed(connection: &mut Connection, bytes: &mut [u8], size: usize, out: &mut BytesMut) -> usize {
    let mut events = 0;
    for mut piece in bytes.chunks_mut(size) {
        while connection.receive(&mut piece, out).is_some() {
            events += 1;
        }
    }
    events
}

// req: X-06
#[test]
fn an_idle_connection_owns_no_heap() {
    for role in [Role::Server, Role::Client] {
        let mut out = BytesMut::with_capacity(4096);
        let mut end = connection(role, Config::default());
        let mut echo = frame_to(role, true, Opcode::Text, b"hello");
        let clean = echo.clone();
        let mut large = frame_to(role, true, Opcode::Binary, &vec![1; 1 << 20]);
        let mut ping = frame_to(role, true, Opcode::Ping, &[1; 125]);

        let (held, _, calls) = measured(|| {
            for _ in 0..1000 {
                echo.copy_from_slice(&clean);
                let mut input = &mut echo[..];
                let Some(Event::Text(text)) = end.receive(&mut input, &mut out) else { panic!() };
                end.send_text(&text, &mut out).unwrap();
                assert!(end.receive(&mut input, &mut out).is_none());
                out.clear();
            }
        });
        assert_eq!((held, calls), (0, 0), "1000 round trips allocate nothing at all");

        let (held, peak, _) =
            measured(|| assert_eq!(feed(&mut end, &mut large, 8192, &mut out), 1));
        assert_eq!(held, 0, "after a message of 1 MiB in pieces");
        assert!(peak <= (2 << 20) + 1024, "{peak}");

        let (held, _, _) = measured(|| {
            feed(&mut end, &mut ping, 7, &mut out);
            out.clear();
        });
        assert_eq!(held, 0, "after a Ping in pieces");
    }
}

#[test]
fn an_opened_connection_owns_no_heap_however_its_head_came() {
    let request = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let config = Arc::new(Config::default());
    for size in [request.len(), 1, 100] {
        let mut bytes = *request;
        let mut out = BytesMut::with_capacity(1024);
        let mut opened = None;
        let (held, peak, calls) = measured(|| {
            let mut server = Server::new(config.clone());
            for mut piece in bytes.chunks_mut(size) {
                if let Some(Asked::Upgrade(asked)) = server.receive(&mut piece, &mut out) {
                    opened = server.accept(Accept::new(&asked), &mut out).ok();
                    break;
                }
            }
        });
        let (connection, _) = opened.expect("the head is complete");
        assert_eq!((held, connection.want()), (0, Want::Read), "in pieces of {size}");
        assert!(peak <= 512 && (calls == 0 || size < request.len()), "{peak} {calls}");
    }
}

// req: W10.4-01
#[test]
fn nothing_is_reserved_for_what_is_only_declared() {
    let mut end = connection(Role::Server, Config::default());
    let mut out = BytesMut::new();
    let mut header = *b"\x82\xff\0\0\0\0\0\x0f\xff\xff\0\0\0\0"; // 1 MiB - 1
    let (held, peak, _) = measured(|| assert_eq!(feed(&mut end, &mut header, 14, &mut out), 0));
    assert!(held <= 256 && peak <= 256, "{held} {peak}");
    let (held, _, _) = measured(|| assert_eq!(feed(&mut end, &mut [7; 1000], 1000, &mut out), 0));
    assert!(held <= 2000, "{held}");
}

#[test]
fn memory_grows_with_the_bytes_received_at_most_twofold() {
    for (fin, size) in [(true, 1000), (true, 1), (false, 1000)] {
        let mut end = connection(Role::Server, unlimited());
        let mut out = BytesMut::new();
        let opcode = Opcode::Text;
        let mut wire = frame_to(Role::Server, fin, opcode, "€".repeat(50_000).as_bytes());
        let len = wire.len() - 1;
        let mut received = 0;
        let base = counting::held();
        for mut piece in wire[..len].chunks_mut(size) {
            received += isize::try_from(piece.len()).unwrap();
            assert!(end.receive(&mut piece, &mut out).is_none());
            let held = counting::held() - base;
            assert!(held <= 2 * received + 256, "{held} held of {received} received");
        }
    }
}

#[test]
fn a_message_of_known_length_is_held_in_no_more_than_its_length() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        let mut end = connection(Role::Server, Config::default());
        let mut out = BytesMut::new();
        let mut wire = frame_to(Role::Server, true, opcode, "€".repeat(33_334).as_bytes());
        let (head, mut tail) = wire.split_at_mut(65_000);
        let mut input = &mut head[..];
        let (_, _, calls) = measured(|| assert!(end.receive(&mut input, &mut out).is_none()));
        assert_eq!(calls, 2, "the message and its room");
        let capacity = match end.receive(&mut tail, &mut out) {
            Some(Event::Text(text)) => text.into_string().capacity(),
            Some(Event::Binary(data)) => data.into_vec().capacity(),
            other => panic!("{other:?}"),
        };
        assert!((100_002..=100_005).contains(&capacity), "{capacity}");
    }
}

#[test]
fn an_unfinished_message_has_no_more_room_than_the_limit() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        let mut config = Config::default();
        config.max_message = 1_000_100;
        let mut out = BytesMut::new();
        let first = frame_to(Role::Server, false, opcode, &[b'a'; 1000]);
        let more = frame_to(Role::Server, false, Opcode::Continuation, &[b'a'; 1000]);
        let wire = [first, more.repeat(999)].concat();
        for size in [1000, 2143, 65_536] {
            let mut wire = wire.clone();
            let mut end = connection(Role::Server, config.clone());
            let (_, peak, _) =
                measured(|| assert_eq!(feed(&mut end, &mut wire, size, &mut out), 0));
            assert!(peak <= 1_000_100 + 512, "{peak} by {size}");
        }
    }
}

/// As where a peer writes the two apart; fragments of nothing before it change nothing.
#[test]
fn a_message_that_comes_behind_its_header_is_lent() {
    for role in [Role::Server, Role::Client] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            for before in [0, 2] {
                let payload = "é".repeat(500).into_bytes();
                let (mut wire, mut last) = (Vec::new(), opcode);
                for _ in 0..before {
                    wire.extend(frame_to(role, false, last, b""));
                    last = Opcode::Continuation;
                }
                wire.extend(frame_to(role, true, last, &payload));
                let at = wire.len() - payload.len();
                let (mut end, mut out) = (connection(role, Config::default()), BytesMut::new());
                let (mut pool, mut clones) = (Pool::new(), [wire.clone(), wire.clone()]);
                end.borrow_from(&mut pool);
                let mut in_two = |end: &mut Connection, wire: &mut [u8]| {
                    let (first, second) = wire.split_at_mut(at + 1);
                    assert!(end.receive(&mut &mut first[..], &mut out).is_none());
                    let event = end.receive(&mut &mut second[..], &mut out).unwrap();
                    end.recycle(event);
                };
                in_two(&mut end, &mut clones[0]);
                let (header, rest) = wire.split_at_mut(at);
                assert!(end.receive(&mut &mut header[..], &mut BytesMut::new()).is_none());
                let event = end.receive(&mut &mut rest[..], &mut BytesMut::new());
                assert!(match &event {
                    Some(Event::Text(text)) => text.is_borrowed() && text.as_bytes() == payload,
                    Some(Event::Binary(data)) => data.is_borrowed() && **data == *payload,
                    _ => false,
                });
                // Nor is the room gone that was lent for it.
                let (_, _, calls) = measured(|| in_two(&mut end, &mut clones[1]));
                assert_eq!(calls, 0);
            }
        }
    }
}

#[test]
fn tiny_fragments_cost_no_more_than_their_bytes() {
    let mut end = connection(Role::Server, unlimited());
    let mut out = BytesMut::new();
    let first = frame_to(Role::Server, false, Opcode::Binary, b"x");
    let more = frame_to(Role::Server, false, Opcode::Continuation, b"x");
    let mut wire = [first, more.repeat(131_000)].concat();
    let (held, _, calls) = measured(|| assert_eq!(feed(&mut end, &mut wire, 65_536, &mut out), 0));
    assert!(held <= 2 * 131_001 + 1024, "{held}");
    assert!(calls < 64, "{calls} allocations: growth is not by the fragment");
}

#[test]
fn a_streamed_message_of_any_length_is_held_in_a_constant() {
    for size in [65_536, 1] {
        let mut end = connection(Role::Server, streamed());
        let mut out = BytesMut::new();
        let mut payload = vec![b'x'; 1 << 20];
        let (_, peak, _) = measured(|| {
            let mut header = *b"\x01\xff\0\0\0\0\x04\0\0\0\0\0\0\0"; // 64 MiB
            feed(&mut end, &mut header, 14, &mut out);
            for _ in 0..if size == 1 { 1 } else { 64 } {
                feed(&mut end, &mut payload, size, &mut out);
            }
        });
        assert!(peak <= 1024, "{peak}");
    }
}

// req: W5.5.3-02
#[test]
fn a_ping_flood_that_is_never_drained_is_held_in_one_slot() {
    let mut config = Config::default();
    config.high_water = 0;
    let mut end = connection(Role::Server, config);
    let mut out = BytesMut::from(&b"x"[..]);
    let clean = frame_to(Role::Server, true, Opcode::Ping, &[5; 125]).repeat(1000);
    let mut wire = clean.clone();
    let (held, peak, _) = measured(|| {
        for _ in 0..100 {
            wire.copy_from_slice(&clean);
            assert_eq!(feed(&mut end, &mut wire, 65_536, &mut out), 1000);
        }
    });
    assert!(out.len() == 1 && end.pending());
    assert!(held <= 131 && peak <= 1024, "{held} {peak}");
}

#[test]
fn a_failed_connection_keeps_nothing() {
    let mut end = connection(Role::Server, Config::default());
    let mut out = BytesMut::with_capacity(64);
    let mut partial = frame_to(Role::Server, false, Opcode::Binary, &[1; 5000]);
    let (held, _, _) = measured(|| {
        feed(&mut end, &mut partial, 999, &mut out);
        assert_eq!(feed(&mut end, &mut vec![0xff; 100_000], 999, &mut out), 1);
    });
    assert_eq!(held, 0);
}

/// Compression without context takeover, as the default policy has it.
#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use sockless::deflate::{Params, Policy};

    /// What an inflater holds while its message is under way.
    const WINDOW: isize = 48 << 10;

    fn pair(config: Config) -> (Connection, Connection) {
        let mut config = config;
        let policy = Policy::server();
        config.deflate = Some(policy);
        let agreed = policy.accept([[("client_max_window_bits", None::<&str>)]]).unwrap();
        assert!(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
        let client = Connection::client(Arc::new(config.clone()), common::fixed_keys());
        let server = Connection::server(Arc::new(config));
        (
            client.with_deflate(policy.client_contexts(&agreed)),
            server.with_deflate(policy.server_contexts(&agreed)),
        )
    }

    // req: D7.1.1.1-03
    #[test]
    fn an_idle_connection_owns_no_heap() {
        let text = "as often as you like, ".repeat(40_000);
        let (mut client, mut server) = pair(Config::default());
        let (mut wire, mut out) = (BytesMut::new(), BytesMut::new());
        for end in [&mut client, &mut server] {
            let (held, _, _) = measured(|| {
                end.send_text(&text, &mut wire).unwrap();
                wire = BytesMut::new();
            });
            assert_eq!(held, 0, "after a message was sent");
        }
        for size in [1, 1000, 1 << 20] {
            client.send_text(&text, &mut wire).unwrap();
            let (held, _, _) =
                measured(|| assert_eq!(feed(&mut server, &mut wire, size, &mut out), 1));
            assert_eq!(held, 0, "after a message came in pieces of {size}");
            wire.clear();
        }
        assert!(size_of::<Connection>() <= 128);
    }

    // req: D7.2.3-04
    #[test]
    fn a_bomb_stops_at_the_limit_with_no_more_than_a_window_beside_it() {
        for kind in [sockless::Kind::Binary, sockless::Kind::Text] {
            let mut config = Config::default();
            config.max_message = 64 << 20;
            let (mut client, _) = pair(config);
            let mut wire = BytesMut::new();
            let zeros = vec![b'0'; 1 << 20];
            for _ in 0..63 {
                client.send_fragment(kind, &zeros, false, &mut wire).unwrap();
            }
            client.send_fragment(kind, &zeros, true, &mut wire).unwrap();
            assert!(wire.len() < 80 << 10, "{}", wire.len());
            let (_, mut server) = pair(Config::default());
            let mut out = BytesMut::with_capacity(64);
            let (held, peak, _) = measured(|| {
                assert_eq!(feed(&mut server, &mut wire, 65_536, &mut out), 1);
            });
            assert_eq!(server.error(), Some(sockless::ProtocolError::MessageTooLarge));
            assert_eq!(held, 0);
            let limit = 1 << 20;
            assert!(peak <= limit + WINDOW + (36 << 10), "{kind:?}: {peak}");
        }
    }

    #[test]
    fn a_streamed_message_is_inflated_in_a_constant() {
        let (mut client, mut server) = pair(streamed());
        let (mut wire, mut out) = (BytesMut::new(), BytesMut::new());
        let text = "€ and $, ".repeat(100_000);
        client.send_text(&text, &mut wire).unwrap();
        for size in [1, 65_536] {
            let mut wire = wire.to_vec();
            let (held, peak, _) = measured(|| {
                assert!(feed(&mut server, &mut wire, size, &mut out) > 60);
            });
            assert!(held == 0 && peak <= WINDOW + (40 << 10), "{held} {peak}");
        }
        let agreed = Params::default();
        let contexts = Policy::server().client_contexts(&agreed);
        assert!(!contexts.deflate.takeover(), "its own policy still holds");
    }
}
