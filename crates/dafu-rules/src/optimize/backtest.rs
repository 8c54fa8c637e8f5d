//! What rules would have done.

use super::judged::{Hits, Judged, share};
use crate::{Columns, RowBits, RuleEngine, RuleError, RuleMatrix};
use dafu_core::Timestamp;
use dafu_core::metrics::share_interval;
use std::fmt;
use std::ops::Range;

/// A week of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Week {
    /// Which week it is, counted from 0: that begins at midnight before the first event.
    pub number: u32,
    /// Events of the week.
    pub events: usize,
    /// What the rule did in it.
    pub hits: Hits,
}

/// What one rule would have done.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RuleBacktest {
    /// The rule.
    pub rule: String,
    /// Alerts, and how many are right.
    pub hits: Hits,
    /// Frauds as a share of alerts with a label; `None` without one.
    pub precision: Option<f64>,
    /// Its 95 % interval ([`share_interval`]); from 0 to 1 without labels.
    pub precision_interval: (f64, f64),
    /// Share of all frauds that it finds; `None` where there are none.
    pub recall: Option<f64>,
    /// Precision by the share of frauds among all events with a label.
    pub lift: Option<f64>,
    /// Share of honest events that it fires for.
    pub false_positive_rate: Option<f64>,
    /// Events for which values were missing.
    pub not_evaluated: usize,
    /// Amount of the frauds that it finds; 0 without amounts.
    pub amount_caught: f64,
    /// The same as a share of the amount of all frauds.
    pub amount_share: Option<f64>,
    /// Alerts a day; `None` without times.
    pub alerts_per_day: Option<f64>,
    /// When it first and last fired.
    pub fired_between: Option<(Timestamp, Timestamp)>,
    /// The weeks that have events, in order of time; empty without times.
    pub weeks: Vec<Week>,
    /// How differently alerts and events spread over the weeks: half the sum of the differences of their shares, 0 for
    /// alike, 1 for never together.
    pub drift: Option<f64>,
    /// What it finds that no rule before it does.
    pub marginal: Hits,
}

/// What the rules of a set would have done.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Backtest {
    /// Rule by rule, in the order of the set.
    pub rules: Vec<RuleBacktest>,
    /// Events for which a rule fired.
    pub all: Hits,
    /// Events.
    pub events: usize,
    /// Frauds among them.
    pub frauds: usize,
}

