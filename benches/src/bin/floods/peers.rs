//! Those who are flooded: servers at their defaults, fed from memory.

use crate::wire::Flood;
use bytes::BytesMut;
use futures_util::{Stream, StreamExt as _};
use sockless::deflate::{Context as Window, Contexts, Policy, WindowBits};
use sockless::handshake::Server;
use sockless::{Config, Connection};
use sockless_benches::READ;
use sockudo_ws::protocol::{CompressedProtocol, Message, Protocol};
use std::any::Any;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

/// Whether the peer took all of the flood, or refused it; with all that it holds.
pub type Outcome = (bool, Box<dyn Any>);

pub struct Peer {
    pub name: &'static str,
    /// The longest frame that it accepts.
    pub limit: u64,
    pub plain: fn(Flood) -> Outcome,
    /// With permessage-deflate, with or without context takeover.
    pub compressed: Result<fn(Flood, bool) -> Outcome, &'static str>,
    /// Its opening handshake.
    pub head: Result<fn(Flood) -> Outcome, &'static str>,
}

pub const PEERS: [Peer; 5] = [
    Peer {
        name: "**ours**",
        limit: 1 << 20,
        plain: |flood| ours(flood, Connection::server(CONFIG.clone())),
        compressed: Ok(|flood, takeover| {
            let context = Window::new(WindowBits::MAX, takeover);
            let contexts = Contexts { inflate: context, deflate: context };
            ours(flood, Connection::server(CONFIG.clone()).with_deflate(contexts))
        }),
        head: Ok(our_head),
    },
    Peer {
        name: "`tungstenite`",
        limit: 16 << 20,
        plain: tungstenite,
        compressed: Err("it has no compression"),
        head: Ok(|flood| match tungstenite::accept(flood) {
            Err(tungstenite::HandshakeError::Interrupted(waiting)) => (true, Box::new(waiting)),
            end => (false, Box::new(end.is_ok())),
        }),
    },
    Peer {
        name: "`tokio-websockets`",
        limit: 64 << 20,
        plain: |flood| polled(tokio_websockets::ServerBuilder::new().serve(flood)),
        compressed: Err("it has no compression"),
        head: Ok(|flood| {
            let server = tokio_websockets::ServerBuilder::new();
            waiting(async move { server.accept(flood).await.is_ok() })
        }),
    },
    Peer {
        name: "`sockudo-ws`",
        limit: 16 << 20,
        plain: |flood| {
            let config = sockudo_ws::Config::default();
            let (frame, message) = (config.max_frame_size, config.max_message_size);
            let peer = Protocol::new(sockudo_ws::Role::Server, frame, message);
            sockudo(flood, peer, Protocol::process_into)
        },
        compressed: Ok(|flood, takeover| {
            let config = sockudo_ws::Config::default();
            let (frame, message) = (config.max_frame_size, config.max_message_size);
            let deflate = sockudo_ws::DeflateConfig {
                server_no_context_takeover: !takeover,
                client_no_context_takeover: !takeover,
                ..Default::default()
            };
            let peer = CompressedProtocol::server(frame, message, deflate);
            sockudo(flood, peer, CompressedProtocol::process_into)
        }),
        head: Ok(|mut flood| {
            waiting(
                async move { sockudo_ws::handshake::server_handshake(&mut flood).await.is_ok() },
            )
        }),
    },
    Peer {
        name: "`yawc`",
        limit: (1 << 20) - 1,
        plain: |flood| yawc(flood, None),
        compressed: Ok(|flood, takeover| {
            let apart =
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
            yawc(flood, Some(if takeover { "permessage-deflate" } else { apart }))
        }),
        head: Err("hyper reads its heads"),
    },
];

/// Any number of connections share it.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let mut config = Config::default();
    config.deflate = Some(Policy::server());
    Arc::new(config)
});

fn ours(mut flood: Flood, mut connection: Connection) -> Outcome {
    let (mut out, mut scratch) = (BytesMut::new(), vec![0; READ]);
    loop {
        let len = flood.fill(&mut scratch);
        let mut input = &mut scratch[..len];
        while connection.receive(&mut input, &mut out).is_some() {}
        if len == 0 || connection.error().is_some() {
            return (connection.error().is_none(), Box::new((connection, out)));
        }
    }
}

fn our_head(mut flood: Flood) -> Outcome {
    let (mut server, mut out) = (Server::new(CONFIG.clone()), BytesMut::new());
    let mut byte = [0];
    while flood.fill(&mut byte) > 0 {
        if server.receive(&mut &mut byte[..], &mut out).is_some() {
            return (false, Box::new(server));
        }
    }
    (true, Box::new((server, out)))
}

fn tungstenite(flood: Flood) -> Outcome {
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(flood, role, None);
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::Io(_)) => return (true, Box::new(socket)),
            Err(_) => return (false, Box::new(socket)),
        }
    }
}

fn polled<S, M, E>(mut peer: S) -> Outcome
where
    S: Stream<Item = Result<M, E>> + Unpin + 'static,
{
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match peer.poll_next_unpin(&mut context) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Pending => return (true, Box::new(peer)),
            Poll::Ready(_) => return (false, Box::new(peer)),
        }
    }
}

/// An opening handshake that waits for more, or has ended.
fn waiting(handshake: impl Future + 'static) -> Outcome {
    let mut handshake = Box::pin(handshake);
    let end = handshake.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    (end.is_pending(), Box::new(handshake))
}

fn sockudo<P: 'static>(
    mut flood: Flood,
    mut peer: P,
    process: fn(&mut P, &mut BytesMut, &mut Vec<Message>) -> sockudo_ws::Result<()>,
) -> Outcome {
    let (mut buffer, mut messages) = (BytesMut::with_capacity(READ), Vec::new());
    let mut scratch = vec![0; READ];
    loop {
        let len = flood.fill(&mut scratch);
        buffer.extend_from_slice(&scratch[..len]);
        let refused = process(&mut peer, &mut buffer, &mut messages).is_err();
        messages.clear();
        if len == 0 || refused {
            return (!refused, Box::new((peer, buffer)));
        }
    }
}

fn yawc(flood: Flood, extensions: Option<&str>) -> Outcome {
    let mut options = yawc::Options::default();
    if extensions.is_some() {
        options = options.with_balanced_compression();
    }
    let role = yawc::Role::Server;
    let mut peer = yawc::WebSocket::from_stream_with_extensions(flood, role, extensions, options)
        .expect("options that fit");
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match peer.poll_next_frame(&mut context) {
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => return (true, Box::new(peer)),
            Poll::Ready(Err(_)) => return (false, Box::new(peer)),
        }
    }
}
