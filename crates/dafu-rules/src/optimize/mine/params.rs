//! Parameters of mining.

use crate::optimize::parameter::{parameter, share};
use crate::{RowBits, RuleError};
use dafu_core::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most terms of a rule that is mined.
const MOST_TERMS: usize = 8;
/// Most thresholds of a variable.
const MOST_THRESHOLDS: usize = 4096;
/// Most conditions that a beam keeps.
const MOST_WIDTH: usize = 100_000;
/// Most comparisons of two variables.
const MOST_RATIOS: usize = 1000;

/// Which events are held out.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Holdout {
    /// The last share of the time between the first and the last event.
    LastShare(f64),
    /// Events from this moment on.
    From(Timestamp),
    /// Rows that the caller chose. That no label of the learning rows was known later than the first held-out event is
    /// then the caller's concern.
    Rows {
        /// To learn from.
        learning: RowBits,
        /// To judge by.
        held_out: RowBits,
    },
}

/// Where conditions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MineSource {
    /// A beam search over conjunctions.
    #[default]
    Beam,
    /// Paths of decision trees of linfa-trees.
    #[cfg(feature = "linfa")]
    Trees,
    /// Both together.
    #[cfg(feature = "linfa")]
    BeamAndTrees,
}

/// Which side of a threshold may be suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Large values: only `x > 5`.
    Above,
    /// Small values: only `x <= 5`.
    AtMost,
}

/// How rules are mined from past events: [`MineParams::mine`].
///
/// ```
/// use dafu_core::{Label, Timestamp, Unit};
/// use dafu_rules::optimize::{Judged, MineParams};
/// use dafu_rules::{Columns, RuleSchema, Variable};
/// use ndarray::Array1;
///
/// // Forty days of payments; those above 900 and farther than 400 km from home are frauds.
/// let events = 4000_usize;
/// let amounts = Array1::from_shape_fn(events, |row| (row * 7919 % 1000) as f64);
/// let distances = Array1::from_shape_fn(events, |row| (row * 104_729 % 613) as f64);
/// let fraud = |row: usize| amounts[row] > 900.0 && distances[row] > 400.0;
/// let labels: Vec<Label> = (0..events).map(|row| fraud(row).into()).collect();
/// let times: Vec<Timestamp> = (0..events as i64)
///     .map(|row| Timestamp::from_seconds(row * 864))
///     .collect::<Result<_, _>>()?;
///
/// let schema = RuleSchema::new([
///     Variable::number("amount", Unit::Money),
///     Variable::number("distance", Unit::Kilometre),
/// ])?;
/// let columns = Columns::new(events).number(amounts.view())?.number(distances.view())?;
/// let judged = Judged::new(&labels).times(&times)?;
/// let mined = MineParams::default().mine(&schema, &columns, &judged)?;
/// let [found] = &mined.rules[..] else { panic!("one rule says it all") };
/// assert_eq!(found.rule.condition, "amount > 900 and distance > 400km");
/// assert_eq!(found.held_out.precision(), Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MineParams {
    /// Comparisons of a rule, at most.
    pub max_terms: usize,
    /// Rules, at most.
    pub max_rules: usize,
    /// Conditions that the search keeps from one length to the next, for each of its three measures.
    pub beam_width: usize,
    /// Thresholds of a variable that the search tries first, at most. The best are then moved to where they separate best,
    /// wherever that is.
    pub thresholds: usize,
    /// Comparisons of two numbers of one unit that are tried, at most, as in `amount > 3 * user_mean_amount_30d`: those that
    /// tell frauds best, of amounts, counts, times, distances and speeds that are never below zero.
    pub max_ratios: usize,
    /// Frauds of the learning period that a rule finds at least, and that it adds at least to those of the rules before it.
    pub min_support: usize,
    /// Frauds of the held-out period that a rule finds at least to be confirmed: one that is right says little.
    pub min_held_out_support: usize,
    /// Precision that a rule has at least: surely (the lower end of its 95 % interval) on the learning period, and on the
    /// held-out period. What a rule adds to those before it must be as precise on the learning period.
    pub min_precision: f64,
    /// Which events are held out.
    pub holdout: Holdout,
    /// How long it takes until a label is known: learning ends so long before the held-out period begins.
    pub label_delay: Duration,
    /// Jaccard index of the alerts of two rules in the learning period, at most.
    pub max_overlap: f64,
    /// Share of the alerts of a rule that may change where a threshold is rounded.
    pub rounding: f64,
    /// Where conditions come from.
    pub source: MineSource,
    /// Variables of which only one side may be suspicious.
    pub directions: BTreeMap<String, Direction>,
    /// Variables that no rule may name.
    pub left_out: BTreeSet<String>,
    /// Whether rules may name texts that tell one from another, as in `device == 'd-1'`: such a rule learns who was caught,
    /// not how. They are the texts called `user_id`, `merchant_id`, `card`, `device`, `email` or `transaction_id`, as in
    /// [`RuleSchema::transaction`](crate::RuleSchema::transaction); others are left out by [`leave_out`](Self::leave_out).
    pub identifiers: bool,
}

