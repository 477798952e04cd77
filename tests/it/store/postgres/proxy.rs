//! A relay in front of a server that loses what it is told to lose.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What becomes of a connection on which a client says [`MARK`].
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Loses {
    Nothing,
    /// The server gets it, and the connection ends before it answers.
    Answer,
    /// The server gets it, its answer stays away, and the connection stays.
    AnswerSilently,
    /// The connection ends before the server gets it.
    Question,
}

/// What the relay looks for. As a double, lowest byte first, it is a number that a network can be asked to learn.
pub const MARK: &[u8; 8] = b"relayed?";

/// A relay to a port; it ends with this.
pub struct Relay {
    pub port: u16,
    loses: Arc<AtomicU8>,
    _relaying: JoinSet<()>,
}

impl Relay {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let loses = Arc::new(AtomicU8::new(0));
        let mut relaying = JoinSet::new();
        let what = loses.clone();
        relaying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                connections.spawn(relay(client, server, what.clone()));
            }
        });
        Self { port: own, loses, _relaying: relaying }
    }

    pub fn loses(&self, what: Loses) {
        self.loses.store(what as u8, Ordering::SeqCst);
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, loses: Arc<AtomicU8>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut silent = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let marked = asked[..length].windows(MARK.len()).any(|window| window == MARK);
                let loses = if marked { loses.load(Ordering::SeqCst) } else { 0 };
                if loses == Loses::Question as u8 {
                    return;
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                if loses == Loses::Answer as u8 {
                    // The server is done when it answers; nobody hears of it.
                    let _answer = server.read(&mut answered).await;
                    return;
                }
                silent |= loses == Loses::AnswerSilently as u8;
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if !silent && client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
