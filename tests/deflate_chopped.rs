//! RFC 7692 section 6: what was sent compressed arrives, however it is chopped.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod common;
mod deflate_support;

use bytes::BytesMut;
use common::{Seen, connection, run, streamed};
use deflate_support::{keen, with};
use proptest::prelude::*;
use sockless::frame::Kind;
use sockless::{Config, Role, SendError};

/// Text that compresses, and bytes that do not.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[abé€😀 ]{0,400}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..400),
        (0..3000_usize).prop_map(|len| b"over and over "
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()),
    ]
}

/// Messages, each whole or in fragments of this size, as a client or server would send them, and
/// what they are; sometimes one byte is wrong.
fn session() -> impl Strategy<Value = (Role, Vec<u8>, Option<Vec<Seen>>)> {
    let messages = proptest::collection::vec((payload(), 1..500_usize, any::<bool>()), 0..6);
    let damage = proptest::option::weighted(0.4, (any::<prop::sample::Index>(), any::<u8>()));
    (any::<bool>(), 0..200_usize, messages, damage).prop_map(
        |(client, threshold, messages, damage)| {
            let role = if client { Role::Client } else { Role::Server };
            let mut policy = keen();
            policy.threshold = threshold;
            let mut sender = connection(role, with(policy, Config::default()));
            let mut wire = BytesMut::new();
            for (data, size, whole) in &messages {
                let kind =
                    if std::str::from_utf8(data).is_ok() { Kind::Text } else { Kind::Binary };
                let sent = match (std::str::from_utf8(data), *whole) {
                    (Ok(text), true) => sender.send_text(text, &mut wire),
                    (Err(_), true) => sender.send_binary(data, &mut wire),
                    (_, false) => {
                        let mut pieces = data.chunks(*size).peekable();
                        let mut sent = Ok(());
                        while let Some(piece) = pieces.next() {
                            let last = pieces.peek().is_none();
                            sent = sent.and(sender.send_fragment(kind, piece, last, &mut wire));
                        }
                        sent
                    }
                };
                assert_eq!(sent, Ok::<(), SendError>(()));
            }
            let mut wire = wire.to_vec();
            // Of no bytes there is no fragment.
            let sent = messages.into_iter().filter(|(data, _, whole)| *whole || !data.is_empty());
            let mut sent = Some(sent.map(|(data, ..)| seen(data)).collect());
            if let (Some((at, byte)), false) = (damage, wire.is_empty()) {
                let at = at.index(wire.len());
                wire[at] = byte;
                sent = None;
            }
            (role.peer(), wire, sent)
        },
    )
}

/// A message as it arrives.
fn seen(data: Vec<u8>) -> Seen {
    String::from_utf8(data).map_or_else(|error| Seen::Binary(error.into_bytes()), Seen::Text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // req, D7.2.1-05
    #[test]
    fn how_compressed_bytes_are_chopped_never_matters(
        (role, wire, sent) in session(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        limit in prop_oneof![Just(1_u64 << 20), 0..2000_u64],
        ratio in proptest::option::of(1..100_u32),
        deliver_chunks in any::<bool>(),
    ) {
        let mut config = if deliver_chunks { streamed() } else { Config::default() };
        (config.max_message, config.max_streamed) = (limit, limit);
        let mut policy = keen();
        policy.max_ratio = ratio;
        config.deflate = Some(policy);
        let whole = run(role, config.clone(), &wire, &[]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&run(role, config.clone(), &wire, &cuts), &whole);
        let every: Vec<_> = (1..wire.len()).collect();
        prop_assert_eq!(&run(role, config, &wire, &every), &whole);

        // With room for all of it, what was sent is what arrives.
        if let Some(sent) = sent {
            let arrived = run(role, with(keen(), Config::default()), &wire, &cuts);
            prop_assert_eq!(arrived.events, sent);
        }
    }
}
