//! `tungstenite` and an example, each as client and as server: what the matrix asks for.

use crate::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

const LIMIT: usize = 32 << 20;

/// Prints what came of an item.
fn item(name: &str, result: Result) {
    match result {
        Ok(()) => println!("{name}\tok"),
        Err(why) => println!("{name}\t{why}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Result {
    if found == wanted {
        return Ok(());
    }
    let mut text = format!("{found:?} instead of {wanted:?}");
    text.truncate(200);
    Err(text.into())
}

/// The next message or Close.
fn next<S: Read + Write>(socket: &mut WebSocket<S>) -> Result<Message> {
    loop {
        match socket.read()? {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return Ok(message),
        }
    }
}

fn trip<S: Read + Write>(socket: &mut WebSocket<S>, message: Message) -> Result {
    socket.send(message.clone())?;
    same(&next(socket)?, &message)
}

fn fragments<S: Read + Write>(socket: &mut WebSocket<S>) -> Result {
    let frame =
        |payload, data, fin| Message::Frame(Frame::message(payload, OpCode::Data(data), fin));
    socket.send(frame("gr", Data::Text, false))?;
    socket.send(frame("", Data::Continue, false))?;
    socket.send(Message::Ping("between".into()))?;
    socket.send(frame("üße", Data::Continue, true))?;
    same(&next(socket)?, &Message::text("grüße"))
}

fn talk<S: Read + Write>(socket: &mut WebSocket<S>) {
    item("text", trip(socket, Message::text("grüße 😀".repeat(20))));
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    item("binary", trip(socket, Message::binary(bytes.clone())));
    let empty =
        trip(socket, Message::text("")).and_then(|()| trip(socket, Message::binary(vec![])));
    item("empty", empty);
    let large: Vec<u8> = bytes.into_iter().cycle().take(16 << 20).collect();
    item("16 MiB", trip(socket, Message::binary(large)));
    item("fragments", fragments(socket));
    item("compression", Err("- has no compression".into()));
}

fn farewell(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason.to_owned().into() }
}

/// Closes, and is answered.
fn close<S: Read + Write>(socket: &mut WebSocket<S>) -> Result {
    let frame = farewell(3456, "das genügt");
    socket.close(Some(frame.clone()))?;
    same(&next(socket)?, &Message::Close(Some(frame)))
}

/// Is closed by the other side.
fn is_closed<S: Read + Write>(socket: &mut WebSocket<S>) -> Result {
    let frame = farewell(4321, "grüß Gott");
    let result = same(&next(socket)?, &Message::Close(Some(frame)));
    while socket.read().is_ok() {}
    result
}

fn connect(url: &str) -> Result<(WebSocket<impl Read + Write>, Option<String>)> {
    let mut request = url.into_client_request()?;
    request.headers_mut().append("Sec-WebSocket-Protocol", HeaderValue::from_static("b, a"));
    let config = crate::tungstenite::config(LIMIT);
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address)?;
    let (socket, response) = tungstenite::client::client_with_config(request, stream, config)?;
    let chosen = response.headers().get("Sec-WebSocket-Protocol");
    let chosen = chosen.and_then(|name| name.to_str().ok()).map(String::from);
    Ok((socket, chosen))
}

pub(crate) fn as_client(url: &str, closing: &str) -> Result {
    let (mut socket, chosen) = connect(url)?;
    item("subprotocol", same(&chosen.as_deref(), &Some("b")));
    talk(&mut socket);
    item("close by the peer", close(&mut socket));
    let (mut socket, _) = connect(closing)?;
    socket.send(Message::text("last"))?;
    item(
        "close by us",
        same(&next(&mut socket)?, &Message::text("last")).and_then(|()| is_closed(&mut socket)),
    );
    Ok(())
}

/// Until it is told to stop: `/getCaseCount` is told 1, `/runCase` is talked to, `/updateReports`
/// is closed; others are echoed to until they close.
pub(crate) fn as_server(listener: &TcpListener) -> Result {
    for stream in listener.incoming() {
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "the library's own type")]
        let pick = |request: &Request, mut response: Response| {
            path = request.uri().path().to_owned();
            if request.headers().contains_key("Sec-WebSocket-Protocol") {
                let b = HeaderValue::from_static("b");
                response.headers_mut().append("Sec-WebSocket-Protocol", b);
            }
            Ok(response)
        };
        let config = crate::tungstenite::config(LIMIT);
        let mut socket = tungstenite::accept_hdr_with_config(stream?, pick, config)
            .map_err(|error| error.to_string())?;
        match &*path {
            "/getCaseCount" => socket.send(Message::text("1"))?,
            "/runCase" => {
                talk(&mut socket);
                item("close by the peer", close(&mut socket));
            }
            "/updateReports" => {}
            _ => {
                let text = next(&mut socket)?;
                socket.send(text)?;
                item("close by us", is_closed(&mut socket));
            }
        }
        let _ = socket.close(None);
        while socket.read().is_ok() {}
    }
    Ok(())
}
