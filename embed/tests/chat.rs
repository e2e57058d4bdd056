//! A member of the chat who is slow, and one who is gone.

#[allow(dead_code, reason = "the program, of which one part is called")]
#[path = "../examples/tokio_chat.rs"]
mod tokio_chat;

use sockless::{Config, Connection, Prepared};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_chat::{Room, talk};

/// A member of a room in which a message of 1 MiB has been said.
async fn join() -> (JoinHandle<io::Result<()>>, DuplexStream) {
    let ((near, far), room) = (duplex(1 << 10), Room::new(1));
    let ((reader, writer), connection) =
        (split(near), Connection::server(Arc::new(Config::default())));
    let served = tokio::spawn(talk(reader, writer, connection, Vec::new(), room.clone()));
    while room.receiver_count() == 0 {
        tokio::task::yield_now().await;
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
