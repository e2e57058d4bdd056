//! RFC 6455 section 5.4: messages assembled in room that a pool has lent.
//!
//! The room of a message is that of the next one, as long as it is borrowed. What is borrowed goes
//! back as a whole: an unfinished message moves out of room that it fills less than half of.
//!
//! Invariant: what is not borrowed has no room between messages, and no more than a message asks
//! for in the middle of one.

use super::Receiver;
use crate::event::Event;
use crate::pool::Pool;
use core::mem;

impl Receiver {
    /// Takes what the pool has for receiving. See
    /// [`Connection::borrow_from`](crate::Connection::borrow_from).
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        #[cfg(feature = "deflate")]
        self.inflation.borrow_from(&mut pool.codecs);
        self.borrows = true;
        self.spare.keep(mem::take(&mut pool.spare));
    }

    /// Gives it back. See [`Connection::return_to`](crate::Connection::return_to).
    pub fn return_to(&mut self, pool: &mut Pool) {
        #[cfg(feature = "deflate")]
        self.inflation.return_to(&mut pool.codecs);
        if mem::take(&mut self.borrows) {
            pool.spare.keep(mem::take(&mut self.spare));
            if let Some(room) = self.message.as_mut().and_then(|message| message.release()) {
                pool.spare.keep_room(room);
            }
        }
    }

    /// Takes the memory of an event that is done with. See
    /// [`Connection::recycle`](crate::Connection::recycle).
    pub fn recycle(&mut self, event: Event<'_>) {
        if let Some(room) = event.into_room().filter(|_| self.borrows) {
            self.spare.keep_room(room);
        }
    }

    /// The message is over; its room serves the next, if it is lent.
    pub(super) fn put_away(&mut self) {
        if let Some(message) = self.message.take().filter(|_| self.borrows) {
            self.spare.keep(message);
        }
    }
}
