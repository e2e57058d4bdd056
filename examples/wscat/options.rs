//! The command line, and what it makes of the configuration and of the offer.

use crate::deflate::{self, Deflate};
use crate::farewell::{Farewell, farewell};
use crate::proxy::Proxy;
use sockless::handshake::{FieldError, Offer, Target};
use sockless::{Config, Role};
use std::sync::Arc;
use std::time::Duration;

const HELP: &str = "\
usage: wscat ws://HOST[:PORT]/PATH [options]

Sends each line of standard input as a text message and prints the messages that
come. The end of the input (Ctrl-D) closes the connection.

  --protocol P        offer the subprotocol P (may be given again, best first)
  --header 'N: V'     add a field to the request (may be given again)
  --close CODE[:REASON]  close with this instead of 1000 and nothing
  --ping-interval S   ping the server every S seconds (1.5 is a number)
  --ping-timeout S    give up when a ping is not answered in S seconds (20)
  --proxy URL         go through this HTTP proxy: http://HOST[:PORT]
  --proxy-header 'N: V'  add a field to what it is asked (may be given again)
  --help              print this
";

const STATUS: &str = "
exit status:
  0  closed cleanly, with code 1000, 1001 or none
  1  usage, or a URL that is none
  2  could not connect; wss:// is not supported
  3  the server refused the handshake, or did not answer it rightly or in time
  4  the connection was lost, timed out, broke the protocol or closed with another code
";

/// The exit status, and why.
pub(crate) struct Failure(pub(crate) u8, pub(crate) String);

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) url: String,
    protocols: Vec<String>,
    fields: Vec<(String, String)>,
    ping_interval: Option<Duration>,
    ping_timeout: Option<Duration>,
    /// How to close at the end of the input.
    pub(crate) farewell: Option<Farewell>,
    pub(crate) proxy: Option<Proxy>,
    deflate: Deflate,
}

impl Options {
    /// `None` if only help was wanted.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let wrong = |why: &str| Failure(1, format!("{why}\n\n{HELP}{}{STATUS}", deflate::HELP));
        let seconds = |text: String| {
            let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
            seconds.filter(|s| !s.is_zero()).ok_or_else(|| wrong("not a number of seconds"))
        };
        let field = |text: String| match text.split_once(':') {
            Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
            None => Err(wrong("a header is 'Name: value'")),
        };
        let (mut options, mut proxy_fields) = (Self::default(), Vec::new());
        while let Some(arg) = args.next() {
            if options.deflate.take(&arg, || args.next()).map_err(|why| wrong(&why))? {
                continue;
            }
            let mut value = || args.next().ok_or_else(|| wrong(&format!("{arg} wants a value")));
            match &*arg {
                "--help" => {
                    print!("{HELP}{}{STATUS}", deflate::HELP);
                    return Ok(None);
                }
                "--protocol" => options.protocols.push(value()?),
                "--header" => options.fields.push(field(value()?)?),
                "--proxy" => {
                    let address = Proxy::parse(&value()?);
                    let address = address.ok_or_else(|| wrong("a proxy is http://HOST[:PORT]"))?;
                    options.proxy = Some(Proxy { address, fields: Vec::new() });
                }
                "--close" => {
                    let found = farewell(&value()?);
                    options.farewell = Some(found.ok_or_else(|| wrong("a Close is CODE:REASON"))?);
                }
                "--proxy-header" => proxy_fields.push(field(value()?)?),
                "--ping-interval" => options.ping_interval = Some(seconds(value()?)?),
                "--ping-timeout" => options.ping_timeout = Some(seconds(value()?)?),
                _ if arg.starts_with('-') => return Err(wrong(&format!("what is {arg}?"))),
                _ if options.url.is_empty() => options.url = arg,
                _ => return Err(wrong("one URL is enough")),
            }
        }
        if options.url.is_empty() {
            return Err(wrong("which URL?"));
        }
        if options.ping_timeout.is_some() && options.ping_interval.is_none() {
            return Err(wrong("--ping-timeout wants --ping-interval"));
        }
        match &mut options.proxy {
            Some(proxy) => proxy.fields = proxy_fields,
            None if proxy_fields.is_empty() => {}
            None => return Err(wrong("--proxy-header wants --proxy")),
        }
        Ok(Some(options))
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        let mut config = Config::default();
        config.max_message = 64 << 20;
        config.max_frame = config.max_message;
        config.ping_interval = self.ping_interval;
        config.pong_timeout = self.ping_timeout.or(config.pong_timeout);
        self.deflate.configure(&mut config, Role::Client);
        Arc::new(config)
    }

    pub(crate) fn offer<'t>(&self, target: &'t Target) -> Result<Offer<'t>, FieldError> {
        let mut offer = Offer::new(target);
        for protocol in &self.protocols {
            offer = offer.subprotocol(protocol)?;
        }
        for (name, value) in &self.fields {
            let is_origin = name.eq_ignore_ascii_case("Origin");
            offer = if is_origin { offer.origin(value)? } else { offer.field(name, value)? };
        }
        Ok(offer)
    }
}
