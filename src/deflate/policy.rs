//! RFC 7692 sections 5 and 7.1: what a side wants of permessage-deflate, and what it agrees to.
//!
//! The server's choice among offers, the client's offer and its judgement of the answer. It makes
//! no codec and keeps nothing; to leave compression off is to have no policy.
//!
//! Invariant: an answer that [`Policy::accept`] gives passes [`Offer::check`] of the offer it took.

use super::{Context, Contexts, Effort, Limits, Offer, Params, ParamsError, WindowBits};

/// What a side offers or accepts, and how it compresses.
///
/// The limits named after the other side are wishes: a server can limit only a client that lets it,
/// and inflates what comes either way.
///
/// ```
/// use sockless::deflate::{Offer, Policy};
/// let offer = Offer::parse::<_, &str>([("client_max_window_bits", None)])?;
/// let answer = Policy::server().answer(&offer);
/// assert_eq!(
///     answer.to_string(),
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
///      server_max_window_bits=12"
/// );
/// # Ok::<(), sockless::deflate::ParamsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Whether the server's messages are compressed each on its own: yes, so that nothing is held
    /// between them, and no secret is compressed together with what an attacker chose before
    /// (section 8).
    pub server_no_context_takeover: bool,
    /// The same for the client's: yes.
    pub client_no_context_takeover: bool,
    /// The largest window of the server. A server's own: 12, which costs 112 KiB less than 15 and
    /// compresses short messages as well. Asked of it by a client: 15, for not all servers can
    /// be asked.
    pub server_max_window_bits: WindowBits,
    /// The largest window of the client. A client's own: 12; asked of it by a server: 15, for it
    /// costs a server nothing.
    pub client_max_window_bits: WindowBits,
    /// How hard to compress, 0 (not at all) to 9: 6, as zlib does. More counts as 9.
    pub level: u8,
    /// How much memory to compress with beside the window, 1 to 9, zlib's `memLevel`: 8, as zlib
    /// does. It doubles from one to the next. With 7, a message of 140 bytes takes 0.6 to 0.9 of
    /// the time where the context is taken over, since less is cleared after each, and comes out
    /// the same; one of 16 KiB and more that does not compress takes 1.1.
    pub memory: u8,
    /// Messages of fewer bytes are sent as they are: 64. Compressing them saves little and may
    /// make them longer. One that is sent in several fragments counts as long. More than 4 GiB - 1
    /// counts as that.
    pub threshold: usize,
    /// How many times longer than its compressed form a received message may be, after its first
    /// 64 KiB: no limit, since its length has one. DEFLATE itself ends at 1,032.
    pub max_ratio: Option<u32>,
}

impl Policy {
    /// A server's.
    pub const fn server() -> Self {
        Self {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::TWELVE,
            client_max_window_bits: WindowBits::MAX,
            level: 6,
            memory: 8,
            threshold: 64,
            max_ratio: None,
        }
    }

    /// A client's.
    pub const fn client() -> Self {
        Self {
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::TWELVE,
            ..Self::server()
        }
    }

    /// A server's choice: the answer to the first offer that it can take, of those whose name is
    /// [`NAME`](super::NAME), in the order in which they came. `None` declines all.
    ///
    /// Any offer that is well-formed can be taken, one of a server window of 256 octets too
    /// ([`Deflater`](super::Deflater) says how).
    pub fn accept<O, N, V>(&self, offers: impl IntoIterator<Item = O>) -> Option<Params>
    where
        O: IntoIterator<Item = (N, Option<V>)>,
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let offer = offers.into_iter().find_map(|params| Offer::parse(params).ok())?;
        Some(self.answer(&offer))
    }

    /// A server's answer to an offer.
    pub fn answer(&self, offer: &Offer) -> Params {
        let server = self.server_max_window_bits;
        Params {
            server_no_context_takeover: self.server_no_context_takeover
                || offer.server_no_context_takeover,
            // Who hints that it will not take over loses nothing by having it agreed, and the
            // inflater need not be kept.
            client_no_context_takeover: self.client_no_context_takeover
                || offer.client_no_context_takeover,
            server_max_window_bits: match offer.server_max_window_bits {
                Some(limit) => Some(limit.min(server)),
                None => Some(server).filter(|bits| *bits < WindowBits::MAX),
            },
            // "a server MUST NOT include" it for a client that did not (section 7.1.2.2).
            client_max_window_bits: offer
                .client_max_window_bits
                .filter(|_| self.client_max_window_bits < WindowBits::MAX)
                .map(|hint| {
                    hint.map_or(self.client_max_window_bits, |hint| {
                        hint.min(self.client_max_window_bits)
                    })
                }),
        }
    }

    /// A client's offer.
    pub fn offer(&self) -> Offer {
        let client = Some(self.client_max_window_bits).filter(|bits| *bits < WindowBits::MAX);
        Offer {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: Some(self.server_max_window_bits)
                .filter(|bits| *bits < WindowBits::MAX),
            // Any limit that the answer sets can be kept to.
            client_max_window_bits: Some(client),
        }
    }

    /// A client's judgement of the answer, given the offers it made.
    ///
    /// # Errors
    /// What is wrong with the answer itself; else why it does not fit the last of the offers, if it
    /// fits none: the connection is to be failed (sections 5 and 7).
    pub fn agree<N, V>(
        offers: &[Offer],
        answer: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<Params, ParamsError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let answer = Params::parse(answer)?;
        let mut fits = Err(ParamsError::Unknown);
        for offer in offers {
            fits = offer.check(&answer);
            if fits.is_ok() {
                break;
            }
        }
        fits.map(|()| answer)
    }

    /// What follows from the answer for a server.
    pub fn server_contexts(&self, agreed: &Params) -> Contexts {
        let wanted = Context::new(self.server_max_window_bits, !self.server_no_context_takeover);
        Contexts { inflate: agreed.client(), deflate: agreed.server().within(wanted) }
    }

    /// What follows from the answer for a client. It may use less than was agreed.
    pub fn client_contexts(&self, agreed: &Params) -> Contexts {
        let wanted = Context::new(self.client_max_window_bits, !self.client_no_context_takeover);
        Contexts { inflate: agreed.server(), deflate: agreed.client().within(wanted) }
    }

    /// The limits that what is received keeps to.
    pub const fn limits(&self, max_message: u64) -> Limits {
        Limits { max_message, max_ratio: self.max_ratio }
    }

    /// The threshold, in the room that a connection has for it.
    pub(crate) fn least(&self) -> u32 {
        u32::try_from(self.threshold).unwrap_or(u32::MAX)
    }

    pub(crate) fn effort(&self) -> Effort {
        Effort::new(self.level, self.memory)
    }

    /// What both codecs of a connection own at most, and a piece of a message between the inflater
    /// and where it goes.
    #[expect(clippy::arithmetic_side_effects, reason = "windows to 15 bits, memory to 9")]
    pub(crate) fn most_held(&self) -> u64 {
        // The least that zlib compresses with is 9.
        let window = self.server_max_window_bits.max(self.client_max_window_bits).get().max(9);
        // The table in `deflate`'s documentation, which a test measures.
        let deflater = (132 << 10) + (4_u64 << window) + (7_u64 << (self.effort().memory() + 6));
        let (inflater, piece) = (48 << 10, 36 << 10);
        deflater + inflater + piece
    }
}
