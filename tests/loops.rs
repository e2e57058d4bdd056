//! Every use that the design promises, compiled: replies while a message is held, a lending
//! `next()`, halves on two tasks, and the sizes that go with them.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{connection, fixed_keys, frame_to, streamed};
use sockless::frame::{Kind, Opcode};
use sockless::{
    CloseCode, Config, Connection, Delivery, Event, Inbox, Keepalive, ProtocolError, Receiver,
    Reply, Role, Sender, Want,
};
use std::sync::{Arc, mpsc};

fn assert_send_sync<T: Send + Sync + 'static>() {}

// req: X-06
#[test]
fn a_connection_is_small_and_goes_anywhere() {
    assert!(size_of::<Connection>() <= 128, "{}", size_of::<Connection>());
    assert_send_sync::<Connection>();
    assert_send_sync::<Receiver>();
    assert_send_sync::<Sender>();
    assert_send_sync::<Inbox>();
    assert_send_sync::<Keepalive>();
    assert_send_sync::<Reply>();
    // What many connections count together, each counts once.
    let config = Arc::new(Config::default());
    let connections = [Connection::server(config.clone()), Connection::server(config.clone())];
    assert_eq!(Arc::strong_count(&config), 1 + connections.len());
    // `input` is the caller's: an event does not tie the connection down.
    assert_send_sync::<Event<'static>>();
}

/// The loop of the crate's front page: two messages are held while both are answered.
#[test]
fn replies_are_sent_while_messages_are_held() {
    let mut connection = connection(Role::Server, Config::default());
    let mut out = BytesMut::new();
    let mut scratch = [
        frame_to(Role::Server, true, Opcode::Text, b"one"),
        frame_to(Role::Server, true, Opcode::Text, b"two"),
    ]
    .concat();
    let range = scratch.as_ptr_range();
    let mut input = &mut scratch[..];
    let Some(Event::Text(one)) = connection.receive(&mut input, &mut out) else { panic!() };
    let Some(Event::Text(two)) = connection.receive(&mut input, &mut out) else { panic!() };
    connection.send_text(&two, &mut out).unwrap();
    connection.send_text(&one, &mut out).unwrap();
    assert_eq!(&out[..], b"\x81\x03two\x81\x03one");
    // Zero-copy, shown: the messages are the caller's memory.
    assert!(one.is_borrowed() && range.contains(&one.as_ptr()));
    assert!(two.is_borrowed() && range.contains(&two.as_ptr()));
    assert_eq!(two.as_ptr() as usize - one.as_ptr() as usize, 9);
}

/// An adapter, as any runtime would write it.
struct Adapter {
    connection: Connection,
    inbox: Inbox,
    out: BytesMut,
    wire: std::collections::VecDeque<u8>,
}

impl Adapter {
    fn next(&mut self) -> Option<Event<'_>> {
        while !self.inbox.advance(&mut self.connection, &mut self.out) {
            let room = self.inbox.room();
            let n = std::io::Read::read(&mut self.wire, room).unwrap();
            if n == 0 {
                return None;
            }
            self.inbox.filled(n);
        }
        self.inbox.event()
    }
}

#[test]
fn a_next_lends_its_events_whatever_the_size_of_its_buffer() {
    let wire = [
        frame_to(Role::Server, true, Opcode::Text, "κόσμε".as_bytes()),
        frame_to(Role::Server, true, Opcode::Ping, b"p"),
        frame_to(Role::Server, false, Opcode::Binary, &[1; 20]),
        frame_to(Role::Server, true, Opcode::Pong, b""),
        frame_to(Role::Server, true, Opcode::Continuation, &[2; 20]),
        frame_to(Role::Server, true, Opcode::Close, b"\x0f\xa1gone"),
        b"and what must be ignored".to_vec(),
    ]
    .concat();
    for size in 1..wire.len() + 2 {
        let mut adapter = Adapter {
            connection: connection(Role::Server, Config::default()),
            inbox: Inbox::new(size),
            out: BytesMut::new(),
            wire: wire.iter().copied().collect(),
        };
        let joined = [[1; 20], [2; 20]].concat();
        assert_eq!(adapter.next(), Some(Event::Text("κόσμε".into())), "{size}");
        assert_eq!(adapter.next(), Some(Event::Ping(b"p".to_vec().into())), "{size}");
        assert_eq!(adapter.next(), Some(Event::Pong(vec![].into())), "{size}");
        assert_eq!(adapter.next(), Some(Event::Binary(joined.into())), "{size}");
        let Some(Event::Close(close)) = adapter.next() else { panic!("{size}") };
        assert_eq!((close.code, &*close.reason), (CloseCode::from(4001), "gone"));
        assert_eq!(adapter.next(), None);
        assert_eq!(&adapter.out[..], b"\x8a\x01p\x88\x06\x0f\xa1gone");
    }
}

