// cargo run --example tokio_server
//! An echo on tokio: `socket` lends its events, `socket/echo` answers them. Told to stop, it takes
//! no more connections, says goodbye on those it has, and waits until their peers have, too.

mod socket;

use socket::{Socket, accept::accept, echo::echo_until};
use sockless::handshake::Accept;
use sockless_embed::complain;
use sockless_embed::conversation::{SPOKEN, server_config};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut told = pin!(told_to_stop()?);
    println!("listening on {}", listener.local_addr()?);
    let (stop, stopped) = watch::channel(());
    let mut served = JoinSet::new();
    loop {
        let accepted = select! {
            () = &mut told => break,
            Some(_) = served.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(100)).await; // out of descriptors, most likely
            continue;
        };
        let stopped = stopped.clone();
        served.spawn(async move {
            if let Err(error) = serve(stream, stopped).await {
                complain(error);
            }
        });
    }
    drop((listener, stop));
    served.join_all().await; // the timers of each bound that
    Ok(())
}

/// By the terminal, or by what manages services.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

async fn serve(stream: TcpStream, mut stopped: watch::Receiver<()>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let opened =
        accept(stream, server_config(), |request| Ok(Accept::new(request).prefer(&SPOKEN)));
    match opened.await? {
        Some((stream, connection, agreed, rest)) => {
            let socket = Socket::new(stream, connection, server_config(), &rest);
            // Nothing is ever sent: the end of the channel is the word.
            let stop = async move { while stopped.changed().await.is_ok() {} };
            echo_until(stop, socket, &agreed).await
        }
        None => Ok(()),
    }
}
