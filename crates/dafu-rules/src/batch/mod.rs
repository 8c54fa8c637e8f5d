//! Many events at a time: tests go column by column, and are made once for all rules that share them.

mod bits;
mod block;
mod columns;
mod decide;

use crate::engine::{Compiled, RuleEngine};
use crate::program::Row;
use crate::ruleset::ListsAt;
use crate::{Action, OnMissing, RuleError, RuleState};
pub use bits::RowBits;
use block::{Block, ROWS, Scratch, WORDS};
pub use columns::{Columns, TextColumn};
use dafu_core::RuleOutcome;
pub use decide::Decisions;

/// What the rules of a set say about many events.
///
/// O(rules x rows / 32) bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleMatrix {
    rows: usize,
    states: Vec<RuleState>,
    /// Rules that let events pass.
    approving: Vec<bool>,
    fired: Vec<RowBits>,
    unknown: Vec<RowBits>,
    /// Rows in which a rule is in force, where that is not all of them.
    in_force: Vec<Option<RowBits>>,
}

impl RuleMatrix {
    /// How many events there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.fired.len()
    }

    /// The events for which a rule holds, with a say or without; none for a rule that is not there.
    pub fn fired(&self, rule: usize) -> Option<&RowBits> {
        self.fired.get(rule)
    }

    /// The events for which a rule was not evaluated, since values are missing.
    pub fn unknown(&self, rule: usize) -> Option<&RowBits> {
        self.unknown.get(rule)
    }

    /// Whether the action of a rule is to approve.
    pub(crate) fn approves(&self, rule: usize) -> bool {
        self.approving.get(rule).is_some_and(|approves| *approves)
    }

    /// Whether what a rule says counts, where it is in force.
    pub(crate) fn has_say(&self, rule: usize) -> bool {
        self.states.get(rule) == Some(&RuleState::Active)
    }

    pub(crate) fn is_in_force(&self, rule: usize, row: usize) -> bool {
        match self.in_force.get(rule) {
            Some(Some(bits)) => bits.contains(row),
            Some(None) => true,
            None => false,
        }
    }

    /// Whether a rule fired or did not, other than one that is not in force or could not be evaluated.
    pub(crate) fn was_asked(&self, rule: usize, row: usize) -> bool {
        let unknown = self.unknown.get(rule);
        self.is_in_force(rule, row) && !unknown.is_some_and(|unknown| unknown.contains(row))
    }

    /// What became of a rule: the same as [`RuleEngine::evaluate`] says of the event alone.
    pub fn outcome(&self, rule: usize, row: usize) -> RuleOutcome {
        let has = |bits: &[RowBits]| bits.get(rule).is_some_and(|bits| bits.contains(row));
        if !self.is_in_force(rule, row) {
            RuleOutcome::Inactive
        } else if has(&self.fired) {
            match self.states.get(rule) {
                Some(RuleState::Shadow) => RuleOutcome::Shadow,
                _ => RuleOutcome::Fired,
            }
        } else if has(&self.unknown) {
            RuleOutcome::NotEvaluated
        } else {
            RuleOutcome::NotFired
        }
    }
}

impl RuleEngine {
    /// What the rules say about many events: the same outcomes as one by one. O(tests x rows).
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for other columns than the schema has, [`RuleError::Missing`] where a rule does not allow
    /// missing values, [`RuleError::NoTimes`] for columns without times where a rule has dates or a member of a list leaves.
    pub fn evaluate_columns(&self, columns: &Columns<'_>) -> Result<RuleMatrix, RuleError> {
        let (numbers, texts) = self.slots();
        columns.check_widths(numbers, texts)?;
        if columns.known_times().is_none() && self.rule_set().is_dated() {
            let what = "rule with dates, nor a member of a list that leaves";
            return Err(RuleError::NoTimes { what });
        }
        let rows = columns.rows();
        let rules = self.rules();
        let zeros = || {
            rules
                .iter()
                .map(|_| RowBits::zeros(rows))
                .collect::<Vec<_>>()
        };
        let mut matrix = RuleMatrix {
            rows,
            states: rules.iter().map(|compiled| compiled.rule.state).collect(),
            approving: rules
                .iter()
                .map(|compiled| compiled.rule.action == Action::Approve)
                .collect(),
            fired: zeros(),
            unknown: zeros(),
            in_force: rules
                .iter()
                .map(|compiled| in_force(compiled, columns))
                .collect(),
        };
        let mut scratch = Scratch::new(self.predicates().all(), columns);
        let mut block = Block::default();
        for first in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - first);
            scratch.begin(first, count);
            for (place, compiled) in rules.iter().enumerate() {
                if matches!(compiled.rule.state, RuleState::Draft | RuleState::Retired) {
                    continue;
                }
                scratch.logic(self, columns, &compiled.logic, &mut block);
                if block.any_unknown {
                    self.on_missing(compiled, columns, (first, &mut block))?;
                }
                let (word, words) = (first / 64, count.div_ceil(64));
                let bits = matrix.fired[place].words_mut(word, words);
                bits.copy_from_slice(&block.truth[..words]);
                if block.any_unknown {
                    let bits = matrix.unknown[place].words_mut(word, words);
                    bits.copy_from_slice(&block.unknown[..words]);
                }
            }
        }
        for (place, in_force) in matrix.in_force.iter().enumerate() {
            if let Some(in_force) = in_force {
                matrix.fired[place].keep(in_force);
                matrix.unknown[place].keep(in_force);
            }
        }
        Ok(matrix)
    }

    /// What a rule does in rows in which values are missing.
    fn on_missing(
        &self,
        compiled: &Compiled,
        columns: &Columns<'_>,
        (first, block): (usize, &mut Block),
    ) -> Result<(), RuleError> {
        match compiled.rule.when_missing() {
            OnMissing::Skip => {}
            OnMissing::Fire => {
                for (truth, unknown) in block.truth.iter_mut().zip(&mut block.unknown) {
                    *truth |= std::mem::take(unknown);
                }
                block.any_unknown = false;
            }
            OnMissing::Error => {
                for word in 0..WORDS {
                    let mut left = block.unknown[word];
                    while left != 0 {
                        let row = first + word * 64 + left.trailing_zeros() as usize;
                        left &= left - 1;
                        let at = columns.time(row);
                        if compiled.rule.in_force(at) {
                            let (mut numbers, mut texts) = (Vec::new(), Vec::new());
                            let row = columns.read(row, &mut numbers, &mut texts);
                            return Err(self.missing_error(compiled, row, at));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// A test of one row.
    fn test(&self, place: usize, row: Row<'_>, at: dafu_core::Timestamp) -> crate::Truth {
        let lists = ListsAt(self.lists(), at);
        let predicate = self.predicates().all().get(place);
        predicate.map_or(crate::Truth::Unknown, |predicate| {
            predicate.truth(row, &lists)
        })
    }
}

/// The rows in which a rule is in force; `None` for all.
fn in_force(compiled: &Compiled, columns: &Columns<'_>) -> Option<RowBits> {
    let rule = &compiled.rule;
    let dated = rule.effective_from.is_some() || rule.effective_until.is_some();
    let alive = matches!(rule.state, RuleState::Active | RuleState::Shadow);
    if alive && !dated {
        return None;
    }
    let in_force = |row| rule.in_force(columns.time(row));
    Some(if alive {
        RowBits::from_fn(columns.rows(), in_force)
    } else {
        RowBits::zeros(columns.rows())
    })
}
