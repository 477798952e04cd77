//! One question to a running server: is it ready?

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Asks `/readyz`. The error says why the server is not ready, as far as that can be told from outside.
pub async fn healthcheck(address: SocketAddr) -> Result<(), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("{address} cannot be reached: {error}"))?;
    let spoken = |error: hyper::Error| format!("{address} does not speak HTTP: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(spoken)?;
    let question = Request::get("/readyz").header(header::HOST, address.to_string()).body(Body::empty());
    let question = question.map_err(|error| error.to_string())?;
    let answer = async { sender.send_request(question).await.map_err(spoken) };
    tokio::select! {
        // An answer that is there counts, whether or not the connection ended behind it.
        biased;
        answer = answer => match answer?.status() {
            StatusCode::OK => Ok(()),
            status => Err(format!("{address} is not ready: it answers {status}")),
        },
        ended = connection => Err(format!("{address} ended the connection: {ended:?}")),
    }
}
