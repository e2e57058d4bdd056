//! The two threads that wait for input, the server's and the user's, and how they tell the third.

use crate::{SCRATCH, harmless};
use sockless::{Event, Receiver, Reply};
use std::io::{self, BufRead, BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What wakes the main thread.
pub(crate) enum Input {
    Line(Vec<u8>),
    End,
    /// There is something in the [`Slot`].
    Slot,
}

/// What the reading thread has to tell, and what it is told.
#[derive(Default)]
pub(crate) struct Slot {
    /// Bytes came.
    pub(crate) heard: bool,
    /// Output takes its time: that nothing more is heard is not the server's fault.
    pub(crate) printing: bool,
    /// Nobody wants the output any more.
    pub(crate) unwanted: bool,
    pub(crate) reply: Option<Reply>,
    /// The last Ping, told by the main thread before it is written: its Pong may be here at once.
    pub(crate) ping: Option<[u8; 8]>,
    /// The Pong that answers it. No other is kept: a server may send one unasked (RFC 6455 section
    /// 5.5.3), and right behind the answer, before the main thread has looked.
    pub(crate) pong: Option<[u8; 8]>,
    /// The transport has ended.
    pub(crate) ended: Option<Receiver>,
}

pub(crate) struct Post {
    pub(crate) slot: Arc<Mutex<Slot>>,
    pub(crate) wake: SyncSender<Input>,
}

impl Post {
    fn tell(&self, what: impl FnOnce(&mut Slot)) {
        what(&mut lock(&self.slot));
        // If there is no room, the main thread is about to wake anyway.
        let _ = self.wake.try_send(Input::Slot);
    }
}

pub(crate) fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reading thread: prints what comes, and tells what that obliges to.
pub(crate) fn read(mut socket: TcpStream, mut receiver: Receiver, mut early: Vec<u8>, post: &Post) {
    let mut scratch = vec![0; SCRATCH];
    let mut stdout = BufWriter::new(io::stdout());
    let escape = io::stdout().is_terminal();
    let mut input = &mut early[..];
    loop {
        post.tell(|slot| (slot.heard, slot.printing) = (true, true));
        let mut printed = Ok(());
        while let Some(event) = receiver.receive(&mut input) {
            let reply = event.reply();
            let pong = if let Event::Pong(data) = &event { (**data).try_into().ok() } else { None };
            if reply.is_some() || pong.is_some() {
                post.tell(|slot| {
                    slot.reply = slot.reply.take().into_iter().chain(reply).reduce(Reply::merge);
                    if pong.is_some() && pong == slot.ping {
                        slot.pong = pong;
                    }
                });
            }
            printed = printed.and_then(|()| match event {
                Event::Text(text) if escape => writeln!(stdout, "{}", harmless(&text)),
                Event::Text(text) => writeln!(stdout, "{}", &*text),
                Event::Binary(data) => writeln!(stdout, "<{} bytes of binary>", data.len()),
                _ => Ok(()),
            });
        }
        let unwanted = printed.and_then(|()| stdout.flush()).is_err();
        post.tell(|slot| (slot.printing, slot.unwanted) = (false, unwanted));
        let size = loop {
            match socket.read(&mut scratch) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                size => break size.unwrap_or(0),
            }
        };
        if size == 0 {
            return post.tell(|slot| slot.ended = Some(receiver));
        }
        input = &mut scratch[..size];
    }
}

pub(crate) fn read_lines(inputs: &SyncSender<Input>) {
    let mut stdin = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let more = matches!(stdin.read_until(b'\n', &mut line), Ok(1..));
        let end = [&b"\r\n"[..], b"\n"].into_iter().find(|end| line.ends_with(end));
        line.truncate(line.len() - end.map_or(0, <[u8]>::len));
        if inputs.send(if more { Input::Line(line) } else { Input::End }).is_err() || !more {
            return;
        }
    }
}
