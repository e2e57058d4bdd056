//! RFC 6455 section 10.2: which web pages may connect.
//!
//! A browser sends its cookies along with a handshake whatever page asked for it, and no
//! same-origin policy applies: the server has to look at Origin. A client that is no browser may
//! send any Origin, or none: this protects users from pages, not servers from clients.
//!
//! Invariant: nothing matches by a part of its text: scheme, host and port are compared whole.

use super::authority::{Authority, default_port};

/// Which origins may connect.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origins<'a> {
    /// That of the host that was asked.
    SameHost,
    /// These, each `scheme://host[:port]`.
    List(&'a [&'a str]),
    /// All.
    Any,
}

impl Origins<'_> {
    /// Whether `origin` may connect to `host`, which was found well-formed.
    ///
    /// "If the server does not wish to accept this connection [...] an appropriate HTTP error code
    /// (e.g., 403 Forbidden)" is the answer (RFC 6455 section 4.2.2). Without an Origin, the client
    /// is no browser.
    pub(super) fn allow(self, origin: &[u8], host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::SameHost => is_page_of(origin, host),
            Self::List(list) => Origin::parse(origin).is_some_and(|origin| {
                list.iter().any(|&allowed| {
                    Origin::parse(allowed.as_bytes()).is_some_and(|o| o.is_same(origin))
                })
            }),
        }
    }
}

/// Whether it is a page of `host`. The scheme is not known of a host, and may differ where TLS ends
/// in front of the server; it decides which port is meant where none is written.
fn is_page_of(origin: &[u8], host: &[u8]) -> bool {
    let Some((scheme, authority)) = split(origin) else { return false };
    let Some(default) = default_port(scheme) else { return false };
    // What is written alike is the same, and well-formed since the host is.
    authority == host && !host.is_empty()
        || Authority::parse(authority)
            .zip(Authority::parse(host))
            .is_some_and(|(page, host)| page.is_same(host, Some(default)))
}

/// Scheme and authority. No scheme has a colon.
fn split(origin: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = origin.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = origin.split_at_checked(colon)?;
    Some((scheme, rest.strip_prefix(b"://")?))
}

/// Whether `text` is an origin that a list may hold. A host may have a `*` (RFC 3986 section
/// 3.2.2); who writes one in a list means any host, and would wait for a match in vain.
pub(super) fn is_origin(text: &str) -> bool {
    Origin::parse(text.as_bytes()).is_some() && !text.contains('*')
}

/// An origin that has a host (RFC 6454 section 4); `null` is none.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    scheme: &'a [u8],
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (scheme, authority) = split(text)?;
        let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        let authority = Authority::parse(authority)?;
        is_scheme.then_some(Self { scheme, authority })
    }

    fn is_same(self, other: Origin<'_>) -> bool {
        let default = default_port(self.scheme);
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.is_same(other.authority, default)
    }
}

#[cfg(test)]
mod tests {
    use super::{Authority, Origins, is_origin};

    // req: W10.2-01
    #[test]
    fn pages_of_the_same_host() {
        for (origin, host, wanted) in [
            ("http://a.example", "a.example", true),
            ("https://a.example", "a.example", true),
            ("HTTP://A.Example", "a.eXAMPLE", true),
            ("http://a.example:80", "a.example", true),
            ("http://a.example", "a.example:80", true),
            ("https://a.example", "a.example:443", true),
            ("https://a.example:443", "a.example", true),
            ("http://a.example:8080", "a.example:8080", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://a.example:8080", "a.example", false),
            ("http://a.example", "a.example:8080", false),
            ("https://a.example", "a.example:80", false),
            ("http://a.example:443", "a.example", false),
            ("http://b.example", "a.example", false),
            ("http://a.example.evil", "a.example", false),
            ("http://evil-a.example", "a.example", false),
            ("http://sub.a.example", "a.example", false),
            ("http://a.example@evil", "a.example", false),
            ("http://evil@a.example", "a.example", false),
            ("http://a.example/", "a.example", false),
            ("http://a.example http://a.example", "a.example", false),
            ("app://a.example", "a.example", false),
            ("//a.example", "a.example", false),
            ("a.example", "a.example", false),
            ("file://", "a.example", false),
            ("null", "null", false),
            ("", "a.example", false),
        ] {
            assert!(Authority::parse(host.as_bytes()).is_some());
            assert_eq!(
                Origins::SameHost.allow(origin.as_bytes(), host.as_bytes()),
                wanted,
                "{origin} {host}"
            );
            assert!(Origins::Any.allow(origin.as_bytes(), host.as_bytes()));
        }
        assert!(!Origins::SameHost.allow(b"http://a", b""));
        assert!(!Origins::SameHost.allow(b"http://", b""));
    }

    // req: W10.2-01
    #[test]
    fn pages_of_a_list() {
        let list = Origins::List(&["https://good.example", "http://[::1]:3000", "app://x"]);
        for (origin, wanted) in [
            ("https://good.example", true),
            ("https://GOOD.example:443", true),
            ("http://[::1]:3000", true),
            ("app://x", true),
            ("http://good.example", false),
            ("https://good.example:444", false),
            ("https://good.example.evil", false),
            ("https://evil.good.example", false),
            ("https://good.example@evil", false),
            ("https://u@good.example", false),
            ("https://good.example/", false),
            ("app://x:1", false),
            ("app://x:0", false),
            ("null", false),
            // The host that was asked is not of the list.
            ("https://host.example", false),
        ] {
            assert_eq!(list.allow(origin.as_bytes(), b"host.example"), wanted, "{origin}");
        }

        for not_an_origin in
            ["", "null", "*", "good.example", "https://good.example/", "://a", "https://*.example"]
        {
            assert!(!is_origin(not_an_origin), "{not_an_origin}");
        }
    }
}