/// What an inbox lends is the event itself, borrowed or kept, and a kept one outlives the input.
#[test]
fn an_inbox_lends_every_kind_of_event() {
    let wire = [
        frame_to(Role::Client, true, Opcode::Text, "κόσμε".as_bytes()),
        frame_to(Role::Client, true, Opcode::Binary, b"\0\xff"),
        frame_to(Role::Client, false, Opcode::Text, "κ".as_bytes()),
        frame_to(Role::Client, true, Opcode::Pong, b"pong"),
        frame_to(Role::Client, true, Opcode::Continuation, b""),
        frame_to(Role::Client, true, Opcode::Ping, b"ping"),
        frame_to(Role::Client, true, Opcode::Close, b"\x0f\xa1gone"),
    ]
    .concat();
    for config in [Config::default(), streamed()] {
        let mut plain = connection(Role::Client, config.clone());
        let (mut input, mut wanted) = (&mut wire.clone()[..], Vec::new());
        while let Some(event) = plain.receive(&mut input, &mut BytesMut::new()) {
            wanted.push(event.into_owned());
        }
        assert_eq!(wanted.len(), if config.delivery == Delivery::Streamed { 7 } else { 6 });
        let mut connection = connection(Role::Client, config);
        let (mut inbox, mut out) = (Inbox::new(wire.len()), BytesMut::new());
        inbox.room().copy_from_slice(&wire);
        inbox.filled(wire.len());
        for wanted in wanted {
            assert!(inbox.advance(&mut connection, &mut out));
            assert_eq!(inbox.event(), Some(wanted));
        }
        assert!(!inbox.advance(&mut connection, &mut out));
    }
}

#[test]
fn an_inbox_keeps_the_event_until_it_goes_on() {
    let mut connection = connection(Role::Client, Config::default());
    let mut out = BytesMut::new();
    let mut inbox = Inbox::new(16);
    assert!(inbox.event().is_none());
    inbox.room()[..4].copy_from_slice(b"\x81\x02hi");
    inbox.filled(4);
    assert!(inbox.advance(&mut connection, &mut out));
    assert_eq!(inbox.event(), Some(Event::Text("hi".into())));
    assert_eq!(inbox.event(), Some(Event::Text("hi".into())), "it can be looked at again");
    // Nor is it overwritten: there is room behind it.
    assert_eq!(inbox.room().len(), 12);
    inbox.room().fill(0xff);
    assert_eq!(inbox.event(), Some(Event::Text("hi".into())));
    assert!(!inbox.advance(&mut connection, &mut out));
    assert!(inbox.event().is_none());
    // What is unread is not overwritten: there is room behind it.
    inbox.room()[..2].copy_from_slice(b"\x81\x03");
    inbox.filled(2);
    assert_eq!(inbox.room().len(), 14);
    inbox.room()[..3].copy_from_slice(b"you");
    inbox.filled(3);
    assert!(inbox.advance(&mut connection, &mut out));
    assert_eq!(inbox.event(), Some(Event::Text("you".into())));
    inbox.filled(usize::MAX);
    assert!(inbox.room().is_empty());
}

