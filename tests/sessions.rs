//! RFC 6455 sections 5.4, 5.5 and 7: whole sessions, fed every way.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{Seen, connection, frame_to, run, run_every_way, streamed};
use sockless::frame::{Kind, Opcode};
use sockless::{
    CloseCode, Closed, Config, Connection, Event, ProtocolError, Role, SendError, Want,
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn frames(role: Role, frames: &[(bool, Opcode, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(fin, opcode, data)| frame_to(role, *fin, *opcode, data)).collect()
}

/// Feeds one piece, without answering messages.
fn feed(connection: &mut Connection, bytes: &[u8], out: &mut BytesMut) -> Vec<Event<'static>> {
    let mut piece = bytes.to_vec();
    let mut input = &mut piece[..];
    let mut events = Vec::new();
    while let Some(event) = connection.receive(&mut input, out) {
        events.push(event.into_owned());
    }
    assert!(input.is_empty());
    events
}

// req: W7.1.7-03, W7.1.7-05, X-04
#[test]
fn a_good_message_a_ping_and_a_bad_frame_in_one_read() {
    let mut wire =
        frames(Role::Server, &[(true, Opcode::Text, b"good"), (true, Opcode::Ping, b"p")]);
    wire.extend_from_slice(b"\xf0 and what follows is not looked at");
    let trace = run_every_way(Role::Server, &Config::default(), &wire);
    assert_eq!(
        trace.events,
        [
            Seen::Text("good".into()),
            Seen::Ping(b"p".to_vec()),
            Seen::Failed(ProtocolError::ReservedBits)
        ]
    );
    assert_eq!(trace.out, b"\x81\x04good\x8a\x01p\x88\x02\x03\xea");
    assert_eq!(trace.want, Want::CloseNow);
    assert_eq!(trace.error, Some(ProtocolError::ReservedBits));
}

// req: W5.4-05, W5.5.2-02, W5.5.2-03, W5.4-10, W6.2-02
#[test]
fn control_frames_come_between_fragments() {
    for role in ROLES {
        let wire = frames(
            role,
            &[
                (false, Opcode::Text, "κό".as_bytes()),
                (true, Opcode::Ping, b"1"),
                (false, Opcode::Continuation, b""),
                (true, Opcode::Pong, b"2"),
                (true, Opcode::Continuation, "σμε".as_bytes()),
            ],
        );
        let trace = run_every_way(role, &Config::default(), &wire);
        let text = Seen::Text("κόσμε".into());
        assert_eq!(trace.events, [Seen::Ping(b"1".into()), Seen::Pong(b"2".into()), text]);
        let trace = run_every_way(role, &streamed(), &wire);
        let text = Seen::Streamed(Kind::Text, "κόσμε".into(), true);
        assert_eq!(trace.events, [text, Seen::Ping(b"1".into()), Seen::Pong(b"2".into())]);
    }
}

// req: W5.6-01
#[test]
fn characters_may_be_cut_by_frames() {
    for character in ["é", "€", "😀"] {
        for cut in 1..character.len() {
            let (head, tail) = character.as_bytes().split_at(cut);
            let wire = frames(
                Role::Server,
                &[(false, Opcode::Text, head), (true, Opcode::Continuation, tail)],
            );
            for config in [Config::default(), streamed()] {
                let trace = run_every_way(Role::Server, &config, &wire);
                assert_eq!(trace.error, None, "{character} cut at {cut}");
            }
            let lone = frames(Role::Server, &[(true, Opcode::Text, head)]);
            for config in [Config::default(), streamed()] {
                let trace = run_every_way(Role::Server, &config, &lone);
                assert_eq!(trace.error, Some(ProtocolError::InvalidUtf8));
            }
        }
    }
}

// req: W8.1-02
#[test]
fn streamed_text_comes_out_up_to_the_first_impossible_byte() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"abc\xff", b"abc"),
        (b"ab\xf4\x90\x80\x80", b"ab\xf4"),
        (b"\xe2\x82(", b"\xe2\x82"),
        (b"\xff", b""),
        (b"ok\xc0\x80", b"ok"),
        (b"cut \xe2\x82", b"cut \xe2\x82"),
    ];
    for (payload, before) in cases {
        let wire = frames(Role::Server, &[(true, Opcode::Text, payload)]);
        let trace = run_every_way(Role::Server, &streamed(), &wire);
        let mut wanted = vec![Seen::Streamed(Kind::Text, before.to_vec(), false)];
        wanted.retain(|_| !before.is_empty());
        wanted.push(Seen::Failed(ProtocolError::InvalidUtf8));
        assert_eq!(trace.events, wanted);
    }
}

