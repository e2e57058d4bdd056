//! An open connection: its halves on two threads, no lock around either.
//!
//! The reading thread owns the `Receiver`; the writing thread the `Sender` and the timers. What
//! the peer is owed for what it sent, a Pong or a Close, goes from one to the other as a value, in
//! the queue that everybody's messages go through; a Pong of the peer's passes that by.

use crate::log;
use crate::room::{self, Member, Room};
use bytes::BytesMut;
use sockless::{
    CloseCode, Connection, Due, Event, Keepalive, Phase, Prepared, Receiver, Reply, Sender, Want,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A member is dropped when this many bytes wait for it already, or as many messages as its queue
/// holds. Since members share the bytes of a message, the room as a whole holds no more than this
/// and one message for each member that is too slow, for as long as it takes to find that out.
const MAX_WAITING: usize = 16 << 20;

/// A connection as the handshake leaves it.
pub struct Opened {
    pub connection: Connection,
    pub service: Service,
    pub scratch: Vec<u8>,
    /// Where in `scratch` the first frames are, if they came with the head.
    pub rest: Range<usize>,
}

/// What the server is asked for.
#[derive(Clone, Copy, PartialEq)]
pub enum Service {
    Chat,
    Echo,
}

impl Service {
    /// How many items may wait for the writing thread. A member of the room is given some slack;
    /// an echo waits for its peer to read.
    const fn queue(self) -> usize {
        match self {
            Self::Chat => 512,
            Self::Echo => 4,
        }
    }
}

/// The origin of all times.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// The way to a peer's writing thread.
#[derive(Clone)]
pub struct Outbox {
    queue: SyncSender<Item>,
    line: Arc<Line>,
}

/// What those who hold one end of the queue or the other know of the peer.
struct Line {
    socket: Arc<TcpStream>,
    /// How many bytes of messages are in the queue.
    waiting: AtomicUsize,
    clock: Clock,
    /// When the peer was last heard, in milliseconds; [`DEAF`] while its reading thread waits for
    /// space in the queue, or for its turn in the room. That nothing more is heard is not the peer's
    /// fault then: if it does not read either, a write takes too long.
    heard: AtomicU64,
    /// In the queue it would be late for having come behind the messages there.
    pong: Mutex<Pong>,
}

const DEAF: u64 = u64::MAX;

/// The Pong that answers our last Ping. No other is kept: a peer may send one unasked (RFC 6455
/// section 5.5.3), and right behind the answer, before the writing thread has looked.
#[derive(Clone, Copy)]
enum Pong {
    Unasked,
    Awaited([u8; 8]),
    Came([u8; 8], Duration),
}

/// What a writing thread is asked to do.
enum Item {
    Message(Prepared),
    Owed(Box<Reply>),
    /// Look for a Pong.
    Pong,
    /// Nothing more will come.
    End,
}

impl Outbox {
    /// Leaves a message in the queue, without ever waiting for space: `false` if the peer has
    /// fallen too far behind.
    pub fn offer(&self, message: &Prepared) -> bool {
        let waiting = self.line.waiting.fetch_add(message.payload().len(), Relaxed);
        match self.queue.try_send(Item::Message(message.clone())) {
            Ok(()) => waiting < MAX_WAITING,
            Err(TrySendError::Full(_)) => false,
            // It has ended, and its reading thread is about to say why.
            Err(TrySendError::Disconnected(_)) => true,
        }
    }

    /// Hangs up, which wakes both threads of the peer.
    pub fn hang_up(&self) {
        let _ = self.line.socket.shutdown(Shutdown::Both);
    }

    /// Waits for space: for the peer's own reading thread. A peer that does not read what it is
    /// owed is not read from.
    fn put(&self, item: Item) {
        if let Item::Message(message) = &item {
            self.line.waiting.fetch_add(message.payload().len(), Relaxed);
        }
        self.line.deaf(|| drop(self.queue.send(item)));
    }

    /// Tells of the Pong that is awaited, and of no other.
    fn pong(&self, payload: &[u8]) {
        let mut pong = self.line.pong();
        match *pong {
            Pong::Awaited(awaited) if awaited == *payload => {
                *pong = Pong::Came(awaited, self.line.clock.now());
            }
            _ => return,
        }
        drop(pong);
        // Where there is no space, the writing thread is about to look anyway.
        let _ = self.queue.try_send(Item::Pong);
    }
}

/// Carries on an open connection, on this thread and one more, until a Close has passed each way
/// or the peer is lost.
pub fn converse(
    opened: Opened,
    timers: Keepalive,
    clock: Clock,
    room: &Arc<Room>,
    socket: &Arc<TcpStream>,
) {
    let Opened { connection, service, mut scratch, rest } = opened;
    let (mut receiver, sender) = connection.split();
    let (queue, items) = mpsc::sync_channel(service.queue());
    let (waiting, heard) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (socket, pong) = (Arc::clone(socket), Mutex::new(Pong::Unasked));
    let line = Arc::new(Line { socket, waiting, clock, heard, pong });
    let outbox = Outbox { queue, line: Arc::clone(&line) };
    let writer = Writer { sender, timers, items, line, service };
    let Ok(thread) = thread::Builder::new().spawn(move || writer.run()) else { return };

    let mut member = match service {
        Service::Chat => Some(Member::join(room, outbox.clone())),
        Service::Echo => None,
    };
    read(&mut receiver, &mut scratch, rest, member.as_mut(), &outbox);
    outbox.put(Item::End);

    let Ok(written) = thread.join() else { return };
    let broken = receiver.error();
    let (code, reason) = receiver.eof();
    // 1006 is never on the wire, so a reason beside it is ours to give.
    let reason = match (broken, written) {
        _ if code != CloseCode::ABNORMAL => reason.to_string(),
        (Some(rule), _) => rule.to_string(),
        (None, Err(error)) => error.to_string(),
        (None, Ok(())) => "connection lost".into(),
    };
    match member {
        Some(member) => member.leave(code, &reason),
        None => log(format_args!("an echo ended: {code} {reason:?}")),
    }
}

/// The reading thread's loop: ends after the last event, or when the peer ends its side. What is in
/// the queue is still written then; only where reading fails is there nobody to write to.
fn read(
    receiver: &mut Receiver,
    scratch: &mut [u8],
    rest: Range<usize>,
    mut member: Option<&mut Member>,
    outbox: &Outbox,
) {
    let mut socket = &*outbox.line.socket;
    // The timers have moved to the writing thread, which hangs up when they say so.
    let _ = socket.set_read_timeout(None);
    let mut input = &mut scratch[rest];
    let mut owed: Option<Reply> = None;
    loop {
        outbox.line.hear();
        let Some(event) = receiver.receive(&mut input) else {
            // One slot is enough for all that a read obliges to: the newest Pong, or the Close.
            if let Some(reply) = owed.take() {
                outbox.put(Item::Owed(Box::new(reply)));
            }
            input = match socket.read(scratch) {
                Ok(0) => return,
                Ok(n) => &mut scratch[..n],
                Err(error) if error.kind() == ErrorKind::Interrupted => &mut [],
                Err(_) => return outbox.hang_up(),
            };
            continue;
        };
        if let Some(reply) = event.reply() {
            owed = Some(owed.map_or(reply, |older| older.merge(reply)));
        }
        match (event, &mut member) {
            (Event::Text(text), Some(member)) => outbox.line.deaf(|| member.text(&text)),
            (Event::Binary(data), Some(member)) => outbox.line.deaf(|| member.binary(&data)),
            (Event::Text(text), None) => outbox.put(Item::Message(Prepared::text(&text))),
            (Event::Binary(data), None) => outbox.put(Item::Message(Prepared::binary(&data))),
            (Event::Pong(payload), _) => outbox.pong(&payload),
            (Event::Close(_) | Event::Failed(_), _) => {
                return owed.into_iter().for_each(|reply| outbox.put(Item::Owed(Box::new(reply))));
            }
            _ => {}
        }
    }
}

impl Line {
    fn pong(&self) -> MutexGuard<'_, Pong> {
        self.pong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self) {
        let now = self.clock.now().as_millis();
        self.heard.store(u64::try_from(now).unwrap_or(DEAF), Relaxed);
    }

    /// Does what keeps its reading thread from hearing.
    fn deaf(&self, work: impl FnOnce()) {
        self.heard.store(DEAF, Relaxed);
        work();
        self.hear();
    }

    /// When the peer was last heard, as far as that is up to the peer.
    fn heard(&self) -> Duration {
        match self.heard.load(Relaxed) {
            DEAF => self.clock.now(),
            heard => Duration::from_millis(heard),
        }
    }
}

