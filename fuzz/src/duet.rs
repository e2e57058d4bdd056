//! One end of a simulated wire: what it said, in every way there is, and what it heard.

use crate::{Choices, Seen, config, connection, pieces, see};
use bytes::BytesMut;
use sockless::deflate::{Contexts, Policy};
use sockless::frame::Kind;
use sockless::{CloseCode, Config, Connection, Event, Prepared, Role, SendError};
use std::mem;

pub struct End {
    pub connection: Connection,
    pub out: BytesMut,
    open: Option<(Kind, Vec<u8>)>,
    /// A Close was said or heard.
    is_over: bool,
    pub said: Vec<Seen>,
    pub heard: Vec<Seen>,
}

impl End {
    /// Either delivery, with compression or without, drawn; what is said keeps to no limit.
    pub fn config(choice: u8) -> Config {
        let (drawn, mut config) = (config(&mut Choices(&[choice & !2])), Config::default());
        (config.delivery, config.deflate) = (drawn.delivery, drawn.deflate);
        config.deflate.iter_mut().for_each(|policy| policy.max_ratio = None);
        (config.max_message, config.max_frame) = (1 << 30, 1 << 30);
        (config.max_fragments, config.max_empty_fragments) = (u32::MAX, u16::MAX);
        config
    }

    pub fn new(role: Role, config: Config, contexts: Contexts) -> Self {
        let connection = connection(role, config, contexts);
        // Short frames have a path of their own while there is room.
        let (out, said, heard) = (BytesMut::with_capacity(1 << 10), vec![], vec![]);
        Self { connection, out, open: None, is_over: false, said, heard }
    }

    /// Says a part of a message.
    pub fn say(&mut self, kind: Kind, piece: &[u8], last: bool) {
        let kind = self.open.as_ref().map_or(kind, |open| open.0);
        match self.connection.send_fragment(kind, piece, last, &mut self.out) {
            Ok(()) => {
                let (_, message) = self.open.get_or_insert((kind, vec![]));
                message.extend_from_slice(piece);
                if let Some((kind, message)) = self.open.take_if(|_| last) {
                    self.said.push(Seen::Message(kind, message, true));
                }
            }
            Err(SendError::InvalidUtf8) => assert_eq!(kind, Kind::Text),
            Err(error) => assert!(self.is_over && error == SendError::Closed),
        }
    }

    /// Says a whole message at once.
    pub fn say_whole(&mut self, kind: Kind, data: &[u8]) {
        let (kind, result) = match std::str::from_utf8(data) {
            Ok(text) if kind == Kind::Text => {
                (Kind::Text, self.connection.send_text(text, &mut self.out))
            }
            _ => (Kind::Binary, self.connection.send_binary(data, &mut self.out)),
        };
        self.said_whole(kind, data, result);
    }

    /// Says a whole message by one of the ways that write header and payload apart.
    pub fn say_apart(&mut self, way: u8, data: &[u8]) {
        let mut once = Prepared::binary(data);
        if way & 0x80 != 0 {
            once = once.compressed(&Policy::server());
        }
        let result = match way % 3 {
            0 => self.connection.header(Kind::Binary, data.len() as u64).map(|header| {
                self.out.extend_from_slice(&header);
                self.out.extend_from_slice(data);
            }),
            1 => {
                let mut payload = data.to_vec();
                self.connection.mask_in_place(Kind::Binary, &mut payload).map(|header| {
                    self.out.extend_from_slice(&header);
                    self.out.extend_from_slice(&payload);
                })
            }
            _ => self.connection.prepared(&once).map(|bytes| {
                self.out.extend_from_slice(&bytes);
            }),
        };
        if result == Err(SendError::MaskRequired) {
            return assert!(way.is_multiple_of(3) && self.connection.role() == Role::Client);
        }
        self.said_whole(Kind::Binary, data, result);
    }

    /// A whole message is refused after a Close and within another message, and nowhere else.
    fn said_whole(&mut self, kind: Kind, data: &[u8], result: Result<(), SendError>) {
        let wanted = match self.open {
            _ if self.is_over => Err(SendError::Closed),
            Some(_) => Err(SendError::FragmentedMessageOpen),
            None => Ok(()),
        };
        assert_eq!(result, wanted);
        if result.is_ok() {
            self.said.push(Seen::Message(kind, data.to_vec(), true));
        }
    }

    pub fn close(&mut self, code: CloseCode, reason: &str) {
        let result = self.connection.close(code, reason, &mut self.out);
        let was_over = mem::replace(&mut self.is_over, true);
        assert_eq!(result, if was_over { Err(SendError::Closed) } else { Ok(()) });
    }

    /// Reads up to `size` bytes of what the other end has sent, cut at `cuts`.
    pub fn read_from(&mut self, other: &mut Self, size: usize, cuts: &[usize]) {
        let wire = other.out.split_to(size.min(other.out.len()));
        for piece in pieces(&wire, cuts) {
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            while let Some(event) = self.connection.receive(&mut input, &mut self.out) {
                see(&mut self.heard, &event);
                self.is_over |= matches!(event, Event::Close(_));
                assert!(!matches!(event, Event::Failed(_)), "{event:?}");
                self.connection.recycle(event);
            }
        }
    }

    pub fn messages(&self) -> impl Iterator<Item = &Seen> {
        self.heard.iter().filter(|seen| matches!(seen, Seen::Message(_, _, true)))
    }
}
