//! RFC 6455 sections 5.5.2 and 7.1.1: when to ping, and when to stop waiting.
//!
//! A clockless clock beside the connection: the caller says what time it is and what happened, and
//! is told when to ask again and what is due then. It reads no bytes and sends none. Time is a
//! [`Duration`] since any origin, the same for all calls.
//!
//! Invariant: until the peer's last byte there is always a deadline, except where the
//! configuration says `None`.

use crate::config::Config;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

/// The timers of one connection.
///
/// ```text
///  Opening ── open_timeout ──▶ Abort(Open)
///     │ phase(Open)
///     ▼
///    Open ── ping_interval ──▶ Ping ── silence for pong_timeout ──▶ Abort(Pong)
///     │   └─ idle_timeout ───▶ Close(Idle)
///     │ phase(Closing)
///     ▼
///  Closing ── close_timeout ─▶ Abort(Close)
/// ```
///
/// ```
/// use core::time::Duration;
/// use sockless::{Config, Due, Keepalive, Phase, Timeout};
///
/// let second = Duration::from_secs;
/// let mut timers = Keepalive::new(std::sync::Arc::new(Config::default()), second(0));
/// timers.phase(Phase::Open, second(1));
/// assert_eq!(timers.next(), Some(second(31)));
/// let Due::Ping(payload) = timers.poll(second(31)) else { panic!() };
/// assert_eq!(timers.pong(&payload, second(33)), Some(second(2)));
/// // The next Ping goes unanswered.
/// assert!(matches!(timers.poll(second(61)), Due::Ping(_)));
/// assert_eq!(timers.poll(second(80)), Due::Nothing);
/// assert_eq!(timers.poll(second(81)), Due::Abort(Timeout::Pong));
/// ```
#[derive(Debug, Clone)]
pub struct Keepalive {
    config: Arc<Config>,
    phase: Phase,
    /// When the phase began.
    since: Duration,
    /// When the peer was last known to be there.
    heard: Duration,
    /// When the last message passed, either way.
    active: Duration,
    /// When the last Ping was due.
    pinged: Duration,
    /// The number of the last Ping.
    ping: u64,
    /// Whether no Pong has come since the last Ping.
    waiting: bool,
    /// Whether the answer to the last Ping is still to come.
    timing: bool,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The opening handshake is under way.
    Opening,
    /// Messages may pass.
    Open,
    /// A Close was sent or received, and the transport has not ended yet.
    Closing,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake ([`Config::open_timeout`]).
    Open,
    /// The answer to a Ping ([`Config::pong_timeout`]).
    Pong,
    /// The next message ([`Config::idle_timeout`]).
    Idle,
    /// The peer's Close, or the end of the transport ([`Config::close_timeout`]). After
    /// [`Want::AwaitEof`](crate::Want::AwaitEof) it is no failure: both Closes have passed.
    Close,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the opening handshake took too long",
            Self::Pong => "a Ping was not answered in time",
            Self::Idle => "no message passed for too long",
            Self::Close => "the closing handshake took too long",
        })
    }
}

impl core::error::Error for Timeout {}

/// What the time has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Due {
    /// Nothing yet: ask again at [`Keepalive::next`].
    Nothing,
    /// Send a Ping with this payload.
    Ping([u8; 8]),
    /// Start the closing handshake, and tell [`Keepalive::phase`].
    Close(Timeout),
    /// Give the transport up.
    Abort(Timeout),
}

impl Keepalive {
    /// Timers of a connection whose opening handshake begins now.
    pub const fn new(config: Arc<Config>, now: Duration) -> Self {
        Self {
            config,
            phase: Phase::Opening,
            since: now,
            heard: now,
            active: now,
            pinged: now,
            ping: 0,
            waiting: false,
            timing: false,
        }
    }

