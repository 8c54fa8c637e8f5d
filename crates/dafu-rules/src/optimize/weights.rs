//! How much each rule counts.

use super::judged::Judged;
use super::parameter::parameter;
use crate::{Columns, Combination, RuleEngine, RuleError, RuleMatrix, RuleSet};
use dafu_core::metrics::Ranking;
use std::collections::BTreeMap;

/// How weights of rules are learned: [`RuleEngine::weights`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct WeightParams {
    /// What large weights cost: half of this times the sum of their squares, beside the log loss summed over all events with
    /// a label. Above 0, so that rules without a false alert have a weight, too.
    pub l2: f64,
    /// The score of the worst event, but for rounding: the points of each rule are rounded alone, so that rules that weigh the
    /// same have as many.
    pub max_points: u32,
    /// Steps, at most.
    pub max_steps: usize,
}

impl Default for WeightParams {
    fn default() -> Self {
        Self {
            l2: 1.0,
            max_points: 100,
            max_steps: 200,
        }
    }
}

impl WeightParams {
    dafu_core::setters! {
        l2: f64,
        max_points: u32,
        max_steps: usize,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// ```
    /// use dafu_rules::optimize::WeightParams;
    ///
    /// let wrong = WeightParams::default().max_points(0).check().unwrap_err();
    /// assert_eq!(wrong.to_string(), "`max_points` must be at least 1 and at most 1000000, got 0");
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), RuleError> {
        let got = self.l2;
        let good = (1e-9..=1e12).contains(&got);
        parameter("l2", got, "at least 1e-9 and at most 1e12", good)?;
        let got = self.max_points;
        let good = (1..=1_000_000).contains(&got);
        parameter("max_points", got, "at least 1 and at most 1000000", good)?;
        let got = self.max_steps;
        parameter("max_steps", got, "at least 1", got >= 1)
    }
}

/// How much each rule counts, and how well their sum ranks events.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RuleWeights {
    /// What a rule adds to the log odds of fraud where it fires, in the order of the set; never below 0, and 0 for a rule that
    /// has no say.
    pub weights: Vec<f64>,
    /// Log odds of fraud where no rule fires.
    pub intercept: f64,
    /// The same weights as whole numbers, scaled so that the worst event has `max_points`, and then rounded: three rules of the
    /// same weight have 33 of 100 points each, together 99.
    pub points: Vec<u32>,
    /// Points of an event, at most.
    pub max_points: u32,
    /// Average precision of the sums of points, on the events that they were learned from: better than on others.
    pub average_precision: f64,
    /// The same for the sums of weights, before they were rounded.
    pub exact_average_precision: f64,
    /// Steps that were taken.
    pub steps: usize,
}

impl RuleWeights {
    /// The points of each event: the sum of those of the rules that fire, at most `max_points`. A rule that fires besides
    /// never lowers them. O(alerts).
    ///
    /// ```
    /// use dafu_core::{Label, Unit};
    /// use dafu_rules::optimize::{Judged, WeightParams};
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::array;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([Rule::new("large", "amount >= 50", 0.5)]);
    /// let engine = rules.compile(&schema)?;
    /// let amounts = array![10.0, 60.0, 30.0, 95.0];
    /// let columns = Columns::new(4).number(amounts.view())?;
    /// let labels = [Label::Legitimate, Label::Fraud, Label::Legitimate, Label::Fraud];
    /// let learned = engine.weights(&columns, &Judged::new(&labels), &WeightParams::default())?;
    ///
    /// let later = array![70.0, 20.0];
    /// let matrix = engine.evaluate_columns(&Columns::new(2).number(later.view())?)?;
    /// assert_eq!(learned.score(&matrix), [100, 0]);
    /// let judged = Judged::new(&[Label::Fraud, Label::Legitimate]);
    /// assert_eq!(learned.average_precision_on(&matrix, &judged)?, 1.0);
    /// // As a set of rules with scores of their own.
    /// assert_eq!(learned.apply(&rules).rules[0].risk_score, 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn score(&self, matrix: &RuleMatrix) -> Vec<u32> {
        let mut scores = vec![0_u32; matrix.rows()];
        for (rule, points) in self.points.iter().enumerate() {
            for row in matrix
                .fired(rule)
                .into_iter()
                .flat_map(crate::RowBits::iter)
            {
                scores[row] = scores[row].saturating_add(*points).min(self.max_points);
            }
        }
        scores
    }

    /// Average precision of the points on other events; [`score`](Self::score) has an example.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another number of labels, [`RuleError::Metrics`] where no event with a label is a fraud, or
    /// there is none at all.
    pub fn average_precision_on(
        &self,
        matrix: &RuleMatrix,
        judged: &Judged<'_>,
    ) -> Result<f64, RuleError> {
        judged.check("events", matrix.rows())?;
        let scores = self.score(matrix);
        let mut labelled = judged.fraud.clone();
        labelled.add(&judged.honest);
        let (mut labels, mut known) = (Vec::new(), Vec::new());
        for row in labelled.iter() {
            labels.push(judged.fraud.contains(row));
            known.push(f64::from(scores[row]));
        }
        Ok(Ranking::new(&labels, &known, None)?.average_precision()?)
    }

    /// The set with these points as scores, as shares of `max_points`: its [`Combination::CappedSum`] is then
    /// [`score`](Self::score), where there is an example. Rules that count nothing stay, with score 0.
    pub fn apply(&self, set: &RuleSet) -> RuleSet {
        let mut set = set.clone().combination(Combination::CappedSum);
        for (rule, points) in set.rules.iter_mut().zip(&self.points) {
            rule.risk_score = (f64::from(*points) / f64::from(self.max_points)).min(1.0);
        }
        set
    }
}

