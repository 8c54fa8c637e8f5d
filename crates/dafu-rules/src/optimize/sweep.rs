//! Other numbers in place of one that stands in a rule.

use super::judged::{Hits, Judged, share};
use crate::program::Predicate;
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
        judged.check("events", columns.rows())?;
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
            let unit = condition.with_literal(literal, 1.0);
            let unit = unit.map(|other| alone(other.source().into())).transpose()?;
            let found = quantiles(&engine, unit.as_ref(), current, columns);
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

/// The slot of a number and what it is compared with, where a test is that.
type Compared = Option<(usize, f64)>;

/// Quantiles of the variable that a literal is compared with, in the unit of the literal. `unit` is the same rule with the
/// literal 1: what it is compared with then is one unit.
fn quantiles(
    engine: &RuleEngine,
    unit: Option<&RuleEngine>,
    current: f64,
    columns: &Columns<'_>,
) -> Option<Vec<f64>> {
    let tests = |engine: &RuleEngine| {
        let mut tests = Vec::new();
        engine.rules()[0]
            .logic
            .for_tests(&mut |place, _| tests.push(place));
        let numbers = tests
            .into_iter()
            .map(|place| match engine.predicates().all().get(place) {
                Some(Predicate::Slot { slot, number, .. }) => Some((*slot, *number)),
                _ => None,
            });
        numbers.collect::<Vec<_>>()
    };
    let (now, then) = (tests(engine), tests(unit?));
    if now.len() != then.len() {
        return None;
    }
    // The one test whose number moves with the literal.
    let moves = |(now, then): (&Compared, &Compared)| {
        let ((slot, number), (_, one)) = ((*now)?, (*then)?);
        let is_it = (number - one * current).abs() <= 1e-9 * number.abs() && one != 0.0;
        let moved = number.to_bits() != one.to_bits() || current.to_bits() == 1_f64.to_bits();
        (is_it && moved).then_some((slot, one))
    };
    let (slot, one) = now.iter().zip(&then).find_map(moves)?;
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
