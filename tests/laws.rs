//! The laws of the design, over arbitrary sessions: how bytes are chopped never matters, a failure
//! is total, and what one end sends is what the other receives.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{Seen, connection, frame_to, run};
use proptest::prelude::*;
use sockless::frame::{Kind, Opcode};
use sockless::{CloseCode, Config, Connection, Delivery, Event, Role};

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Small limits, so that sessions run into them.
fn config() -> impl Strategy<Value = Config> {
    (any::<bool>(), 0..200_u64, 0..6_u32, 0..3_u16, 0..40_usize).prop_map(
        |(streamed, limit, fragments, empty, high_water)| {
            let mut config = Config::default();
            config.delivery = if streamed { Delivery::Streamed } else { Delivery::Whole };
            (config.max_frame, config.max_message) = (limit, 2 * limit);
            config.max_streamed = 3 * limit;
            (config.max_fragments, config.max_empty_fragments) = (fragments, empty);
            config.high_water = high_water;
            config
        },
    )
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[aé€😀]{0,20}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..150),
        1 => Just(vec![0x03, 0xe8]),
    ]
}

fn opcode() -> impl Strategy<Value = Opcode> {
    prop_oneof![
        3 => Just(Opcode::Text),
        3 => Just(Opcode::Binary),
        6 => Just(Opcode::Continuation),
        2 => Just(Opcode::Ping),
        1 => Just(Opcode::Pong),
        1 => Just(Opcode::Close),
    ]
}

/// Frames that are mostly legal one by one, in an order that often is not; sometimes a byte is
/// wrong.
fn session(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let frames = proptest::collection::vec((any::<bool>(), opcode(), payload()), 0..8);
    let damage = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (frames, damage).prop_map(move |(frames, damage)| {
        let mut wire = Vec::new();
        for (fin, opcode, payload) in frames {
            wire.extend(frame_to(role, fin || opcode.is_control(), opcode, &payload));
        }
        if let (Some((at, byte)), false) = (damage, wire.is_empty()) {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        wire
    })
}

fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=len, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    // req, W5.3-06
    #[test]
    fn how_bytes_are_chopped_never_matters(
        (role, config, wire, cuts) in (role(), config()).prop_flat_map(|(role, config)| {
            session(role).prop_flat_map(move |wire| {
                let cuts = cuts(wire.len());
                (Just(role), Just(config.clone()), Just(wire), cuts)
            })
        })
    ) {
        let whole = run(role, config.clone(), &wire, &[]);
        prop_assert_eq!(&run(role, config.clone(), &wire, &cuts), &whole);
        let every: Vec<_> = (1..wire.len()).collect();
        prop_assert_eq!(&run(role, config, &wire, &every), &whole);
    }

    // req
    #[test]
    fn nothing_comes_after_the_last_event(
        (role, config) in (role(), config()),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        more in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let trace = run(role, config.clone(), &bytes, &[]);
        let longer = run(role, config, &[&bytes[..], &more].concat(), &[bytes.len()]);
        if matches!(trace.events.last(), Some(Seen::Failed(_) | Seen::Close(..))) {
            prop_assert_eq!(longer, trace);
        } else {
            // The last may be a message that is still arriving, in chunks.
            let complete = trace.events.len().saturating_sub(1);
            prop_assert_eq!(&longer.events[..complete], &trace.events[..complete]);
        }
    }

    // req: W5.4-02, W5.4-06, W5.4-13, W6.1-06
    #[test]
    fn messages_arrive_as_they_were_sent_however_they_were_fragmented(
        from in role(),
        messages in proptest::collection::vec(("[aé€😀]{0,300}", cuts(300), any::<bool>()), 0..5),
        size in 1..200_usize,
    ) {
        let mut sender = connection(from, Config::default());
        let mut receiver = connection(from.peer(), Config::default());
        let mut wire = BytesMut::new();
        for (text, cuts, as_text) in &messages {
            let kind = if *as_text { Kind::Text } else { Kind::Binary };
            let bytes = text.as_bytes();
            let mut start = 0;
            for cut in cuts {
                let end = (*cut).clamp(start, bytes.len());
                sender.send_fragment(kind, &bytes[start..end], false, &mut wire).unwrap();
                sender.ping(b"", &mut wire).unwrap();
                start = end;
            }
            sender.send_fragment(kind, &bytes[start..], true, &mut wire).unwrap();
        }
        let mut received = Vec::new();
        let mut out = BytesMut::new();
        for mut piece in wire.chunks_mut(size) {
            while let Some(event) = receiver.receive(&mut piece, &mut out) {
                match event {
                    Event::Text(text) => received.push((text.into_string(), true)),
                    Event::Binary(data) => {
                        received.push((String::from_utf8(data.into_vec()).unwrap(), false));
                    }
                    other => prop_assert_eq!(other, Event::Ping(vec![].into())),
                }
            }
        }
        let sent: Vec<_> = messages.into_iter().map(|(text, _, kind)| (text, kind)).collect();
        prop_assert_eq!(received, sent);
    }

    // req: W7.1.3-01, W5.5.1-13, X-02
    #[test]
    fn two_ends_do_as_they_like_and_both_close_cleanly(
        steps in proptest::collection::vec((any::<bool>(), 0..7_u8, 0..40_usize), 0..40),
    ) {
        let mut ends = [Role::Client, Role::Server].map(|role| End::new(connection(role, Config::default())));
        for (who, what, size) in steps {
            let [client, server] = &mut ends;
            let (one, other) = if who { (client, server) } else { (server, client) };
            match what {
                0 => one.say(size),
                1 => one.connection.ping(&[7; 3], &mut one.out).unwrap_or_default(),
                2 => one.close(),
                // The wire delivers in pieces of any size.
                _ => one.read_from(other, size),
            }
        }
        let [client, server] = &mut ends;
        client.close();
        for _ in 0..2 {
            server.read_from(client, usize::MAX);
            client.read_from(server, usize::MAX);
        }
        prop_assert_eq!(&client.said, &server.heard);
        prop_assert_eq!(&server.said, &client.heard);
        prop_assert!(client.connection.eof().clean && server.connection.eof().clean);
    }
}

struct End {
    connection: Connection,
    out: BytesMut,
    said: Vec<String>,
    heard: Vec<String>,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self { connection, out: BytesMut::new(), said: Vec::new(), heard: Vec::new() }
    }

    fn say(&mut self, size: usize) {
        let text = "é".repeat(size);
        if self.connection.send_text(&text, &mut self.out).is_ok() {
            self.said.push(text);
        }
    }

    /// Closes, unless that has happened.
    fn close(&mut self) {
        self.connection.close(CloseCode::NORMAL, "", &mut self.out).unwrap_or_default();
    }

    fn read_from(&mut self, other: &mut Self, size: usize) {
        let mut piece = other.out.split_to(size.min(other.out.len()));
        let mut input = &mut piece[..];
        while let Some(event) = self.connection.receive(&mut input, &mut self.out) {
            match event {
                Event::Text(text) => self.heard.push(text.into_string()),
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
    }
}
