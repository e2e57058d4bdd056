//! One pair of codecs for all connections: it is lent to the one whose turn it is.

use sockless::Connection;

#[derive(Default)]
pub(crate) struct Codecs {
    #[cfg(feature = "deflate")]
    pair: sockless::deflate::Codecs,
}

#[cfg(feature = "deflate")]
impl Codecs {
    pub(crate) fn lend(&mut self, connection: &mut Connection) {
        connection.borrow_codecs(&mut self.pair);
    }

    pub(crate) fn take_back(&mut self, connection: &mut Connection) {
        connection.return_codecs(&mut self.pair);
    }
}

#[cfg(not(feature = "deflate"))]
#[expect(clippy::unused_self, reason = "the same calls as with the feature")]
impl Codecs {
    pub(crate) fn lend(&mut self, _: &mut Connection) {}

    pub(crate) fn take_back(&mut self, _: &mut Connection) {}
}
