//! Several servers on one PostgreSQL: whichever is asked, no step is lost and none is made twice, while servers are
//! killed, PostgreSQL restarts or stands still, and answers of its get lost. All is judged by the answers alone.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::command_line::{BINARY, Server};
use crate::raw::PATIENCE;
use crate::store::postgres::proxy::{Loses, MARK, Relay};
use crate::store::postgres::server::{Server as Postgres, shared, url_by};

const REPLICAS: usize = 3;
const CLIENTS: usize = 5;
const STEPS: usize = 40;
/// A client who was not answered, or told to come again, comes again after so long.
const PAUSE: Duration = Duration::from_millis(20);

fn started(url: &str) -> Server {
    Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", url, "--log", "off"]))
}

/// Where the replicas are now, and what happens to whom.
struct Cluster {
    url: String,
    servers: Mutex<Vec<Option<Server>>>,
    client: Client,
    answered: AtomicUsize,
}

/// What one client knows of one of its requests.
struct Asked {
    keyed: bool,
    answer: Option<(u64, Vec<u8>)>,
}

impl Cluster {
    fn of(url: String) -> Arc<Self> {
        let servers = (0..REPLICAS).map(|_| Some(started(&url))).collect();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Arc::new(Self { url, servers: Mutex::new(servers), client, answered: AtomicUsize::new(0) })
    }

    /// Where a replica is, or the next one that there is.
    fn address(&self, which: usize) -> String {
        let servers = self.servers.lock().unwrap();
        let alive = (0..REPLICAS).find_map(|next| servers[(which + next) % REPLICAS].as_ref());
        alive.unwrap().address.clone()
    }

    async fn ask(&self, which: usize, method: &str, path: &str, body: &Value, key: &str) -> Option<Response> {
        let url = format!("http://{}/v1/sessions{path}", self.address(which));
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request.json(body);
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        request.send().await.ok()
    }