// req: W5.5.1-01, W5.5.1-08, W5.5.1-11, W5.5.1-12, W5.5.1-14, W7.1.5-01, W7.1.6-01, W7.1.4-01
#[test]
fn the_peers_close_is_answered_and_the_rest_is_ignored() {
    for role in ROLES {
        for body in [
            &b""[..],
            b"\x03\xe8",
            b"\x0f\xa1good\xe2\x82\xac",
            &[&b"\x03\xe8"[..], &[b'r'; 123]].concat(),
        ] {
            let close = frames(role, &[(true, Opcode::Close, body)]);
            let junk = frames(
                role,
                &[
                    (true, Opcode::Text, b"late"),
                    (true, Opcode::Ping, b""),
                    (true, Opcode::Close, b"\x03\xe9"),
                ],
            );
            let trace =
                run_every_way(role, &Config::default(), &[close, junk, vec![0xff; 9]].concat());
            let code = body.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            let reason = std::str::from_utf8(body.get(2..).unwrap_or_default()).unwrap();
            assert_eq!(trace.events, [Seen::Close(code, reason.into())]);
            assert_eq!(trace.out, frame_to_peer(role, body));
            assert_eq!((trace.closed.code, &*trace.closed.reason), (code.into(), reason));
            assert!(trace.closed.clean);
            assert_eq!(
                trace.want,
                if role == Role::Server { Want::CloseNow } else { Want::AwaitEof }
            );
        }
    }
}

/// A Close as `role` sends it, its key the fixed one.
fn frame_to_peer(role: Role, body: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let len = u8::try_from(body.len()).unwrap();
    match role {
        Role::Server => [&[0x88, len], body].concat(),
        Role::Client => {
            let masked = body.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k);
            [0x88, 0x80 | len].into_iter().chain(key).chain(masked).collect()
        }
    }
}

// req: W5.5.1-07, W5.5.1-15, W6.1-01, W7.1.2-01, W7.3-01, W5.1-05
#[test]
fn after_our_close_messages_arrive_and_pings_are_answered_but_nothing_is_sent() {
    let mut server = connection(Role::Server, Config::default());
    let mut out = BytesMut::new();
    assert!(server.is_open());
    server.close(CloseCode::GOING_AWAY, "bye", &mut out).unwrap();
    assert_eq!(out.split(), &b"\x88\x05\x03\xe9bye"[..]);
    assert_eq!((server.is_open(), server.want()), (false, Want::Read));

    let closed = Err(SendError::Closed);
    assert_eq!(server.send_text("", &mut out), closed);
    assert_eq!(server.send_binary(b"", &mut out), closed);
    assert_eq!(server.send_fragment(Kind::Text, b"", true, &mut out), closed);
    assert_eq!(server.ping(b"", &mut out), closed);
    assert_eq!(server.pong(b"", &mut out), closed);
    assert_eq!(server.header(Kind::Text, 0).map(drop), closed);
    assert_eq!(server.mask_in_place(Kind::Text, &mut []).map(drop), closed);
    assert_eq!(server.close(CloseCode::NORMAL, "", &mut out), closed);
    assert!(out.is_empty());

    let wire = frames(Role::Server, &[(true, Opcode::Text, b"late"), (true, Opcode::Ping, b"p")]);
    let events = feed(&mut server, &wire, &mut out);
    assert_eq!(events, [Event::Text("late".into()), Event::Ping(b"p".to_vec().into())]);
    assert_eq!(out.split(), &b"\x8a\x01p"[..]);

    // The peer's Close, crossed or in answer, is not answered again.
    let wire = frames(Role::Server, &[(true, Opcode::Close, b"\x03\xe8")]);
    assert!(matches!(feed(&mut server, &wire, &mut out)[..], [Event::Close(_)]));
    assert!(out.is_empty());
    assert_eq!(server.want(), Want::CloseNow);
    assert!(server.eof().clean);
}

