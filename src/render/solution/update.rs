//! What is learned: every change, the loss afterwards, and how the changes depend on the distance from the output.

use super::Sheet;
use super::names::Index::Unit;
use crate::engine::optimizer::{Algorithm, Momentum, OptimizerKind, TensorUpdate};
use crate::engine::tensor::{ParameterName, SlotName};
use crate::engine::trace::Update;
use crate::insight::depth::depth;
use crate::render::document::{Cell, Section, code, math, text};
use crate::render::math::{Equation, Math, Symbol};

/// One parameter of one unit.
struct Place<'t> {
    symbol: Symbol,
    update: &'t TensorUpdate,
    before: f64,
    gradient: f64,
    index: Vec<usize>,
}

impl Sheet<'_> {
    pub(super) fn update(&self) -> Vec<Section> {
        let Some(update) = &self.trace.update else { return vec![] };
        let mut first = Section::new(2, self.tells("Update", "Every worker learns"));
        let eta = update.optimizer.learning_rate.value();
        first.say(vec![
            text(format!("The optimizer is {}, with the learning rate ", super::nodes::word(update.optimizer.kind()))),
            math(Equation::of(Symbol::of("η")).is(self.value(eta)).row()),
            text("."),
        ]);
        rules(update, &mut first);
        if let Some(clip) = update.clip {
            first.say(vec![text(
                "All gradients together are made smaller by one factor s, for their norm g passes the limit or not:",
            )]);
            first.equation(Equation::of(Symbol::of("g")).comes_to(self.number(clip.norm)));
            first.equation(Equation::of(Symbol::of("s")).comes_to(self.number(clip.scale)));
        }
        let mut sections = vec![first];
        for at in (0..self.nodes.len()).rev() {
            let places = self.places(at);
            if places.is_empty() {
                continue;
            }
            let node = &self.nodes[at];
            let mut section = Section::new(3, format!("Changes of layer {}", node.label));
            section.say(vec![code(node.up.name())]);
            for place in places {
                self.change(update, &place, &mut section);
            }
            sections.push(section);
        }
        sections.extend(self.afterwards(update));
        sections.push(self.observation());
        sections
    }

    /// Those weights of the units shown whose gradients are shown, and their biases.
    fn places(&self, at: usize) -> Vec<Place<'_>> {
        let node = &self.nodes[at];
        let (Some(update), Some(parameters)) = (node.update, node.up.parameters()) else { return vec![] };
        let gradients = node.down.and_then(|down| down.gradients());
        let mut places = vec![];
        let mut add = |symbol: Symbol, name: ParameterName, index: Vec<usize>| {
            let found = (update.parameters.get(name), parameters.get(name), gradients.and_then(|all| all.get(name)));
            let (Some(update), Some(before), Some(gradient)) = found else { return };
            if let (Some(before), Some(gradient)) = (before.at(&index), gradient.at(&index)) {
                places.push(Place { symbol, update, before, gradient, index });
            }
        };
        for unit in self.shown(node.units()) {
            for input in self.shown(node.inputs.columns()) {
                add(self.names.weight(at, &Unit(input), &Unit(unit)), ParameterName::Weights, vec![input, unit]);
            }
            add(self.names.bias(at, &Unit(unit)), ParameterName::Bias, vec![unit]);
            add(self.names.quantity("γ", at, &Unit(unit)), ParameterName::Gamma, vec![unit]);
            add(self.names.quantity("β", at, &Unit(unit)), ParameterName::Beta, vec![unit]);
        }
        places
    }

    fn change(&self, update: &Update, place: &Place, section: &mut Section) {
        let optimizer = &update.optimizer;
        let Place { symbol, update: tensor, before, gradient, index } = place;
        let (Some(change), Some(after)) = (tensor.change.at(index), tensor.after.at(index)) else { return };
        let value = |tensor: &crate::engine::tensor::Tensor| tensor.at(index).unwrap_or(0.0);
        let steps = [("g", "clipped", &tensor.clipped), ("g", "with decay", &tensor.decayed)];
        for (letter, what, tensor) in steps {
            if let Some(tensor) = tensor {
                section.equation(Equation::of(Symbol::of(letter).at(what)).comes_to(self.number(value(tensor))));
            }
        }
        if let Some(state) = &tensor.state {
            for (slot, after) in state.after.iter() {
                let letter = letter(slot);
                section.equation(Equation::of(Symbol::of(letter)).comes_to(self.number(value(&state.before[slot]))));
                section.equation(Equation::of(Symbol::of(letter).after()).comes_to(self.number(value(after))));
            }
        }
        if let Some(corrected) = &tensor.corrected {
            for (letter, tensor) in [("m", &corrected.first_moment), ("v", &corrected.second_moment)] {
                let hat = Symbol { hat: true, ..Symbol::of(letter) };
                section.equation(Equation::of(hat).comes_to(self.number(value(tensor))));
            }
        }
        let mut equation = Equation::of(symbol.clone().change());
        if optimizer.is_plain() {
            let eta = self.value(optimizer.learning_rate.value());
            equation = equation.is(eta.negated().times(self.value(*gradient).grouped()));
        }
        section.equation(equation.comes_to(self.number(change)));
        let sum = self.value(*before).plus(self.value(change).grouped());
        section.equation(Equation::of(symbol.clone().after()).is(sum).comes_to(self.number(after)));
    }

    fn afterwards(&self, update: &Update) -> Option<Section> {
        let (before, after) = (self.trace.loss.as_ref()?.value, update.loss_after?);
        let mut section = Section::new(2, self.tells("Afterwards", "The next product"));
        let better = if after < before {
            self.tells("The same batch has a smaller loss now.", "The next product has a smaller defect.")
        } else {
            self.tells(
                "The same batch has no smaller loss now: the step was too long, or there was nothing to gain.",
                "The next product is no better: the workers changed too much, or there was nothing to mend.",
            )
        };
        section.say(vec![text(better)]);
        section.equation(Equation::of(Symbol::of("E")).comes_to(self.number(before)));
        section.equation(Equation::of(Symbol::of("E").after()).comes_to(self.number(after)));
        Some(section)
    }

    /// The tutorial's key observation: how large the changes are, the further a layer lies from the outputs.
    fn observation(&self) -> Section {
        let mut section = Section::new(2, self.tells("The key observation", "Who learned how much"));
        section.say(vec![text(self.tells(
            "The further a layer lies from the output, the more slopes and weights its blame came through.",
            "The further a worker stands from the inspector, the more hands the blame came through.",
        ))]);
        let found = match depth(self.trace) {
            Ok(depth) => depth,
            Err(refused) => {
                section.say(vec![text(format!("There is no table of it: {refused}."))]);
                return section;
            }
        };
        let head = ["layer", "distance", "mean |δ|", "against the output's", "size of the change"];
        let number = |value| Cell::Number(self.number(value));
        let rows = found.layers.iter().map(|layer| {
            #[allow(clippy::cast_precision_loss, reason = "layers are limited far below 2^53")]
            let distance = number(layer.distance as f64);
            let ratio = layer.ratio_to_output.map(|ratio| self.number(ratio)).into();
            (layer.name.to_string(), vec![distance, number(layer.mean_abs_delta), ratio, number(layer.change_norm)])
        });
        section.table(&head, rows.collect());
        section.say(vec![text("The size of a change is the root of the sum of its squares, √(Σ Δ²).")]);
        section
    }
}

