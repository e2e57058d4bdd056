//! RFC 8441 on real streams: what a reset is, how little a peer that does not read can hold, and
//! that a server which does not allow extended CONNECT is not asked for one.

#[path = "../examples/h2_stream/mod.rs"]
mod h2_stream;
#[path = "../examples/socket/mod.rs"]
mod socket;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use h2_stream::{BUDGET, H2Stream};
use http::Response;
use socket::Socket;
use socket::talk::{offer, target};
use sockless::handshake::{Accept, Asking, Request};
use sockless::{CloseCode, Event, Keys};
use sockless_embed::conversation::{SPOKEN, client_config, server_config};
use std::future::poll_fn;
use std::io::{self, BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A server's socket, and the client's stream as it is, over a pipe in memory.
async fn open() -> (Socket<H2Stream>, SendStream<Bytes>, RecvStream) {
    let (near, far) = duplex(1 << 16);
    let serving = tokio::spawn(serve(far));
    let (send, receive) = connect(near).await;
    (serving.await.unwrap(), send, receive)
}

/// A client's stream.
async fn connect<T>(io: T) -> (SendStream<Bytes>, RecvStream)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = h2::client::Builder::new();
    let connecting = builder.data_frame_budget(BUDGET).handshake(io);
    let (mut requests, connection) = connecting.await.unwrap();
    tokio::spawn(connection);
    let allowed = is_allowed(&mut requests, PATIENT).await;
    let target = target("wss", "h.example");
    let (_, parts) =
        Asking::extended(client_config(), Keys::system(), &offer(&target), allowed).unwrap();
    let mut request = http::Request::try_from(parts).unwrap();
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let (response, send) = requests.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    (send, response.into_body())
}

async fn serve(pipe: DuplexStream) -> Socket<H2Stream> {
    let mut connection = h2_stream::server().handshake(pipe).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let asked = Request::from_http(&request, protocol, &server_config()).unwrap();
    let accept = Accept::new(&asked).prefer(&SPOKEN);
    let (response, connection, _) = accept.respond(server_config()).unwrap();
    let response = Response::<Bytes>::from(response).map(drop);
    let send = respond.send_response(response, false).unwrap();
    let stream = H2Stream::new(request.into_body(), send);
    Socket::new(stream, connection, server_config(), &[])
}

/// Tries, for settings that do come: 10 seconds and more.
const PATIENT: u32 = 10_000;

/// What the server's settings say, once they have come; no, if that takes so many tries.
async fn is_allowed(requests: &mut SendRequest<Bytes>, tries: u32) -> bool {
    for _ in 0..tries {
        if requests.is_extended_connect_protocol_enabled() {
            return true;
        }
        sleep(Duration::from_millis(1)).await;
    }
    false
}

