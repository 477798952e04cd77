//! A parameter's update, number by number, with the formulas of the optimizers' own files.

use std::mem::swap;

use crate::engine::matrix::{Finish, Kernel, Operand, Packing, Work, product_then};
use crate::engine::optimizer::{Algorithm, Common, Momentum, Optimizer, OptimizerKind, adagrad, adam, sgd};
use crate::engine::tensor::{Slots, Tensor};

/// A parameter and what is remembered of it, before the step and after it.
pub(super) struct Parameter {
    pub(super) values: Vec<f64>,
    after: Vec<f64>,
    /// Σ x·δ over the examples, or the gradient itself where gradients are clipped
    pub(super) gradient: Vec<f64>,
    slots: Vec<Slot>,
}

struct Slot {
    values: Vec<f64>,
    after: Vec<f64>,
}

/// Plain descent: w + (0 − η·gradient), while the sums of the gradient are at hand.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    rate: f64,
    /// Examples of the batch
    rows: usize,
    /// 1/n, where dividing by n is the same
    part: Option<f64>,
}

/// A parameter's numbers that follow from the sums of its gradient.
struct Descent<'p> {
    plain: Plain,
    values: &'p [f64],
    after: &'p mut [f64],
    fine: bool,
}

/// How gradients become changes.
pub(super) struct Rule {
    algorithm: Algorithm,
    rate: f64,
    /// λ, and whether it passes through the gradient
    decay: f64,
    through_the_gradient: bool,
    /// What clips the gradients, where they are clipped
    scale: Option<f64>,
    /// What adam's means are divided by
    start: (f64, f64),
}

/// A fading mean of squares below this stays finite when it is corrected for its start.
const SQUARES_MOST: f64 = 1e290;

/// The gradient of the mean loss, of the sum of x·δ over so many examples: 0 − sum/n.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
pub(super) fn uphill(rows: usize, sum: f64) -> f64 {
    0.0 - sum / rows as f64
}

/// 1/n, where it is exact: then only the exponent changes, and where that ends both round alike.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
fn exact_part(rows: usize) -> Option<f64> {
    rows.is_power_of_two().then(|| 1.0 / rows as f64)
}

impl Plain {
    pub(super) fn new(rate: f64, rows: usize) -> Self {
        Self { rate, rows, part: exact_part(rows) }
    }
}

impl Descent<'_> {
    #[allow(clippy::inline_always, reason = "compiled for the instructions of the product that it ends")]
    #[inline(always)]
    fn each(&mut self, at: usize, sums: &[f64], gradient: impl Fn(f64) -> f64) {
        let rate = self.plain.rate;
        let numbers = self.values[at..].iter().zip(sums).zip(&mut self.after[at..]);
        let mut fine = true;
        numbers.for_each(|((w, &sum), after)| {
            *after = w + (0.0 - rate * gradient(sum));
            fine &= after.is_finite();
        });
        self.fine &= fine;
    }
}

impl Finish for Descent<'_> {
    const STAY: bool = false;

    #[allow(clippy::inline_always, reason = "compiled for the instructions of the product that it ends")]
    #[inline(always)]
    fn take(&mut self, at: usize, sums: &[f64]) {
        let Plain { rows, part, .. } = self.plain;
        match part {
            Some(part) => self.each(at, sums, |sum| 0.0 - sum * part),
            None => self.each(at, sums, |sum| uphill(rows, sum)),
        }
    }
}

impl Parameter {
    pub(super) fn new(tensor: &Tensor, slots: &Slots) -> Self {
        let slot = |values: &[f64]| Slot { values: values.to_vec(), after: vec![0.0; values.len()] };
        let values = tensor.values();
        Self {
            values: values.to_vec(),
            after: vec![0.0; values.len()],
            gradient: vec![0.0; values.len()],
            slots: slots.iter().map(|(_, tensor)| slot(tensor.values())).collect(),
        }
    }

    pub(super) fn take(&mut self, tensor: &Tensor, slots: &Slots) {
        self.values.copy_from_slice(tensor.values());
        for (slot, (_, tensor)) in self.slots.iter_mut().zip(slots.iter()) {
            slot.values.copy_from_slice(tensor.values());
        }
    }

    /// Its values before the step, and the places of those after it.
    pub(super) fn numbers_mut(&mut self) -> (&[f64], &mut [f64]) {
        (&self.values, &mut self.after)
    }

    /// Its numbers after a step of plain descent along a product that is the gradient's sums; whether all are finite.
    pub(super) fn descend(&mut self, left: Operand, right: Operand, plain: Plain, packing: &mut Packing) -> bool {
        let Self { values, after, gradient, .. } = self;
        let mut descent = Descent { plain, values, after, fine: true };
        product_then(left, right, gradient, packing, &mut descent);
        descent.fine
    }

    /// The same, along sums that stand in its gradient.
    pub(super) fn descend_from_sums(&mut self, plain: Plain) -> bool {
        let Self { values, after, gradient, .. } = self;
        let mut descent = Descent { plain, values, after, fine: true };
        descent.take(0, gradient);
        descent.fine
    }

    /// Its values, and those of each slot.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &[f64]> {
        [&self.values[..]].into_iter().chain(self.slots.iter().map(|slot| &slot.values[..]))
    }

    pub(super) fn commit(&mut self) {
        swap(&mut self.values, &mut self.after);
        self.slots.iter_mut().for_each(|slot| swap(&mut slot.values, &mut slot.after));
    }
}

/// A parameter's update by a rule, with what is made of a sum first.
struct Turning<'t, G> {
    rule: &'t Rule,
    parameter: &'t mut Parameter,
    gradient: G,
}

