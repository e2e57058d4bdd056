//! What an error says: one line for a log, and another one for each error.

use sockless::handshake::{
    AcceptError, FieldError, PseudoHeaders, Request, RequestError, ResponseError, TargetError,
};
use sockless::{CloseCode, Config, ProtocolError, SendError, Timeout, utf8::Utf8};
use std::collections::BTreeSet;
use std::error::Error;

/// Each says something, in one line without a full stop, and no two say the same.
fn each_says_its_own<E: Error + Copy>(errors: &[E]) {
    let mut said = BTreeSet::new();
    for error in errors {
        let text = error.to_string();
        assert!(text.len() > 10 && text.len() < 80, "{error:?}: {text:?}");
        assert!(text.is_ascii() && !text.contains('\n') && !text.ends_with('.'), "{text:?}");
        assert!(said.insert(text), "{error:?} says what another one does");
    }
}

#[test]
fn of_an_open_connection() {
    use {ProtocolError as P, SendError as S};
    each_says_its_own(&[
        P::ReservedBits,
        P::ReservedOpcode,
        P::FragmentedControl,
        P::ControlTooLong,
        P::MaskMissing,
        P::MaskForbidden,
        P::LengthNotMinimal,
        P::LengthTopBit,
        P::ContinuationWithoutStart,
        P::ContinuationExpected,
        P::FrameTooLarge,
        P::MessageTooLarge,
        P::TooManyFragments,
        P::TooManyEmptyFragments,
        P::InvalidUtf8,
        P::InvalidCompression,
        P::CompressionTooDense,
        P::CloseBodyTooShort,
        P::InvalidCloseCode,
        P::InvalidCloseReason,
    ]);
    each_says_its_own(&[
        S::Closed,
        S::ControlTooLong,
        S::ReasonTooLong,
        S::InvalidCloseCode,
        S::FragmentedMessageOpen,
        S::InvalidUtf8,
        S::MaskRequired,
        S::LengthTopBit,
    ]);
    each_says_its_own(&[Timeout::Open, Timeout::Pong, Timeout::Idle, Timeout::Close]);
    let error = Utf8::new().push(b"abc\xff").unwrap_err();
    assert_eq!(error.to_string(), "not UTF-8 from byte 3 on");
    // A code is its number, wherever it is shown.
    assert_eq!(format!("{0} {0:?}", CloseCode::POLICY_VIOLATION), "1008 1008");
}

#[test]
fn of_a_handshake() {
    use {FieldError as F, RequestError as R, ResponseError as A, TargetError as T};
    let requests = [
        R::Control,
        R::RequestLine,
        R::MethodTooLong,
        R::TargetTooLong,
        R::Field,
        R::FieldTooLong,
        R::HeadTooLarge,
        R::TooManyFields,
        R::TargetForm,
        R::VersionTooOld,
        R::VersionUnsupported,
        R::Method,
        R::Host,
        R::Body,
        R::Expectation,
        R::Upgrade,
        R::NotAnUpgrade,
        R::Connection,
        R::WebSocketVersion,
        R::WebSocketVersionUnsupported,
        R::Key,
        R::Subprotocols,
        R::Extensions,
        R::Origin,
        R::OriginNotAllowed,
        R::PseudoHeader,
        R::Protocol,
        R::ConnectionSpecific,
    ];
    each_says_its_own(&requests);
    // What refuses a request says why it is refused.
    for error in requests {
        assert_eq!(AcceptError::Refused(error).to_string(), error.to_string());
    }
    each_says_its_own(&[AcceptError::OtherRequest, AcceptError::Refused(R::OriginNotAllowed)]);
    let pseudo =
        PseudoHeaders { method: "GET", protocol: None, scheme: None, authority: None, path: None };
    let refusal = Request::extended(pseudo, [], &Config::default()).unwrap_err();
    assert_eq!(refusal.to_string(), R::Method.to_string());
    each_says_its_own(&[
        A::Control,
        A::StatusLine,
        A::Field,
        A::LineTooLong,
        A::HeadTooLarge,
        A::TooManyFields,
        A::TooManyInterim,
        A::VersionTooOld,
        A::Upgrade,
        A::Connection,
        A::Accept,
        A::Body,
        A::Extensions,
        A::Subprotocol,
        A::SubprotocolMissing,
        A::Status,
        A::ConnectionSpecific,
    ]);
    each_says_its_own(&[
        F::Name,
        F::Value,
        F::Reserved,
        F::Duplicate,
        F::Subprotocol,
        F::SubprotocolNotOffered,
        F::Origin,
        F::Status,
        F::Body,
    ]);
    each_says_its_own(&[T::Scheme, T::Authority, T::Resource, T::Fragment]);
}

#[cfg(feature = "deflate")]
#[test]
fn of_compression() {
    use sockless::deflate::{InflateError, ParamsError as P};
    each_says_its_own(&[InflateError::Invalid, InflateError::TooLarge, InflateError::TooDense]);
    each_says_its_own(&[
        P::Unknown,
        P::Duplicate,
        P::BadValue,
        P::TakeoverNotOffered,
        P::WindowNotOffered,
        P::LimitNotOffered,
    ]);
}
