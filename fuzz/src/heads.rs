//! Heads of both handshakes, read by the crate and by another parser.

use crate::{Choices, logged};
use bytes::BytesMut;
use sockless::Config;
use sockless::handshake::{
    Accept, Answer, Asked, Client, Fields, Offer, RequestError, Response, ResponseError, Server,
    Target,
};
use std::sync::Arc;

/// Limits of a head, of its lines and fields, drawn so low that they run out.
pub fn limit(config: &mut Config, choices: &mut Choices<'_>) {
    config.max_head = choices.short() % 1024;
    config.max_line = choices.short() % 512;
    config.max_fields = u16::from(choices.byte() % 16);
}

/// How the reading of a head has ended, where limits are concerned.
#[derive(Clone, Copy)]
enum Ended {
    Waits,
    Taken,
    TooLarge,
    TooLong,
    /// The start line is too long, or too large for a whole head.
    StartTooLong,
    TooMany,
    Otherwise,
}

/// A head that is refused for a limit exceeds it; one that is taken, or may yet be, exceeds none.
fn check_limits(config: &Config, head: &[u8], ended: Ended) {
    let text: String = head.iter().copied().map(char::from).collect();
    // A CR may stand behind the longest line, though its LF has not come.
    let lines = text.strip_suffix('\r').unwrap_or(&text).split("\r\n");
    let lines: Vec<_> = lines.map(|line| line.chars().count()).collect();
    let too_large = head.len() > config.max_head;
    let too_long = lines.iter().any(|size| *size > config.max_line);
    // An empty line may come before the start line.
    let before = if lines.first() == Some(&0) { 2 } else { 0 };
    let start = lines.iter().find(|size| **size > 0).map_or(head.len(), |size| before + size + 2);
    let most = 1 + usize::from(config.max_fields);
    let too_many = lines.split(|size| *size == 0).any(|lines| lines.len() > most);
    assert!(match ended {
        Ended::Waits => !too_large && !too_long,
        Ended::Taken => !too_large && !too_long && !too_many,
        Ended::TooLarge => too_large,
        Ended::TooLong => too_long,
        Ended::StartTooLong => too_long || start > config.max_head,
        Ended::TooMany => too_many,
        Ended::Otherwise => true,
    });
}

