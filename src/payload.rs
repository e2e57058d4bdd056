//! RFC 6455 section 5.6: what a message carries, borrowed from the caller's input or owned.
//!
//! A payload that lay whole in the input is a borrow of it; one that came in pieces is a buffer of
//! its own, no larger than twice its content. Neither refers to the connection, so a reply can be
//! sent while the payload is held.
//!
//! Invariant: a [`Text`] is UTF-8, by type.

use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// Bytes of a message or of a control frame, unmasked.
pub struct Payload<'b>(Bin<'b>);

enum Bin<'b> {
    Borrowed(&'b mut [u8]),
    Owned(Vec<u8>),
}

impl Payload<'_> {
    /// Whether these bytes are the caller's own input.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Bin::Borrowed(_))
    }

    /// The bytes as a vector: free when owned, else a copy.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Bin::Borrowed(bytes) => bytes.to_vec(),
            Bin::Owned(bytes) => bytes,
        }
    }

    /// The bytes, counted by reference: free when owned, else a copy.
    pub fn into_bytes(self) -> Bytes {
        self.into_vec().into()
    }

    /// The payload in a buffer of its own.
    pub fn into_owned(self) -> Payload<'static> {
        Payload(Bin::Owned(self.into_vec()))
    }
}

impl<'b> From<&'b mut [u8]> for Payload<'b> {
    fn from(bytes: &'b mut [u8]) -> Self {
        Self(Bin::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.capacity() / 2 > bytes.len() {
            bytes.shrink_to_fit();
        }
        Self(Bin::Owned(bytes))
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bin::Borrowed(bytes) => bytes,
            Bin::Owned(bytes) => bytes,
        }
    }
}

impl DerefMut for Payload<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Bin::Borrowed(bytes) => bytes,
            Bin::Owned(bytes) => bytes,
        }
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl fmt::Debug for Payload<'_> {
    /// The length only: a peer's bytes have no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// The characters of a text message, or of a close reason.
pub struct Text<'b>(Str<'b>);

enum Str<'b> {
    Borrowed(&'b str),
    Owned(String),
}

impl Text<'_> {
    /// Whether this text lies in the caller's own input.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Str::Borrowed(_))
    }

    /// The text as a string: free when owned, else a copy.
    pub fn into_string(self) -> String {
        match self.0 {
            Str::Borrowed(text) => text.into(),
            Str::Owned(text) => text,
        }
    }

    /// The text's bytes, counted by reference: free when owned, else a copy.
    pub fn into_bytes(self) -> Bytes {
        self.into_string().into()
    }

    /// The text in a buffer of its own.
    pub fn into_owned(self) -> Text<'static> {
        Text(Str::Owned(self.into_string()))
    }
}

impl<'b> From<&'b str> for Text<'b> {
    fn from(text: &'b str) -> Self {
        Self(Str::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(mut text: String) -> Self {
        if text.capacity() / 2 > text.len() {
            text.shrink_to_fit();
        }
        Self(Str::Owned(text))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Str::Borrowed(text) => text,
            Str::Owned(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text<'_> {
    /// The length only: a peer's text has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of text", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn what_is_owned_is_handed_on_and_what_is_borrowed_is_copied() {
        let mut input = b"input".to_vec();
        let place = input.as_ptr();
        for (free, payload) in [
            (false, Payload::from(&mut input.clone()[..])),
            (true, Payload::from(input.clone())),
            (true, Payload::from(&mut input[..]).into_owned()),
        ] {
            assert_eq!(payload.is_borrowed(), !free);
            let at = payload.as_ptr();
            let bytes = payload.into_bytes();
            assert_eq!((&bytes[..], bytes.as_ptr() == at), (&b"input"[..], free));
        }
        assert_eq!(Payload::from(&mut input[..]).as_ptr(), place);

        let input = "input".to_owned();
        for (free, text) in [
            (false, Text::from(&*input)),
            (true, Text::from(input.clone())),
            (true, Text::from(&*input).into_owned()),
        ] {
            assert_eq!(text.is_borrowed(), !free);
            let at = text.as_ptr();
            let bytes = text.into_bytes();
            assert_eq!((&bytes[..], bytes.as_ptr() == at), (&b"input"[..], free));
        }
    }

    #[test]
    fn a_payload_can_be_changed_where_it_lies() {
        let mut input = *b"abc";
        let mut payload = Payload::from(&mut input[..]);
        payload.reverse();
        assert_eq!(payload, Payload::from(b"cba".to_vec()));
        assert_eq!(&input, b"cba");
        let mut payload = Payload::from(b"abc".to_vec());
        payload.reverse();
        assert_eq!(payload, Payload::from(&mut input[..]));
    }

    #[test]
    fn a_text_is_what_it_says() {
        let (same, other) = (Text::from("abc"), Text::from("ABC"));
        for text in [Text::from("abc"), Text::from("abc".to_owned())] {
            assert!(text == "abc" && text == *"abc" && text == same);
            assert!(text != "abd" && text != *"ab" && text != other);
        }
    }

    #[test]
    fn a_buffer_is_at_most_twice_its_content() {
        for (capacity, most) in [(15, 15), (64, 14)] {
            let mut bytes = Vec::with_capacity(capacity);
            bytes.extend_from_slice(b"seven b");
            assert!(Payload::from(bytes).into_vec().capacity() <= most);
            let mut text = String::with_capacity(capacity);
            text.push_str("seven b");
            assert!(Text::from(text).into_string().capacity() <= most);
        }
    }
}
