//! Random streams whose bits are fixed for ever: generator, seeding and conversions are all written down here.

use crate::portable::ln;

/// One stream of xoshiro256++.
///
/// Source: Blackman, Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4), 2021, section 5.
/// Written out here, and compared with the crate `rand_xoshiro` in a test, so that no change of a dependency
/// can change a forest.
#[derive(Debug, Clone)]
pub struct Stream([u64; 4]);

/// The finaliser of `SplitMix64`, a bijection of u64 with good avalanche.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of (`seed`, `purpose`, `index`); a purpose is a number that a crate gives to one use of its streams: every part is hashed, so that neighbouring seeds share
    /// no stream (with `seed + index` forests of adjacent seeds would share all trees but one).
    pub fn new(seed: u64, purpose: u64, index: u64) -> Self {
        let mut state = mix(mix(mix(seed) ^ purpose) ^ index);
        Self([(); 4].map(|()| {
            state = mix(state);
            state
        }))
    }

    /// The next 64 bits.
    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// 64 bits, each 0 or 1 with the same probability.
    pub fn bits(&mut self) -> u64 {
        self.next()
    }

    /// Uniform in [0, 1): the upper 53 bits times 2^-53.
    pub fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / 9_007_199_254_740_992.0;
        (self.next() >> 11) as f64 * SCALE
    }

    /// Standard normal by the polar method, with the same bits on every platform.
    ///
    /// Source: Marsaglia, Bray, "A Convenient Method for Generating Normal Variables", SIAM Review 6(3), 1964.
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 1e-300 {
                return x * (-2.0 * ln(square) / square).sqrt();
            }
        }
    }

    /// Uniform in 0..`bound`, without bias; 0 when `bound` is 0.
    ///
    /// Source: Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019, algorithm 5.
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next()) * u128::from(bound);
        if low_half(product) < bound {
            let reject = bound.wrapping_neg() % bound;
            while low_half(product) < reject {
                product = u128::from(self.next()) * u128::from(bound);
            }
        }
        high_half(product)
    }

    /// As [`below`](Self::below) for indices.
    pub fn index_below(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// Moves drawn items to the first `count` places, without replacement and in any order; all of them for a whole shuffle.
    ///
    /// Source: Durstenfeld, "Algorithm 235: Random Permutation", CACM 7(7), 1964, from the other end and ended early.
    pub fn shuffle_first<T>(&mut self, items: &mut [T], count: usize) {
        for place in 0..count.min(items.len()) {
            let other = place + self.index_below(items.len() - place);
            items.swap(place, other);
        }
    }

    /// Distinct indices below `population`, ascending: so many that they are at most this share of all, but one at least.
    pub fn share_of(&mut self, population: usize, share: f64) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..population).collect();
        if share < 1.0 {
            let wanted = population as f64 * share;
            let counts = (1..=population).take_while(|count| *count as f64 <= wanted);
            let count = counts.count().max(1);
            self.shuffle_first(&mut indices, count);
            indices.truncate(count);
            indices.sort_unstable();
        }
        indices
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is asked for"
)]
const fn low_half(product: u128) -> u64 {
    product as u64
}

const fn high_half(product: u128) -> u64 {
    (product >> 64) as u64
}

/// Draws sets of indices without replacement in time and memory that do not depend on the population.
///
/// Source: Bentley, Floyd, "Programming Pearls: A Sample of Brilliance", CACM 30(9), 1987, algorithm F2.
#[derive(Debug, Default)]
pub struct FloydSampler {
    /// Open addressing, linear probing; `usize::MAX` is empty. No index can be `usize::MAX`.
    slots: Vec<usize>,
}

