//! The same bytes read by `tungstenite`, which was written apart from this crate.

use crate::Seen;
use sockless::frame::Kind;
use sockless::{ProtocolError, Role};
use std::io::{self, Read, Write};
use tungstenite::protocol::{self, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

/// How its reading ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It wants more.
    Waits,
    /// The peer's Close came.
    Closed,
    Fails,
}

/// What may come of bytes that this crate refuses.
///
/// Each line is a place where the other reads what the RFC does not allow; a refusal of both needs
/// none. Nothing that the other refuses is ever accepted here.
pub fn may_go_on(error: ProtocolError, next: Option<&Seen>) -> bool {
    match error {
        // RFC 6455 section 5.2: "the minimal number of bytes MUST be used to encode the length".
        // Ours is right; the other takes any.
        ProtocolError::LengthNotMinimal => true,
        // A control frame of an extended length is longer than 125 bytes or breaks the rule above:
        // ours fails where the length begins, the other takes what turns out to be short.
        ProtocolError::ControlTooLong => {
            matches!(next, Some(Seen::Ping(_) | Seen::Pong(_) | Seen::Close(..)))
        }
        // Section 7.4.2 reserves 0 to 999, 7.4.1 keeps 1004, 1005, 1006 and 1015 off the wire. Ours
        // is right to fail with 1002; the other tells its application that a 1002 came.
        ProtocolError::InvalidCloseCode => matches!(next, Some(Seen::Close(1002, _))),
        _ => false,
    }
}

/// Whether the other does not know what both have read: it tells of a 1002 instead.
///
/// IANA has had 1014 since the other's list was made, and section 7.4.2 lets it be sent: ours is
/// right to take it.
pub fn is_unknown_elsewhere(event: &Seen) -> bool {
    matches!(event, Seen::Close(1014, _))
}

/// What it sees of `bytes`, what it answers, and how it ends.
pub fn elsewhere(
    role: Role,
    limits: (usize, usize),
    bytes: &[u8],
) -> (Vec<Seen>, Vec<u8>, Verdict) {
    let config =
        WebSocketConfig::default().max_frame_size(Some(limits.0)).max_message_size(Some(limits.1));
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let wire = Wire { input: bytes, output: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    let mut events = Vec::new();
    let verdict = loop {
        events.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Message(Kind::Text, text.as_bytes().to_vec(), true),
            Ok(Message::Binary(data)) => Seen::Message(Kind::Binary, data.to_vec(), true),
            Ok(Message::Ping(data)) => Seen::Ping(data.to_vec()),
            Ok(Message::Pong(data)) => Seen::Pong(data.to_vec()),
            Ok(Message::Close(None)) => Seen::Close(1005, String::new()),
            Ok(Message::Close(Some(close))) => {
                Seen::Close(close.code.into(), close.reason.to_string())
            }
            Ok(Message::Frame(frame)) => panic!("a bare frame: {frame}"),
            // What follows a Close is nobody's.
            Err(_) if matches!(events.last(), Some(Seen::Close(..))) => break Verdict::Closed,
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => {
                break Verdict::Waits;
            }
            Err(Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_)) => break Verdict::Fails,
            Err(other) => panic!("{other}"),
        });
    };
    let _ = socket.flush();
    (events, std::mem::take(&mut socket.get_mut().output), verdict)
}

/// Frames of control with their payloads unmasked: keys differ from one client to the next.
pub fn unmasked(mut frames: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while let [first, second, rest @ ..] = frames {
        let (key, rest) = rest.split_at(if second & 0x80 == 0 { 0 } else { 4 });
        let (payload, rest) = rest.split_at(usize::from(second & 0x7f));
        plain.extend_from_slice(&[*first, *second]);
        let mut key = key.iter().cycle();
        plain.extend(payload.iter().map(|byte| byte ^ key.next().unwrap_or(&0)));
        frames = rest;
    }
    assert!(frames.is_empty(), "half a header: {frames:02x?}");
    plain
}

struct Wire<'d> {
    input: &'d [u8],
    output: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
