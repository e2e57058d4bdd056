//! A transport that fails: what the peer said before that is told, and then how it ended.

#[path = "../examples/socket/mod.rs"]
mod socket;

use bytes::BytesMut;
use futures_util::future::join;
use futures_util::{SinkExt as _, StreamExt};
use socket::Socket;
use socket::messages::{Message, Messages};
use socket::talk::{connect, talk, target};
use sockless::handshake::{Accept, Asked, Server};
use sockless::{CloseCode, Config, Connection, Event, Keys};
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Gives `input` in pieces, and fails as it is told to.
#[derive(Default)]
struct Failing {
    input: VecDeque<Vec<u8>>,
    /// What reading ends with; `None` is the peer's end.
    at_end: Option<io::ErrorKind>,
    written: Vec<u8>,
    /// Writing fails from this many bytes on.
    takes: Option<usize>,
    cannot_shut: bool,
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.input.pop_front() {
            Some(piece) => room.put_slice(&piece),
            None => return Poll::Ready(self.at_end.map_or(Ok(()), |kind| Err(kind.into()))),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = self.takes.map_or(usize::MAX, |takes| takes - self.written.len());
        if room == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let n = room.min(bytes.len());
        self.written.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = if self.cannot_shut { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) };
        Poll::Ready(result)
    }
}

/// Takes whatever is written, as TLS does; its network takes nothing of that.
struct Stuck(DuplexStream);

impl AsyncRead for Stuck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, room)
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Frames of a server.
fn from_server(write: impl FnOnce(&mut Connection, &mut BytesMut)) -> Vec<u8> {
    let (mut server, mut wire) = (Connection::server(Arc::default()), BytesMut::new());
    write(&mut server, &mut wire);
    wire.to_vec()
}

fn client(io: Failing, config: Config) -> Socket<Failing> {
    let (config, keys) = (Arc::new(config), Keys::new(|key| *key = [7; 4]));
    Socket::new(io, Connection::client(Arc::clone(&config), keys), config, &[])
}

/// A server that has had enough says why and hangs up, in the middle of what it is sent.
fn had_enough() -> Failing {
    let text = from_server(|server, wire| server.send_text("stop", wire).unwrap());
    let close =
        from_server(|server, wire| server.close(CloseCode::MESSAGE_TOO_BIG, "", wire).unwrap());
    Failing { input: [text, close].into(), takes: Some(1000), ..Failing::default() }
}

#[tokio::test]
async fn what_came_before_a_write_failed_is_told() {
    for at_end in [None, Some(io::ErrorKind::ConnectionReset)] {
        let mut socket = client(Failing { at_end, ..had_enough() }, Config::default());
        let (connection, out) = socket.sender();
        connection.send_binary(&[0; 100_000], out).unwrap();
        let (event, ..) = socket.next().await.unwrap().unwrap();
        assert_eq!(event, Event::Text("stop".into()));
        let (event, connection, out) = socket.next().await.unwrap().unwrap();
        assert!(matches!(event, Event::Close(close) if close.code == CloseCode::MESSAGE_TOO_BIG));
        assert!(connection.send_binary(b"late", out).is_err());
        // Our Close did not pass.
        let error = socket.next().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(!socket.closed().unwrap().clean);
    }
}

#[tokio::test]
async fn a_stream_ends_after_its_error() {
    let mut messages = Messages::new(client(had_enough(), Config::default()));
    let (connection, out) = messages.socket.sender();
    connection.send_binary(&[0; 100_000], out).unwrap();
    let items: Vec<_> = messages.by_ref().take(10).collect().await;
    let items: Vec<_> = items.iter().map(Result::is_ok).collect();
    assert_eq!(items, [true, true, false]);
}

#[tokio::test]
async fn how_a_transport_ends_after_both_closes_is_of_no_interest() {
    for at_end in [None, Some(io::ErrorKind::ConnectionReset)] {
        let (config, mut wire) = (Arc::new(Config::default()), BytesMut::new());
        let mut client = Connection::client(Arc::clone(&config), Keys::new(|key| *key = [7; 4]));
        client.close(CloseCode::NORMAL, "", &mut wire).unwrap();
        let input = [wire.to_vec()].into();
        let io = Failing { input, at_end, cannot_shut: true, ..Failing::default() };
        let mut socket = Socket::new(io, Connection::server(Arc::clone(&config)), config, &[]);
        assert!(matches!(socket.next().await.unwrap(), Some((Event::Close(_), ..))));
        assert!(socket.next().await.unwrap().is_none());
        let closed = socket.closed().unwrap();
        assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
    }
}

/// A peer that has said goodbye and does not hang up: the deadline is the end, and a clean one.
#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_end_after_both_closes_is_no_failure() {
    let config = Arc::new(Config::default());
    for role in ["server", "client"] {
        let ((near, mut far), keys) = (duplex(1 << 10), Keys::new(|key| *key = [0; 4]));
        let (connection, close) = match role {
            "server" => (Connection::server(config.clone()), &b"\x88\x82\0\0\0\0\x03\xe8"[..]),
            _ => (Connection::client(config.clone(), keys), &b"\x88\x02\x03\xe8"[..]),
        };
        far.write_all(close).await.unwrap();
        let socket = Socket::new(near, connection, config.clone(), &[]);
        let mut messages = Messages::new(socket);
        messages.close().await.expect(role);
        assert!(messages.socket.closed().unwrap().clean, "{role}");
    }
}

