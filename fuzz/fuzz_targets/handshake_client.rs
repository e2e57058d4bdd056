//! Law: how an answer is chopped changes nothing, and what is taken for one reads the same
//! elsewhere.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sockless::Config;
use sockless::deflate::Policy;
use sockless::handshake::{Answer, Client, Offer, Response, Target};
use sockless_fuzz::{Choices, as_http_1_1, keys, pieces};
use std::sync::Arc;

fn ask(config: &Arc<Config>, whole: &[u8], pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let target = Target::parse("ws://server.example/chat").expect("a literal");
    let offer = Offer::new(&target).subprotocol("chat").expect("a token");
    let mut request = BytesMut::new();
    let mut client = Client::start(Arc::clone(config), keys(), &offer, &mut request);
    let (mut left, mut outcome) = (Vec::new(), String::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(answer) = client.receive(&mut input) {
            assert!(outcome.is_empty(), "a second verdict");
            outcome = match answer {
                Answer::Open { agreed, response, .. } => {
                    assert_eq!(response.status(), 101);
                    format!("open {agreed:?} {}", same(whole, &response))
                }
                Answer::Refused(response) => format!("refused {}", same(whole, &response)),
                failed => format!("{failed:?}"),
            };
        }
        assert!(!outcome.is_empty() || input.is_empty());
        left.extend_from_slice(input);
    }
    (outcome, left)
}

/// The fields, which are those that another parser finds, after the interim responses.
fn same(mut whole: &[u8], response: &Response<'_>) -> String {
    loop {
        let head = as_http_1_1(whole);
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut theirs = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(size)) = theirs.parse(&head) else {
            panic!("refused elsewhere")
        };
        if theirs.code.is_some_and(|code| code < 200 && code != 101) {
            whole = &whole[size..];
            continue;
        }
        assert_eq!(theirs.code, Some(response.status()));
        let ours: Vec<_> = response.fields().collect();
        let theirs = theirs.headers.iter().map(|field| (field.name, field.value));
        assert!(ours.iter().copied().eq(theirs));
        return format!("{} {:?} {ours:?}", response.status(), response.reason());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (flags, cuts, mut config) = (choices.byte(), choices.cuts(), Config::default());
    config.deflate = (flags & 2 != 0).then(Policy::client);
    let (config, bytes) = (Arc::new(config), choices.0);
    let whole = ask(&config, bytes, &[bytes]);
    assert_eq!(ask(&config, bytes, &pieces(bytes, &cuts)), whole);
    assert_eq!(ask(&config, bytes, &bytes.chunks(1).collect::<Vec<_>>()), whole);
});
