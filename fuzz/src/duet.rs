//! One end of a simulated wire: what it said, in every way there is, and what it heard.

use crate::{Seen, connection, see};
use bytes::BytesMut;
use sockless::deflate::{Contexts, Policy};
use sockless::frame::Kind;
use sockless::{Config, Connection, Prepared, Role, SendError};

pub struct End {
    pub connection: Connection,
    pub out: BytesMut,
    open: Option<(Kind, Vec<u8>)>,
    pub said: Vec<Seen>,
    pub heard: Vec<Seen>,
}

impl End {
    pub fn new(role: Role, config: Config, contexts: Contexts) -> Self {
        let connection = connection(role, config, contexts);
        Self { connection, out: BytesMut::new(), open: None, said: vec![], heard: vec![] }
    }

    /// Says a part of a message.
    pub fn say(&mut self, kind: Kind, piece: &[u8], last: bool) {
        let kind = self.open.as_ref().map_or(kind, |open| open.0);
        if self.connection.send_fragment(kind, piece, last, &mut self.out).is_ok() {
            let (_, message) = self.open.get_or_insert((kind, vec![]));
            message.extend_from_slice(piece);
            if let Some((kind, message)) = self.open.take_if(|_| last) {
                self.said.push(Seen::Message(kind, message, true));
            }
        }
    }

    /// Says a whole message by one of the ways that write header and payload apart.
    pub fn say_apart(&mut self, way: u8, data: &[u8]) {
        let mut once = Prepared::binary(data);
        if way & 0x80 != 0 {
            once = once.compressed(&Policy::server());
        }
        let said = match way % 3 {
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
        match said {
            Ok(()) => self.said.push(Seen::Message(Kind::Binary, data.to_vec(), true)),
            Err(error) => assert!(matches!(
                error,
                SendError::Closed | SendError::FragmentedMessageOpen | SendError::MaskRequired
            )),
        }
    }

    pub fn read_from(&mut self, other: &mut Self, size: usize) {
        let mut piece = other.out.split_to(size.min(other.out.len()));
        let mut input = &mut piece[..];
        while let Some(event) = self.connection.receive(&mut input, &mut self.out) {
            see(&mut self.heard, &event);
            self.connection.recycle(event);
        }
    }

    pub fn messages(&self) -> impl Iterator<Item = &Seen> {
        self.heard.iter().filter(|seen| matches!(seen, Seen::Message(_, _, true)))
    }
}
