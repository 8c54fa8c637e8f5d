//! Which rules to keep.

use super::folds::Folds;
use super::judged::{Hits, Judged};
use super::parameter::{parameter, share};
use crate::{Columns, RowBits, RuleEngine, RuleError, RuleMatrix, RuleSet};
use std::cmp::Ordering;

/// How many alerts there may be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AlertBudget {
    /// As many as it takes.
    #[default]
    Unlimited,
    /// So many in all.
    Total(usize),
    /// So many a day on average.
    PerDay(f64),
}

/// How rules are chosen from a set: [`RuleEngine::select`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SelectParams {
    /// Alerts of all rules together, at most; events for which several fire count once.
    pub budget: AlertBudget,
    /// Rules, at most.
    pub max_rules: usize,
    /// Jaccard index of the alerts of two rules, at most.
    pub max_overlap: f64,
    /// Precision of a rule, at least. What it adds to the rules before it need not be as precise.
    pub min_precision: f64,
    /// Parts of the time, with about as many events each, for which it is told how a rule does there: [`Stability`]. The
    /// choice does not look at it. None for 0.
    pub folds: usize,
}

/// Most parts of the time.
const MOST_FOLDS: usize = 100;

impl Default for SelectParams {
    fn default() -> Self {
        Self {
            budget: AlertBudget::Unlimited,
            max_rules: crate::ruleset::MOST_RULES,
            max_overlap: 1.0,
            min_precision: 0.0,
            folds: 4,
        }
    }
}

impl SelectParams {
    dafu_core::setters! {
        budget: AlertBudget,
        max_rules: usize,
        max_overlap: f64,
        min_precision: f64,
        folds: usize,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// ```
    /// use dafu_rules::optimize::SelectParams;
    ///
    /// let wrong = SelectParams::default().max_overlap(1.5).check().unwrap_err();
    /// assert_eq!(wrong.to_string(), "`max_overlap` must be at least 0 and at most 1, got 1.5");
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), RuleError> {
        if let AlertBudget::PerDay(got) = self.budget {
            let good = got >= 0.0 && got.is_finite();
            parameter("budget", got, "finite and at least 0", good)?;
        }
        share("max_overlap", self.max_overlap)?;
        share("min_precision", self.min_precision)?;
        let good = self.folds <= MOST_FOLDS;
        parameter("folds", self.folds, "at most 100", good)
    }

    /// Alerts at most; `None` for any number.
    fn most_alerts(&self, judged: &Judged<'_>) -> Result<Option<usize>, RuleError> {
        Ok(match self.budget {
            AlertBudget::Unlimited => None,
            AlertBudget::Total(most) => Some(most),
            AlertBudget::PerDay(most) => {
                let what = "budget of alerts a day";
                let days = judged.days().ok_or(RuleError::NoTimes { what })?;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked: at least 0; what has no room is any number"
                )]
                let most = (most * days) as usize;
                Some(most)
            }
        })
    }
}

/// A rule that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Kept {
    /// Its place in the set.
    pub rule: usize,
    /// What it does.
    pub hits: Hits,
    /// What it does where no rule that was kept before it fires.
    pub added: Hits,
    /// How it does in parts of the time; `None` without times.
    pub stability: Option<Stability>,
}

/// How a rule does in parts of the time, each looked at alone: one that owes its place to a single month is in few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stability {
    /// Parts of the time that have frauds: the others say nothing.
    pub folds: usize,
    /// Those of them in which it would have been chosen, were there no other events; of the budget each has a share as large
    /// as that of events.
    pub chosen: usize,
    /// Those of them in which it fires, as precisely as [`SelectParams::min_precision`] asks for.
    pub precise: usize,
}

/// Why a rule is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WhyLeftOut {
    /// It never fires.
    NeverFires,
    /// Too few of its alerts are right, or none of them has a label where that was asked for.
    Imprecise,
    /// It fires only where this one rule does, which is kept.
    ImpliedBy(usize),
    /// It overlaps too much with this rule, which is kept.
    Overlaps(usize),
    /// All frauds that it finds, the rules that are kept find without it.
    AddsNothing,
    /// With it there would be too many alerts.
    OverBudget,
    /// There were enough rules.
    Enough,
}

/// Which rules to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Selection {
    /// Those that are kept, in the order in which they were chosen.
    pub kept: Vec<Kept>,
    /// Those that are not, in the order of the set, and why.
    pub left_out: Vec<(usize, WhyLeftOut)>,
    /// Rules that approve. They make no alerts, so that there is no choice among them: they stay.
    pub approving: Vec<usize>,
    /// Shadow rules, drafts and what is retired. They make no alerts either: they stay what they are.
    pub without_say: Vec<usize>,
    /// What those that are kept do together.
    pub all: Hits,
    /// Alerts that there might have been; `None` for any number.
    pub budget: Option<usize>,
}

