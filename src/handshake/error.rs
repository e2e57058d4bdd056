//! RFC 6455 sections 4.1 and 4.2: what can be wrong with the other side's half of a handshake.
//!
//! [`RequestError`] is a client's fault, and one total match (in `reject`) turns it into the
//! response that says so. [`ResponseError`] is a server's fault; nothing more is sent to it.
//! Mistakes of the caller are in [`FieldError`](super::FieldError).
//!
//! Invariant: each error is `Copy`, and holds nothing that the peer said.

use super::head::HeadError;
use core::fmt;

/// A request that was refused. Its HTTP response is in the output; where a host writes it, it is
/// [`Refusal::respond`](super::Refusal::respond).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// A control character, a bare CR or a bare LF (RFC 9112 section 2.2).
    Control,
    /// The request line is not `method SP target SP HTTP/d.d` (RFC 9112 section 3).
    RequestLine,
    /// A method of more than 32 bytes (RFC 9112 section 3).
    MethodTooLong,
    /// A request line over [`Config::max_line`](crate::Config::max_line), or alone over
    /// [`Config::max_head`](crate::Config::max_head) (RFC 9112 section 3).
    TargetTooLong,
    /// A field line that is not `name: value` (RFC 9112 section 5).
    Field,
    /// A field line over [`Config::max_line`](crate::Config::max_line) (RFC 9110 section 5.4).
    FieldTooLong,
    /// A head over [`Config::max_head`](crate::Config::max_head) (RFC 9110 section 5.4).
    HeadTooLarge,
    /// More fields than [`Config::max_fields`](crate::Config::max_fields) (RFC 9110 section 5.4).
    TooManyFields,
    /// A form of target that the method does not have (RFC 9112 section 3.2).
    TargetForm,
    /// HTTP/1.0 or older (RFC 6455 section 4.2.1, item 1).
    VersionTooOld,
    /// A major version of HTTP above 1 (RFC 9110 section 6.2).
    VersionUnsupported,
    /// A method other than GET (RFC 6455 section 4.2.1, item 1); over HTTP/2 and HTTP/3, other than
    /// CONNECT (RFC 8441 section 5).
    Method,
    /// No Host, several, or one that is no host (RFC 9112 section 3.2); over HTTP/2 and HTTP/3, one
    /// that differs from `:authority` (RFC 9113 section 8.3.1).
    Host,
    /// A body is announced (RFC 9110 section 9.3.1: a GET has none), or nobody can tell where it
    /// ends (RFC 9112 section 6.3).
    Body,
    /// An Expect field: there is no body to wait for (RFC 9110 section 10.1.1).
    Expectation,
    /// An Upgrade that is not a list of protocols (RFC 9110 section 7.8).
    Upgrade,
    /// No Upgrade to `websocket` is asked for (RFC 6455 section 4.2.1, item 3).
    NotAnUpgrade,
    /// A Connection without the token `upgrade`, or malformed (RFC 6455 section 4.2.1, item 4).
    Connection,
    /// No Sec-WebSocket-Version, several, or no version number (RFC 6455 section 4.2.1, item 6).
    WebSocketVersion,
    /// A Sec-WebSocket-Version other than 13 (RFC 6455 section 4.2.2, item 4).
    WebSocketVersionUnsupported,
    /// No Sec-WebSocket-Key, several, or not 16 bytes of base64 (RFC 6455 section 4.2.1, item 5).
    Key,
    /// Offered subprotocols that are not a list of distinct tokens (RFC 6455 section 11.3.4).
    Subprotocols,
    /// Offered extensions that are malformed (RFC 6455 section 9.1).
    Extensions,
    /// Several Origin fields, or one that is not ASCII (RFC 6454 section 7).
    Origin,
    /// An Origin that may not connect (RFC 6455 section 10.2).
    OriginNotAllowed,
    /// An extended CONNECT without `:scheme`, `:authority` or `:path`, or with one that is
    /// malformed (RFC 8441 section 4).
    PseudoHeader,
    /// A CONNECT whose `:protocol` is not `websocket` (RFC 9220 section 3).
    Protocol,
    /// Upgrade, Connection or the like, which an extended CONNECT must not have (RFC 8441
    /// section 5).
    ConnectionSpecific,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control character in the head",
            Self::RequestLine => "malformed request line",
            Self::MethodTooLong => "method over 32 bytes",
            Self::TargetTooLong => "request line over the limit",
            Self::Field => "malformed field line",
            Self::FieldTooLong => "field line over the limit",
            Self::HeadTooLarge => "head over the limit",
            Self::TooManyFields => "too many fields",
            Self::TargetForm => "form of target not allowed for the method",
            Self::VersionTooOld => "HTTP version below 1.1",
            Self::VersionUnsupported => "HTTP version not supported",
            Self::Method => "method not allowed",
            Self::Host => "Host missing, repeated or malformed",
            Self::Body => "body announced",
            Self::Expectation => "expectation cannot be met",
            Self::Upgrade => "malformed Upgrade",
            Self::NotAnUpgrade => "no Upgrade to websocket",
            Self::Connection => "Connection malformed or without upgrade",
            Self::WebSocketVersion => "Sec-WebSocket-Version missing, repeated or malformed",
            Self::WebSocketVersionUnsupported => "WebSocket version is not 13",
            Self::Key => "Sec-WebSocket-Key missing, repeated or malformed",
            Self::Subprotocols => "malformed Sec-WebSocket-Protocol",
            Self::Extensions => "malformed Sec-WebSocket-Extensions",
            Self::Origin => "Origin repeated or malformed",
            Self::OriginNotAllowed => "origin not allowed",
            Self::PseudoHeader => "pseudo-header field missing or malformed",
            Self::Protocol => "protocol of CONNECT is not websocket",
            Self::ConnectionSpecific => "connection-specific field",
        })
    }
}

