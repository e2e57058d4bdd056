//! The command line.

use crate::SCRATCH;
use crate::deflate::{self, Deflate};
use std::net::SocketAddr;

const HELP: &str = "\
usage: echo [ADDRESS] [options]

Sends every message back. Listens on 127.0.0.1:9002 unless told otherwise.

  --read N            read at most N bytes at a time (65536)
  --stream            send each message back as it comes, of any length
  --help              print this
";

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) deflate: Deflate,
    /// How much is read at a time.
    pub(crate) read: usize,
    /// Whether messages go back as they come.
    pub(crate) stream: bool,
}

impl Options {
    /// `None` if only help was wanted.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], 9002));
        let mut options =
            Self { address, deflate: Deflate::default(), read: SCRATCH, stream: false };
        while let Some(arg) = args.next() {
            if options.deflate.take(&arg, || args.next())? {
                continue;
            }
            match &*arg {
                "--help" => {
                    print!("{HELP}{}", deflate::HELP);
                    return Ok(None);
                }
                "--read" => {
                    let size = args.next().and_then(|text| text.parse().ok());
                    let size = size.filter(|size| (1..=SCRATCH).contains(size));
                    options.read = size.ok_or("--read wants a number from 1 to 65536")?;
                }
                "--stream" => options.stream = true,
                _ if arg.starts_with('-') => return Err(format!("what is {arg}?")),
                _ => options.address = arg.parse().map_err(|error| format!("{arg}: {error}"))?,
            }
        }
        Ok(Some(options))
    }
}