impl Default for MineParams {
    fn default() -> Self {
        Self {
            max_terms: 3,
            max_rules: 5,
            beam_width: 30,
            thresholds: 32,
            max_ratios: 8,
            min_support: 10,
            min_held_out_support: 5,
            min_precision: 0.5,
            holdout: Holdout::LastShare(0.3),
            label_delay: Duration::from_secs(7 * 86_400),
            max_overlap: 0.5,
            rounding: 0.01,
            source: MineSource::Beam,
            directions: BTreeMap::new(),
            left_out: BTreeSet::new(),
            identifiers: false,
        }
    }
}

impl MineParams {
    dafu_core::setters! {
        max_terms: usize,
        max_rules: usize,
        beam_width: usize,
        thresholds: usize,
        max_ratios: usize,
        min_support: usize,
        min_held_out_support: usize,
        min_precision: f64,
        label_delay: Duration,
        max_overlap: f64,
        rounding: f64,
        source: MineSource,
        identifiers: bool,
    }

    /// Sets `holdout`.
    #[must_use]
    pub fn holdout(mut self, holdout: Holdout) -> Self {
        self.holdout = holdout;
        self
    }

    /// Says which side of a variable may be suspicious.
    #[must_use]
    pub fn direction(mut self, variable: impl Into<String>, direction: Direction) -> Self {
        self.directions.insert(variable.into(), direction);
        self
    }

    /// Leaves a variable out.
    #[must_use]
    pub fn leave_out(mut self, variable: impl Into<String>) -> Self {
        self.left_out.insert(variable.into());
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// ```
    /// use dafu_rules::optimize::MineParams;
    ///
    /// let wrong = MineParams::default().max_terms(0).check().unwrap_err();
    /// assert_eq!(wrong.to_string(), "`max_terms` must be at least 1 and at most 8, got 0");
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<CheckedMineParams, RuleError> {
        let count = |name, got: usize, most: usize, must| {
            parameter(name, got, must, (1..=most).contains(&got))
        };
        count(
            "max_terms",
            self.max_terms,
            MOST_TERMS,
            "at least 1 and at most 8",
        )?;
        count(
            "max_rules",
            self.max_rules,
            crate::ruleset::MOST_RULES,
            "at least 1 and at most 1000",
        )?;
        count(
            "beam_width",
            self.beam_width,
            MOST_WIDTH,
            "at least 1 and at most 100000",
        )?;
        count(
            "thresholds",
            self.thresholds,
            MOST_THRESHOLDS,
            "at least 1 and at most 4096",
        )?;
        parameter(
            "max_ratios",
            self.max_ratios,
            "at most 1000",
            self.max_ratios <= MOST_RATIOS,
        )?;
        for (name, got) in [
            ("min_support", self.min_support),
            ("min_held_out_support", self.min_held_out_support),
        ] {
            count(name, got, usize::MAX, "at least 1")?;
        }
        let got = self.min_precision;
        parameter(
            "min_precision",
            got,
            "at least 0 and below 1",
            (0.0..1.0).contains(&got),
        )?;
        for (name, got) in [
            ("max_overlap", self.max_overlap),
            ("rounding", self.rounding),
        ] {
            share(name, got)?;
        }
        if let Holdout::LastShare(got) = self.holdout {
            let good = got > 0.0 && got < 1.0;
            parameter("holdout", got, "above 0 and below 1", good)?;
        }
        Ok(CheckedMineParams(self.clone()))
    }
}

/// Parameters that passed [`MineParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedMineParams(pub(super) MineParams);
