//! RFC 3986 section 3.2, as far as HTTP takes it: `host [":" port]`.
//!
//! No user information: RFC 9110 section 4.2.4 has recipients treat it as an error. A host is
//! compared as text: nothing is resolved, decoded or looked up.
//!
//! Invariant: `host` is not empty, is ASCII, and has brackets exactly if it is an IPv6 address.

use core::net::Ipv6Addr;

/// A host, and a port unless it was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses all of `text`.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        let end = if text.starts_with('[') {
            text.find(']')? + 1
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (host, port) = text.split_at_checked(end)?;
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match address {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_name(host.as_bytes()),
        };
        let port = match (port, port.strip_prefix(':')) {
            ("", _) | (_, Some("")) => None,
            (_, digits) => Some(parse_port(digits?)?),
        };
        is_host.then_some(Self { host, port })
    }

    /// Whether both name the same host and port, `default` being the port of one without.
    pub(super) fn is_same(self, other: Authority<'_>, default: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

/// The default port of a scheme, compared without case.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    const PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];
    PORTS.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|&(_, port)| port)
}

/// `reg-name` (RFC 3986 section 3.2.2) without the comma, which would make one Host of a list.
fn is_name(mut text: &[u8]) -> bool {
    let mut is_empty = true;
    loop {
        text = match text {
            [] => return !is_empty,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [first, rest @ ..] if first.is_ascii_alphanumeric() => rest,
            [first, rest @ ..] if b"-._~!$&'()*+;=".contains(first) => rest,
            _ => return false,
        };
        is_empty = false;
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Authority, default_port};

    // req: H-22, H-23, W3-02
    #[test]
    fn authorities() {
        for (text, wanted) in [
            ("a", Some(("a", None))),
            ("A.example-1_x~", Some(("A.example-1_x~", None))),
            ("a:80", Some(("a", Some(80)))),
            ("a:", Some(("a", None))),
            ("a:0", Some(("a", Some(0)))),
            ("a:65535", Some(("a", Some(65535)))),
            ("a:000080", Some(("a", Some(80)))),
            ("127.0.0.1:9", Some(("127.0.0.1", Some(9)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:80", Some(("[::1]", Some(80)))),
            ("[::ffff:1.2.3.4]:", Some(("[::ffff:1.2.3.4]", None))),
            ("a%20b", Some(("a%20b", None))),
            ("", None),
            (":80", None),
            ("a:65536", None),
            ("a:99999999999999999999", None),
            ("a:-1", None),
            ("a:+1", None),
            ("a:8x", None),
            ("a:x", None),
            ("a:80:80", None),
            ("::1", None),
            ("[::1", None),
            ("[]", None),
            ("[::1]x", None),
            ("[::1]80", None),
            ("[::1%25eth0]", None),
            ("[v1.a]", None),
            ("[1.2.3.4]", None),
            ("a]", None),
            ("a,b", None),
            ("a b", None),
            ("a/b", None),
            ("a\\b", None),
            ("a?b", None),
            ("a#b", None),
            ("u@a", None),
            ("a%2", None),
            ("a%zz", None),
            ("é", None),
        ] {
            let parsed = Authority::parse(text.as_bytes());
            assert_eq!(parsed.map(|found| (found.host, found.port)), wanted, "{text}");
        }
    }

    #[test]
    fn default_ports_are_left_out_or_not() {
        let parse = |text: &'static str| Authority::parse(text.as_bytes()).unwrap();
        assert!(parse("A.b").is_same(parse("a.B:443"), 443));
        assert!(!parse("a.b").is_same(parse("a.b:443"), 80));
        assert!(!parse("a.b").is_same(parse("a.b.c"), 80));
        assert_eq!(default_port("HTTPS"), Some(443));
        assert_eq!(default_port("ftp"), None);
    }
}
