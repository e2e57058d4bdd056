//! Law: how the bytes of a session are chopped changes neither events, nor output, nor the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::Role;
use sockless::deflate::Contexts;
use sockless_fuzz::{Choices, Seen, config, connection, context, pieces, run, run_inbox};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let role = if choices.byte() & 1 == 0 { Role::Client } else { Role::Server };
    let config = config(&mut choices);
    let contexts = Contexts { inflate: context(&mut choices), deflate: context(&mut choices) };
    let cuts = choices.cuts();
    let bytes = choices.0;

    let fresh = || connection(role, config.clone(), contexts);
    let whole = run(fresh(), &[bytes]);
    assert_eq!(run(fresh(), &pieces(bytes, &cuts)), whole);
    assert_eq!(run(fresh(), &bytes.chunks(1).collect::<Vec<_>>()), whole);
    assert_eq!(run_inbox(fresh(), 1 + cuts.len(), bytes), whole);

    // A failure and a Close are the last events; texts are UTF-8.
    for (at, event) in whole.events.iter().enumerate() {
        if matches!(event, Seen::Failed(_) | Seen::Close(..)) {
            assert_eq!(at + 1, whole.events.len());
        }
        if let Seen::Message(sockless::frame::Kind::Text, text, true) = event {
            assert!(std::str::from_utf8(text).is_ok());
        }
    }
});