impl core::error::Error for RequestError {}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Control => Self::Control,
            HeadError::FirstWordTooLong => Self::MethodTooLong,
            // The target is "longer than any URI it wishes to parse" (RFC 9112 section 3).
            HeadError::StartLineTooLong | HeadError::StartLineTooLarge => Self::TargetTooLong,
            HeadError::FieldTooLong => Self::FieldTooLong,
            HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::TooManyFields => Self::TooManyFields,
            HeadError::Field => Self::Field,
        }
    }
}

/// Why [`Server::accept`](super::Server::accept) opened no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request may not be accepted. The response that says so is in the output.
    Refused(RequestError),
    /// The decision was made about another request than this handshake's, or before it had one.
    /// Nothing was written; close the transport.
    OtherRequest,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::OtherRequest => f.write_str("not the request of this handshake"),
        }
    }
}

impl core::error::Error for AcceptError {}

/// An answer that does not open a connection and is no plain HTTP response either.
///
/// "The client MUST _Fail the WebSocket Connection_" (RFC 6455 section 4.1): drop the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseError {
    /// A control character, a bare CR or a bare LF (RFC 9112 section 2.2).
    Control,
    /// The status line is not `HTTP/1.d SP ddd SP reason` (RFC 9112 section 4).
    StatusLine,
    /// A field line that is not `name: value` (RFC 9112 section 5).
    Field,
    /// A line over [`Config::max_line`](crate::Config::max_line) (RFC 9110 section 5.4).
    LineTooLong,
    /// Heads over [`Config::max_head`](crate::Config::max_head) (RFC 9110 section 5.4).
    HeadTooLarge,
    /// More fields than [`Config::max_fields`](crate::Config::max_fields) (RFC 9110 section 5.4).
    TooManyFields,
    /// More than eight interim (1xx) responses (RFC 9110 section 15.2).
    TooManyInterim,
    /// A 101 of HTTP/1.0, which has no upgrade (RFC 9110 section 7.8).
    VersionTooOld,
    /// Upgrade is not exactly `websocket` (RFC 6455 section 4.1, item 2).
    Upgrade,
    /// A Connection without the token `upgrade`, or malformed (RFC 6455 section 4.1, item 3).
    Connection,
    /// Sec-WebSocket-Accept does not answer the key, or is not there once (section 4.1, item 4).
    Accept,
    /// A 101 with Content-Length or Transfer-Encoding (RFC 9112 section 6.1).
    Body,
    /// An extension that was not offered, or a malformed list (RFC 6455 section 4.1, item 5).
    Extensions,
    /// A subprotocol that was not offered, or several (RFC 6455 section 4.1, item 6).
    Subprotocol,
    /// No subprotocol, though [`Offer::require_subprotocol`](super::Offer::require_subprotocol)
    /// asks for one (RFC 6455 section 4.1).
    SubprotocolMissing,
    /// A 101 that answers an extended CONNECT (RFC 8441 section 5), or a status that is none of
    /// a final response.
    Status,
    /// Upgrade, Connection or the like in answer to an extended CONNECT (RFC 9113 section 8.2.2).
    ConnectionSpecific,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control character in the head",
            Self::StatusLine => "malformed status line",
            Self::Field => "malformed field line",
            Self::LineTooLong => "line over the limit",
            Self::HeadTooLarge => "head over the limit",
            Self::TooManyFields => "too many fields",
            Self::TooManyInterim => "too many interim responses",
            Self::VersionTooOld => "101 of an HTTP version below 1.1",
            Self::Upgrade => "Upgrade is not websocket",
            Self::Connection => "Connection malformed or without upgrade",
            Self::Accept => "Sec-WebSocket-Accept missing, repeated or wrong",
            Self::Body => "101 that announces a body",
            Self::Extensions => "extension not offered, or malformed",
            Self::Subprotocol => "subprotocol not offered, or several",
            Self::SubprotocolMissing => "no subprotocol chosen",
            Self::Status => "status that answers no such request",
            Self::ConnectionSpecific => "connection-specific field",
        })
    }
}

impl core::error::Error for ResponseError {}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Control => Self::Control,
            HeadError::FirstWordTooLong => Self::StatusLine,
            HeadError::StartLineTooLong | HeadError::FieldTooLong => Self::LineTooLong,
            HeadError::StartLineTooLarge | HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::TooManyFields => Self::TooManyFields,
            HeadError::Field => Self::Field,
        }
    }
}
