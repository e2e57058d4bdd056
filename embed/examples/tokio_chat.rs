// cargo run --example tokio_chat
//! A chat on tokio: each member's halves live on two tasks, with no lock around them. A message is
//! encoded once for all members; one who does not read falls behind, and is told to come back.

mod socket;

use bytes::{Buf, BytesMut};
use socket::accept::accept;
use sockless::deflate::Policy;
use sockless::handshake::Accept;
use sockless::{CloseCode, Closed, Connection, Event, Prepared, Receiver, Reply, Sender, Want};
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use sockless_embed::{complain, say};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

/// How many messages a member may be behind.
const BEHIND: usize = 64;

/// How often a member is asked whether it is there, and how long it may neither say nor take
/// anything.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(50);

pub type Room = broadcast::Sender<Prepared>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Room::new(BEHIND);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await; // out of descriptors, most likely
            continue;
        };
        let room = room.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, room).await {
                complain(error);
            }
        });
    }
}

async fn serve(stream: TcpStream, room: Room) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let opened =
        accept(stream, server_config(), |request| Ok(Accept::new(request).prefer(&SPOKEN)));
    let Some((stream, connection, agreed, rest)) = opened.await? else { return Ok(()) };
    say(agreement(&agreed));
    let (reader, writer) = stream.into_split();
    talk(reader, writer, connection, rest, room).await
}

/// One member, to its end.
pub async fn talk(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    rest: Vec<u8>,
    room: Room,
) -> io::Result<()> {
    let (mut receiver, sender) = connection.split();
    let takes = Arc::new(AtomicBool::new(false));
    let reader = Reader { io: reader, takes: Arc::clone(&takes) };
    let writer = Writer { io: writer, takes };
    // One reply is under way at most: the reader merges what is owed meanwhile.
    let (owe, owed) = mpsc::channel(1);
    // Nothing goes through it: it closes when the member is out, which the writer knows first.
    let (membership, member) = mpsc::channel(1);
    let writing = tokio::spawn(write(writer, sender, owed, room.subscribe(), member));
    let read = tokio::select! {
        read = read(reader, &mut receiver, rest, owe, room, &membership) => read,
        () = overdue(&membership) => Err(io::ErrorKind::TimedOut.into()),
    };
    // The transport has ended: what either half knows of that makes the end.
    let (code, reason) = receiver.eof();
    let clean = writing.await.map_err(io::Error::other)??.eof();
    say(end(&Closed { code, reason, clean }));
    read
}

/// A member who is out has some time to answer the Close and to end the transport.
async fn overdue(membership: &mpsc::Sender<Infallible>) {
    membership.closed().await;
    sleep(server_config().close_timeout).await;
}

/// A reply, and whether it is a Close.
type Owed = (Reply, bool);

struct Reader<T> {
    io: T,
    /// Whether the member was seen to make room, of late, for what it is sent.
    takes: Arc<AtomicBool>,
}

impl<T: AsyncRead + Unpin> Reader<T> {
    /// Waits as long as the member takes something: a Ping may wait behind a long message.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match timeout(SILENCE, self.io.read(buffer)).await {
                Err(_) if self.takes.swap(false, Ordering::Relaxed) => {}
                read => return read?,
            }
        }
    }
}

struct Writer<T> {
    io: T,
    takes: Arc<AtomicBool>,
}

