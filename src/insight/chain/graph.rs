//! A trace as a graph of variables: what depends on what, and by which factor. The paths of the chain rule run from the
//! loss down its edges.

use num_bigint::BigUint;

use crate::engine::activation::{Activated, Activation};
use crate::engine::layer::LayerForward;
use crate::engine::layer::normalization::{NormForward, Statistics};
use crate::engine::layer::residual::ResidualForward;
use crate::engine::loss::Loss;
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::tensor::ParameterName;
use crate::engine::trace::Trace;

/// A number of a variable: its example and its unit.
pub(super) type Node = (usize, usize);

/// Numbers that are computed together, `[examples][units]`, and what is computed from them.
pub(super) struct Variable<'t> {
    /// As in ∂E/∂symbol
    pub symbol: String,
    /// Whose it is; the loss is nobody's
    pub layer: Option<LayerName>,
    pub units: usize,
    /// The variables computed from this one, which stand before it in the graph, each with its edge
    pub uppers: Vec<(usize, Edge<'t>)>,
}

/// How one variable depends on another.
pub(super) enum Edge<'t> {
    /// ∂E/∂ŷ of each example, uphill
    Loss(Loss, Matrix),
    /// Each number on its own one: ∂h/∂a
    Slope(Activation, &'t Matrix),
    /// Each number on its own one, multiplied by a mask
    Mask(&'t Matrix),
    /// Each number as it is
    Same,
    /// Through weights
    Weights(&'t Matrix),
    /// All units of a row on all, h_k·([k = j] − h_j)
    Softmax(&'t Matrix),
    /// Through a normalization
    Norm(&'t NormForward),
}

/// All variables, the loss first, each behind all that is computed from it.
pub(super) struct Graph<'t> {
    pub variables: Vec<Variable<'t>>,
    /// Which variable each layer's parameters enter
    pub entered: Vec<(LayerName, usize)>,
}

impl<'t> Graph<'t> {
    /// The graph of a trace that has a loss.
    pub fn new(trace: &'t Trace, loss_errors: &Matrix) -> Option<Self> {
        let layers = &trace.forward.layers;
        let loss = trace.loss.as_ref()?;
        let mut graph = Self { variables: vec![], entered: vec![] };
        let e = graph.push("E".into(), None, 1, vec![]);
        let outputs = &trace.forward.outputs;
        let edge = Edge::Loss(loss.kind, loss_errors.map(|error| 0.0 - error));
        let last = layers.last().map(|last| last.name().clone());
        let top = graph.push("ŷ".into(), last, outputs.columns(), vec![(e, edge)]);
        graph.descend(layers, top, "");
        graph.rename_as_in_the_tutorial(layers);
        Some(graph)
    }

    fn push(
        &mut self,
        symbol: String,
        layer: Option<LayerName>,
        units: usize,
        uppers: Vec<(usize, Edge<'t>)>,
    ) -> usize {
        self.variables.push(Variable { symbol, layer, units, uppers });
        self.variables.len() - 1
    }

    /// Layers whose top one puts out the variable `top`; answers what is computed from their inputs.
    fn descend(&mut self, layers: &'t [LayerForward], top: usize, outer: &str) -> Vec<(usize, Edge<'t>)> {
        let mut outputs = top;
        let mut uppers = vec![];
        for (index, layer) in layers.iter().enumerate().rev() {
            uppers = self.layer(layer, outputs, &format!("{outer}{}", index + 1));
            if let Some(below) = index.checked_sub(1).map(|below| &layers[below]) {
                let units = below.outputs().columns();
                let symbol = format!("h{outer}{index}");
                outputs = self.push(symbol, Some(below.name().clone()), units, std::mem::take(&mut uppers));
            }
        }
        uppers
    }

    fn layer(&mut self, layer: &'t LayerForward, outputs: usize, label: &str) -> Vec<(usize, Edge<'t>)> {
        let name = layer.name().clone();
        match layer {
            LayerForward::Dense(dense) => {
                let edge = Edge::of(dense.activation, &dense.activated);
                let units = dense.pre_activations.columns();
                let a = self.push(format!("a{label}"), Some(name.clone()), units, vec![(outputs, edge)]);
                self.entered.push((name, a));
                vec![(a, Edge::Weights(dense.parameters.weights()))]
            }
            LayerForward::Activation(activation) => {
                vec![(outputs, Edge::of(activation.activation, &activation.activated))]
            }
            LayerForward::Normalization(norm) => {
                self.entered.push((name, outputs));
                vec![(outputs, Edge::Norm(norm))]
            }
            LayerForward::Dropout(dropout) => {
                vec![(outputs, dropout.mask.as_ref().map_or(Edge::Same, Edge::Mask))]
            }
            LayerForward::Residual(residual) => self.residual(residual, outputs, label),
        }
    }

    fn residual(&mut self, residual: &'t ResidualForward, outputs: usize, label: &str) -> Vec<(usize, Edge<'t>)> {
        let units = residual.branch.columns();
        let symbol = format!("h{label}.{}", residual.layers.len());
        let inner = residual.layers.last().map(|last| last.name().clone());
        let branch = self.push(symbol, inner, units, vec![(outputs, Edge::Same)]);
        let mut uppers = self.descend(&residual.layers, branch, &format!("{label}."));
        uppers.push(match &residual.parameters {
            Some(projection) => {
                self.entered.push((residual.name.clone(), outputs));
                (outputs, Edge::Weights(projection.weights()))
            }
            None => (outputs, Edge::Same),
        });
        uppers
    }

    /// Two dense layers have the tutorial's letters: E, ŷ, b, h, a.
    fn rename_as_in_the_tutorial(&mut self, layers: &[LayerForward]) {
        if let [LayerForward::Dense(_), LayerForward::Dense(_)] = layers {
            for (variable, symbol) in self.variables.iter_mut().zip(["E", "ŷ", "b", "h", "a"]) {
                variable.symbol = symbol.into();
            }
        }
    }

    /// The number of paths from the loss down to each number of a variable: the same for all of them, for each depends on
    /// as many above as its neighbours do.
    pub fn paths_down_to(&self, variable: usize) -> BigUint {
        let mut counts: Vec<BigUint> = Vec::with_capacity(variable + 1);
        for variable in &self.variables[..=variable] {
            let ways = |(upper, edge): &(usize, Edge)| BigUint::from(edge.fan()) * &counts[*upper];
            let count = if counts.is_empty() { BigUint::from(1_u8) } else { variable.uppers.iter().map(ways).sum() };
            counts.push(count);
        }
        counts.pop().unwrap_or_default()
    }

    /// Whether numbers of one example depend on another one's, above a variable.
    pub fn mixes_examples(&self, variable: usize) -> bool {
        let edges = self.variables[..=variable].iter().flat_map(|variable| &variable.uppers);
        edges
            .into_iter()
            .any(|(_, edge)| matches!(edge, Edge::Norm(norm) if norm.statistics == Some(Statistics::Batch)))
    }
}

impl<'t> Edge<'t> {
    fn of(activation: Activation, activated: &'t Activated) -> Self {
        match activated {
            Activated::Alone { derivatives, .. } => Self::Slope(activation, derivatives),
            Activated::Softmax(softmax) => Self::Softmax(&softmax.outputs),
        }
    }

    /// Every upper number that depends on the number at a node, with the factor ∂upper/∂lower.
    pub fn factors(&self, (n, j): Node, mut visit: impl FnMut(Node, f64)) {
        match self {
            Self::Loss(_, gradients) => visit((n, 0), gradients.at(n, j)),
            Self::Slope(_, factors) | Self::Mask(factors) => visit((n, j), factors.at(n, j)),
            Self::Same => visit((n, j), 1.0),
            Self::Weights(weights) => {
                for (k, &weight) in weights.row(j).iter().enumerate() {
                    visit((n, k), weight);
                }
            }
            Self::Softmax(h) => {
                for (k, &above) in h.row(n).iter().enumerate() {
                    let same = if k == j { 1.0 } else { 0.0 };
                    visit((n, k), above * (same - h.at(n, j)));
                }
            }
            Self::Norm(norm) => normalization(norm, (n, j), visit),
        }
    }

    /// The number of upper numbers that depend on one lower one.
    pub fn fan(&self) -> usize {
        match self {
            Self::Loss(..) | Self::Slope(..) | Self::Mask(_) | Self::Same => 1,
            Self::Weights(weights) => weights.columns(),
            Self::Softmax(h) => h.columns(),
            Self::Norm(norm) => match norm.statistics {
                Some(Statistics::Running) => 1,
                Some(Statistics::Batch) => norm.normalized.rows(),
                None => norm.normalized.columns(),
            },
        }
    }

    /// How the factor is computed, in the field's letters.
    pub fn formula(&self) -> &'static str {
        match self {
            Self::Loss(Loss::HalfSquaredError, _) => "ŷ − y",
            Self::Loss(Loss::MeanSquaredError, _) => "2·(ŷ − y)/K",
            Self::Loss(Loss::BinaryCrossEntropy, _) => "(ŷ − y)/(ŷ·(1 − ŷ))/K",
            Self::Loss(Loss::CrossEntropy, _) => "−y/ŷ",
            Self::Slope(activation, _) => slope(*activation),
            Self::Mask(_) => "the mask: 0 or 1/(1 − rate)",
            Self::Same => "1",
            Self::Weights(_) => "w",
            Self::Softmax(_) => "h_k·([k = j] − h_j)",
            Self::Norm(norm) => match norm.statistics {
                Some(Statistics::Running) => "γ/deviation",
                Some(Statistics::Batch) => "γ/deviation·([m = n] − 1/N − x̂_m·x̂_n/N)",
                None => "γ_k/deviation·([k = j] − 1/units − x̂_k·x̂_j/units)",
            },
        }
    }
}

/// ∂h/∂x of a normalization: every number depends on all that mean and variance were taken over.
#[allow(clippy::cast_precision_loss, reason = "sizes are limited far below 2^53")]
fn normalization(norm: &NormForward, (n, j): Node, mut visit: impl FnMut(Node, f64)) {
    let gamma = norm.parameters[ParameterName::Gamma].values();
    let x = &norm.normalized;
    let factor = |above: Node, count: usize, deviation: f64| {
        let same = if above == (n, j) { 1.0 } else { 0.0 };
        let shared = (same - 1.0 / count as f64) - x.at(above.0, above.1) * x.at(n, j) / count as f64;
        gamma[above.1] * shared / deviation
    };
    match norm.statistics {
        Some(Statistics::Running) => visit((n, j), gamma[j] / norm.deviation[j]),
        Some(Statistics::Batch) => {
            (0..x.rows()).for_each(|m| visit((m, j), factor((m, j), x.rows(), norm.deviation[j])));
        }
        None => (0..x.columns()).for_each(|k| visit((n, k), factor((n, k), x.columns(), norm.deviation[n]))),
    }
}

fn slope(activation: Activation) -> &'static str {
    match activation {
        Activation::Linear => "1",
        Activation::Sigmoid => "h·(1 − h)",
        Activation::Tanh => "1 − h²",
        Activation::Relu => "1 if a > 0, else 0",
        Activation::LeakyRelu => "1 if a > 0, else 0.01",
        Activation::Elu => "1 if a > 0, else e^a",
        Activation::Gelu => "Φ(a) + a·φ(a)",
        Activation::Silu => "σ(a)·(1 + a·(1 − σ(a)))",
        Activation::Softplus => "σ(a)",
        Activation::Softmax => "h_k·([k = j] − h_j)",
    }
}
