//! The way down: who is to blame, and for how much.

use super::Sheet;
use super::forward::Group;
use super::names::Index::{self, Any, Unit};
use crate::engine::activation::{Activated, Activation};
use crate::engine::layer::dense::{DenseBackward, DenseForward};
use crate::engine::layer::normalization::{NormBackward, NormForward};
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::loss::Loss;
use crate::engine::matrix::Matrix;
use crate::engine::tensor::{Gradients, ParameterName, Tensor};
use crate::render::document::{Section, code, text};
use crate::render::math::{Equation, Math, Symbol};

impl Sheet<'_> {
    pub(super) fn backward(&self) -> Vec<Section> {
        if self.trace.backward.is_none() {
            return vec![];
        }
        let mut first = Section::new(2, self.tells("Backward pass", "The blame goes back through the factory"));
        first.say(vec![text(self.tells(
            "From the error down, each layer learns how much of it is its own: first the output layer, to which it is \
             plain, and through it the layers below, in proportion to their weights. Errors e and deltas δ point \
             downhill: they say which way a number should have been. Gradients ∂E/∂w point uphill.",
            "The inspector shows the defect to the last worker, to whom it is plain. Through that worker it reaches the \
             one before, in proportion to how much of each part the product took.",
        ))]);
        first.blocks.extend(self.left_out());
        let mut sections = vec![first];
        for at in (0..self.nodes.len()).rev().filter(|&at| self.shows(at)) {
            sections.push(self.down(at));
        }
        sections
    }

    fn down(&self, at: usize) -> Section {
        let node = &self.nodes[at];
        let top = at + 1 == self.nodes.len();
        let what = match (top, self.options.voice) {
            (true, super::Voice::Textbook) => format!("Direct blame: layer {}", node.label),
            (false, super::Voice::Textbook) => format!("Proportional blame: layer {}", node.label),
            (true, super::Voice::Factory) => format!("{} is told", super::worker(at)),
            (false, super::Voice::Factory) => format!("{} takes a share", super::worker(at)),
        };
        let mut section = Section::new(3, what);
        section.say(vec![code(node.up.name()), text(format!(": {}.", node.described()))]);
        self.which(node.units(), &mut section);
        if top {
            self.errors_of_loss(at, &mut section);
        } else {
            self.errors_from_above(at, &mut section);
        }
        match (node.up, node.down) {
            (LayerForward::Dense(up), Some(LayerBackward::Dense(down))) => self.dense_down(at, up, down, &mut section),
            (LayerForward::Activation(up), Some(LayerBackward::Activation(down))) => {
                let sums = down.weighted_errors.as_deref();
                self.deltas(at, up.activation, (&up.activated, node.inputs, sums), &mut section);
            }
            (LayerForward::Normalization(up), Some(LayerBackward::Normalization(down))) => {
                self.norm_down(at, up, down, &mut section);
            }
            (LayerForward::Dropout(up), _) => self.dropout_down(at, up.mask.as_ref(), &mut section),
            (_, Some(LayerBackward::Residual(down))) => {
                section.say(vec![text(
                    "The error goes into the layers inside and around them as it is. Below, p has come down through \
                     them and q around them:",
                )]);
                let any = Any("j");
                let part = |letter| Math::from(self.names.quantity(letter, at, &any));
                section.rule(self.names.delta(at, &any), part("p").plus(part("q")));
                for unit in self.shown(down.deltas.columns()) {
                    let (branch, around) =
                        (down.branch_errors.at(self.example, unit), down.shortcut_errors.at(self.example, unit));
                    let equation = Equation::of(self.names.delta(at, &Unit(unit)))
                        .is(self.value(branch).plus(self.value(around).grouped()));
                    section.equation(equation.comes_to(self.number(down.deltas.at(self.example, unit))));
                }
            }
            _ => {}
        }
        section
    }

    /// e = −∂E/∂ŷ
    fn errors_of_loss(&self, at: usize, section: &mut Section) {
        let (Some(loss), Some(errors)) = (&self.trace.loss, self.nodes[at].errors()) else { return };
        let (names, n, outputs) = (&self.names, self.example, &self.trace.forward.outputs);
        let count = u32::try_from(outputs.columns()).unwrap_or(u32::MAX);
        let form = |y: Math, out: Math| {
            let missing = y.clone().minus(out.clone());
            match loss.kind {
                Loss::HalfSquaredError => missing,
                Loss::MeanSquaredError if count == 1 => Math::Whole(2).times(missing.grouped()),
                Loss::MeanSquaredError => Math::Whole(2).times(missing.grouped()).over(Math::Whole(count)),
                Loss::BinaryCrossEntropy => {
                    let rest = Math::Group(Box::new(Math::Whole(1).minus(out.clone())));
                    let out = if count == 1 { out } else { Math::Whole(count).times(out) };
                    missing.over(out.times(rest))
                }
                Loss::CrossEntropy => y.over(out),
            }
        };
        let any = Any("k");
        section.rule(names.error(at, &any), form(names.target(&any).into(), names.prediction(&any).into()));
        for unit in self.shown(outputs.columns()) {
            let numbers = form(self.value(loss.targets.at(n, unit)), self.value(outputs.at(n, unit)).grouped());
            let equation = Equation::of(names.error(at, &Unit(unit))).is(numbers);
            section.equation(equation.comes_to(self.number(errors.at(n, unit))));
        }
    }

    /// e_i = Σ_j δ_j·w_ij, through a dense layer above; through any other one what it passes down.
    fn errors_from_above(&self, at: usize, section: &mut Section) {
        let (names, n, node) = (&self.names, self.example, &self.nodes[at]);
        let Some(errors) = node.errors() else { return };
        let above = node.above.map(|above| (above, self.nodes[above].up, self.nodes[above].down));
        if let Some((above, LayerForward::Dense(up), Some(LayerBackward::Dense(down)))) = above {
            let (i, j) = (Any("i"), Any("j"));
            let term = Math::from(names.delta(above, &j)).times(names.weight(above, &i, &j));
            let one = down.deltas.columns() == 1;
            section.rule(names.error(at, &i), if one { term } else { Math::Sum("j", Box::new(term)) });
            let weights = up.parameters.weights();
            for unit in self.shown(node.units()) {
                let term = |j: usize| {
                    Math::from(names.delta(above, &Unit(j))).times(names.weight(above, &Unit(unit), &Unit(j)))
                };
                let put_in = |j: usize| {
                    self.value(down.deltas.at(n, j)).grouped().times(self.value(weights.at(unit, j)).grouped())
                };
                let count = weights.columns();
                let equation = Equation::of(names.error(at, &Unit(unit)))
                    .is(Math::sum_of(count, term))
                    .is(Math::sum_of(count, put_in));
                section.equation(equation.comes_to(self.number(errors.at(n, unit))));
            }
            return;
        }
        section.say(vec![text("The error is what the layer above passes down:")]);
        for unit in self.shown(node.units()) {
            section.equation(Equation::of(names.error(at, &Unit(unit))).comes_to(self.number(errors.at(n, unit))));
        }
    }

    fn dense_down(&self, at: usize, up: &DenseForward, down: &DenseBackward, section: &mut Section) {
        let sums = down.weighted_errors.as_deref();
        self.deltas(at, up.activation, (&up.activated, &up.pre_activations, sums), section);
        let (names, node) = (&self.names, &self.nodes[at]);
        let (i, j) = (Any("i"), Any("j"));
        let product = Math::from(names.output(node.below, &i)).times(names.delta(at, &j));
        let rule = if self.rows() == 1 {
            product.negated()
        } else {
            let count = u32::try_from(self.rows()).unwrap_or(u32::MAX);
            Math::Whole(1).over(Math::Whole(count)).negated().times(Math::Sum("n", Box::new(product)))
        };
        if self.rows() > 1 {
            section.say(vec![text("The gradient of the batch is the mean over its examples n:")]);
        }
        section.rule(names.weight(at, &i, &j).gradient(), rule);
        let gradient = |parameter: ParameterName, at: &[usize]| {
            down.gradients.get(parameter).and_then(|tensor: &Tensor| tensor.at(at)).unwrap_or(0.0)
        };
        for unit in self.shown(node.units()) {
            for input in self.shown(node.inputs.columns()) {
                let numbers = self.mean_of(|n| {
                    let delta = self.value(down.deltas.at(n, unit)).grouped();
                    self.value(node.inputs.at(n, input)).grouped().times(delta)
                });
                let equation = Equation::of(names.weight(at, &Unit(input), &Unit(unit)).gradient()).is(numbers);
                let value = gradient(ParameterName::Weights, &[input, unit]);
                section.equation(equation.comes_to(self.number(value)));
            }
            if down.gradients.get(ParameterName::Bias).is_some() {
                let numbers = self.mean_of(|n| self.value(down.deltas.at(n, unit)).grouped());
                let equation = Equation::of(names.bias(at, &Unit(unit)).gradient()).is(numbers);
                section.equation(equation.comes_to(self.number(gradient(ParameterName::Bias, &[unit]))));
            }
        }
    }

    /// −(Σ over the examples)/N
    fn mean_of(&self, term: impl Fn(usize) -> Math) -> Math {
        if self.rows() == 1 {
            return term(0).grouped().negated();
        }
        let count = u32::try_from(self.rows()).unwrap_or(u32::MAX);
        Math::sum_of(self.rows(), term).over(Math::Whole(count)).negated()
    }

    /// δ = e·f′(a), or through softmax δ = h·(e − Σ e·h)
    fn deltas(
        &self,
        at: usize,
        activation: Activation,
        (activated, a, sums): (&Activated, &Matrix, Option<&[f64]>),
        section: &mut Section,
    ) {
        let (names, n, node) = (&self.names, self.example, &self.nodes[at]);
        let (Some(errors), Some(deltas)) = (node.errors(), node.deltas()) else { return };
        let below = |j: &Index| match node.up {
            LayerForward::Dense(_) => names.pre_activation(at, j),
            _ => names.output(node.below, j),
        };
        let any = Any("j");
        let output = |j: &Index| Math::from(names.output(Some(at), j));
        match (activated, sums) {
            (Activated::Alone { outputs, derivatives }, _) => {
                let slope = slope_of(activation, below(&any).into(), output(&any));
                section.rule(names.delta(at, &any), Math::from(names.error(at, &any)).times(slope));
                for unit in self.shown(deltas.columns()) {
                    let error = self.value(errors.at(n, unit)).grouped();
                    let put_in = slope_of(activation, self.value(a.at(n, unit)), self.value(outputs.at(n, unit)));
                    let slope = self.value(derivatives.at(n, unit)).grouped();
                    let mut equation = Equation::of(names.delta(at, &Unit(unit)));
                    // A line's slope is 1 before anything is put in.
                    if activation != Activation::Linear {
                        equation = equation.is(error.clone().times(put_in));
                    }
                    let equation = equation.is(error.times(slope));
                    section.equation(equation.comes_to(self.number(deltas.at(n, unit))));
                }
            }
            (Activated::Softmax(softmax), Some(sums)) => {
                let all = Math::from(names.error(at, &Any("k"))).times(output(&Any("k")));
                let rest = Math::from(names.error(at, &any)).minus(Symbol::of("s"));
                section.rule(Symbol::of("s"), Math::Sum("k", Box::new(all)));
                section.rule(names.delta(at, &any), output(&any).times(rest.grouped()));
                let term = |k| self.value(errors.at(n, k)).grouped().times(self.value(softmax.outputs.at(n, k)));
                let sum = Equation::of(Symbol::of("s")).is(Math::sum_of(deltas.columns(), term));
                section.equation(sum.comes_to(self.number(sums[n])));
                for unit in self.shown(deltas.columns()) {
                    let rest = self.value(errors.at(n, unit)).minus(self.value(sums[n]).grouped());
                    let numbers = self.value(softmax.outputs.at(n, unit)).times(rest.grouped());
                    let equation = Equation::of(names.delta(at, &Unit(unit))).is(numbers);
                    section.equation(equation.comes_to(self.number(deltas.at(n, unit))));
                }
            }
            (Activated::Softmax(_), None) => {}
        }
    }

    fn norm_down(&self, at: usize, up: &NormForward, down: &NormBackward, section: &mut Section) {
        let (names, n, node) = (&self.names, self.example, &self.nodes[at]);
        let any = Any("j");
        section.say(vec![text("The error passes the factor γ:")]);
        let quantity = |letter, j: &Index| Math::from(names.quantity(letter, at, j));
        section.rule(quantity("u", &any), Math::from(names.error(at, &any)).times(quantity("γ", &any)));
        let gamma = &up.parameters[ParameterName::Gamma];
        let means = down.mean_error.as_ref().zip(down.mean_product.as_ref());
        let shared = |letter, j: &Index| Math::from(names.statistic(letter, at, j, up.statistics));
        let spread = Math::Root(Box::new(shared("v", &any).plus(Symbol::of("ε"))));
        if means.is_some() {
            section.say(vec![text(
                "Mean and variance hang on every number that they were taken from, so each has a part:",
            )]);
            let part = quantity("n", &any).times(shared("q", &any));
            let centred = quantity("u", &any).minus(shared("p", &any)).minus(part);
            section.rule(names.delta(at, &any), centred.over(spread));
            section
                .say(vec![text("Here p is the mean of u, and q that of u·n, each over what the mean was taken over.")]);
        } else {
            section.rule(names.delta(at, &any), quantity("u", &any).over(spread));
        }
        for (place, unit) in self.shown(node.units()).into_iter().enumerate() {
            let j = Unit(unit);
            let error = self.value(down.errors.at(n, unit)).grouped();
            let equation = Equation::of(quantity("u", &j)).is(error.times(self.value(gamma.values()[unit]).grouped()));
            let u = &down.normalized_errors;
            section.equation(equation.comes_to(self.number(u.at(n, unit))));
            let group = Group::of(up.statistics, unit, node.units());
            let of = group.place(n);
            let mut top = self.value(u.at(n, unit));
            if let Some((mean_error, mean_product)) = means {
                let one = |row, column| self.value(u.at(row, column)).grouped();
                let product = |row, column| one(row, column).times(self.value(up.normalized.at(row, column)).grouped());
                let terms: [(_, &dyn Fn(usize, usize) -> Math, _); 2] =
                    [("p", &one, mean_error), ("q", &product, mean_product)];
                // An example's own means are those of all its units.
                for (letter, term, mean) in terms.into_iter().filter(|_| place == 0 || up.statistics.is_some()) {
                    let equation = Equation::of(shared(letter, &j)).is(self.mean_over(group, term));
                    section.equation(equation.comes_to(self.number(mean[of])));
                }
                let normalized = self.value(up.normalized.at(n, unit)).grouped();
                top = top.minus(self.value(mean_error[of]).grouped());
                top = top.minus(normalized.times(self.value(mean_product[of]).grouped()));
            }
            let equation = Equation::of(names.delta(at, &j)).is(top.over(self.value(up.deviation[of])));
            section.equation(equation.comes_to(self.number(down.deltas.at(n, unit))));
            let errors = |n| self.value(down.errors.at(n, unit)).grouped();
            let products = |n| errors(n).times(self.value(up.normalized.at(n, unit)).grouped());
            self.gradient_of(at, ("γ", ParameterName::Gamma), &down.gradients, unit, self.mean_of(products), section);
            self.gradient_of(at, ("β", ParameterName::Beta), &down.gradients, unit, self.mean_of(errors), section);
        }
    }

    fn gradient_of(
        &self,
        at: usize,
        (letter, parameter): (&'static str, ParameterName),
        gradients: &Gradients,
        unit: usize,
        numbers: Math,
        section: &mut Section,
    ) {
        if let Some(value) = gradients.get(parameter).and_then(|tensor| tensor.at(&[unit])) {
            let symbol = self.names.quantity(letter, at, &Unit(unit)).gradient();
            section.equation(Equation::of(symbol).is(numbers).comes_to(self.number(value)));
        }
    }

    fn dropout_down(&self, at: usize, mask: Option<&Matrix>, section: &mut Section) {
        let (n, node) = (self.example, &self.nodes[at]);
        let (Some(mask), Some(errors), Some(deltas)) = (mask, node.errors(), node.deltas()) else { return };
        section.say(vec![text("What was dropped on the way up is not to blame:")]);
        let any = Any("j");
        let product = Math::from(self.names.error(at, &any)).times(self.names.quantity("m", at, &any));
        section.rule(self.names.delta(at, &any), product);
        for unit in self.shown(node.units()) {
            let numbers = self.value(errors.at(n, unit)).grouped().times(self.value(mask.at(n, unit)));
            let equation = Equation::of(self.names.delta(at, &Unit(unit))).is(numbers);
            section.equation(equation.comes_to(self.number(deltas.at(n, unit))));
        }
    }
}

/// f′(a)
fn slope_of(activation: Activation, a: Math, h: Math) -> Math {
    let function = |name, of| Math::Function(name, Box::new(of));
    match activation {
        Activation::Sigmoid => h.clone().times(Math::Group(Box::new(Math::Whole(1).minus(h)))),
        Activation::Tanh => Math::Group(Box::new(Math::Whole(1).minus(h.grouped().squared()))),
        Activation::Linear | Activation::Softmax => Math::Whole(1),
        Activation::Relu => function("relu′", a),
        Activation::LeakyRelu => function("leaky_relu′", a),
        Activation::Elu => function("elu′", a),
        Activation::Gelu => function("gelu′", a),
        Activation::Silu => function("silu′", a),
        Activation::Softplus => function("softplus′", a),
    }
}