fn letter(slot: SlotName) -> &'static str {
    match slot {
        SlotName::Velocity | SlotName::SecondMoment => "v",
        SlotName::SquareAverage | SlotName::SquareSum => "s",
        SlotName::FirstMoment => "m",
    }
}

/// How a gradient becomes a change, in symbols.
fn rules(update: &Update, section: &mut Section) {
    let (w, eta) = (Symbol::of("w"), Math::from(Symbol::of("η")));
    let g = || Math::from(Symbol::of("g"));
    let root = |of: Math| Math::Root(Box::new(of)).plus(Symbol::of("ε"));
    let optimizer = &update.optimizer;
    let plain = optimizer.is_plain();
    let decoupled = optimizer.kind() == OptimizerKind::Adamw;
    if !plain {
        section.say(vec![
            text("Here "),
            math(g()),
            text(" is the gradient "),
            math(w.clone().gradient()),
            text(match (optimizer.weight_decay != 0.0 && !decoupled, update.clip.is_some()) {
                (true, true) => ", clipped, with the weight decay's pull.",
                (true, false) => " with the weight decay's pull.",
                (false, true) => ", clipped.",
                (false, false) => ".",
            }),
        ]);
    }
    let direction = match optimizer.algorithm {
        Algorithm::Sgd { momentum: None } => {
            if plain {
                Math::from(w.clone().gradient())
            } else {
                g()
            }
        }
        Algorithm::Sgd { momentum: Some(Momentum { nesterov, .. }) } => {
            let gathered = Math::from(Symbol::of("μ")).times(Symbol::of("v"));
            section.rule(Symbol::of("v").after(), gathered.plus(g()));
            let ahead = g().plus(Symbol::of("μ")).times(Symbol::of("v").after());
            if nesterov { ahead.grouped() } else { Symbol::of("v").after().into() }
        }
        Algorithm::Rmsprop { .. } | Algorithm::Adagrad { .. } => {
            let s = Math::from(Symbol::of("s").after());
            section.say(vec![text("Each gradient is divided by the root of a mean, or the sum, of its squares.")]);
            g().over(root(s))
        }
        Algorithm::Adam(_) | Algorithm::Adamw(_) => {
            section.say(vec![text(
                "m and v are fading means of the gradient and of its square, corrected for their start.",
            )]);
            let hat = |letter| Symbol { hat: true, ..Symbol::of(letter) };
            Math::from(hat("m")).over(root(hat("v").into()))
        }
    };
    let along = if decoupled && optimizer.weight_decay != 0.0 {
        direction.plus(Math::from(Symbol::of("λ")).times(w.clone())).grouped()
    } else {
        direction
    };
    section.rule(w.clone().change(), eta.negated().times(along));
    section.rule(w.clone().after(), Math::from(w.clone()).plus(w.change()));
}