// req: W5.5.1-13, W5.5.1-10
#[test]
fn a_simultaneous_close_is_clean_on_both_sides() {
    let mut ends =
        [connection(Role::Client, Config::default()), connection(Role::Server, Config::default())];
    let mut wires = [BytesMut::new(), BytesMut::new()];
    for (end, wire) in ends.iter_mut().zip(&mut wires) {
        end.send_fragment(Kind::Text, b"unfinished", false, wire).unwrap();
        end.close(CloseCode::NORMAL, "", wire).unwrap();
    }
    for (end, wire) in ends.iter_mut().zip(wires.iter().rev()) {
        let mut out = BytesMut::new();
        assert!(matches!(feed(end, wire, &mut out)[..], [Event::Close(_)]));
        assert!(out.is_empty(), "one Close each");
        assert!(end.eof().clean);
    }
}

// req: W7.1.1-04, W7.1.4-01, W7.1.5-01, W7.2.1-01, W7.1.7-04
#[test]
fn the_end_of_the_transport_in_each_state() {
    let lost =
        |role| Closed { code: CloseCode::ABNORMAL, ..connection(role, Config::default()).eof() };
    for role in ROLES {
        let session = frames(
            role,
            &[
                (false, Opcode::Text, b"par"),
                (true, Opcode::Ping, b"ping"),
                (true, Opcode::Continuation, b"tial"),
                (true, Opcode::Close, b"\x0f\xa0why"),
            ],
        );
        for end in 0..session.len() {
            let trace = run(role, Config::default(), &session[..end], &[]);
            assert_eq!(trace.closed, lost(role), "{end}");
            assert!(!trace.closed.clean && trace.closed.reason.is_empty());
        }
        let mut end = connection(role, Config::default());
        let mut out = BytesMut::new();
        feed(&mut end, &session[..session.len() - 1], &mut out);
        out.clear();
        assert!(end.is_open());
        assert_eq!(end.abort().code, CloseCode::ABNORMAL);
        assert_eq!((end.is_open(), end.want()), (false, Want::CloseNow));
        assert_eq!(end.send_text("", &mut out), Err(SendError::Closed));
        assert!(feed(&mut end, &session, &mut out).is_empty());
        assert!(out.is_empty(), "an abort writes nothing");
        assert_eq!(end.eof(), lost(role), "and stays as it is");
    }
}

// req: X-04, W7.1.7-01, W7.1.7-02, W7.1.7-06
#[test]
fn a_failure_is_final_also_after_our_close() {
    let mut end = connection(Role::Server, Config::default());
    let mut out = BytesMut::new();
    end.close(CloseCode::NORMAL, "", &mut out).unwrap();
    out.clear();
    let events = feed(&mut end, b"\x83\x80", &mut out);
    assert_eq!(events, [Event::Failed(ProtocolError::ReservedOpcode)]);
    assert!(out.is_empty(), "the one Close was ours");
    assert_eq!(end.want(), Want::CloseNow);
    let close = frames(Role::Server, &[(true, Opcode::Close, b"\x03\xe8")]);
    assert!(feed(&mut end, &close, &mut out).is_empty());
    assert!(!end.eof().clean);
}

// req: W5.5.3-02
#[test]
fn pongs_wait_above_the_high_water_mark_and_only_the_newest_goes_out() {
    let mut config = Config::default();
    config.high_water = 10;
    let mut server = connection(Role::Server, config);
    let mut out = BytesMut::from(&[0; 10][..]);
    for n in 0..=255 {
        feed(&mut server, &frames(Role::Server, &[(true, Opcode::Ping, &[n])]), &mut out);
    }
    assert_eq!(&out[10..], b"\x8a\x01\0", "the first still went, at the mark");
    assert!(server.pending());
    server.flush(&mut out);
    assert!(server.pending(), "not drained yet");
    out.clear();
    server.flush(&mut out);
    assert_eq!(&out[..], b"\x8a\x01\xff");
    assert!(!server.pending());

    // What is sent next takes it along; a Close from the peer makes it void.
    for (frame, wanted) in [
        ((true, Opcode::Ping, &b"new"[..]), &b"\x8a\x03new"[..]),
        ((true, Opcode::Close, b"\x03\xe8"), b"\x88\x02\x03\xe8"),
    ] {
        let mut full = BytesMut::from(&[0; 11][..]);
        feed(&mut server, &frames(Role::Server, &[(true, Opcode::Ping, b"old")]), &mut full);
        assert!(server.pending());
        full.clear();
        if frame.1 == Opcode::Close {
            full.extend_from_slice(&[0; 11]);
        }
        feed(&mut server, &frames(Role::Server, &[frame]), &mut full);
        assert!(full.ends_with(wanted), "{full:?}");
        assert!(!server.pending());
    }
}

