//! What a request would cost, known before anything is computed.

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
    /// Multiplications, each with its addition, in the products of matrices.
    pub multiply_adds: u64,
    /// The most bytes that the full trace can take as JSON.
    pub answer_bytes: u64,
}

/// The cost of a pass over so many examples. The sizes of a model and a batch are limited so that nothing overflows.
pub fn cost(model: &Model, examples: usize, extent: Extent) -> Cost {
    /// Names, keys and brackets of one layer in all parts of a trace.
    const LAYER_BYTES: u64 = 1_024;
    let examples = examples as u64;
    let (mut products, mut numbers) = (0_u64, examples * model.inputs() as u64);
    for layer in model.layers() {
        let size = layer.layer.size();
        let (inputs, outputs, parameters) = (size.inputs as u64, size.outputs as u64, size.parameters as u64);
        products += examples * inputs * outputs;
        // On the way up parameters, pre-activations, outputs and derivatives, and two numbers a row of a softmax.
        numbers += parameters + 3 * examples * outputs + 2 * examples;
        if extent != Extent::Forward {
            // On the way down errors, deltas and a number a row of a softmax, then gradients, changes and results.
            numbers += 2 * examples * outputs + examples + 3 * parameters;
        }
    }
    let outputs = model.layers().last().map_or(0, |layer| layer.layer.size().outputs as u64);
    // The outputs once more, the targets, and the loss.
    numbers += examples * (2 * outputs + 1) + 2;
    let products = match extent {
        Extent::Forward => products,
        Extent::Backward => 3 * products,
        Extent::Step => 4 * products,
    };
    Cost {
        multiply_adds: products,
        answer_bytes: numbers * NUMBER_BYTES + (model.layers().len() as u64 + 1) * LAYER_BYTES,
    }
}

/// The most bytes that a model's parameters can take as JSON.
pub fn parameters_bytes(model: &Model) -> u64 {
    model.parameters() as u64 * NUMBER_BYTES
}
