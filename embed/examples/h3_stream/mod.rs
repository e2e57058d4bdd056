//! As much of HTTP/3 (RFC 9114) as WebSockets ask for (RFC 9220): settings, a head each way, and a
//! stream's DATA as something that tokio reads and writes. `quinn` is the transport, `quinn`'s
//! windows are the flow control; `qpack` knows fields, `wtransport-proto` settings and integers.
//!
//! Crate `h3` would do the same in fewer lines, but knows no `:protocol` of `websocket`.
#![allow(dead_code, reason = "each side needs a part of it")]

use bytes::{Buf as _, BytesMut};
use qpack::{HeaderField, decode_stateless, encode_stateless};
use quinn::{Connection, RecvStream, SendStream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use wtransport_proto::bytes::{BytesReader as _, BytesWriter as _};
use wtransport_proto::frame::Frame;
use wtransport_proto::settings::{SettingId, Settings};
use wtransport_proto::stream_header::StreamHeader;
use wtransport_proto::varint::VarInt;

/// What a stream is given up with (RFC 9114 section 8.1): H3_REQUEST_CANCELLED,
pub const REQUEST_CANCELLED: u32 = 0x10c;
/// H3_REQUEST_INCOMPLETE where no whole request came,
pub const REQUEST_INCOMPLETE: u32 = 0x10d;
/// H3_MESSAGE_ERROR where it was malformed;
pub const MESSAGE_ERROR: u32 = 0x10e;
/// and H3_NO_ERROR where all is said, and nobody reads what else may come.
const NO_ERROR: u32 = 0x100;

const CONTROL: u64 = 0; // a kind of stream
const DATA: u64 = 0;
const HEADERS: u64 = 1;
const SETTINGS: u64 = 4;

/// The longest head, and the most that is written as one frame.
const MAX: usize = 16 << 10;

/// Says that extended CONNECT may be used. The stream stays open as long as the connection.
pub async fn send_settings(connection: &Connection) -> io::Result<SendStream> {
    let mut stream = connection.open_uni().await?;
    let settings = Settings::builder().enable_connect_protocol().build();
    let mut bytes = Vec::new();
    StreamHeader::new_control().write(&mut bytes).map_err(|_| io::ErrorKind::Other)?;
    settings.generate_frame().write(&mut bytes).map_err(|_| io::ErrorKind::Other)?;
    stream.write_all(&bytes).await?;
    Ok(stream)
}

/// Reads the peer's control stream, and lets its other ones be: whether extended CONNECT is
/// allowed.
pub fn read_settings(connection: Connection) -> oneshot::Receiver<bool> {
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut tell, mut streams) = (Some(tell), Vec::new());
        while let Ok(mut stream) = connection.accept_uni().await {
            if read_number(&mut stream).await.is_ok_and(|kind| kind == CONTROL) {
                let read = read_frame(&mut stream, SETTINGS).await;
                let settings = read.ok().map(|payload| Frame::new_settings(payload.into()));
                let settings = settings.and_then(|frame| Settings::with_frame(&frame).ok());
                let value = settings.and_then(|all| all.get(SettingId::EnableConnectProtocol));
                let allowed = value.is_some_and(|value| value.into_inner() == 1);
                tell.take().map(|tell| tell.send(allowed));
            }
            streams.push(stream);
        }
    });
    told
}

/// An integer of variable length (RFC 9000 section 16).
async fn read_number(stream: &mut RecvStream) -> io::Result<u64> {
    let (mut bytes, mut len) = ([0; 8], 0);
    loop {
        stream.read_exact(&mut bytes[len..=len]).await.map_err(io::Error::other)?;
        len += 1;
        if let Some(number) = (&bytes[..len]).get_varint() {
            return Ok(number.into_inner());
        }
    }
}

/// The payload of the first frame of this kind; those of unknown kinds are ignored.
async fn read_frame(stream: &mut RecvStream, wanted: u64) -> io::Result<Vec<u8>> {
    loop {
        let (kind, len) = (read_number(stream).await?, read_number(stream).await?);
        if len > MAX as u64 || kind == DATA {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut payload = vec![0; len as usize];
        stream.read_exact(&mut payload).await.map_err(io::Error::other)?;
        if kind == wanted {
            return Ok(payload);
        }
    }
}

/// The pseudo-header fields of a request, and that of a response.
pub const OF_A_REQUEST: [&str; 5] = [":method", ":protocol", ":scheme", ":authority", ":path"];
pub const OF_A_RESPONSE: [&str; 1] = [":status"];

/// A head: its pseudo-header fields are known ones, each is there once, and they come first.
pub struct Head {
    pseudo: Vec<(String, String)>,
    fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// Reads what QPACK has (RFC 9204); nothing if that is malformed (RFC 9114 section 4.3), or asks
    /// for a table that our settings do not allow, which might end the connection too.
    fn decode(payload: &[u8], known: &[&str]) -> Option<Self> {
        let (mut pseudo, mut fields) = (Vec::new(), Vec::new());
        for field in decode_stateless(&mut &payload[..], MAX as u64).ok()?.fields {
            let (name, value) = field.into_inner();
            let name = String::from_utf8(name.into_owned()).ok()?;
            if !name.starts_with(':') {
                fields.push((name, value.into_owned()));
            } else if known.contains(&&name[..])
                && fields.is_empty()
                && pseudo.iter().all(|(other, _)| *other != name)
            {
                pseudo.push((name, String::from_utf8(value.into_owned()).ok()?));
            } else {
                return None;
            }
        }
        Some(Self { pseudo, fields })
    }

    /// A pseudo-header field.
    pub fn pseudo(&self, name: &str) -> Option<&str> {
        let mut pseudo = self.pseudo.iter();
        pseudo.find_map(|(found, value)| (found == name).then_some(&value[..]))
    }

    /// The other fields, in order, each as often as it came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (&name[..], &value[..]))
    }
}

fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 16);
    let numbers = [kind, payload.len() as u64].map(VarInt::try_from);
    for number in numbers.into_iter().flatten() {
        let _ = bytes.put_varint(number); // a Vec has room
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A stream of requests. Dropped before either side has ended it, or within a frame, it is reset, and
/// not ended in silence as `quinn` does: "a stream error [...] of type H3_REQUEST_CANCELLED" (RFC 9220
/// section 3).
pub struct H3Stream {
    send: SendStream,
    receive: RecvStream,
    /// What it is given up with.
    pub code: u32,
    /// A frame on its way out.
    pending: BytesMut,
    /// The start of a frame on its way in.
    start: Vec<u8>,
    /// What is left of that frame, and whether it is DATA.
    left: u64,
    is_data: bool,
}

impl H3Stream {
    pub fn new(send: SendStream, receive: RecvStream) -> Self {
        let (pending, start) = (BytesMut::new(), Vec::new());
        Self { send, receive, code: REQUEST_CANCELLED, pending, start, left: 0, is_data: false }
    }

    /// Sends a head: pseudo-header fields first.
    pub async fn send_head<N, V>(&mut self, fields: impl Iterator<Item = (N, V)>) -> io::Result<()>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut payload = Vec::new();
        let fields = fields.map(HeaderField::from);
        encode_stateless(&mut payload, fields).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(self.send.write_all(&frame(HEADERS, &payload)).await?)
    }

    /// Reads a head, which may have these pseudo-header fields.
    pub async fn read_head(&mut self, known: &[&str]) -> io::Result<Head> {
        let payload = read_frame(&mut self.receive, HEADERS).await?;
        self.code = MESSAGE_ERROR;
        let head = Head::decode(&payload, known).ok_or(io::ErrorKind::InvalidData)?;
        self.code = REQUEST_CANCELLED;
        Ok(head)
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let n = ready!(AsyncWrite::poll_write(Pin::new(&mut self.send), cx, &self.pending))?;
            self.pending.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for H3Stream {
    /// FIN is the end; a reset is an error, as one of TCP is (RFC 9220 section 3).
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut scratch = [0; 512];
        loop {
            let most = usize::try_from(this.left).unwrap_or(usize::MAX);
            let mut read = Pin::new(&mut this.receive);
            if this.left > 0 && this.is_data {
                let most = most.min(room.remaining());
                let mut part = ReadBuf::new(room.initialize_unfilled_to(most));
                ready!(AsyncRead::poll_read(read.as_mut(), cx, &mut part))?;
                let n = part.filled().len();
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                room.advance(n);
                this.left -= n as u64;
                return Poll::Ready(Ok(()));
            }
            // Another frame, passed over, or the start of the next one byte by byte.
            let most = if this.left > 0 { most.min(scratch.len()) } else { 1 };
            let mut part = ReadBuf::new(&mut scratch[..most]);
            ready!(AsyncRead::poll_read(read.as_mut(), cx, &mut part))?;
            let n = part.filled().len();
            match (n, this.left) {
                (0, 0) if this.start.is_empty() => {
                    this.code = NO_ERROR;
                    return Poll::Ready(Ok(()));
                }
                (0, _) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                (n, 1..) => this.left -= n as u64,
                _ => {
                    let byte = part.filled()[0];
                    this.start.push(byte);
                    let mut start = &this.start[..];
                    if let (Some(kind), Some(len)) = (start.get_varint(), start.get_varint()) {
                        (this.is_data, this.left) = (kind.into_inner() == DATA, len.into_inner());
                        this.start.clear();
                    }
                }
            }
        }
    }
}

impl AsyncWrite for H3Stream {
    /// A frame at a time; what is taken is written before anything else is taken.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        let n = bytes.len().min(MAX);
        self.pending.extend_from_slice(&frame(DATA, &bytes[..n]));
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_pending(cx)
    }

    /// FIN.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        // The stream has ended already, or been reset: that is as good.
        let _ = self.send.finish();
        self.code = NO_ERROR;
        Poll::Ready(Ok(()))
    }
}

impl Drop for H3Stream {
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.code = REQUEST_CANCELLED;
        }
        // What has ended stays as it is, either way.
        if self.code != NO_ERROR {
            let _ = self.send.reset(self.code.into());
        }
        let _ = self.receive.stop(self.code.into());
    }
}
