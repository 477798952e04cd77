//! The mistakes that are known by name, each with the ways in which it is made.
//!
//! A new one is an entry in [`MISTAKES`]: a code, what it means, and a function that runs the step with it.

mod passes;
mod updates;

use super::MistakeView;
use super::compare::{Quantity, Wanted};
use super::imitation::{Seen, Spot, imitate};
use crate::engine::matrix::Matrix;
use crate::engine::model::{Model, Targets};
use crate::engine::optimizer::Clip;
use crate::engine::pass::Pass;
use crate::engine::spec::ModelSpec;
use crate::engine::tap::ValuesMut;
use crate::limits::Limits;
use passes::{
    bias_forgotten, half_forgotten, mean_in_deltas, sign_flipped, signs_mixed, slopes, softmax_forgotten,
    sum_instead_of_mean, weights_transposed,
};
use updates::{
    bias_correction_forgotten, bias_updated_per_weight, momentum_forgotten, updated_before_blame,
    weight_decay_forgotten, with_learning_rate,
};

/// The wanted quantities of a step that was made with a mistake; nothing where it cannot be made.
type Outcome = Option<Vec<Quantity>>;

/// A way of making a mistake, which makes it when it is called: one step's numbers at a time are enough.
pub(super) type Way<'s> = Box<dyn FnOnce() -> Outcome + 's>;

/// A mistake that has a name.
pub(super) struct Mistake {
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
    /// Every way of making it that this network permits
    make: for<'s> fn(&'s Scene<'s>) -> Vec<Way<'s>>,
}

/// The step that is imitated.
pub(super) struct Scene<'a> {
    pub pass: &'a Pass<'a>,
    pub targets: &'a Targets,
    /// The wanted quantities of the step without a mistake
    pub right: &'a [Quantity],
    pub wanted: &'a Wanted,
    /// How much gradients are made smaller in the step without a mistake
    pub clip: Option<Clip>,
    pub limits: &'a Limits,
}

impl Mistake {
    pub fn view(&self) -> MistakeView {
        MistakeView { code: self.code, title: self.title, explanation: self.explanation }
    }

    /// Every way of making this mistake in a step.
    pub fn ways<'s>(&self, scene: &'s Scene<'s>) -> Vec<Way<'s>> {
        (self.make)(scene)
    }
}

