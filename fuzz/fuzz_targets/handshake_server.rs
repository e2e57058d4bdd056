//! Law: how a request is chopped changes nothing, and what is accepted reads the same elsewhere.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sockless::Config;
use sockless::deflate::Policy;
use sockless::handshake::{Accept, Asked, Fields, Server};
use sockless_fuzz::{Choices, as_http_1_1, pieces};
use std::sync::Arc;

type Outcome = (String, Vec<u8>, Vec<u8>);

fn serve(config: &Arc<Config>, whole: &[u8], pieces: &[&[u8]], plain: bool) -> Outcome {
    let mut server = Server::new(Arc::clone(config));
    if plain {
        server = server.with_plain_requests();
    }
    let (mut out, mut left, mut outcome) = (BytesMut::new(), Vec::new(), String::new());
    let mut owned = None;
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(asked) = server.receive(&mut input, &mut out) {
            assert!(outcome.is_empty(), "a second verdict");
            match asked {
                Asked::Upgrade(request) => {
                    outcome = format!("upgrade {}", same(whole, request.path(), request.fields()));
                    owned = Some(request.into_owned());
                }
                Asked::Plain(request) => {
                    outcome = format!("plain {}", same(whole, request.path(), request.fields()));
                }
                refused => outcome = format!("{refused:?}"),
            }
        }
        assert!(!outcome.is_empty() || input.is_empty());
        left.extend_from_slice(input);
    }
    if let Some(request) = owned {
        let opened = server.accept(Accept::new(&request).prefer(&["a", "chat"]), &mut out);
        outcome += &format!(" {:?}", opened.map(|(_, agreed)| agreed));
    }
    (outcome, out.to_vec(), left)
}

/// The fields, which are those that another parser finds.
fn same(whole: &[u8], path: &str, fields: Fields<'_>) -> String {
    let whole = as_http_1_1(whole);
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut theirs = httparse::Request::new(&mut headers);
    assert!(theirs.parse(&whole).is_ok_and(|parsed| parsed.is_complete()), "refused elsewhere");
    assert_eq!((theirs.method, theirs.version), (Some("GET"), Some(1)));
    assert!(theirs.path.is_some_and(|target| target.contains(path) || path == "/"));
    let ours: Vec<_> = fields.collect();
    assert!(ours.iter().copied().eq(theirs.headers.iter().map(|field| (field.name, field.value))));
    format!("{path} {ours:?}")
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (flags, cuts, mut config) = (choices.byte(), choices.cuts(), Config::default());
    config.deflate = (flags & 2 != 0).then(Policy::server);
    (config.max_line, config.max_fields) = if flags & 4 != 0 { (64, 6) } else { (8192, 100) };
    let (config, bytes) = (Arc::new(config), choices.0);
    let whole = serve(&config, bytes, &[bytes], flags & 1 != 0);
    assert_eq!(serve(&config, bytes, &pieces(bytes, &cuts), flags & 1 != 0), whole);
    let each: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(serve(&config, bytes, &each, flags & 1 != 0), whole);
});
