//! RFC 3986 section 3.2, as far as HTTP takes it: `host [":" port]`.
//!
//! No user information: RFC 9110 section 4.2.4 has recipients treat it as an error. A host is
//! compared as text: nothing is resolved, decoded or looked up.
//!
//! Invariant: `host` is not empty, is ASCII, and has brackets exactly if it is an IPv6 address.

use super::class::{decimal, is_name_byte};
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
        let (len, port) = split(text)?;
        Some(Self { host: core::str::from_utf8(text.get(..len)?).ok()?, port })
    }

    /// Whether both name the same host and port, `default` being the port of one without.
    pub(super) fn is_same(self, other: Authority<'_>, default: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.or(default) == other.port.or(default)
    }
}

/// Whether `text` is one.
pub(super) fn is_authority(text: &[u8]) -> bool {
    split(text).is_some()
}

/// How long the host is, and the port.
fn split(text: &[u8]) -> Option<(usize, Option<u16>)> {
    let len = if text.starts_with(b"[") {
        let end = text.iter().position(|&byte| byte == b']')?;
        let address = core::str::from_utf8(text.get(1..end)?).ok()?;
        address.parse::<Ipv6Addr>().ok()?;
        end.saturating_add(1)
    } else {
        name_len(text)
    };
    match text.get(len..)? {
        _ if len == 0 => None,
        [] | [b':'] => Some((len, None)),
        [b':', digits @ ..] => Some((len, Some(decimal(digits)?))),
        _ => None,
    }
}

/// The default port of a scheme, compared without case.
pub(super) fn default_port(scheme: &[u8]) -> Option<u16> {
    const PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];
    PORTS
        .iter()
        .find(|(name, _)| scheme.eq_ignore_ascii_case(name.as_bytes()))
        .map(|&(_, port)| port)
}

/// How long the `reg-name` (RFC 3986 section 3.2.2) at the start is.
fn name_len(text: &[u8]) -> usize {
    let mut len = 0;
    loop {
        let rest = text.get(len..).unwrap_or_default();
        let clean = rest.iter().position(|&byte| !is_name_byte(byte)).unwrap_or(rest.len());
        len = len.saturating_add(clean);
        match text.get(len..) {
            Some([b'%', a, b, ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                len = len.saturating_add(3);
            }
            _ => return len,
        }
    }
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
            ("%20ab%20%41:1", Some(("%20ab%20%41", Some(1)))),
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
            ("a%2z", None),
            ("a%z2", None),
            ("é", None),
        ] {
            let parsed = Authority::parse(text.as_bytes());
            assert_eq!(parsed.map(|found| (found.host, found.port)), wanted, "{text}");
        }
    }

    #[test]
    fn default_ports_are_left_out_or_not() {
        let parse = |text: &'static str| Authority::parse(text.as_bytes()).unwrap();
        assert!(parse("A.b").is_same(parse("a.B:443"), Some(443)));
        assert!(!parse("a.b").is_same(parse("a.b:443"), Some(80)));
        assert!(!parse("a.b").is_same(parse("a.b:0"), None));
        assert!(!parse("a.b").is_same(parse("a.b.c"), Some(80)));
        assert_eq!(default_port(b"HTTPS"), Some(443));
        assert_eq!(default_port(b"ftp"), None);
    }
}
