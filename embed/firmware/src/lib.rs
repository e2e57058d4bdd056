//! A WebSocket echo over a pipe of bytes, without an allocator: what a microcontroller does.
//!
//! [`Endpoint`] takes what comes byte by byte, as a serial line gives it, and hands what it answers
//! to a function. It knows no line, no board and no clock, so the same code runs on the board
//! (`main.rs`) and in the tests on a host (`tests/pipe.rs`).
//!
//! It echoes frame by frame: a frame is held in a fixed buffer until it is whole and has been
//! checked, so a longer one than [`CAPACITY`] is refused with 1009, a message of any length is not.
#![no_std]
#![forbid(unsafe_code)]

mod head;

use head::Head;
use sockless::frame::{Expect, Header, MAX_HEADER, Opcode};
use sockless::mask::Mask;
use sockless::utf8::Utf8;
use sockless::{CloseCode, ProtocolError, close};

/// The longest frame, in bytes of payload.
pub const CAPACITY: usize = 1024;

/// One end of a pipe, from one peer to the next.
pub struct Endpoint {
    stage: Stage,
    /// `header[..header_len]` of the next frame has come.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// `payload[..filled]` of the current one.
    payload: [u8; CAPACITY],
    filled: usize,
    /// The open message: whether it is text, and the check of what has come of it.
    message: Option<(bool, Utf8)>,
}

enum Stage {
    /// Nobody is there yet, or a request is arriving.
    Opening(Head),
    Header,
    Payload(Header),
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new()
    }
}

impl Endpoint {
    /// An endpoint that waits for a request.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stage: Stage::Opening(Head::NONE),
            header: [0; MAX_HEADER],
            header_len: 0,
            payload: [0; CAPACITY],
            filled: 0,
            message: None,
        }
    }

    /// Takes the next byte of the pipe, and tells `write` what is to be sent for it, in order.
    pub fn take(&mut self, byte: u8, write: &mut impl FnMut(&[u8])) {
        match &mut self.stage {
            Stage::Opening(head) => match head.take(byte, write) {
                None => {}
                Some(true) => self.stage = Stage::Header,
                Some(false) => self.hang_up(),
            },
            Stage::Header => self.take_header(byte, write),
            Stage::Payload(header) => {
                let header = *header;
                if let Some(slot) = self.payload.get_mut(self.filled) {
                    *slot = byte;
                    self.filled += 1;
                }
                if self.filled as u64 == header.len {
                    self.finish(&header, write);
                }
            }
        }
    }

    fn take_header(&mut self, byte: u8, write: &mut impl FnMut(&[u8])) {
        if let Some(slot) = self.header.get_mut(self.header_len) {
            *slot = byte;
            self.header_len += 1;
        }
        let expect = Expect {
            message_open: self.message.is_some(),
            max_frame: CAPACITY as u64,
            ..Expect::unlimited(true)
        };
        let so_far = self.header.get(..self.header_len).unwrap_or_default();
        match Header::parse(so_far, &expect) {
            Ok(None) => {}
            Ok(Some((header, _))) => {
                (self.header_len, self.filled) = (0, 0);
                if header.len == 0 {
                    self.finish(&header, write);
                } else {
                    self.stage = Stage::Payload(header);
                }
            }
            Err(error) => self.close(error.close_code(), write),
        }
    }

    /// A frame is whole.
    fn finish(&mut self, header: &Header, write: &mut impl FnMut(&[u8])) {
        self.stage = Stage::Header;
        let payload = self.payload.get_mut(..self.filled).unwrap_or_default();
        Mask::new(header.mask.unwrap_or_default()).apply(payload);
        let answer = match header.opcode {
            Opcode::Ping => Opcode::Pong,
            Opcode::Pong => return,
            Opcode::Close => {
                return match close::parse(payload) {
                    Ok((code, _)) => self.close(code.unwrap_or(CloseCode::NO_STATUS), write),
                    Err(error) => self.close(error.close_code(), write),
                };
            }
            data => {
                if let Err(error) = check(&mut self.message, header, payload) {
                    return self.close(error.close_code(), write);
                }
                data
            }
        };
        send(Header { opcode: answer, mask: None, ..*header }, payload, write);
    }

    /// Sends a Close, the last of this peer: the next one may ask.
    fn close(&mut self, code: CloseCode, write: &mut impl FnMut(&[u8])) {
        let body = u16::from(code).to_be_bytes();
        let body = if code.is_sendable() { &body[..] } else { &[] };
        let len = body.len() as u64;
        send(
            Header { fin: true, rsv1: false, opcode: Opcode::Close, mask: None, len },
            body,
            write,
        );
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.stage = Stage::Opening(Head::NONE);
        (self.header_len, self.message) = (0, None);
    }
}

/// The next frame of a message: text is UTF-8, over all of its frames (RFC 6455 section 8.1).
fn check(
    message: &mut Option<(bool, Utf8)>,
    header: &Header,
    payload: &[u8],
) -> Result<(), ProtocolError> {
    let (text, mut utf8) = message.take().unwrap_or((header.opcode == Opcode::Text, Utf8::new()));
    if text {
        utf8.push(payload).map_err(|_| ProtocolError::InvalidUtf8)?;
        if header.fin && !utf8.is_boundary() {
            return Err(ProtocolError::InvalidUtf8);
        }
    }
    *message = (!header.fin).then_some((text, utf8));
    Ok(())
}

fn send(header: Header, payload: &[u8], write: &mut impl FnMut(&[u8])) {
    // No payload here is longer than 2^63 - 1.
    if let Ok(header) = header.encode() {
        write(&header);
        write(payload);
    }
}
