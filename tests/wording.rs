//! What errors say of themselves, and what `{:?}` does not say: a log is read by others.
#![allow(missing_docs)]

mod common;

use bytes::BytesMut;
use common::{connection, streamed};
use sockless::frame::{Header, Opcode};
use sockless::handshake::{
    AcceptError, Answer, Asked, Client, FieldError, Offer, PseudoHeaders, Reject, Request,
    RequestError, ResponseError, Server, Target, TargetError,
};
use sockless::utf8::Utf8;
use sockless::{
    CloseCode, Config, Event, Inbox, Prepared, ProtocolError, Reply, Role, SendError, Timeout,
};
use std::collections::HashSet;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

/// Each variant by its name, and that is all of them: a missing one is a line of `fmt` that the
/// coverage names.
macro_rules! sentences {
    ($($error:ident: $($variant:ident)*;)*) => {
        [$((stringify!($error), vec![$(said(stringify!($variant), $error::$variant)),*])),*]
    };
}

fn said(name: &str, error: impl Error) -> String {
    assert_eq!(format!("{error:?}"), name);
    assert!(error.source().is_none(), "{name}");
    error.to_string()
}

#[test]
fn each_error_has_a_sentence_of_its_own() {
    let all = sentences! {
        ProtocolError: ReservedBits ReservedOpcode FragmentedControl ControlTooLong MaskMissing
            MaskForbidden LengthNotMinimal LengthTopBit ContinuationWithoutStart
            ContinuationExpected FrameTooLarge MessageTooLarge TooManyFragments
            TooManyEmptyFragments InvalidUtf8 InvalidCompression CompressionTooDense
            CloseBodyTooShort InvalidCloseCode InvalidCloseReason;
        SendError: Closed ControlTooLong ReasonTooLong InvalidCloseCode FragmentedMessageOpen
            InvalidUtf8 MaskRequired LengthTopBit;
        RequestError: Control RequestLine MethodTooLong TargetTooLong Field FieldTooLong
            HeadTooLarge TooManyFields TargetForm VersionTooOld VersionUnsupported Method Host Body
            Expectation Upgrade NotAnUpgrade Connection WebSocketVersion
            WebSocketVersionUnsupported Key Subprotocols Extensions Origin OriginNotAllowed
            PseudoHeader Protocol ConnectionSpecific;
        ResponseError: Control StatusLine Field LineTooLong HeadTooLarge TooManyFields
            TooManyInterim VersionTooOld Upgrade Connection Accept Body Extensions Subprotocol
            SubprotocolMissing Status ConnectionSpecific;
        FieldError: Name Value Reserved Duplicate Subprotocol SubprotocolNotOffered Origin Status
            Body;
        AcceptError: OtherRequest;
        TargetError: Scheme Authority Resource Fragment;
        Timeout: Open Pong Idle Close;
    };
    #[cfg(feature = "deflate")]
    let all = {
        use sockless::deflate::{InflateError, ParamsError};
        let more = sentences! {
            InflateError: Invalid TooLarge TooDense;
            ParamsError: Unknown Duplicate BadValue TakeoverNotOffered WindowNotOffered
                LimitNotOffered;
        };
        all.into_iter().chain(more)
    };
    for (name, sentences) in all {
        for said in &sentences {
            assert!((11..80).contains(&said.len()), "{name}: {said:?}");
            assert!(said.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {said:?}");
            // It goes behind a colon or into brackets: no more than a part of a sentence.
            assert!(!said.ends_with(['.', ' ']) && !said.starts_with(' '), "{name}: {said:?}");
        }
        let distinct: HashSet<_> = sentences.iter().collect();
        assert_eq!(distinct.len(), sentences.len(), "{name}: two say the same");
    }
}

#[test]
fn what_wraps_a_value_says_the_value() {
    let refused = RequestError::OriginNotAllowed;
    assert_eq!(AcceptError::Refused(refused).to_string(), refused.to_string());
    assert_ne!(AcceptError::OtherRequest.to_string(), refused.to_string());
    let pseudo = PseudoHeaders {
        method: "CONNECT",
        protocol: Some("chat"),
        scheme: Some("https"),
        authority: Some("h.example"),
        path: Some("/"),
    };
    let refusal = Request::extended(pseudo, [], &Config::default()).unwrap_err();
    assert_eq!(refusal.to_string(), RequestError::Protocol.to_string());
    assert_eq!(format!("{0} {0:?}", CloseCode::from(4321)), "4321 4321");
    let header = Header { fin: true, rsv1: false, opcode: Opcode::Text, mask: None, len: 126 };
    assert_eq!(format!("{:?}", header.encode().unwrap()), "[81, 7e, 00, 7e]");
    let text = Utf8::new().push(b"four\xff").unwrap_err();
    assert_eq!(text.to_string(), "not UTF-8 from byte 4 on");
}

const SECRET: &str = "hunter2";

/// What a log shows of something that holds `SECRET`, and how long that is.
fn shows(what: &dyn Debug, wanted: &str) {
    for shown in [format!("{what:?}"), format!("{what:#?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
        // Nor as numbers, as slices of bytes are shown.
        assert!(!shown.contains("104, 117") && !shown.contains("68, 75"), "{shown}");
    }
    assert!(format!("{what:?}").contains(wanted), "{what:?} and not {wanted}");
}

#[test]
fn what_a_peer_sent_is_not_in_the_log() {
    let bytes = || SECRET.as_bytes().to_vec();
    let len = format!("{} bytes", SECRET.len());
    shows(&Event::Text(SECRET.into()), &format!("Text({len} of text)"));
    shows(&Event::Binary(bytes().into()), &format!("Binary({len})"));
    shows(&Event::Ping(bytes().into()), &len);
    shows(&Event::Pong(bytes().into()), &len);
    shows(&Prepared::text(SECRET), &format!("Prepared(Text, {len})"));
    shows(&Prepared::binary(SECRET.as_bytes()), &format!("Prepared(Binary, {len})"));

    // A message under way, a Ping remembered, a Close received: none is shown of what holds it.
    let wire = [&b"\x01\x07"[..], SECRET.as_bytes(), b"\x89\x07", SECRET.as_bytes()].concat();
    for config in [Config::default(), streamed()] {
        let (mut connection, mut out) = (connection(Role::Client, config), BytesMut::new());
        let mut input = &mut wire.clone()[..];
        while let Some(event) = connection.receive(&mut input, &mut out) {
            shows(&event, "bytes");
        }
        shows(&connection, "Connection");
        let (receiver, sender) = connection.split();
        shows(&receiver, "Receiver { role: Client, ended: No");
        shows(&sender, "Sender { role: Client");
    }
    let mut inbox = Inbox::new(64);
    inbox.room()[..wire.len()].copy_from_slice(&wire);
    inbox.filled(wire.len());
    shows(&inbox, &format!("Inbox({} bytes unread of 64)", wire.len()));

    let mut close = b"\x88\x09\x03\xe8hunter2".to_vec();
    let (mut connection, mut out) = (connection(Role::Client, Config::default()), BytesMut::new());
    let event = connection.receive(&mut &mut close[..], &mut out);
    let event = event.map(Event::into_owned).unwrap();
    shows(&event, "code: 1000, reason: 7 bytes of text");
    // The code and the reason: the body is 9 bytes.
    let replies: [(Event<'_>, &str); 3] = [
        (event, "Close(9 bytes)"),
        (Event::Ping(bytes().into()), "Pong(7 bytes)"),
        (Event::Failed(ProtocolError::InvalidUtf8), "Failure(1007)"),
    ];
    for (event, wanted) in replies {
        let reply: Reply = event.reply().unwrap();
        assert_eq!(format!("{reply:?}"), wanted);
    }
}

#[test]
fn fields_and_their_values_are_not_in_the_log() {
    let fields = [("Cookie", SECRET), ("Sec-WebSocket-Extensions", "x; hunter2")];
    let mut head =
        b"GET /hunter2 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            .to_vec();
    for (name, value) in fields {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
    let mut input = &mut head[..];
    let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) else { panic!() };
    shows(&request.fields(), "");
    let extension = request.extensions().next().unwrap();
    shows(&extension.params, "bytes");
    shows(&Reject::new(401).unwrap().field("Set-Cookie", SECRET).unwrap(), "401");

    let target = Target::parse("ws://h/").unwrap();
    let offer = Offer::new(&target).field("Cookie", SECRET).unwrap();
    shows(&offer, "bytes");
    let keys = common::fixed_keys();
    let mut client = Client::start(Arc::default(), keys, &offer, &mut BytesMut::new());
    let mut answer = b"HTTP/1.1 401 hunter2\r\nSet-Cookie: hunter2\r\n\r\n".to_vec();
    let mut input = &mut answer[..];
    let Some(Answer::Refused(response)) = client.receive(&mut input) else { panic!() };
    shows(&response, "Response { status: 401");
    let parts =
        Reject::new(401).unwrap().field("Set-Cookie", SECRET).unwrap().respond(&request).unwrap();
    shows(&parts, "ResponseParts { status: 401");
}
