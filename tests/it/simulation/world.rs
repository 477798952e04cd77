//! Servers, clients and what they do to each other, by the dice.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chainrule::engine::activation::Activation;
use chainrule::engine::loss::Loss;
use chainrule::engine::matrix::Matrix;
use chainrule::engine::name::LayerName;
use chainrule::engine::optimizer::{LearningRate, Optimizer};
use chainrule::engine::spec::{
    BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, Seed, WeightsStart,
};
use chainrule::limits::Limits;
use chainrule::session::{
    Claimed, Condition, Created, Machine, Outcome, PassRequest, Registry, SessionName, SubjectSpec, Terms,
};
use chainrule::store::{Sharing, StoreError};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::check::{Told, Violation, check};
use super::store::{Disk, Lie, SimulatedStore};

/// How many servers there are, on how much of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// One at a time, on a store of its own
    One,
    /// Three, on one store
    Three,
}

const CLIENTS: usize = 4;
const DEEDS: usize = 10;
const SESSIONS: u64 = 2;
/// After this long a client gives up: longer than any server tries.
const PATIENCE: Duration = Duration::from_mins(1);

struct Server {
    registry: Registry,
    store: Arc<SimulatedStore>,
}

struct World {
    servers: Mutex<Vec<Arc<Server>>>,
    kind: Servers,
    disk: Arc<Disk>,
    machine: Arc<SimulatedMachine>,
    told: Mutex<Vec<Told>>,
    marks: AtomicU64,
}

/// A clock that goes on by itself, and random numbers that are a count.
#[derive(Default)]
struct SimulatedMachine {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Machine for SimulatedMachine {
    fn now(&self) -> i64 {
        self.now.fetch_add(1, Ordering::Relaxed)
    }

    fn random(&self) -> Result<[u8; 16], StoreError> {
        let mut bytes = [0x5a; 16];
        bytes[..8].copy_from_slice(&self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Ok(bytes)
    }
}

/// One run; how many changes were answered, or what went wrong.
pub fn run(kind: Servers, lie: Lie, seed: u64) -> Result<usize, Violation> {
    let world = in_simulated_time(kind, lie, seed);
    world.1.map(|()| world.0.iter().filter(|told| matches!(told, Told::Stepped { .. })).count())
}

/// What a run told its clients, in order.
pub fn story(kind: Servers, seed: u64) -> Vec<Told> {
    in_simulated_time(kind, Lie::None, seed).0
}

fn in_simulated_time(kind: Servers, lie: Lie, seed: u64) -> (Vec<Told>, Result<(), Violation>) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let world = Arc::new(World::new(kind, Disk::new(seed, lie)));
        world.begin().await;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let world = Arc::clone(&world);
            clients.spawn(async move { world.client(client).await });
        }
        let killer = tokio::spawn(Arc::clone(&world).killer());
        while let Some(done) = clients.join_next().await {
            done.unwrap();
        }
        killer.abort();
        // Whatever is late is there by now, and from here on nothing fails.
        sleep(PATIENCE).await;
        world.disk.trouble.store(false, Ordering::Relaxed);
        let auditor = world.server();
        let told = world.told.lock().unwrap().clone();
        let checked = check(&auditor.registry, &told, SESSIONS).await;
        (told, checked)
    })
}

pub fn session(number: u64) -> SessionName {
    SessionName::parse(&format!("s{number}")).unwrap()
}

/// A small network with an optimizer that remembers.
fn spec(seed: u64) -> SubjectSpec {
    let layer = |name: &str, units, activation| {
        let weights = WeightsStart::Init(chainrule::engine::init::Init::default());
        let kind = LayerKindSpec::Dense(DenseSpec { units, activation, weights, bias: BiasStart::Zeros });
        LayerSpec { name: LayerName::parse(name).unwrap(), kind }
    };
    let layers = vec![layer("hidden", 2, Activation::Tanh), layer("output", 1, Activation::Linear)];
    let optimizer = Optimizer::sgd(LearningRate::new(0.01).unwrap());
    let network = NetworkSpec { inputs: 1, layers };
    let model = ModelSpec { network, loss: Loss::HalfSquaredError, optimizer, seed: Seed::new(seed).unwrap() };
    SubjectSpec { model, data: None }
}

/// A step that no other one is like.
fn marked(mark: u64) -> PassRequest {
    let number = |value: f64| Some(Matrix::new(1, 1, vec![value]));
    PassRequest { inputs: number(0.5), targets: number(mark as f64 / 1024.0), ..PassRequest::default() }
}

impl World {
    fn new(kind: Servers, disk: Arc<Disk>) -> Self {
        let machine = Arc::<SimulatedMachine>::default();
        let (servers, told) = (Mutex::default(), Mutex::default());
        let world = Self { servers, kind, disk, machine, told, marks: AtomicU64::new(1) };
        let count = if kind == Servers::One { 1 } else { 3 };
        *world.servers.lock().unwrap() = (0..count).map(|_| world.server()).collect();
        world
    }

