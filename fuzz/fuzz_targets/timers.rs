//! Law: nothing is due before the time that was told, and then something is, whatever the clock and
//! the connection do; that time is what the configuration says; a Ping is answered once, and any
//! Pong ends the wait.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::{Due, Keepalive, Phase};
use sockless_fuzz::timers::{Happened, config};
use sockless_fuzz::{Choices, logged};
use std::sync::Arc;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (config, mut now) = (Arc::new(config(&mut choices)), Duration::ZERO);
    let mut timers = Keepalive::new(Arc::clone(&config), now);
    let mut happened = Happened { phase: Phase::Opening, since: now, latest: now, waiting: false };
    while !choices.is_empty() {
        let (command, step) = (choices.byte(), choices.byte());
        // A clock may stand still, go back, and reach its end.
        now = match command >> 4 {
            0 => now.saturating_sub(Duration::from_secs(step.into())),
            1 => Duration::MAX,
            _ => now.saturating_add(Duration::from_millis(u64::from(step) * 100)),
        };
        happened.latest = happened.latest.max(now);
        match usize::from(command & 7) {
            to @ 0..3 => {
                let phase = [Phase::Open, Phase::Closing, Phase::Opening][to];
                timers.phase(phase, now);
                happened.phase(phase, now);
            }
            3 => timers.heard(now),
            4 => timers.active(now),
            5 => {
                happened.waiting = false;
                assert_eq!(timers.pong(&[step; 8], now), None);
            }
            6 => timers.backlog(now),
            _ => {}
        }
        happened.check(&config, &timers);
        let due = timers.next().is_some_and(|at| at <= now);
        let done = timers.poll(now);
        assert_eq!(due, done != Due::Nothing, "{done:?}");
        match done {
            Due::Nothing => {}
            Due::Ping(payload) => {
                happened.waiting = true;
                happened.check(&config, &timers);
                assert!(!matches!(timers.poll(now), Due::Ping(_)), "one at a time");
                if command & 8 != 0 {
                    happened.waiting = false;
                    assert_eq!(timers.pong(&payload, now), Some(Duration::ZERO));
                    assert_eq!(timers.pong(&payload, now), None);
                }
            }
            Due::Close(late) | Due::Abort(late) => drop(logged(&late)),
        }
    }
});