impl Selection {
    /// The set with only the rules that are kept, those that approve and those without a say, in the order of the set: under
    /// [`Conflict::First`](crate::Conflict::First) it matters.
    pub fn apply(&self, set: &RuleSet) -> RuleSet {
        let mut places: Vec<usize> = self.kept.iter().map(|kept| kept.rule).collect();
        places.extend(self.approving.iter().chain(&self.without_say));
        places.sort_unstable();
        let rules = places
            .into_iter()
            .filter_map(|place| set.rules.get(place).cloned());
        let mut set = RuleSet {
            rules: rules.collect(),
            ..set.clone()
        };
        let RuleSet {
            rules,
            suppressions,
            ..
        } = &mut set;
        suppressions.retain(|suppression| rules.iter().any(|rule| rule.id == suppression.rule));
        set
    }
}

impl RuleEngine {
    /// Which rules to keep: those that together find most frauds with the alerts there may be. Rules without which as much
    /// is found are left out, so with an unlimited budget this prunes a set. Rules that approve make no alerts, and stay. With
    /// times each rule is told in how many parts of the time it would be kept, too.
    ///
    /// ```
    /// use dafu_core::{Label, Unit};
    /// use dafu_rules::optimize::{AlertBudget, Judged, SelectParams, WhyLeftOut};
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::array;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([
    ///     Rule::new("any", "amount > 0", 0.1),
    ///     Rule::new("large", "amount > 50", 0.5),
    ///     Rule::new("larger", "amount > 90", 0.5),
    ///     Rule::new("huge", "amount > 1000", 0.9),
    /// ]);
    /// let amounts = array![10.0, 60.0, 70.0, 95.0];
    /// let labels = [Label::Legitimate, Label::Legitimate, Label::Fraud, Label::Fraud];
    /// let columns = Columns::new(4).number(amounts.view())?;
    /// let params = SelectParams::default().budget(AlertBudget::Total(3));
    /// let selection = rules.compile(&schema)?.select(&columns, &Judged::new(&labels), &params)?;
    /// assert_eq!(selection.apply(&rules).rules[0].id, "large");
    /// assert_eq!((selection.all.fired, selection.all.true_positives), (3, 2));
    /// assert_eq!(selection.left_out, [
    ///     (0, WhyLeftOut::AddsNothing),
    ///     (2, WhyLeftOut::ImpliedBy(1)),
    ///     (3, WhyLeftOut::NeverFires),
    /// ]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`RuleEngine::evaluate_columns`] and [`RuleMatrix::select`].
    pub fn select(
        &self,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
        params: &SelectParams,
    ) -> Result<Selection, RuleError> {
        let (columns, judged) = &judged.joined(columns)?;
        self.evaluate_columns(columns)?.select(judged, params)
    }
}

impl RuleMatrix {
    /// Which rules to keep, of those whose answers these are: [`RuleEngine::select`].
    ///
    /// Rules are chosen one after the other: once the one that adds most frauds an alert, once the one that adds most
    /// frauds; what finds more in the end is taken. Then rules are dropped again, the last first, without which as many
    /// frauds are found. Where only the number of rules is limited, that finds at least 1 - 1/e of the frauds that the best
    /// choice does; where rules do not overlap, at least half of them under any budget.
    ///
    /// Source: Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular set functions" (1978),
    /// section 4; Khuller, Moss and Naor, "The budgeted maximum coverage problem" (1999), section 2.
    ///
    /// ```
    /// use dafu_core::{Label, Timestamp, Unit};
    /// use dafu_rules::optimize::{AlertBudget, Judged, SelectParams, Stability};
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::Array1;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([Rule::new("large", "amount >= 90", 0.5), Rule::new("small", "amount < 10", 0.5)]);
    /// // A hundred days; small payments were tried out in the first ones only.
    /// let amounts = Array1::from_shape_fn(10_000, |row| (row % 100) as f64);
    /// let fraud = |row: usize| amounts[row] >= 90.0 || amounts[row] < 10.0 && row < 2500;
    /// let labels: Vec<Label> = (0..10_000).map(|row| fraud(row).into()).collect();
    /// let times = (0..10_000).map(|row| Timestamp::from_seconds(864 * row)).collect::<Result<Vec<_>, _>>()?;
    /// let columns = Columns::new(10_000).number(amounts.view())?;
    /// let judged = Judged::new(&labels).times(&times)?;
    /// let params = SelectParams::default().budget(AlertBudget::PerDay(25.0)).min_precision(0.2);
    ///
    /// let matrix = rules.compile(&schema)?.evaluate_columns(&columns)?;
    /// let [large, small] = &matrix.select(&judged, &params)?.kept[..] else { panic!("both are kept") };
    /// assert_eq!(large.stability, Some(Stability { folds: 4, chosen: 4, precise: 4 }));
    /// assert_eq!(small.stability, Some(Stability { folds: 4, chosen: 1, precise: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] as [`SelectParams::check`], [`RuleError::Row`] for another number of labels,
    /// [`RuleError::NoTimes`] for a budget a day without times.
    ///
    /// # Complexity
    ///
    /// O(k r n / 64 + n log n + alerts) for r rules, k of which are kept, and n events: once for all of them, and once for the
    /// parts of the time together.
    pub fn select(
        &self,
        judged: &Judged<'_>,
        params: &SelectParams,
    ) -> Result<Selection, RuleError> {
        params.check()?;
        judged.check("events", self.rows())?;
        let (with_say, without_say): (Vec<usize>, Vec<usize>) =
            (0..self.rules()).partition(|rule| self.has_say(*rule));
        let (approving, others): (Vec<usize>, Vec<usize>) =
            with_say.into_iter().partition(|rule| self.approves(*rule));
        let choice = Choice {
            fired: (0..self.rules())
                .filter_map(|rule| self.fired(rule))
                .collect(),
            rules: &others,
            judged,
            params,
            budget: params.most_alerts(judged)?,
        };
        Ok(choice.run(approving, without_say))
    }
}

/// What a choice goes by.
struct Choice<'a> {
    fired: Vec<&'a RowBits>,
    /// Those that there is a choice among.
    rules: &'a [usize],
    judged: &'a Judged<'a>,
    params: &'a SelectParams,
    budget: Option<usize>,
}

/// Which of two rules is chosen first, by what they add.
type Order = fn(Hits, Hits) -> Ordering;

/// More frauds an alert, then more frauds.
fn by_share(one: Hits, two: Hits) -> Ordering {
    let cross = |one: Hits, two: Hits| one.true_positives as u128 * two.fired as u128;
    cross(one, two)
        .cmp(&cross(two, one))
        .then(one.true_positives.cmp(&two.true_positives))
}

/// More frauds, then fewer alerts.
fn by_frauds(one: Hits, two: Hits) -> Ordering {
    let order = one.true_positives.cmp(&two.true_positives);
    order.then(two.fired.cmp(&one.fired))
}

impl Choice<'_> {
    fn run(&self, approving: Vec<usize>, without_say: Vec<usize>) -> Selection {
        let kept = self.chosen();
        let left_out = self.rules.iter().filter(|rule| !kept.contains(rule));
        let left_out = left_out.map(|rule| (*rule, self.why(*rule, &kept)));
        let left_out = left_out.collect();
        let stability = self.stability(&kept);
        let mut seen = RowBits::zeros(self.judged.rows());
        let mut selected = Vec::with_capacity(kept.len());
        for (place, rule) in kept.into_iter().enumerate() {
            let added = self.added(rule, &seen);
            seen.add(self.fired[rule]);
            selected.push(Kept {
                rule,
                hits: Hits::of(self.fired[rule], self.judged),
                added,
                stability: stability.as_ref().and_then(|all| all.get(place)).copied(),
            });
        }
        Selection {
            kept: selected,
            left_out,
            approving,
            without_say,
            all: Hits::of(&seen, self.judged),
            budget: self.budget,
        }
    }

