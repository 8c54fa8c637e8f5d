//! Other numbers in place of one that stands in a rule.

use super::judged::{Hits, Judged, share};
use crate::check::check;
use crate::language::{Comparison, Expr, ExprKind};
use crate::program::{Logic, Predicate};
use crate::{Columns, Condition, RuleEngine, RuleError, RuleSchema, RuleSet};

/// Values that are tried where the caller names none.
const POINTS: usize = 100;

/// What a rule would have done with another number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SweepPoint {
    /// The number, in the unit of the literal.
    pub value: f64,
    /// Alerts, and how many are right.
    pub hits: Hits,
    /// Share of all frauds that it finds; `None` where there are none.
    pub recall: Option<f64>,
}

/// What a rule would have done with other numbers in place of one that stands in it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sweep {
    /// The rule.
    pub rule: String,
    /// The number that stands in it now.
    pub current: f64,
    /// One point a value, by rising value; the current one is among them.
    pub points: Vec<SweepPoint>,
}

/// What the best point is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Goal {
    /// Most frauds with at most so many alerts.
    AlertBudget(usize),
    /// Most frauds with at least this precision.
    PrecisionFloor(f64),
}

impl Sweep {
    /// The point that finds most frauds of those which meet the goal; of equal ones that with fewest alerts.
    pub fn best(&self, goal: Goal) -> Option<&SweepPoint> {
        let meets = |point: &&SweepPoint| match goal {
            Goal::AlertBudget(most) => point.hits.fired <= most,
            Goal::PrecisionFloor(least) => point
                .hits
                .precision()
                .is_some_and(|precision| precision >= least),
        };
        let order = |point: &&SweepPoint| {
            (
                point.hits.true_positives,
                std::cmp::Reverse(point.hits.fired),
            )
        };
        self.points.iter().filter(meets).max_by_key(order)
    }

    /// Points that no other beats in both: more frauds with no more alerts, or fewer alerts with no fewer frauds. By rising
    /// number of alerts.
    pub fn pareto(&self) -> Vec<&SweepPoint> {
        let mut points: Vec<&SweepPoint> = self.points.iter().collect();
        points.sort_by_key(|point| {
            (
                point.hits.fired,
                std::cmp::Reverse(point.hits.true_positives),
            )
        });
        let mut most = None;
        points.retain(|point| {
            let better = most.is_none_or(|most| point.hits.true_positives > most);
            if better {
                most = Some(point.hits.true_positives);
            }
            better
        });
        points
    }
}

