//! RFC 6455 section 10.4: every limit, in one place, with its default and the reason for it.
//!
//! Each limit is inclusive: the number itself is allowed, one more is not. Nothing is reserved by
//! a length that the peer declared; a limit decides when to refuse, not what to allocate.
//!
//! Invariant: at the defaults, all that a peer can make a connection hold is bounded.

#[cfg(feature = "deflate")]
use crate::deflate::Policy;
use core::time::Duration;

/// How messages are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Each message in one event, however it was fragmented.
    #[default]
    Whole,
    /// Each message in chunks, as they arrive: constant memory, whatever its length. Its limit is
    /// [`Config::max_streamed`], and there is none by default; `max_message` and `max_frame` are
    /// not looked at.
    Streamed,
}

/// The limits and choices of a connection. One value serves any number of connections.
///
/// The five times are for a [`Keepalive`](crate::Keepalive) to watch: without one no Ping is sent,
/// and no time ends anything.
///
/// ```
/// use sockless::Config;
/// let mut config = Config::default();
/// config.max_message = 64 << 20;
/// config.max_frame = config.max_message;
/// # #[cfg(feature = "alloc")]
/// assert_eq!(config.worst_case(), (64 << 20) + 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Whole messages, or chunks as they arrive. Default: whole.
    pub delivery: Delivery,
    /// The longest message, in bytes, in whole delivery: 1 MiB, since all of it is held. Beyond:
    /// close 1009. Never more than `isize::MAX`, which is 2 GiB with 32 bits, whatever this says.
    /// One in a single frame needs as large a [`max_frame`](Self::max_frame); in streamed
    /// delivery [`max_streamed`](Self::max_streamed) takes the place of both.
    pub max_message: u64,
    /// The longest data frame, in bytes, in whole delivery: 1 MiB; a compressed one may have a
    /// sixteenth and 1 KiB more, for what does not shrink. Beyond: close 1009, at its header.
    pub max_frame: u64,
    /// The longest message, and frame, in streamed delivery, in bytes: no limit, since nothing is
    /// held. Beyond: close 1009.
    pub max_streamed: u64,
    /// How many fragments a message may have beside one for each 16 bytes, inflated if they were
    /// compressed: 4,096. Splitting finer costs the receiver more than the sender. Beyond: close
    /// 1008.
    pub max_fragments: u32,
    /// How many empty fragments may stand in a row: 1,024, and one more that ends the message. They
    /// carry nothing. Beyond: close 1008.
    pub max_empty_fragments: u16,
    /// How full the output may be, in bytes, for a Pong to be added: 64 KiB, a socket buffer's
    /// worth. Beyond, only the newest Ping is remembered.
    pub high_water: usize,
    /// The longest head of a handshake, in bytes: 16 KiB, twice what common servers take.
    /// Beyond: 431.
    pub max_head: usize,
    /// The longest line of a head, in bytes: 8 KiB, since RFC 9112 section 3 asks for request
    /// lines of 8,000. Beyond: 414 for the request line, 431 for a field.
    pub max_line: usize,
    /// How many fields a head may have: 100; browsers send about 20. Beyond: 431.
    pub max_fields: u16,
    /// Whether and how to compress messages (RFC 7692). Default: not at all, since compressing
    /// secrets together with what others chose reveals them by the length (section 8).
    #[cfg(feature = "deflate")]
    pub deflate: Option<Policy>,
    /// How long the opening handshake may take: 10 s.
    pub open_timeout: Duration,
    /// How long to wait for the peer's Close and the end of the transport, together: 10 s.
    pub close_timeout: Duration,
    /// How often the peer is sent a Ping: every 30 s, below the minute after which common proxies
    /// drop a silent connection. At least a millisecond; `None`: never.
    pub ping_interval: Option<Duration>,
    /// How long the peer may be silent while a Ping waits for its answer: 20 s. A Pong may stand
    /// behind a long message on a slow line, so bytes of any kind count; what ours may stand behind
    /// is for [`Keepalive::backlog`](crate::Keepalive::backlog). `None`: for ever.
    pub pong_timeout: Option<Duration>,
    /// How long after the last message that [`Keepalive::active`](crate::Keepalive::active) was
    /// told of the connection is closed. `None`, the default: never.
    pub idle_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            delivery: Delivery::Whole,
            max_message: 1 << 20,
            max_frame: 1 << 20,
            max_streamed: u64::MAX,
            max_fragments: 4096,
            max_empty_fragments: 1024,
            high_water: 64 << 10,
            max_head: 16 << 10,
            max_line: 8 << 10,
            max_fields: 100,
            #[cfg(feature = "deflate")]
            deflate: None,
            open_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(10),
            ping_interval: Some(Duration::from_secs(30)),
            pong_timeout: Some(Duration::from_secs(20)),
            idle_timeout: None,
        }
    }
}

#[cfg(feature = "alloc")]
impl Config {
    /// The longest data frame, by how messages are delivered.
    pub(crate) const fn frame_limit(&self) -> u64 {
        match self.delivery {
            Delivery::Whole => holdable(self.max_frame),
            Delivery::Streamed => self.max_streamed,
        }
    }

    /// One more than the longest message that may come whole in one frame with a length of 7 or 16
    /// bits, in whole delivery.
    pub(crate) fn below(&self) -> u32 {
        let longest = self.max_frame.min(self.max_message);
        u32::from(u16::try_from(longest).unwrap_or(u16::MAX)) + 1
    }

    /// The longest compressed form of a message.
    pub(crate) const fn compressed_limit(&self) -> u64 {
        compressed(self.message_limit())
    }

    /// The longest frame of one.
    pub(crate) const fn compressed_frame_limit(&self) -> u64 {
        let (frame, message) = (compressed(self.frame_limit()), self.compressed_limit());
        if frame < message { frame } else { message }
    }

    /// The most heap, in bytes, that a peer can make one connection or its handshake hold, whatever
    /// it sends. [`bounds`](crate::bounds) says what it is made of.
    ///
    /// The read buffer, the output, events that are kept and the compressed form of a message while
    /// it is sent are the caller's, and come on top; so does what an allocator needs to move a
    /// buffer that grows.
    ///
    /// ```
    /// use sockless::Config;
    /// assert_eq!(Config::default().worst_case(), (1 << 20) + 1024);
    /// ```
    pub fn worst_case(&self) -> u64 {
        // One that a host has parsed is written down, and its Cookie put together beside it.
        let head = (self.max_head as u64).saturating_mul(2);
        let message = match self.delivery {
            Delivery::Whole => self.message_limit(),
            Delivery::Streamed => 0,
        };
        #[cfg(feature = "deflate")]
        let message = message.saturating_add(self.deflate.map_or(0, |policy| policy.most_held()));
        message.max(head).saturating_add(1024)
    }

    /// The longest message, by how it is delivered.
    pub(crate) const fn message_limit(&self) -> u64 {
        match self.delivery {
            Delivery::Whole => holdable(self.max_message),
            Delivery::Streamed => self.max_streamed,
        }
    }
}

/// What `limit` bytes may come to when they are compressed: what does not shrink may grow a little.
#[cfg(feature = "alloc")]
const fn compressed(limit: u64) -> u64 {
    limit.saturating_add(limit / 16).saturating_add(1024)
}

/// A limit of what is held: no allocation can be longer than `isize::MAX` bytes, which 32 bits make
/// 2 GiB.
#[cfg(feature = "alloc")]
const fn holdable(limit: u64) -> u64 {
    const MOST: u64 = (usize::MAX / 2) as u64;
    if limit < MOST { limit } else { MOST }
}