impl RuleEngine {
    /// How much each rule counts: a logistic regression on what fires, without negative weights. So another rule that fires
    /// never makes an event less suspicious, and of rules that say the same each counts a part. Rules without a say, such as
    /// shadow rules, count nothing: to see what they would, make them active first.
    ///
    /// ```
    /// use dafu_core::{Label, Unit};
    /// use dafu_rules::optimize::{Judged, WeightParams};
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::Array1;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([
    ///     Rule::new("large", "amount >= 50", 0.5),
    ///     Rule::new("larger", "amount >= 90", 0.5),
    ///     Rule::new("small", "amount < 10", 0.5),
    /// ]);
    /// let amounts = Array1::from_shape_fn(1000, |row| (row % 100) as f64);
    /// let fraud = |row: usize| amounts[row] >= 50.0 && row % 7 == 0 || amounts[row] >= 90.0 && row % 2 == 0;
    /// let labels: Vec<Label> = (0..1000).map(|row| fraud(row).into()).collect();
    /// let columns = Columns::new(1000).number(amounts.view())?;
    /// let learned = rules.compile(&schema)?.weights(&columns, &Judged::new(&labels), &WeightParams::default())?;
    /// assert_eq!(learned.points.iter().sum::<u32>(), 100);
    /// assert_eq!(learned.weights[2], 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`RuleEngine::evaluate_columns`] and [`RuleMatrix::weights`].
    pub fn weights(
        &self,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
        params: &WeightParams,
    ) -> Result<RuleWeights, RuleError> {
        let (columns, judged) = &judged.joined(columns)?;
        self.evaluate_columns(columns)?.weights(judged, params)
    }
}

impl RuleMatrix {
    /// How much each rule counts, of those whose answers these are: [`RuleEngine::weights`].
    ///
    /// Newton's method on the weights that are not held at 0, projected. The same events give the same bits.
    ///
    /// Source: Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints" (1982), section 2.
    ///
    /// ```
    /// use dafu_core::{Label, Unit};
    /// use dafu_rules::optimize::{Judged, WeightParams};
    /// use dafu_rules::{Columns, Rule, RuleSchema, RuleSet, Variable};
    /// use ndarray::array;
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let rules = RuleSet::new([Rule::new("large", "amount >= 50", 0.5), Rule::new("small", "amount < 20", 0.5)]);
    /// let amounts = array![10.0, 60.0, 30.0, 95.0];
    /// let labels = [Label::Legitimate, Label::Fraud, Label::Legitimate, Label::Fraud];
    /// // One matrix serves several questions.
    /// let matrix = rules.compile(&schema)?.evaluate_columns(&Columns::new(4).number(amounts.view())?)?;
    /// for l2 in [0.1, 10.0] {
    ///     let learned = matrix.weights(&Judged::new(&labels), &WeightParams::default().l2(l2))?;
    ///     assert_eq!(learned.points, [100, 0]);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::Parameter`] as [`WeightParams::check`], [`RuleError::Row`] for another number of labels,
    /// [`RuleError::Classes`] without frauds or without honest events.
    ///
    /// # Complexity
    ///
    /// O(alerts log alerts) once, and O(g r^2 + r^3) a step, for r rules and g different sets of rules that fire together.
    pub fn weights(
        &self,
        judged: &Judged<'_>,
        params: &WeightParams,
    ) -> Result<RuleWeights, RuleError> {
        params.check()?;
        judged.check("events", self.rows())?;
        let (frauds, honest) = (judged.fraud.count(), judged.honest.count());
        if frauds == 0 || honest == 0 {
            return Err(RuleError::Classes {
                period: "events",
                frauds,
                honest,
            });
        }
        let problem = Problem {
            groups: groups(self, judged),
            rules: self.rules(),
            l2: params.l2,
        };
        let start = (frauds as f64 / honest as f64).ln();
        let (mut at, steps) = problem.solve(start, params.max_steps);
        let intercept = at.pop().unwrap_or(start);
        let weights = at;
        let sum = |group: &Group| group.rules.iter().map(|rule| weights[*rule]).sum::<f64>();
        let worst = problem.groups.iter().map(sum).fold(0.0, f64::max);
        let points = points(&weights, worst, params.max_points);
        let whole = |group: &Group| {
            let points = group.rules.iter().map(|rule| points[*rule]);
            f64::from(points.fold(0, u32::saturating_add).min(params.max_points))
        };
        Ok(RuleWeights {
            average_precision: ranked(&problem.groups, whole)?,
            exact_average_precision: ranked(&problem.groups, sum)?,
            weights,
            intercept,
            points,
            max_points: params.max_points,
            steps,
        })
    }
}

/// Weights as whole numbers.
fn points(weights: &[f64], worst: f64, most: u32) -> Vec<u32> {
    let scale = if worst > 0.0 {
        f64::from(most) / worst
    } else {
        0.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a million; a rule that never fires weighs nothing"
    )]
    let points = |weight: &f64| (weight * scale).round() as u32;
    weights.iter().map(points).collect()
}

/// Average precision of a score of groups.
fn ranked(groups: &[Group], score: impl Fn(&Group) -> f64) -> Result<f64, RuleError> {
    let (mut labels, mut scores, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        for (label, weight) in [(true, group.frauds), (false, group.honest)] {
            labels.push(label);
            scores.push(score(group));
            weights.push(weight);
        }
    }
    Ok(Ranking::new(&labels, &scores, Some(&weights))?.average_precision()?)
}

/// Events with a label for which the same rules fire.
#[derive(Debug)]
struct Group {
    rules: Vec<usize>,
    frauds: f64,
    honest: f64,
}

fn groups(matrix: &RuleMatrix, judged: &Judged<'_>) -> Vec<Group> {
    let mut of_row: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // What has no say is in no score either.
    // Rules that approve speak for an event, which no weight from 0 on can say.
    let counts = |rule: &usize| matrix.has_say(*rule) && !matrix.approves(*rule);
    for rule in (0..matrix.rules()).filter(counts) {
        for row in matrix
            .fired(rule)
            .into_iter()
            .flat_map(crate::RowBits::iter)
        {
            of_row.entry(row).or_default().push(rule);
        }
    }
    // Where none fires.
    let mut frauds = judged.fraud.count();
    let mut honest = judged.honest.count();
    let mut counts: BTreeMap<Vec<usize>, (usize, usize)> = BTreeMap::new();
    for (row, rules) in of_row {
        let (fraud, good) = (judged.fraud.contains(row), judged.honest.contains(row));
        if fraud || good {
            let counts = counts.entry(rules).or_default();
            counts.0 += usize::from(fraud);
            counts.1 += usize::from(good);
            frauds -= usize::from(fraud);
            honest -= usize::from(good);
        }
    }
    counts.insert(Vec::new(), (frauds, honest));
    let group = |(rules, (frauds, honest))| Group {
        rules,
        frauds: frauds as f64,
        honest: honest as f64,
    };
    counts.into_iter().map(group).collect()
}

/// The log loss of groups and the cost of weights. A point is a weight for each rule and then the intercept, which is free.
#[derive(Debug)]
struct Problem {
    groups: Vec<Group>,
    rules: usize,
    l2: f64,
}

impl Problem {
    fn margin(&self, group: &Group, at: &[f64]) -> f64 {
        at[self.rules] + group.rules.iter().map(|rule| at[*rule]).sum::<f64>()
    }

