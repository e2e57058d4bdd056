//! Law: how a request is chopped changes nothing, and what is accepted reads the same elsewhere;
//! where a host has parsed it, it meets the same verdict.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::Config;
use sockless::deflate::Policy;
use sockless_fuzz::{Choices, pieces, serve, served};
use std::sync::Arc;

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
    // The head that is written down for a host's is not the same length.
    if flags & 4 == 0 {
        if let Some([as_bytes, as_values, extended]) = served(&config, bytes) {
            assert_eq!(as_values, as_bytes);
            // It needs neither a key nor the fields of an upgrade.
            assert!(as_bytes.is_none() || extended == as_bytes);
        }
    }
});
