//! WebSocket crates that others wrote, as programs: what the hostile rows and the interoperation
//! matrix are put to.
//!
//! ```text
//! peers NAME server LIMIT               echoes; says where it listens
//! peers NAME client LIMIT URL COUNT     opens as many connections, and echoes on each to its end
//! peers tungstenite converse URL CLOSING    talks to two servers, one that echoes, one that closes
//! peers tungstenite host                talks to the clients that come
//! ```
//!
//! LIMIT is that of a message, and of a frame, in bytes. Each crate is used as its own examples for
//! the Autobahn suite use it. The last two say what held: an item, a tab, `ok` or what was wrong.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

mod conversation;
#[cfg(feature = "all")]
mod fastwebsockets;
#[cfg(feature = "all")]
mod tokio_websockets;
mod tungstenite;

use std::error::Error;
use std::net::TcpListener;

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> Result {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(|arg| &**arg).collect();
    match args[..] {
        ["tungstenite", "converse", url, closing] => conversation::as_client(url, closing),
        ["tungstenite", "host"] => conversation::as_server(&listen()?),
        [name, "server", limit] => {
            let (listener, limit) = (listen()?, limit.parse()?);
            match name {
                "tungstenite" => tungstenite::serve(&listener, limit),
                #[cfg(feature = "all")]
                "fastwebsockets" => fastwebsockets::serve(listener, limit),
                #[cfg(feature = "all")]
                "tokio-websockets" => tokio_websockets::serve(listener, limit),
                _ => Err(format!("who is {name}?").into()),
            }
        }
        [name, "client", limit, url, count] => {
            let limit = limit.parse()?;
            for _ in 0..count.parse::<usize>()? {
                // What a connection ends with is seen at the other end.
                let _ = match name {
                    "tungstenite" => tungstenite::connect(url, limit),
                    #[cfg(feature = "all")]
                    "fastwebsockets" => fastwebsockets::connect(url, limit),
                    #[cfg(feature = "all")]
                    "tokio-websockets" => tokio_websockets::connect(url, limit),
                    _ => return Err(format!("who is {name}?").into()),
                };
            }
            Ok(())
        }
        _ => Err("peers NAME server LIMIT | peers NAME client LIMIT URL COUNT".into()),
    }
}

fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}
