//! RFC 6455 section 4.2.1: as much of the opening handshake as fits a line of 128 bytes.
//!
//! A request arrives byte by byte; of its lines only the four that matter are looked at, and of the
//! others no more is kept than tells that. It chooses no subprotocol and no extension.

use sockless::handshake::key;

const LINE: usize = 128;
/// How many bytes a request may have.
const MAX_HEAD: u16 = 8192;

const REFUSED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const OTHER_VERSION: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\
    Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";

/// A request, as far as it has come.
pub(crate) struct Head {
    /// `line[..len]` is the start of the current line; `len` goes on counting beyond it.
    line: [u8; LINE],
    len: usize,
    /// All bytes so far, from the request line on.
    size: u16,
    upgrade: bool,
    connection: bool,
    version: Version,
    /// The answer to the key.
    accept: Option<[u8; 28]>,
    /// What came cannot be mended by what follows it.
    wrong: bool,
}

/// What the request says of its version.
enum Version {
    Missing,
    Ours,
    Other,
}

impl Head {
    pub(crate) const NONE: Self = Self {
        line: [0; LINE],
        len: 0,
        size: 0,
        upgrade: false,
        connection: false,
        version: Version::Missing,
        accept: None,
        wrong: false,
    };

    /// Takes the next byte; at the end of the request, answers it and says whether a connection is
    /// open. What comes before `GET /`, in the middle of a line too, is what the last peer left.
    pub(crate) fn take(&mut self, byte: u8, write: &mut impl FnMut(&[u8])) -> Option<bool> {
        if self.size == 0 && self.len == 5 && self.line.starts_with(b"GET /") {
            self.size = 5;
        }
        if self.size == 0 {
            self.seek(byte);
            return None;
        }
        self.size += 1;
        if self.size > MAX_HEAD {
            write(REFUSED);
            return Some(false);
        }
        if byte != b'\n' {
            if let Some(slot) = self.line.get_mut(self.len) {
                *slot = byte;
            }
            self.len += 1;
            return None;
        }
        let line = self.line;
        let (whole, len) = (self.len <= LINE, self.len.min(LINE));
        self.len = 0;
        match line.get(..len).unwrap_or_default() {
            [] | [b'\r'] => Some(self.answer(write)),
            line => {
                self.field(line, whole);
                None
            }
        }
    }

    /// Waits for the five bytes that a request starts with.
    fn seek(&mut self, byte: u8) {
        let wanted = b"GET /".get(self.len) == Some(&byte);
        self.len = if wanted { self.len + 1 } else { usize::from(byte == b'G') };
        if let Some(slot) = self.len.checked_sub(1).and_then(|last| self.line.get_mut(last)) {
            *slot = byte;
        }
    }

    /// A line of the head; a field that matters must be there whole.
    fn field(&mut self, line: &[u8], whole: bool) {
        // "A server that receives an obs-fold in a request message [..] MUST either reject the
        // message [..] or replace each" (RFC 9112 section 5.2).
        self.wrong |= matches!(line, [b' ' | b'\t', ..]);
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let lists = |wanted: &[u8]| {
            let mut elements = value.split(|&byte| byte == b',');
            elements.any(|element| element.trim_ascii().eq_ignore_ascii_case(wanted))
        };
        if name.eq_ignore_ascii_case(b"Upgrade") {
            self.upgrade |= whole && lists(b"websocket");
        } else if name.eq_ignore_ascii_case(b"Connection") {
            self.connection |= whole && lists(b"upgrade");
        } else if name.eq_ignore_ascii_case(b"Sec-WebSocket-Version") {
            self.wrong |= !matches!(self.version, Version::Missing);
            self.version = if whole && value == b"13" { Version::Ours } else { Version::Other };
        } else if name.eq_ignore_ascii_case(b"Sec-WebSocket-Key") {
            // A second key is as wrong as a malformed one.
            let valid = whole && self.accept.is_none() && key::is_valid(value);
            self.wrong |= !valid;
            self.accept = valid.then(|| key::accept(value));
        }
    }

    fn answer(&self, write: &mut impl FnMut(&[u8])) -> bool {
        match self.accept {
            Some(accept) if self.upgrade && self.connection && !self.wrong => {
                if !matches!(self.version, Version::Ours) {
                    write(OTHER_VERSION);
                    return false;
                }
                write(ACCEPTED);
                write(&accept);
                write(b"\r\n\r\n");
                true
            }
            _ => {
                write(REFUSED);
                false
            }
        }
    }
}
