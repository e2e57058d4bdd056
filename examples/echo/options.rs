//! The command line.

use crate::deflate::{self, Deflate};
use crate::farewell::{Farewell, farewell};
use crate::{MAX_MESSAGE, SCRATCH, limits};
use sockless::Config;
use std::net::SocketAddr;

const HELP: &str = "\
usage: echo [ADDRESS] [options]

Sends every message back. Listens on 127.0.0.1:9002 unless told otherwise.

  --read N            read at most N bytes at a time (327680)
  --stream            send each message back as it comes, of any length
  --close CODE[:REASON]  close after the first message
  --help              print this
";

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) deflate: Deflate,
    pub(crate) config: Config,
    /// How to close after the first message, if that is to be done.
    pub(crate) farewell: Option<Farewell>,
    /// How much is read at a time.
    pub(crate) read: usize,
    /// Whether messages go back as they come.
    pub(crate) stream: bool,
}

impl Options {
    /// `None` if only help was wanted.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], 9002));
        let mut config = Config::default();
        config.max_message = MAX_MESSAGE;
        config.max_frame = MAX_MESSAGE;
        let deflate = Deflate::default();
        let mut options =
            Self { address, deflate, config, farewell: None, read: SCRATCH, stream: false };
        while let Some(arg) = args.next() {
            if options.deflate.take(&arg, || args.next())? {
                continue;
            }
            match &*arg {
                "--help" => {
                    print!("{HELP}{}{}", limits::HELP, deflate::HELP);
                    return Ok(None);
                }
                "--limit" => {
                    let limit =
                        args.next().and_then(|text| limits::limit(&mut options.config, &text));
                    limit.ok_or("--limit wants NAME=N")?;
                }
                "--close" => {
                    let found = args.next().and_then(|text| farewell(&text));
                    options.farewell = Some(found.ok_or("--close wants CODE[:REASON]")?);
                }
                "--read" => {
                    let size = args.next().and_then(|text| text.parse().ok());
                    let size = size.filter(|size| (1..=SCRATCH).contains(size));
                    options.read = size.ok_or("--read wants a number from 1 to 327680")?;
                }
                "--stream" => options.stream = true,
                _ if arg.starts_with('-') => return Err(format!("what is {arg}?")),
                _ => options.address = arg.parse().map_err(|error| format!("{arg}: {error}"))?,
            }
        }
        Ok(Some(options))
    }
}
