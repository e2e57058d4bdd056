//! RFC 6455 section 4 in the types of crate `http`: for hyper, axum, h2 and whatever shares them.
//!
//! It converts and decides nothing. A request of HTTP/1 becomes the head that it was; one of
//! HTTP/2 or HTTP/3, pseudo-header fields. What takes the connection over afterwards (an upgrade,
//! a stream) is the host's.
//!
//! Invariant: what was received as bytes and what was parsed by a host meet the same verdict, as
//! far as the host's types keep what was received (a `#` in a target ends it there).

use super::accept::Agreed;
use super::asking::Asking;
use super::client::draw_key;
use super::error::ResponseError;
use super::facts::RequestFacts;
use super::offer::Offer;
use super::parts::{Lowered, PseudoHeaders, RequestParts, ResponseParts};
use super::refusal::Refusal;
use super::request::Request;
use super::terms::Terms;
use super::written::Written;
use crate::config::Config;
use crate::connection::Connection;
use crate::keys::Keys;
use ::http::header::MaxSizeReached;
use ::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use alloc::borrow::Cow;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};

impl Request<'static> {
    /// The request that `request` makes: to upgrade its connection, or an extended CONNECT of
    /// HTTP/2 or HTTP/3, whose `:protocol` is an extension type of whatever parsed it: `protocol`
    /// is what that says. In HTTP/1.1 there is none.
    ///
    /// Lines of several fields of one name stay in their order. The limits are those of a head that
    /// came as bytes, beside the host's own.
    ///
    /// ```
    /// use http::Request;
    /// use sockless::{Config, handshake::{self, Accept}};
    ///
    /// fn answer(request: &Request<()>) -> http::Response<bytes::Bytes> {
    ///     let config = std::sync::Arc::new(Config::default());
    ///     let asked = match handshake::Request::from_http(request, None, &config) {
    ///         Ok(asked) => asked,
    ///         Err(refusal) => return refusal.respond().into(),
    ///     };
    ///     match Accept::new(&asked).prefer(&["chat"]).respond(config) {
    ///         // The connection goes to a task that waits for the upgrade.
    ///         Ok((response, _connection, _agreed)) => response.into(),
    ///         Err(refusal) => refusal.respond().into(),
    ///     }
    /// }
    ///
    /// let request = Request::get("/chat").header("host", "server.example.com");
    /// let response = answer(&request.body(()).expect("a request"));
    /// assert_eq!(response.status(), 426);
    /// assert_eq!(response.headers()["upgrade"], "websocket");
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`], which has the response.
    pub fn from_http<B>(
        request: &::http::Request<B>,
        protocol: Option<&str>,
        config: &Config,
    ) -> Result<Self, Refusal> {
        let version = match request.version() {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_11 => "HTTP/1.1",
            _ => {
                let uri = request.uri();
                let pseudo = PseudoHeaders {
                    method: request.method().as_str(),
                    protocol,
                    scheme: uri.scheme_str(),
                    authority: uri.authority().map(Authority::as_str),
                    path: uri.path_and_query().map(PathAndQuery::as_str),
                };
                return Self::extended(pseudo, fields(request.headers()), config);
            }
        };
        // In its parts, as `Display` writes it: what is too long is not put together first.
        let uri = request.uri();
        let (scheme, colon) = uri.scheme_str().map_or(("", ""), |scheme| (scheme, "://"));
        let authority = uri.authority().map_or("", Authority::as_str);
        let (mark, query) = uri.query().map_or(("", ""), |query| ("?", query));
        let target = [scheme, colon, authority, uri.path(), mark, query].map(str::as_bytes);
        let method = request.method().as_str().as_bytes();
        let mut written = Written::start(config, &[&[method], &target, &[version.as_bytes()]]);
        for (name, value) in fields(request.headers()) {
            written.field(name.as_bytes(), value);
        }
        let mut facts = RequestFacts::default();
        let head = written.read(config, &mut facts).and_then(|head| {
            facts.judge(&head, false)?;
            Ok(head)
        });
        match head {
            Ok(head) => Ok(Self::new(Cow::Owned(head), facts)),
            Err(error) => Err(Refusal::of_upgrade(request.method().as_str(), error)),
        }
    }
}

impl Asking {
    /// A request to upgrade a connection of HTTP/1.1 for what `offer` asks for, to be sent as it
    /// is: its target is in origin-form, unless it goes through a proxy, and it has a Host.
    ///
    /// ```
    /// use sockless::{Config, Keys, handshake::{Asking, Offer, Target}};
    /// let keys = Keys::new(|key| *key = [0; 4]); // in earnest: `Keys::system()`
    /// let target = Target::parse("ws://server.example.com/chat").expect("a literal");
    /// let config = std::sync::Arc::new(Config::default());
    /// let (asking, request) = Asking::upgrade(config, keys, &Offer::new(&target))?;
    /// assert_eq!(request.uri(), "/chat");
    /// assert_eq!(request.headers()["host"], "server.example.com");
    /// let response = http::Response::builder()
    ///     .status(101)
    ///     .header("upgrade", "websocket")
    ///     .header("connection", "upgrade")
    ///     .header("sec-websocket-accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=")
    ///     .body(())
    ///     .expect("a response");
    /// assert!(asking.receive_http(&response)?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where `http` takes less for a URI than RFC 3986 does: a host that is percent-encoded, in the
    /// absolute-form that a proxy wants; more than 65,534 bytes. Where `offer` has more fields than
    /// a [`HeaderMap`] holds: 24,576 names.
    pub fn upgrade(
        config: Arc<Config>,
        keys: Keys,
        offer: &Offer<'_>,
    ) -> Result<(Self, ::http::Request<()>), ::http::Error> {
        let key = draw_key(keys);
        let mut head = BytesMut::new();
        offer.write(&key, &config, &mut head);
        let mut request = ::http::Request::new(());
        let target = head[..].split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        *request.uri_mut() = target.try_into()?;
        append(request.headers_mut(), &Lowered::of_head(&head))?;
        Ok((Self::new(config, keys, Terms::of_upgrade(offer, &key)), request))
    }

    /// [`receive`](Self::receive) of a response as a host has it.
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    pub fn receive_http<B>(
        self,
        response: &::http::Response<B>,
    ) -> Result<Option<(Connection, Agreed)>, ResponseError> {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS && response.version() < Version::HTTP_11 {
            return Err(ResponseError::VersionTooOld);
        }
        self.receive(status.as_u16(), fields(response.headers()))
    }
}