impl RuleEngine {
    /// What each rule would have done with past events. Shadow rules are tested like others; drafts and retired rules
    /// never fire. O(tests x events + alerts).
    ///
    /// ```
    /// use dafu_core::{Label, Unit};
    /// use dafu_rules::optimize::Judged;
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::array;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([
    ///     Rule::new("large", "amount > 50", 0.5),
    ///     Rule::new("larger", "amount > 90", 0.5),
    /// ]);
    /// let amounts = array![10.0, 60.0, 70.0, 95.0];
    /// let labels = [Label::Legitimate, Label::Legitimate, Label::Fraud, Label::Fraud];
    /// let columns = Columns::new(4).number(amounts.view())?;
    /// let backtest = rules.compile(&schema)?.backtest(&columns, &Judged::new(&labels))?;
    /// let [large, larger] = &backtest.rules[..] else { unreachable!() };
    /// assert_eq!((large.hits.fired, large.precision, large.recall), (3, Some(2.0 / 3.0), Some(1.0)));
    /// // Whatever the second finds, the first has found before.
    /// assert_eq!((larger.precision, larger.marginal.fired), (Some(1.0), 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`RuleEngine::evaluate_columns`]; [`RuleError::Row`] for another number of labels.
    pub fn backtest(
        &self,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
    ) -> Result<Backtest, RuleError> {
        let (columns, judged) = &judged.joined(columns)?;
        let matrix = self.evaluate_columns(columns)?;
        let ids = self.rule_set().rules.iter().map(|rule| rule.id.clone());
        Ok(backtest(&matrix, ids, judged))
    }
}

fn backtest(
    matrix: &RuleMatrix,
    ids: impl Iterator<Item = String>,
    judged: &Judged<'_>,
) -> Backtest {
    let known = Known::new(judged);
    let mut seen = RowBits::zeros(judged.rows());
    let mut rules = Vec::with_capacity(matrix.rules());
    for (rule, id) in ids.enumerate() {
        let (Some(fired), Some(unknown)) = (matrix.fired(rule), matrix.unknown(rule)) else {
            continue;
        };
        let mut added = RowBits::zeros(judged.rows());
        // What a rule that approves finds is no alert.
        if !matrix.approves(rule) {
            added.add(fired);
            added.remove(&seen);
            seen.add(fired);
        }
        let mut of_rule = known.rule(id, fired, judged);
        of_rule.not_evaluated = unknown.count();
        of_rule.marginal = Hits::of(&added, judged);
        rules.push(of_rule);
    }
    Backtest {
        rules,
        all: Hits::of(&seen, judged),
        events: judged.rows(),
        frauds: known.frauds,
    }
}

/// What is the same for all rules.
struct Known {
    frauds: usize,
    honest: usize,
    fraud_amount: f64,
    days: Option<f64>,
    /// The place of the week of every event among those that have events.
    weeks: Vec<u32>,
    /// Number and events of each week that has some.
    events_by_week: Vec<(u32, usize)>,
    /// Rows of each week, where events are in order of time.
    ranges: Option<Vec<Range<usize>>>,
}

impl Known {
    fn new(judged: &Judged<'_>) -> Self {
        let mut weeks = judged.weeks();
        // All weeks between two moments have room once, but not once a rule.
        let count = weeks.iter().max().map_or(0, |last| *last as usize + 1);
        let mut events = vec![0; count];
        for week in &weeks {
            events[*week as usize] += 1;
        }
        let mut places = vec![0; count];
        let mut events_by_week = Vec::new();
        for ((number, events), place) in (0..).zip(events).zip(&mut places) {
            *place = u32::try_from(events_by_week.len()).unwrap_or(u32::MAX);
            if events > 0 {
                events_by_week.push((number, events));
            }
        }
        for week in &mut weeks {
            *week = places[*week as usize];
        }
        Self {
            frauds: judged.fraud.count(),
            honest: judged.honest.count(),
            fraud_amount: judged.fraud.iter().map(|row| judged.amount(row)).sum(),
            days: judged.days(),
            ranges: ranges(judged, &events_by_week),
            weeks,
            events_by_week,
        }
    }

    fn rule(&self, rule: String, fired: &RowBits, judged: &Judged<'_>) -> RuleBacktest {
        let hits = Hits::of(fired, judged);
        let precision = hits.precision();
        let labelled = hits.true_positives + hits.false_positives;
        let mut caught = fired.clone();
        caught.keep(&judged.fraud);
        let amount_caught: f64 = match judged.amounts {
            Some(_) => caught.iter().map(|row| judged.amount(row)).sum(),
            None => 0.0,
        };
        let prevalence = share(self.frauds, self.frauds + self.honest).filter(|share| *share > 0.0);
        let weeks = self.by_week(fired, judged);
        RuleBacktest {
            rule,
            hits,
            precision,
            precision_interval: share_interval(precision.unwrap_or(0.0), labelled as f64),
            recall: share(hits.true_positives, self.frauds),
            lift: precision
                .zip(prevalence)
                .map(|(precision, prevalence)| precision / prevalence),
            false_positive_rate: share(hits.false_positives, self.honest),
            not_evaluated: 0,
            amount_caught,
            amount_share: (self.fraud_amount > 0.0).then(|| amount_caught / self.fraud_amount),
            alerts_per_day: self.days.map(|days| hits.fired as f64 / days),
            fired_between: judged.times.and_then(|times| {
                let at = |row: usize| times.get(row).copied();
                if self.ranges.is_some() {
                    let (first, last) = fired.ends()?;
                    return at(first).zip(at(last));
                }
                let fired = || fired.iter().filter_map(at);
                fired().min().zip(fired().max())
            }),
            drift: drift(&weeks, hits.fired, judged.rows()),
            weeks,
            marginal: Hits::default(),
        }
    }

    fn by_week(&self, fired: &RowBits, judged: &Judged<'_>) -> Vec<Week> {
        let week = |(number, events): &(u32, usize)| Week {
            number: *number,
            events: *events,
            hits: Hits::default(),
        };
        let mut weeks: Vec<Week> = self.events_by_week.iter().map(week).collect();
        if let Some(ranges) = &self.ranges {
            for (week, range) in weeks.iter_mut().zip(ranges) {
                let count = |bits: &RowBits| fired.count_both_in(bits, range.clone());
                week.hits = Hits {
                    fired: count(fired),
                    true_positives: count(&judged.fraud),
                    false_positives: count(&judged.honest),
                };
            }
            return weeks;
        }
        for row in fired.iter() {
            let Some(week) = self
                .weeks
                .get(row)
                .and_then(|week| weeks.get_mut(*week as usize))
            else {
                continue;
            };
            week.hits.fired += 1;
            week.hits.true_positives += usize::from(judged.fraud.contains(row));
            week.hits.false_positives += usize::from(judged.honest.contains(row));
        }
        weeks
    }
}

/// The rows of each week, where times never fall.
fn ranges(judged: &Judged<'_>, events_by_week: &[(u32, usize)]) -> Option<Vec<Range<usize>>> {
    if !judged.times?.is_sorted() {
        return None;
    }
    let mut start = 0;
    let range = |(_, events): &(u32, usize)| {
        let range = start..start + events;
        start = range.end;
        range
    };
    Some(events_by_week.iter().map(range).collect())
}

fn drift(weeks: &[Week], fired: usize, events: usize) -> Option<f64> {
    if weeks.is_empty() || fired == 0 {
        return None;
    }
    let difference = |week: &Week| {
        (week.hits.fired as f64 / fired as f64 - week.events as f64 / events as f64).abs()
    };
    Some(weeks.iter().map(difference).sum::<f64>() / 2.0)
}

impl fmt::Display for Backtest {
    /// A table of plain text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self
            .rules
            .iter()
            .map(|rule| rule.rule.chars().count())
            .max();
        let width = longest.unwrap_or(0).clamp(4, 40);
        write!(
            f,
            "{:width$}  {:>9}  {:>9}  {:>15}  {:>6}  {:>7}  {:>9}",
            "rule", "fired", "precision", "95 % interval", "recall", "per day", "new fraud"
        )?;
        let optional = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        for rule in &self.rules {
            let (low, high) = rule.precision_interval;
            write!(
                f,
                "\n{:width$}  {:>9}  {:>9}  {:>15}  {:>6}  {:>7}  {:>9}",
                rule.rule,
                rule.hits.fired,
                optional(rule.precision, 3),
                format!("{low:.3} to {high:.3}"),
                optional(rule.recall, 3),
                optional(rule.alerts_per_day, 1),
                rule.marginal.true_positives,
            )?;
        }
        write!(
            f,
            "\n{} of {} events, precision {}, recall {}",
            self.all.fired,
            self.events,
            optional(self.all.precision(), 3),
            optional(share(self.all.true_positives, self.frauds), 3),
        )
    }
}