    /// The connection has come to another phase. Saying the same again changes nothing.
    pub fn phase(&mut self, phase: Phase, now: Duration) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
            self.heard = now;
            self.active = now;
            self.pinged = now;
            self.waiting = false;
            self.timing = false;
        }
    }

    /// Bytes came from the peer, whatever they mean: it is alive. Say so too while nothing is read
    /// for a reason of your own: the silence is not the peer's.
    pub fn heard(&mut self, now: Duration) {
        self.heard = self.heard.max(now);
    }

    /// The transport took some of the output and left some: where it takes more, the peer makes
    /// room. Its Pong is not late while the Ping may wait behind a long message of ours.
    ///
    /// Call it after such a write alone. What a write takes whole says nothing of the peer: it may
    /// lie in a buffer on the way to nobody. A Ping behind it is on its way for as long as the peer
    /// needs to read that buffer: 4 MiB, as Linux lets it grow, take 40 s at 100 kB/s. To bear such
    /// peers, make [`Config::pong_timeout`] longer or the transport's buffer smaller, or call this
    /// too when the transport says that it holds less than it did (`SIOCOUTQ`).
    pub fn backlog(&mut self, now: Duration) {
        self.heard(now);
    }

    /// A message was sent or received, or a chunk of one: the connection is in use.
    pub fn active(&mut self, now: Duration) {
        self.active = self.active.max(now);
    }

    /// A Pong came: the round-trip time, if it answers the last Ping that was due here.
    ///
    /// Any other is as good a sign of life: who was sent another Ping behind this one may answer
    /// "for only the most recently processed Ping frame" (RFC 6455 section 5.5.3).
    pub fn pong(&mut self, payload: &[u8], now: Duration) -> Option<Duration> {
        self.heard(now);
        self.waiting = false;
        if !self.timing || payload != self.ping.to_be_bytes() {
            return None;
        }
        self.timing = false;
        Some(now.saturating_sub(self.pinged))
    }

    /// When to call [`poll`](Self::poll) next; `None` when nothing will ever be due. It may be as
    /// far away as the configuration says: add it to a clock with `checked_add`.
    pub fn next(&self) -> Option<Duration> {
        match self.phase {
            Phase::Opening => self.since.checked_add(self.config.open_timeout),
            Phase::Closing => self.since.checked_add(self.config.close_timeout),
            Phase::Open => [self.pong_deadline(), self.ping_time(), self.idle_deadline()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// What is due now. A Ping that this returns counts as sent. Read what is there before you ask:
    /// the Pong may be in it.
    pub fn poll(&mut self, now: Duration) -> Due {
        let past = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
        match self.phase {
            Phase::Opening if past(self.next()) => Due::Abort(Timeout::Open),
            Phase::Closing if past(self.next()) => Due::Abort(Timeout::Close),
            Phase::Open if past(self.pong_deadline()) => Due::Abort(Timeout::Pong),
            Phase::Open if past(self.idle_deadline()) => Due::Close(Timeout::Idle),
            Phase::Open if past(self.ping_time()) => {
                self.ping = self.ping.wrapping_add(1);
                self.pinged = now;
                (self.waiting, self.timing) = (true, true);
                Due::Ping(self.ping.to_be_bytes())
            }
            Phase::Opening | Phase::Open | Phase::Closing => Due::Nothing,
        }
    }

    /// A Pong may stand behind a long message on a slow line, and so may the Ping: while bytes
    /// move, the peer is not given up.
    fn pong_deadline(&self) -> Option<Duration> {
        let timeout = self.config.pong_timeout.filter(|_| self.waiting)?;
        self.pinged.max(self.heard).checked_add(timeout)
    }

    /// One Ping is under way at a time, where an answer is waited for.
    fn ping_time(&self) -> Option<Duration> {
        let blocked = self.waiting && self.config.pong_timeout.is_some();
        let interval = self.config.ping_interval.filter(|_| !blocked)?;
        self.pinged.checked_add(interval.max(Duration::from_millis(1)))
    }

    fn idle_deadline(&self) -> Option<Duration> {
        self.active.checked_add(self.config.idle_timeout?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn timers(change: impl FnOnce(&mut Config)) -> Keepalive {
        let mut config = Config::default();
        change(&mut config);
        Keepalive::new(Arc::new(config), second(100))
    }

    // req: W7.2.2-01
    #[test]
    fn the_handshake_has_a_deadline() {
        let mut timers = timers(|_| {});
        timers.heard(second(109)); // a dripping head is no excuse
        assert_eq!(timers.next(), Some(second(110)));
        assert_eq!(timers.poll(second(109)), Due::Nothing);
        assert_eq!(timers.poll(second(110)), Due::Abort(Timeout::Open));
    }

    #[test]
    fn a_pong_is_not_late_while_the_ping_may_wait_behind_a_message() {
        let mut timers = timers(|_| {});
        timers.phase(Phase::Open, second(101));
        assert!(matches!(timers.poll(second(131)), Due::Ping(_)));
        // The message goes out in pieces for longer than an answer may take.
        for now in (135..=165).step_by(10) {
            timers.backlog(second(now));
            assert_eq!(timers.poll(second(now + 9)), Due::Nothing);
        }
        // The last piece and the Ping are taken whole at 170: that says nothing of the peer.
        assert_eq!(timers.next(), Some(second(185)));
        assert_eq!(timers.poll(second(185)), Due::Abort(Timeout::Pong));
    }

    // req: W5.5.1-12, W7.1.1-03
    #[test]
    fn closing_has_a_deadline_that_traffic_does_not_move() {
        let mut timers = timers(|_| {});
        timers.phase(Phase::Open, second(101));
        timers.phase(Phase::Closing, second(105));
        timers.heard(second(114));
        timers.phase(Phase::Closing, second(114));
        assert_eq!(timers.next(), Some(second(115)));
        assert_eq!(timers.poll(second(115)), Due::Abort(Timeout::Close));
    }

    #[test]
    fn a_silent_peer_is_pinged_then_given_up() {
        let mut timers = timers(|_| {});
        timers.phase(Phase::Open, second(100));
        assert_eq!(timers.poll(second(129)), Due::Nothing);
        assert_eq!(timers.poll(second(130)), Due::Ping(1_u64.to_be_bytes()));
        assert_eq!(timers.next(), Some(second(150)));
        timers.heard(second(139));
        assert_eq!(timers.next(), Some(second(159)), "it is alive, but has not answered");
        assert_eq!(timers.pong(&1_u64.to_be_bytes(), second(150)), Some(second(20)));
        assert_eq!(timers.pong(&1_u64.to_be_bytes(), second(151)), None, "answered already");
        assert_eq!(timers.next(), Some(second(160)), "the next ping");
        assert!(matches!(timers.poll(second(160)), Due::Ping(_)));
        assert_eq!(timers.poll(second(180)), Due::Abort(Timeout::Pong));
    }

    // req: W5.5.3-02
    #[test]
    fn a_peer_that_answers_only_a_later_ping_is_there() {
        let mut timers = timers(|_| {});
        timers.phase(Phase::Open, second(100));
        assert_eq!(timers.poll(second(130)), Due::Ping(1_u64.to_be_bytes()));
        // The caller sends another Ping at once, and the peer answers that alone.
        assert_eq!(timers.pong(b"mine", second(145)), None);
        assert_eq!(timers.next(), Some(second(160)), "the next Ping; none is waited for");
        assert_eq!(timers.poll(second(160)), Due::Ping(2_u64.to_be_bytes()));
        // One that nobody asked for takes no time away from the answer.
        assert_eq!(timers.pong(b"", second(161)), None);
        assert_eq!(timers.pong(&2_u64.to_be_bytes(), second(163)), Some(second(3)));
    }

    #[test]
    fn without_a_pong_timeout_pings_go_on() {
        let mut timers = timers(|config| config.pong_timeout = None);
        timers.phase(Phase::Open, second(0));
        for n in 1..5 {
            assert_eq!(timers.poll(second(30 * n)), Due::Ping(n.to_be_bytes()));
            assert_eq!(timers.next(), Some(second(30 * (n + 1))));
        }
    }

    #[test]
    fn pings_cannot_be_due_for_ever() {
        let mut timers = timers(|config| {
            (config.ping_interval, config.pong_timeout) = (Some(Duration::ZERO), None);
        });
        timers.phase(Phase::Open, second(0));
        assert_eq!(timers.poll(second(0)), Due::Nothing);
        assert!(matches!(timers.poll(second(1)), Due::Ping(_)));
        assert_eq!(timers.poll(second(1)), Due::Nothing);
    }

    #[test]
    fn an_idle_connection_is_closed_though_it_answers_pings() {
        let mut timers = timers(|config| config.idle_timeout = Some(second(60)));
        timers.phase(Phase::Open, second(0));
        timers.active(second(10));
        assert!(matches!(timers.poll(second(30)), Due::Ping(_)));
        assert!(timers.pong(&1_u64.to_be_bytes(), second(31)).is_some());
        assert!(matches!(timers.poll(second(65)), Due::Ping(_)));
        assert_eq!(timers.poll(second(70)), Due::Close(Timeout::Idle));
    }

    #[test]
    fn nothing_is_due_where_nothing_is_asked_for() {
        let mut timers = timers(|config| config.ping_interval = None);
        timers.phase(Phase::Open, second(0));
        assert_eq!(timers.next(), None);
        assert_eq!(timers.poll(Duration::MAX), Due::Nothing);
    }

    #[test]
    fn time_may_stand_still_go_back_or_end() {
        let mut timers = timers(|config| config.open_timeout = Duration::MAX);
        assert_eq!(timers.next(), None);
        timers.phase(Phase::Open, second(100));
        assert!(matches!(timers.poll(second(130)), Due::Ping(_)));
        assert_eq!(timers.pong(&1_u64.to_be_bytes(), second(120)), Some(second(0)));
    }
}
