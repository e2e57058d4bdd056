//! RFC 6455 section 4.2.1: what a server must find in a request, and in which order it is judged.
//!
//! Each line is looked at once, as it arrives, and leaves a few numbers behind. The grammar is
//! judged there and then; what the request asks for is judged at its blank line, since "a server
//! MUST NOT apply a request to the target resource until it receives the entire request header
//! section" (RFC 9110 section 5.3).
//!
//! Invariant: facts hold no bytes; every [`Span`] lies in the head that they were taken from.

use super::authority::{Authority, is_authority};
use super::class::{decimal, digit_of, is_target_byte, token_len};
use super::error::RequestError;
use super::extensions;
use super::head::{Lines, Span};
use super::key;
use super::list::{self, List, is_protocol, is_token};
use super::name::{self, Name};

/// A field that may come once: where it is, and how often it came.
#[derive(Debug, Clone, Copy, Default)]
struct Single {
    value: Span,
    lines: u8,
}

impl Single {
    fn add(&mut self, head: &[u8], value: &[u8]) {
        self.value = Span::of_part(head, value);
        self.lines = self.lines.saturating_add(1);
    }

    /// The value, if there is exactly one.
    fn only(self) -> Option<Span> {
        (self.lines == 1).then_some(self.value)
    }
}

/// The methods that differ in what their target may be, or in how they are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Method {
    Get,
    Head,
    Options,
    Connect,
    #[default]
    Other,
}

/// The forms of a request target (RFC 9112 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    #[default]
    Origin,
    /// With the default port of its scheme.
    Absolute(u16),
    Authority,
    Asterisk,
}

/// What a request says, so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestFacts {
    /// The one empty line before the request line has been seen.
    skipped: bool,
    method: Method,
    form: Form,
    version: (u8, u8),
    /// The authority of an absolute-form target.
    authority: Span,
    /// Empty, or starts with `/`.
    pub(super) path: Span,
    pub(super) query: Option<Span>,
    /// Where the fields start.
    pub(super) fields: usize,
    host: Single,
    origin: Single,
    key: Single,
    websocket_version: Single,
    content_length: Single,
    transfer_encoding: bool,
    /// The last coding is `chunked`.
    is_chunked: bool,
    expect: bool,
    upgrade: List,
    upgrade_has_websocket: bool,
    connection: List,
    connection_has_upgrade: bool,
    pub(super) subprotocols: List,
    pub(super) extensions: List,
}

impl Lines for RequestFacts {
    type Error = RequestError;

    fn start(&mut self, head: &[u8], line: Span) -> Result<bool, RequestError> {
        // "A server that is expecting to receive and parse a request-line SHOULD ignore at least
        // one empty line (CRLF) received prior to the request-line" (RFC 9112 section 2.2).
        if line.of(head).is_empty() && !self.skipped {
            self.skipped = true;
            return Ok(false);
        }
        self.fields = line.next_line();
        self.request_line(head, line).ok_or(RequestError::RequestLine)?;
        Ok(true)
    }

    #[inline]
    fn field(&mut self, head: &[u8], name: &[u8], value: &[u8]) {
        let name = Name::of(name);
        if name != Name::Other {
            self.known(head, name, value);
        }
    }

    fn end(&mut self, _: &[u8]) -> Result<bool, RequestError> {
        Ok(true)
    }
}

