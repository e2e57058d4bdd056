//! The chat: who is here, and what they are told.
//!
//! A member's messages are plain text, but for `/name NEW` and for `/file NAME`, which names the
//! binary message that follows. What members are told is a JSON object in a text message:
//!
//! | type      | fields                    | meaning                                          |
//! |-----------|---------------------------|--------------------------------------------------|
//! | `welcome` | `you`, `members`          | the first message: your id, and who is here      |
//! | `joined`  | `id`, `name`              |                                                  |
//! | `renamed` | `id`, `name`              |                                                  |
//! | `said`    | `id`, `text`              | also told to who said it                         |
//! | `file`    | `id`, `name`, `bytes`     | to all but the sender: then the binary message   |
//! | `left`    | `id`, `code`, `reason`    | of its Close, or 1006 and what we know           |
//! | `rtt`     | `ms`                      | to one: the round trip of a Ping                 |
//!
//! Invariant: messages are offered under the lock, so all members are told everything in the same
//! order; offering never waits, so the lock is never held for long.

use crate::log;
use crate::peer::Outbox;
use sockless::{CloseCode, Config, Prepared};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a member may say: 100 messages or 16 MiB a second, with a second of grace. Beyond that it
/// is read no faster, which slows down itself and nobody else.
const PER_MESSAGE: Duration = Duration::from_millis(10);
const PER_16_KIB: Duration = Duration::from_millis(1);
const GRACE: Duration = Duration::from_secs(1);

/// The longest name, in characters.
const MAX_NAME: usize = 40;

const GUESTS: [&str; 12] = [
    "Wren", "Heron", "Kestrel", "Plover", "Swift", "Avocet", "Linnet", "Osprey", "Dunlin",
    "Curlew", "Martin", "Siskin",
];

pub struct Room {
    config: Arc<Config>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    present: BTreeMap<usize, Present>,
    /// How many have ever been here: the last member's id.
    count: usize,
}

struct Present {
    name: String,
    outbox: Outbox,
}

/// A member of the room, as its reading thread holds it.
pub struct Member {
    room: Arc<Room>,
    id: usize,
    /// What the next binary message is called.
    file: String,
    /// When all that it has said is paid for.
    paid: Instant,
}

