//! RFC 6455 section 3: `ws:` and `wss:` URIs, parsed before a byte is sent.
//!
//! Nothing is repaired, resolved or encoded: a host that is not ASCII, or a `#` that is data, has
//! to be converted by the caller (to its IDNA form, and to `%23`).
//!
//! Invariant: `host` and `resource` are visible ASCII, so neither can end a line of the request.

use super::authority::{Authority, default_port};
use super::class::is_target_byte;
use alloc::string::String;
use core::fmt;

/// Where a client connects to, and what it asks for there (RFC 6455 section 3).
///
/// ```
/// use sockless::handshake::Target;
/// let target = Target::parse("wss://example.com/chat?room=1")?;
/// assert!(target.secure());
/// assert_eq!((target.host(), target.port()), ("example.com", 443));
/// assert_eq!(target.resource(), "/chat?room=1");
/// # Ok::<(), sockless::handshake::TargetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    secure: bool,
    /// As in the URI, with the brackets of an IPv6 address.
    host: String,
    port: u16,
    resource: String,
}

impl Target {
    /// Parses a `ws:` or `wss:` URI.
    ///
    /// # Errors
    /// [`TargetError`], by the component that is wrong. User information is refused: send an
    /// `Authorization` field instead.
    pub fn parse(uri: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = uri.split_once(':').ok_or(TargetError::Scheme)?;
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(TargetError::Scheme);
        }
        let rest = rest.strip_prefix("//").ok_or(TargetError::Authority)?;
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
        // used on these URIs. [...] the character "#" [...] MUST be escaped as %23."
        if rest.contains('#') {
            return Err(TargetError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(TargetError::Authority)?;
        let authority = Authority::parse(authority.as_bytes()).ok_or(TargetError::Authority)?;
        // No URI has these, nor a `%` that escapes nothing (RFC 3986 section 2). `|` and its like,
        // which no URI has either, are common and harmless.
        let is_fine = |byte| is_target_byte(byte) && !b"\"<>`".contains(&byte);
        let is_escape = |rest: &[u8]| {
            rest.first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
        };
        let mut behind_percent = path.as_bytes().split(|&byte| byte == b'%').skip(1);
        if !path.bytes().all(is_fine) || !behind_percent.all(is_escape) {
            return Err(TargetError::Resource);
        }
        // `/` if the path is empty, and a query only if that is not.
        let mut resource = String::from(if path.starts_with('/') { "" } else { "/" });
        resource.push_str(match path.split_once('?') {
            Some((path, "")) => path,
            _ => path,
        });
        Ok(Self {
            secure,
            host: authority.host.into(),
            port: authority.port.or(default_port(scheme.as_bytes())).unwrap_or_default(),
            resource,
        })
    }

    /// Whether the connection is to run over TLS: the scheme is `wss`.
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The port to connect to.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The value of the Host field: the port is left out if it is the default one (RFC 6455
    /// section 4.1, item 4).
    ///
    /// ```
    /// use sockless::handshake::Target;
    /// let target = Target::parse("ws://[::1]:9/")?;
    /// assert_eq!((target.authority().to_string().as_str(), target.host()), ("[::1]:9", "::1"));
    /// # Ok::<(), sockless::handshake::TargetError>(())
    /// ```
    pub fn authority(&self) -> impl fmt::Display + '_ {
        let port = (default_port(self.scheme().as_bytes()) != Some(self.port)).then_some(self.port);
        AuthorityText { host: &self.host, port }
    }

    /// The resource name: path and query (RFC 6455 section 3).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The same with its port, as a tunnel wants it.
    pub(super) fn authority_with_port(&self) -> impl fmt::Display + '_ {
        AuthorityText { host: &self.host, port: Some(self.port) }
    }

    /// The scheme of the same resource for HTTP.
    pub(super) const fn http_scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    const fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }
}

struct AuthorityText<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl fmt::Display for AuthorityText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A URI that no connection can be opened to. By its component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetError {
    /// The scheme is neither `ws` nor `wss`.
    Scheme,
    /// The host is missing or malformed, the port is no port, or there is user information.
    Authority,
    /// The path or query has a space, a control character, a `\`, `"`, `<`, `>`, a backtick, a `%`
    /// without two hexadecimal digits, or is not ASCII.
    Resource,
    /// There is a fragment; a `#` that is data is written `%23`.
    Fragment,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme is neither ws nor wss",
            Self::Authority => "host or port is malformed, or there is user information",
            Self::Resource => "path or query is malformed",
            Self::Fragment => "fragment in a WebSocket URI",
        })
    }
}