/// Every mistake that is known.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        code: "sign_flipped",
        title: "A sign is flipped",
        explanation: "The numbers are those of a step uphill, or of blame that changes its sign on the way: \
            with error = y − ŷ the change is +η·δ·x, with the gradient ∂E/∂w it is −η·∂E/∂w.",
        make: sign_flipped,
    },
    Mistake {
        code: "signs_mixed",
        title: "Errors and deltas point in different directions",
        explanation: "Errors are of one sign and deltas of the other. Either may point downhill or uphill, but both \
            the same way: δ = error·f′(a).",
        make: signs_mixed,
    },
    Mistake {
        code: "slope_forgotten",
        title: "The local slope is forgotten",
        explanation: "δ is the error as it arrived. It must be multiplied by the derivative of the activation: \
            δ = error·f′(a).",
        make: |scene| slopes(scene, |_, _| Some(1.0)),
    },
    Mistake {
        code: "slope_at_outputs",
        title: "The slope is taken at h instead of a",
        explanation: "The derivative was evaluated at the unit's output h, as f′(h). It belongs to the pre-activation: \
            f′(a), which for sigmoid is h·(1 − h).",
        make: |scene| slopes(scene, |activation, h| activation.of(h).map(|(_, slope)| slope)),
    },
    Mistake {
        code: "slope_is_activation",
        title: "The activation stands in the place of its derivative",
        explanation: "δ = error·f(a) was computed instead of error·f′(a): σ′(a) is σ(a)·(1 − σ(a)), not σ(a).",
        make: |scene| slopes(scene, |_, h| Some(h)),
    },
    Mistake {
        code: "updated_before_blame",
        title: "Weights were updated before the blame went through them",
        explanation: "The errors of the layer below were computed with the weights after the step. Blame goes back \
            through the weights that the forward pass used; all updates come afterwards.",
        make: updated_before_blame,
    },
    Mistake {
        code: "learning_rate_forgotten",
        title: "The learning rate is forgotten",
        explanation: "The change is the gradient itself: it must be multiplied by η.",
        make: |scene| vec![with_learning_rate(scene, |_| 1.0)],
    },
    Mistake {
        code: "learning_rate_twice",
        title: "The learning rate is applied twice",
        explanation: "The change has been multiplied by η·η: once is enough.",
        make: |scene| vec![with_learning_rate(scene, |rate| rate * rate)],
    },
    Mistake {
        code: "half_forgotten",
        title: "The ½ of the loss is forgotten",
        explanation: "The loss is ½·Σ(y − ŷ)². Without the ½ the loss is twice as large; its derivative then carries a \
            factor of 2, while with the ½ it is simply ŷ − y.",
        make: half_forgotten,
    },
    Mistake {
        code: "sum_instead_of_mean",
        title: "Summed over the batch instead of averaged",
        explanation: "The gradient, or the loss, is the sum over the examples: it must be divided by their number.",
        make: sum_instead_of_mean,
    },
    Mistake {
        code: "mean_in_deltas",
        title: "The mean over the batch is taken in the deltas already",
        explanation: "Errors and deltas are divided by the number of examples. Here every example has its own delta, \
            that of its own loss, and the mean is taken once, in the gradients: they are the same either way.",
        make: mean_in_deltas,
    },
    Mistake {
        code: "weights_transposed",
        title: "A weight matrix is transposed",
        explanation: "weights[i][j] joins unit i below to unit j above. Here rows and columns are exchanged: in how \
            the matrix is written, on the way up, or on the way back, where δ goes through the transposed matrix.",
        make: weights_transposed,
    },
    Mistake {
        code: "bias_forgotten",
        title: "The bias is forgotten",
        explanation: "The pre-activation is Σ x·w + bias, and the bias learns too: its gradient is the mean of −δ.",
        make: bias_forgotten,
    },
    Mistake {
        code: "bias_updated_per_weight",
        title: "The bias is updated once per weight",
        explanation: "The bias of a unit was changed as often as it has weights, in the inner loop. It is changed once \
            for each unit.",
        make: bias_updated_per_weight,
    },
    Mistake {
        code: "softmax_forgotten",
        title: "Cross-entropy without softmax",
        explanation: "The outputs are the last layer's weighted sums. Cross-entropy compares probabilities: softmax \
            comes first, and then δ = y − ŷ.",
        make: softmax_forgotten,
    },
    Mistake {
        code: "momentum_forgotten",
        title: "The momentum is forgotten",
        explanation: "The change is that of plain gradient descent: the velocity of the steps before is missing.",
        make: momentum_forgotten,
    },
    Mistake {
        code: "bias_correction_forgotten",
        title: "Adam's bias correction is forgotten",
        explanation: "The means start at zero and are too small at first: divide them by 1 − β₁ᵗ and 1 − β₂ᵗ.",
        make: bias_correction_forgotten,
    },
    Mistake {
        code: "weight_decay_forgotten",
        title: "The weight decay is forgotten",
        explanation: "The change lacks the pull towards zero, λ·w.",
        make: weight_decay_forgotten,
    },
];

/// Which layers a mistake is made in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Everywhere,
    OutputAlone,
    HiddenAlone,
}

const WHERE: [Where; 3] = [Where::Everywhere, Where::OutputAlone, Where::HiddenAlone];

impl Where {
    fn holds(self, spot: &Spot) -> bool {
        match self {
            Self::Everywhere => true,
            Self::OutputAlone => spot.output,
            Self::HiddenAlone => !spot.output,
        }
    }
}

impl Scene<'_> {
    /// The step with a mistake in it.
    fn imitate<'s>(&'s self, mut tamper: impl FnMut(&Spot, &Seen, &mut ValuesMut) + 's) -> Way<'s> {
        Box::new(move || imitate(self.pass, self.targets, self.wanted, &mut tamper))
    }

    /// The step of another model from the same state.
    fn with_model<'s>(
        &'s self,
        change: impl FnOnce(&mut ModelSpec) + 's,
        mut tamper: impl FnMut(&Spot, &Seen, &mut ValuesMut) + 's,
    ) -> Way<'s> {
        Box::new(move || {
            let mut spec = self.pass.model.spec().clone();
            change(&mut spec);
            let model = Model::new(spec, self.limits).ok()?;
            imitate(&Pass { model: &model, ..*self.pass }, self.targets, self.wanted, &mut tamper)
        })
    }

    fn learning_rate(&self) -> f64 {
        let own = self.pass.model.optimizer().learning_rate;
        self.pass.learning_rate.unwrap_or(own).value()
    }
}

fn scale(values: &mut ValuesMut, factor: f64) {
    values.all().iter_mut().for_each(|value| *value *= factor);
}

/// Puts a matrix of the same size in the place of a quantity.
fn replace(values: &mut ValuesMut, with: &Matrix) {
    if values.all().len() == with.values().len() {
        values.all().copy_from_slice(with.values());
    }
}
