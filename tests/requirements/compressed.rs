//! The same, where compression is agreed (RFC 7692).

use crate::common::{Seen, hex, run_every_way};
use crate::handshake_support::{GET, head};
use bytes::BytesMut;
use sockless::deflate::Policy;
use sockless::handshake::{Accept, Answer, Asked, Client, Offer, ResponseError, Server, Target};
use sockless::{Config, Keys, Role};
use std::sync::Arc;

const NAMES: [&str; 4] = [
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
];

fn config(policy: Policy) -> Arc<Config> {
    let mut config = Config::default();
    config.deflate = Some(policy);
    Arc::new(config)
}

/// What a server with a policy answers to `offer`.
fn answer(offer: &str) -> Option<String> {
    let (mut request, mut out) =
        (head(GET, &[("Sec-WebSocket-Extensions", Some(offer))]), BytesMut::new());
    let mut server = Server::new(config(Policy::server()));
    let Some(Asked::Upgrade(request)) = server.receive(&mut &mut request[..], &mut out) else {
        panic!("a good request")
    };
    server.accept(Accept::new(&request), &mut out).unwrap();
    extensions(&out)
}

fn extensions(head: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(head).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    value.map(String::from)
}

/// What a client with `policy` makes of `answer`: its error, if it fails.
fn judged(policy: Policy, answer: &str) -> Option<ResponseError> {
    let target = Target::parse("ws://h/").unwrap();
    let (keys, mut out) = (Keys::new(|key| *key = [0; 4]), BytesMut::new());
    let mut client = Client::start(config(policy), keys, &Offer::new(&target), &mut out);
    let mut response = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\
         Sec-WebSocket-Extensions: {answer}\r\n\r\n"
    )
    .into_bytes();
    match client.receive(&mut &mut response[..]) {
        Some(Answer::Open { agreed, .. }) => {
            assert!(agreed.deflate.is_some());
            None
        }
        Some(Answer::Failed(error)) => Some(error),
        other => panic!("{answer}: {other:?}"),
    }
}

// req: W9.1-03, D7-01, D7-05, W9.1-02
#[test]
fn parameters_are_those_that_the_extension_defines() {
    let mut offers = BytesMut::new();
    let target = Target::parse("ws://h/").unwrap();
    for policy in [Policy::server(), Policy::client()] {
        offers.clear();
        let keys = Keys::new(|key| *key = [0; 4]);
        Client::start(config(policy), keys, &Offer::new(&target), &mut offers);
        let ours = extensions(&offers).unwrap();
        for text in [ours.clone(), answer(&ours).unwrap()] {
            let mut parts = text.split("; ");
            assert_eq!(parts.next(), Some("permessage-deflate"));
            for part in parts {
                assert!(NAMES.contains(&part.split('=').next().unwrap()), "{part}");
            }
        }
    }
    assert_eq!(answer("permessage-deflate; level=9"), None, "declined");
    let wrong = judged(Policy::client(), "permessage-deflate; level=9");
    assert_eq!(wrong, Some(ResponseError::Extensions));
}

// req: D5-05, D5-06, D5-09
#[test]
fn compression_is_accepted_alone() {
    for offer in [
        "permessage-deflate, x-foo",
        "x-foo; a=1, permessage-deflate",
        "permessage-deflate,permessage-deflate",
    ] {
        let answer = answer(offer).unwrap();
        assert!(answer.starts_with("permessage-deflate; ") && !answer.contains(','), "{answer}");
    }
    let fine = "permessage-deflate; server_no_context_takeover";
    assert_eq!(judged(Policy::client(), fine), None);
    for second in ["x-foo", "permessage-deflate", "permessage-bzip2"] {
        for both in [format!("{fine}, {second}"), format!("{second}, {fine}")] {
            assert_eq!(judged(Policy::client(), &both), Some(ResponseError::Extensions), "{both}");
        }
    }
}

// req: D5.1-01, D7.1.1.1-05, D7.1.2.1-03
#[test]
fn a_client_does_not_go_on_without_a_parameter_that_it_needs() {
    let mut small = Policy::client();
    small.server_max_window_bits = sockless::deflate::WindowBits::new(10).unwrap();
    for (answer, is_met) in [
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=10", true),
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=9", true),
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=11", false),
        ("permessage-deflate; server_no_context_takeover", false),
        ("permessage-deflate; server_max_window_bits=10", false),
        ("permessage-deflate", false),
    ] {
        let wanted = (!is_met).then_some(ResponseError::Extensions);
        assert_eq!(judged(small, answer), wanted, "{answer}");
    }
}

// req: D6.1-05, D6-01, D6.2-01
#[test]
fn the_opcode_of_the_first_frame_is_the_type_of_a_compressed_message() {
    let mut config = Config::default();
    config.deflate = Some(Policy::server());
    for (wire, wanted) in [
        ("c107f248cdc9c90700", Seen::Text("Hello".into())),
        ("c207f248cdc9c90700", Seen::Binary(b"Hello".to_vec())),
        ("4103f248cd8004c9c90700", Seen::Text("Hello".into())),
        ("4203f248cd8004c9c90700", Seen::Binary(b"Hello".to_vec())),
        ("4200000000008007f248cdc9c90700", Seen::Binary(b"Hello".to_vec())),
    ] {
        assert_eq!(run_every_way(Role::Client, &config, &hex(wire)).events, [wanted], "{wire}");
    }
}