impl RuleSet {
    /// What a rule would have done with other numbers in place of one that stands in its condition: the
    /// [`literals`](Condition::literals) are counted from 0. Without `values` a hundred quantiles of what the literal is
    /// compared with are tried. Windows of the condition stand behind the numbers of `columns`, as for this rule alone.
    /// O(values x tests x events).
    ///
    /// # Errors
    ///
    /// [`RuleError::UnknownRule`], [`RuleError::Literal`] where there is no such literal, or where it is not compared with
    /// a variable and no values are named; otherwise as [`compile`](Self::compile) and [`RuleEngine::evaluate_columns`].
    pub fn sweep(
        &self,
        (rule, literal): (&str, usize),
        schema: &RuleSchema,
        columns: &Columns<'_>,
        (judged, values): (&Judged<'_>, Option<&[f64]>),
    ) -> Result<Sweep, RuleError> {
        let (columns, judged) = &judged.joined(columns)?;
        let found = self.rules.iter().find(|other| other.id == rule);
        let found = found.ok_or_else(|| RuleError::UnknownRule { id: rule.into() })?;
        let condition = Condition::parse(&found.condition)?;
        let wrong = |why| RuleError::Literal {
            rule: rule.into(),
            literal,
            why,
        };
        let current = condition
            .literals()
            .get(literal)
            .map(|literal| literal.value);
        let current = current.ok_or_else(|| wrong("the condition has no such number"))?;
        let alone = |condition: String| {
            let mut set = self.clone();
            set.suppressions
                .retain(|suppression| suppression.rule == rule);
            set.rules = vec![crate::Rule {
                condition,
                state: crate::RuleState::Active,
                ..found.clone()
            }];
            set.compile(schema)
        };
        let engine = alone(found.condition.clone())?;
        let mut candidates = if let Some(values) = values {
            values.to_vec()
        } else {
            let compared = compared((&condition, literal), &engine, schema);
            let found = compared.and_then(|compared| quantiles(compared, columns));
            found.ok_or_else(|| wrong("it is not compared with a variable: name values to try"))?
        };
        candidates.push(current);
        candidates.retain(|value| value.is_finite());
        candidates.sort_by(f64::total_cmp);
        candidates.dedup();
        let frauds = judged.fraud.count();
        let mut points = Vec::with_capacity(candidates.len());
        for value in candidates {
            let Some(other) = condition.with_literal(literal, value) else {
                continue;
            };
            let engine = match alone(other.source().into()) {
                Ok(engine) => engine,
                // With this number the condition always holds, or never, whatever the event: no rule anybody wants.
                Err(RuleError::Conditions(_)) => continue,
                Err(error) => return Err(error),
            };
            let matrix = engine.evaluate_columns(columns)?;
            if let Some(fired) = matrix.fired(0) {
                let hits = Hits::of(fired, judged);
                points.push(SweepPoint {
                    value,
                    hits,
                    recall: share(hits.true_positives, frauds),
                });
            }
        }
        Ok(Sweep {
            rule: rule.into(),
            current,
            points,
        })
    }
}

/// The comparison in which a literal of a condition stands, without what is around it: that may make it hold always, or never.
fn comparison(condition: &Condition, literal: usize) -> Option<Expr> {
    let span = condition.literals().get(literal)?.span;
    let holds = |expr: &Expr| {
        let mut found = false;
        expr.for_each(&mut |inner| {
            found |= matches!(inner.kind, ExprKind::Number(_)) && inner.span == span;
        });
        found
    };
    let mut pair = None;
    condition.expr().for_each(&mut |expr| match &expr.kind {
        ExprKind::Compare { first, rest } => {
            let lefts = std::iter::once(&**first).chain(rest.iter().map(|(_, right)| right));
            let mut pairs = lefts.zip(rest);
            let found = pairs.find(|(left, (_, right))| holds(left) || holds(right));
            // The innermost comes last.
            pair = found
                .map(|(left, (comparison, right))| (left, *comparison, right))
                .or(pair);
        }
        ExprKind::Between { value, low, high } => {
            for (comparison, end) in [(Comparison::AtLeast, low), (Comparison::AtMost, high)] {
                if holds(end) {
                    pair = Some((&**value, comparison, &**end));
                }
            }
        }
        _ => {}
    });
    let (left, comparison, right) = pair?;
    let kind = ExprKind::Compare {
        first: Box::new(left.clone()),
        rest: vec![(comparison, right.clone())],
    };
    Expr::new(kind, span).ok()
}

/// The slot of what a literal is compared with, and how much of it the literal 1 stands for; `None` where it is not compared
/// with a variable or a window alone, or not by a multiple.
fn compared(
    (condition, literal): (&Condition, usize),
    engine: &RuleEngine,
    schema: &RuleSchema,
) -> Option<(usize, f64)> {
    // Beside those of the whole rule, so that windows are in the columns of the whole rule.
    let mut predicates = engine.predicates().clone();
    let mut number = |condition: &Condition| {
        let test = check(&comparison(condition, literal)?, schema, &mut predicates).ok()?;
        let Logic::Test(place, _) = test.logic else {
            return None;
        };
        match predicates.all().get(place)? {
            Predicate::Slot { slot, number, .. } => Some((*slot, *number)),
            _ => None,
        }
    };
    let current = condition.literals().get(literal)?.value;
    let (slot, now) = number(condition)?;
    // With some numbers the comparison always holds, or never: a share is never above 1.
    let (probe, there) = [1.0, current / 2.0, 0.25].into_iter().find_map(|probe| {
        let (_, there) = number(&condition.with_literal(literal, probe)?)?;
        (probe != 0.0).then_some((probe, there))
    })?;
    let one = there / probe;
    let multiple = one != 0.0 && (now - one * current).abs() <= 1e-9 * now.abs();
    multiple.then_some((slot, one))
}

/// Quantiles of a variable, in parts of `one`.
fn quantiles((slot, one): (usize, f64), columns: &Columns<'_>) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = (0..columns.rows())
        .map(|row| columns.number_at(slot, row))
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let last = values.len().checked_sub(1)?;
    let points = POINTS.min(last).max(1);
    let quantile = |at: usize| values.get(at * last / points).map(|value| value / one);
    Some((0..=points).filter_map(quantile).collect())
}
