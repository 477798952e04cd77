//! The real session code over a simulated store, on a simulated clock, everything drawn from one seed: commits that fail
//! before or after they took effect, or come late, reads that fail, servers that die in the middle of anything. After
//! each run the log is held against what was answered.
//!
//! `SIMULATIONS` says how many seeds (`make soak` sets it high), `SIMULATION_SEED` runs one alone.

mod check;
mod store;
mod world;

use store::Lie;
use world::{Servers, run};

/// A run of each kind for every seed; the first that ends otherwise than it must is named.
fn simulate(servers: Servers, seeds: u64) {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        run(servers, Lie::None, seed.parse().unwrap()).unwrap();
        return;
    }
    let seeds = std::env::var("SIMULATIONS").map_or(seeds, |seeds| seeds.parse().unwrap());
    let mut answered = 0;
    for seed in 0..seeds {
        match run(servers, Lie::None, seed) {
            Ok(told) => answered += told,
            Err(violation) => panic!("SIMULATION_SEED={seed} ({servers:?}): {violation}"),
        }
    }
    assert!(answered as u64 > 10 * seeds, "the runs do something: {answered} changes were answered in {seeds} runs");
}

#[test]
fn one_server_loses_nothing() {
    simulate(Servers::One, 1_500);
}

#[test]
fn several_servers_lose_nothing() {
    simulate(Servers::Three, 1_500);
}

/// The checks can fail: a store that answers before it writes, and one that forgets who appended, are found out.
#[test]
fn a_store_that_lies_is_found_out() {
    for (servers, lie) in [
        (Servers::One, Lie::AnswersWithoutWriting),
        (Servers::Three, Lie::AnswersWithoutWriting),
        (Servers::Three, Lie::ForgetsWhoAppended),
        (Servers::Three, Lie::ReadsThePast),
    ] {
        let found = (0..1_000).find(|&seed| run(servers, lie, seed).is_err());
        assert!(found.is_some(), "{lie:?} is not found out with {servers:?}");
    }
}

/// A seed is a run: nothing else decides what happens.
#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..20 {
        for servers in [Servers::One, Servers::Three] {
            let told = || world::story(servers, seed);
            let first = told();
            assert!(first.len() > 20, "{first:?}");
            assert_eq!(first, told(), "seed {seed}");
        }
    }
}
