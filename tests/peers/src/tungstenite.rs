//! `tungstenite`, on plain threads.

use crate::Result;
use std::net::TcpListener;
use std::thread;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

pub(crate) fn config(limit: usize) -> Option<WebSocketConfig> {
    let config = WebSocketConfig::default();
    Some(config.max_message_size(Some(limit)).max_frame_size(Some(limit)))
}

fn echo<S: std::io::Read + std::io::Write>(mut socket: WebSocket<S>) -> Result {
    loop {
        let message = socket.read()?;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            socket.send(message)?;
        }
    }
}

pub(crate) fn serve(listener: &TcpListener, limit: usize) -> Result {
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            if let Ok(socket) = tungstenite::accept_with_config(stream, config(limit)) {
                let _ = echo(socket);
            }
        });
    }
}

pub(crate) fn connect(url: &str, limit: usize) -> Result {
    echo(tungstenite::client::connect_with_config(url, config(limit), 0)?.0)
}
