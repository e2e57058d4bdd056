//! RFC 6455 section 4.1: what a client must find in a response, and the response as values.
//!
//! Like a request, it is looked at once, line by line, and judged at its blank line. A response
//! that is no 101 is an HTTP response like any other: it is not judged but handed out.
//!
//! Invariant: a [`Response`] is final, of status 101 or 200 to 599.

use super::class::{decimal, digit_of};
use super::error::ResponseError;
use super::extensions::{self, Extensions};
use super::facts::parse_version;
use super::fields::Fields;
use super::head::{Lines, Span};
use super::list::{List, elements, is_protocol, is_token};
use super::name::Name;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// "A client MUST be able to parse one or more 1xx responses received prior to a final response"
/// (RFC 9110 section 15.2): this many.
const MAX_INTERIM: u8 = 8;

/// What a response says, so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ResponseFacts {
    interim: u8,
    minor: u8,
    status: u16,
    reason: Span,
    /// Where the fields start.
    fields: usize,
    upgrade: List,
    upgrade_is_websocket: bool,
    connection: List,
    connection_has_upgrade: bool,
    accept: (Span, u8),
    subprotocol: (Span, u8),
    extensions: List,
    extension_field: (Span, u8),
    body: bool,
}

impl Lines for ResponseFacts {
    type Error = ResponseError;

    fn start(&mut self, head: &[u8], line: Span) -> Result<bool, ResponseError> {
        *self = Self { interim: self.interim, fields: line.next_line(), ..Self::default() };
        self.status_line(head, line).ok_or(ResponseError::StatusLine)?;
        Ok(true)
    }

    fn field(&mut self, head: &[u8], name: &[u8], value: &[u8]) {
        let span = Span::of_part(head, value);
        match Name::of(name) {
            Name::Upgrade => self.upgrade.add(value, |element| {
                self.upgrade_is_websocket |= element.eq_ignore_ascii_case(b"websocket");
                is_protocol(element)
            }),
            Name::Connection => self.connection.add(value, |element| {
                self.connection_has_upgrade |= element.eq_ignore_ascii_case(b"upgrade");
                is_token(element)
            }),
            Name::Accept => self.accept = (span, self.accept.1.saturating_add(1)),
            Name::Protocol => self.subprotocol = (span, self.subprotocol.1.saturating_add(1)),
            Name::Extensions => {
                self.extension_field = (span, self.extension_field.1.saturating_add(1));
                extensions::check(&mut self.extensions, value);
            }
            Name::ContentLength | Name::TransferEncoding => self.body = true,
            _ => {}
        }
    }

    /// Whether the response is final: "a 1xx response is terminated by the end of the header
    /// section" (RFC 9110 section 15.2), and another one follows.
    fn end(&mut self, _: &[u8]) -> Result<bool, ResponseError> {
        if self.status >= 200 || self.status == 101 {
            return Ok(true);
        }
        if self.interim == MAX_INTERIM {
            return Err(ResponseError::TooManyInterim);
        }
        self.interim = self.interim.saturating_add(1);
        Ok(false)
    }
}

impl ResponseFacts {
    /// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 section 4).
    fn status_line(&mut self, head: &[u8], line: Span) -> Option<()> {
        let text = line.of(head);
        let (start, reason) = text.split_first_chunk::<13>()?;
        let &[b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', a @ b'1'..=b'5', b, c, b' '] =
            start
        else {
            return None;
        };
        self.minor = digit_of(minor)?;
        self.status = decimal(&[a, b, c])?;
        self.reason = line.part(start.len()..start.len().saturating_add(reason.len()));
        Some(())
    }

    /// The extensions that are said to be in use.
    pub(super) fn extensions<'a>(&self, head: &'a [u8]) -> Extensions<'a> {
        Extensions(self.extension_field.0.of(head))
    }

    pub(super) const fn is_upgrade(&self) -> bool {
        self.status == 101
    }

    /// The rules for a 101 (RFC 6455 section 4.1, items 2 to 4), but for what it agrees to.
    pub(super) fn judge_upgrade(
        &self,
        head: &[u8],
        accept: &[u8; 28],
    ) -> Result<(), ResponseError> {
        let is_single = |list: List| list.is_well_formed() && list.len() == 1;
        let rules = [
            (self.minor >= 1, ResponseError::VersionTooOld),
            (!self.body, ResponseError::Body),
            (is_single(self.upgrade) && self.upgrade_is_websocket, ResponseError::Upgrade),
            (
                self.connection.is_well_formed() && self.connection_has_upgrade,
                ResponseError::Connection,
            ),
            (self.accept.1 == 1 && self.accept.0.of(head) == accept, ResponseError::Accept),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |&(_, error)| Err(error))
    }

    /// The rules for what an answer agrees to (RFC 6455 section 4.1, items 5 and 6), however it
    /// opens the connection; the subprotocol that it chooses.
    pub(super) fn judge_agreement(
        &self,
        head: &[u8],
        offers: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Option<String>, ResponseError> {
        // "MUST NOT appear more than once in an HTTP response" (RFC 6455 section 11.3.2).
        let may_have_extensions = self.extension_field.1 == 0
            || self.extension_field.1 == 1 && self.extensions.is_well_formed();
        if !may_have_extensions {
            return Err(ResponseError::Extensions);
        }
        let (subprotocol, lines) = self.subprotocol;
        match lines {
            0 => Ok(None),
            1 if offers(subprotocol.of(head)) => Ok(Some(subprotocol.text(head).into())),
            _ => Err(ResponseError::Subprotocol),
        }
    }
}

/// A response, as values: the one that opened a connection, or any other.
///
/// The head is borrowed from the input that it came in; a head that came in pieces is owned. What
/// follows the head stays in the input: the frames of a connection that opened, or the content of
/// a response that did not, as far as it has come, in the framing of RFC 9112 section 6 (a length,
/// chunks, or until the end), which is left to the caller.
#[derive(Clone)]
pub struct Response<'b> {
    pub(super) head: Cow<'b, [u8]>,
    pub(super) facts: ResponseFacts,
}

impl Response<'_> {
    /// The same response with a head of its own, to be decided on later.
    pub fn into_owned(self) -> Response<'static> {
        Response { head: Cow::Owned(self.head.into_owned()), facts: self.facts }
    }

    /// The status: 101, or 200 to 599.
    pub const fn status(&self) -> u16 {
        self.facts.status
    }

    /// The reason phrase, as sent. "A client SHOULD ignore the reason-phrase content" (RFC 9112
    /// section 4).
    pub fn reason(&self) -> &[u8] {
        self.facts.reason.of(&self.head)
    }

    /// All fields, in order: names as sent, values without the whitespace around them.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.head, self.facts.fields)
    }

    /// The value of the first field of this name, which is compared without case.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The WebSocket versions that the server understands, as it says with a 426 (RFC 6455
    /// section 4.4): all of its Sec-WebSocket-Version fields, joined. What is no version (section
    /// 4.3) is passed over.
    pub fn versions(&self) -> impl Iterator<Item = u8> + Clone {
        self.fields()
            .filter(|(name, _)| Name::of(name.as_bytes()) == Name::Version)
            .flat_map(|(_, value)| elements(value))
            .filter_map(|element| parse_version(element.as_bytes()))
    }
}

impl fmt::Debug for Response<'_> {
    /// The status, and no fields: they hold cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status()).finish_non_exhaustive()
    }
}
