//! A message for a thousand members: encoded once, held once, compressed once.
#![allow(missing_docs)]

mod counting;

use bytes::{Bytes, BytesMut};
use counting::counted;
use sockless::{Config, Connection, Prepared};
use std::collections::VecDeque;
use std::sync::Arc;

const MEMBERS: usize = 1000;
const LEN: usize = 64 << 10;

fn text() -> String {
    "what one says to all, and all are told. ".repeat(LEN / 40 + 1)[..LEN].into()
}

/// Members whose queues are as long as they get here, so that what is counted is messages alone.
fn members(new: impl Fn() -> Connection) -> Vec<(Connection, VecDeque<Bytes>)> {
    (0..MEMBERS).map(|_| (new(), VecDeque::with_capacity(8))).collect()
}

#[test]
fn members_who_wait_for_a_message_hold_it_together() {
    let config = Arc::new(Config::default());
    let mut members = members(|| Connection::server(config.clone()));
    let text = text();
    let ((), heap) = counted(|| {
        for _ in 0..4 {
            let message = Prepared::text(&text);
            for (connection, waiting) in &mut members {
                waiting.push_back(connection.prepared(&message).unwrap());
            }
        }
    });
    // Four frames, each with what counts its references, and nothing for a member.
    let frame = LEN + 10 + 64;
    assert!(heap.held <= 4 * isize::try_from(frame).unwrap(), "{heap:?}");
    assert!(heap.calls <= 4 * 3, "{heap:?}");
    let place = members[0].1[0].as_ptr();
    assert!(members.iter().all(|(_, waiting)| waiting[0].as_ptr() == place));

    // The last who waited for it gives it back.
    let ((), heap) = counted(|| members.iter_mut().for_each(|(_, waiting)| waiting.clear()));
    assert!(heap.held <= -4 * isize::try_from(LEN).unwrap(), "{heap:?}");
}

#[test]
fn the_same_bytes_as_if_it_were_encoded_for_each() {
    for len in [0, 1, 125, 126, 65_535, LEN] {
        let text = &text()[..len];
        let (prepared, binary) = (Prepared::text(text), Prepared::binary(text.as_bytes()));
        let mut server = Connection::server(Arc::default());
        let mut out = BytesMut::new();
        server.send_text(text, &mut out).unwrap();
        assert_eq!(server.prepared(&prepared).unwrap(), out.split());
        server.send_binary(text.as_bytes(), &mut out).unwrap();
        assert_eq!(server.prepared(&binary).unwrap(), out);
    }
}

/// Work of the compressor, counted as calls of the allocator: a codec is made for each message.
#[cfg(feature = "deflate")]
#[test]
fn compressed_once_for_all() {
    use sockless::deflate::Policy;

    let policy = Policy::server();
    let mut config = Config::default();
    config.deflate = Some(policy);
    let config = Arc::new(config);
    let contexts = policy.server_contexts(&policy.answer(&Policy::client().offer()));
    let mut members = members(|| Connection::server(config.clone()).with_deflate(contexts));
    let text = &text()[..4096];

    let ((), once) = counted(|| {
        let message = Prepared::text(text).compressed(&policy);
        for (connection, waiting) in &mut members {
            waiting.push_back(connection.prepared(&message).unwrap());
        }
    });
    // The plain form, for those it does not fit, and the compressed one.
    let both = isize::try_from(text.len() + text.len() / 4).unwrap();
    assert!(once.held <= both && once.calls <= 64, "{once:?}");

    let mut out = BytesMut::with_capacity(LEN);
    let ((), each) = counted(|| {
        for (connection, waiting) in &mut members {
            connection.send_text(text, &mut out).unwrap();
            assert_eq!(waiting[0], out);
            out.clear();
        }
    });
    assert!(each.calls >= MEMBERS, "{each:?} is one codec for each member at least");
}

/// A client masks a copy, and it says what the server's frame says.
#[cfg(feature = "deflate")]
#[test]
fn a_client_sends_the_compressed_form_as_compressed() {
    use sockless::deflate::Policy;
    use sockless::{Event, Keys};

    let policy = Policy::client();
    let mut config = Config::default();
    config.deflate = Some(policy);
    let config = Arc::new(config);
    // Either side compresses each message on its own, so the compressed form fits.
    let agreed = policy.answer(&Policy::server().offer());
    let keys = Keys::new(|key| *key = [1, 2, 3, 4]);
    let mut client = Connection::client(config.clone(), keys)
        .with_deflate(Policy::server().client_contexts(&agreed));
    let mut server = Connection::server(config).with_deflate(policy.server_contexts(&agreed));
    let text = &text()[..4096];
    let message = Prepared::text(text).compressed(&Policy::server());
    let frame = client.prepared(&message).unwrap();
    assert!(frame[0] == 0xc1 && frame.len() < text.len() / 4);
    let (mut frame, mut out) = (frame.to_vec(), BytesMut::new());
    let event = server.receive(&mut &mut frame[..], &mut out);
    assert!(event == Some(Event::Text(text.into())), "{event:?}");
}

#[cfg(feature = "deflate")]
#[test]
fn what_does_not_shrink_is_sent_as_it_is() {
    use sockless::deflate::{Context, Deflater, Policy};

    let mut policy = Policy::server();
    policy.threshold = 0;
    let contexts = policy.server_contexts(&policy.answer(&Policy::client().offer()));
    let mut seen = [0; 3];
    for len in 0..64_u8 {
        // Bytes that differ, then a run: around a certain length it makes up for the overhead.
        let data: Vec<u8> =
            (0..16).map(|at: u8| at.wrapping_mul(151)).chain((0..len).map(|_| 7)).collect();
        let mut deflated = BytesMut::new();
        let context = Context::new(policy.server_max_window_bits, false);
        Deflater::new(context, &policy).compress(&data, true, &mut deflated);
        let message = Prepared::binary(&data).compressed(&policy);
        let mut config = Config::default();
        config.deflate = Some(policy);
        let mut server = Connection::server(Arc::new(config)).with_deflate(contexts);
        let shrinks = deflated.len() < data.len();
        assert_eq!(server.prepared(&message).unwrap()[0] == 0xc2, shrinks, "{len}");
        let mut out = BytesMut::new();
        server.send_binary(&data, &mut out).unwrap();
        assert_eq!(out[0] == 0xc2, shrinks, "{len}");
        seen[usize::from(deflated.len() <= data.len()) + usize::from(shrinks)] += 1;
    }
    assert!(seen.iter().all(|&times| times > 0), "longer, as long, shorter: {seen:?}");
}