    /// Rules that are kept, in the order in which they are chosen.
    fn chosen(&self) -> Vec<usize> {
        let fit = self
            .rules
            .iter()
            .filter(|rule| self.unfit(**rule).is_none());
        let candidates: Vec<usize> = fit.copied().collect();
        let [one, two] = [by_share, by_frauds].map(|order: Order| {
            let mut kept = Vec::new();
            // Where a rule was dropped, one that overlapped with it may come in. That ends: each time more frauds are found.
            while self.greedy(&candidates, order, &mut kept) {
                self.prune(&mut kept);
            }
            kept
        });
        let found = |kept: &[usize]| Hits::of(&self.union(kept), self.judged);
        match by_frauds(found(&one), found(&two)) {
            Ordering::Less => two,
            _ => one,
        }
    }

    /// How rules that are kept do in parts of the time; `None` without times.
    fn stability(&self, kept: &[usize]) -> Option<Vec<Stability>> {
        let times = self.judged.times?;
        if self.params.folds == 0 || times.is_empty() {
            return None;
        }
        let folds = Folds::new(times, self.params.folds);
        let fired: Vec<Vec<RowBits>> = self.fired.iter().map(|bits| folds.split(bits)).collect();
        let labels = folds.split(&self.judged.fraud).into_iter();
        let labels = labels.zip(folds.split(&self.judged.honest));
        let mut stability = vec![Stability::default(); kept.len()];
        for (fold, (fraud, honest)) in labels.enumerate() {
            if fraud.count() == 0 {
                continue;
            }
            let size = folds.sizes()[fold] as u128;
            let part = |most: usize| (most as u128 * size).div_ceil(times.len() as u128);
            let choice = Choice {
                fired: fired.iter().map(|parts| &parts[fold]).collect(),
                rules: self.rules,
                judged: &Judged::of(fraud, honest),
                params: self.params,
                budget: self
                    .budget
                    .map(|most| usize::try_from(part(most)).unwrap_or(usize::MAX)),
            };
            let chosen = choice.chosen();
            for (rule, stability) in kept.iter().zip(&mut stability) {
                stability.folds += 1;
                stability.chosen += usize::from(chosen.contains(rule));
                stability.precise += usize::from(choice.unfit(*rule).is_none());
            }
        }
        Some(stability)
    }

