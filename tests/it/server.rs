//! What the server holds a connection to: so many at once, so long for a head and for a body, so long after a stop.
//!
//! Where time is at stake the clock is stopped: it jumps to the next deadline whenever everybody waits, so that the
//! deadlines are those that the product ships with and no test waits for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chainrule::http::{App, router, serve};
use chainrule::limits::Limits;
use chainrule::session::{Length, Work};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, pause, resume, sleep};

use crate::api::Api;
use crate::raw::{PATIENCE, Raw};

const SECOND: Duration = Duration::from_secs(1);

/// The body follows when the server says that it waits for it.
const HEAD: &str = "POST /v1/explain HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 28\r\n\r\n";
const BODY: &str = r#"{"preset": "worked-example"}"#;

#[tokio::test]
async fn so_many_connections_are_open_at_once() {
    let api = Api::with(Limits { connections: 2, head_timeout: PATIENCE, ..Limits::default() }).await;
    let [mut first, mut second, mut third] =
        [Raw::connect(api.address).await, Raw::connect(api.address).await, Raw::connect(api.address).await];
    for connection in [&mut first, &mut second] {
        connection.request("GET", "/livez", "").await;
        connection.until(r#"{"status":"ok"}"#).await;
    }
    third.request("GET", "/livez", "").await;
    for _ in 0..20 {
        first.request("GET", "/livez", "").await;
        first.until(r#"{"status":"ok"}"#).await;
    }
    assert!(third.is_silent(), "the third one waits in the backlog");
    drop(second);
    third.until(r#"{"status":"ok"}"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up_when_its_time_is_over() {
    for head_timeout in [Limits::default().head_timeout, 40 * SECOND] {
        for head in ["", "P", "POST /v1/explain HTTP/1.1\r\nhost:"] {
            let api = Api::with(Limits { head_timeout, ..Limits::default() }).await;
            let mut silent = Raw::connect(api.address).await;
            let start = Instant::now();
            silent.send(head).await;
            silent.rest().await;
            let after = start.elapsed();
            let expected = head_timeout..head_timeout + SECOND;
            assert!(expected.contains(&after), "{head:?} was waited for {after:?}, not {head_timeout:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_served_within_its_time() {
    let head_timeout = 10 * PATIENCE;
    let api = Api::with(Limits { head_timeout, ..Limits::default() }).await;
    let mut slow = Raw::connect(api.address).await;
    slow.send("GET /livez HTTP/1.1\r\n").await;
    sleep(9 * PATIENCE).await;
    resume();
    slow.send("host: x\r\n\r\n").await;
    slow.until(r#"{"status":"ok"}"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up_when_its_time_is_over() {
    for body_timeout in [Limits::default().body_timeout, 40 * SECOND] {
        let api = Api::with(Limits { body_timeout, ..Limits::default() }).await;
        let mut silent = Raw::connect(api.address).await;
        let start = Instant::now();
        silent.send("POST /v1/explain HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await;
        let answer = silent.rest().await;
        let after = start.elapsed();
        assert!((body_timeout..body_timeout + 10 * SECOND).contains(&after), "{after:?}, not {body_timeout:?}");
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("request_timeout"), "{answer}");
        assert!(answer.contains(&format!("within {} s", body_timeout.as_secs())), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_arrives_slowly_is_read_within_its_time() {
    let body_timeout = 10 * PATIENCE;
    let api = Api::with(Limits { body_timeout, ..Limits::default() }).await;
    let mut slow = Raw::connect(api.address).await;
    slow.send(HEAD).await;
    slow.until("100 Continue\r\n\r\n").await;
    slow.send(&BODY[..10]).await;
    sleep(9 * PATIENCE).await;
    resume();
    slow.send(&BODY[10..]).await;
    let answer = slow.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A server that can be stopped, with a request that has begun: the server waits for its body.
async fn busy(stop_timeout: Duration) -> (SocketAddr, Raw, oneshot::Sender<()>, JoinHandle<()>) {
    let limits = Limits { stop_timeout, body_timeout: 100 * PATIENCE, ..Limits::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = router(Arc::clone(&App::new(limits.clone())));
    let server = tokio::spawn(async move {
        serve(listener, router, &limits, async {
            let _ = stopped.await;
        })
        .await;
    });
    let mut request = Raw::connect(address).await;
    request.send(HEAD).await;
    request.until("100 Continue\r\n\r\n").await;
    (address, request, stop, server)
}

#[tokio::test]
async fn a_running_request_ends_well_after_a_stop() {
    let (address, mut request, stop, server) = busy(PATIENCE).await;
    stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(request.is_silent() && !server.is_finished(), "nobody new is served, and the request is waited for");
    request.send(BODY).await;
    let answer = request.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("chainrule.trace/1"), "{answer}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_after_a_stop_is_cut_off() {
    for stop_timeout in [Limits::default().stop_timeout, 40 * SECOND] {
        let (_, request, stop, server) = busy(stop_timeout).await;
        pause();
        let start = Instant::now();
        stop.send(()).unwrap();
        server.await.unwrap();
        let after = start.elapsed();
        assert!((stop_timeout..stop_timeout + SECOND).contains(&after), "{after:?}, not {stop_timeout:?}");
        drop(request);
        advance(Duration::ZERO).await;
        resume();
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_the_session_goes_on() {
    async fn at_once() -> &'static str {
        panic!("at once")
    }
    async fn while_computing(State(app): State<Arc<App>>) -> &'static str {
        app.registry.compute().run(Work::Pass, Length::Long, || panic!("while computing")).await
    }
    let routes = Router::new().route("/at-once", get(at_once)).route("/while-computing", get(while_computing));
    let api = Api::with_routes(Limits::default(), routes).await;
    api.put("/v1/sessions/demo", r#"{"preset": "worked-example"}"#).await.expect(201);
    // More often than there are turns: a panic gives its turn back.
    for step in 1..=20 {
        for path in ["/at-once", "/while-computing"] {
            api.get(path).await.problem(500, "internal_error");
        }
        assert_eq!(api.post("/v1/sessions/demo/step", "{}").await.expect(200)["step"], step);
    }
    assert_eq!(api.app.registry.compute().at_work(Work::Pass), 0);
}
