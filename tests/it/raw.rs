//! A connection without a client's manners: what is sent when, and what has come back so far.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For what is sure to happen on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// A whole request.
    pub async fn request(&mut self, method: &str, path: &str, body: &str) {
        let length = body.len();
        self.send(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// What has come until a text ends so.
    pub async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&bytes).ends_with(end) {
                let byte = self.0.read_u8().await;
                bytes.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))));
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no {end:?} came"));
        String::from_utf8(bytes).unwrap()
    }

    /// Whether nothing has come yet, the connection's end included.
    pub fn is_silent(&self) -> bool {
        let nothing = self.0.try_read(&mut [0]).unwrap_err();
        nothing.kind() == std::io::ErrorKind::WouldBlock
    }

    /// Everything until the server closes the connection.
    pub async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