    /// Why a rule is out of the question, whatever the others do.
    fn unfit(&self, rule: usize) -> Option<WhyLeftOut> {
        let hits = Hits::of(self.fired[rule], self.judged);
        let floor = self.params.min_precision;
        let precise = floor <= 0.0 || hits.precision().is_some_and(|share| share >= floor);
        match hits.fired {
            0 => Some(WhyLeftOut::NeverFires),
            _ if !precise => Some(WhyLeftOut::Imprecise),
            _ => None,
        }
    }

    fn union(&self, rules: &[usize]) -> RowBits {
        let mut union = RowBits::zeros(self.judged.rows());
        for rule in rules {
            union.add(self.fired[*rule]);
        }
        union
    }

    fn added(&self, rule: usize, seen: &RowBits) -> Hits {
        let mut added = self.fired[rule].clone();
        added.remove(seen);
        Hits::of(&added, self.judged)
    }

    fn fits(&self, alerts: usize) -> bool {
        self.budget.is_none_or(|most| alerts <= most)
    }

    /// The first kept rule with which another overlaps too much.
    fn overlaps(&self, rule: usize, kept: &[usize]) -> Option<usize> {
        let bits = self.fired[rule];
        let too_much = |other: &usize| {
            let both = bits.count_both(self.fired[*other]);
            let either = bits.count() + self.fired[*other].count() - both;
            both as f64 > self.params.max_overlap * either as f64
        };
        kept.iter().copied().find(too_much)
    }

    /// Adds rules as long as they add frauds; whether there was one.
    fn greedy(&self, candidates: &[usize], order: Order, kept: &mut Vec<usize>) -> bool {
        let mut seen = self.union(kept);
        let mut alerts = seen.count();
        let mut left = candidates.to_vec();
        let before = kept.len();
        while kept.len() < self.params.max_rules {
            // What overlaps now does so later. But a rule may come to fit the budget when others have covered its alerts.
            left.retain(|rule| !kept.contains(rule) && self.overlaps(*rule, kept).is_none());
            let adds = left.iter().map(|rule| (*rule, self.added(*rule, &seen)));
            let adds = adds
                .filter(|(_, added)| added.true_positives > 0 && self.fits(alerts + added.fired));
            // Of equal ones the first.
            let best = adds.reduce(|best, next| match order(next.1, best.1) {
                Ordering::Greater => next,
                _ => best,
            });
            let Some((rule, added)) = best else {
                break;
            };
            alerts += added.fired;
            seen.add(self.fired[rule]);
            kept.push(rule);
        }
        kept.len() > before
    }

    /// Drops rules that find no fraud alone, the last first.
    fn prune(&self, kept: &mut Vec<usize>) {
        for place in (0..kept.len()).rev() {
            let mut others = kept.clone();
            let rule = others.remove(place);
            if self.added(rule, &self.union(&others)).true_positives == 0 {
                *kept = others;
            }
        }
    }

    fn why(&self, rule: usize, kept: &[usize]) -> WhyLeftOut {
        if let Some(why) = self.unfit(rule) {
            return why;
        }
        let bits = self.fired[rule];
        let implies = |other: &usize| bits.count_both(self.fired[*other]) == bits.count();
        if let Some(other) = kept.iter().copied().find(implies) {
            return WhyLeftOut::ImpliedBy(other);
        }
        let seen = self.union(kept);
        let added = self.added(rule, &seen);
        if added.true_positives == 0 {
            return WhyLeftOut::AddsNothing;
        }
        if let Some(other) = self.overlaps(rule, kept) {
            return WhyLeftOut::Overlaps(other);
        }
        if self.fits(seen.count() + added.fired) {
            WhyLeftOut::Enough
        } else {
            WhyLeftOut::OverBudget
        }
    }
}
