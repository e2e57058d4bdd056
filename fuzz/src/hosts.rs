//! The same heads where a host has parsed them.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, Uri, Version};
use sockless::Config;
use sockless::handshake::{
    Accept, Agreed, Answer, Asked, Asking, Client, Offer, PseudoHeaders, Request, Server, Target,
};
use std::sync::Arc;

/// A verdict: what is read and what is agreed, where the head opens a connection.
type Verdict = Option<(String, Agreed)>;

/// What an application sees of a request, but for how it came.
fn described(request: &Request<'_>) -> String {
    let request = request.clone().into_owned();
    let subprotocols: Vec<_> = request.subprotocols().collect();
    let protocols = request.field("sec-websocket-protocol");
    assert_eq!(subprotocols.is_empty(), protocols.is_none());
    format!(
        "{} {:?} {} {} {:?} {subprotocols:?}",
        request.path(),
        request.query(),
        request.authority(),
        request.host(),
        request.origin(),
    )
}

/// The head that another parser has read, which is lenient with line ends and whitespace.
fn written(line: &str, fields: &[httparse::Header<'_>]) -> Vec<u8> {
    let mut head = format!("{line}\r\n").into_bytes();
    for field in fields {
        head.extend_from_slice(&[field.name.as_bytes(), b": ", field.value, b"\r\n"].concat());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// What a server makes of a request as bytes, as values of crate `http`, and as the extended
/// CONNECT that asks for the same; `None` if there is no saying that in values.
pub fn served(config: &Arc<Config>, whole: &[u8]) -> Option<[Verdict; 3]> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut headers);
    if !parsed.parse(whole).is_ok_and(|parsed| parsed.is_complete()) {
        return None;
    }
    let target = parsed.path?;
    let mut request = http::Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    // What the type writes otherwise than it was read is another target.
    *request.uri_mut() = target.parse().ok().filter(|uri: &Uri| *uri.to_string() == *target)?;
    *request.version_mut() =
        if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    let line =
        [parsed.method?, target, if parsed.version == Some(1) { "HTTP/1.1" } else { "HTTP/1.0" }];
    let (mut head, mut out) = (written(&line.join(" "), parsed.headers), BytesMut::new());
    let mut server = Server::new(Arc::clone(config));
    let as_bytes = match server.receive(&mut &mut head[..], &mut out) {
        Some(Asked::Upgrade(request)) => {
            let opened = server.accept(Accept::new(&request).prefer(&["a", "chat"]), &mut out);
            opened.ok().map(|(_, agreed)| (described(&request), agreed))
        }
        _ => None,
    };
    let respond = |request: &Request<'_>| {
        let accept = Accept::new(request).prefer(&["a", "chat"]);
        accept.respond(Arc::clone(config)).ok().map(|(_, _, agreed)| (described(request), agreed))
    };
    let as_values = Request::from_http(&request, None, config).ok();
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let pseudo = PseudoHeaders {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some(request.uri().scheme_str().unwrap_or("http")),
        authority: request.uri().authority().map(|authority| authority.as_str()).or(host),
        path: request.uri().path_and_query().map(|path| path.as_str()),
    };
    // Without what HTTP/2 does not have (RFC 9113 section 8.2.2).
    let fields = request.headers().iter().filter(|(name, value)| match name.as_str() {
        "host" | "upgrade" | "connection" | "keep-alive" | "proxy-connection" => false,
        "te" => *value == "trailers",
        _ => true,
    });
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let extended = Request::extended(pseudo, fields, config).ok();
    Some([
        as_bytes,
        as_values.and_then(|request| respond(&request)),
        extended.and_then(|request| respond(&request)),
    ])
}

/// What a client makes of an answer as bytes, and of the values that a host has of it.
pub fn asked(config: &Arc<Config>, whole: &[u8]) -> Option<[Option<Agreed>; 2]> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut headers);
    if !parsed.parse(whole).is_ok_and(|parsed| parsed.is_complete()) {
        return None;
    }
    // Interim responses are the host's business, and so is an older version.
    let status = parsed.code.filter(|code| parsed.version == Some(1) && *code > 100)?;
    let target = Target::parse("ws://server.example/chat").expect("a literal");
    let offer = Offer::new(&target).subprotocol("chat").expect("a token");
    // Nor does a host have a reason phrase to hand on.
    let line = format!("HTTP/1.1 {status} ");
    let (mut head, mut out) = (written(&line, parsed.headers), BytesMut::new());
    let mut client = Client::start(Arc::clone(config), crate::keys(), &offer, &mut out);
    let as_bytes = match client.receive(&mut &mut head[..]) {
        Some(Answer::Open { agreed, .. }) => Some(agreed),
        Some(Answer::Failed(error)) => {
            crate::logged(&error);
            None
        }
        _ => None,
    };
    let (asking, _) = Asking::upgrade(Arc::clone(config), crate::keys(), &offer).expect("a host");
    let fields = parsed.headers.iter().map(|field| (field.name, field.value));
    let as_values = asking.receive(status, fields);
    Some([as_bytes, as_values.ok().flatten().map(|(_, agreed)| agreed)])
}
