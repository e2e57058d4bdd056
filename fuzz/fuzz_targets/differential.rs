//! Law: another implementation sees the same events and answers the same; where the two part, a
//! table says so (`may_go_on`), with the verdict of the RFC.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sockless::{Config, Connection, Role};
use sockless_fuzz::{Choices, Seen, Verdict, elsewhere, is_unknown_elsewhere};
use sockless_fuzz::{keys, may_go_on, see, unmasked};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let flags = choices.byte();
    let mut config = Config::default();
    // The other counts control frames, too, so none may be over the limit.
    let (frame, message) = if flags & 2 == 0 { (1000, 3000) } else { (125, 200) };
    (config.max_frame, config.max_message) = (frame as u64, message as u64);
    (config.max_fragments, config.max_empty_fragments) = (u32::MAX, u16::MAX);
    let (role, mut connection) = if flags & 1 == 0 {
        (Role::Client, Connection::client(Arc::new(config), keys()))
    } else {
        (Role::Server, Connection::server(Arc::new(config)))
    };

    let (mut ours, mut out) = (Vec::new(), BytesMut::new());
    let mut bytes = choices.0.to_vec();
    let mut input = &mut bytes[..];
    while let Some(event) = connection.receive(&mut input, &mut out) {
        see(&mut ours, &event);
    }
    let limits = (frame, message);
    let Some(error) = connection.error() else {
        let (theirs, answer, verdict) = elsewhere(role, limits, choices.0);
        if ours.pop_if(|event| is_unknown_elsewhere(event)).is_some() {
            assert!(
                matches!(theirs.split_last(), Some((Seen::Close(1002, _), before)) if before == ours)
            );
            return;
        }
        assert_eq!(theirs, ours);
        let is_closed = matches!(ours.last(), Some(Seen::Close(..)));
        assert_eq!(verdict, if is_closed { Verdict::Closed } else { Verdict::Waits });
        return assert_eq!(unmasked(&answer), unmasked(&out));
    };
    ours.pop();
    // The other judges whole frames: it gets the rest of this one.
    let rest = [choices.0, &vec![0; frame + 14]].concat();
    let (theirs, answer, verdict) = elsewhere(role, limits, &rest);
    assert_eq!(theirs.get(..ours.len()), Some(&ours[..]));
    if !may_go_on(error, theirs.get(ours.len())) {
        assert_eq!((theirs.len(), verdict), (ours.len(), Verdict::Fails), "{error:?}");
        // It leaves the Close to its application.
        let [high, low] = u16::from(error.close_code()).to_be_bytes();
        let second = if role == Role::Client { 0x82 } else { 2 };
        assert_eq!(unmasked(&out), [&unmasked(&answer)[..], &[0x88, second, high, low]].concat());
    }
});
