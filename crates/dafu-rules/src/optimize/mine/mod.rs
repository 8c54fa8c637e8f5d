//! Rules from past events.

mod beam;
mod params;
mod period;
mod ratio;
mod refine;
mod sample;
#[cfg(test)]
mod tests;
#[cfg(feature = "linfa")]
mod tree;
mod write;

use super::judged::{Hits, Judged, share};
use super::parameter::parameter;
use crate::{Columns, Condition, RowBits, Rule, RuleError, RuleSchema, RuleSet};
use beam::{Found, Search};
use dafu_core::metrics::share_interval;
pub use params::{CheckedMineParams, Direction, Holdout, MineParams, MineSource};
use period::Periods;
use refine::Refine;
use sample::{Counts, Sample, Term};
use std::collections::BTreeSet;
use std::fmt;

/// Conditions of a search whose thresholds are moved, and conditions that are then looked at.
const LOOKED_AT: usize = 12;

/// A rule that was found, and what it did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MinedRule {
    /// The rule. Its score is its precision on the held-out period.
    pub rule: Rule,
    /// What it did in the learning period: better than it is, since it was chosen for that.
    pub learned: Hits,
    /// What it did in the held-out period.
    pub held_out: Hits,
    /// The 95 % interval of its precision in the held-out period ([`share_interval`]).
    pub precision_interval: (f64, f64),
    /// Share of the frauds of the held-out period that it finds.
    pub recall: f64,
}

/// What mining found.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mined {
    /// Rules that the held-out period confirmed, in the order in which they were chosen: each adds to those before it.
    pub rules: Vec<MinedRule>,
    /// Rules that it did not confirm: too few of their alerts were right, as a share or as a number.
    pub dropped: Vec<MinedRule>,
    /// What the rules did together in the learning period.
    pub learned: Hits,
    /// What they did together in the held-out period.
    pub held_out: Hits,
    /// Frauds of the held-out period.
    pub frauds: usize,
    /// Conditions that were looked at: the more, the better the best of them looks by chance alone, which is why only the
    /// held-out period counts.
    pub tried: usize,
}

impl Mined {
    /// The rules that were confirmed as a set.
    ///
    /// ```
    /// use dafu_core::{Label, Timestamp, Unit};
    /// use dafu_rules::optimize::{Judged, MineParams};
    /// use dafu_rules::{Columns, RuleSchema, Variable};
    /// use ndarray::Array1;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let amounts = Array1::from_shape_fn(4000, |row| (row * 7919 % 1000) as f64);
    /// let labels: Vec<Label> = amounts.iter().map(|amount| (*amount > 900.0).into()).collect();
    /// let times = (0..4000).map(|row| Timestamp::from_seconds(864 * row)).collect::<Result<Vec<_>, _>>()?;
    /// let columns = Columns::new(4000).number(amounts.view())?;
    /// let judged = Judged::new(&labels).times(&times)?;
    /// let mined = MineParams::default().mine(&schema, &columns, &judged)?;
    /// assert_eq!(mined.recall(), 1.0);
    /// assert_eq!(mined.rule_set().rules[0].condition, "amount > 900");
    /// // Into use like any other set.
    /// let backtest = mined.rule_set().compile(&schema)?.backtest(&columns, &judged)?;
    /// assert_eq!(backtest.all.precision(), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rule_set(&self) -> RuleSet {
        RuleSet::new(self.rules.iter().map(|mined| mined.rule.clone()))
    }

    /// Share of the frauds of the held-out period that the rules find together; [`rule_set`](Self::rule_set) has an example.
    pub fn recall(&self) -> f64 {
        share(self.held_out.true_positives, self.frauds).unwrap_or(0.0)
    }
}

impl fmt::Display for Mined {
    /// One line a rule, and one for all together; conditions, which may be long, stand last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.rules.iter().map(|mined| mined.rule.id.len());
        let width = ids.max().unwrap_or(0).max("held out".len());
        write!(
            f,
            "{:width$}  {:>7}  {:>9}  {:>15}  {:>6}  condition",
            "held out", "alerts", "precision", "95 % interval", "recall"
        )?;
        for mined in &self.rules {
            let (low, high) = mined.precision_interval;
            write!(
                f,
                "\n{:width$}  {:>7}  {:>9.3}  {:>15}  {:>6.3}  {}",
                mined.rule.id,
                mined.held_out.fired,
                mined.held_out.precision().unwrap_or(0.0),
                format!("{low:.3} to {high:.3}"),
                mined.recall,
                mined.rule.condition
            )?;
        }
        let precision = self.held_out.precision();
        write!(
            f,
            "\n{:width$}  {:>7}  {:>9}  {:>15}  {:>6.3}",
            "together",
            self.held_out.fired,
            precision.map_or("-".into(), |precision| format!("{precision:.3}")),
            "",
            self.recall()
        )
    }
}