impl<T: AsyncWrite + Unpin> Writer<T> {
    /// Writes all, in whatever time, unless the member takes nothing.
    async fn write(&mut self, bytes: &mut impl Buf) -> io::Result<()> {
        while bytes.has_remaining() {
            if timeout(SILENCE, self.io.write_buf(bytes)).await?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            // What is taken whole may lie in a buffer on the way to nobody.
            if bytes.has_remaining() {
                self.takes.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

async fn read(
    mut reader: Reader<impl AsyncRead + Unpin>,
    receiver: &mut Receiver,
    mut buffer: Vec<u8>,
    owe: mpsc::Sender<Owed>,
    room: Room,
    membership: &mpsc::Sender<Infallible>,
) -> io::Result<()> {
    let mut n = buffer.len();
    buffer.resize(16 << 10, 0);
    let mut reply: Option<Owed> = None;
    loop {
        let mut input = &mut buffer[..n];
        while let Some(event) = receiver.receive(&mut input) {
            say(line(&event));
            let is_last = matches!(event, Event::Close(_) | Event::Failed(_));
            reply = match (reply, event.reply().map(|reply| (reply, is_last))) {
                (Some(older), Some(newer)) => Some((older.0.merge(newer.0), is_last)),
                (older, newer) => newer.or(older),
            };
            // At once if the slot is free, below if not.
            if let Some(now) = reply.take() {
                if let Err(TrySendError::Full(later)) = owe.try_send(now) {
                    reply = Some(later);
                }
            }
            let message = match event {
                Event::Text(text) => Prepared::text(&text),
                Event::Binary(data) => Prepared::binary(&data),
                _ => continue,
            };
            // Who has been told to leave may still talk, but not to the room.
            if !membership.is_closed() {
                // Nobody is there to hear it: the writer has ended.
                let _ = room.send(message.compressed(&Policy::server()));
                // Who says much at once would put everybody behind: those who do read have their
                // turns. For one who does not, nobody waits long.
                for _ in 0..BEHIND {
                    if room.len() <= BEHIND / 2 {
                        break;
                    }
                    yield_now().await;
                }
            }
        }
        tokio::select! {
            Ok(slot) = owe.reserve(), if reply.is_some() => {
                if let Some(reply) = reply.take() {
                    slot.send(reply);
                }
                n = 0;
            }
            read = reader.read(&mut buffer) => {
                n = read?;
                if n == 0 {
                    // Who ends its side at once may still be told what it is owed.
                    if let Some(reply) = reply.take() {
                        let _ = owe.send(reply).await;
                    }
                    return Ok(());
                }
            }
        }
    }
}

async fn write(
    mut writer: Writer<impl AsyncWrite + Unpin>,
    mut sender: Sender,
    mut owed: mpsc::Receiver<Owed>,
    mut messages: broadcast::Receiver<Prepared>,
    member: mpsc::Receiver<Infallible>,
) -> io::Result<Sender> {
    let mut out = BytesMut::new();
    let mut ping = interval_at(Instant::now() + PING, PING);
    // After a message that took long, one Ping is owed, not one for each interval that it took.
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while sender.is_open() {
        writer.write(&mut out).await?;
        tokio::select! {
            biased;
            reply = owed.recv() => match reply {
                Some((reply, is_last)) => {
                    // What was said before a Close goes before it.
                    for _ in 0..if is_last { messages.len() } else { 0 } {
                        let Ok(message) = messages.try_recv() else { break };
                        say_to(&mut writer, &mut sender, &message).await?;
                    }
                    sender.reply(&reply, &mut out);
                }
                None => return Ok(sender),
            },
            message = messages.recv() => match message {
                Ok(message) => say_to(&mut writer, &mut sender, &message).await?,
                Err(_) => _ = sender.close(CloseCode::TRY_AGAIN_LATER, "too slow", &mut out),
            },
            _ = ping.tick() => drop(sender.ping(b"", &mut out)),
        }
    }
    // A Close is on its way to the member: what is left, its own included, has a deadline.
    drop((member, messages));
    let limit = server_config().close_timeout;
    timeout(limit, writer.write(&mut out)).await??;
    while sender.want() == Want::Read {
        let Some((reply, _)) = owed.recv().await else { return Ok(sender) };
        sender.reply(&reply, &mut out);
        timeout(limit, writer.write(&mut out)).await??;
    }
    writer.io.shutdown().await?;
    Ok(sender)
}

async fn say_to(
    writer: &mut Writer<impl AsyncWrite + Unpin>,
    sender: &mut Sender,
    message: &Prepared,
) -> io::Result<()> {
    match sender.prepared(message) {
        Ok(mut frame) => writer.write(&mut frame).await,
        Err(_) => Ok(()), // after a Close
    }
}
