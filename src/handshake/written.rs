//! RFC 9110 section 6: a head that a host has parsed, written down for the reader of heads.
//!
//! HTTP/2, HTTP/3 and hosts that speak HTTP/1.1 hand over values. They are written as the head
//! that says the same, and read by the one reader there is: its rules, limits and verdicts hold
//! for them, and exist once. A head is short, and read once in the life of a connection.
//!
//! Invariant: no value can end its line, so a head has the fields it was given, and no others.

use super::class::first_control;
use super::head::{HeadError, Intake, Lines, append};
use super::list::is_token;
use crate::config::Config;
use alloc::vec::Vec;

/// A head on its way to be read.
pub(super) struct Written {
    head: Vec<u8>,
    max: usize,
    error: Option<HeadError>,
}

impl Written {
    /// A head that starts with these words, a space between them, each word in its parts.
    pub(super) fn start(config: &Config, words: &[&[&[u8]]]) -> Self {
        let (head, max) = (Vec::new(), config.max_head);
        let mut written = Self { head, max, error: None };
        for word in words {
            if !written.head.is_empty() {
                written.put(b" ");
            }
            for part in *word {
                written.value(part);
            }
        }
        written.put(b"\r\n");
        written
    }

    /// Adds a field.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        if !is_token(name) {
            self.error = self.error.or(Some(HeadError::Field));
        }
        self.put(name);
        self.put(b": ");
        self.value(value);
        self.put(b"\r\n");
    }

    fn value(&mut self, bytes: &[u8]) {
        if first_control(bytes).is_some() {
            self.error = self.error.or(Some(HeadError::Control));
        }
        self.put(bytes);
    }

    /// What is beyond the longest head is not copied: that it is there is enough.
    fn put(&mut self, bytes: &[u8]) {
        append(&mut self.head, bytes, self.max.saturating_add(1));
    }

    /// Tells `lines` of it; the head, if it is one.
    pub(super) fn read<L: Lines>(
        mut self,
        config: &Config,
        lines: &mut L,
    ) -> Result<Vec<u8>, L::Error> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let size = self.head.len().saturating_add(2);
        append(&mut self.head, b"\r\n", size);
        let mut rest = &mut self.head[..];
        match Intake::default().read(config, lines, &mut rest) {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) if rest.is_empty() => Ok(self.head),
            // Only an empty start line could make it another head than was written.
            _ => Err(HeadError::Control.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Written};
    use crate::handshake::error::RequestError;
    use crate::handshake::facts::RequestFacts;

    fn read(words: [&str; 3], fields: &[(&str, &str)]) -> Result<String, RequestError> {
        let config = Config::default();
        let [method, target, version] = words.map(|word| [word.as_bytes()]);
        let mut written = Written::start(&config, &[&method, &target, &version]);
        for (name, value) in fields {
            written.field(name.as_bytes(), value.as_bytes());
        }
        let head = written.read(&config, &mut RequestFacts::default());
        head.map(|head| String::from_utf8(head).unwrap())
    }

    // req: H-38, H-39, H-43
    #[test]
    fn nothing_adds_a_line() {
        let line = ["GET", "/", "HTTP/1.1"];
        let head = read(line, &[("a", "b c"), ("d", "")]).unwrap();
        assert_eq!(head, "GET / HTTP/1.1\r\na: b c\r\nd: \r\n\r\n");
        for (words, fields, error) in [
            (["GET\r\nHost: h", "/", "HTTP/1.1"], ("a", "b"), RequestError::Control),
            (["GET", "/ HTTP/1.1\r\nHost:", "h"], ("a", "b"), RequestError::Control),
            (line, ("a", "b\r\nc: d"), RequestError::Control),
            (line, ("a", "b\nc: d"), RequestError::Control),
            (line, ("a", "b\0"), RequestError::Control),
            (line, ("a: b\r\nc", "d"), RequestError::Field),
            (line, ("a ", "b"), RequestError::Field),
            (line, (":path", "b"), RequestError::Field),
            (line, ("", "b"), RequestError::Field),
            (["", "", ""], ("a", "b"), RequestError::RequestLine),
            (["GET", "/", ""], ("a", "b"), RequestError::RequestLine),
        ] {
            assert_eq!(read(words, &[fields]), Err(error), "{words:?} {fields:?}");
        }
        let config = Config::default();
        assert_eq!(Written::start(&config, &[&[b""]]).head, b"\r\n");
    }

    // req: X-06
    // bound: L-06
    #[test]
    fn limits_are_those_of_a_head_that_came_as_bytes() {
        let line = ["GET", "/", "HTTP/1.1"];
        let long = "a".repeat(100_000);
        assert_eq!(read(["GET", &long, "HTTP/1.1"], &[]), Err(RequestError::TargetTooLong));
        assert_eq!(read([&long, "/", "HTTP/1.1"], &[]), Err(RequestError::MethodTooLong));
        assert_eq!(read(line, &[("a", &long)]), Err(RequestError::FieldTooLong));
        let many = vec![("a", "b"); 101];
        assert!(read(line, &many[1..]).is_ok());
        assert_eq!(read(line, &many), Err(RequestError::TooManyFields));
        let large = vec![("a", &long[..8000]); 3];
        assert_eq!(read(line, &large), Err(RequestError::HeadTooLarge));
        let config = Config::default();
        let mut written = Written::start(&config, &[&[b"GET"]]);
        for _ in 0..1000 {
            written.field(b"a", long.as_bytes());
        }
        assert!(written.head.len() < config.max_head + 8 * 1000);
    }
}
