//! Law: how a request is chopped changes nothing, and what is accepted reads the same elsewhere;
//! where a host has parsed it, it meets the same verdict; who is refused for a limit exceeds it,
//! and nobody else does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::Config;
use sockless::deflate::Policy;
use sockless_fuzz::{Choices, limit, pieces, serve, served};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (flags, cuts, mut config) = (choices.byte(), choices.cuts(), Config::default());
    config.deflate = (flags & 2 != 0).then(Policy::server);
    if flags & 4 != 0 {
        limit(&mut config, &mut choices);
    }
    let (config, bytes) = (Arc::new(config), choices.0);
    let whole = serve(&config, bytes, &[bytes], flags & 1 != 0);
    assert_eq!(serve(&config, bytes, &pieces(bytes, &cuts), flags & 1 != 0), whole);
    let each: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(serve(&config, bytes, &each, flags & 1 != 0), whole);
    if let Some([as_bytes, as_values, extended]) = served(&config, bytes) {
        assert_eq!(as_values, as_bytes);
        // It needs neither a key nor the fields of an upgrade, but its request line is longer.
        assert!(as_bytes.is_none() || extended == as_bytes || flags & 4 != 0);
    }
});
