//! Law: how the bytes of a session are chopped, and whether its halves stay together, changes
//! neither events, nor output, nor the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::deflate::Contexts;
use sockless::frame::Kind;
use sockless::{Delivery, Role};
use sockless_fuzz::{
    Choices, Seen, config, connection, context, pieces, run, run_halves, run_inbox,
};

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
    assert_eq!(run_inbox(fresh(), 1 + bytes.len(), bytes), whole);
    let (events, out, want, closed) = run_halves(fresh(), bytes);
    assert_eq!(
        (&events, &out, want, &closed),
        (&whole.events, &whole.out, whole.want, &whole.closed)
    );

    // A failure and a Close are the last events; texts are UTF-8.
    for (at, event) in whole.events.iter().enumerate() {
        if matches!(event, Seen::Failed(_) | Seen::Close(..)) {
            assert_eq!(at + 1, whole.events.len());
        }
        if let Seen::Message(kind, data, true) = event {
            assert!(*kind == Kind::Binary || std::str::from_utf8(data).is_ok());
            let is_held = config.delivery == Delivery::Whole;
            assert!(!is_held || data.len() as u64 <= config.worst_case());
        }
    }
});
