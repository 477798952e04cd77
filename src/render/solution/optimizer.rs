//! How a gradient becomes a change: in symbols, and with the numbers of one parameter.

use super::Sheet;
use crate::engine::optimizer::{Algorithm, Moments, Momentum, Optimizer, OptimizerKind, TensorUpdate};
use crate::engine::tensor::{SlotName, Tensor};
use crate::engine::trace::Update;
use crate::render::document::{Section, Span, math, text};
use crate::render::math::{Equation, Math, Symbol};

/// One number of a parameter, and what became of it.
pub(super) struct Place<'t> {
    pub(super) symbol: Symbol,
    pub(super) update: &'t TensorUpdate,
    pub(super) before: f64,
    pub(super) gradient: f64,
    pub(super) index: Vec<usize>,
}

/// Whether weight decay's pull passes by the gradient.
fn is_decoupled(optimizer: &Optimizer) -> bool {
    optimizer.kind() == OptimizerKind::Adamw && optimizer.weight_decay != 0.0
}

fn beta(which: &str) -> Symbol {
    Symbol::of("β").at(which)
}

fn hat(letter: &'static str) -> Symbol {
    Symbol { hat: true, ..Symbol::of(letter) }
}

/// β·mean + (1 − β)·g
fn faded(beta: Math, mean: Math, g: Math) -> Math {
    let rest = Math::Group(Box::new(Math::Whole(1).minus(beta.clone())));
    beta.times(mean).plus(rest.times(g))
}

/// value/(1 − β^t)
fn corrected(value: Math, beta: Math, timestep: Math) -> Math {
    value.over(Math::Whole(1).minus(Math::Power(Box::new(beta), Box::new(timestep))))
}

/// g/(√s + ε)
fn over_root(g: Math, squares: Math, epsilon: Math) -> Math {
    g.over(Math::Root(Box::new(squares)).plus(epsilon))
}

/// What the algorithm makes of a gradient, in symbols, and how it remembers.
fn remembering(update: &Update, gradient: Math, section: &mut Section) -> Math {
    let g = || Math::from(Symbol::of("g"));
    let (s, epsilon) = (|| Math::from(Symbol::of("s")), || Math::from(Symbol::of("ε")));
    let s_after = || Math::from(Symbol::of("s").after());
    match update.optimizer.algorithm {
        Algorithm::Sgd { momentum: None } => gradient,
        Algorithm::Sgd { momentum: Some(Momentum { nesterov, .. }) } => {
            section.say(vec![text("m gathers the gradients.")]);
            let (mu, after) = (Math::from(Symbol::of("μ")), Symbol::of("m").after());
            section.rule(after.clone(), mu.clone().times(Symbol::of("m")).plus(g()));
            if nesterov { Math::Group(Box::new(g().plus(mu.times(after)))) } else { after.into() }
        }
        Algorithm::Rmsprop { .. } => {
            section.say(vec![text("s is the fading mean of the gradient's square.")]);
            section.rule(s_after(), faded(Symbol::of("α").into(), s(), g().squared()));
            over_root(g(), s_after(), epsilon())
        }
        Algorithm::Adagrad { .. } => {
            section.say(vec![text("s is the sum of the gradient's squares.")]);
            section.rule(s_after(), s().plus(g().squared()));
            over_root(g(), s_after(), epsilon())
        }
        Algorithm::Adam(_) | Algorithm::Adamw(_) => {
            section.say(vec![
                text("m and s are fading means of the gradient and of its square, corrected for their start. This is update "),
                math(Equation::of(Symbol::of("t")).is(Math::Whole(whole(update.timestep))).row()),
                text("."),
            ]);
            let t = || Math::from(Symbol::of("t"));
            let m_after = Symbol::of("m").after();
            section.rule(m_after.clone(), faded(beta("1").into(), Symbol::of("m").into(), g()));
            section.rule(s_after(), faded(beta("2").into(), s(), g().squared()));
            section.rule(hat("m"), corrected(m_after.into(), beta("1").into(), t()));
            section.rule(hat("s"), corrected(s_after(), beta("2").into(), t()));
            over_root(hat("m").into(), hat("s").into(), epsilon())
        }
    }
}