impl core::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};

    // req: W3-01, W3-02, W3-03, W3-05, W3-07, W4.1-12, H-20, H-23
    #[test]
    fn parts_of_a_uri() {
        for (uri, authority, host, port, resource) in [
            ("ws://h", "h", "h", 80, "/"),
            ("Ws://h/", "h", "h", 80, "/"),
            ("WSS://h/", "h", "h", 443, "/"),
            ("ws://h:/", "h", "h", 80, "/"),
            ("ws://h:80/", "h", "h", 80, "/"),
            ("wss://h:443/", "h", "h", 443, "/"),
            ("ws://h:443/", "h:443", "h", 443, "/"),
            ("wss://h:80/", "h:80", "h", 80, "/"),
            ("ws://h:0/", "h:0", "h", 0, "/"),
            ("ws://h:65535", "h:65535", "h", 65535, "/"),
            ("ws://H.example:080", "H.example", "H.example", 80, "/"),
            ("ws://[::1]:9/", "[::1]:9", "::1", 9, "/"),
            ("ws://[::1]", "[::1]", "::1", 80, "/"),
            ("ws://h?x", "h", "h", 80, "/?x"),
            ("ws://h?", "h", "h", 80, "/"),
            ("ws://h/a?", "h", "h", 80, "/a"),
            ("ws://h/a?b?c", "h", "h", 80, "/a?b?c"),
            ("ws://h/a??", "h", "h", 80, "/a??"),
            ("ws://h//a/../b", "h", "h", 80, "//a/../b"),
            ("ws://h/a%23b", "h", "h", 80, "/a%23b"),
            ("ws://h/@:|", "h", "h", 80, "/@:|"),
            ("ws://h/%7e%7E?%00", "h", "h", 80, "/%7e%7E?%00"),
        ] {
            let target = Target::parse(uri).unwrap();
            assert_eq!(target.authority().to_string(), authority, "{uri}");
            let parts = (target.host(), target.port(), target.resource());
            assert_eq!(parts, (host, port, resource), "{uri}");
            assert_eq!(target.secure(), uri.get(..3).unwrap().eq_ignore_ascii_case("wss"));
        }
    }

    // req: W3-01, W3-02, W3-04, W3-05, W3-06, W11.1-01
    #[test]
    fn broken_uris() {
        for (uri, error) in [
            ("", TargetError::Scheme),
            ("h", TargetError::Scheme),
            ("://h/", TargetError::Scheme),
            ("http://h/", TargetError::Scheme),
            ("wsx://h/", TargetError::Scheme),
            (" ws://h/", TargetError::Scheme),
            ("ws:", TargetError::Authority),
            ("ws:h", TargetError::Authority),
            ("ws:/h", TargetError::Authority),
            ("ws:\\\\h", TargetError::Authority),
            ("ws://", TargetError::Authority),
            ("ws:///a", TargetError::Authority),
            ("ws://:80/", TargetError::Authority),
            ("ws://u@h/", TargetError::Authority),
            ("ws://u:p@h/", TargetError::Authority),
            ("ws://h:65536/", TargetError::Authority),
            ("ws://h:-1/", TargetError::Authority),
            ("ws://h:8x/", TargetError::Authority),
            ("ws://[::1/", TargetError::Authority),
            ("ws://[::g]/", TargetError::Authority),
            ("ws://::1/", TargetError::Authority),
            ("ws://h\\a", TargetError::Authority),
            ("ws://h\r\nX: y", TargetError::Authority),
            ("ws://bücher.example/", TargetError::Authority),
            ("ws://h/a b", TargetError::Resource),
            ("ws://h/a\r\nX: y", TargetError::Resource),
            ("ws://h/\0", TargetError::Resource),
            ("ws://h/\t", TargetError::Resource),
            ("ws://h/\u{7f}", TargetError::Resource),
            ("ws://h/a\\b", TargetError::Resource),
            ("ws://h/?\"", TargetError::Resource),
            ("ws://h/a<b", TargetError::Resource),
            ("ws://h/?a>b", TargetError::Resource),
            ("ws://h/`", TargetError::Resource),
            ("ws://h/%zz", TargetError::Resource),
            ("ws://h/%", TargetError::Resource),
            ("ws://h/a?%1", TargetError::Resource),
            ("ws://h/a?%%31", TargetError::Resource),
            ("ws://h/ü", TargetError::Resource),
            ("ws://h/?ü", TargetError::Resource),
            ("ws://h/#", TargetError::Fragment),
            ("ws://h#a", TargetError::Fragment),
            ("ws://h/a?b#c", TargetError::Fragment),
        ] {
            assert_eq!(Target::parse(uri), Err(error), "{uri:?}");
        }
    }
}
