//! Where everything of a trace stands, and what of it a claim is about.

use std::collections::{HashMap, HashSet};

use super::claim::{Claim, escaped};
use super::compare::{ClaimError, Claimed, shape};
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::name::LayerName;
use crate::engine::trace::Trace;

/// Where a quantity stands, and how large it is.
pub(super) struct Outline {
    pub pointer: String,
    pub shape: Vec<usize>,
}

/// What a trace has and where, to be looked up by pointer.
pub(super) struct Places {
    pub outlines: Vec<Outline>,
    /// Each quantity's place among the outlines
    pub quantities: HashMap<String, usize>,
    /// Whatever holds quantities or layers
    parts: HashSet<String>,
    layers: HashSet<String>,
    /// A list of layers and a name in it, with a space between the two: where that layer stands
    named: HashMap<String, String>,
}

impl Places {
    pub fn of(trace: &Trace) -> Self {
        let mut outlines = vec![];
        trace.walk(&mut |place, values| outlines.push(Outline { pointer: place.to_string(), shape: shape(values) }));
        let quantities = outlines.iter().enumerate().map(|(which, outline)| (outline.pointer.clone(), which)).collect();
        let mut places =
            Self { outlines, quantities, parts: HashSet::new(), layers: HashSet::new(), named: HashMap::new() };
        for (at, name) in layers(trace) {
            if let Some((list, _)) = at.rsplit_once('/') {
                places.named.entry(format!("{list} {name}")).or_insert_with(|| at.clone());
            }
            places.layers.insert(at);
        }
        let pointers = places.outlines.iter().map(|outline| &outline.pointer).chain(&places.layers);
        for pointer in pointers {
            let mut part = &pointer[..];
            while places.parts.insert(part.to_owned())
                && let Some((outer, _)) = part.rsplit_once('/')
            {
                part = outer;
            }
        }
        places
    }

    /// `at` is the place in the trace, `here` the place in the claim: they differ where a layer is found by its name.
    pub fn collect(&self, claim: &Claim, at: &str, here: &str, found: &mut Vec<Claimed>) -> Result<(), ClaimError> {
        if let Some(&which) = self.quantities.get(at) {
            found.extend(self.claimed(which, claim, here)?);
            return Ok(());
        }
        let unknown = |pointer: String| ClaimError::Unknown { pointer, there: self.there(at) };
        match claim {
            Claim::Nothing => Ok(()),
            Claim::Number(_) | Claim::Text(_) | Claim::Switch(_) => {
                let wanted = if at.ends_with("/layers") { "a list of layers" } else { "an object" };
                Err(ClaimError::Type { pointer: here.to_owned(), wanted, got: claim.type_name() })
            }
            Claim::Object(entries) => {
                for (key, claim) in entries {
                    let deeper = |outer: &str| format!("{outer}/{}", escaped(key));
                    if self.is_setting(at, key, claim) {
                        continue;
                    }
                    let (below, here) = (deeper(at), deeper(here));
                    if !self.parts.contains(&below) {
                        return Err(unknown(here));
                    }
                    self.collect(claim, &below, &here, found)?;
                }
                Ok(())
            }
            Claim::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let here = format!("{here}/{index}");
                    let layer = self.layer(at, index, item, &here)?.ok_or_else(|| unknown(here.clone()))?;
                    self.collect(item, &layer, &here, found)?;
                }
                Ok(())
            }
        }
    }

    /// Whether this is one of the texts and settings of a trace that are no numbers to be judged, in its own place: a
    /// quantity cannot hide behind the name of one.
    fn is_setting(&self, at: &str, key: &str, claim: &Claim) -> bool {
        let known: &[&str] = match at {
            "" => &["format", "session", "step"],
            "/loss" => &["kind"],
            "/update" => &["optimizer", "timestep"],
            _ if self.layers.contains(at) => match at.split('/').nth(1) {
                Some("forward") => &["name", "kind", "activation", "statistics", "epsilon", "rate"],
                Some("backward") => &["name", "kind"],
                _ => &["name"],
            },
            _ if at.strip_suffix("/running").is_some_and(|layer| self.layers.contains(layer)) => &["momentum"],
            _ => &[],
        };
        let simple = !matches!(claim, Claim::List(_) | Claim::Object(_));
        known.contains(&key) && (simple || key == "optimizer")
    }

    /// What the trace has at a place: the names of a list's layers, or the keys of an object.
    fn there(&self, at: &str) -> Vec<String> {
        let (list, object) = (format!("{at} "), format!("{at}/"));
        let mut layers: Vec<(&String, &str)> =
            self.named.iter().filter_map(|(key, place)| Some((place, key.strip_prefix(&list)?))).collect();
        layers.sort_unstable();
        if !layers.is_empty() {
            return layers.into_iter().map(|(_, name)| name.to_owned()).collect();
        }
        let keys = self.parts.iter().chain(self.quantities.keys()).filter_map(|part| part.strip_prefix(&object));
        let mut keys: Vec<String> = keys.filter(|key| !key.contains('/')).map(str::to_owned).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// A layer by its name, or by its place where the claim gives it none.
    fn layer(&self, list: &str, index: usize, item: &Claim, here: &str) -> Result<Option<String>, ClaimError> {
        match item.get("name") {
            Some(Claim::Text(name)) => Ok(self.named.get(&format!("{list} {name}")).cloned()),
            None | Some(Claim::Nothing) => Ok(Some(format!("{list}/{index}")).filter(|at| self.layers.contains(at))),
            Some(other) => {
                let (wanted, got) = ("a layer's name", other.type_name());
                Err(ClaimError::Type { pointer: format!("{here}/name"), wanted, got })
            }
        }
    }

    /// What is claimed of one quantity; nothing where null stands for all of it.
    fn claimed(&self, which: usize, claim: &Claim, here: &str) -> Result<Option<Claimed>, ClaimError> {
        let expected = &self.outlines[which].shape;
        let shape = |shape: &[usize]| match shape {
            [] => "a single number".to_owned(),
            shape => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
        };
        let wrong = |got: String| ClaimError::Shape { pointer: here.to_owned(), expected: shape(expected), got };
        let numbers = claim.numbers().ok_or_else(|| match claim.no_number() {
            Some((within, got)) => ClaimError::Type { pointer: format!("{here}{within}"), wanted: "a number", got },
            None => wrong("empty, or ragged".into()),
        })?;
        if numbers.values == [None] {
            return Ok(None);
        }
        let transposed = expected.iter().rev().eq(&numbers.shape);
        if !numbers.fits(expected) && !transposed {
            return Err(wrong(shape(&numbers.shape)));
        }
        Ok(Some(Claimed { which, numbers, rounding: vec![], beside: None }))
    }
}

/// The pointer and the name of every layer, in every section.
fn layers(trace: &Trace) -> Vec<(String, LayerName)> {
    fn up(layers: &[LayerForward], at: &str, all: &mut Vec<(String, LayerName)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            up(layer.inner(), &at, all);
            all.push((at, layer.name().clone()));
        }
    }
    fn down(layers: &[LayerBackward], at: &str, all: &mut Vec<(String, LayerName)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            down(layer.inner(), &at, all);
            all.push((at, layer.name().clone()));
        }
    }
    let mut all = vec![];
    up(&trace.forward.layers, "/forward", &mut all);
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    down(backward, "/backward", &mut all);
    // The update lists its layers as the backward pass does.
    down(backward, "/update", &mut all);
    all
}
