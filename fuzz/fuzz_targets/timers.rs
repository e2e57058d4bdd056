//! Law: nothing is due before the time that was told, and then something is, whatever the clock and
//! the connection do; a Ping is answered once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::{Config, Due, Keepalive, Phase};
use sockless_fuzz::{Choices, logged};
use std::sync::Arc;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let mut drawn = || match choices.byte() {
        0xff => Duration::MAX,
        seconds => Duration::from_secs(seconds.into()),
    };
    let mut config = Config::default();
    (config.open_timeout, config.close_timeout) = (drawn(), drawn());
    let optional = |time: Duration| (time != Duration::from_secs(1)).then_some(time);
    config.ping_interval = optional(drawn());
    config.pong_timeout = optional(drawn());
    config.idle_timeout = optional(drawn());
    let mut now = Duration::ZERO;
    let mut timers = Keepalive::new(Arc::new(config), now);
    while !choices.is_empty() {
        let (command, step) = (choices.byte(), choices.byte());
        // A clock may stand still, go back, and reach its end.
        now = match command >> 4 {
            0 => now.saturating_sub(Duration::from_secs(step.into())),
            1 => Duration::MAX,
            _ => now.saturating_add(Duration::from_millis(u64::from(step) * 100)),
        };
        match command & 7 {
            0 => timers.phase(Phase::Open, now),
            1 => timers.phase(Phase::Closing, now),
            2 => timers.phase(Phase::Opening, now),
            3 => timers.heard(now),
            4 => timers.active(now),
            5 => assert_eq!(timers.pong(&[step; 8], now), None),
            _ => {}
        }
        let due = timers.next().is_some_and(|at| at <= now);
        let done = timers.poll(now);
        assert_eq!(due, done != Due::Nothing, "{done:?}");
        match done {
            Due::Nothing => {}
            Due::Ping(payload) => {
                assert!(!matches!(timers.poll(now), Due::Ping(_)), "one at a time");
                if command & 8 != 0 {
                    assert_eq!(timers.pong(&payload, now), Some(Duration::ZERO));
                    assert_eq!(timers.pong(&payload, now), None);
                }
            }
            Due::Close(late) | Due::Abort(late) => drop(logged(&late)),
        }
    }
});
