//! Which rules say the same.

use super::judged::share;
use crate::{Columns, RowBits, RuleEngine, RuleError, RuleMatrix};

/// Two rules and the events for which both fire. Both have fired at least once.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pair {
    /// Place of the first rule.
    pub left: usize,
    /// Place of the second rule, a later one.
    pub right: usize,
    /// Events for which both fire.
    pub both: usize,
    /// The same as a share of those for which one of them does.
    pub jaccard: f64,
    /// The same as a share of those for which the first does: 1 where the first says nothing without the second.
    pub left_in_right: f64,
    /// The same as a share of those for which the second does.
    pub right_in_left: f64,
}

/// How the rules of a set overlap on past events.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Overlap {
    /// All pairs of rules that have fired, in order.
    pub pairs: Vec<Pair>,
    /// Rules that never fired.
    pub never_fired: Vec<usize>,
    /// Rules that fired, but never alone first: an earlier rule always did, too. Rules that approve are left out.
    pub never_added: Vec<usize>,
    /// Rules that fired only where one other rule did: the rule, and that other. Of two rules that always fire together
    /// the later one is named. Both approve, or neither.
    pub implied: Vec<(usize, usize)>,
}

impl RuleEngine {
    /// How the rules overlap on past events. O(tests x events + rules^2 x events / 64).
    ///
    /// # Errors
    ///
    /// As [`RuleEngine::evaluate_columns`].
    pub fn overlap(&self, columns: &Columns<'_>) -> Result<Overlap, RuleError> {
        Ok(overlap(&self.evaluate_columns(columns)?))
    }
}

fn overlap(matrix: &RuleMatrix) -> Overlap {
    let fired: Vec<&RowBits> = (0..matrix.rules())
        .filter_map(|rule| matrix.fired(rule))
        .collect();
    let counts: Vec<usize> = fired.iter().map(|bits| bits.count()).collect();
    let mut pairs = Vec::new();
    let mut implied = Vec::new();
    let mut never_added = Vec::new();
    let mut seen = RowBits::zeros(matrix.rows());
    for (right, bits) in fired.iter().enumerate() {
        if !matrix.approves(right) {
            if counts[right] > 0 && bits.count_both(&seen) == counts[right] {
                never_added.push(right);
            }
            seen.add(bits);
        }
        for left in 0..right {
            if counts[left] == 0 || counts[right] == 0 {
                continue;
            }
            let both = fired[left].count_both(bits);
            let pair = Pair {
                left,
                right,
                both,
                jaccard: share(both, counts[left] + counts[right] - both).unwrap_or(0.0),
                left_in_right: share(both, counts[left]).unwrap_or(0.0),
                right_in_left: share(both, counts[right]).unwrap_or(0.0),
            };
            // A rule that approves does not make another needless.
            let alike = matrix.approves(left) == matrix.approves(right);
            if alike && both == counts[right] {
                implied.push((right, left));
            } else if alike && both == counts[left] {
                implied.push((left, right));
            }
            pairs.push(pair);
        }
    }
    pairs.sort_by_key(|pair| (pair.left, pair.right));
    let never_fired = counts.iter().enumerate().filter(|(_, count)| **count == 0);
    Overlap {
        pairs,
        never_fired: never_fired.map(|(rule, _)| rule).collect(),
        never_added,
        implied,
    }
}