// req: W5.5.2-02
#[test]
fn a_pong_that_is_owed_after_the_peers_close_is_not_sent() {
    for last in [
        Event::Failed(ProtocolError::MaskMissing),
        feed(&mut connection(Role::Client, Config::default()), b"\x88\0", &mut BytesMut::new())
            .remove(0),
    ] {
        let (_, mut sender) = connection(Role::Server, Config::default()).split();
        let mut out = BytesMut::new();
        sender.reply(&last.reply().unwrap(), &mut out);
        let before = out.clone();
        sender.reply(&Event::Ping(vec![].into()).reply().unwrap(), &mut out);
        assert_eq!(out, before);
        assert!(!sender.pending());
    }
}

// req: W5.5.2-03
#[test]
fn a_held_pong_precedes_what_is_sent_after_it() {
    type Send = fn(&mut Connection, &mut BytesMut) -> Result<(), SendError>;
    let sends: [(Send, &[u8]); 6] = [
        (|it, out| it.send_text("t", out), b"\x81\x01t"),
        (|it, out| it.send_binary(b"b", out), b"\x82\x01b"),
        (|it, out| it.send_fragment(Kind::Text, b"f", false, out), b"\x01\x01f"),
        (|it, out| it.ping(b"i", out), b"\x89\x01i"),
        (|it, out| it.pong(b"o", out), b"\x8a\x01o"),
        // Behind it the Pong would come to a peer that reads no more (section 1.4).
        (|it, out| it.close(CloseCode::NORMAL, "", out), b"\x88\x02\x03\xe8"),
    ];
    let mut config = Config::default();
    config.high_water = 0;
    for (send, frame) in sends {
        let mut server = connection(Role::Server, config.clone());
        let mut out = BytesMut::from(&b"x"[..]);
        feed(&mut server, &frames(Role::Server, &[(true, Opcode::Ping, b"p")]), &mut out);
        out.clear();
        send(&mut server, &mut out).unwrap();
        assert_eq!(out, [&b"\x8a\x01p"[..], frame].concat());
        assert!(!server.pending());
    }

    // Nor does it wait for all that is read to be handed out.
    let mut server = connection(Role::Server, config);
    let mut out = BytesMut::new();
    let mut full = BytesMut::from(&b"x"[..]);
    feed(&mut server, &frames(Role::Server, &[(true, Opcode::Ping, b"q")]), &mut full);
    let mut wire = frames(Role::Server, &[(true, Opcode::Text, b"t")]);
    assert_eq!(server.receive(&mut &mut wire[..], &mut out), Some(Event::Text("t".into())));
    assert_eq!(&out[..], b"\x8a\x01q");
}

// req: W5.5.2-02
#[test]
fn a_drained_output_takes_a_pong_whatever_the_mark() {
    let mut config = Config::default();
    config.high_water = 0;
    let trace =
        run_every_way(Role::Server, &config, &frames(Role::Server, &[(true, Opcode::Ping, b"p")]));
    assert_eq!(trace.out, b"\x8a\x01p");
}

/// Events can be made by hand: what no peer can have sent gets no answer that may not be sent.
#[test]
fn replies_to_impossible_events_stay_legal() {
    assert!(Event::Ping(vec![7; 125].into()).reply().is_some());
    assert!(Event::Ping(vec![7; 126].into()).reply().is_none());
    let mut client = connection(Role::Client, Config::default());
    for (code, reason, wanted) in [
        (1006, "", &b"\x88\x00"[..]),
        (1000, "ok", b"\x88\x04\x03\xe8ok"),
        (1000, &"€".repeat(42), &[&b"\x88\x7d\x03\xe8"[..], "€".repeat(41).as_bytes()].concat()),
    ] {
        let mut event =
            feed(&mut connection(Role::Client, Config::default()), b"\x88\0", &mut BytesMut::new())
                .remove(0);
        if let Event::Close(close) = &mut event {
            close.code = code.into();
            close.reason = reason.to_owned().into();
        }
        let mut out = BytesMut::new();
        let (_, mut sender) = connection(Role::Server, Config::default()).split();
        sender.reply(&event.reply().unwrap(), &mut out);
        assert_eq!(out, wanted);
    }
    assert_eq!((client.role(), client.eof().code), (Role::Client, CloseCode::ABNORMAL));
}
