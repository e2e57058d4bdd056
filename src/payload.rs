//! RFC 6455 section 5.6: what a message carries, borrowed from the caller's input or owned.
//!
//! A payload that lay whole in the input is a borrow of it; one that came in pieces is a buffer of
//! its own, no larger than twice its content. Neither refers to the connection, so a reply can be
//! sent while the payload is held.
//!
//! Invariant: a [`Text`] is UTF-8, by type.

use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::ops::{Deref, DerefMut};
use core::{fmt, mem};

/// Bytes of a message or of a control frame, unmasked. `Debug` shows how many: a peer's bytes have
/// no place in a log.
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
        if is_roomy(bytes.capacity(), bytes.len()) {
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

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl PartialEq<[u8]> for Payload<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Payload<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Payload<'_> {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == other[..]
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Payload<'_> {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == other[..]
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// The characters of a text message, or of a close reason. `Display` shows them; `Debug` shows how
/// long they are in bytes, since a peer's text has no place in a log.
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
        if is_roomy(text.capacity(), text.len()) {
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

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
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

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of text", self.len())
    }
}

/// Whether a buffer is larger than twice its content.
pub(crate) const fn is_roomy(capacity: usize, len: usize) -> bool {
    capacity / 2 > len
}

/// Moves `bytes` out of a buffer that is larger than twice as long, and gives that.
pub(crate) fn leave(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    if !is_roomy(bytes.capacity(), bytes.len()) {
        return None;
    }
    let copy = bytes.clone();
    let mut room = mem::replace(bytes, copy);
    room.clear();
    Some(room)
}

/// The same with a text, whatever the size of its buffer.
pub(crate) fn leave_text(text: &mut String) -> Vec<u8> {
    let copy = text.clone();
    let mut room = mem::replace(text, copy).into_bytes();
    room.clear();
    room
}

#[cfg(test)]
mod tests {
    use super::{Payload, Text};
    use alloc::string::String;
    use alloc::vec::Vec;

    fn with_room(capacity: usize, bytes: &[u8]) -> Vec<u8> {
        let mut vec = Vec::with_capacity(capacity);
        vec.extend_from_slice(bytes);
        vec
    }

    #[test]
    fn payloads_are_compared_with_bytes_by_what_is_in_them() {
        let payload = Payload::from(b"ab".to_vec());
        for (bytes, is_same) in [(*b"ab", true), (*b"ac", false)] {
            let (array, slice) = (&bytes, &bytes[..]);
            assert_eq!((payload == *array, payload == array), (is_same, is_same));
            assert_eq!((payload == *slice, payload == slice), (is_same, is_same));
            assert_eq!(payload == Payload::from(bytes.to_vec()), is_same);
        }
        assert!(payload != b"a" && payload != b"abc");
    }

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

        let input = String::from("input");
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
    fn what_takes_bytes_or_text_takes_these() {
        fn bytes(from: impl AsRef<[u8]>) -> Vec<u8> {
            from.as_ref().to_vec()
        }
        fn text(from: impl AsRef<str>) -> String {
            from.as_ref().into()
        }
        let mut input = *b"lent";
        assert_eq!(bytes(Payload::from(&mut input[..])), b"lent");
        assert_eq!(Payload::from(&mut input[..]), b"lent");
        assert_eq!(Payload::from(&mut input[..]), *b"lent");
        assert_eq!(Payload::from(&mut input[..]), b"lent"[..]);
        assert_eq!(Payload::from(&mut input[..]), &b"lent"[..]);
        assert_ne!(Payload::from(&mut input[..]), b"lend");
        assert_eq!(bytes(Payload::from(b"owned".to_vec())), b"owned");
        assert_eq!(text(Text::from("lent")), "lent");
        assert_eq!(text(Text::from(String::from("owned"))), "owned");
    }

    #[test]
    fn a_text_is_shown_as_any_text_is() {
        let text = Text::from("é!");
        assert_eq!(format!("{text}, {text:>4}, {text:.1}"), "é!,   é!, é");
    }

    #[test]
    fn what_is_equal_has_the_same_bytes_wherever_they_lie() {
        for (one, two) in [("", ""), ("a", "a"), ("a", "b"), ("ab", "a"), ("é", "é")] {
            let wanted = one == two;
            let mut bytes = String::from(one).into_bytes();
            let borrowed = Payload::from(&mut bytes[..]);
            let owned = Payload::from(with_room(9, two.as_bytes()));
            assert!(borrowed.is_borrowed() && !owned.is_borrowed());
            assert_eq!((borrowed == owned, owned == borrowed), (wanted, wanted), "{one} {two}");
            let (borrowed, owned) = (Text::from(one), Text::from(String::from(two)));
            assert!(borrowed.is_borrowed() && !owned.is_borrowed());
            assert_eq!((borrowed == owned, owned == borrowed), (wanted, wanted), "{one} {two}");
            assert_eq!((borrowed == *two, borrowed == two), (wanted, wanted), "{one} {two}");
            assert_eq!((owned == *one, owned == one), (wanted, wanted), "{one} {two}");
        }
    }

    #[test]
    fn every_form_holds_the_bytes() {
        let mut input = *b"abcd";
        let mut payload = Payload::from(&mut input[..]);
        payload[0] = b'A';
        assert_eq!(payload.into_bytes(), &b"Abcd"[..]);
        assert_eq!(&input, b"Abcd", "the caller's own input is changed");
        let mut owned = Payload::from(&mut input[..]).into_owned();
        owned[0] = b'x';
        assert_eq!(owned.into_bytes(), &b"xbcd"[..]);
        assert_eq!(&input, b"Abcd");
        assert_eq!(Text::from("abcd").into_bytes(), &b"abcd"[..]);
        assert_eq!(Text::from("abcd").into_owned().into_string(), "abcd");
    }

    /// "No larger than twice its content", and what is not larger stays where it is.
    #[test]
    fn what_is_owned_is_handed_on_as_it_is_unless_it_is_much_too_large() {
        for (capacity, stays) in [(4, true), (7, true), (8, true), (10, false), (1000, false)] {
            let vec = with_room(capacity, b"abcd");
            let place = vec.as_ptr();
            let vec = Payload::from(vec).into_vec();
            assert_eq!(vec, b"abcd");
            assert_eq!(vec.capacity() == capacity && vec.as_ptr() == place, stays, "{capacity}");
            assert!(vec.capacity() <= 8);
            let text = String::from_utf8(with_room(capacity, b"abcd")).unwrap();
            let place = text.as_ptr();
            let text = Text::from(text).into_string();
            assert_eq!(text, "abcd");
            assert_eq!(text.capacity() == capacity && text.as_ptr() == place, stays, "{capacity}");
            assert!(text.capacity() <= 8);
        }
    }

    #[test]
    fn a_log_gets_the_length_and_no_content() {
        assert_eq!(format!("{:?}", Payload::from(vec![7; 3])), "3 bytes");
        assert_eq!(format!("{:?}", Text::from("été")), "5 bytes of text");
    }
}
