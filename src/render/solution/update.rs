//! What is learned: every change, the loss afterwards, and how the changes depend on the distance from the output.

use super::Sheet;
use super::names::Index::Unit;
use super::optimizer::Place;
use crate::engine::tensor::ParameterName;
use crate::engine::trace::Update;
use crate::insight::depth::depth;
use crate::render::document::{Cell, Section, code, text};
use crate::render::math::{Equation, Symbol};

impl Sheet<'_> {
    pub(super) fn update(&self) -> Vec<Section> {
        let Some(update) = &self.trace.update else { return vec![] };
        let mut first = Section::new(2, self.tells("Update", "Every worker learns"));
        self.rules(update, &mut first);
        first.blocks.extend(self.left_out());
        let mut sections = vec![first];
        for at in (0..self.nodes.len()).rev().filter(|&at| self.shows(at)) {
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
