//! Moments, order statistics and counts of a stream, in bounded memory.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use std::collections::HashMap;
use std::hash::Hash;

/// Count, mean, spread and range of the numbers seen.
///
/// Source: Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products" (1962).
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    squares: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            count: 0,
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    pub(crate) fn push(&mut self, value: f64) {
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds a value with a weight.
    ///
    /// Source: West, "Updating Mean and Variance Estimates: An Improved Method" (1979).
    pub(crate) fn push_many(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        self.count += count;
        let delta = value - self.mean;
        self.mean += delta * (count as f64 / self.count as f64);
        self.squares += count as f64 * delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Standard deviation with divisor n.
    pub(crate) fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1) as f64).sqrt()
    }
}

/// A uniform sample of the numbers seen; all of them while they fit.
///
/// Source: Vitter, "Random Sampling with a Reservoir" (1985), Algorithm R.
#[derive(Debug, Clone)]
pub(crate) struct Reservoir {
    values: Vec<f64>,
    bound: usize,
    seen: u64,
    rng: Xoshiro256PlusPlus,
}

impl Reservoir {
    pub(crate) fn new(bound: usize, seed: u64) -> Self {
        Self {
            values: Vec::new(),
            bound,
            seen: 0,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    pub(crate) fn push(&mut self, value: f64) {
        self.seen += 1;
        if self.values.len() < self.bound {
            self.values.push(value);
            return;
        }
        // A number below `seen` by multiplication; its bias is at most seen / 2^64.
        let place = (u128::from(self.rng.next_u64()) * u128::from(self.seen)) >> 64;
        if let Some(kept) = usize::try_from(place)
            .ok()
            .and_then(|place| self.values.get_mut(place))
        {
            *kept = value;
        }
    }

    /// Whether every number seen is held.
    pub(crate) fn is_exact(&self) -> bool {
        self.seen == self.values.len() as u64
    }

    /// The numbers in order, each with weight 1.
    pub(crate) fn sorted(&self) -> Vec<(f64, u64)> {
        let mut values: Vec<_> = self.values.iter().map(|&value| (value, 1)).collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        values
    }
}

/// A quantile of sorted values with whole weights, linear between neighbours (numpy's default, type 7 of Hyndman and
/// Fan, "Sample Quantiles in Statistical Packages" (1996)); NaN without values.
pub(crate) fn quantile(sorted: &[(f64, u64)], share: f64) -> f64 {
    let total: u64 = sorted.iter().map(|&(_, weight)| weight).sum();
    let Some(last) = total.checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let (low, part) = (place.floor(), place.fract());
    let at = |rank: f64| {
        let mut before = 0_u64;
        for &(value, weight) in sorted {
            before += weight;
            if rank < before as f64 {
                return value;
            }
        }
        sorted.last().map_or(f64::NAN, |&(value, _)| value)
    };
    let (a, b) = (at(low), at(low + 1.0));
    if part > 0.0 {
        a * (1.0 - part) + b * part
    } else {
        a
    }
}

/// Counts of different keys, at most `bound` of them at a time; what is counted beside the number of times is the
/// caller's `T`.
///
/// Exact while no more than `bound` different keys come. When one more comes, the median count is taken off every
/// count, and keys left with nothing are forgotten. So a count is never too high, and too low by at most
/// [`Counter::error`].
///
/// Source: Anderson et al., "A High-Performance Algorithm for Identifying Frequent Items in Data Streams" (2017),
/// section 2.2 (the sample median replaced by the median).
#[derive(Debug, Clone)]
pub(crate) struct Counter<K, T> {
    counts: HashMap<K, (u64, T)>,
    bound: usize,
    error: u64,
}

impl<K: Eq + Hash + Ord, T> Counter<K, T> {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            counts: HashMap::new(),
            bound: bound.max(2),
            error: 0,
        }
    }

    /// Counts a key once and gives what is counted beside it.
    pub(crate) fn add<Q>(&mut self, key: &Q, new: impl FnOnce() -> T) -> Option<&mut T>
    where
        Q: ?Sized + Eq + Hash,
        K: std::borrow::Borrow<Q> + for<'a> From<&'a Q>,
    {
        if !self.counts.contains_key(key) {
            if self.counts.len() >= self.bound {
                self.forget_rare();
            }
            self.counts.insert(K::from(key), (0, new()));
        }
        let (count, beside) = self.counts.get_mut(key)?;
        *count += 1;
        Some(beside)
    }

    fn forget_rare(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().map(|&(count, _)| count).collect();
        let middle = counts.len() / 2;
        let (_, &mut median, _) = counts.select_nth_unstable(middle);
        self.counts.retain(|_, (count, _)| {
            *count = count.saturating_sub(median);
            *count > 0
        });
        self.error += median;
    }

    /// How much too low a count can be; 0 when all are exact.
    pub(crate) fn error(&self) -> u64 {
        self.error
    }

    /// Number of keys held.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// The key counted most often, the smallest of several.
    pub(crate) fn most_frequent(&self) -> Option<&K> {
        self.counts
            .iter()
            .max_by(|a, b| a.1.0.cmp(&b.1.0).then_with(|| b.0.cmp(a.0)))
            .map(|(key, _)| key)
    }

    /// Keys with their counts, in order of the keys.
    pub(crate) fn into_sorted(self) -> Vec<(K, u64, T)> {
        let counts = self.counts.into_iter();
        let mut sorted: Vec<_> = counts
            .map(|(key, (count, beside))| (key, count, beside))
            .collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        sorted
    }
}

/// A number as a key: ordered as numbers are, -0 and 0 as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NumberKey(i64);

impl From<&Self> for NumberKey {
    fn from(key: &Self) -> Self {
        *key
    }
}

impl NumberKey {
    pub(crate) fn new(value: f64) -> Self {
        // Adding 0 turns -0 into 0. The bits of a negative number are turned over below the sign, as in `total_cmp`.
        let bits = (value + 0.0).to_bits().cast_signed();
        Self(bits ^ (bits >> 63).cast_unsigned().wrapping_shr(1).cast_signed())
    }

    pub(crate) fn value(self) -> f64 {
        let bits = self.0 ^ (self.0 >> 63).cast_unsigned().wrapping_shr(1).cast_signed();
        f64::from_bits(bits.cast_unsigned())
    }
}
