//! The way up: forward pass and loss.

use super::Sheet;
use super::names::Index::{Any, Unit};
use crate::engine::activation::{Activated, Activation};
use crate::engine::layer::LayerForward;
use crate::engine::layer::activation::ActivationForward;
use crate::engine::layer::dense::DenseForward;
use crate::engine::layer::dropout::DropoutForward;
use crate::engine::layer::normalization::{NormForward, Statistics};
use crate::engine::layer::residual::ResidualForward;
use crate::engine::loss::Loss;
use crate::engine::matrix::Matrix;
use crate::engine::tensor::ParameterName;
use crate::render::document::{Section, code, math, text};
use crate::render::math::{Equation, Math, Symbol};

/// What a mean is taken over.
#[derive(Clone, Copy)]
pub(super) enum Group {
    /// The batch, of one unit
    Batch { unit: usize },
    /// The units, of one example
    Row { units: usize },
}

impl Group {
    /// That of a normalization.
    pub(super) fn of(statistics: Option<Statistics>, unit: usize, units: usize) -> Self {
        if statistics.is_some() { Self::Batch { unit } } else { Self::Row { units } }
    }

    /// The place of its mean and variance among all: of a batch each unit has one, of a row each example.
    pub(super) fn place(self, example: usize) -> usize {
        match self {
            Self::Batch { unit } => unit,
            Self::Row { .. } => example,
        }
    }
}

