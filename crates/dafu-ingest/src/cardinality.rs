//! Counting different values in bounded memory.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Values that are counted exactly.
const EXACT: usize = 10_000;
/// Bits of a hash that choose a register.
const BITS: u32 = 12;

/// How many different values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Cardinality {
    /// Counted.
    Exactly(u64),
    /// Estimated; the standard error is 1.6 %.
    About(u64),
}

impl Cardinality {
    /// The number, exact or not.
    pub const fn value(self) -> u64 {
        match self {
            Self::Exactly(count) | Self::About(count) => count,
        }
    }
}

impl fmt::Display for Cardinality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => f.pad(&count.to_string()),
            Self::About(count) => f.pad(&format!("~{count}")),
        }
    }
}

/// Counts exactly up to 10,000 values, then estimates with 4,096 registers.
///
/// Source: Flajolet, Fusy, Gandouet, Meunier (2007), "`HyperLogLog`: the analysis of a near-optimal cardinality
/// estimation algorithm", figure 3, with linear counting for small ranges.
#[derive(Debug, Clone)]
pub(crate) enum Counter {
    Exact(HashSet<u64>),
    Registers(Box<[u8]>),
}

impl Default for Counter {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Counter {
    pub(crate) fn text(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.add(hasher.finish());
    }

    pub(crate) fn bits(&mut self, bits: u64) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(bits);
        self.add(hasher.finish());
    }

    fn add(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => register(registers, hash),
            Self::Exact(hashes) => {
                if hashes.len() < EXACT || hashes.contains(&hash) {
                    hashes.insert(hash);
                    return;
                }
                let mut registers = vec![0; 1 << BITS].into_boxed_slice();
                #[expect(
                    clippy::iter_over_hash_type,
                    reason = "a maximum does not depend on the order"
                )]
                for &known in &*hashes {
                    register(&mut registers, known);
                }
                register(&mut registers, hash);
                *self = Self::Registers(registers);
            }
        }
    }

    pub(crate) fn count(&self) -> Cardinality {
        let registers = match self {
            Self::Exact(hashes) => return Cardinality::Exactly(hashes.len() as u64),
            Self::Registers(registers) => registers,
        };
        let m = registers.len() as f64;
        let sum: f64 = registers
            .iter()
            .map(|&rank| 0.5_f64.powi(i32::from(rank)))
            .sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let zeros: usize = registers.iter().map(|&rank| usize::from(rank == 0)).sum();
        let estimate = if raw <= 2.5 * m && zeros > 0 {
            m * (m / zeros as f64).ln()
        } else {
            raw
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive count far below 2^64"
        )]
        Cardinality::About(estimate.round() as u64)
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = usize::try_from(hash >> (64 - BITS)).unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "at most 53")]
    let rank = ((hash << BITS).leading_zeros().min(64 - BITS) + 1) as u8;
    registers[index] = registers[index].max(rank);
}

#[cfg(test)]
mod tests {
    use super::{Cardinality, Counter};

    #[test]
    fn counts_exactly_then_within_four_standard_errors() {
        for n in [0_u64, 1, 10_000, 10_001, 50_000, 1_000_000] {
            let mut counter = Counter::default();
            for value in 0..n {
                counter.bits(value);
                counter.bits(value / 2);
            }
            match counter.count() {
                Cardinality::Exactly(count) => assert_eq!(count, n),
                Cardinality::About(count) => {
                    assert!(n > 10_000);
                    let error = (count as f64 - n as f64).abs() / n as f64;
                    assert!(error < 4.0 * 0.01625, "{count} for {n}");
                }
            }
        }
    }
}
