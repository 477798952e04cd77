//! What a connection is held to before and after a request is one: silence, slowness, heads that cannot be read.

use std::time::{Duration, Instant};

use chainrule::limits::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::api::Api;

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let limits = Limits { body_timeout: Duration::from_millis(200), ..Limits::default() };
    let api = Api::with(limits).await;
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(b"POST /v1/explain HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_silent_client_is_given_up() {
    let limits = Limits { head_timeout: Duration::from_millis(200), ..Limits::default() };
    let api = Api::with(limits).await;
    for head in ["", "P", "POST /v1/explain HTTP/1.1\r\nhost:"] {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), read_all(&mut stream)).await;
        assert!(ended.is_ok(), "the connection that sent {head:?} is closed");
    }
    api.get("/livez").await.expect(200);
}

/// A server that gives up on a client that reads nothing for so long, and an answer of many megabytes asked of it.
async fn asked_for_much(write_timeout: Duration) -> TcpStream {
    let api = Api::with(Limits { write_timeout, ..Limits::default() }).await;
    let layers = json!([{"kind": "dense", "units": 1_000}]);
    let network = json!({"network": {"inputs": 1_000, "layers": layers}}).to_string();
    api.put("/v1/sessions/large", network).await.expect(201);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(api.address).await.unwrap();
    let head = b"GET /v1/sessions/large/weights HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream.readable().await.unwrap();
    stream
}

/// Whether these are all bytes of an answer, which comes in chunks: each has as many as it says, and the last one is empty.
fn is_whole(answer: &str) -> bool {
    let (head, mut body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut length = 0;
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            assert!(length > 15 << 20, "{length} bytes fit into sockets' own buffers");
            return rest == "\r\n";
        }
        let Some(rest) = rest.get(size..).and_then(|rest| rest.strip_prefix("\r\n")) else { return false };
        (length, body) = (length + size, rest);
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_given_up() {
    let mut stream = asked_for_much(Duration::from_millis(200)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // What had left the server by then is still on its way; the rest is not sent any more.
    assert!(!is_whole(&read_all(&mut stream).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_slowly_has_its_whole_answer() {
    let write_timeout = Duration::from_secs(1);
    let mut stream = asked_for_much(write_timeout).await;
    let start = Instant::now();
    let mut bytes = Vec::new();
    while (&mut stream).take(500_000).read_to_end(&mut bytes).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    assert!(start.elapsed() > 2 * write_timeout, "it took {:?}", start.elapsed());
    assert!(is_whole(&String::from_utf8(bytes).unwrap()));
}

/// A request whose body of 1,000 bytes has arrived but for the last one.
async fn almost_sent(api: &Api) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let head = "POST /v1/explain HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n";
    let body = format!("{head}{:<999}", r#"{"preset": "worked-example"}"#);
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

/// Room for three bodies of 1,000 bytes, and three clients that take it but for 2 bytes.
async fn crowded(bodies_timeout: Duration) -> (Api, Vec<TcpStream>) {
    let limits = Limits { body_bytes: 1_000, bodies_bytes: 3_000, bodies_timeout, ..Limits::default() };
    let api = Api::with(limits).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(almost_sent(&api).await);
    }
    (api, streams)
}

#[tokio::test]
async fn the_bodies_of_all_requests_have_room_for_so_many_bytes() {
    let (api, mut streams) = crowded(Duration::from_millis(200)).await;
    // When the server has read what was sent is its own business, but it will have.
    let start = Instant::now();
    let refused = loop {
        assert!(start.elapsed() < Duration::from_secs(20), "there is room for more than there should be");
        let answer = api.post("/v1/explain", r#"{"no": 1}"#).await;
        if answer.status != 400 {
            break answer;
        }
    };
    assert_eq!(refused.headers["retry-after"], "5");
    refused.problem(503, "overloaded");
    api.post("/v1/explain", "{ }").await.problem(503, "overloaded");
    // Two bytes are left, and what has no body needs none.
    api.post("/v1/explain", "{}").await.problem(400, "missing_field");
    api.get("/v1/sessions").await.expect(200);
    for stream in &mut streams {
        stream.write_all(b" ").await.unwrap();
        assert!(read_all(stream).await.starts_with("HTTP/1.1 200"));
    }
    api.post("/v1/explain", format!("{:<1000}", r#"{"preset": "worked-example"}"#)).await.expect(200);
}

#[tokio::test]
async fn a_body_waits_for_room() {
    let (api, mut streams) = crowded(Duration::from_mins(1)).await;
    let waiting = tokio::spawn(async move { api.post("/v1/explain", r#"{"preset": "worked-example"}"#).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    streams[0].write_all(b" ").await.unwrap();
    waiting.await.unwrap().expect(200);
    // One that is given up gives its room back too.
    let limits =
        Limits { body_bytes: 1_000, bodies_bytes: 0, body_timeout: Duration::from_millis(200), ..Limits::default() };
    let api = Api::with(limits).await;
    let _given_up = almost_sent(&api).await;
    let _gone = almost_sent(&api).await;
    api.post("/v1/explain", r#"{"preset": "worked-example"}"#).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_have_room_one_by_one_come_through_all_at_once() {
    let limits = Limits { body_bytes: 1 << 20, bodies_bytes: 2 << 20, ..Limits::default() };
    let api = Api::with(limits).await;
    let start = r#"{"preset": "worked-example"}"#;
    let body = start.to_owned() + &" ".repeat((1 << 20) - start.len());
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let (api, body) = (api.clone(), body.clone());
        clients.spawn(async move { api.post("/v1/explain", body).await.status });
    }
    assert_eq!(clients.join_all().await, [200; 20]);
}

/// Everything until the server closes the connection.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
