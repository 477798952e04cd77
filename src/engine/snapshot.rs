//! A state as bytes, and back: the number of updates and then every number, in the order in which the state's hash
//! takes them. The shapes are the model's, so that nothing but numbers need be kept.

use std::sync::Arc;

use super::model::Model;
use super::state::{LayerState, Running, State};
use super::tensor::{Named, Tensor};

/// The state as bytes, 8 for the updates and 8 for each number, little-endian.
pub fn write(state: &State) -> Vec<u8> {
    let mut bytes = state.updates().to_le_bytes().to_vec();
    each_number(state.layers(), &mut |values| {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    });
    bytes
}

/// How many numbers a state has.
pub fn numbers(state: &State) -> usize {
    let mut count = 0;
    each_number(state.layers(), &mut |values| count += values.len());
    count
}

/// The state that was written of this model; `None` where the bytes are not as many as they must be.
pub fn read(model: &Model, bytes: &[u8]) -> Option<State> {
    let (updates, numbers) = bytes.split_first_chunk::<8>()?;
    let (numbers, []) = numbers.as_chunks::<8>() else { return None };
    let mut numbers = Numbers(numbers);
    let layers = model.start().layers().iter().map(|layer| numbers.layer(layer)).collect::<Option<_>>()?;
    numbers.0.is_empty().then(|| State::new(layers, u64::from_le_bytes(*updates)))
}

fn each_number(layers: &[LayerState], visit: &mut dyn FnMut(&[f64])) {
    for layer in layers {
        for (name, tensor) in layer.parameters.iter() {
            visit(tensor.values());
            let slots = layer.slots.get(name).into_iter().flat_map(Named::iter);
            slots.for_each(|(_, tensor)| visit(tensor.values()));
        }
        if let Some(running) = &layer.running {
            visit(&running.mean);
            visit(&running.variance);
        }
        each_number(&layer.layers, visit);
    }
}

/// What is left to be read.
struct Numbers<'b>(&'b [[u8; 8]]);

impl Numbers<'_> {
    fn take(&mut self, count: usize) -> Option<Vec<f64>> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    fn tensor(&mut self, like: &Tensor) -> Option<Arc<Tensor>> {
        let mut tensor = like.clone();
        let values = self.take(tensor.values().len())?;
        tensor.values_mut().copy_from_slice(&values);
        Some(Arc::new(tensor))
    }

    fn layer(&mut self, like: &LayerState) -> Option<LayerState> {
        let mut layer = like.clone();
        let (mut parameters, mut slots) = ((*like.parameters).clone(), (*like.slots).clone());
        for (name, tensor) in parameters.iter_mut() {
            *tensor = self.tensor(tensor)?;
            let of_this = slots.iter_mut().filter(|(slot, _)| *slot == name);
            for (_, tensor) in of_this.flat_map(|(_, slots)| slots.iter_mut()) {
                *tensor = self.tensor(tensor)?;
            }
        }
        layer.parameters = Arc::new(parameters);
        layer.slots = Arc::new(slots);
        if let Some(running) = &like.running {
            let mean = self.take(running.mean.len())?;
            let variance = self.take(running.variance.len())?;
            layer.running = Some(Arc::new(Running { mean, variance }));
        }
        layer.layers = like.layers.iter().map(|inner| self.layer(inner)).collect::<Option<_>>()?;
        Some(layer)
    }
}
