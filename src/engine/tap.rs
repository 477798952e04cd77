//! The tap: sees every quantity of a pass as soon as it is computed, and may change it before anything is computed
//! from it. "What if" and the imitation of mistakes run the one engine there is, with a tap in it.
//!
//! A pass without a tap does nothing here.

use std::sync::Arc;

use super::matrix::Matrix;
use super::tensor::{Gradients, Parameters, Tensor, WireName};
use super::trace::{Place, Segment};

/// The numbers of one quantity, to be looked at or changed.
pub enum ValuesMut<'a> {
    /// A single number.
    Scalar(&'a mut f64),
    /// One index.
    Vector(&'a mut [f64]),
    /// Two indices, the row first.
    Matrix(&'a mut Matrix),
}

/// What is called with each quantity.
pub type Touch<'t> = dyn FnMut(&Place, ValuesMut<'_>) + 't;

/// A pass's tap, and where the pass is.
pub struct Tap<'t> {
    place: Place,
    touch: Option<&'t mut Touch<'t>>,
}

impl ValuesMut<'_> {
    /// The number at an index; `None` where there is none.
    pub fn get_mut(&mut self, index: &[usize]) -> Option<&mut f64> {
        match (self, index) {
            (Self::Scalar(value), []) => Some(value),
            (Self::Vector(values), &[at]) => values.get_mut(at),
            (Self::Matrix(matrix), &[row, column]) if row < matrix.rows() && column < matrix.columns() => {
                let at = row * matrix.columns() + column;
                matrix.values_mut().get_mut(at)
            }
            _ => None,
        }
    }

    /// All numbers, row by row.
    pub fn all(&mut self) -> &mut [f64] {
        match self {
            Self::Scalar(value) => std::slice::from_mut(value),
            Self::Vector(values) => values,
            Self::Matrix(matrix) => matrix.values_mut(),
        }
    }
}

impl<'t> Tap<'t> {
    /// No tap.
    pub fn none() -> Self {
        Self { place: Place::default(), touch: None }
    }

    /// A tap that calls `touch` with every quantity, in the order of computation.
    pub fn new(touch: &'t mut Touch<'t>) -> Self {
        Self { place: Place::default(), touch: Some(touch) }
    }

    pub(super) fn within<R>(&mut self, name: &'static str, inside: impl FnOnce(&mut Self) -> R) -> R {
        self.at_segment(Segment::Name(name), inside)
    }

    pub(super) fn at<R>(&mut self, index: usize, inside: impl FnOnce(&mut Self) -> R) -> R {
        self.at_segment(Segment::Index(index), inside)
    }

    fn at_segment<R>(&mut self, segment: Segment, inside: impl FnOnce(&mut Self) -> R) -> R {
        if self.touch.is_none() {
            return inside(self);
        }
        self.place.push(segment);
        let result = inside(self);
        self.place.pop();
        result
    }

    fn quantity(&mut self, name: &'static str, values: ValuesMut<'_>) {
        if let Some(touch) = &mut self.touch {
            self.place.push(Segment::Name(name));
            touch(&self.place, values);
            self.place.pop();
        }
    }

    pub(super) fn scalar(&mut self, name: &'static str, value: &mut f64) {
        self.quantity(name, ValuesMut::Scalar(value));
    }

    pub(super) fn vector(&mut self, name: &'static str, values: &mut [f64]) {
        self.quantity(name, ValuesMut::Vector(values));
    }

    pub(super) fn matrix(&mut self, name: &'static str, matrix: &mut Matrix) {
        self.quantity(name, ValuesMut::Matrix(matrix));
    }

    /// A matrix that others may hold too: they keep theirs.
    pub(super) fn shared(&mut self, name: &'static str, matrix: &mut Arc<Matrix>) {
        if self.touch.is_some() {
            self.matrix(name, Arc::make_mut(matrix));
        }
    }

    pub(super) fn tensor(&mut self, name: &'static str, tensor: &mut Tensor) {
        match tensor {
            Tensor::Vector(values) => self.vector(name, values),
            Tensor::Matrix(matrix) => self.matrix(name, matrix),
        }
    }

    pub(super) fn gradients(&mut self, gradients: &mut Gradients) {
        self.within("gradients", |tap| {
            for (name, tensor) in gradients.iter_mut() {
                tap.tensor(name.as_str(), tensor);
            }
        });
    }

    /// The parameters that a pass uses: the state's own, or a changed copy.
    pub(super) fn parameters(&mut self, parameters: &Arc<Parameters>) -> Arc<Parameters> {
        let mut used = Arc::clone(parameters);
        if self.touch.is_some() {
            self.within("parameters", |tap| {
                for (name, tensor) in Arc::make_mut(&mut used).iter_mut() {
                    tap.tensor(name.as_str(), Arc::make_mut(tensor));
                }
            });
        }
        used
    }
}
