//! Random numbers: NumPy's PCG64 from the same seed, and the distributions drawn from it.
//!
//! `numpy.random.default_rng(seed).random()` gives the same doubles, so that anyone can draw a session's first
//! weights again: `rng.uniform(-limit, limit, (fan_in, fan_out))`, layer after layer.

use rand_core::Rng;
use rand_pcg::Pcg64;

use super::math;

/// A stream of random numbers, wholly given by its seed.
#[derive(Clone)]
pub struct Stream(Pcg64);

impl Stream {
    /// The stream that NumPy's `default_rng(seed)` starts.
    pub fn new(seed: u64) -> Self {
        Self::of(&SeedSequence::new(seed))
    }

    fn of(sequence: &SeedSequence) -> Self {
        let [a, b, c, d] = sequence.four_words();
        let join = |high: u64, low: u64| (u128::from(high) << 64) | u128::from(low);
        Self(Pcg64::new(join(a, b), join(c, d)))
    }

    /// The stream that NumPy's `default_rng(SeedSequence(seed, spawn_key=(key,)))` starts: another one for each key.
    pub fn spawned(seed: u64, key: u64) -> Self {
        Self::of(&SeedSequence::spawned(seed, key))
    }

    /// A double in [0, 1): the upper 53 bits of the next word.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A double in [low, high): `low + (high − low)·unit`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A normal double by Box and Muller from two units u and v:
    /// `mean + std·(√(−2·ln(1 − u))·cos(2πv))`.
    pub fn normal(&mut self, mean: f64, std: f64) -> f64 {
        let u = self.unit();
        let v = self.unit();
        mean + std * (math::sqrt(-2.0 * math::ln(1.0 - u)) * math::cospi(2.0 * v))
    }
}

/// NumPy's `SeedSequence` for a seed of at most 64 bits: the hash that spreads a small seed over the generator's
/// 256 bits of state. Source: `numpy/random/bit_generator.pyx`, after Melissa O'Neill's `seed_seq_fe`.
struct SeedSequence([u32; 4]);

impl SeedSequence {
    fn new(seed: u64) -> Self {
        Self::mixed(halves(seed), &[])
    }

    /// A key below 2^32 is one word, as in NumPy; a larger one is two.
    fn spawned(seed: u64, key: u64) -> Self {
        let [low, high] = halves(key);
        let key = [low, high];
        Self::mixed(halves(seed), &key[..if high == 0 { 1 } else { 2 }])
    }

    /// The seed fills a pool of four words; what does not fit is then mixed into each of them.
    fn mixed([low, high]: [u32; 2], further: &[u32]) -> Self {
        let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
        let mut pool = [low, high, 0, 0].map(|word| hash.of(word));
        for from in 0..4 {
            for to in (0..4).filter(|&to| to != from) {
                pool[to] = mix(pool[to], hash.of(pool[from]));
            }
        }
        for &word in further {
            for slot in &mut pool {
                *slot = mix(*slot, hash.of(word));
            }
        }
        Self(pool)
    }

    fn four_words(&self) -> [u64; 4] {
        let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
        let mut next = self.0.into_iter().cycle().map(|word| u64::from(hash.of(word)));
        std::array::from_fn(|_| next.next().unwrap_or(0) | next.next().unwrap_or(0) << 32)
    }
}

fn mix(left: u32, right: u32) -> u32 {
    let mixed = left.wrapping_mul(0xca01_f9dd).wrapping_sub(right.wrapping_mul(0x4973_f715));
    mixed ^ (mixed >> 16)
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves of the word, the lower one first")]
fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// One of the two running hashes of a `SeedSequence`.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn of(&mut self, word: u32) -> u32 {
        let mixed = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let mixed = mixed.wrapping_mul(self.constant);
        mixed ^ (mixed >> 16)
    }
}
