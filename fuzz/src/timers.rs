//! What the deadlines of a connection may be, by its configuration and by what has happened.

use crate::Choices;
use sockless::{Config, Due, Keepalive, Phase, Timeout};
use std::time::Duration;

/// Times from none to for ever, drawn.
pub fn config(choices: &mut Choices<'_>) -> Config {
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
    config
}

/// What has happened. Each timer has last been set at some time from `since` to `latest`.
pub struct Happened {
    pub phase: Phase,
    pub since: Duration,
    pub latest: Duration,
    /// A Ping has not been answered.
    pub waiting: bool,
}

impl Happened {
    /// The connection has come to this phase, or stays in it.
    pub fn phase(&mut self, phase: Phase, now: Duration) {
        if self.phase != phase {
            *self = Self { phase, since: now, latest: now, waiting: false };
        }
    }

    /// The next deadline is neither too early nor too late; then something is due that belongs to
    /// the phase, and nothing is before. Where there is none, nothing is ever due.
    pub fn check(&self, config: &Config, timers: &Keepalive) {
        let poll = |at: Duration| timers.clone().poll(at);
        let (next, shortest) = (timers.next(), self.shortest(config));
        let is_open = self.phase == Phase::Open;
        // Of the phases that are no exchange of messages, nothing moves the end.
        let latest = if is_open { self.latest } else { self.since };
        let least = shortest.and_then(|time| self.since.checked_add(time));
        let most = shortest.and_then(|time| latest.checked_add(time));
        assert!(most.is_none_or(|most| next.is_some_and(|next| next <= most)), "too late");
        let Some(next) = next else { return assert_eq!(poll(Duration::MAX), Due::Nothing) };
        assert!(least.is_some_and(|least| next >= least), "too early");
        if let Some(before) = next.checked_sub(Duration::from_nanos(1)) {
            assert_eq!(poll(before), Due::Nothing);
        }
        assert!(match poll(next) {
            Due::Nothing => false,
            Due::Abort(Timeout::Open) => self.phase == Phase::Opening,
            Due::Abort(Timeout::Close) => self.phase == Phase::Closing,
            Due::Abort(Timeout::Pong) => is_open && self.waiting && config.pong_timeout.is_some(),
            Due::Close(Timeout::Idle) => is_open && config.idle_timeout.is_some(),
            Due::Ping(_) => is_open && config.ping_interval.is_some(),
            other => panic!("{other:?}"),
        });
    }

    /// The shortest of the times that run.
    fn shortest(&self, config: &Config) -> Option<Duration> {
        match self.phase {
            Phase::Opening => Some(config.open_timeout),
            Phase::Closing => Some(config.close_timeout),
            Phase::Open => {
                let pong = config.pong_timeout.filter(|_| self.waiting);
                // There is one Ping at a time, where its answer has to come in time.
                let ping = config.ping_interval.filter(|_| pong.is_none());
                // "At least a millisecond".
                let ping = ping.map(|interval| interval.max(Duration::from_millis(1)));
                [pong, ping, config.idle_timeout].into_iter().flatten().min()
            }
        }
    }
}
