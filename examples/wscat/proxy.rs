//! The way through an HTTP proxy: CONNECT asks it for a tunnel (RFC 9110 section 9.3.6), and what
//! goes on there is as it would be without.

use crate::options::Failure;
use crate::{Opening, harmless};
use bytes::BytesMut;
use sockless::handshake::{Target, Tunnel, Tunneled};
use std::io::Write;

/// A proxy, as `--proxy` and `--proxy-header` name it.
#[derive(Default)]
pub(crate) struct Proxy {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Proxy {
    /// Host and port of `http://HOST[:PORT]`.
    pub(crate) fn parse(url: &str) -> Option<String> {
        let authority = url.strip_prefix("http://")?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let known = |text: &str| !text.is_empty() && !text.contains(['/', '@', '?', '#', ' ']);
        let host = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        known(authority).then(|| match host {
            Some(_) => authority.to_owned(),
            None => format!("{authority}:80"),
        })
    }

    /// Asks for the tunnel. The socket leads to the target then.
    pub(crate) fn tunnel(&self, target: &Target, opening: &mut Opening) -> Result<(), Failure> {
        let failed = |why: String| Failure(2, format!("proxy {}: {why}", self.address));
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        let mut out = BytesMut::new();
        let mut tunnel = Tunnel::start(opening.config.clone(), target, &fields, &mut out)
            .map_err(|error| Failure(1, format!("--proxy-header: {error}")))?;
        opening.socket.write_all(&out).map_err(|error| failed(error.to_string()))?;
        loop {
            let mut input = opening.read()?;
            match tunnel.receive(&mut input) {
                None => {}
                // A server says nothing before it is asked.
                Some(Tunneled::Open(_)) if input.is_empty() => return Ok(()),
                Some(Tunneled::Open(_)) => return Err(failed("it speaks out of turn".into())),
                Some(Tunneled::Refused(response)) => {
                    let reason = String::from_utf8_lossy(response.reason());
                    return Err(failed(format!("{} {}", response.status(), harmless(&reason))));
                }
                Some(Tunneled::Failed(error)) => return Err(failed(error.to_string())),
                Some(_) => return Err(failed("an answer of a kind not known here".into())),
            }
        }
    }
}
