//! RFC 6455 section 7.1.7: what can go wrong on an open connection, and whose fault it is.
//!
//! [`ProtocolError`] is the peer's fault: it ends the connection, and one exhaustive match turns it
//! into the close code that tells the peer. [`SendError`] is the caller's: nothing was written and
//! nothing changed. The handshake has errors of its own beside its rules.
//!
//! Invariant: each error is `Copy`, and holds nothing that the peer said.

use crate::close::CloseCode;
use core::fmt;

/// The peer broke a rule of an open connection.
///
/// It is final: the connection reports it once, has its Close frame already in the output (with
/// halves, that is the reply to the event), and ignores whatever else arrives ("Fail the WebSocket
/// Connection", RFC 6455 section 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no agreed extension defines (section 5.2).
    ReservedBits,
    /// An opcode of 3 to 7 or 11 to 15 (section 5.2).
    ReservedOpcode,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// An unmasked frame from a client (section 5.1).
    MaskMissing,
    /// A masked frame from a server (section 5.1).
    MaskForbidden,
    /// A length written in more bytes than it needs (section 5.2).
    LengthNotMinimal,
    /// A 64-bit length whose top bit is set (section 5.2).
    LengthTopBit,
    /// A continuation frame while no message is open (section 5.4).
    ContinuationWithoutStart,
    /// A new text or binary frame while a message is open (section 5.4).
    ContinuationExpected,
    /// A frame longer than [`Config::max_frame`](crate::Config::max_frame), or than
    /// [`Config::max_streamed`](crate::Config::max_streamed) (section 10.4).
    FrameTooLarge,
    /// A message longer than [`Config::max_message`](crate::Config::max_message), or than
    /// [`Config::max_streamed`](crate::Config::max_streamed) (section 10.4).
    MessageTooLarge,
    /// More fragments than [`Config::max_fragments`](crate::Config::max_fragments) grants to a
    /// message of this length (section 10.4).
    TooManyFragments,
    /// More empty fragments in a row than
    /// [`Config::max_empty_fragments`](crate::Config::max_empty_fragments) (section 10.4).
    TooManyEmptyFragments,
    /// A text message that is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A compressed message that is not DEFLATE, or is cut short (RFC 7692 section 7.2.2).
    InvalidCompression,
    /// A compressed message that stands for more times its own size than the policy allows.
    CompressionTooDense,
    /// A Close frame with a body of one byte (section 5.5.1).
    CloseBodyTooShort,
    /// A Close frame with a code that may not be on the wire (section 7.4).
    InvalidCloseCode,
    /// A Close frame whose reason is not UTF-8 (section 5.5.1).
    InvalidCloseReason,
}

impl ProtocolError {
    /// The close code that tells the peer what it did (RFC 6455 section 7.4.1).
    ///
    /// ```
    /// use sockless::{CloseCode, ProtocolError};
    /// assert_eq!(ProtocolError::InvalidUtf8.close_code(), CloseCode::INVALID_DATA);
    /// assert_eq!(u16::from(ProtocolError::MessageTooLarge.close_code()), 1009);
    /// ```
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::MaskMissing
            | Self::MaskForbidden
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::ContinuationWithoutStart
            | Self::ContinuationExpected
            | Self::CloseBodyTooShort
            | Self::InvalidCloseCode => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidCompression | Self::InvalidCloseReason => {
                CloseCode::INVALID_DATA
            }
            Self::TooManyFragments | Self::TooManyEmptyFragments => CloseCode::POLICY_VIOLATION,
            Self::FrameTooLarge | Self::MessageTooLarge | Self::CompressionTooDense => {
                CloseCode::MESSAGE_TOO_BIG
            }
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "a reserved bit is set without an extension",
            Self::ReservedOpcode => "reserved opcode",
            Self::FragmentedControl => "fragmented control frame",
            Self::ControlTooLong => "control frame over 125 bytes",
            Self::MaskMissing => "unmasked frame from a client",
            Self::MaskForbidden => "masked frame from a server",
            Self::LengthNotMinimal => "length not in its shortest form",
            Self::LengthTopBit => "top bit of a 64-bit length is set",
            Self::ContinuationWithoutStart => "continuation without a message to continue",
            Self::ContinuationExpected => "new message inside an unfinished one",
            Self::FrameTooLarge => "frame over the limit",
            Self::MessageTooLarge => "message over the limit",
            Self::TooManyFragments => "too many fragments for the length of the message",
            Self::TooManyEmptyFragments => "too many empty fragments in a row",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::InvalidCompression => "compressed message is invalid or cut short",
            Self::CompressionTooDense => "compressed message inflates to too many times its size",
            Self::CloseBodyTooShort => "Close body of one byte",
            Self::InvalidCloseCode => "close code not allowed on the wire",
            Self::InvalidCloseReason => "close reason is not UTF-8",
        })
    }
}

impl core::error::Error for ProtocolError {}

/// The caller asked for something that may not be sent. Nothing was written, nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// A Close has been sent, or the connection has ended (RFC 6455 section 5.5.1: "The
    /// application MUST NOT send any more data frames after sending a Close frame").
    Closed,
    /// A ping or pong payload of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A close reason of more than 123 bytes (section 5.5);
    /// [`CloseReason::truncated`](crate::CloseReason::truncated) makes one fit.
    ReasonTooLong,
    /// A close code that this side may not send (section 7.4).
    InvalidCloseCode,
    /// A fragmented message is unfinished, and this is not its next fragment (section 5.4).
    FragmentedMessageOpen,
    /// The text handed over as bytes is not UTF-8 (section 5.6).
    InvalidUtf8,
    /// A client cannot send a payload that the library does not see: it must be masked
    /// (section 5.1). Use `mask_in_place`.
    MaskRequired,
    /// A length over 2^63 - 1 (section 5.2).
    LengthTopBit,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closing or closed",
            Self::ControlTooLong => "control payload over 125 bytes",
            Self::ReasonTooLong => "close reason over 123 bytes",
            Self::InvalidCloseCode => "close code may not be sent by this side",
            Self::FragmentedMessageOpen => "a fragmented message is unfinished",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::MaskRequired => "a client must mask its payload",
            Self::LengthTopBit => "length over 2^63 - 1",
        })
    }
}

impl core::error::Error for SendError {}