/// Two threads, no lock: what the receiving one owes travels as a value.
#[test]
fn halves_live_on_two_tasks() {
    let (mut receiver, mut sender) = connection(Role::Server, Config::default()).split();
    let (replies, owed) = mpsc::channel::<Reply>();
    let reading = std::thread::spawn(move || {
        let mut wire = [
            frame_to(Role::Server, true, Opcode::Ping, b"1"),
            frame_to(Role::Server, true, Opcode::Ping, b"2"),
            frame_to(Role::Server, true, Opcode::Close, b"\x03\xe8"),
        ]
        .concat();
        let mut input = &mut wire[..];
        while let Some(event) = receiver.receive(&mut input) {
            if let Some(reply) = event.reply() {
                replies.send(reply).unwrap();
            }
        }
        receiver
    });
    let mut out = BytesMut::new();
    sender.send_fragment(Kind::Text, b"from", false, &mut out).unwrap();
    for reply in owed {
        sender.reply(&reply, &mut out);
    }
    assert_eq!(&out[..], b"\x01\x04from\x8a\x011\x8a\x012\x88\x02\x03\xe8");
    assert_eq!(sender.want(), Want::CloseNow);
    let (code, reason) = reading.join().unwrap().eof();
    assert_eq!((code, &*reason, sender.eof()), (CloseCode::NORMAL, "", true));
}

/// A half alone sees what a connection sees.
#[test]
fn a_receiver_needs_no_sender() {
    let wire = [
        frame_to(Role::Server, true, Opcode::Text, "κόσμε".as_bytes()),
        frame_to(Role::Server, true, Opcode::Binary, &[7; 300]),
        frame_to(Role::Server, false, Opcode::Text, b"a"),
        frame_to(Role::Server, true, Opcode::Continuation, b"b"),
        frame_to(Role::Server, true, Opcode::Text, b"\xff"),
    ]
    .concat();
    let (mut receiver, _) = connection(Role::Server, Config::default()).split();
    let (mut one, mut two) = (&mut wire.clone()[..], &mut wire.clone()[..]);
    let mut whole = connection(Role::Server, Config::default());
    for seen in 0.. {
        let event = receiver.receive(&mut one);
        assert_eq!(event, whole.receive(&mut two, &mut BytesMut::new()));
        if event.is_none() {
            assert_eq!(seen, 4);
            break;
        }
        assert_eq!(matches!(event, Some(Event::Failed(ProtocolError::InvalidUtf8))), seen == 3);
    }
    // One message a read.
    let (mut receiver, _) = connection(Role::Server, Config::default()).split();
    for _ in 0..3 {
        let mut read = frame_to(Role::Server, true, Opcode::Text, b"hi");
        let mut input = &mut read[..];
        assert_eq!(receiver.receive(&mut input), Some(Event::Text("hi".into())));
        assert_eq!(receiver.receive(&mut input), None);
    }
}

// req: W5.5.3-02
#[test]
fn one_slot_is_enough_for_what_is_owed() {
    let mut receiver = Receiver::client(Arc::new(Config::default()));
    let mut owed: Option<Reply> = None;
    let mut wire = b"\x89\x011\x89\x012\x88\x02\x0f\xa1\x89\x013".to_vec();
    let mut input = &mut wire[..];
    while let Some(event) = receiver.receive(&mut input) {
        if let Some(reply) = event.reply() {
            owed = Some(owed.map_or(reply, |older| older.merge(reply)));
        }
        if let (Event::Ping(payload), Some(owed)) = (&event, owed) {
            assert_eq!(format!("{owed:?}"), format!("Pong({} bytes)", payload.len()));
        }
    }
    let owed = owed.unwrap();
    let pong = Event::Ping(b"late".to_vec().into()).reply().unwrap();
    let mut out = BytesMut::new();
    Sender::client(Arc::new(Config::default()), fixed_keys()).reply(&owed.merge(pong), &mut out);
    assert_eq!(&out[..], b"\x88\x82\x37\xfa\x21\x3d\x38\x5b");
}
