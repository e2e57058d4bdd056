//! RFC 7692 sections 5 and 7.1: the parameters of permessage-deflate, offered and agreed.
//!
//! It reads and writes the parameters of one element of `Sec-WebSocket-Extensions`, and checks that
//! an answer fits an offer. Names and quotes are taken apart elsewhere; which offer to make or to
//! take is the policy's to say.
//!
//! Invariant: what was parsed has each parameter at most once, with a value it may have.

use super::{Context, WindowBits};
use core::fmt;

/// The extension's name.
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What a client offers.
///
/// `Display` writes it as an element of `Sec-WebSocket-Extensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Offer {
    /// The server is asked to compress each message on its own (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// A hint: the client will compress each message on its own (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server is asked for a window no larger than this (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// The client can limit its window, and perhaps hints how far it will (section 7.1.2.2).
    pub client_max_window_bits: Option<Option<WindowBits>>,
}

/// What a server answers, and what both then keep to.
///
/// `Display` writes it as an element of `Sec-WebSocket-Extensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Params {
    /// The server compresses each message on its own (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message on its own (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window, if not 15 (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// The client's window, if not 15 (section 7.1.2.2).
    pub client_max_window_bits: Option<WindowBits>,
}

/// Why an offer is declined, or an answer not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParamsError {
    /// A parameter that section 7.1 does not define.
    Unknown,
    /// A parameter that occurs twice.
    Duplicate,
    /// A value that the parameter cannot have, or none where it needs one.
    BadValue,
    /// The answer lets the server take over contexts, against the offer (section 7.1.1.1).
    TakeoverNotOffered,
    /// The answer has a larger server window than the offer, or none (section 7.1.2.1).
    WindowNotOffered,
    /// The answer limits a client's window that was not said to be limitable (section 7.1.2.2).
    LimitNotOffered,
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown parameter of permessage-deflate",
            Self::Duplicate => "parameter of permessage-deflate given twice",
            Self::BadValue => "bad value for a parameter of permessage-deflate",
            Self::TakeoverNotOffered => "server_no_context_takeover was offered and not agreed",
            Self::WindowNotOffered => "server_max_window_bits was offered and is not kept to",
            Self::LimitNotOffered => "client_max_window_bits was not offered",
        })
    }
}

impl core::error::Error for ParamsError {}

impl Offer {
    /// Reads an offer's parameters: names, and values without their quotes.
    ///
    /// # Errors
    /// [`ParamsError::Unknown`], [`ParamsError::Duplicate`], [`ParamsError::BadValue`]: "A server
    /// MUST decline an extension negotiation offer" that has such a parameter (section 7).
    ///
    /// ```
    /// use sockless::deflate::{Offer, ParamsError};
    /// let bits = [("client_max_window_bits", None), ("server_max_window_bits", Some("10"))];
    /// let offer = Offer::parse(bits)?;
    /// assert_eq!(
    ///     offer.to_string(),
    ///     "permessage-deflate; server_max_window_bits=10; client_max_window_bits"
    /// );
    /// let offer = Offer::parse([("server_max_window_bits", Some("010"))]);
    /// assert_eq!(offer, Err(ParamsError::BadValue));
    /// # Ok::<(), ParamsError>(())
    /// ```
    pub fn parse<N, V>(
        params: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<Self, ParamsError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut offer = Self::default();
        for (name, value) in params {
            let value = value.as_ref().map(AsRef::as_ref);
            let bits = || WindowBits::parse(value.unwrap_or_default()).ok_or(ParamsError::BadValue);
            let duplicate = match name.as_ref() {
                SERVER_NO_CONTEXT_TAKEOVER => flag(&mut offer.server_no_context_takeover, value)?,
                CLIENT_NO_CONTEXT_TAKEOVER => flag(&mut offer.client_no_context_takeover, value)?,
                SERVER_MAX_WINDOW_BITS => offer.server_max_window_bits.replace(bits()?).is_some(),
                CLIENT_MAX_WINDOW_BITS => {
                    let hint = if value.is_some() { Some(bits()?) } else { None };
                    offer.client_max_window_bits.replace(hint).is_some()
                }
                _ => return Err(ParamsError::Unknown),
            };
            if duplicate {
                return Err(ParamsError::Duplicate);
            }
        }
        Ok(offer)
    }

    /// Whether the server may answer this offer so.
    ///
    /// # Errors
    /// [`ParamsError::TakeoverNotOffered`], [`ParamsError::WindowNotOffered`],
    /// [`ParamsError::LimitNotOffered`].
    pub fn check(&self, answer: &Params) -> Result<(), ParamsError> {
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(ParamsError::TakeoverNotOffered);
        }
        let agreed = answer.server_max_window_bits.unwrap_or(WindowBits::MAX);
        match self.server_max_window_bits {
            // "A server accepts an extension negotiation offer with this parameter by including
            // the [..] parameter in the [..] response" (section 7.1.2.1): also one of 15.
            Some(limit) if answer.server_max_window_bits.is_none() || agreed > limit => {
                return Err(ParamsError::WindowNotOffered);
            }
            _ => {}
        }
        // Above the hint is legal (section 7.1.2.2): the client was only told what it may use.
        if answer.client_max_window_bits.is_some() && self.client_max_window_bits.is_none() {
            return Err(ParamsError::LimitNotOffered);
        }
        Ok(())
    }
}

impl Params {
    /// Reads an answer's parameters: names, and values without their quotes.
    ///
    /// # Errors
    /// [`ParamsError::Unknown`], [`ParamsError::Duplicate`], [`ParamsError::BadValue`]: the client
    /// "MUST _Fail the WebSocket Connection_" then (section 7).
    pub fn parse<N, V>(
        params: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<Self, ParamsError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        // An answer is written as an offer is, but says how large the client's window may be.
        let read = Offer::parse(params)?;
        let client_max_window_bits = match read.client_max_window_bits {
            Some(None) => return Err(ParamsError::BadValue),
            Some(bits) => bits,
            None => None,
        };
        Ok(Self {
            server_no_context_takeover: read.server_no_context_takeover,
            client_no_context_takeover: read.client_no_context_takeover,
            server_max_window_bits: read.server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// What the server compresses with. An absent limit means 32,768 octets.
    pub fn server(&self) -> Context {
        let window = self.server_max_window_bits.unwrap_or(WindowBits::MAX);
        Context::new(window, !self.server_no_context_takeover)
    }

    /// What the client compresses with.
    pub fn client(&self) -> Context {
        let window = self.client_max_window_bits.unwrap_or(WindowBits::MAX);
        Context::new(window, !self.client_no_context_takeover)
    }
}

/// Sets a parameter that has no value; whether it was set already.
fn flag(set: &mut bool, value: Option<&str>) -> Result<bool, ParamsError> {
    if value.is_some() {
        return Err(ParamsError::BadValue);
    }
    Ok(core::mem::replace(set, true))
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agreed = Params {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits.flatten(),
        };
        agreed.fmt(f)?;
        match self.client_max_window_bits {
            Some(None) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        for (name, set) in [
            (SERVER_NO_CONTEXT_TAKEOVER, self.server_no_context_takeover),
            (CLIENT_NO_CONTEXT_TAKEOVER, self.client_no_context_takeover),
        ] {
            if set {
                write!(f, "; {name}")?;
            }
        }
        for (name, bits) in [
            (SERVER_MAX_WINDOW_BITS, self.server_max_window_bits),
            (CLIENT_MAX_WINDOW_BITS, self.client_max_window_bits),
        ] {
            if let Some(bits) = bits {
                write!(f, "; {name}={}", bits.get())?;
            }
        }
        Ok(())
    }
}
