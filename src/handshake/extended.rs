//! RFC 8441 section 5 and RFC 9220 section 3: WebSockets over HTTP/2 and HTTP/3, bootstrapped.
//!
//! ```text
//! server:  PseudoHeaders, fields --> Request --> Accept --> Accept::respond --> Connection
//! client:  Offer --> Asking::extended --> Asking::receive --> Connection
//! ```
//!
//! Settings, streams and flow control are the host's. No tunnel to `:authority` is opened: what
//! asks for one, a CONNECT without `:protocol`, is refused.
//!
//! Invariant: there is no key here, nor an answer to one: they are neither read nor written.

use super::authority::Authority;
use super::class::is_target_byte;
use super::error::RequestError;
use super::facts::RequestFacts;
use super::fields::trim;
use super::head::append;
use super::name::Name;
use super::parts::PseudoHeaders;
use super::refusal::Refusal;
use super::request::Request;
use super::written::Written;
use crate::config::Config;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem;

impl Request<'static> {
    /// The request that an extended CONNECT makes: its `fields` in order, values without the
    /// whitespace around them.
    ///
    /// The limits are those of a head that came as bytes. `:authority` stands where Host did, and
    /// for the origin of a page too. A Host beside it may be there only if it is the same (RFC 9113
    /// section 8.3.1). A Cookie that was split into several fields is one again, and the last
    /// (section 8.2.3).
    ///
    /// ```
    /// use sockless::handshake::{Accept, PseudoHeaders, Request};
    /// let pseudo = PseudoHeaders {
    ///     method: "CONNECT",
    ///     protocol: Some("websocket"),
    ///     scheme: Some("https"),
    ///     authority: Some("server.example.com"),
    ///     path: Some("/chat"),
    /// };
    /// let fields = [("sec-websocket-version", &b"13"[..]), ("sec-websocket-protocol", b"chat")];
    /// let config = std::sync::Arc::new(sockless::Config::default());
    /// let request = Request::extended(pseudo, fields, &config)?;
    /// let accept = Accept::new(&request).prefer(&["chat"]);
    /// let (response, _connection, _agreed) = accept.respond(config)?;
    /// assert_eq!(response.status(), 200);
    /// assert!(response.fields().eq([("sec-websocket-protocol", &b"chat"[..])]));
    /// # Ok::<(), sockless::handshake::Refusal>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`], which has the response. [`RequestError::Protocol`] (501) for any other
    /// `:protocol`, or none.
    pub fn extended<'f>(
        pseudo: PseudoHeaders<'_>,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
        config: &Config,
    ) -> Result<Self, Refusal> {
        let (method, mut facts) = (pseudo.method, RequestFacts::default());
        let head = write(pseudo, fields, config).and_then(|written| {
            let head = written.read(config, &mut facts)?;
            facts.judge_extended(&head)?;
            Ok(head)
        });
        match head {
            Ok(head) => Ok(Self::new(Cow::Owned(head), facts)),
            Err(error) => Err(Refusal::of_extended(method, error)),
        }
    }
}

/// An extended CONNECT as a head: its target in absolute-form has all of it.
fn write<'f>(
    pseudo: PseudoHeaders<'_>,
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    config: &Config,
) -> Result<Written, RequestError> {
    if pseudo.method != "CONNECT" {
        return Err(RequestError::Method);
    }
    if !pseudo.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return Err(RequestError::Protocol);
    }
    let (Some(scheme), Some(authority), Some(path)) =
        (pseudo.scheme, pseudo.authority, pseudo.path)
    else {
        return Err(RequestError::PseudoHeader);
    };
    let is_fine = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && Authority::parse(authority.as_bytes()).is_some()
        && path.starts_with('/')
        && path.bytes().all(is_target_byte);
    if !is_fine {
        return Err(RequestError::PseudoHeader);
    }
    let target = [scheme, "://", authority, path].map(str::as_bytes);
    let mut written = Written::start(config, &[&[b"CONNECT"], &target, &[b"HTTP/1.1"]]);
    let mut cookies = Vec::new();
    let mut has_cookies = false;
    for (name, value) in fields {
        if !is_field(name, value) {
            return Err(RequestError::Field);
        }
        // TE "MUST NOT contain any value other than "trailers"" (RFC 9113 section 8.2.2).
        if is_connection_specific(name) || name == "te" && !value.eq_ignore_ascii_case(b"trailers")
        {
            return Err(RequestError::ConnectionSpecific);
        }
        if name != "cookie" {
            written.field(name.as_bytes(), value);
            continue;
        }
        let separator: &[u8] = if mem::replace(&mut has_cookies, true) { b"; " } else { b"" };
        for bytes in [separator, value] {
            append(&mut cookies, bytes, config.max_head.saturating_add(1));
        }
    }
    if has_cookies {
        written.field(b"cookie", &cookies);
    }
    Ok(written)
}

/// "Field names MUST be converted to lowercase" (RFC 9113 section 8.2), and a value "MUST NOT start
/// or end with an ASCII whitespace character": otherwise the message is malformed (section 8.2.1).
pub(super) fn is_field(name: &str, value: &[u8]) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_uppercase()) && trim(value) == value
}

/// Fields that HTTP/2 and HTTP/3 have no use for: "Any message containing connection-specific
/// header fields MUST be treated as malformed" (RFC 9113 section 8.2.2).
pub(super) fn is_connection_specific(name: &str) -> bool {
    ["keep-alive", "proxy-connection"].contains(&name)
        || matches!(
            Name::of(name.as_bytes()),
            Name::Upgrade | Name::Connection | Name::TransferEncoding
        )
}