#[tokio::test]
async fn a_reset_is_an_error_of_the_transport() {
    let (mut socket, mut send, _receive) = open().await;
    send.send_data(Bytes::from_static(b"\x81\x82\0\0\0\0hi"), false).unwrap();
    let (event, ..) = socket.next().await.unwrap().unwrap();
    assert_eq!(event, Event::Text("hi".into()));
    send.send_reset(Reason::CANCEL);
    let error = socket.next().await.map(drop).unwrap_err();
    let reset = error.get_ref().and_then(|error| error.downcast_ref::<h2::Error>()).unwrap();
    assert_eq!((reset.reason(), reset.is_remote()), (Some(Reason::CANCEL), true));
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_the_transport() {
    let (mut socket, mut send, mut receive) = open().await;
    // A Close, masked with zeros, and END_STREAM with it.
    send.send_data(Bytes::from_static(b"\x88\x82\0\0\0\0\x0f\xa1"), true).unwrap();
    assert!(matches!(socket.next().await.unwrap(), Some((Event::Close(_), ..))));
    assert!(socket.next().await.unwrap().is_none());
    let closed = socket.closed().unwrap();
    assert_eq!((closed.code, closed.clean), (CloseCode::from(4001), true));
    // The answer, and END_STREAM after it.
    assert_eq!(receive.data().await.unwrap().unwrap(), &b"\x88\x02\x0f\xa1"[..]);
    assert!(receive.data().await.is_none_or(|data| data.unwrap().is_empty()));
    assert!(receive.is_end_stream());

    // Without a Close before it, it is not clean.
    let (mut socket, mut send, _receive) = open().await;
    send.send_data(Bytes::new(), true).unwrap();
    assert!(socket.next().await.unwrap().is_none());
    let closed = socket.closed().unwrap();
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
}

/// A message of 1 KiB that does not shrink, masked with zeros.
fn message() -> Bytes {
    let mut frame = b"\x82\xfe\x04\0\0\0\0\0".to_vec();
    let mut state = 1_u32;
    frame.extend((0..1024).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    frame.into()
}

/// Echoes whatever comes.
fn echo(mut socket: Socket<H2Stream>) -> JoinHandle<io::Result<()>> {
    tokio::spawn(async move {
        while let Some((event, connection, out)) = socket.next().await? {
            if let Event::Binary(data) = event {
                connection.send_binary(&data, out).map_err(io::Error::other)?;
            }
        }
        Ok(())
    })
}

/// Sends, as the windows allow; false if they do not for five seconds.
async fn send_all(send: &mut SendStream<Bytes>, data: Bytes) -> bool {
    send.reserve_capacity(data.len());
    let room = async {
        while send.capacity() < data.len() {
            poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
        }
    };
    let fits = timeout(Duration::from_secs(5), room).await.is_ok();
    fits && send.send_data(data, false).is_ok()
}

/// Who sends and does not read: the echo takes a backlog, then a window, and no more.
#[tokio::test]
async fn a_peer_that_does_not_read_is_bounded() {
    let (socket, mut send, _receive) = open().await;
    let serving = echo(socket);
    let mut sent = 0;
    while send_all(&mut send, message()).await {
        sent += 1024;
        assert!(sent < 4 << 20, "no end to what is taken");
    }
    // A backlog of 1 MiB, and what is on its way: windows and buffers of 64 KiB each way.
    assert!((1 << 20..(1 << 20) + (384 << 10)).contains(&sent), "{sent} bytes were taken");
    assert!(!serving.is_finished());
    serving.abort();
}

/// Many small messages that nobody reads for a while: h2's own limit would end the connection.
#[tokio::test]
async fn small_messages_may_wait() {
    let (socket, mut send, mut receive) = open().await;
    let serving = echo(socket);
    let small = Bytes::from_static(b"\x82\x81\0\0\0\0a");
    for _ in 0..2000 {
        assert!(send_all(&mut send, small.clone()).await);
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(100)).await;
    let mut came = 0;
    while came < 2000 * 3 {
        let data = receive.data().await.unwrap().unwrap();
        receive.flow_control().release_capacity(data.len()).unwrap();
        came += data.len();
    }
    assert!(!serving.is_finished());
    serving.abort();
}

/// Each stream may hold a message: how many there may be is what one peer may cost.
#[tokio::test]
async fn streams_are_counted() {
    let (near, far) = duplex(1 << 16);
    tokio::spawn(async move {
        let mut connection = h2_stream::server().handshake::<_, Bytes>(far).await.unwrap();
        while connection.accept().await.is_some() {}
    });
    let (mut requests, connection) = h2::client::handshake(near).await.unwrap();
    tokio::spawn(connection);
    assert!(is_allowed(&mut requests, PATIENT).await);
    assert_eq!(requests.current_max_send_streams(), 100);
}

// The setting is missing, so it says no.
#[tokio::test]
async fn a_server_that_does_not_allow_it_is_not_asked() {
    let (near, far) = duplex(1 << 16);
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(far).await.unwrap();
        connection.accept().await.map(|asked| asked.map(drop))
    });
    let (mut requests, connection) = h2::client::handshake(near).await.unwrap();
    tokio::spawn(connection);
    let allowed = is_allowed(&mut requests, 200).await;
    let target = target("wss", "h.example");
    let asking = Asking::extended(client_config(), Keys::system(), &offer(&target), allowed);
    assert!(!allowed && asking.is_none());
}

/// axum's router serves HTTP/2, too, without TLS: its `:protocol` is what hyper says it is.
#[tokio::test]
async fn a_route_of_axum_is_a_stream() {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/axum_server");
    let mut server = Command::new(program).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.trim().strip_prefix("listening on ").unwrap();
    let talking = tokio::spawn(talk(TcpStream::connect(address).await.unwrap()));
    let answer = talking.await;
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(answer.unwrap(), &b"\x88\x02\x0f\xa1"[..]);
}

/// Opens a stream and closes it: the answer to the Close.
async fn talk(io: TcpStream) -> Bytes {
    let (mut send, mut receive) = connect(io).await;
    send.send_data(Bytes::from_static(b"\x88\x82\0\0\0\0\x0f\xa1"), false).unwrap();
    receive.data().await.unwrap().unwrap()
}
