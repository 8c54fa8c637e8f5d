//! The average path length c(n) of an unsuccessful search in a binary search tree of n keys.

use dafu_core::portable::ln;

/// How the average path length c(n) is computed.
///
/// c(n) = 2 H(n-1) - 2 (n-1)/n estimates the depth that a leaf of n rows would still have grown to, and
/// normalises the score. H is the harmonic number.
///
/// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, equation 1, after Preiss, "Data Structures and
/// Algorithms with Object-Oriented Design Patterns in Java", 1999, section 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AveragePath {
    /// Harmonic numbers as they are.
    #[default]
    Exact,
    /// H(n-1) replaced by ln(n-1) + 0.5772156649 for n > 2, as the paper and scikit-learn do; 28 % too
    /// low at n = 3. For comparison with such implementations.
    Approximate,
}

/// Euler-Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Harmonic numbers up to here come from a table, above from the expansion.
const TABLE_LEN: usize = 4096;

/// c(n) by table for small n, in constant time for every n.
#[derive(Debug, Clone)]
pub(crate) struct AveragePathTable {
    kind: AveragePath,
    /// `harmonic[n]` = 1 + 1/2 + ... + 1/n.
    harmonic: Vec<f64>,
}

impl AveragePathTable {
    /// A table for up to `largest` rows; at most 32 KiB.
    pub(crate) fn new(kind: AveragePath, largest: u32) -> Self {
        let len =
            usize::try_from(largest).map_or(TABLE_LEN, |n| n.saturating_add(1).min(TABLE_LEN));
        let mut sum = 0.0;
        let harmonic = (0..len)
            .map(|n| {
                if n > 0 {
                    sum += 1.0 / n as f64;
                }
                sum
            })
            .collect();
        Self { kind, harmonic }
    }

    /// c(n).
    pub(crate) fn get(&self, n: u32) -> f64 {
        if n <= 1 {
            return 0.0;
        }
        if n == 2 {
            return 1.0;
        }
        let below = f64::from(n - 1);
        let harmonic = match self.kind {
            AveragePath::Approximate => ln(below) + EULER_GAMMA,
            AveragePath::Exact => usize::try_from(n - 1)
                .ok()
                .and_then(|index| self.harmonic.get(index).copied())
                .unwrap_or_else(|| harmonic_expansion(below)),
        };
        2.0 * harmonic - 2.0 * below / f64::from(n)
    }
}

/// H(n) = ln n + gamma + 1/(2n) - 1/(12n^2) + 1/(120n^4) - ...; the next term is below 1e-23 from n = 4096.
fn harmonic_expansion(n: f64) -> f64 {
    let square = 1.0 / (n * n);
    ln(n) + EULER_GAMMA + 0.5 / n - square * (1.0 / 12.0 - square / 120.0)
}

/// The average path length c(n) of an unsuccessful search in a random binary search tree of `n` keys.
///
/// Units: edges. 0 for n = 0 and 1, and 1 for n = 2.
///
/// # Complexity
///
/// O(min(n, 4096)).
///
/// ```
/// use dafu_iforest::{AveragePath, average_path_length};
/// // 2 H(2) - 2 * 2 / 3 = 3 - 4/3
/// assert!((average_path_length(3, AveragePath::Exact) - 5.0 / 3.0).abs() < 1e-15);
/// assert!((average_path_length(256, AveragePath::Approximate) - 10.244_770_920).abs() < 1e-9);
/// ```
#[must_use]
pub fn average_path_length(n: u32, kind: AveragePath) -> f64 {
    AveragePathTable::new(kind, n).get(n)
}
