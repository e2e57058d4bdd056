//! Law: how an answer is chopped changes nothing, and what is taken for one reads the same
//! elsewhere; where a host has parsed it, it meets the same verdict; what is refused for a limit
//! exceeds it, and nothing else does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::Config;
use sockless::deflate::Policy;
use sockless_fuzz::{Choices, ask, asked, limit, pieces};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (flags, cuts, mut config) = (choices.byte(), choices.cuts(), Config::default());
    config.deflate = (flags & 2 != 0).then(Policy::client);
    if flags & 4 != 0 {
        limit(&mut config, &mut choices);
    }
    let (config, bytes) = (Arc::new(config), choices.0);
    let whole = ask(&config, bytes, &[bytes]);
    assert_eq!(ask(&config, bytes, &pieces(bytes, &cuts)), whole);
    assert_eq!(ask(&config, bytes, &bytes.chunks(1).collect::<Vec<_>>()), whole);
    if let Some([as_bytes, as_values]) = asked(&config, bytes) {
        assert_eq!(as_values, as_bytes);
    }
});
