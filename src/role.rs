//! RFC 6455 section 5.1: which side of the connection this is, and what follows from it.
//!
//! Every rule that differs between client and server is a method here, so that no state machine
//! asks "am I the client?".
//!
//! Invariant: `Role` is matched on in this file alone.

/// The side of a WebSocket connection (RFC 6455 section 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that sent the opening request. It masks every frame.
    Client,
    /// The side that answered the opening request. It masks none.
    Server,
}

impl Role {
    /// Whether the frames that this side sends are masked.
    ///
    /// "A client MUST mask all frames that it sends to the server", and "A server MUST NOT mask
    /// any frames that it sends to the client" (RFC 6455 section 5.1).
    pub const fn masks(self) -> bool {
        matches!(self, Self::Client)
    }

    /// Whether the frames that this side receives must be masked: the peer's rule.
    pub const fn expects_mask(self) -> bool {
        self.peer().masks()
    }

    /// Whether this side closes the transport as soon as both Close frames have passed.
    ///
    /// "The server MUST close the underlying TCP connection immediately; the client SHOULD wait
    /// for the server to close the connection" (RFC 6455 section 5.5.1).
    pub const fn closes_first(self) -> bool {
        matches!(self, Self::Server)
    }

    /// Whether this side may send the close code 1010, which is the client's alone
    /// (RFC 6455 section 7.4.1).
    pub const fn demands_extensions(self) -> bool {
        matches!(self, Self::Client)
    }

    /// The other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn each_rule_is_the_mirror_of_the_peers() {
        for role in [Role::Client, Role::Server] {
            assert_eq!(role.peer().peer(), role);
            assert_eq!(role.masks(), role.peer().expects_mask());
            assert_ne!(role.closes_first(), role.peer().closes_first());
        }
        assert!(Role::Client.masks() && !Role::Server.masks());
        assert!(Role::Server.closes_first());
        assert!(Role::Client.demands_extensions() && !Role::Server.demands_extensions());
    }
}