    /// A server that has just started, and knows nothing but the store.
    fn server(&self) -> Arc<Server> {
        let sharing = if self.kind == Servers::One { Sharing::Alone } else { Sharing::Shared };
        let store = Arc::new(SimulatedStore { disk: Arc::clone(&self.disk), sharing, dead: AtomicBool::new(false) });
        let limits = Limits {
            inline_multiply_adds: u64::MAX,
            snapshot_work: 20_000 * self.disk.draw(8),
            live_bytes: if self.disk.draw(3) == 0 { 0 } else { 1 << 20 },
            log_bytes: 1 << self.disk.draw(12),
            ..Limits::default()
        };
        let registry = Registry::new(limits, Arc::clone(&store) as Arc<_>, Arc::clone(&self.machine) as Arc<_>);
        Arc::new(Server { registry, store })
    }

    async fn begin(&self) {
        self.disk.trouble.store(false, Ordering::Relaxed);
        let server = self.any_server();
        for number in 0..SESSIONS {
            let created = server.registry.create(session(number), spec(number), Terms::default()).await;
            assert!(matches!(created, Ok(Created::New(_))));
        }
        self.disk.trouble.store(true, Ordering::Relaxed);
    }

    fn any_server(&self) -> Arc<Server> {
        let servers = self.servers.lock().unwrap();
        Arc::clone(&servers[usize::try_from(self.disk.draw(servers.len() as u64)).unwrap()])
    }

    /// Now and then a server dies, in the middle of whatever it does, and another one starts.
    async fn killer(self: Arc<Self>) {
        loop {
            sleep(Duration::from_millis(30 + self.disk.draw(300))).await;
            let index = usize::try_from(self.disk.draw(3)).unwrap();
            let mut servers = self.servers.lock().unwrap();
            let Some(server) = servers.get_mut(index) else { continue };
            server.store.dead.store(true, Ordering::Relaxed);
            *server = self.server();
        }
    }

    async fn client(&self, client: usize) {
        for deed in 0..DEEDS {
            sleep(Duration::from_millis(self.disk.draw(40))).await;
            let number = self.disk.draw(SESSIONS);
            match self.disk.draw(10) {
                0..3 => self.step(number).await,
                3..7 => self.step_with_key(number, format!("{client}-{deed}")).await,
                7 => self.rewind(number).await,
                _ => self.look(number).await,
            }
        }
    }

    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    /// The last step that anybody was told of a session.
    fn known(&self, number: u64) -> u64 {
        let told = self.told.lock().unwrap();
        let steps = told.iter().map(|told| match told {
            Told::Stepped { session, step, .. } | Told::Rewound { session, step } | Told::Saw { session, step, .. }
                if *session == number =>
            {
                *step
            }
            _ => 0,
        });
        steps.max().unwrap_or(0)
    }

    async fn step(&self, number: u64) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        self.tell(Told::Asked { session: number, mark });
        let server = self.any_server();
        let work = async {
            let session = server.registry.session(&session(number)).await.ok()?;
            session.step(marked(mark), Terms::default()).await.ok()
        };
        if let Ok(Some((_, live))) = timeout(PATIENCE, work).await {
            let state = live.hash().to_string();
            self.tell(Told::Stepped { session: number, step: live.step(), mark, state });
        }
    }

    /// Asked again until it is answered, of whichever server.
    async fn step_with_key(&self, number: u64, key: String) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        self.tell(Told::Asked { session: number, mark });
        for _ in 0..20 {
            let server = self.any_server();
            let work = async {
                let claim = match server.registry.claim(key.clone(), [7; 32]).await.ok()? {
                    Claimed::Again(Outcome::Changed { step, .. }) => return Some((step, String::new())),
                    Claimed::Again(_) => unreachable!("a step is answered as one"),
                    Claimed::First(claim) => claim,
                };
                let session = server.registry.session(&session(number)).await.ok()?;
                let terms = Terms { condition: Condition::None, claim: Some(claim) };
                let (_, live) = session.step(marked(mark), terms).await.ok()?;
                Some((live.step(), live.hash().to_string()))
            };
            if let Ok(Some((step, state))) = timeout(PATIENCE, work).await {
                self.tell(Told::Stepped { session: number, step, mark, state });
                return;
            }
            sleep(Duration::from_millis(self.disk.draw(200))).await;
        }
    }

    async fn rewind(&self, number: u64) {
        let server = self.any_server();
        let to = self.disk.draw(self.known(number) + 1);
        let work = async {
            let session = server.registry.session(&session(number)).await.ok()?;
            session.rewind(to, Terms::default()).await.ok()
        };
        if let Ok(Some(live)) = timeout(PATIENCE, work).await {
            self.tell(Told::Rewound { session: number, step: live.step() });
        }
    }

    async fn look(&self, number: u64) {
        let known = self.known(number);
        let server = self.any_server();
        let name = session(number);
        let work = server.registry.session(&name);
        if let Ok(Ok(session)) = timeout(PATIENCE, work).await {
            let live = session.live();
            self.tell(Told::Saw { session: number, step: live.step(), known, state: live.hash().to_string() });
        }
    }
}