    fn loss(&self, at: &[f64]) -> f64 {
        // The logarithm of 1 + e^x, without overflow.
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let of = |group: &Group| {
            let margin = self.margin(group, at);
            group.frauds * softplus(-margin) + group.honest * softplus(margin)
        };
        let squares: f64 = at[..self.rules].iter().map(|weight| weight * weight).sum();
        self.groups.iter().map(of).sum::<f64>() + self.l2 / 2.0 * squares
    }

    /// First and second derivatives, the latter row after row.
    fn derivatives(&self, at: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let size = self.rules + 1;
        let mut gradient: Vec<f64> = at[..self.rules].iter().map(|w| self.l2 * w).collect();
        gradient.push(0.0);
        let mut hessian = vec![0.0; size * size];
        for rule in 0..self.rules {
            hessian[rule * size + rule] = self.l2;
        }
        for group in &self.groups {
            let margin = self.margin(group, at);
            let share = 1.0 / (1.0 + (-margin).exp());
            let all = group.frauds + group.honest;
            let slope = all * share - group.frauds;
            let curve = all * share * (1.0 - share);
            let with_intercept = || group.rules.iter().copied().chain([self.rules]);
            for one in with_intercept() {
                gradient[one] += slope;
                for two in with_intercept() {
                    hessian[one * size + two] += curve;
                }
            }
        }
        (gradient, hessian)
    }

