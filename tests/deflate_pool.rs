//! RFC 7692 section 7.1.1: what a pool lends changes what it costs, and nothing else.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod common;
mod counting;
mod deflate_support;

use bytes::BytesMut;
use common::{fixed_keys, streamed};
use counting::counted;
use deflate_support::{bits, context, data, policy};
use proptest::prelude::*;
use sockless::deflate::{Context, Contexts, Inflater, Policy};
use sockless::frame::Kind;
use sockless::{Config, Connection, Event, Pool, Prepared, ProtocolError};
use std::mem;
use std::sync::Arc;

const NO_CODECS: &str = "Codecs { inflater: false, deflater: false } }";

/// What compresses everything.
fn keen(level: u8) -> Policy {
    let mut policy = policy(level, 8);
    policy.threshold = 0;
    policy
}

fn with(policy: Policy, mut config: Config) -> Arc<Config> {
    config.deflate = Some(policy);
    Arc::new(config)
}

fn contexts(context: Context) -> Contexts {
    Contexts { inflate: context, deflate: context }
}

/// A server that borrows, one that does not, and a client for each to talk to.
struct Member {
    borrows: [Connection; 2],
    client: Connection,
    /// From the client, not read yet.
    wire: BytesMut,
    out: [BytesMut; 2],
    recycles: bool,
}

impl Member {
    fn new(config: &Arc<Config>, context: Context) -> Self {
        let server = || Connection::server(config.clone()).with_deflate(contexts(context));
        let client = Connection::client(config.clone(), fixed_keys());
        Self {
            borrows: [server(), server()],
            client: client.with_deflate(contexts(context)),
            wire: BytesMut::new(),
            out: [BytesMut::new(), BytesMut::new()],
            recycles: false,
        }
    }

    /// Both read `len` bytes: the same comes of it.
    fn read(&mut self, len: usize) {
        let read = self.wire.split_to(len.min(self.wire.len()));
        let [first, second] = [0, 1].map(|at| {
            let (mut read, mut seen) = (read.clone(), Vec::new());
            let mut input = &mut read[..];
            while let Some(event) = self.borrows[at].receive(&mut input, &mut self.out[at]) {
                seen.push(match &event {
                    Event::Text(text) => text.as_bytes().to_vec(),
                    Event::Binary(data) => data.to_vec(),
                    Event::Chunk(chunk) => chunk.data.to_vec(),
                    other => format!("{other:?}").into_bytes(),
                });
                if self.recycles {
                    self.borrows[at].recycle(event);
                }
            }
            seen
        });
        assert_eq!(first.concat(), second.concat());
    }

    fn send(&mut self, data: &[u8], kind: Option<Kind>, last: bool) {
        for at in [0, 1] {
            let (connection, out) = (&mut self.borrows[at], &mut self.out[at]);
            // A caller's mistake is the same mistake for both.
            let _ = match kind {
                Some(kind) => connection.send_fragment(kind, data, last, out),
                None => connection.send_binary(data, out),
            };
        }
        assert_eq!(self.out[0], self.out[1]);
    }
}

#[derive(Debug, Clone)]
enum Do {
    Lend,
    Return,
    Send { kind: u8, len: usize, fragment: bool, last: bool },
    Say { kind: u8, len: usize, fragment: bool, last: bool },
    Say8 { len: usize, last: bool },
    Recycle(bool),
    Garbage,
    Read(usize),
}