impl FloydSampler {
    /// Fills `out` with `count` distinct indices below `population`; `count` at most `population`.
    pub fn draw(
        &mut self,
        population: usize,
        count: usize,
        stream: &mut Stream,
        out: &mut Vec<usize>,
    ) {
        out.clear();
        if count >= population {
            out.extend(0..population);
            return;
        }
        let capacity = count.saturating_mul(2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(capacity, usize::MAX);
        for last in population - count..population {
            let drawn = stream.index_below(last + 1);
            let index = if self.insert(drawn) {
                drawn
            } else {
                // `last` was outside every earlier range, so it is new.
                self.insert(last);
                last
            };
            out.push(index);
        }
    }

    /// False when the index was in the set before.
    fn insert(&mut self, index: usize) -> bool {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing; only the distribution over slots depends on it, never the result.
        let mut slot = index.wrapping_mul(0x9e37_79b9) & mask;
        loop {
            if self.slots[slot] == usize::MAX {
                self.slots[slot] = index;
                return true;
            }
            if self.slots[slot] == index {
                return false;
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FloydSampler, Stream, low_half};
    use std::collections::BTreeSet;

    #[test]
    fn draws_each_subset_equally_often() {
        let mut sampler = FloydSampler::default();
        let mut stream = Stream::new(7, 1, 0);
        let mut counts = std::collections::BTreeMap::<Vec<usize>, u32>::new();
        let mut out = Vec::new();
        for _ in 0..60_000 {
            sampler.draw(6, 3, &mut stream, &mut out);
            let mut sorted = out.clone();
            sorted.sort_unstable();
            *counts.entry(sorted).or_default() += 1;
        }
        // 20 subsets, 3,000 each expected; chi-square with 19 degrees of freedom, 99.99 % quantile 50.8.
        assert_eq!(counts.len(), 20);
        let chi2: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - 3000.0).powi(2) / 3000.0)
            .sum();
        assert!(chi2 < 50.8, "chi-square {chi2}");
    }

    #[test]
    fn draws_distinct_indices_below_the_population() {
        let mut sampler = FloydSampler::default();
        let mut stream = Stream::new(1, 1, 3);
        let mut out = Vec::new();
        for (population, count) in [(1, 1), (2, 1), (257, 256), (1_000_000, 256), (5, 9), (0, 0)] {
            sampler.draw(population, count, &mut stream, &mut out);
            let set: BTreeSet<_> = out.iter().copied().collect();
            assert_eq!(set.len(), count.min(population));
            assert_eq!(out.len(), set.len());
            assert!(out.iter().all(|&index| index < population));
        }
    }

    #[test]
    fn shuffles_have_each_order_equally_often() {
        let mut stream = Stream::new(5, 1, 0);
        let mut counts = std::collections::BTreeMap::<[usize; 4], u32>::new();
        for _ in 0..48_000 {
            let mut items = [0, 1, 2, 3];
            stream.shuffle_first(&mut items, 4);
            *counts.entry(items).or_default() += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi2: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - 2000.0).powi(2) / 2000.0)
            .sum();
        assert!(chi2 < 56.4, "chi-square {chi2}"); // 23 degrees of freedom, 99.99 %
    }

    #[test]
    fn shares_are_rounded_down_to_one_at_least() {
        let mut stream = Stream::new(5, 2, 0);
        for (population, share, expected) in [
            (10, 0.39, 3),
            (10, 0.01, 1),
            (10, 1.0, 10),
            (1, 0.5, 1),
            (0, 0.5, 0),
        ] {
            let drawn = stream.share_of(population, share);
            assert_eq!(drawn.len(), expected, "{population} {share}");
            assert!(drawn.is_sorted_by(|one, two| one < two));
            assert!(drawn.iter().all(|index| *index < population));
        }
    }

    #[test]
    fn integers_below_a_bound_are_uniform() {
        let mut stream = Stream::new(11, 2, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.index_below(7)] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi2 < 27.9, "chi-square {chi2}"); // 6 degrees of freedom, 99.99 %
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut stream = Stream::new(5, 1, 0);
        let count = 200_000;
        let drawn: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        // E[x^k] = 0, 1, 0, 3 with standard deviations 1, sqrt(2), sqrt(15), sqrt(96); four standard errors.
        for (power, moment, deviation) in
            [(1, 0.0, 1.0), (2, 1.0, 1.42), (3, 0.0, 3.88), (4, 3.0, 9.8)]
        {
            let mean = drawn.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(count);
            let allowed = 4.0 * deviation / f64::from(count).sqrt();
            assert!((mean - moment).abs() < allowed, "power {power}: {mean}");
        }
    }

    #[test]
    fn streams_of_neighbouring_seeds_and_trees_differ() {
        let mut first = BTreeSet::new();
        for seed in 0..50 {
            for tree in 0..50 {
                first.insert(Stream::new(seed, 1, tree).next());
            }
        }
        assert_eq!(first.len(), 2500);
        assert_eq!(low_half(u128::MAX), u64::MAX);
    }

    #[test]
    fn generator_equals_the_published_crate() {
        use rand_xoshiro::Xoshiro256PlusPlus;
        use rand_xoshiro::rand_core::{RngCore, SeedableRng};
        let mut stream = Stream::new(3, 1, 5);
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(stream.0) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut oracle = Xoshiro256PlusPlus::from_seed(seed);
        for _ in 0..1000 {
            assert_eq!(stream.next(), oracle.next_u64());
        }
    }

    #[test]
    fn bits_of_a_seed_are_fixed() {
        // Kept from the first version: these numbers must never change.
        let mut stream = Stream::new(42, 1, 0);
        let drawn: Vec<u64> = (0..4).map(|_| stream.below(1_000_000)).collect();
        assert_eq!(drawn, FIXED);
        let unit = stream.unit();
        assert!((0.0..1.0).contains(&unit));
    }

    const FIXED: [u64; 4] = [936_456, 249_296, 933_571, 25_609];
}