impl Member {
    /// Lets a member in, under a name that it can change.
    pub fn join(room: &Arc<Room>, outbox: Outbox) -> Self {
        let mut inside = room.enter();
        inside.count += 1;
        let id = inside.count;
        let mut name = GUESTS[id % GUESTS.len()].to_owned();
        if id >= GUESTS.len() {
            let _ = write!(name, " {}", id / GUESTS.len() + 1);
        }
        let joined = format!(r#"{{"type":"joined","id":{id},"name":{}}}"#, quote(&name));
        inside.tell(&Prepared::text(&joined));
        inside.present.insert(id, Present { name, outbox });
        inside.welcome(id);
        Self { room: Arc::clone(room), id, file: String::new(), paid: Instant::now() }
    }

    /// The member sent a text message.
    pub fn text(&mut self, text: &str) {
        self.pay(text.len());
        if let Some(name) = text.strip_prefix("/name ") {
            self.rename(&name_of(name));
        } else if let Some(name) = text.strip_prefix("/file ") {
            self.file = name_of(name);
        } else {
            let said = format!(r#"{{"type":"said","id":{},"text":{}}}"#, self.id, quote(text));
            let said = self.room.prepare(Prepared::text(&said)); // once for all
            self.room.enter().tell(&said);
        }
    }

    /// The member sent a binary message.
    pub fn binary(&mut self, data: &[u8]) {
        self.pay(data.len());
        let name = quote(&std::mem::take(&mut self.file));
        let (id, bytes) = (self.id, data.len());
        let file = format!(r#"{{"type":"file","id":{id},"name":{name},"bytes":{bytes}}}"#);
        let (file, data) = (Prepared::text(&file), self.room.prepare(Prepared::binary(data)));
        let mut inside = self.room.enter();
        inside.tell_but(Some(id), &file);
        inside.tell_but(Some(id), &data);
    }

    /// The member is gone, unless it was dropped before.
    pub fn leave(self, code: CloseCode, reason: &str) {
        self.room.enter().drop_member(self.id, code, reason);
    }

    fn rename(&self, name: &str) {
        let mut inside = self.room.enter();
        let Some(present) = inside.present.get_mut(&self.id).filter(|_| !name.is_empty()) else {
            return;
        };
        name.clone_into(&mut present.name);
        let (id, name) = (self.id, quote(name));
        let renamed = format!(r#"{{"type":"renamed","id":{id},"name":{name}}}"#);
        inside.tell(&Prepared::text(&renamed));
    }

    fn pay(&mut self, bytes: usize) {
        let now = Instant::now();
        let blocks = u32::try_from(bytes >> 14).unwrap_or(u32::MAX);
        self.paid = self.paid.max(now) + PER_MESSAGE + PER_16_KIB * blocks;
        thread::sleep(self.paid.saturating_duration_since(now + GRACE));
    }
}

impl Room {
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, inside: Mutex::default() }
    }

    /// Adds the compressed form, if the configuration wants one. The lock is not held: it takes
    /// its time.
    fn prepare(&self, message: Prepared) -> Prepared {
        #[cfg(feature = "deflate")]
        if let Some(policy) = &self.config.deflate {
            return message.compressed(policy);
        }
        let _ = &self.config;
        message
    }

    fn enter(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn welcome(&mut self, id: usize) {
        let mut members = String::new();
        for (id, present) in &self.present {
            let comma = if members.is_empty() { "" } else { "," };
            let _ = write!(members, r#"{comma}{{"id":{id},"name":{}}}"#, quote(&present.name));
        }
        let welcome = format!(r#"{{"type":"welcome","you":{id},"members":[{members}]}}"#);
        if let Some(present) = self.present.get(&id) {
            present.outbox.offer(&Prepared::text(&welcome));
            log(format_args!("{} ({id}) joined", present.name));
        }
    }

    fn tell(&mut self, message: &Prepared) {
        self.tell_but(None, message);
    }

    /// Offers a message to everyone but one, and drops those that have no space for it. That they
    /// left is told, too, and may be too much for others: hence a loop, no recursion for each.
    fn tell_but(&mut self, but: Option<usize>, message: &Prepared) {
        let mut slow = self.offer(but, message);
        while let Some(id) = slow.pop_first() {
            if let Some(left) = self.remove(id, CloseCode::ABNORMAL, "reads too slowly") {
                slow.append(&mut self.offer(None, &left));
            }
        }
    }

    /// Who has no space for it.
    fn offer(&self, but: Option<usize>, message: &Prepared) -> BTreeSet<usize> {
        let others = self.present.iter().filter(|(id, _)| Some(**id) != but);
        others.filter(|(_, it)| !it.outbox.offer(message)).map(|(id, _)| *id).collect()
    }

    fn drop_member(&mut self, id: usize, code: CloseCode, reason: &str) {
        if let Some(left) = self.remove(id, code, reason) {
            self.tell(&left);
        }
    }

    /// What the others are to be told, if the member was present.
    fn remove(&mut self, id: usize, code: CloseCode, reason: &str) -> Option<Prepared> {
        let Present { name, outbox } = self.present.remove(&id)?;
        if code == CloseCode::ABNORMAL {
            outbox.hang_up();
        }
        // Names and reasons are the peer's: `Debug` keeps their control characters out of the log.
        log(format_args!("{name:?} ({id}) left: {code} {reason:?}"));
        let reason = quote(reason);
        let left = format!(r#"{{"type":"left","id":{id},"code":{code},"reason":{reason}}}"#);
        Some(Prepared::text(&left))
    }
}

/// What a member's page is told of a Ping.
pub fn round_trip(time: Duration) -> String {
    format!(r#"{{"type":"rtt","ms":{:.3}}}"#, time.as_secs_f64() * 1000.0)
}

/// A name in one line of reasonable length.
fn name_of(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

/// A JSON string: quotes, backslashes and control characters escaped, all else as it is.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\0'..' ' => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