impl RequestFacts {
    fn known(&mut self, head: &[u8], name: Name, value: &[u8]) {
        match name {
            Name::Host => self.host.add(head, value),
            Name::Origin => self.origin.add(head, value),
            Name::Key => self.key.add(head, value),
            Name::Version => self.websocket_version.add(head, value),
            Name::ContentLength => self.content_length.add(head, value),
            Name::TransferEncoding => {
                let last = list::elements(value).last();
                self.is_chunked = last.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
                self.transfer_encoding = true;
            }
            Name::Expect => self.expect = true,
            // The word that is looked for is a token, without another look.
            Name::Upgrade => self.upgrade.add(value, |element| {
                let is_websocket = name::is(element, b"websocket");
                self.upgrade_has_websocket |= is_websocket;
                is_websocket || is_protocol(element)
            }),
            Name::Connection => self.connection.add(value, |element| {
                let is_upgrade = name::is(element, b"upgrade");
                self.connection_has_upgrade |= is_upgrade;
                is_upgrade || is_token(element)
            }),
            Name::Protocol => self.subprotocols.add(value, is_token),
            Name::Extensions => extensions::check(&mut self.extensions, value),
            Name::Accept | Name::Other => {}
        }
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112 section 3), nothing else.
    fn request_line(&mut self, head: &[u8], line: Span) -> Option<()> {
        let text = line.of(head);
        let (rest, version) = text.split_last_chunk::<9>()?;
        let &[b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = version else {
            return None;
        };
        self.version = (digit_of(major)?, digit_of(minor)?);
        let end = token_len(rest);
        let (method, target) = rest.split_at_checked(end)?;
        let [b' ', target @ ..] = target else { return None };
        let is_fine = target.iter().fold(true, |all, &byte| all & is_target_byte(byte));
        if method.is_empty() || target.is_empty() || !is_fine {
            return None;
        }
        // Methods are case-sensitive (RFC 9110 section 9.1).
        self.method = match method {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"OPTIONS" => Method::Options,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let start = end.saturating_add(1);
        self.target(target, line.part(start..start.saturating_add(target.len())))
    }

    /// In absolute-form it has the host, whatever Host says (RFC 9112 section 3.2.2).
    fn target(&mut self, target: &[u8], span: Span) -> Option<()> {
        let path = if target.starts_with(b"/") {
            0
        } else if target == b"*" {
            self.form = Form::Asterisk;
            return Some(());
        } else if let Some(colon) = target.windows(3).position(|three| three == b"://") {
            self.form = Form::Absolute(match target.get(..colon)? {
                scheme if scheme.eq_ignore_ascii_case(b"http") => 80,
                scheme if scheme.eq_ignore_ascii_case(b"https") => 443,
                _ => return None,
            });
            let start = colon.saturating_add(3);
            let rest = target.get(start..)?;
            let len = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
            is_authority(rest.get(..len)?).then_some(())?;
            let end = start.saturating_add(len);
            self.authority = span.part(start..end);
            end
        } else {
            is_authority(target).then_some(())?;
            self.form = Form::Authority;
            return Some(());
        };
        let mark = memchr::memchr(b'?', target);
        self.path = span.part(path..mark.unwrap_or(target.len()));
        self.query = mark.map(|mark| span.part(mark.saturating_add(1)..target.len()));
        Some(())
    }

    /// Whether the request may be upgraded; the first rule that it breaks, if not.
    ///
    /// [`RequestError::NotAnUpgrade`] comes after every rule that any request has to keep, and
    /// before those of an upgrade: a plain request breaks it, and nothing before it. One of
    /// HTTP/1.0 can be nothing else, where they are `plain_requests` that are wanted.
    pub(super) fn judge(&self, head: &[u8], plain_requests: bool) -> Result<(), RequestError> {
        demand(self.form_fits_method(), RequestError::TargetForm)?;
        demand(self.version.0 <= 1, RequestError::VersionUnsupported)?;
        // "A server that receives an Upgrade header field in an HTTP/1.0 request MUST ignore that
        // Upgrade field" (RFC 9110 section 7.8).
        let is_plain = plain_requests && self.is_of_http_1_0();
        demand(self.version >= (1, 1) || is_plain, RequestError::VersionTooOld)?;
        demand(self.has_host(head), RequestError::Host)?;
        demand(self.body_has_an_end(head), RequestError::Body)?;
        demand(self.method == Method::Get, RequestError::Method)?;
        demand(!self.has_body(head), RequestError::Body)?;
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
        // that expectation" (RFC 9110 section 10.1.1).
        demand(!self.expect || is_plain, RequestError::Expectation)?;
        demand(self.origin_is_readable(head), RequestError::Origin)?;
        demand(!is_plain, RequestError::NotAnUpgrade)?;
        demand(self.upgrade.is_well_formed() || !self.upgrade.is_present(), RequestError::Upgrade)?;
        demand(self.upgrade_has_websocket, RequestError::NotAnUpgrade)?;
        let asks = self.connection.is_well_formed() && self.connection_has_upgrade;
        demand(asks, RequestError::Connection)?;
        self.judge_version(head)?;
        let has_key = self.key.only().is_some_and(|key| key::is_valid(key.of(head)));
        demand(has_key, RequestError::Key)?;
        self.judge_offers(head)
    }

    /// The same of an extended CONNECT (RFC 8441 section 5), whose target was written in
    /// absolute-form. A key is not looked at.
    pub(super) fn judge_extended(&mut self, head: &[u8]) -> Result<(), RequestError> {
        self.key = Single::default();
        let may_have_host = self.host.lines <= 1 && !self.host_differs(head);
        demand(may_have_host, RequestError::Host)?;
        demand(!self.has_body(head), RequestError::Body)?;
        demand(!self.expect, RequestError::Expectation)?;
        demand(self.origin_is_readable(head), RequestError::Origin)?;
        self.judge_version(head)?;
        self.judge_offers(head)
    }

    fn judge_version(&self, head: &[u8]) -> Result<(), RequestError> {
        match self.websocket_version.only().and_then(|version| parse_version(version.of(head))) {
            Some(13) => Ok(()),
            Some(_) => Err(RequestError::WebSocketVersionUnsupported),
            None => Err(RequestError::WebSocketVersion),
        }
    }

    fn judge_offers(&self, head: &[u8]) -> Result<(), RequestError> {
        let is_fine = |list: List| list.is_well_formed() || !list.is_present();
        if !is_fine(self.subprotocols) || has_duplicates(self, head) {
            return Err(RequestError::Subprotocols);
        }
        is_fine(self.extensions).then_some(()).ok_or(RequestError::Extensions)
    }

    const fn form_fits_method(&self) -> bool {
        match self.form {
            Form::Origin | Form::Absolute(_) => !matches!(self.method, Method::Connect),
            Form::Authority => matches!(self.method, Method::Connect),
            Form::Asterisk => matches!(self.method, Method::Options),
        }
    }

    const fn is_of_http_1_0(&self) -> bool {
        matches!(self.version, (1, 0))
    }

    /// Host is as old as HTTP/1.1.
    fn has_host(&self, head: &[u8]) -> bool {
        let may_be_missing = self.host.lines == 0 && self.is_of_http_1_0();
        may_be_missing
            || self.host.only().is_some_and(|host| {
                let host = host.of(head);
                let may_be_empty = matches!(self.form, Form::Absolute(_));
                is_authority(host) || host.is_empty() && may_be_empty
            })
    }

    /// Whether it can be told where the content ends: if not, "the message framing is invalid and
    /// the recipient MUST treat it as an unrecoverable error" (RFC 9112 section 6.3), be the method
    /// one that is refused.
    fn body_has_an_end(&self, head: &[u8]) -> bool {
        let is_length = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        match (self.transfer_encoding, self.content_length.lines) {
            (false, 0) => true,
            (false, _) => self.content_length.only().is_some_and(|value| is_length(value.of(head))),
            (true, lengths) => lengths == 0 && self.is_chunked,
        }
    }

    /// Only a single `Content-Length: 0` says that there is none.
    fn has_body(&self, head: &[u8]) -> bool {
        let length = self.content_length;
        let is_zero = length.only().is_some_and(|length| length.of(head) == b"0");
        self.transfer_encoding || !is_zero && length.lines > 0
    }

    fn origin_is_readable(&self, head: &[u8]) -> bool {
        self.origin.lines == 0 || self.origin.only().is_some_and(|o| o.of(head).is_ascii())
    }

    pub(super) fn origin(&self) -> Option<Span> {
        self.origin.only()
    }

    pub(super) fn key<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        self.key.value.of(head)
    }

    /// "An origin server MUST ignore the received Host header field (if any)" when the target is
    /// in absolute-form (RFC 9112 section 3.2.2).
    pub(super) const fn authority(&self) -> Span {
        match self.form {
            Form::Absolute(_) => self.authority,
            _ => self.host.value,
        }
    }

    /// Where there is no Host, as an extended CONNECT has none, nothing is said that could differ.
    pub(super) fn host_differs(&self, head: &[u8]) -> bool {
        let Form::Absolute(default) = self.form else { return false };
        if self.host.lines == 0 {
            return false;
        }
        let parse = |span: Span| Authority::parse(span.of(head));
        match (parse(self.authority), parse(self.host.value)) {
            (Some(target), Some(host)) => !target.is_same(host, Some(default)),
            _ => true,
        }
    }

    /// Whether a request that was judged is an extended CONNECT: an upgrade is a GET.
    pub(super) const fn is_extended(&self) -> bool {
        matches!(self.method, Method::Connect)
    }

    /// "The server MUST NOT send content in the response" to HEAD (RFC 9110 section 9.3.2).
    pub(super) const fn wants_no_content(&self) -> bool {
        matches!(self.method, Method::Head)
    }
}

/// An error unless a rule holds, so that the first one which does not is the answer.
fn demand(holds: bool, error: RequestError) -> Result<(), RequestError> {
    if holds { Ok(()) } else { Err(error) }
}

/// A version is 0 to 255, without a leading zero (RFC 6455 section 4.3).
pub(super) fn parse_version(text: &[u8]) -> Option<u8> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => u8::try_from(decimal(text)?).ok(),
        _ => None,
    }
}

/// "The elements that comprise this value MUST be non-empty strings [...] and MUST all be unique
/// strings" (RFC 6455 section 4.1, item 10). A well-formed list has no more elements than there is
/// room for, so a comparison of all pairs is bounded.
fn has_duplicates(facts: &RequestFacts, head: &[u8]) -> bool {
    if facts.subprotocols.len() < 2 {
        return false;
    }
    let mut seen = [""; list::MAX_ELEMENTS as usize];
    subprotocols(facts, head).zip(0..).any(|(offer, count)| {
        let Some((before, rest)) = seen.split_at_mut_checked(count) else { return true };
        if let Some(slot) = rest.first_mut() {
            *slot = offer;
        }
        before.contains(&offer)
    })
}

/// The subprotocols that a well-formed request offers, in order, over all its lines.
pub(super) fn subprotocols<'a>(
    facts: &RequestFacts,
    head: &'a [u8],
) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
    let is_offered = facts.subprotocols.is_present();
    let fields = super::fields::Fields::new(if is_offered { head } else { &[] }, facts.fields);
    fields
        .filter(|(name, _)| Name::of(name.as_bytes()) == Name::Protocol)
        .flat_map(|(_, value)| list::elements(value))
}
