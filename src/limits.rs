//! Every limit of the service: its name, its value and the reason for the number.
//!
//! A limit is checked before the thing it bounds is allocated or computed. Nothing else lives here:
//! the rooms that enforce a limit own the behaviour. Tests lower single fields to reach both sides cheaply.

use std::time::Duration;

/// The limits one server runs under. `Limits::default()` is what the product ships with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body. A batch of 1,000 rows of 784 inputs is about 15 MB of text.
    pub body_bytes: usize,
    /// Bytes of all request bodies that are being received or read, together: eight of the largest. With the numbers
    /// that are read from them that is about 1 GB.
    pub bodies_bytes: usize,
    /// Bytes of an answer, estimated from its count of numbers before anything is computed. The full trace of
    /// 784-128-64-10 with a batch of 32 is about 12 MB by that estimate.
    pub answer_bytes: u64,
    /// Multiply-adds of one request's products, functions counted as several. 10^10 keep one core busy for a few seconds, which is as long
    /// as a client without a progress report should wait.
    pub multiply_adds: u64,
    /// Numbers that one pass may leave in memory: 400 MB. Computing one of them takes up to 20 ns.
    pub pass_numbers: u64,
    /// Parameters that one gradient check looks at; each takes two forward passes.
    pub checked_parameters: usize,
    /// Inputs of a network, and units of one layer. 65,536 is a 256 × 256 picture.
    pub units: usize,
    /// Layers of a network. The telephone game needs 100; ten times that leaves room to look further.
    pub layers: usize,
    /// Parameters of one network: 16 MB as numbers, and as JSON still one answer.
    pub parameters: usize,
    /// Rows of one batch.
    pub examples: usize,
    /// Rows of one dataset.
    pub dataset_rows: usize,
    /// Numbers of one dataset, inputs and targets together: 64 MB. Its text as CSV is mostly smaller.
    pub dataset_numbers: usize,
    /// Rows that a dataset is drawn with at the most.
    pub drawn_examples: usize,
    /// Bytes that a store in memory holds: logs, snapshots and keys together. A step of a small network takes half a
    /// kilobyte.
    pub memory_store_bytes: usize,
    /// Bytes of the sessions that are held ready in memory; those not used for longest leave first and come back from
    /// their log. One in use stays.
    pub live_bytes: usize,
    /// Work between two snapshots of a session, in multiply-adds: about a tenth of a second, so that any step is
    /// recalled in a quarter of one.
    pub snapshot_work: u64,
    /// States of small sessions that are held ready from the last recalls, whichever session they are of.
    pub recalled_states: usize,
    /// Bytes of a log that are read at a time.
    pub log_bytes: usize,
    /// Time for which the answer to a request with an idempotency key is kept: a client that was offline for a day has
    /// given up.
    pub key_age: Duration,
    /// Time for which a server tries to learn what became of an append whose answer was lost.
    pub settle_timeout: Duration,
    /// Time for which a training run belongs to the server that was at work on it last. It says five times as often that
    /// it still is; whoever finds that it does not takes the run up within this time and a quarter.
    pub run_lease: Duration,
    /// Sessions in one page of a listing.
    pub page: usize,
    /// A computation with more multiply-adds than this leaves the async threads. About 100 µs of work: moving to
    /// another thread costs a tenth of that.
    pub inline_multiply_adds: u64,
    /// An answer above this many (estimated) bytes is written to JSON off the async threads, for the same reason.
    pub inline_answer_bytes: u64,
    /// Connections open at once; more wait in the listener's backlog.
    pub connections: usize,
    /// Time for a client to send a whole request head, silence included.
    pub head_timeout: Duration,
    /// Time for a client to send a whole request body.
    pub body_timeout: Duration,
    /// Time that a request waits for room for its body. Whoever was there before has sent its own by then.
    pub bodies_timeout: Duration,
    /// Time for a client to take any part of an answer that waits for it.
    pub write_timeout: Duration,
    /// Time that running requests are given when the server is asked to stop.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            bodies_bytes: 256 << 20,
            answer_bytes: 64 << 20,
            multiply_adds: 10_000_000_000,
            pass_numbers: 50_000_000,
            checked_parameters: 2_000,
            units: 65_536,
            layers: 1_000,
            parameters: 2_000_000,
            examples: 65_536,
            dataset_rows: 1_000_000,
            dataset_numbers: 8_000_000,
            drawn_examples: 10_000,
            memory_store_bytes: 1 << 30,
            live_bytes: 512 << 20,
            snapshot_work: 100_000_000,
            recalled_states: 64,
            log_bytes: 4 << 20,
            key_age: Duration::from_hours(24),
            settle_timeout: Duration::from_secs(5),
            run_lease: Duration::from_secs(5),
            page: 1_000,
            inline_multiply_adds: 50_000,
            inline_answer_bytes: 256 << 10,
            connections: 10_000,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            bodies_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// For what was accepted once: it is computed again, whatever would be accepted now.
    #[must_use]
    pub fn for_the_past(&self) -> Self {
        Self {
            answer_bytes: u64::MAX,
            multiply_adds: u64::MAX,
            pass_numbers: u64::MAX,
            units: usize::MAX,
            layers: usize::MAX,
            parameters: usize::MAX,
            examples: usize::MAX,
            ..self.clone()
        }
    }
}