fn action() -> impl Strategy<Value = Do> {
    let message = || (0..4_u8, 0..3000_usize, any::<bool>(), any::<bool>());
    prop_oneof![
        4 => Just(Do::Lend),
        4 => Just(Do::Return),
        3 => message().prop_map(|(kind, len, fragment, last)| Do::Send { kind, len, fragment, last }),
        6 => message().prop_map(|(kind, len, fragment, last)| Do::Say { kind, len, fragment, last }),
        3 => (0..3000_usize, any::<bool>()).prop_map(|(len, last)| Do::Say8 { len, last }),
        2 => any::<bool>().prop_map(Do::Recycle),
        1 => Just(Do::Garbage),
        6 => prop_oneof![0..200_usize, Just(usize::MAX)].prop_map(Do::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_and_heard_is_the_same_with_what_a_pool_lends(
        script in proptest::collection::vec((0..5_usize, action()), 0..80),
        deliver_chunks in any::<bool>(),
    ) {
        let config = |level| {
            with(keen(level), if deliver_chunks { streamed() } else { Config::default() })
        };
        let mut members = [
            Member::new(&config(6), context(12, false)),
            Member::new(&config(6), context(12, false)),
            Member::new(&config(1), context(12, false)),
            Member::new(&config(6), context(9, false)),
            Member::new(&config(6), context(12, true)),
        ];
        let mut pool = Pool::new();
        for (at, action) in script {
            let member = &mut members[at];
            match action {
                Do::Lend => member.borrows[0].borrow_from(&mut pool),
                Do::Return => member.borrows[0].return_to(&mut pool),
                Do::Send { kind, len, fragment, last } => {
                    member.send(&data(kind, len, 7), fragment.then_some(Kind::Binary), last);
                }
                Do::Say { kind, len, fragment, last } => {
                    let (data, wire) = (data(kind, len, 9), &mut member.wire);
                    let _ = if fragment {
                        member.client.send_fragment(Kind::Binary, &data, last, wire)
                    } else {
                        member.client.send_binary(&data, wire)
                    };
                }
                Do::Say8 { len, last } => {
                    let _ = member.client.send_fragment(
                        Kind::Text,
                        "é€".repeat(len / 5).as_bytes(),
                        last,
                        &mut member.wire,
                    );
                }
                Do::Recycle(recycles) => member.recycles = recycles,
                // Cut inside a block.
                Do::Garbage => member.wire.extend_from_slice(b"\xc2\x83\0\0\0\0\xca\x48\xcd"),
                Do::Read(len) => member.read(len),
            }
        }
        for member in &mut members {
            member.read(usize::MAX);
        }
    }
}

/// Sends one message each way.
fn exchange(server: &mut Connection, client: &mut Connection, wire: &mut BytesMut, text: &str) {
    for turn in [true, false] {
        let (from, to) =
            if turn { (&mut *server, &mut *client) } else { (&mut *client, &mut *server) };
        wire.clear();
        from.send_text(text, wire).unwrap();
        let mut read = wire.split();
        let event = to.receive(&mut &mut read[..], wire);
        assert!(matches!(event, Some(Event::Text(heard)) if heard == text));
        wire.unsplit(read);
    }
}

#[test]
fn one_pair_serves_any_number_and_none_is_made_twice() {
    let config = with(keen(6), Config::default());
    let agreed = contexts(context(12, false));
    let mut members: Vec<_> = (0..10)
        .map(|_| {
            let server = Connection::server(config.clone()).with_deflate(agreed);
            let client = Connection::client(config.clone(), fixed_keys()).with_deflate(agreed);
            (server, client)
        })
        .collect();
    let (mut ours, mut theirs) = (Pool::new(), Pool::new());
    let (text, mut wire) = ("over and over ".repeat(20), BytesMut::with_capacity(4096));
    let mut round = |members: &mut [(Connection, Connection)]| {
        for (server, client) in members {
            server.borrow_from(&mut ours);
            client.borrow_from(&mut theirs);
            for _ in 0..3 {
                exchange(server, client, &mut wire, &text);
            }
            server.return_to(&mut ours);
            client.return_to(&mut theirs);
        }
    };
    let ((), first) = counted(|| round(&mut members));
    // Two pairs: what `deflate`'s documentation has for a window of 12 bits.
    let pairs = 2 * ((48 + 260) << 10);
    assert!(first.held <= pairs && first.peak <= pairs + 8192, "{first:?}");
    let ((), second) = counted(|| round(&mut members));
    // Messages and their payloads, and no codec.
    assert!(second.held == 0 && second.peak <= 8192, "{second:?}");
    let ((), freed) = counted(|| drop((ours, theirs)));
    // The output is shared by then, for which it needs some bytes.
    assert!(freed.held + first.held <= 64, "the connections hold nothing: {freed:?} {first:?}");
}

#[test]
fn a_message_under_way_keeps_its_codec_and_drops_it() {
    let config = with(keen(6), Config::default());
    let agreed = contexts(context(12, false));
    let mut server = Connection::server(config.clone()).with_deflate(agreed);
    let mut client = Connection::client(config, fixed_keys()).with_deflate(agreed);
    let (mut pool, mut wire) = (Pool::new(), BytesMut::with_capacity(8192));
    let mut out = BytesMut::with_capacity(8192);
    let ((), heap) = counted(|| {
        server.borrow_from(&mut pool);
        server.send_fragment(Kind::Text, b"over and over", false, &mut out).unwrap();
        client.send_fragment(Kind::Text, b"and out", false, &mut wire).unwrap();
        assert_eq!(server.receive(&mut &mut wire[..], &mut out), None);
        server.return_to(&mut pool);
        assert!(format!("{pool:?}").ends_with(NO_CODECS), "{pool:?}");
        wire.clear();
        server.send_fragment(Kind::Text, b" again", true, &mut out).unwrap();
        client.send_fragment(Kind::Text, b" again", true, &mut wire).unwrap();
        let event = server.receive(&mut &mut wire[..], &mut out);
        assert_eq!(event, Some(Event::Text("and out again".into())));
        drop(mem::take(&mut pool)); // the room that the message left
    });
    assert!(heap.held <= 64, "{heap:?}");
}

/// Else one client could ask for what another has said, byte by byte.
#[test]
fn no_message_refers_to_what_another_connection_received() {
    let agreed = contexts(context(15, false));
    let server = || Connection::server(with(keen(6), Config::default())).with_deflate(agreed);
    let (mut pool, mut out) = (Pool::new(), BytesMut::new());
    let mut hear = |payload: &[u8]| {
        let len = u8::try_from(payload.len()).unwrap();
        let mut wire = [b"\xc1", &[0x80 | len, 0, 0, 0, 0][..], payload].concat();
        let mut server = server();
        server.borrow_from(&mut pool);
        let event = server.receive(&mut &mut wire[..], &mut out);
        let heard = matches!(event, Some(Event::Text(text)) if text == "Hello");
        assert_eq!(server.error(), (!heard).then_some(ProtocolError::InvalidCompression));
        server.return_to(&mut pool);
        heard
    };
    for _ in 0..2 {
        assert!(hear(b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
        // The same by reference, as with takeover (RFC 7692 section 7.2.3.2).
        assert!(!hear(b"\xf2\x00\x11\x00\x00"));
    }
}

/// It has failed by then, and says so at the next call: nobody else is to inherit that.
#[test]
fn a_codec_that_failed_is_not_returned() {
    let agreed = contexts(context(15, false));
    let server = || Connection::server(with(keen(6), streamed())).with_deflate(agreed);
    let (mut pool, mut out) = (Pool::new(), BytesMut::new());
    let mut cut = *b"\xc1\x83\0\0\0\0\xca\x48\xcd";
    let mut hello = *b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
    for wire in [&mut cut[..], &mut hello] {
        let mut server = server();
        server.borrow_from(&mut pool);
        let event = server.receive(&mut &mut *wire, &mut out);
        assert!(matches!(event, Some(Event::Chunk(_))), "{event:?}");
        server.return_to(&mut pool);
    }
}

#[test]
fn with_takeover_nothing_is_borrowed_and_nothing_returned() {
    let config = with(keen(6), Config::default());
    let taken_over = contexts(context(12, true));
    let mut server = Connection::server(config.clone()).with_deflate(taken_over);
    let mut client = Connection::client(config, fixed_keys()).with_deflate(taken_over);
    let (mut pool, mut wire) = (Pool::new(), BytesMut::new());
    for _ in 0..2 {
        server.borrow_from(&mut pool);
        exchange(&mut server, &mut client, &mut wire, "over and over");
        server.return_to(&mut pool);
        assert!(format!("{pool:?}").ends_with(NO_CODECS), "{pool:?}");
    }
}

#[test]
fn what_nobody_takes_stays() {
    let agreed = contexts(context(12, false));
    let server =
        |level| Connection::server(with(keen(level), Config::default())).with_deflate(agreed);
    let mut client = Connection::client(with(keen(6), Config::default()), fixed_keys());
    client = client.with_deflate(agreed);
    let (mut pool, mut wire) = (Pool::new(), BytesMut::new());
    let mut first = server(6);
    first.borrow_from(&mut pool);
    exchange(&mut first, &mut client, &mut wire, &"over and ".repeat(5));
    for last in [false, true] {
        first.send_fragment(Kind::Text, b"over", last, &mut wire).unwrap();
    }
    first.return_to(&mut pool);
    // No deflater for another policy, no inflater where a message has begun with another.
    let mut second = server(1);
    wire.clear();
    client.send_fragment(Kind::Text, b"over", false, &mut wire).unwrap();
    assert_eq!(second.receive(&mut &mut wire[..], &mut BytesMut::new()), None);
    second.borrow_from(&mut pool);
    second.return_to(&mut pool);
    let both = "Codecs { inflater: true, deflater: true } }";
    assert!(format!("{pool:?}").ends_with(both), "{pool:?}");
}

/// A secret of one connection decides nothing of what another sends, in one piece or in fragments.
#[test]
fn what_was_compressed_before_does_not_show() {
    let mut state = 0x9e37_79b9_u32;
    let mut draw = |most: u8| -> u8 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16).to_le_bytes()[0] % most
    };
    for level in 1..=9 {
        let config = with(keen(level), Config::default());
        let server =
            || Connection::server(config.clone()).with_deflate(contexts(context(12, false)));
        let mut pool = Pool::new();
        for _ in 0..1000 {
            let [one, two] = [12 + draw(40), 4 + draw(60)]
                .map(|len| (0..len).map(|_| b'a' + draw(3)).collect::<Vec<u8>>());
            let mut secret = vec![b'.'; one.len()];
            secret.push(b'a' + draw(4));
            secret.extend([b'.'; 80]);
            let (mut out, whole) = (BytesMut::new(), draw(4) == 0);
            let send = |server: &mut Connection| {
                let mut out = BytesMut::new();
                server.send_fragment(Kind::Binary, &one, whole, &mut out).unwrap();
                server.send_fragment(Kind::Binary, &two, true, &mut out).unwrap();
                out
            };
            let (mut victim, mut borrows) = (server(), server());
            victim.borrow_from(&mut pool);
            victim.send_binary(&secret, &mut out).unwrap();
            if draw(2) == 0 {
                let own = send(&mut victim);
                assert_eq!(own, send(&mut server()), "level {level}, one connection");
            }
            victim.return_to(&mut pool);
            borrows.borrow_from(&mut pool);
            assert_eq!(send(&mut borrows), send(&mut server()), "level {level}");
            borrows.return_to(&mut pool);
        }
        assert_eq!(format!("{pool:?}").contains("deflater: false"), level == 9, "level {level}");
    }
}

#[test]
fn messages_are_prepared_by_one_deflater() {
    let mut pool = Pool::new();
    let data = data(0, 3000, 7);
    // The memory shows too: with less of it a block is shorter.
    for (level, memory, window) in [
        (6, 8, 12),
        (6, 8, 12),
        (1, 8, 12),
        (6, 8, 12),
        (6, 1, 12),
        (6, 8, 12),
        (6, 8, 9),
        (6, 8, 12),
    ] {
        let mut policy = policy(level, memory);
        (policy.threshold, policy.server_max_window_bits) = (0, bits(window));
        let config = with(policy, Config::default());
        let agreed = contexts(context(window, false));
        let mut server = Connection::server(config).with_deflate(agreed);
        let by_its_own = server.prepared(&Prepared::binary(&data).compressed(&policy)).unwrap();
        let prepared = Prepared::binary(&data).compressed_by(&mut pool, &policy);
        assert_eq!(server.prepared(&prepared).unwrap(), by_its_own);
        assert!(by_its_own.len() < data.len());
    }
    // One of level 9, which nobody else may have, does not take its place.
    drop(Prepared::binary(&data).compressed_by(&mut pool, &keen(9)));
    let ((), heap) = counted(|| drop(Prepared::binary(&data).compressed_by(&mut pool, &keen(6))));
    // To make a deflater takes four calls more.
    assert!(heap.held == 0 && heap.peak <= 8192 && heap.calls <= 8, "{heap:?}");
}

#[test]
fn an_inflater_that_is_reset_has_forgotten_its_failure_and_its_history() {
    let mut inflater = Inflater::new(context(15, true));
    let mut hear = |payload: &[u8]| {
        let (message, end) =
            deflate_support::inflate(&mut inflater, payload, &[], 100, deflate_support::FREE);
        inflater.reset();
        end.map(|()| message)
    };
    assert_eq!(hear(b"\xf2\x48\xcd\xc9\xc9\x07\x00").as_deref(), Ok(&b"Hello"[..]));
    // A reference to the message before it.
    assert!(hear(b"\xf2\x00\x11\x00\x00").is_err());
    assert_eq!(hear(b"\xf2\x48\xcd\xc9\xc9\x07\x00").as_deref(), Ok(&b"Hello"[..]));
}

/// They have forgotten what was said, too, in the middle of a message or not.
#[test]
fn a_connection_that_ends_leaves_the_pool_its_codecs() {
    let agreed = contexts(context(12, false));
    let config = with(keen(6), Config::default());
    let member = || {
        let client = Connection::client(config.clone(), fixed_keys()).with_deflate(agreed);
        (Connection::server(config.clone()).with_deflate(agreed), client)
    };
    let text = "over and ".repeat(5);
    for (is_open, end) in [
        (false, &b"\x88\x80\0\0\0\0"[..]),
        (true, b"\x88\x80\0\0\0\0"),
        (true, b"\x80\x80\0\0\0\0"), // ends the message, with all of it compressed
        (true, b"\x83\x80\0\0\0\0"), // a reserved opcode
        (true, b""),
    ] {
        let (mut pool, mut wire) = (Pool::new(), BytesMut::new());
        let (mut server, mut client) = member();
        server.borrow_from(&mut pool);
        exchange(&mut server, &mut client, &mut wire, &text);
        if is_open {
            wire.clear();
            client.send_fragment(Kind::Text, text.as_bytes(), false, &mut wire).unwrap();
            assert_eq!(server.receive(&mut &mut wire[..], &mut BytesMut::new()), None);
            server.send_fragment(Kind::Text, text.as_bytes(), false, &mut wire).unwrap();
        }
        let mut end = end.to_vec();
        while let Some(event) = server.receive(&mut &mut end[..], &mut wire) {
            assert!(!matches!(event, Event::Binary(_)), "{event:?}");
            end.clear();
        }
        server.eof();
        server.return_to(&mut pool);
        let both = "Codecs { inflater: true, deflater: true } }";
        assert!(format!("{pool:?}").ends_with(both), "{end:02x?}: {pool:?}");
        // The next to use them says what it would have said without, and hears what is said.
        let (mut server, mut client) = member();
        let (mut twin, mut said) = (member().0, [BytesMut::new(), BytesMut::new()]);
        server.borrow_from(&mut pool);
        server.send_text(&text, &mut said[0]).unwrap();
        twin.send_text(&text, &mut said[1]).unwrap();
        assert_eq!(said[0], said[1]);
        exchange(&mut server, &mut client, &mut wire, &text);
        server.return_to(&mut pool);
        // The text by reference, as with takeover, which nothing remembers.
        let mut wire = *b"\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00";
        let mut server = member().0;
        server.borrow_from(&mut pool);
        let event = server.receive(&mut &mut wire[..], &mut BytesMut::new());
        assert_eq!(event, Some(Event::Failed(ProtocolError::InvalidCompression)));
    }
}
