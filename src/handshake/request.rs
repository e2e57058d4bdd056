//! RFC 6455 section 4.2.1: a request, as values.
//!
//! It is read from the head each time it is asked, where [`RequestFacts`] says: nothing is copied.
//! Who may connect, and what for, is the application's business.
//!
//! Invariant: a [`Request`] asks for a WebSocket connection in the way that the RFC demands; a
//! [`PlainRequest`] is a well-formed GET that asks for none.

use super::authority::Authority;
use super::extensions::{Extension, Extensions};
use super::facts::{self, RequestFacts};
use super::fields::Fields;
use super::name::Name;
use super::origin::Origins;
use alloc::borrow::Cow;
use core::fmt;
use core::ops::Deref;

/// A GET request, well-formed, that asks for no upgrade: a [`Request`] has the same accessors.
///
/// The head is borrowed from the input that it came in; a head that came in pieces is owned.
#[derive(Clone)]
pub struct PlainRequest<'b> {
    head: Cow<'b, [u8]>,
    facts: RequestFacts,
}

impl<'b> PlainRequest<'b> {
    pub(super) const fn new(head: Cow<'b, [u8]>, facts: RequestFacts) -> Self {
        Self { head, facts }
    }

    /// The same request with a head of its own, to be decided on later.
    pub fn into_owned(self) -> PlainRequest<'static> {
        PlainRequest { head: Cow::Owned(self.head.into_owned()), facts: self.facts }
    }

    /// The path, as sent: not decoded, not normalised. At least `/`.
    pub fn path(&self) -> &str {
        let path = self.facts.path.text(&self.head);
        if path.is_empty() { "/" } else { path }
    }

    /// The query, as sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.facts.query.map(|query| query.text(&self.head))
    }

    /// Host and port that were asked, as sent: Host, or the authority of a target in
    /// absolute-form, which wins over it (RFC 9112 section 3.2.2). Empty if a request of HTTP/1.0
    /// has neither.
    pub fn authority(&self) -> &str {
        self.facts.authority().text(&self.head)
    }

    /// The host that was asked, as sent, without its port; an IPv6 address has brackets.
    pub fn host(&self) -> &str {
        let authority = Authority::parse(self.facts.authority().of(&self.head));
        authority.map_or("", |authority| authority.host)
    }

    /// Whether the target is in absolute-form and names another host than Host does. Parties on
    /// the way may have gone by the other one. Never so of an extended CONNECT: a Host beside
    /// `:authority` has to be the same.
    pub fn host_differs(&self) -> bool {
        self.facts.host_differs(&self.head)
    }

    /// The origin of the page that asks, if the client says so (RFC 6455 section 4.2.1, item 7).
    ///
    /// "A connection attempt lacking this header field SHOULD NOT be interpreted as coming from a
    /// browser client"; one with it may be any client.
    pub fn origin(&self) -> Option<&str> {
        self.facts.origin().map(|origin| origin.text(&self.head))
    }

    /// All fields, in order: names as sent, values without the whitespace around them.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.head, self.facts.fields)
    }

    /// The value of the first field of this name, which is compared without case.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl fmt::Debug for PlainRequest<'_> {
    /// The path, and no fields: they hold cookies and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// A request for a WebSocket connection (RFC 6455 section 4.2.1).
///
/// It has the accessors of a [`PlainRequest`], and what is offered besides.
#[derive(Debug, Clone)]
pub struct Request<'b>(PlainRequest<'b>);

impl<'b> Request<'b> {
    /// Of a head that has been judged to be one.
    pub(super) const fn new(head: Cow<'b, [u8]>, facts: RequestFacts) -> Self {
        Self(PlainRequest::new(head, facts))
    }

    /// The same request with a head of its own, to be decided on later.
    pub fn into_owned(self) -> Request<'static> {
        Request(self.0.into_owned())
    }

    /// The subprotocols that the client speaks, in its order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> + Clone {
        facts::subprotocols(&self.facts, &self.head)
    }

    /// The extensions that the client offers, in its order of preference.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> + Clone {
        let is_offered = self.facts.extensions.is_present();
        let fields = Fields::new(if is_offered { &self.head } else { &[] }, self.facts.fields);
        fields
            .filter(|(name, _)| Name::of(name.as_bytes()) == Name::Extensions)
            .flat_map(|(_, value)| Extensions(value))
    }

    /// Whether these origins may connect.
    pub(super) fn is_from(&self, allowed: Origins<'_>) -> bool {
        let authority = self.facts.authority().of(&self.head);
        self.facts.origin().is_none_or(|origin| allowed.allow(origin.of(&self.head), authority))
    }

    /// Empty if it is an extended CONNECT.
    pub(super) fn key(&self) -> &[u8] {
        self.facts.key(&self.head)
    }

    pub(super) const fn is_extended(&self) -> bool {
        self.0.facts.is_extended()
    }
}

impl<'b> Deref for Request<'b> {
    type Target = PlainRequest<'b>;

    fn deref(&self) -> &PlainRequest<'b> {
        &self.0
    }
}
