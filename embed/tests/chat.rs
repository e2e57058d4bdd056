//! A member of the chat who is slow, and one who is gone.

#[allow(dead_code, reason = "the program, of which one part is called")]
#[path = "../examples/tokio_chat.rs"]
mod tokio_chat;

use sockless::{Config, Connection, Prepared};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};
use tokio_chat::{Room, talk};

/// A member of a room in which a message of 1 MiB has been said.
async fn join() -> (JoinHandle<io::Result<()>>, DuplexStream) {
    let ((near, far), room) = (duplex(1 << 10), Room::new(1));
    let ((reader, writer), connection) =
        (split(near), Connection::server(Arc::new(Config::default())));
    let served = tokio::spawn(talk(reader, writer, connection, Vec::new(), room.clone()));
    while room.receiver_count() == 0 {
        yield_now().await;
    }
    room.send(Prepared::binary(&[0; 1 << 20])).unwrap();
    (served, far)
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_not_cut() {
    let (served, mut far) = join().await;
    let mut came = Vec::new();
    while came.len() < 10 + (1 << 20) {
        sleep(Duration::from_secs(1)).await;
        let mut piece = [0; 1 << 10];
        let taken = far.read(&mut piece).await.unwrap();
        assert!(taken > 0, "cut after {} bytes", came.len());
        came.extend_from_slice(&piece[..taken]);
    }
    far.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    far.read_to_end(&mut came).await.unwrap();
    // One Ping for all that time, and the answer.
    assert_eq!(came[10 + (1 << 20)..], *b"\x89\x00\x88\x02\x03\xe8");
    drop(far);
    served.await.unwrap().unwrap();
}

/// Who says much at once is heard by all who read, and so is the speaker.
#[tokio::test]
async fn many_messages_in_one_read_put_nobody_behind() {
    const COUNT: usize = 2000;
    let room = Room::new(64);
    let mut members = Vec::new();
    for _ in 0..5 {
        let (near, far) = duplex(1 << 16);
        let ((reader, writer), connection) =
            (split(near), Connection::server(Arc::new(Config::default())));
        tokio::spawn(talk(reader, writer, connection, Vec::new(), room.clone()));
        members.push(far);
    }
    while room.receiver_count() < members.len() {
        yield_now().await;
    }
    let said = b"\x81\x81\0\0\0\0x".repeat(COUNT);
    members[0].write_all(&said).await.unwrap();
    for member in &mut members {
        let mut heard = vec![0; 3 * COUNT];
        member.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, b"\x81\x01x".repeat(COUNT));
    }
}

/// A Pong may be under way when the Close comes, and the end of the transport right behind it.
#[tokio::test]
async fn who_ends_the_transport_with_a_close_is_answered() {
    let ((near, mut far), room) = (duplex(1 << 10), Room::new(1));
    let ((reader, writer), connection) =
        (split(near), Connection::server(Arc::new(Config::default())));
    far.write_all(b"\x89\x81\0\0\0\0p\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    far.shutdown().await.unwrap();
    let served = tokio::spawn(talk(reader, writer, connection, Vec::new(), room));
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"\x8a\x01p\x88\x02\x03\xe8");
    served.await.unwrap().unwrap();
}

/// With a part of it, or with all of it.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_any_more_is_cut() {
    for taken in [100_000, 10 + (1 << 20)] {
        let (served, mut far) = join().await;
        far.read_exact(&mut vec![0; taken]).await.unwrap();
        let cut = timeout(Duration::from_secs(150), served).await.expect("it is gone");
        assert_eq!(cut.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut, "{taken}");
    }
}