/// The writing thread.
struct Writer {
    sender: Sender,
    timers: Keepalive,
    items: mpsc::Receiver<Item>,
    line: Arc<Line>,
    service: Service,
}

impl Writer {
    fn run(mut self) -> io::Result<()> {
        let written = self.write();
        if written.is_err() {
            let _ = self.line.socket.shutdown(Shutdown::Both);
        }
        written
    }

    /// Writes what comes through the queue and what the timers ask for, up to the last Close.
    ///
    /// A message that is refused since our own Close is out is refused rightly: nobody is told.
    fn write(&mut self) -> io::Result<()> {
        let mut out = BytesMut::new();
        while self.sender.want() == Want::Read {
            let deadline = self.timers.next().unwrap_or(Duration::MAX);
            match self.items.recv_timeout(deadline.saturating_sub(self.line.clock.now())) {
                Ok(Item::Message(message)) => {
                    let (kind, payload) = (message.kind(), message.payload());
                    match self.service {
                        // A reference to the bytes that all members share: nothing is encoded here.
                        Service::Chat => {
                            if let Ok(frame) = self.sender.prepared(&message) {
                                self.send(&frame)?;
                            }
                        }
                        // For this peer alone, and compressed as agreed with it.
                        Service::Echo => {
                            let _ = self.sender.send_fragment(kind, payload, true, &mut out);
                        }
                    }
                    self.timers.active(self.line.clock.now());
                    self.line.waiting.fetch_sub(payload.len(), Relaxed);
                }
                Ok(Item::Owed(reply)) => self.sender.reply(&reply, &mut out),
                Ok(Item::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Item::Pong) | Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.line.clock.now();
            let pong = *self.line.pong();
            let round_trip = match pong {
                Pong::Came(payload, at) => self.timers.pong(&payload, at), // once
                Pong::Unasked | Pong::Awaited(_) => None,
            };
            if let (Some(time), Service::Chat) = (round_trip, self.service) {
                let _ = self.sender.send_text(&room::round_trip(time), &mut out);
            }
            self.timers.heard(self.line.heard());
            match self.timers.poll(now) {
                Due::Nothing => {}
                Due::Ping(payload) => {
                    // Before it is written: its Pong may be here at once.
                    *self.line.pong() = Pong::Awaited(payload);
                    let _ = self.sender.ping(&payload, &mut out);
                }
                Due::Close(_) => {
                    let _ = self.sender.close(CloseCode::GOING_AWAY, "idle", &mut out);
                    self.timers.phase(Phase::Closing, now);
                }
                Due::Abort(timeout) => return Err(io::Error::other(timeout)),
            }
            self.send(&out)?;
            out.clear();
        }
        Ok(())
    }

    /// Writes all of it. A write that times out has still taken something, or it fails: while bytes
    /// move, the peer is there.
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&*self.line.socket).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(size) => bytes = &bytes[size..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !bytes.is_empty() {
                self.timers.backlog(self.line.clock.now());
            }
        }
        Ok(())
    }
}