    /// Variables that may move, and how steep the steepest is: weights at 0 that would go below it stay there.
    fn free(&self, at: &[f64], gradient: &[f64]) -> (Vec<usize>, f64) {
        let moves =
            |place: &usize| *place == self.rules || at[*place] > 0.0 || gradient[*place] < 0.0;
        let free: Vec<usize> = (0..=self.rules).filter(moves).collect();
        let steepest = free.iter().map(|place| gradient[*place].abs());
        let steepest = steepest.fold(0.0, f64::max);
        (free, steepest)
    }

    /// The best point, and how many steps it took.
    fn solve(&self, intercept: f64, most: usize) -> (Vec<f64>, usize) {
        let mut at = vec![0.0; self.rules];
        at.push(intercept);
        let mut loss = self.loss(&at);
        for step in 0..most {
            let (gradient, hessian) = self.derivatives(&at);
            let (free, steepest) = self.free(&at, &gradient);
            let downhill: Vec<f64> = free.iter().map(|place| -gradient[*place]).collect();
            let newton = newton(&hessian, self.rules + 1, (&free, &downhill));
            // Straight downhill where Newton's step, cut off at 0, does not go down.
            let directions = [newton.as_ref(), Some(&downhill)];
            let next = directions
                .into_iter()
                .flatten()
                .find_map(|direction| self.downhill((&at, loss), &free, direction));
            if let Some(next) = next {
                (at, loss) = next;
                continue;
            }
            // The loss has no digits left that could tell; the slope still has.
            let next = newton.map(|newton| self.moved(&at, &free, &newton, 1.0));
            let flatter = next.filter(|next| {
                let (gradient, _) = self.derivatives(next);
                self.free(next, &gradient).1 <= steepest / 2.0
            });
            match flatter {
                Some(next) if steepest > 0.0 => at = next,
                _ => return (at, step),
            }
        }
        (at, most)
    }

    /// A point so far in a direction, cut off at 0.
    fn moved(&self, at: &[f64], free: &[usize], direction: &[f64], length: f64) -> Vec<f64> {
        let mut next = at.to_vec();
        for (place, along) in free.iter().zip(direction) {
            let moved = at[*place] + length * along;
            next[*place] = if *place < self.rules {
                moved.max(0.0)
            } else {
                moved
            };
        }
        next
    }

    /// The point on the way in a direction, cut off at 0, that is the first to be lower.
    fn downhill(
        &self,
        (at, loss): (&[f64], f64),
        free: &[usize],
        direction: &[f64],
    ) -> Option<(Vec<f64>, f64)> {
        let mut length = 1.0;
        for _ in 0..60 {
            let next = self.moved(at, free, direction, length);
            let lower = self.loss(&next);
            if lower < loss {
                return Some((next, lower));
            }
            length /= 2.0;
        }
        None
    }
}

/// Newton's step on some variables: the solution of `hessian * step = downhill` by Cholesky's decomposition; `None` where the
/// matrix is not positive.
fn newton(hessian: &[f64], size: usize, (free, downhill): (&[usize], &[f64])) -> Option<Vec<f64>> {
    let count = free.len();
    let mut lower = vec![0.0; count * count];
    for row in 0..count {
        for column in 0..=row {
            let mut rest = hessian[free[row] * size + free[column]];
            for place in 0..column {
                rest -= lower[row * count + place] * lower[column * count + place];
            }
            lower[row * count + column] = if row == column {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / lower[column * count + column]
            };
        }
    }
    let mut step = downhill.to_vec();
    for row in 0..count {
        for place in 0..row {
            step[row] -= lower[row * count + place] * step[place];
        }
        step[row] /= lower[row * count + row];
    }
    for row in (0..count).rev() {
        for place in row + 1..count {
            step[row] -= lower[place * count + row] * step[place];
        }
        step[row] /= lower[row * count + row];
    }
    Some(step)
}
