//! What a request would cost, known before anything is computed.

use super::layer::NamedLayer;
use super::model::Model;
use crate::limits::NUMBER_BYTES;

/// How far a pass goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Up to the outputs, and the loss where there are targets.
    Forward,
    /// Down to the gradients and the update they would make.
    Backward,
    /// The update made, and its loss.
    Step,
}

/// The size of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications, each with its addition, in the products of matrices; a function of a number, such as tanh,
    /// counts as 16.
    pub multiply_adds: u64,
    /// Numbers that the pass holds in memory at once.
    pub numbers: u64,
    /// The most bytes that the full trace can take as JSON.
    pub answer_bytes: u64,
    /// The most bytes that its summary can take.
    pub summary_bytes: u64,
}

/// The cost of a pass over so many examples. The sizes of a model and a batch are limited so that nothing overflows.
pub fn cost(model: &Model, examples: usize, extent: Extent) -> Cost {
    /// Names, keys and brackets of one layer in all parts of a trace.
    const LAYER_BYTES: u64 = 2_048;
    /// A correctly rounded function takes about 20 ns, a multiplication in a product about one.
    const FUNCTION: usize = 16;
    let examples = examples as u64;
    let (mut products, mut numbers) = (0_u64, examples * model.inputs() as u64);
    let mut again = 0;
    let layers = model.all_layers();
    // Gradients, changes and results, and what the optimizer makes and remembers of each parameter.
    let optimizer = model.optimizer();
    let of_each_parameter = 5 + 3 * optimizer.slots().len() as u64;
    for named in &layers {
        let (size, cost) = (named.layer.size(), named.layer.cost());
        let parameters = size.parameters as u64;
        products += examples * (cost.products + FUNCTION * cost.up) as u64;
        numbers += parameters + examples * cost.up as u64 + cost.batch as u64;
        again += examples * cost.up as u64 + cost.batch as u64;
        if extent != Extent::Forward {
            numbers += examples * cost.down as u64 + of_each_parameter * parameters;
        }
    }
    let outputs = model.layers().last().map_or(0, |layer| layer.layer.size().outputs as u64);
    // The outputs once more, the targets, and the loss before and after; a norm and a scale where gradients are clipped.
    let clip = if optimizer.clip_norm.is_some() { 2 } else { 0 };
    numbers += examples * (2 * outputs + 1) + 2 + clip;
    let products = match extent {
        Extent::Forward => products,
        Extent::Backward => 3 * products,
        Extent::Step => 4 * products,
    };
    let names = (layers.len() as u64 + 1) * LAYER_BYTES;
    // A step goes forward again for the loss after it, while its trace is there.
    let again = if extent == Extent::Step { again } else { 0 };
    Cost {
        multiply_adds: products,
        numbers: numbers + again,
        answer_bytes: numbers * NUMBER_BYTES + names,
        summary_bytes: examples * outputs * NUMBER_BYTES + names,
    }
}

/// The most bytes that the parameters and running statistics of layers can take as JSON.
pub fn parameters_bytes(layers: &[NamedLayer]) -> u64 {
    const LAYER_BYTES: u64 = 256;
    let of = |named: &NamedLayer| {
        // Running statistics are as many as a batch normalization's own parameters.
        let numbers = 2 * named.layer.size().parameters as u64;
        numbers * NUMBER_BYTES + LAYER_BYTES + parameters_bytes(named.layer.inner())
    };
    layers.iter().map(of).sum()
}

/// The most bytes that a spec can take as JSON: its explicit numbers and its words.
pub fn spec_bytes(model: &Model) -> u64 {
    const LAYER_BYTES: u64 = 512;
    model.spec().explicit_numbers() as u64 * NUMBER_BYTES + (model.all_layers().len() as u64 + 1) * LAYER_BYTES
}
