//! A layer of a stack with its buffers: a dense one, or an activation alone.

use super::narrow;
use super::update::{Parameter, Plain};
use crate::engine::activation::Activation;
use crate::engine::layer::NamedLayer;
use crate::engine::matrix::{Operand, Packing, product_into};
use crate::engine::state::LayerState;
use crate::engine::tensor::ParameterName;

pub(super) struct StackedLayer {
    activation: Activation,
    inputs: usize,
    units: usize,
    weights: Option<Parameter>,
    bias: Option<Parameter>,
    /// a, h, −∂E/∂h and −∂E/∂a, each `[examples][units]`, as many examples as a batch may have
    pre_activations: Vec<f64>,
    pub(super) outputs: Vec<f64>,
    pub(super) errors: Vec<f64>,
    deltas: Vec<f64>,
}

impl StackedLayer {
    /// `None` where it is another kind of layer.
    pub(super) fn new(named: &NamedLayer, state: &LayerState, rows: usize) -> Option<Self> {
        let activation = named.layer.activation()?;
        let size = named.layer.size();
        let buffer = || vec![0.0; rows * size.outputs];
        let parameter = |name| state.parameters.get(name).map(|tensor| Parameter::new(tensor, &state.slots[name]));
        Some(Self {
            activation,
            inputs: size.inputs,
            units: size.outputs,
            weights: parameter(ParameterName::Weights),
            bias: parameter(ParameterName::Bias),
            pre_activations: buffer(),
            outputs: buffer(),
            errors: buffer(),
            deltas: buffer(),
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// In the order in which a state lists them.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> + Clone {
        self.weights.iter().chain(&self.bias)
    }

    pub(super) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        [&mut self.weights, &mut self.bias].into_iter().flatten()
    }

    /// h = f(x·w + bias); whether all pre-activations are finite.
    pub(super) fn climb(&mut self, below: &[f64], rows: usize, packing: &mut Packing) -> bool {
        let (inputs, units) = (self.inputs, self.units);
        let (below, a) = (&below[..rows * inputs], &mut self.pre_activations[..rows * units]);
        match &self.weights {
            Some(weights) if rows == 1 && units <= narrow::UNITS => narrow::sums(below, &weights.values, a),
            Some(weights) => {
                let weights = Operand::of_values(&weights.values, inputs, units);
                product_into(Operand::of_values(below, rows, inputs), weights, a, packing);
            }
            None => a.copy_from_slice(below),
        }
        if let Some(bias) = &self.bias {
            for a in a.chunks_exact_mut(units) {
                a.iter_mut().zip(&bias.values).for_each(|(a, bias)| *a += bias);
            }
        }
        self.activation.outputs_into(a, units, &mut self.outputs[..rows * units]);
        a.iter().fold(true, |all, a| all & a.is_finite())
    }

    /// From errors to deltas, to the sums of the gradients over the examples, and to the errors of the layer below; by
    /// plain descent to each parameter after the step instead of the sums. Whether these are finite.
    pub(super) fn descend(
        &mut self,
        below: &[f64],
        errors_below: Option<&mut Vec<f64>>,
        (rows, plain): (usize, Option<Plain>),
        packing: &mut Packing,
    ) -> bool {
        let (inputs, units) = (self.inputs, self.units);
        let of = rows * units;
        let deltas = &mut self.deltas[..of];
        let (a, h) = (&self.pre_activations[..of], &self.outputs[..of]);
        self.activation.deltas_into(&self.errors[..of], a, h, units, deltas);
        let errors_below = errors_below.map(|errors| &mut errors[..rows * inputs]);
        let Some(weights) = &mut self.weights else {
            if let Some(errors) = errors_below {
                errors.copy_from_slice(deltas);
            }
            return true;
        };
        let downhill = Operand::of_values(deltas, rows, units);
        let below = Operand::of_values(&below[..rows * inputs], rows, inputs).turned();
        let mut fine = true;
        if let Some(plain) = plain {
            fine = weights.descend(below, downhill, plain, packing);
        } else {
            product_into(below, downhill, &mut weights.gradient, packing);
        }
        if let Some(bias) = &mut self.bias {
            let mut deltas = deltas.chunks_exact(units);
            if let Some(first) = deltas.next() {
                bias.gradient.copy_from_slice(first);
            }
            for deltas in deltas {
                bias.gradient.iter_mut().zip(deltas).for_each(|(sum, delta)| *sum += delta);
            }
            fine &= plain.is_none_or(|plain| bias.descend_from_sums(plain));
        }
        if let Some(errors) = errors_below {
            product_into(downhill, Operand::of_values(&weights.values, inputs, units).turned(), errors, packing);
        }
        fine
    }

    /// Whether a step of one example by plain descent is made by [`Self::descend_and_update`].
    pub(super) fn is_narrow(&self) -> bool {
        self.units <= narrow::UNITS
    }

    /// [`Self::descend`] of one example, and each parameter after a step of plain descent; whether all are finite.
    pub(super) fn descend_and_update(&mut self, below: &[f64], errors_below: Option<&mut Vec<f64>>, rate: f64) -> bool {
        let (inputs, units) = (self.inputs, self.units);
        let deltas = &mut self.deltas[..units];
        let (errors, a, h) = (&self.errors[..units], &self.pre_activations[..units], &self.outputs[..units]);
        self.activation.deltas_into(errors, a, h, units, deltas);
        let errors_below = errors_below.map(|errors| &mut errors[..inputs]);
        let Some(weights) = &mut self.weights else {
            if let Some(errors) = errors_below {
                errors.copy_from_slice(deltas);
            }
            return true;
        };
        if let Some(errors) = errors_below {
            narrow::errors(&weights.values, deltas, errors);
        }
        let (values, after) = weights.numbers_mut();
        let fine = narrow::descent(&below[..inputs], deltas, rate, values, after);
        let Some(bias) = &mut self.bias else { return fine };
        let (values, after) = bias.numbers_mut();
        // A bias is the weight of an input that is 1.
        fine & narrow::descent(&[1.0], deltas, rate, values, after)
    }

    /// The numbers after the step become the layer's own.
    pub(super) fn commit(&mut self) {
        self.parameters_mut().for_each(Parameter::commit);
    }

    pub(super) fn state(&self, like: &LayerState) -> LayerState {
        like.filled(self.parameters().flat_map(Parameter::numbers))
    }

    pub(super) fn take(&mut self, state: &LayerState) {
        for ((_, tensor), (parameter, (_, slots))) in
            state.parameters.iter().zip(self.parameters_mut().zip(state.slots.iter()))
        {
            parameter.take(tensor, slots);
        }
    }
}