    /// What is answered for sure.
    async fn read(&self, which: usize, path: &str) -> Vec<u8> {
        let answer = self.ask(which, "GET", path, &Value::Null, "").await.expect("a replica that lives");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// Kills a replica in whatever it does.
    fn kill(&self, which: usize) {
        let server = self.servers.lock().unwrap()[which].take().unwrap();
        server.kill();
    }

    /// Starts it again.
    async fn start(self: &Arc<Self>, which: usize) {
        let cluster = Arc::clone(self);
        let start = move || {
            let server = started(&cluster.url);
            cluster.servers.lock().unwrap()[which] = Some(server);
        };
        spawn_blocking(start).await.unwrap();
    }

    /// Until so many requests were answered.
    async fn answered(&self, so_many: usize) {
        while self.answered.load(Ordering::SeqCst) < so_many {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Whether it is worth while to ask again; anything else but 200 is wrong.
fn comes_again(answer: &Response) -> bool {
    let status = answer.status();
    let may = status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::CONFLICT;
    assert!(may || status == StatusCode::OK, "{status}");
    assert!(!may || answer.headers().contains_key("retry-after"), "{status} without Retry-After");
    may
}

/// One client: each step with a target of its own, at one replica after the other; every other client with a key for
/// each step, and again until it is answered.
async fn steps(cluster: Arc<Cluster>, number: usize) -> BTreeMap<u64, Asked> {
    let keyed = number.is_multiple_of(2);
    let (mut all, mut which) = (BTreeMap::new(), number);
    for step in 0..STEPS {
        let mark = (number * STEPS + step + 1) as u64;
        let body = json!({"inputs": [[0.05, mark]], "targets": [[mark]]});
        let key = if keyed { format!("step-{mark}") } else { String::new() };
        let mut asked = Asked { keyed, answer: None };
        while asked.answer.is_none() {
            which += 1 + step % 2;
            let answer = cluster.ask(which, "POST", "/demo/step", &body, &key).await;
            let bytes = match answer {
                Some(answer) if !comes_again(&answer) => answer.bytes().await.ok(),
                _ => None,
            };
            if let Some(bytes) = bytes {
                let trace: Value = serde_json::from_slice(&bytes).unwrap();
                asked.answer = Some((trace["step"].as_u64().unwrap(), bytes.to_vec()));
            } else if !keyed {
                // It may have been made: without a key nobody can ask again and mean the same step.
                break;
            } else {
                sleep(PAUSE).await;
            }
        }
        cluster.answered.fetch_add(1, Ordering::SeqCst);
        all.insert(mark, asked);
        // A client sees what it was answered, whichever replica it asks.
        if let Some((step, _)) = all[&mark].answer
            && let Some(seen) = cluster.ask(which + 1, "GET", "/demo", &Value::Null, "").await
            && seen.status() == StatusCode::OK
            && let Ok(seen) = seen.json::<Value>().await
        {
            assert!(seen["step"].as_u64().unwrap() >= step, "step {step} was answered, and then not seen");
        }
    }
    all
}

/// The parameters of every layer, before and after a step, by the layer's name.
fn parameters(trace: &Value) -> [BTreeMap<String, Value>; 2] {
    let layers = |section: &str| trace[section]["layers"].as_array().unwrap().clone();
    let name = |layer: &Value| layer["name"].as_str().unwrap().to_owned();
    let before = layers("forward").iter().map(|layer| (name(layer), layer["parameters"].clone())).collect();
    let after = |layer: &Value| {
        let changes = layer["parameters"].as_object().unwrap();
        changes.iter().map(|(name, change)| (name.clone(), change["after"].clone())).collect()
    };
    [before, layers("update").iter().map(|layer| (name(layer), Value::Object(after(layer)))).collect()]
}

/// The marks of all steps of a session, each of which goes on from the one before, with the bytes of each.
async fn history(cluster: &Cluster, which: usize, session: &str) -> Vec<(u64, Vec<u8>)> {
    let last: Value = serde_json::from_slice(&cluster.read(which, &format!("/{session}")).await).unwrap();
    let (mut all, mut stood) = (vec![], None);
    for step in 1..=last["step"].as_u64().unwrap() {
        let bytes = cluster.read(which, &format!("/{session}/steps/{step}")).await;
        let trace: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(trace["step"], step);
        let [before, after] = parameters(&trace);
        assert!(stood.is_none_or(|stood| stood == before), "step {step} does not go on from the one before");
        stood = Some(after);
        all.push((trace["loss"]["targets"][0][0].as_f64().unwrap().to_bits(), bytes));
    }
    all
}

const NETWORK: &str = r#"{"network": {"inputs": 2, "layers": [{"kind": "dense", "units": 3, "activation": "tanh"},
    {"kind": "dense", "units": 1}]}, "optimizer": {"kind": "adam", "learning_rate": 0.01}, "seed": 5}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_replica_is_asked_no_step_is_lost_and_none_is_made_twice() {
    let postgres = Arc::new(Postgres::start(""));
    let cluster = Cluster::of(postgres.database().await);
    let network: Value = serde_json::from_str(NETWORK).unwrap();
    let made = cluster.ask(0, "PUT", "/demo", &network, "").await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(steps(Arc::clone(&cluster), number))).collect();
    cluster.answered(20).await;
    cluster.kill(0);
    cluster.start(0).await;
    cluster.answered(60).await;
    let restarting = Arc::clone(&postgres);
    spawn_blocking(move || restarting.control(&["-m", "immediate", "-w", "restart"])).await.unwrap();
    cluster.answered(90).await;
    cluster.kill(1);
    cluster.start(1).await;
    cluster.answered(120).await;
    postgres.signal("STOP");
    sleep(Duration::from_secs(1)).await;
    cluster.kill(2);
    postgres.signal("CONT");
    cluster.start(2).await;
    let mut asked = BTreeMap::new();
    for client in clients {
        asked.extend(client.await.unwrap());
    }
    let found = history(&cluster, 0, "demo").await;
    for which in 1..REPLICAS {
        assert_eq!(history(&cluster, which, "demo").await, found, "every replica says the same");
    }
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for (bits, _) in &found {
        *times.entry(*bits).or_default() += 1;
    }
    assert!(times.values().all(|&times| times == 1), "a step was made twice: {times:?}");
    let mut open = 0;
    for (mark, asked) in &asked {
        #[allow(clippy::cast_precision_loss, reason = "they are small")]
        let bits = (*mark as f64).to_bits();
        match &asked.answer {
            Some((step, bytes)) => {
                let (found, again) = &found[usize::try_from(step - 1).unwrap()];
                assert!(*found == bits && again == bytes, "step {step} was answered otherwise");
            }
            None => open += 1,
        }
        assert!(asked.answer.is_some() || !asked.keyed);
        times.remove(&bits);
    }
    assert!(times.is_empty(), "steps that nobody asked for: {times:?}");
    assert!(found.len() >= CLIENTS * STEPS - open, "{} steps, {open} without an answer", found.len());
    assert!(open < CLIENTS * STEPS / 2, "{open} without an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_swallowed_makes_no_step_twice() {
    let server = shared();
    let direct = server.database().await;
    let database = direct.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let relay = Relay::to(server.port).await;
    let cluster = Cluster::of(direct);
    let relayed = started(&url_by(relay.port, &database));
    cluster.servers.lock().unwrap()[0] = Some(relayed);
    let network: Value = serde_json::from_str(NETWORK).unwrap();
    assert_eq!(cluster.ask(0, "PUT", "/demo", &network, "").await.unwrap().status(), StatusCode::CREATED);
    let body = json!({"inputs": [[0.05, 0.1]], "targets": [[f64::from_le_bytes(*MARK)]]});
    let mut expected = 0;
    for (round, loses) in [Loses::Answer, Loses::Question, Loses::Answer, Loses::Question].into_iter().enumerate() {
        for key in [String::new(), format!("key-{round}")] {
            relay.loses(loses);
            let answer = cluster.ask(0, "POST", "/demo/step", &body, &key).await.unwrap();
            relay.loses(Loses::Nothing);
            let status = answer.status();
            let made = status == StatusCode::OK;
            assert!(made || comes_again(&answer), "{status}");
            assert!(made || loses == Loses::Question, "what was written is known to be: {status}");
            let first = answer.bytes().await.unwrap();
            expected += usize::from(made);
            if !key.is_empty() {
                // Again, at another replica.
                let again = cluster.ask(1, "POST", "/demo/step", &body, &key).await.unwrap();
                assert_eq!(again.status(), StatusCode::OK);
                let again = again.bytes().await.unwrap();
                assert!(!made || again == first, "another answer");
                expected += usize::from(!made);
            }
            assert_eq!(history(&cluster, 2, "demo").await.len(), expected, "after round {round} {key}");
        }
    }
}
