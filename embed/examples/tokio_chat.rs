// cargo run --example tokio_chat
//! A chat on tokio: each member's halves live on two tasks, with no lock around them. A message is
//! encoded once for all members; one who does not read falls behind, and is told to come back.

mod socket;

use bytes::BytesMut;
use socket::accept::accept;
use sockless::deflate::Policy;
use sockless::handshake::Accept;
use sockless::{CloseCode, Closed, Event, Prepared, Receiver, Reply, Sender, Want};
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use sockless_embed::{complain, say};
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, interval_at, sleep, timeout};

/// How many messages a member may be behind.
const BEHIND: usize = 64;

/// How often a member is asked whether it is there, and how long it may be silent or read nothing.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(50);

type Room = broadcast::Sender<Prepared>;

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
    let (mut receiver, sender) = connection.split();
    let (reader, writer) = stream.into_split();
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

async fn read(
    mut reader: OwnedReadHalf,
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
            }
        }
        tokio::select! {
            Ok(slot) = owe.reserve(), if reply.is_some() => {
                if let Some(reply) = reply.take() {
                    slot.send(reply);
                }
                n = 0;
            }
            read = timeout(SILENCE, reader.read(&mut buffer)) => {
                n = read??;
                if n == 0 {
                    return Ok(());
                }
            }
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut sender: Sender,
    mut owed: mpsc::Receiver<Owed>,
    mut messages: broadcast::Receiver<Prepared>,
    member: mpsc::Receiver<Infallible>,
) -> io::Result<Sender> {
    let mut out = BytesMut::new();
    let mut ping = interval_at(Instant::now() + PING, PING);
    while sender.is_open() {
        timeout(SILENCE, writer.write_all_buf(&mut out)).await??;
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
    timeout(limit, writer.write_all_buf(&mut out)).await??;
    while sender.want() == Want::Read {
        let Some((reply, _)) = owed.recv().await else { return Ok(sender) };
        sender.reply(&reply, &mut out);
        timeout(limit, writer.write_all_buf(&mut out)).await??;
    }
    writer.shutdown().await?;
    Ok(sender)
}

async fn say_to(
    writer: &mut OwnedWriteHalf,
    sender: &mut Sender,
    message: &Prepared,
) -> io::Result<()> {
    if let Ok(frame) = sender.prepared(message) {
        timeout(SILENCE, writer.write_all(&frame)).await??;
    }
    Ok(())
}