/// Characters of a name (session, layer, preset): what fits a DNS label, so that a name can stand anywhere.
pub const NAME_CHARACTERS: usize = 63;

/// Paths that the chain rule is shown along at the most.
pub const PATHS: usize = 1_000;

/// Digits of the number of all paths: a thousand layers of 65,536 units have fewer than half as many.
pub const PATH_COUNT_DIGITS: usize = 10_000;

/// Passes that one grading may take: one for the trace, and one for each way of making each mistake.
pub const GRADE_PASSES: u64 = 64;

/// Dense layers of a telephone game at the most: one variant makes three layers of each.
pub const TELEPHONE_DEPTH: u64 = 300;

/// Units of a telephone game's layers at the most: what a depth does shows with far fewer.
pub const TELEPHONE_WIDTH: u64 = 1_024;

/// Sessions of a listing whose logs are read at the same time: as many as connections to the store are worth.
pub const LISTED_AT_ONCE: usize = 8;

/// Numbers that one request may set to others.
pub const OVERRIDES: usize = 100;

/// Residual blocks inside of each other; a reader of such a trace is lost long before.
pub const NESTING: usize = 8;

/// The largest seed: 2^53 − 1, the largest integer that every JSON client reads back unchanged.
pub const SEED_MAX: u64 = (1 << 53) - 1;

/// Bytes of the name of a dataset's column, or of a label, which names one: longer than any that people read.
pub const COLUMN_NAME_BYTES: usize = 256;

/// Problems named in one refusal; the first ones help, the thousandth does not.
pub const FAULTS_NAMED: usize = 20;

/// Characters of one value of a client's that a refusal quotes: enough to know it again.
pub const QUOTED_CHARACTERS: usize = 80;

/// Characters of a text in a refusal: what a client sent is quoted, but not all of it.
pub const TEXT_CHARACTERS: usize = 4_096;

/// Significant digits of a number in a worked solution, unless others are asked for: as many as a tutorial shows.
pub const DIGITS: usize = 4;

/// Significant digits of a number in a worked solution, at the most: with 17 every double is told from every other one.
pub const DIGITS_MOST: usize = 17;

/// Work of reading and checking one entry of a log, in multiply-adds: about 20 µs.
pub const ENTRY_WORK: u64 = 20_000;

/// So many entries before a step that is recalled a state is kept too, for whoever reads backward.
pub const RECALLED_BACK: usize = 64;

/// States of one log that are kept at the most.
pub const RECALLED_OF_A_LOG: usize = 4;

/// The most numbers of a state that is kept: half a megabyte.
pub const RECALLED_NUMBERS: usize = 65_536;

/// Work of a training run's step beside its products, in multiply-adds: what a step takes however small it is, about 10 µs
/// where a trace is made for it.
pub const RUN_STEP_WORK: u64 = 10_000;

/// The same where no trace is made: about 0.1 µs.
pub const RUN_QUICK_STEP_WORK: u64 = 100;

/// Steps of a training run that one entry of its log covers, at the most.
pub const RUN_ENTRY_STEPS: u64 = 1 << 20;

/// Steps of one training run.
pub const RUN_STEPS: u64 = 1_000_000_000;

/// Reports of a training run that wait for a reader; whoever is slower misses some.
pub const RUN_REPORTS: usize = 1_024;

/// Appends that one change is tried with while other servers are faster.
pub const APPENDS: usize = 100;

/// Characters of an idempotency key.
pub const KEY_CHARACTERS: usize = 255;

/// Seconds after which a client may try again where there was no room: what crowds a server for longer than that will
/// crowd it for a while.
pub const RETRY_SECONDS: u64 = 5;

/// Bytes that one number takes in an answer at the most, in a row of its own: `[-2.2250738585072014e-308],`.
pub const NUMBER_BYTES: u64 = 27;

/// The largest number that a start can be drawn with, either sign. A network that starts beyond it only overflows.
pub const INIT_MAX: f64 = 1e6;

/// An SQLite database of at most so many bytes, its log included, is checked before it is opened, a larger one while it is
/// in use: checking takes up to 20 ms a megabyte, and a start shall not take longer because more sessions are stored.
pub const DATABASE_CHECKED_FIRST: u64 = 4 << 20;

/// Connections of one server to PostgreSQL. Ten keep a disk busy, and ten servers fit into PostgreSQL's own hundred.
pub const DATABASE_CONNECTIONS: usize = 10;

/// Time for a connection to PostgreSQL to become free, or to come about.
pub const DATABASE_ACQUIRE: Duration = Duration::from_secs(3);

/// Time after which PostgreSQL itself stops a statement: the largest entry takes under a second.
pub const DATABASE_STATEMENT: Duration = Duration::from_secs(5);

/// Time that a statement may wait for another's.
pub const DATABASE_LOCK: Duration = Duration::from_secs(2);

/// Time after which PostgreSQL is taken for gone: longer than it may take itself, for its word is better than none.
pub const DATABASE_ANSWER: Duration = Duration::from_secs(8);

/// Time for the question whether PostgreSQL can be written to.
pub const DATABASE_READY: Duration = Duration::from_secs(2);