impl Sheet<'_> {
    /// The settings that are no learning rate.
    fn settings(&self, optimizer: &Optimizer) -> Vec<Span> {
        let mut settings = match optimizer.algorithm {
            Algorithm::Sgd { momentum: None } => vec![],
            Algorithm::Sgd { momentum: Some(momentum) } => vec![(Symbol::of("μ"), momentum.factor)],
            Algorithm::Rmsprop { alpha, epsilon } => vec![(Symbol::of("α"), alpha), (Symbol::of("ε"), epsilon)],
            Algorithm::Adagrad { epsilon } => vec![(Symbol::of("ε"), epsilon)],
            Algorithm::Adam(Moments { beta1, beta2, epsilon })
            | Algorithm::Adamw(Moments { beta1, beta2, epsilon }) => {
                vec![(beta("1"), beta1), (beta("2"), beta2), (Symbol::of("ε"), epsilon)]
            }
        };
        if optimizer.weight_decay != 0.0 {
            settings.push((Symbol::of("λ"), optimizer.weight_decay));
        }
        let of = |(symbol, value)| [text(", "), math(Equation::of(symbol).is(self.value(value)).row())];
        settings.into_iter().flat_map(of).collect()
    }

    /// The optimizer, its settings and its formulas.
    pub(super) fn rules(&self, update: &Update, section: &mut Section) {
        let optimizer = &update.optimizer;
        let mut named = vec![
            text(format!("The optimizer is {}, with the learning rate ", super::nodes::word(optimizer.kind()))),
            math(Equation::of(Symbol::of("η")).is(self.value(optimizer.learning_rate.value())).row()),
        ];
        named.extend(self.settings(optimizer));
        named.push(text("."));
        section.say(named);
        let w = || Math::from(Symbol::of("w"));
        let gradient = Math::from(Symbol::of("w").gradient());
        let g = || Math::from(Symbol::of("g"));
        let plain = optimizer.is_plain();
        if !plain {
            let pulled = optimizer.weight_decay != 0.0 && !is_decoupled(optimizer);
            section.say(vec![
                text("Here "),
                math(g()),
                text(" is the gradient "),
                math(gradient.clone()),
                text(match (pulled, update.clip.is_some()) {
                    (true, true) => ", clipped, with the weight decay's pull.",
                    (true, false) => " with the weight decay's pull.",
                    (false, true) => ", clipped.",
                    (false, false) => ".",
                }),
            ]);
        }
        let direction = remembering(update, if plain { gradient } else { g() }, section);
        let along = if is_decoupled(optimizer) {
            Math::Group(Box::new(direction.plus(Math::from(Symbol::of("λ")).times(w()))))
        } else {
            direction
        };
        section.rule(Symbol::of("w").change(), Math::from(Symbol::of("η")).negated().times(along));
        section.rule(Symbol::of("w").after(), w().plus(Symbol::of("w").change()));
        if let Some(clip) = update.clip {
            section.say(vec![text(
                "All gradients together are made smaller by one factor s, for their norm g passes the limit or not:",
            )]);
            section.equation(Equation::of(Symbol::of("g")).comes_to(self.number(clip.norm)));
            section.equation(Equation::of(Symbol::of("s")).comes_to(self.number(clip.scale)));
        }
    }

    /// From the gradient of one number to its change and to what it is afterwards.
    pub(super) fn change(&self, update: &Update, place: &Place, section: &mut Section) {
        let Place { symbol, update: tensor, before, index, .. } = place;
        let (Some(change), Some(after)) = (tensor.change.at(index), tensor.after.at(index)) else { return };
        let number = |value: f64| self.value(value).grouped();
        let gradient = self.pulled(update, place, section);
        let direction = self.direction(update, place, gradient, section);
        let optimizer = &update.optimizer;
        let eta = self.value(optimizer.learning_rate.value());
        let along = if is_decoupled(optimizer) {
            Math::Group(Box::new(direction.plus(number(optimizer.weight_decay).times(number(*before)))))
        } else {
            direction
        };
        let equation = Equation::of(symbol.clone().change()).is(eta.negated().times(along));
        section.equation(equation.comes_to(self.number(change)));
        let sum = self.value(*before).plus(number(change));
        section.equation(Equation::of(symbol.clone().after()).is(sum).comes_to(self.number(after)));
    }

    /// The gradient as the algorithm takes it: clipped, and with weight decay's pull.
    fn pulled(&self, update: &Update, place: &Place, section: &mut Section) -> f64 {
        let Place { update: tensor, before, gradient, index, .. } = place;
        let number = |value: f64| self.value(value).grouped();
        let mut g = *gradient;
        let mut further = |what: &'static str, tensor: &Option<Tensor>, form: &dyn Fn(f64) -> Math| {
            if let Some(value) = tensor.as_ref().and_then(|tensor| tensor.at(index)) {
                let equation = Equation::of(Symbol::of("g").that_is(what)).is(form(g));
                section.equation(equation.comes_to(self.number(value)));
                g = value;
            }
        };
        let scale = update.clip.map_or(1.0, |clip| clip.scale);
        further("clipped", &tensor.clipped, &|g| number(g).times(number(scale)));
        let decay = update.optimizer.weight_decay;
        further("with decay", &tensor.decayed, &|g| number(g).plus(number(decay).times(number(*before))));
        g
    }

    /// What the algorithm makes of a gradient g, and of what it remembers.
    fn direction(&self, update: &Update, place: &Place, g: f64, section: &mut Section) -> Math {
        let Place { update: tensor, index, .. } = place;
        let number = |value: f64| self.value(value).grouped();
        let squared = |value: f64| Math::Group(Box::new(self.value(value))).squared();
        let remembered = |slot: SlotName| {
            let of = |slots: &crate::engine::tensor::Slots| slots.get(slot).and_then(|tensor| tensor.at(index));
            tensor
                .state
                .as_ref()
                .map_or((0.0, 0.0), |state| (of(&state.before).unwrap_or(0.0), of(&state.after).unwrap_or(0.0)))
        };
        let mut kept = |symbol: Symbol, form: Math, value: f64| {
            section.equation(Equation::of(symbol).is(form).comes_to(self.number(value)));
        };
        match update.optimizer.algorithm {
            Algorithm::Sgd { momentum: None } => number(g),
            Algorithm::Sgd { momentum: Some(Momentum { factor, nesterov }) } => {
                let (before, after) = remembered(SlotName::Velocity);
                kept(Symbol::of("m").after(), number(factor).times(number(before)).plus(number(g)), after);
                let ahead = || self.value(g).plus(number(factor).times(number(after)));
                if nesterov { Math::Group(Box::new(ahead())) } else { number(after) }
            }
            Algorithm::Rmsprop { alpha, epsilon } => {
                let (before, after) = remembered(SlotName::SquareAverage);
                kept(Symbol::of("s").after(), faded(number(alpha), number(before), squared(g)), after);
                over_root(self.value(g), self.value(after), self.value(epsilon))
            }
            Algorithm::Adagrad { epsilon } => {
                let (before, after) = remembered(SlotName::SquareSum);
                kept(Symbol::of("s").after(), self.value(before).plus(squared(g)), after);
                over_root(self.value(g), self.value(after), self.value(epsilon))
            }
            Algorithm::Adam(Moments { beta1, beta2, epsilon })
            | Algorithm::Adamw(Moments { beta1, beta2, epsilon }) => {
                let t = || Math::Whole(whole(update.timestep));
                let (first, second) = (remembered(SlotName::FirstMoment), remembered(SlotName::SecondMoment));
                kept(Symbol::of("m").after(), faded(number(beta1), number(first.0), number(g)), first.1);
                kept(Symbol::of("s").after(), faded(number(beta2), number(second.0), squared(g)), second.1);
                let Some(means) = &tensor.corrected else { return number(g) };
                let mean = |tensor: &Tensor| tensor.at(index).unwrap_or(0.0);
                let (first_hat, second_hat) = (mean(&means.first_moment), mean(&means.second_moment));
                kept(hat("m"), corrected(self.value(first.1), self.value(beta1), t()), first_hat);
                kept(hat("s"), corrected(self.value(second.1), self.value(beta2), t()), second_hat);
                over_root(self.value(first_hat), self.value(second_hat), self.value(epsilon))
            }
        }
    }
}

fn whole(timestep: Option<u64>) -> u32 {
    timestep.and_then(|timestep| u32::try_from(timestep).ok()).unwrap_or(u32::MAX)
}
