//! What the echo's timers make of a peer that does not go on.

#[allow(dead_code, reason = "what the servers need of it")]
#[path = "../examples/common/echo.rs"]
mod echo;

use bytes::BytesMut;
use echo::Echo;
use sockless::{Pool, Timeout};
use std::time::Duration;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// What has come by the start, nothing since. All that was answered is written, or nothing of it.
#[test]
fn a_transport_is_dropped_without_loss_if_only_its_end_is_missing() {
    for (came, written, at, wanted) in [
        (&[][..], true, 10, Err(Timeout::Open)),
        (&[REQUEST], true, 50, Err(Timeout::Pong)),
        (&[REQUEST, CLOSE], false, 10, Err(Timeout::Close)),
        (&[REQUEST, CLOSE], true, 10, Ok(false)),
        (&[b"GET / HTTP/1.0\r\n\r\n"], true, 10, Ok(false)),
    ] {
        let mut echo = Echo::new(Duration::ZERO, |_| {});
        let (mut out, mut pool) = (BytesMut::new(), Pool::new());
        for piece in came {
            echo.receive(&mut piece.to_vec(), &mut out, &mut pool, Duration::ZERO);
        }
        for second in 0..at {
            assert_eq!(echo.tick(&mut out, Duration::from_secs(second)), Ok(true), "{came:?}");
            if written {
                out.clear();
            }
        }
        assert_eq!(echo.tick(&mut out, Duration::from_secs(at)), wanted, "{came:?}");
    }
}
