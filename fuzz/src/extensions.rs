//! `Sec-WebSocket-Extensions`: a second reader of its grammar, and what each side makes of a value.

use bytes::BytesMut;
use sockless::Config;
use sockless::deflate::{NAME, Offer, Params, Policy};
use sockless::handshake::{
    self, Accept, Answer, Asked, Client, RequestError, ResponseError, Server, Target,
};
use std::sync::Arc;

/// An extension by its name, and its parameters in order.
pub type Extension = (String, Vec<(String, Option<String>)>);

enum Token {
    Word(String),
    Quoted(String),
    Mark(u8),
}

/// RFC 6455 section 9.1 in its plainest form: `1#( token *( ";" token [ "=" value ] ) )`.
pub fn read(value: &[u8]) -> Option<Vec<Extension>> {
    let tokens = tokens(value)?;
    let mut list = Vec::new();
    let mut empty = 0;
    for element in tokens.split(|token| matches!(token, Token::Mark(b','))) {
        let mut element = element.iter();
        let Some(first) = element.next() else {
            empty += 1;
            continue;
        };
        let Token::Word(name) = first else { return None };
        let mut params: Vec<(String, Option<String>)> = Vec::new();
        while let Some(mark) = element.next() {
            match (mark, element.next()?) {
                (Token::Mark(b';'), Token::Word(name)) => params.push((name.clone(), None)),
                (Token::Mark(b'='), Token::Word(value) | Token::Quoted(value)) => {
                    let last = params.last_mut().filter(|(_, value)| value.is_none())?;
                    last.1 = Some(value.clone());
                }
                _ => return None,
            }
        }
        list.push((name.clone(), params));
    }
    (!list.is_empty() && list.len() <= 64 && empty <= 16).then_some(list)
}

fn tokens(mut value: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    while let [first, rest @ ..] = value {
        value = rest;
        match first {
            b' ' | b'\t' => {}
            b',' | b';' | b'=' => tokens.push(Token::Mark(*first)),
            b'"' => {
                let mut text = String::new();
                loop {
                    let (mut byte, mut rest) = value.split_first()?;
                    if *byte == b'"' {
                        value = rest;
                        break;
                    }
                    if *byte == b'\\' {
                        (byte, rest) = rest.split_first()?;
                    }
                    text.push(is_token(*byte).then_some(char::from(*byte))?);
                    value = rest;
                }
                tokens.push((!text.is_empty()).then_some(Token::Quoted(text))?);
            }
            _ => {
                let mut text = String::from(is_token(*first).then_some(char::from(*first))?);
                while let [next, rest @ ..] = value
                    && is_token(*next)
                {
                    text.push(char::from(*next));
                    value = rest;
                }
                tokens.push(Token::Word(text));
            }
        }
    }
    Some(tokens)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The same again, as text.
pub fn print(list: &[Extension]) -> String {
    let mut text = String::new();
    for (name, params) in list {
        text += if text.is_empty() { name } else { ", " };
        text += if text.ends_with(", ") { name } else { "" };
        for (name, value) in params {
            text += &format!("; {name}");
            text += &value.as_ref().map(|value| format!("=\"{value}\"")).unwrap_or_default();
        }
    }
    text
}

/// What a server reads in field lines of these values, and what it agrees to; `None` if it refuses
/// them.
pub fn serve(policy: Policy, lines: &[&[u8]]) -> Option<(Vec<Extension>, Option<Params>)> {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        .to_vec();
    fields(&mut head, lines);
    let mut config = Config::default();
    config.deflate = Some(policy);
    let mut server = Server::new(Arc::new(config));
    let mut out = BytesMut::new();
    let request = match server.receive(&mut &mut head[..], &mut out) {
        Some(Asked::Upgrade(request)) => request,
        Some(Asked::Refused(RequestError::Extensions)) => return None,
        other => panic!("{other:?}"),
    };
    let list = request.extensions().map(owned).collect();
    let Ok((_, agreed)) = server.accept(Accept::new(&request), &mut out) else {
        panic!("no origin, no refusal")
    };
    let answer = agreed.deflate.map(|params| format!("\r\nSec-WebSocket-Extensions: {params}\r\n"));
    let text = String::from_utf8(out.to_vec()).expect("a head is ASCII");
    assert_eq!(text.contains("Extensions"), answer.is_some());
    assert!(text.contains(&answer.unwrap_or_default()));
    Some((list, agreed.deflate))
}

/// What a client agrees to that is answered so, or why it does not.
pub fn ask(policy: Policy, lines: &[&[u8]]) -> Result<Option<Params>, ResponseError> {
    let target = Target::parse("ws://h/").expect("a literal");
    let mut config = Config::default();
    config.deflate = Some(policy);
    let mut out = BytesMut::new();
    let offer = handshake::Offer::new(&target);
    let mut client = Client::start(Arc::new(config), crate::keys(), &offer, &mut out);
    let text = String::from_utf8(out.to_vec()).expect("a head is ASCII");
    assert!(text.contains(&format!("\r\nSec-WebSocket-Extensions: {}\r\n", policy.offer())));
    let key = text.split_once("Sec-WebSocket-Key: ").expect("a key").1.as_bytes();
    let accept = handshake::key::accept(&key[..24]);
    let mut head = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: "
        .to_vec();
    head.extend_from_slice(&accept);
    head.extend_from_slice(b"\r\n");
    fields(&mut head, lines);
    match client.receive(&mut &mut head[..]) {
        Some(Answer::Open { agreed, .. }) => Ok(agreed.deflate),
        Some(Answer::Failed(error)) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// What ought to be agreed to of an offer of `list`: the first that is well-formed, of sixteen.
pub fn chosen(list: &[Extension]) -> Option<Offer> {
    let mut offers = list.iter().filter(|(name, _)| name == NAME).take(16);
    offers.find_map(|(_, params)| Offer::parse(pairs(params)).ok())
}

pub fn pairs(params: &[(String, Option<String>)]) -> impl Iterator<Item = (&str, Option<&str>)> {
    params.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
}

fn owned(extension: handshake::Extension<'_>) -> Extension {
    let params = extension.params.map(|(name, value)| (name.into(), value.map(Into::into)));
    (extension.name.into(), params.collect())
}

fn fields(head: &mut Vec<u8>, lines: &[&[u8]]) {
    for line in lines {
        head.extend_from_slice(b"Sec-WebSocket-Extensions: ");
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}
