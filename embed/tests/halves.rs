//! A socket as a `Stream` and a `Sink` on two tasks: neither half takes the other's wake-ups.

#[path = "../examples/socket/mod.rs"]
mod socket;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt};
use socket::Socket;
use socket::messages::{Message, Messages};
use sockless::{Config, Connection, Event};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

type Halves =
    (SplitSink<Messages<DuplexStream>, Message>, SplitStream<Messages<DuplexStream>>, DuplexStream);

/// More than a sink takes without waiting.
const LONG: usize = 2 << 20;

/// A server's halves, and its peer. The clock stands still while there is anything to do.
fn open() -> Halves {
    let ((near, far), config) = (duplex(1 << 14), Arc::new(Config::default()));
    let connection = Connection::server(config.clone());
    let messages = Messages::new(Socket::new(near, connection, config, &[]));
    let (sink, stream) = StreamExt::split(messages);
    (sink, stream, far)
}

/// The other task flushes, too, and so is the last that asked to be woken for it.
#[tokio::test(start_paused = true)]
async fn who_waits_to_write_is_woken_though_the_other_half_has_flushed() {
    let (mut sink, mut stream, mut far) = open();
    let writing = tokio::spawn(async move {
        sink.feed(Message::Binary(vec![0; LONG])).await.unwrap();
        sink.feed(Message::Binary(Vec::new())).await.unwrap(); // the half itself holds one
        sink.feed(Message::Binary(Vec::new())).await.unwrap(); // waits for room
        sink
    });
    sleep(Duration::from_millis(1)).await;
    let reading = tokio::spawn(async move { while stream.next().await.is_some() {} });
    far.write_all(b"\x8a\x80\0\0\0\0").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    far.read_exact(&mut vec![0; 10 + LONG]).await.unwrap();
    let written = timeout(Duration::from_secs(1), writing).await;
    drop(written.expect("there is room").unwrap());
    reading.abort();
}

/// A flush that waits sets the alarm; once it is done, its task may wait for something else.
#[tokio::test(start_paused = true)]
async fn who_waits_to_read_is_woken_though_the_other_half_has_set_the_alarm() {
    let (mut sink, mut stream, mut far) = open();
    let reading = tokio::spawn(async move {
        loop {
            match stream.next().await {
                Some(Ok(Event::Text(_))) => {}
                other => break other,
            }
        }
    });
    far.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let writing = tokio::spawn(async move {
        sink.send(Message::Binary(vec![0; LONG])).await.unwrap();
        std::future::pending::<()>().await;
    });
    sleep(Duration::from_millis(1)).await;
    far.read_exact(&mut vec![0; 10 + LONG]).await.unwrap();
    // The Ping, then nobody answers it.
    let mut ping = [0; 10];
    let pinged = timeout(Duration::from_secs(31), far.read_exact(&mut ping)).await;
    assert_eq!(pinged.expect("a Ping is due").unwrap(), 10);
    let ended = timeout(Duration::from_secs(21), reading).await;
    let error = ended.expect("no Pong came").unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    writing.abort();
}
