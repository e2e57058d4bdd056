//! What paths and growth are both given: a connection, bytes and an output, made before the count.

use bytes::BytesMut;
use sockless::Connection;
use sockless::frame::Opcode;
use sockless_instructions::{
    Aligned, client, compressed, compressing, frame, noise, output, records, server, warm,
};
use std::hint::black_box;

/// A connection, what it is given, and where it writes.
pub type Given = (Connection, Aligned, BytesMut);

pub fn given(connection: Connection, bytes: &[u8]) -> Given {
    warm();
    (connection, Aligned::new(bytes), output(bytes.len() + 64))
}

pub fn binary(len: usize) -> Given {
    given(server(), &frame(Opcode::Binary, true, &noise(len)))
}

pub fn mixed(len: usize) -> Given {
    given(server(), &frame(Opcode::Text, true, &text(len)))
}

pub fn text(len: usize) -> Vec<u8> {
    "größer ".repeat(len / 9).into_bytes()
}

pub fn deflated(len: usize) -> Given {
    let [frame] = compressed(Opcode::Binary, false, [&records(len)]);
    given(compressing(false), &frame)
}

pub fn from_client(len: usize) -> Given {
    given(client(), &noise(len))
}

pub fn from_compressing(len: usize) -> Given {
    given(compressing(false), &records(len))
}

pub fn send((mut connection, mut bytes, mut out): Given) -> Given {
    connection.send_binary(black_box(bytes.bytes()), &mut out).expect("an open connection");
    (connection, bytes, out)
}
