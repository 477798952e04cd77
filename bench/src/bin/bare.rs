//! A bare axum server with a step that is written by hand for the worked example's network, 2-2-1 with sigmoids: the
//! same numbers under the same names, by `serde_json`. And the same bytes, made once and sent again and again.
//!
//!     bare ADDRESS     POST /step, POST /fixed

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// Two by one, two by two.
type W21 = [[f64; 1]; 2];
type W22 = [[f64; 2]; 2];

#[derive(Deserialize)]
struct Batch {
    inputs: [[f64; 2]; 1],
    targets: [[f64; 1]; 1],
}

#[derive(Clone, Copy)]
struct Network {
    hidden: W22,
    output: W21,
    step: u64,
}

#[derive(Serialize)]
struct Weights<W> {
    weights: W,
}

#[derive(Serialize)]
struct Forward {
    inputs: [[f64; 2]; 1],
    layers: (LayerForward<W22, [f64; 2]>, LayerForward<W21, [f64; 1]>),
    outputs: [[f64; 1]; 1],
}

#[derive(Serialize)]
struct LayerForward<W, V> {
    name: &'static str,
    kind: &'static str,
    activation: &'static str,
    parameters: Weights<W>,
    pre_activations: [V; 1],
    outputs: [V; 1],
    derivatives: [V; 1],
}

#[derive(Serialize)]
struct Loss {
    kind: &'static str,
    targets: [[f64; 1]; 1],
    per_example: [f64; 1],
    value: f64,
}

#[derive(Serialize)]
struct Backward {
    layers: (LayerBackward<W21, [f64; 1]>, LayerBackward<W22, [f64; 2]>),
}

#[derive(Serialize)]
struct LayerBackward<W, V> {
    name: &'static str,
    kind: &'static str,
    errors: [V; 1],
    deltas: [V; 1],
    gradients: Weights<W>,
}

#[derive(Serialize)]
struct Optimizer {
    kind: &'static str,
    learning_rate: f64,
}

#[derive(Serialize)]
struct Change<W> {
    change: W,
    after: W,
}

#[derive(Serialize)]
struct Parameters<W> {
    weights: Change<W>,
}

#[derive(Serialize)]
struct LayerUpdate<W> {
    name: &'static str,
    parameters: Parameters<W>,
}

#[derive(Serialize)]
struct Update {
    optimizer: Optimizer,
    layers: (LayerUpdate<W21>, LayerUpdate<W22>),
    loss_after: f64,
}

#[derive(Serialize)]
struct Trace {
    format: &'static str,
    session: &'static str,
    step: u64,
    forward: Forward,
    loss: Loss,
    backward: Backward,
    update: Update,
}

const RATE: f64 = 0.5;

fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

impl Network {
    fn outputs(&self, [x1, x2]: [f64; 2]) -> ([f64; 2], [f64; 2], f64, f64) {
        let w = &self.hidden;
        let a = [x1 * w[0][0] + x2 * w[1][0], x1 * w[0][1] + x2 * w[1][1]];
        let h = a.map(sigmoid);
        let b = h[0] * self.output[0][0] + h[1] * self.output[1][0];
        (a, h, b, sigmoid(b))
    }

    fn step(&mut self, x: [f64; 2], y: f64) -> Trace {
        let before = *self;
        let (a, h, b, o) = self.outputs(x);
        let loss = 0.5 * (y - o) * (y - o);
        let slope_out = o * (1.0 - o);
        let error_out = y - o;
        let delta_out = error_out * slope_out;
        let gradient_out = [[-delta_out * h[0]], [-delta_out * h[1]]];
        let slopes = h.map(|h| h * (1.0 - h));
        let errors = [delta_out * before.output[0][0], delta_out * before.output[1][0]];
        let deltas = [errors[0] * slopes[0], errors[1] * slopes[1]];
        let gradient = x.map(|x| deltas.map(|delta| -delta * x));
        let change_out = gradient_out.map(|row| row.map(|g| -RATE * g));
        let change = gradient.map(|row| row.map(|g| -RATE * g));
        for i in 0..2 {
            self.output[i][0] += change_out[i][0];
            for j in 0..2 {
                self.hidden[i][j] += change[i][j];
            }
        }
        self.step += 1;
        let (.., after) = self.outputs(x);
        Trace {
            format: "chainrule.trace/1",
            session: "bench",
            step: self.step,
            forward: Forward {
                inputs: [x],
                layers: (
                    LayerForward {
                        name: "hidden",
                        kind: "dense",
                        activation: "sigmoid",
                        parameters: Weights { weights: before.hidden },
                        pre_activations: [a],
                        outputs: [h],
                        derivatives: [slopes],
                    },
                    LayerForward {
                        name: "output",
                        kind: "dense",
                        activation: "sigmoid",
                        parameters: Weights { weights: before.output },
                        pre_activations: [[b]],
                        outputs: [[o]],
                        derivatives: [[slope_out]],
                    },
                ),
                outputs: [[o]],
            },
            loss: Loss { kind: "half_squared_error", targets: [[y]], per_example: [loss], value: loss },
            backward: Backward {
                layers: (
                    LayerBackward {
                        name: "output",
                        kind: "dense",
                        errors: [[error_out]],
                        deltas: [[delta_out]],
                        gradients: Weights { weights: gradient_out },
                    },
                    LayerBackward {
                        name: "hidden",
                        kind: "dense",
                        errors: [errors],
                        deltas: [deltas],
                        gradients: Weights { weights: gradient },
                    },
                ),
            },
            update: Update {
                optimizer: Optimizer { kind: "sgd", learning_rate: RATE },
                layers: (
                    LayerUpdate {
                        name: "output",
                        parameters: Parameters { weights: Change { change: change_out, after: self.output } },
                    },
                    LayerUpdate {
                        name: "hidden",
                        parameters: Parameters { weights: Change { change, after: self.hidden } },
                    },
                ),
                loss_after: 0.5 * (y - after) * (y - after),
            },
        }
    }
}

async fn step(State(network): State<Arc<Mutex<Network>>>, Json(batch): Json<Batch>) -> impl IntoResponse {
    let trace = network.lock().unwrap_or_else(PoisonError::into_inner).step(batch.inputs[0], batch.targets[0][0]);
    Json(trace)
}

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).expect("an address, such as 127.0.0.1:8090");
    let network = Network { hidden: [[0.4, 0.3], [0.2, 0.5]], output: [[0.6], [0.4]], step: 0 };
    let fixed = serde_json::to_vec(&Network { ..network }.step([0.5, 0.3], 1.0)).expect("a trace is JSON");
    let fixed: &'static [u8] = fixed.leak();
    let routes = Router::new()
        .route("/step", post(step))
        .route("/fixed", post(async move || ([(CONTENT_TYPE, "application/json")], fixed)))
        .with_state(Arc::new(Mutex::new(network)));
    let listener = tokio::net::TcpListener::bind(&address).await.expect("the address is free");
    println!("listening on http://{}", listener.local_addr().expect("it listens"));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or(()));
    axum::serve(listener, routes).await.expect("it serves");
}