/// What a server says to `whole`, fed in `pieces`: the outcome, its output, and what it leaves.
pub fn serve(
    config: &Arc<Config>,
    whole: &[u8],
    pieces: &[&[u8]],
    plain: bool,
) -> (String, Vec<u8>, Vec<u8>) {
    let mut server = Server::new(Arc::clone(config));
    if plain {
        server = server.with_plain_requests();
    }
    let (mut out, mut left, mut outcome) = (BytesMut::new(), Vec::new(), String::new());
    let (mut owned, mut ended) = (None, Ended::Waits);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(asked) = server.receive(&mut input, &mut out) {
            assert!(outcome.is_empty(), "a second verdict");
            ended = Ended::Taken;
            match asked {
                Asked::Upgrade(request) => {
                    let fields = request_fields(whole, &[1], request.path(), request.fields());
                    outcome = format!("upgrade {fields}");
                    owned = Some(request.into_owned());
                }
                Asked::Plain(request) => {
                    // Only these may come from HTTP/1.0, which knows no Upgrade.
                    let fields = request_fields(whole, &[0, 1], request.path(), request.fields());
                    outcome = format!("plain {fields}");
                }
                Asked::Refused(error) => {
                    ended = match error {
                        RequestError::HeadTooLarge => Ended::TooLarge,
                        RequestError::TargetTooLong => Ended::StartTooLong,
                        RequestError::FieldTooLong => Ended::TooLong,
                        RequestError::TooManyFields => Ended::TooMany,
                        _ => Ended::Otherwise,
                    };
                    let body = format!("\r\n\r\n{}\n", logged(&error));
                    assert!(out.ends_with(body.as_bytes()) || out.ends_with(b"\r\n\r\n"));
                    outcome = format!("{error:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!outcome.is_empty() || input.is_empty());
        left.extend_from_slice(input);
    }
    check_limits(config, &whole[..whole.len() - left.len()], ended);
    if let Some(request) = owned {
        let opened = server.accept(Accept::new(&request).prefer(&["a", "chat"]), &mut out);
        outcome += &format!(" {:?}", opened.map(|(_, agreed)| agreed));
    }
    (outcome, out.to_vec(), left)
}

/// What a client makes of `whole`, fed in `pieces`: the outcome, and what it leaves.
pub fn ask(config: &Arc<Config>, whole: &[u8], pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let target = Target::parse("ws://server.example/chat").expect("a literal");
    let offer = Offer::new(&target).subprotocol("chat").expect("a token");
    let mut request = BytesMut::new();
    let mut client = Client::start(Arc::clone(config), crate::keys(), &offer, &mut request);
    let (mut left, mut outcome, mut ended) = (Vec::new(), String::new(), Ended::Waits);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(answer) = client.receive(&mut input) {
            assert!(outcome.is_empty(), "a second verdict");
            ended = Ended::Taken;
            outcome = match answer {
                Answer::Open { agreed, response, .. } => {
                    assert_eq!(response.status(), 101);
                    format!("open {agreed:?} {}", response_fields(whole, &response))
                }
                Answer::Refused(response) => {
                    format!("refused {}", response_fields(whole, &response))
                }
                Answer::Failed(error) => {
                    ended = match error {
                        ResponseError::HeadTooLarge => Ended::TooLarge,
                        ResponseError::LineTooLong => Ended::TooLong,
                        ResponseError::TooManyFields => Ended::TooMany,
                        _ => Ended::Otherwise,
                    };
                    logged(&error)
                }
                other => panic!("{other:?}"),
            };
        }
        assert!(!outcome.is_empty() || input.is_empty());
        left.extend_from_slice(input);
    }
    check_limits(config, &whole[..whole.len() - left.len()], ended);
    (outcome, left)
}

/// The fields, which are those that another parser finds.
fn request_fields(whole: &[u8], versions: &[u8], path: &str, fields: Fields<'_>) -> String {
    let whole = as_http_1_1(whole);
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut theirs = httparse::Request::new(&mut headers);
    assert!(theirs.parse(&whole).is_ok_and(|parsed| parsed.is_complete()), "refused elsewhere");
    assert_eq!(theirs.method, Some("GET"));
    assert!(theirs.version.is_some_and(|minor| versions.contains(&minor)));
    assert!(theirs.path.is_some_and(|target| target.contains(path) || path == "/"));
    let ours: Vec<_> = fields.collect();
    assert!(ours.iter().copied().eq(theirs.headers.iter().map(|field| (field.name, field.value))));
    format!("{path} {ours:?}")
}

/// The fields, which are those that another parser finds, after the interim responses.
fn response_fields(mut whole: &[u8], response: &Response<'_>) -> String {
    loop {
        let head = as_http_1_1(whole);
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut theirs = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(size)) = theirs.parse(&head) else {
            panic!("refused elsewhere")
        };
        if theirs.code.is_some_and(|code| code < 200 && code != 101) {
            whole = &whole[size..];
            continue;
        }
        assert_eq!(theirs.code, Some(response.status()));
        let ours: Vec<_> = response.fields().collect();
        let theirs = theirs.headers.iter().map(|field| (field.name, field.value));
        assert!(ours.iter().copied().eq(theirs));
        return format!("{} {:?} {ours:?}", response.status(), response.reason());
    }
}

/// A head whose HTTP/1.2 and above is HTTP/1.1, which it is to be read as (RFC 9110 section 2.5).
/// The parser that ours is compared with refuses it.
fn as_http_1_1(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    let start = head.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = head[start..].split_mut(|byte| *byte == b'\n').next().unwrap_or_default();
    // At the start of a status line, at the end of a request line, whose target may look like one.
    let at = if line.starts_with(b"HTTP/") { 0 } else { line.len().saturating_sub(9) };
    if let Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9']) =
        line.get_mut(at..at + 8)
    {
        *minor = b'1';
    }
    head
}