/// Where the answer to a Close is not taken, it is one.
#[tokio::test(start_paused = true)]
async fn a_close_that_cannot_be_written_is_a_failure() {
    let ((near, mut far), config) = (duplex(8), Arc::new(Config::default()));
    let mut socket = Socket::new(near, Connection::server(config.clone()), config, &[]);
    let (connection, out) = socket.sender();
    connection.send_text("more than fits", out).unwrap();
    far.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    assert!(matches!(socket.next().await.unwrap(), Some((Event::Close(_), ..))));
    let error = socket.next().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(!socket.closed().unwrap().clean);
}

/// Who has said goodbye and ended its own side may still take what waits for it, in a closing's
/// time.
#[tokio::test(start_paused = true)]
async fn what_waits_is_written_to_who_has_ended_its_side() {
    for (says_goodbye, takes) in [(true, true), (false, true), (true, false)] {
        let ((near, mut far), config) = (duplex(1 << 10), Arc::new(Config::default()));
        let mut socket = Socket::new(near, Connection::server(config.clone()), config, &[]);
        let (connection, out) = socket.sender();
        connection.send_binary(&[7; 100_000], out).unwrap();
        if says_goodbye {
            far.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
        }
        far.shutdown().await.unwrap();
        let reading = async {
            let mut came = Vec::new();
            if takes {
                far.read_to_end(&mut came).await.unwrap();
            }
            came
        };
        let ending = async {
            while let Some((event, ..)) = socket.next().await? {
                assert!(matches!(event, Event::Close(_)));
            }
            let closed = socket.closed().unwrap().clean;
            drop(socket);
            io::Result::Ok(closed)
        };
        let (came, clean) = join(reading, ending).await;
        match clean {
            Ok(clean) => assert!(takes && clean == says_goodbye),
            Err(late) => assert!(!takes && late.kind() == io::ErrorKind::TimedOut),
        }
        let close = if says_goodbye { &b"\x88\x02\x03\xe8"[..] } else { b"" };
        assert!(!takes || came.len() == 100_010 + close.len() && came.ends_with(close));
    }
}

/// What a server still sends when its client has failed it is read: a reset would take the Close
/// along.
#[tokio::test]
async fn a_client_that_fails_reads_to_the_end() {
    let (near, far) = duplex(64);
    let talking = tokio::spawn(async {
        let (io, connection, agreed, rest) = connect(near, &target("ws", "h.example")).await?;
        talk(io, connection, &agreed, rest).await
    });
    let (mut reader, mut writer) = tokio::io::split(far);
    let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
    let mut scratch = [0; 64];
    while out.is_empty() {
        let size = reader.read(&mut scratch).await.unwrap();
        let asked = server.receive(&mut &mut scratch[..size], &mut out);
        if let Some(Asked::Upgrade(request)) = asked {
            server.accept(Accept::new(&request), &mut out).unwrap();
            break;
        }
    }
    out.extend_from_slice(b"\xf0"); // breaks the protocol
    let sending = async {
        writer.write_all(&out).await?;
        writer.write_all(&[0; 10_000]).await?;
        writer.shutdown().await
    };
    let mut came = Vec::new();
    let (sent, read) = join(sending, reader.read_to_end(&mut came)).await;
    assert!(sent.is_ok() && read.is_ok());
    assert_eq!(came[came.len() - 8..][..2], *b"\x88\x82");
    talking.await.unwrap().unwrap();
}

/// A server whose client has said goodbye, and that client.
async fn stuck() -> (Socket<Stuck>, DuplexStream) {
    let ((near, mut far), config) = (duplex(64), Arc::new(Config::default()));
    far.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    (Socket::new(Stuck(near), Connection::server(config.clone()), config, &[]), far)
}

/// Nor is it written while the transport keeps it.
#[tokio::test(start_paused = true)]
async fn a_close_that_the_transport_keeps_is_a_failure() {
    let (mut socket, _far) = stuck().await;
    assert!(matches!(socket.next().await.unwrap(), Some((Event::Close(_), ..))));
    let error = socket.next().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(!socket.closed().unwrap().clean);
}

/// At the deadline, or when the client hangs up: nobody else would wake it.
#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_ends_with_its_stream() {
    for hangs_up in [false, true] {
        let (socket, far) = stuck().await;
        let _far = (!hangs_up).then_some(far);
        let (mut sink, stream) = StreamExt::split(Messages::new(socket));
        let sending = tokio::spawn(async move { sink.send(Message::Text("hi".into())).await });
        yield_now().await;
        assert!(!sending.is_finished());
        stream.count().await;
        let sent = timeout(Duration::from_secs(1), sending).await.expect("it is over");
        assert!(sent.unwrap().is_err());
    }
}

