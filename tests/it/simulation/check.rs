//! What must be true after a run, whatever has happened in it.

use std::collections::BTreeMap;

use chainrule::session::{Happened, Kind, Registry};

use super::world::session;

/// What a client was told, or asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A step was asked for.
    Asked { session: u64, mark: u64 },
    /// It was made; the state is empty where it was made for an earlier request under the same key.
    Stepped { session: u64, step: u64, mark: u64, state: String },
    /// The session went back.
    Rewound { session: u64, step: u64 },
    /// The session was seen there; `known` is the last step that anybody knew of when it was asked for.
    Saw { session: u64, step: u64, known: u64, state: String },
}

pub type Violation = String;

/// Everything that was answered is in the log, once, where it was said to be; the log is dense and every entry leads
/// where it says; and nobody saw less than was known, or what the log does not have.
pub async fn check(registry: &Registry, told: &[Told], sessions: u64) -> Result<(), Violation> {
    let mut states: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut places: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for number in 0..sessions {
        let found = registry.session(&session(number)).await.map_err(|error| error.to_string())?;
        let last = found.live().step();
        let (history, more) = found.history(0, usize::MAX >> 1).await.map_err(|error| error.to_string())?;
        if more || history.len() as u64 != last + 1 {
            return Err(format!("session {number} has {} entries and stands at step {last}", history.len()));
        }
        for (step, past) in history.iter().enumerate() {
            let step = step as u64;
            if past.step != step {
                return Err(format!("session {number}: entry {step} says that it is step {}", past.step));
            }
            let recalled = found.recall(step).await.map_err(|error| error.to_string())?;
            if recalled.live.hash() != past.state {
                return Err(format!("session {number}: step {step} is recalled otherwise than it was"));
            }
            states.insert((number, step), past.state.to_string());
            if let Happened::Stepped(trace, _) = recalled.happened {
                let target = trace.loss.as_ref().ok_or("a step without a loss")?.targets.at(0, 0);
                let mark = (target * 1024.0) as i64;
                let mark = u64::try_from(mark).map_err(|_| "a mark that nobody gives")?;
                if let Some((other, at)) = places.insert(mark, (number, step)) {
                    return Err(format!("step {mark} was made twice: at {at} of {other} and at {step} of {number}"));
                }
            } else if past.note.kind == Kind::Step {
                return Err(format!("session {number}: step {step} is none"));
            }
        }
    }
    for told in told {
        let fits = match told {
            Told::Asked { .. } => true,
            Told::Stepped { session, step, mark, state } => {
                let same = state.is_empty() || states.get(&(*session, *step)) == Some(state);
                places.get(mark) == Some(&(*session, *step)) && same
            }
            Told::Rewound { session, step } => states.contains_key(&(*session, *step)),
            Told::Saw { session, step, known, state } => step >= known && states.get(&(*session, *step)) == Some(state),
        };
        if !fits {
            return Err(format!("a client was told {told:?}, and the log says otherwise"));
        }
    }
    let asked = |mark: &u64| told.iter().any(|told| matches!(told, Told::Asked { mark: asked, .. } if asked == mark));
    match places.keys().find(|mark| !asked(mark)) {
        Some(mark) => Err(format!("nobody asked for step {mark}")),
        None => Ok(()),
    }
}