impl MineParams {
    /// Proposes rules: conjunctions of comparisons, with numbers or with other variables of the same unit, that past frauds meet
    /// and honest events do not.
    ///
    /// Rules are found one after the other, each among the events that those before it leave, and then confirmed on later
    /// events that no choice has seen. Events without a label count as alerts, but neither as frauds nor as honest. Missing
    /// values meet no comparison. Points in time and internet addresses are never asked about, nor texts that tell one user,
    /// merchant or thing from another, unless [`identifiers`](Self::identifiers) says so; of other texts those that most
    /// frauds have, unless they take more than 1 KiB in a condition.
    ///
    /// The times are those of `judged`, or else of the columns. The same events give the same rules.
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] as [`check`](Self::check), or for a name of `directions` or `left_out` that no variable has;
    /// [`RuleError::Row`] where columns do not go with the schema or the labels; [`RuleError::NoTimes`] without times, unless
    /// the [`Holdout`] names rows; [`RuleError::Classes`] where a period has not both frauds and honest events;
    /// [`RuleError::HeldOutRows`] where rows are in both.
    ///
    /// # Complexity
    ///
    /// O(r t w d n) at most, for r rules of t terms, a beam of width w, d variables and n events with a label in the learning
    /// period; conditions that hold for few events take little of that.
    pub fn mine(
        &self,
        schema: &RuleSchema,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
    ) -> Result<Mined, RuleError> {
        self.check()?.mine(schema, columns, judged)
    }
}

impl CheckedMineParams {
    /// As [`MineParams::mine`].
    ///
    /// # Errors
    ///
    /// As [`MineParams::mine`], parameters aside.
    pub fn mine(
        &self,
        schema: &RuleSchema,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
    ) -> Result<Mined, RuleError> {
        let params = &self.0;
        let named = params.directions.keys().chain(&params.left_out);
        for name in named {
            parameter(
                "directions and left_out",
                format_args!("{name:?}"),
                "names of variables",
                schema.find(name).is_some(),
            )?;
        }
        columns.check_widths(schema.number_slots(), schema.text_slots())?;
        judged.check("events", columns.rows())?;
        let periods = Periods::new(params, columns, judged)?;
        let sample = Sample::new(params, (schema, columns), (&periods.learning, judged));
        let mut miner = Miner {
            params,
            sample: &sample,
            chosen: Vec::new(),
            covered: Vec::new(),
            tried: 0,
        };
        miner.run();
        let conditions = miner
            .chosen
            .iter()
            .map(|terms| write::condition(&sample, terms));
        let conditions: Vec<String> = conditions.collect();
        confirmed(
            params,
            (schema, columns),
            (judged, &periods),
            (&conditions, miner.tried),
        )
    }
}

/// Rules one after the other.
struct Miner<'a> {
    params: &'a MineParams,
    sample: &'a Sample,
    chosen: Vec<Vec<Term>>,
    /// The events of the sample for which each chosen rule holds.
    covered: Vec<RowBits>,
    tried: usize,
}

