//! RFC 6455 section 7: the closing handshake, from the sending half's side.
//!
//! It knows which Close frames have passed and what the transport should do next. It reads and
//! writes no bytes.
//!
//! Invariant: it only goes forward, and no Close is sent twice.

use crate::role::Role;

/// Where the connection stands on its way to the end.
///
/// ```text
///           we close            peer's Close
///  Open ───────────────▶ Sent ───────────────▶ Both
///   │                     │                     ▲
///   │ peer's Close, answered at once            │
///   ├─────────────────────┼─────────────────────┘
///   │ peer broke a rule   │
///   └─────────────────────┴──────────▶ Failed
///
///  any ── end of transport, or abort ──▶ Ended, clean only from Both
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// No Close has passed: data may be sent.
    Open,
    /// Our Close is sent; the peer may still send messages and Pings.
    Sent,
    /// Both Closes have passed.
    Both,
    /// The peer broke the protocol and has been told.
    Failed,
    /// The transport is gone.
    Ended {
        /// Whether both Closes had passed.
        clean: bool,
    },
}

/// What moves the closing handshake on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The application closes.
    Ours,
    /// The peer's Close arrived.
    Theirs,
    /// The peer broke the protocol.
    Failure,
    /// The transport ended, or the application gave it up.
    TransportEnd,
}

/// What to do with the transport, once the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    /// Read on.
    Read,
    /// Read on, only for the end, and leave writing open: the server closes first (RFC 6455 section
    /// 7.1.1).
    AwaitEof,
    /// Close: shut down writing, read and drop until the end or a short time, then close. Closing
    /// at once with unread input would reset the connection and could destroy the Close frame that
    /// is on its way.
    CloseNow,
}

impl Closing {
    #[must_use]
    pub(crate) const fn on(self, cause: Cause) -> Self {
        match (self, cause) {
            // The application starts the closing handshake.
            (Self::Open, Cause::Ours) => Self::Sent,
            // The peer started it, and we answered; or it answered ours, or crossed it.
            (Self::Open | Self::Sent, Cause::Theirs) => Self::Both,
            // "Fail the WebSocket Connection" (section 7.1.7).
            (Self::Open | Self::Sent, Cause::Failure) => Self::Failed,
            // "Closed cleanly" only "after the WebSocket closing handshake was completed"
            // (section 7.1.4).
            (Self::Both, Cause::TransportEnd) => Self::Ended { clean: true },
            (Self::Open | Self::Sent | Self::Failed, Cause::TransportEnd) => {
                Self::Ended { clean: false }
            }
            // Nothing else moves a connection that is closing, and nothing an ended one.
            (Self::Sent | Self::Both | Self::Failed, Cause::Ours)
            | (Self::Both | Self::Failed, Cause::Theirs | Cause::Failure)
            | (Self::Ended { .. }, _) => self,
        }
    }

    /// Whether data, Pings and a first Close may be sent.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether Pings are answered: "unless it already received a Close frame" (section 5.5.2).
    pub(crate) const fn answers(self) -> bool {
        matches!(self, Self::Open | Self::Sent)
    }

    pub(crate) const fn want(self, role: Role) -> Want {
        match self {
            Self::Open | Self::Sent => Want::Read,
            Self::Both if role.closes_first() => Want::CloseNow,
            Self::Both => Want::AwaitEof,
            Self::Failed | Self::Ended { .. } => Want::CloseNow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Closing, Role, Want};

    // req: W7.1.3-01, W7.1.4-01, W5.5.1-11, W5.5.1-12, W5.5.1-13, W7.1.2-02
    #[test]
    fn every_state_and_cause() {
        use Cause::{Failure, Ours, Theirs, TransportEnd};
        use Closing::{Both, Ended, Failed, Open, Sent};
        let (clean, unclean) = (Ended { clean: true }, Ended { clean: false });
        let table = [
            (Open, [Sent, Both, Failed, unclean]),
            (Sent, [Sent, Both, Failed, unclean]),
            (Both, [Both, Both, Both, clean]),
            (Failed, [Failed, Failed, Failed, unclean]),
            (clean, [clean; 4]),
            (unclean, [unclean; 4]),
        ];
        for (state, next) in table {
            for (cause, next) in [Ours, Theirs, Failure, TransportEnd].into_iter().zip(next) {
                assert_eq!(state.on(cause), next, "{state:?} on {cause:?}");
            }
        }
        for (state, client, server) in [
            (Open, Want::Read, Want::Read),
            (Sent, Want::Read, Want::Read),
            (Both, Want::AwaitEof, Want::CloseNow),
            (Failed, Want::CloseNow, Want::CloseNow),
            (clean, Want::CloseNow, Want::CloseNow),
        ] {
            assert_eq!(state.want(Role::Client), client, "{state:?}");
            assert_eq!(state.want(Role::Server), server, "{state:?}");
        }
    }
}