impl<G: Fn(f64) -> f64> Work for Turning<'_, G> {
    type Result = bool;

    #[allow(clippy::inline_always, reason = "compiled for each kernel")]
    #[inline(always)]
    fn run(self) -> bool {
        self.rule.decayed(self.parameter, self.gradient)
    }
}

impl Rule {
    pub(super) fn new(optimizer: &Optimizer, rate: f64, Common { timestep, clip }: Common) -> Self {
        let algorithm = optimizer.algorithm;
        let start = match algorithm {
            Algorithm::Adam(moments) | Algorithm::Adamw(moments) => {
                (adam::start(moments.beta1, timestep), adam::start(moments.beta2, timestep))
            }
            _ => (1.0, 1.0),
        };
        let decay = optimizer.weight_decay;
        let through_the_gradient = optimizer.kind() != OptimizerKind::Adamw;
        Self { algorithm, rate, decay, through_the_gradient, scale: clip.map(|clip| clip.scale), start }
    }

    /// The numbers after the step; whether they are finite, and all on the way to them.
    pub(super) fn update(&self, parameter: &mut Parameter, rows: usize) -> bool {
        let kernel = Kernel::fastest();
        match (self.scale, exact_part(rows)) {
            (Some(scale), _) => kernel.run(Turning { rule: self, parameter, gradient: |sum| sum * scale }),
            (None, Some(part)) => kernel.run(Turning { rule: self, parameter, gradient: |sum| 0.0 - sum * part }),
            (None, None) => kernel.run(Turning { rule: self, parameter, gradient: |sum| uphill(rows, sum) }),
        }
    }

    #[allow(clippy::inline_always, reason = "compiled for each set of instructions that it is called under")]
    #[inline(always)]
    fn decayed(&self, parameter: &mut Parameter, gradient: impl Fn(f64) -> f64) -> bool {
        let (rate, decay) = (self.rate, self.decay);
        if decay == 0.0 {
            self.turned(parameter, |sum, _| gradient(sum), |direction, _| 0.0 - rate * direction)
        } else if self.through_the_gradient {
            self.turned(parameter, |sum, w| gradient(sum) + decay * w, |direction, _| 0.0 - rate * direction)
        } else {
            self.turned(parameter, |sum, _| gradient(sum), |direction, w| 0.0 - rate * (direction + decay * w))
        }
    }

    #[allow(clippy::needless_bitwise_bool, reason = "without a branch the loops become vector instructions")]
    #[allow(clippy::inline_always, reason = "compiled for each set of instructions that it is called under")]
    #[inline(always)]
    /// `gradient` of a sum and the parameter; `change` of a direction and the parameter.
    fn turned(
        &self,
        Parameter { values, after, gradient: sums, slots }: &mut Parameter,
        gradient: impl Fn(f64, f64) -> f64,
        change: impl Fn(f64, f64) -> f64,
    ) -> bool {
        let numbers = values.iter().zip(sums.iter()).zip(after.iter_mut());
        let mut fine = true;
        match (self.algorithm, &mut slots[..]) {
            (Algorithm::Sgd { momentum: Some(Momentum { factor, nesterov }) }, [velocity]) => {
                for (((&w, &sum), after), (&v, kept)) in numbers.zip(velocity.numbers()) {
                    let g = gradient(sum, w);
                    *kept = sgd::gathered(factor, v, g);
                    let direction = if nesterov { sgd::ahead(factor, *kept, g) } else { *kept };
                    *after = w + change(direction, w);
                    fine &= after.is_finite();
                }
            }
            (Algorithm::Rmsprop { alpha, epsilon }, [average]) => {
                for (((&w, &sum), after), (&s, kept)) in numbers.zip(average.numbers()) {
                    let g = gradient(sum, w);
                    *kept = adam::faded(alpha, s, g * g);
                    *after = w + change(adagrad::over(epsilon, g, *kept), w);
                    fine &= after.is_finite() & (*kept < SQUARES_MOST);
                }
            }
            (Algorithm::Adagrad { epsilon }, [total]) => {
                for (((&w, &sum), after), (&s, kept)) in numbers.zip(total.numbers()) {
                    let g = gradient(sum, w);
                    *kept = adagrad::gathered(s, g);
                    *after = w + change(adagrad::over(epsilon, g, *kept), w);
                    fine &= after.is_finite() & (*kept < SQUARES_MOST);
                }
            }
            (Algorithm::Adam(moments) | Algorithm::Adamw(moments), [first, second]) => {
                let (start1, start2) = self.start;
                let moments_of = first.numbers().zip(second.numbers());
                for (((&w, &sum), after), ((&m, first), (&v, second))) in numbers.zip(moments_of) {
                    let g = gradient(sum, w);
                    *first = adam::faded(moments.beta1, m, g);
                    *second = adam::faded(moments.beta2, v, g * g);
                    let direction = adam::direction(moments.epsilon, *first / start1, *second / start2);
                    *after = w + change(direction, w);
                    fine &= after.is_finite() & (*second < SQUARES_MOST);
                }
            }
            // Plain descent remembers nothing.
            _ => {
                for ((&w, &sum), after) in numbers {
                    *after = w + change(gradient(sum, w), w);
                    fine &= after.is_finite();
                }
            }
        }
        fine
    }
}

impl Slot {
    /// Each number before the step, and the place of the one after it.
    fn numbers(&mut self) -> impl Iterator<Item = (&f64, &mut f64)> {
        self.values.iter().zip(self.after.iter_mut())
    }
}
