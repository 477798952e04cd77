//! Training loops that are written by hand for one network each, with its sizes known when they are compiled: how fast
//! a step can be. Prints steps a second.
//!
//!     loops worked|tanh STEPS

use std::hint::black_box;
use std::time::Instant;

/// 2-2-1 with sigmoids, no biases, batch 1: the worked example.
fn worked(steps: u64) -> f64 {
    let (mut w, mut v) = ([[0.4, 0.3], [0.2, 0.5]], [0.6, 0.4]);
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    let mut sum = 0.0;
    for _ in 0..steps {
        let (x, y) = black_box(([0.5, 0.3], 1.0));
        let h = [0, 1].map(|j| sigmoid(x[0] * w[0][j] + x[1] * w[1][j]));
        let o = sigmoid(h[0] * v[0] + h[1] * v[1]);
        sum += 0.5 * (y - o) * (y - o);
        let delta = (y - o) * o * (1.0 - o);
        let deltas = [0, 1].map(|j| delta * v[j] * h[j] * (1.0 - h[j]));
        for j in 0..2 {
            v[j] += 0.5 * delta * h[j];
            for i in 0..2 {
                w[i][j] += 0.5 * deltas[j] * x[i];
            }
        }
    }
    black_box(sum)
}

/// 2-8-8-1 with tanh, a linear output, biases, batch 1, on the four rows of xor.
fn tanh(steps: u64) -> f64 {
    const ROWS: [([f64; 2], f64); 4] = [([0., 0.], 0.), ([0., 1.], 1.), ([1., 0.], 1.), ([1., 1.], 0.)];
    const RATE: f64 = 0.01;
    let start = |i: usize, j: usize| ((i * 7 + j * 13) % 17) as f64 / 17.0 - 0.5;
    let mut w1: [[f64; 8]; 2] = std::array::from_fn(|i| std::array::from_fn(|j| start(i, j)));
    let mut w2: [[f64; 8]; 8] = std::array::from_fn(|i| std::array::from_fn(|j| start(i + 3, j)));
    let mut w3: [f64; 8] = std::array::from_fn(|i| start(i + 5, 1));
    let (mut b1, mut b2, mut b3) = ([0.0; 8], [0.0; 8], 0.0);
    let mut sum = 0.0;
    for step in 0..steps {
        let (x, y) = black_box(ROWS[(step % 4) as usize]);
        let mut h1: [f64; 8] = b1;
        for j in 0..8 {
            h1[j] = (h1[j] + x[0] * w1[0][j] + x[1] * w1[1][j]).tanh();
        }
        let mut h2: [f64; 8] = b2;
        for i in 0..8 {
            for j in 0..8 {
                h2[j] += h1[i] * w2[i][j];
            }
        }
        for h in &mut h2 {
            *h = h.tanh();
        }
        let mut o = b3;
        for i in 0..8 {
            o += h2[i] * w3[i];
        }
        sum += 0.5 * (y - o) * (y - o);
        let delta = y - o;
        let d2: [f64; 8] = std::array::from_fn(|j| delta * w3[j] * (1.0 - h2[j] * h2[j]));
        let d1: [f64; 8] = std::array::from_fn(|i| {
            let error: f64 = (0..8).map(|j| d2[j] * w2[i][j]).sum();
            error * (1.0 - h1[i] * h1[i])
        });
        for i in 0..8 {
            w3[i] += RATE * delta * h2[i];
            b2[i] += RATE * d2[i];
            b1[i] += RATE * d1[i];
            for j in 0..8 {
                w2[i][j] += RATE * d2[j] * h1[i];
            }
            for k in 0..2 {
                w1[k][i] += RATE * d1[i] * x[k];
            }
        }
        b3 += RATE * delta;
    }
    black_box(sum)
}

fn main() {
    let usage = "loops worked|tanh STEPS";
    let mut arguments = std::env::args().skip(1);
    let (which, steps) = (arguments.next().expect(usage), arguments.next().expect(usage));
    let steps: u64 = steps.parse().expect(usage);
    let network = match which.as_str() {
        "worked" => worked,
        "tanh" => tanh,
        _ => panic!("{usage}"),
    };
    network(steps / 10);
    let started = Instant::now();
    network(steps);
    println!("{}", steps as f64 / started.elapsed().as_secs_f64());
}