impl Miner<'_> {
    fn run(&mut self) {
        let all: Vec<u32> = (0..).take(self.sample.fraud.len()).collect();
        let from_trees = self.grown(&all);
        let mut rest = all.clone();
        while self.chosen.len() < self.params.max_rules {
            let mut found = self.searched(&rest);
            for terms in &from_trees {
                let counts = self.sample.count(&self.sample.filter(&rest, terms));
                let terms = terms.clone();
                found.push(Found { terms, counts });
            }
            let Some((terms, rows)) = self.best(&all, &rest, found) else {
                break;
            };
            rest.retain(|row| !rows.contains(*row as usize));
            self.chosen.push(terms);
            self.covered.push(rows);
        }
    }

    #[cfg(feature = "linfa")]
    fn grown(&mut self, rows: &[u32]) -> Vec<Vec<Term>> {
        match self.params.source {
            MineSource::Beam => Vec::new(),
            MineSource::Trees | MineSource::BeamAndTrees => {
                let found = tree::paths(self.params, self.sample, rows);
                self.tried += found.len();
                found
            }
        }
    }

    #[cfg(not(feature = "linfa"))]
    #[expect(clippy::unused_self, reason = "trees need it")]
    const fn grown(&self, _rows: &[u32]) -> Vec<Vec<Term>> {
        Vec::new()
    }

    fn searched(&mut self, rest: &[u32]) -> Vec<Found> {
        #[cfg(feature = "linfa")]
        if self.params.source == MineSource::Trees {
            return Vec::new();
        }
        let mut search = Search {
            sample: self.sample,
            params: self.params,
            tried: 0,
        };
        let found = search.run(rest);
        self.tried += search.tried;
        found
    }

    /// The condition that adds most and may be chosen, and the events for which it holds.
    fn best(
        &self,
        all: &[u32],
        rest: &[u32],
        mut found: Vec<Found>,
    ) -> Option<(Vec<Term>, RowBits)> {
        let floor = self.params.min_precision;
        let refine = Refine {
            sample: self.sample,
            params: self.params,
            rows: rest,
        };
        found.sort_by(|one, two| one.order(two, floor));
        // One of each kind: variants of it end up where it does.
        let mut kinds = BTreeSet::new();
        let kind =
            |found: &Found| -> Vec<_> { found.terms.iter().map(|term| term.kind()).collect() };
        let (first, others): (Vec<Found>, Vec<Found>) = found
            .into_iter()
            .partition(|found| kinds.insert(kind(found)));
        let mut moved: Vec<Found> = first
            .iter()
            .take(LOOKED_AT)
            .map(|found| refine.moved(found))
            .collect();
        moved.sort_by(|one, two| one.order(two, floor));
        moved.dedup();
        // Those that were not moved come last: for when no other may be chosen.
        let rest = first.into_iter().skip(LOOKED_AT).chain(others);
        let mut candidates = moved.into_iter().chain(rest);
        candidates.find_map(|found| {
            let found = refine.rounded(&found);
            let rows = self.sample.filter(all, &found.terms);
            let whole = self.sample.count(&rows);
            let rows = RowBits::from_rows(self.sample.fraud.len(), &rows);
            let apart = |other: &RowBits| {
                let both = rows.count_both(other);
                let either = rows.count() + other.count() - both;
                both as f64 <= self.params.max_overlap * either as f64
            };
            let good = |counts: Counts| {
                counts.frauds >= self.params.min_support && counts.sure_precision() >= floor
            };
            let chosen = found.terms.len() <= self.params.max_terms
                && good(whole)
                && good(found.counts)
                && found.counts.gain(floor) > 0.0
                && self.covered.iter().all(apart)
                && found.terms.iter().all(|term| self.sample.may_hold(*term));
            chosen.then_some((found.terms, rows))
        })
    }
}

/// The rules as the language reads them, and what they do in both periods.
fn confirmed(
    params: &MineParams,
    (schema, columns): (&RuleSchema, &Columns<'_>),
    (judged, periods): (&Judged<'_>, &Periods),
    (conditions, tried): (&[String], usize),
) -> Result<Mined, RuleError> {
    let rule = |(place, condition): (usize, &String)| -> Result<Rule, RuleError> {
        let condition = Condition::parse(condition)?.to_string();
        Ok(Rule::new(format!("mined_{}", place + 1), condition, 0.0).tag("mined"))
    };
    let rules = conditions.iter().enumerate().map(rule);
    let rules: Vec<Rule> = rules.collect::<Result<_, _>>()?;
    let matrix = RuleSet::new(rules.clone())
        .compile(schema)?
        .evaluate_columns(columns)?;
    let within = |fired: &RowBits, period: &RowBits| {
        let mut fired = fired.clone();
        fired.keep(period);
        Hits::of(&fired, judged)
    };
    let frauds = periods.held_out.count_both(&judged.fraud);
    let mut together = RowBits::zeros(columns.rows());
    let (mut confirmed, mut dropped) = (Vec::new(), Vec::new());
    for (place, mut rule) in rules.into_iter().enumerate() {
        let Some(fired) = matrix.fired(place) else {
            continue;
        };
        let held_out = within(fired, &periods.held_out);
        let precision = held_out.precision();
        rule.risk_score = precision.unwrap_or(0.0);
        let labelled = held_out.true_positives + held_out.false_positives;
        let mined = MinedRule {
            rule,
            learned: within(fired, &periods.learning),
            held_out,
            precision_interval: share_interval(precision.unwrap_or(0.0), labelled as f64),
            recall: share(held_out.true_positives, frauds).unwrap_or(0.0),
        };
        let good = held_out.true_positives >= params.min_held_out_support
            && precision.is_some_and(|precision| precision >= params.min_precision);
        if good {
            together.add(fired);
            confirmed.push(mined);
        } else {
            dropped.push(mined);
        }
    }
    Ok(Mined {
        rules: confirmed,
        dropped,
        learned: within(&together, &periods.learning),
        held_out: within(&together, &periods.held_out),
        frauds,
        tried,
    })
}
