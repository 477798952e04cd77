//! The engine by itself, a figure a call: what the service adds to it is the difference.
//!
//!     engine product SIZE THREADS   multiply-adds a second of SIZE³ in float64, in order and unfused
//!     engine text < TRACE           seconds that serde_json takes for the text of a trace

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use chainrule::engine::matrix::{Kernel, Matrix};
use serde_json::{Value, json};

const MEASURED: Duration = Duration::from_millis(700);

/// The shortest of the times that one call takes, for as long as is measured.
fn seconds<R>(mut work: impl FnMut() -> R) -> f64 {
    let started = Instant::now();
    let mut best = f64::INFINITY;
    while started.elapsed() < MEASURED {
        let one = Instant::now();
        std::hint::black_box(work());
        best = best.min(one.elapsed().as_secs_f64());
    }
    best
}

fn matrix(size: usize) -> Matrix {
    Matrix::new(size, size, (0..size * size).map(|at| ((at * 7919) % 1000) as f64 / 1000.0 - 0.5).collect())
}

fn product(size: usize, threads: usize) -> f64 {
    let (left, right) = (matrix(size), matrix(size));
    let threads = NonZeroUsize::new(threads).expect("at least one thread");
    let best = seconds(|| Matrix::product_by(left.operand(), right.operand(), Kernel::fastest(), threads));
    (size * size * size) as f64 / best
}

/// A trace that the service answered, on standard input: how long serde_json takes for the text of the same value.
fn text(trace: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(trace).expect("a trace");
    let seconds = seconds(|| serde_json::to_vec(&value).expect("a value is JSON"));
    json!({ "bytes": trace.len(), "seconds": seconds })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["product", size, threads] => {
            println!("{}", product(size.parse().expect("a size"), threads.parse().expect("threads")));
        }
        ["text"] => {
            let mut trace = vec![];
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut trace).expect("a trace on standard input");
            println!("{}", text(&trace));
        }
        _ => panic!("engine product SIZE THREADS, or engine text < TRACE"),
    }
}