#[tokio::test]
async fn timers_may_be_longer_than_time() {
    for long in [Duration::from_secs(1 << 62), Duration::from_secs(u64::MAX / 2), Duration::MAX] {
        let mut config = Config::default();
        (config.ping_interval, config.idle_timeout) = (Some(long), Some(long));
        (config.close_timeout, config.pong_timeout) = (long, Some(long));
        let text = from_server(|server, wire| server.send_text("hi", wire).unwrap());
        let mut socket = client(Failing { input: [text].into(), ..Failing::default() }, config);
        assert!(matches!(socket.next().await.unwrap(), Some((Event::Text(_), ..))));
        socket.close(CloseCode::NORMAL, "");
        assert!(socket.next().await.unwrap().is_none());
    }
}

/// A Pong that came in time is read late, for the application took its time.
#[tokio::test]
async fn who_is_slow_does_not_blame_the_peer() {
    let mut config = Config::default();
    let short = Some(Duration::from_millis(50));
    (config.ping_interval, config.pong_timeout) = (short, short);
    let ((near, mut far), config) = (duplex(1 << 10), Arc::new(config));
    let mut socket = Socket::new(near, Connection::server(Arc::clone(&config)), config, &[]);
    let mut ping = [0; 10];
    tokio::select! {
        _ = socket.next() => panic!("nothing was sent yet"),
        came = far.read_exact(&mut ping) => assert_eq!(came.unwrap(), 10),
    }
    let pong = [&[0x8a, 0x88, 0, 0, 0, 0], &ping[2..]].concat();
    far.write_all(&pong).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let came = socket.next().await.unwrap();
    assert!(matches!(came, Some((Event::Pong(data), ..)) if data[..] == ping[2..]));
    // Who says nothing any more is given up all the same.
    let error = socket.next().await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// Frames larger than what waits on either side, both ways at once: a socket that stops reading
/// while it cannot write would wait for a peer that does the same.
#[tokio::test]
async fn a_stream_is_read_whatever_waits_in_its_sink() {
    const COUNT: usize = 8;
    let ((near, far), config) = (duplex(1 << 16), Arc::new(Config::default()));
    let mut echo = Socket::new(far, Connection::server(Arc::clone(&config)), config.clone(), &[]);
    tokio::spawn(async move {
        while let Some((event, connection, out)) = echo.next().await.unwrap() {
            if let Event::Binary(data) = event {
                connection.send_binary(&data, out).unwrap();
            }
        }
    });
    let connection = Connection::client(Arc::clone(&config), Keys::new(|key| *key = [7; 4]));
    let messages = Messages::new(Socket::new(near, connection, config, &[]));
    let (mut sink, stream) = StreamExt::split::<Message>(messages);
    let sending = async {
        for _ in 0..COUNT {
            sink.feed(Message::Binary(vec![1; 1 << 20])).await.unwrap();
        }
        sink.flush().await.unwrap();
    };
    let reading = stream.take(COUNT).fold(0, async |sum, event| match event.unwrap() {
        Event::Binary(data) => sum + data.len(),
        _ => sum,
    });
    assert_eq!(join(sending, reading).await.1, COUNT << 20);
}

/// Who asks for much with little, all of it in one read, and takes nothing, is answered once more
/// than fits the backlog.
#[tokio::test]
async fn what_waits_is_bounded_also_within_a_read() {
    const ANSWER: usize = 300_000;
    let (config, mut wire) = (Arc::new(Config::default()), BytesMut::new());
    let mut client = Connection::client(Arc::clone(&config), Keys::new(|key| *key = [7; 4]));
    for _ in 0..1000 {
        client.send_text("more", &mut wire).unwrap();
    }
    let (near, mut far) = duplex(1 << 14);
    far.write_all(&wire).await.unwrap();
    let mut socket = Socket::new(near, Connection::server(Arc::clone(&config)), config, &[]);
    let (mut answered, mut most) = (0, 0);
    {
        let mut answering = pin!(async {
            while let Some((event, connection, out)) = socket.next().await.unwrap() {
                assert_eq!(event, Event::Text("more".into()));
                connection.send_binary(&[0; ANSWER], out).unwrap();
                (answered, most) = (answered + 1, most.max(out.len()));
            }
        });
        for _ in 0..100 {
            assert!(poll_fn(|cx| Poll::Ready(answering.as_mut().poll(cx))).await.is_pending());
            yield_now().await;
        }
    }
    assert!((1 << 20..(1 << 20) + 2 * ANSWER).contains(&most), "{most} bytes wait");

    // Nothing is lost by that: who reads is answered to the end.
    let reading = async {
        let mut scratch = vec![0; 1 << 16];
        let mut came = 0;
        while came < 1000 * (ANSWER + 10) {
            came += far.read(&mut scratch).await.unwrap();
        }
        far.shutdown().await.unwrap();
    };
    let answering = async {
        while let Some((_, connection, out)) = socket.next().await.unwrap() {
            connection.send_binary(&[0; ANSWER], out).unwrap();
            answered += 1;
        }
    };
    join(reading, answering).await;
    assert_eq!(answered, 1000);
}