impl From<ResponseParts> for ::http::Response<Bytes> {
    /// Of more fields than a [`HeaderMap`] holds, 24,576 names, the first ones.
    fn from(parts: ResponseParts) -> Self {
        let mut response = Self::new(parts.body.into());
        let status = StatusCode::from_u16(parts.status);
        debug_assert!(status.is_ok(), "100 to 599");
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let _ = append(response.headers_mut(), &parts.lines);
        response
    }
}

impl TryFrom<RequestParts> for ::http::Request<()> {
    type Error = ::http::Error;

    /// `:protocol` is left to the host: it goes into the extensions, as a type of its own.
    ///
    /// # Errors
    /// Where `http` takes less for a URI than RFC 3986 does: a host that is percent-encoded, a path
    /// and query of more than 65,534 bytes. Where there are more fields than a [`HeaderMap`] holds:
    /// 24,576 names.
    fn try_from(parts: RequestParts) -> Result<Self, ::http::Error> {
        let mut request = Self::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        // By itself the part is not asked how long it is, in all versions of `http` but the latest.
        let mut uri = Uri::try_from(parts.path)?.into_parts();
        uri.scheme = Some(Scheme::try_from(parts.scheme).unwrap_or(Scheme::HTTPS));
        uri.authority = Some(Authority::try_from(parts.authority)?);
        *request.uri_mut() = Uri::from_parts(uri)?;
        append(request.headers_mut(), &parts.lines)?;
        Ok(request)
    }
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// Both sides ask the same of names and values, so nothing is left out but what comes after the
/// last name that the map holds.
fn append(headers: &mut HeaderMap, lines: &Lowered) -> Result<(), MaxSizeReached> {
    for (name, value) in lines.fields() {
        let field = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value));
        debug_assert!(field.0.is_ok() && field.1.is_ok(), "tokens, and no controls");
        if let (Ok(name), Ok(value)) = field {
            headers.try_append(name, value)?;
        }
    }
    Ok(())
}