impl Sheet<'_> {
    pub(super) fn forward(&self) -> Vec<Section> {
        let mut first = Section::new(2, self.tells("Forward pass", "The product is made"));
        first.say(vec![text(self.tells(
            "From the inputs up, each layer makes its outputs from those of the layer below.",
            "From the raw material on, each worker makes parts from those of the one before.",
        ))]);
        first.blocks.extend(self.left_out());
        let mut sections = vec![first];
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, _)| self.shows(*at)) {
            let heading = match self.options.voice {
                super::Voice::Textbook => format!("Layer {}", node.label),
                super::Voice::Factory => format!("{} at layer {}", super::worker(at), node.label),
            };
            let mut section = Section::new(3, heading);
            section.say(vec![code(node.up.name()), text(format!(": {}.", node.described()))]);
            self.which(node.units(), &mut section);
            match node.up {
                LayerForward::Dense(layer) => self.dense_up(at, layer, &mut section),
                LayerForward::Activation(layer) => self.activation_up(at, layer, &mut section),
                LayerForward::Normalization(layer) => self.norm_up(at, layer, &mut section),
                LayerForward::Dropout(layer) => self.dropout_up(at, layer, &mut section),
                LayerForward::Residual(layer) => self.residual_up(at, layer, &mut section),
            }
            sections.push(section);
        }
        sections
    }

    fn dense_up(&self, at: usize, layer: &DenseForward, section: &mut Section) {
        let (node, names) = (&self.nodes[at], &self.names);
        let weights = layer.parameters.weights();
        let bias = layer.parameters.get(ParameterName::Bias);
        let (i, j) = (Any("i"), Any("j"));
        let term = Math::from(names.output(node.below, &i)).times(names.weight(at, &i, &j));
        let mut sum = Math::Sum("i", Box::new(term));
        if bias.is_some() {
            sum = sum.plus(names.bias(at, &j));
        }
        section.rule(names.pre_activation(at, &j), sum);
        if bias.is_some() {
            section.say(vec![math(names.bias(at, &j)), text(" is the unit's bias.")]);
        }
        for unit in self.shown(node.units()) {
            let j = Unit(unit);
            let term = |i: usize| Math::from(names.output(node.below, &Unit(i))).times(names.weight(at, &Unit(i), &j));
            let put_in = |i: usize| {
                let weight = self.value(weights.at(i, unit)).grouped();
                self.value(node.inputs.at(self.example, i)).grouped().times(weight)
            };
            let count = weights.rows();
            let (mut symbols, mut numbers) = (Math::sum_of(count, term), Math::sum_of(count, put_in));
            if let Some(bias) = bias {
                symbols = symbols.plus(names.bias(at, &j));
                numbers = numbers.plus(self.value(bias.values()[unit]).grouped());
            }
            let a = layer.pre_activations.at(self.example, unit);
            let equation = Equation::of(names.pre_activation(at, &j)).is(symbols).is(numbers);
            section.equation(equation.comes_to(self.number(a)));
        }
        let name = |j: &super::names::Index| Math::from(names.pre_activation(at, j));
        self.activated(at, layer.activation, (&layer.activated, &layer.pre_activations), &name, section);
    }

    fn activation_up(&self, at: usize, layer: &ActivationForward, section: &mut Section) {
        let node = &self.nodes[at];
        let name = |j: &super::names::Index| Math::from(self.names.output(node.below, j));
        self.activated(at, layer.activation, (&layer.activated, node.inputs), &name, section);
    }

    /// h = f(a)
    fn activated(
        &self,
        at: usize,
        activation: Activation,
        (activated, a): (&Activated, &Matrix),
        name: &dyn Fn(&super::names::Index) -> Math,
        section: &mut Section,
    ) {
        let (names, node, n) = (&self.names, &self.nodes[at], self.example);
        let below = Some(at);
        match activated {
            Activated::Alone { outputs, .. } => {
                section.rule(names.output(below, &Any("j")), value_of(activation, name(&Any("j"))));
                for unit in self.shown(node.units()) {
                    let put_in = value_of(activation, self.value(a.at(n, unit)));
                    let equation = Equation::of(names.output(below, &Unit(unit))).is(put_in);
                    section.equation(equation.comes_to(self.number(outputs.at(n, unit))));
                }
            }
            Activated::Softmax(softmax) => {
                let exponential = |of: Math| Math::Function("exp", Box::new(of));
                let top = exponential(name(&Any("j")).minus(Symbol::of("m")));
                let all = |of: Math| exponential(of.minus(Symbol::of("m")));
                let sum = || Math::Sum("k", Box::new(all(name(&Any("k")))));
                section.rule(names.output(below, &Any("j")), top.over(sum()));
                section.say(vec![math(Symbol::of("m")), text(" is the row's largest, so that nothing overflows:")]);
                section.equation(Equation::of(Symbol::of("m")).comes_to(self.number(softmax.maxima[n])));
                let put_in =
                    |k: usize| exponential(self.value(a.at(n, k)).minus(self.value(softmax.maxima[n]).grouped()));
                let sum = Equation::of(sum()).is(Math::sum_of(node.units(), put_in));
                section.equation(sum.comes_to(self.number(softmax.sums[n])));
                for unit in self.shown(node.units()) {
                    let inner = self.value(a.at(n, unit)).minus(self.value(softmax.maxima[n]).grouped());
                    let sum = self.value(softmax.sums[n]);
                    let divided = self.value(softmax.exponentials.at(n, unit)).over(sum.clone());
                    let equation =
                        Equation::of(names.output(below, &Unit(unit))).is(exponential(inner).over(sum)).is(divided);
                    section.equation(equation.comes_to(self.number(softmax.outputs.at(n, unit))));
                }
            }
        }
    }

    fn norm_up(&self, at: usize, layer: &NormForward, section: &mut Section) {
        let (names, node, n) = (&self.names, &self.nodes[at], self.example);
        section.say(vec![text(match layer.statistics {
            Some(Statistics::Batch) => "Mean and variance are those of the unit over the batch.",
            Some(Statistics::Running) => "Mean and variance are those that were gathered in training.",
            None => "Mean and variance are those of the example over its units.",
        })]);
        let any = Any("j");
        let z = |j: &super::names::Index| Math::from(names.output(node.below, j));
        let quantity = |letter, j: &super::names::Index| Math::from(names.quantity(letter, at, j));
        let shared = |letter, j: &super::names::Index| Math::from(names.statistic(letter, at, j, layer.statistics));
        let spread = shared("v", &any).plus(Symbol::of("ε"));
        section.rule(
            quantity("n", &any),
            Math::row([z(&any).minus(shared("μ", &any))]).over(Math::Root(Box::new(spread))),
        );
        section.rule(
            names.output(Some(at), &any),
            quantity("γ", &any).times(quantity("n", &any)).plus(quantity("β", &any)),
        );
        section.equation(Equation::of(Symbol::of("ε")).comes_to(self.number(layer.epsilon)));
        let (gamma, beta) = (&layer.parameters[ParameterName::Gamma], &layer.parameters[ParameterName::Beta]);
        for (place, unit) in self.shown(node.units()).into_iter().enumerate() {
            let (j, group) = (Unit(unit), Group::of(layer.statistics, unit, node.units()));
            let of = group.place(n);
            // An example's own are those of all its units.
            if place == 0 || layer.statistics.is_some() {
                self.statistics(layer, (node.inputs, group), [shared("μ", &j), shared("v", &j)], section);
            }
            let top = self.value(node.inputs.at(n, unit)).minus(self.value(layer.mean[of]).grouped());
            let equation = Equation::of(quantity("n", &j)).is(top.over(self.value(layer.deviation[of])));
            section.equation(equation.comes_to(self.number(layer.normalized.at(n, unit))));
            let numbers = self
                .value(gamma.values()[unit])
                .grouped()
                .times(self.value(layer.normalized.at(n, unit)).grouped())
                .plus(self.value(beta.values()[unit]).grouped());
            let equation = Equation::of(names.output(Some(at), &j)).is(numbers);
            section.equation(equation.comes_to(self.number(layer.outputs.at(n, unit))));
        }
    }

    /// A mean and a variance, under their names.
    fn statistics(
        &self,
        layer: &NormForward,
        (inputs, group): (&Matrix, Group),
        [mean, variance]: [Math; 2],
        section: &mut Section,
    ) {
        let of = group.place(self.example);
        let (mut mean, mut variance) = (Equation::of(mean), Equation::of(variance));
        // Those that were gathered in training are no sums of this batch.
        if layer.statistics != Some(Statistics::Running) {
            let centred = |x: f64| self.value(x).minus(self.value(layer.mean[of]).grouped());
            let all = |term: &dyn Fn(f64) -> Math| self.mean_over(group, &|row, column| term(inputs.at(row, column)));
            mean = mean.is(all(&|x| self.value(x).grouped()));
            variance = variance.is(all(&|x| Math::Group(Box::new(centred(x))).squared()));
        }
        section.equation(mean.comes_to(self.number(layer.mean[of])));
        section.equation(variance.comes_to(self.number(layer.variance[of])));
    }

    /// The mean over what mean and variance are taken over: the batch of one unit, or the units of the example.
    pub(super) fn mean_over(&self, group: Group, term: &dyn Fn(usize, usize) -> Math) -> Math {
        let (count, sum) = match group {
            Group::Batch { unit } => (self.rows(), Math::sum_of(self.rows(), |row| term(row, unit))),
            Group::Row { units } => (units, Math::sum_of(units, |unit| term(self.example, unit))),
        };
        sum.over(Math::Whole(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn dropout_up(&self, at: usize, layer: &DropoutForward, section: &mut Section) {
        let (names, node, n) = (&self.names, &self.nodes[at], self.example);
        let Some(mask) = &layer.mask else {
            section.say(vec![text("In use nothing is dropped: the numbers go through as they are.")]);
            return;
        };
        section.say(vec![text(
            "Each number is multiplied by its mask m, which is 0 where it is dropped and 1/(1 − rate) elsewhere.",
        )]);
        let product = Math::from(names.output(node.below, &Any("j"))).times(names.quantity("m", at, &Any("j")));
        section.rule(names.output(Some(at), &Any("j")), product);
        for unit in self.shown(node.units()) {
            let product = self.value(node.inputs.at(n, unit)).grouped().times(self.value(mask.at(n, unit)));
            let equation = Equation::of(names.output(Some(at), &Unit(unit))).is(product);
            section.equation(equation.comes_to(self.number(layer.outputs.at(n, unit))));
        }
    }

    fn residual_up(&self, at: usize, layer: &ResidualForward, section: &mut Section) {
        let (names, node, n) = (&self.names, &self.nodes[at], self.example);
        section.say(vec![text("What the layers inside made, r, and what went around them, s, are added.")]);
        if layer.parameters.is_some() {
            section.say(vec![text("The way around is a product with weights, which gives it the branch's width.")]);
        }
        let sum = Math::from(names.quantity("r", at, &Any("j"))).plus(names.quantity("s", at, &Any("j")));
        section.rule(names.output(Some(at), &Any("j")), sum);
        for unit in self.shown(node.units()) {
            let numbers = self.value(layer.branch.at(n, unit)).plus(self.value(layer.shortcut.at(n, unit)).grouped());
            let equation = Equation::of(names.output(Some(at), &Unit(unit))).is(numbers);
            section.equation(equation.comes_to(self.number(layer.outputs.at(n, unit))));
        }
    }

    pub(super) fn loss(&self) -> Option<Section> {
        let loss = self.trace.loss.as_ref()?;
        let (names, n, outputs) = (&self.names, self.example, &self.trace.forward.outputs);
        let mut section = Section::new(2, self.tells("Error", "The inspector finds the defect"));
        section.say(vec![text(self.tells(
            "How far the outputs are from the targets, as one number.",
            "The inspector compares the product with the order, and puts the defect into one number.",
        ))]);
        let term = |y: Math, out: Math| match loss.kind {
            Loss::HalfSquaredError | Loss::MeanSquaredError => Math::Group(Box::new(y.minus(out))).squared(),
            Loss::BinaryCrossEntropy => {
                let ln = |of| Math::Function("ln", Box::new(of));
                let one = || Math::Whole(1);
                let rest = Math::Group(Box::new(one().minus(y.clone()))).times(ln(one().minus(out.clone())));
                Math::Group(Box::new(y.times(ln(out)).plus(rest)))
            }
            Loss::CrossEntropy => y.times(Math::Function("ln", Box::new(out))),
        };
        let whole = |sum: Math| {
            let count = u32::try_from(outputs.columns()).unwrap_or(u32::MAX);
            match loss.kind {
                Loss::HalfSquaredError => Math::Whole(1).over(Math::Whole(2)).times(sum.grouped()),
                // The mean over one output is that output's.
                Loss::MeanSquaredError if count == 1 => sum,
                Loss::MeanSquaredError => Math::Whole(1).over(Math::Whole(count)).times(sum.grouped()),
                Loss::BinaryCrossEntropy if count > 1 => {
                    Math::Whole(1).over(Math::Whole(count)).negated().times(sum.grouped())
                }
                Loss::BinaryCrossEntropy | Loss::CrossEntropy => sum.grouped().negated(),
            }
        };
        let any = Any("k");
        let terms = term(names.target(&any).into(), names.prediction(&any).into());
        let one = outputs.columns() == 1;
        section.rule(Symbol::of("E"), whole(if one { terms } else { Math::Sum("k", Box::new(terms)) }));
        let put_in =
            |k: usize| term(self.value(loss.targets.at(n, k)).grouped(), self.value(outputs.at(n, k)).grouped());
        let numbers = whole(Math::sum_of(outputs.columns(), put_in));
        section.equation(Equation::of(Symbol::of("E")).is(numbers).comes_to(self.number(loss.per_example[n])));
        if self.rows() > 1 {
            section.say(vec![text("The loss of the batch is the mean over its examples:")]);
            let count = u32::try_from(self.rows()).unwrap_or(u32::MAX);
            let sum = Math::sum_of(self.rows(), |n| self.value(loss.per_example[n]).grouped());
            let equation = Equation::of(Symbol::of("E").that_is("mean")).is(sum.over(Math::Whole(count)));
            section.equation(equation.comes_to(self.number(loss.value)));
        }
        Some(section)
    }
}

/// f(a)
fn value_of(activation: Activation, a: Math) -> Math {
    let function = |name, of| Math::Function(name, Box::new(of));
    let one = || Math::Whole(1);
    match activation {
        Activation::Linear | Activation::Softmax => a,
        Activation::Sigmoid => one().over(one().plus(function("exp", a.grouped().negated()))),
        Activation::Tanh => function("tanh", a),
        Activation::Relu => function("max", Math::row([Math::Whole(0), Math::Operator(","), a])),
        Activation::LeakyRelu => function("leaky_relu", a),
        Activation::Elu => function("elu", a),
        Activation::Gelu => a.clone().grouped().times(function("Φ", a)),
        Activation::Silu => a.clone().grouped().times(function("σ", a)),
        Activation::Softplus => function("ln", one().plus(function("exp", a))),
    }
}
