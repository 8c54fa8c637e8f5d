//! Why a rule fired or did not, part by part.

use super::{Compiled, MissingValue, RuleEngine};
use crate::RuleError;
use crate::program::{Logic, NumberExpr, Predicate, Row, Truth};
use crate::ruleset::{ListsAt, short, time};
use crate::schema::Slot;
use dafu_core::{EntityId, ReasonValue, RuleOutcome, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

/// What the numbers of a margin are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarginKind {
    /// Numbers in the unit of the variable.
    Number,
    /// Seconds since midnight.
    TimeOfDay,
    /// Microseconds since 1970 in UTC.
    Time,
    /// Microseconds from one time to another.
    Duration,
}

/// How far a number is from where a comparison changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// What the numbers are.
    pub kind: MarginKind,
    /// The number of the event.
    pub value: f64,
    /// What it is compared with.
    pub limit: f64,
}

impl Margin {
    /// By how much the number is above the limit; below it where that is negative.
    pub fn difference(self) -> f64 {
        self.value - self.limit
    }

    /// One of its numbers in words.
    fn words(self, number: f64) -> String {
        match self.kind {
            MarginKind::Number => short(number),
            MarginKind::TimeOfDay => {
                let (hours, minutes) = ((number / 3600.0).floor(), (number / 60.0).floor() % 60.0);
                format!("{hours:02}:{minutes:02}:{:02}", number % 60.0)
            }
            MarginKind::Time => time(number).unwrap_or_else(|| short(number)),
            MarginKind::Duration => {
                let units = [(86_400e6, "d"), (3600e6, "h"), (60e6, "min"), (1e6, "s")];
                let fits = |(size, _): &(f64, &str)| number.abs() >= *size;
                let (size, unit) = units.into_iter().find(fits).unwrap_or((1e6, "s"));
                format!("{}{unit}", short(number / size))
            }
        }
    }

    /// The distance as a share of the larger of both: 0 at the limit, at most 2. Of points in time, which are not counted
    /// from anything: days by one more than themselves, so half at a day's distance, and at most 1.
    pub fn relative(self) -> f64 {
        if self.kind == MarginKind::Time {
            let days = self.difference().abs() / 86_400e6;
            return days / (1.0 + days);
        }
        let larger = self.value.abs().max(self.limit.abs());
        if larger > 0.0 {
            self.difference().abs() / larger
        } else {
            0.0
        }
    }
}

/// How the parts of a condition are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Joint {
    /// One test.
    Test,
    /// What does not hold.
    Not,
    /// All parts hold.
    And,
    /// One part holds.
    Or,
}

/// A part of a condition, with what it says about an event.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionPart {
    /// As it stands in the rule.
    pub source: String,
    /// Whether it holds.
    pub truth: Truth,
    /// How its parts are joined.
    pub joint: Joint,
    /// The values that a test reads; missing ones are not there.
    pub values: Vec<(String, ReasonValue)>,
    /// How far a comparison of numbers is from changing.
    pub margin: Option<Margin>,
    /// Its parts.
    pub parts: Vec<Self>,
}

/// Why a rule fired or did not.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// The rule.
    pub rule: EntityId,
    /// What became of it, by its state, its dates and what it does where a value is missing. Who it is silenced for is not asked.
    pub outcome: RuleOutcome,
    /// Whether its condition holds, whatever its state.
    pub truth: Truth,
    /// The condition, part by part.
    pub condition: ConditionPart,
    /// What keeps a rule that did not fire from firing: of the tests that make its condition false, the nearest to changing
    /// by [`Margin::relative`], with texts farther than any number; of a condition that is not known, the first test that
    /// is not.
    pub nearest: Option<ConditionPart>,
    /// What is missing, where the condition is not known.
    pub missing: Vec<MissingValue>,
}

impl RuleEngine {
    /// Why a rule fired or did not. O(tests of the rule).
    ///
    /// ```
    /// use dafu_core::{Timestamp, Unit};
    /// use dafu_rules::{Row, Rule, RuleSchema, RuleSet, Truth, Variable};
    ///
    /// let schema = RuleSchema::new([
    ///     Variable::number("amount", Unit::Money),
    ///     Variable::number("distance", Unit::Kilometre),
    /// ])?;
    /// let rule = Rule::new("far", "amount > 100 and (distance > 1000km or amount > 5000)", 0.8);
    /// let engine = RuleSet::new([rule]).compile(&schema)?;
    /// let row = Row { numbers: &[250.0, 990.0], texts: &[] };
    /// let explanation = engine.explain("far", row, Timestamp::from_seconds(0)?)?;
    /// assert_eq!(explanation.truth, Truth::False);
    /// assert_eq!(explanation.to_string(), "\
    /// far did not fire, since this does not hold: distance > 1000km (990, 10 below 1000)
    ///   and: false
    ///     amount > 100: true (250, 150 above 100)
    ///     or: false
    ///       distance > 1000km: false (990, 10 below 1000)
    ///       amount > 5000: false (250, 4750 below 5000)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::UnknownRule`] where no rule has this id, [`RuleError::Row`] for a row of another size.
    pub fn explain(
        &self,
        id: &str,
        row: Row<'_>,
        at: Timestamp,
    ) -> Result<RuleExplanation, RuleError> {
        row.check(self.slots)?;
        let place = self.place(id)?;
        let compiled = &self.rules[place];
        let explaining = Explaining {
            engine: self,
            compiled,
            row,
            lists: ListsAt(&self.lists, at),
        };
        let condition = explaining.part(&compiled.logic);
        let nearest = match condition.truth {
            Truth::True => None,
            truth => nearest(&condition, truth).map(|(_, test)| test.clone()),
        };
        Ok(RuleExplanation {
            rule: compiled.name.clone(),
            outcome: self.running[place].outcome(condition.truth, at),
            truth: condition.truth,
            condition,
            nearest,
            missing: self.missing_of(compiled, row, at),
        })
    }
}

struct Explaining<'a> {
    engine: &'a RuleEngine,
    compiled: &'a Compiled,
    row: Row<'a>,
    lists: ListsAt<'a>,
}

impl Explaining<'_> {
    fn part(&self, logic: &Logic) -> ConditionPart {
        let part = self.parts(logic);
        let span = logic.span();
        let mut one_test = !part.parts.is_empty();
        logic.for_tests(&mut |_, other| one_test &= Some(other) == span);
        if one_test { part.into_test() } else { part }
    }

    fn parts(&self, logic: &Logic) -> ConditionPart {
        let source = match logic {
            Logic::Constant(holds) => holds.to_string(),
            other => {
                let span = other.span().unwrap_or_default();
                let source = self.compiled.condition.source().get(span.start..span.end);
                source.unwrap_or_default().into()
            }
        };
        let part = |joint, truth, parts| ConditionPart {
            source: source.clone(),
            truth,
            joint,
            values: Vec::new(),
            margin: None,
            parts,
        };
        let all = |parts: &[Logic]| -> Vec<ConditionPart> {
            parts.iter().map(|part| self.part(part)).collect()
        };
        match logic {
            Logic::Constant(holds) => part(Joint::Test, (*holds).into(), Vec::new()),
            Logic::Test(place, _) => self.test(*place, &source),
            Logic::Not(inner, _) => {
                let inner = self.part(inner);
                part(Joint::Not, !inner.truth, vec![inner])
            }
            Logic::And(parts, _) => {
                let parts = all(parts);
                let truths = parts.iter().map(|part| part.truth);
                let truth = truths.fold(Truth::True, Truth::and);
                part(Joint::And, truth, parts)
            }
            Logic::Or(parts, _) => {
                let parts = all(parts);
                let truths = parts.iter().map(|part| part.truth);
                let truth = truths.fold(Truth::False, Truth::or);
                part(Joint::Or, truth, parts)
            }
        }
    }

    fn test(&self, place: usize, source: &str) -> ConditionPart {
        let predicate = self.engine.predicates.all().get(place);
        let truth = predicate.map_or(Truth::Unknown, |predicate| {
            predicate.truth(self.row, &self.lists)
        });
        let margin = predicate.and_then(|predicate| self.margin(predicate));
        ConditionPart {
            source: source.into(),
            truth,
            joint: Joint::Test,
            values: predicate.map_or_else(Vec::new, |predicate| self.values(predicate)),
            margin: margin.filter(|margin| !margin.difference().is_nan()),
            parts: Vec::new(),
        }
    }

    /// How far a comparison is from changing. Flags and days of the week are no numbers that could be nearly right.
    fn margin(&self, predicate: &Predicate) -> Option<Margin> {
        match predicate {
            Predicate::Slot { slot, number, .. } => {
                let place = Slot::Number(*slot);
                let shown = self.engine.shown.iter().find(|shown| shown.slot() == place);
                Some(Margin {
                    kind: match shown {
                        Some(shown) if shown.is_flag() => return None,
                        Some(shown) if shown.is_time() => MarginKind::Time,
                        _ => MarginKind::Number,
                    },
                    value: self.row.numbers.get(*slot).copied().unwrap_or(f64::NAN),
                    limit: *number,
                })
            }
            Predicate::Numbers { left, right, .. } => Some(Margin {
                kind: match (left, right) {
                    (NumberExpr::Weekday(..), _) | (_, NumberExpr::Weekday(..)) => return None,
                    (NumberExpr::Clock(..), _) | (_, NumberExpr::Clock(..)) => {
                        MarginKind::TimeOfDay
                    }
                    _ => match self.times(left).or_else(|| self.times(right)) {
                        Some(0) => MarginKind::Duration,
                        Some(1) => MarginKind::Time,
                        _ => MarginKind::Number,
                    },
                },
                value: left.value(self.row),
                limit: right.value(self.row),
            }),
            _ => None,
        }
    }

    /// How many times are added up, less those that are taken away; `None` where there is none, or it is another number by now.
    fn times(&self, number: &NumberExpr) -> Option<i32> {
        match number {
            NumberExpr::Slot(slot) => {
                let place = Slot::Number(*slot);
                let shown = self.engine.shown.iter().find(|shown| shown.slot() == place);
                shown.filter(|shown| shown.is_time()).map(|_| 1)
            }
            NumberExpr::Negate(inner) => self.times(inner).map(|times| -times),
            NumberExpr::Absolute(inner) => self.times(inner),
            NumberExpr::Sum(first, rest) => {
                let rest = rest.iter().map(|(away, part)| {
                    let times = self.times(part)?;
                    Some(if *away { -times } else { times })
                });
                let parts = std::iter::once(self.times(first)).chain(rest);
                parts.flatten().reduce(|sum, part| sum + part)
            }
            NumberExpr::Least(parts)
            | NumberExpr::Greatest(parts)
            | NumberExpr::FirstKnown(parts) => parts.iter().find_map(|part| self.times(part)),
            _ => None,
        }
    }

    fn values(&self, predicate: &Predicate) -> Vec<(String, ReasonValue)> {
        let mut read = BTreeSet::new();
        predicate.for_slots(&mut |slot| {
            read.insert(slot);
        });
        let shown = self.engine.shown.iter();
        let read = shown.filter(|shown| read.contains(&shown.slot()));
        read.filter_map(|shown| Some((shown.name.to_string(), shown.value(self.row)?)))
            .collect()
    }
}

/// Of the tests that make a part what it is, the nearest to changing, and how far it is. Parts that say something else do
/// not matter.
fn nearest(part: &ConditionPart, truth: Truth) -> Option<(f64, &ConditionPart)> {
    if part.truth != truth {
        return None;
    }
    let below = match part.joint {
        Joint::Test => {
            let distance = part.margin.map_or(f64::INFINITY, Margin::relative);
            return Some((distance, part));
        }
        Joint::Not => !truth,
        Joint::And | Joint::Or => truth,
    };
    let tests = part.parts.iter().filter_map(|part| nearest(part, below));
    // Of equally near ones the first.
    tests.reduce(|best, other| if other.0 < best.0 { other } else { best })
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = || {
            let missing: Vec<String> = self.missing.iter().map(ToString::to_string).collect();
            missing.join("; ")
        };
        let fired = if self.outcome == RuleOutcome::Shadow {
            "fired without a say"
        } else {
            "fired"
        };
        match (self.truth, &self.nearest) {
            _ if self.outcome == RuleOutcome::Inactive => {
                write!(f, "{} is not in force", self.rule)?;
            }
            (Truth::True, _) => write!(f, "{} {fired}", self.rule)?,
            (Truth::Unknown, _) if self.outcome != RuleOutcome::NotEvaluated => {
                write!(
                    f,
                    "{} {fired}, as it does where values are missing: {}",
                    self.rule,
                    missing()
                )?;
            }
            (Truth::Unknown, _) => {
                write!(f, "{} was not evaluated: {}", self.rule, missing())?;
            }
            (_, Some(test)) => {
                write!(f, "{} did not fire, since this does not hold: ", self.rule)?;
                f.write_str(&test.source)?;
                test.told(f)?;
            }
            (_, None) => write!(f, "{} did not fire", self.rule)?,
        }
        self.condition.lines(f, 1)
    }
}

impl ConditionPart {
    /// The same as one test, for parts that one word of the language makes: `between` is two comparisons.
    fn into_test(mut self) -> Self {
        self.margin = nearest(&self, self.truth).and_then(|(_, test)| test.margin);
        self.joint = Joint::Test;
        let mut parts = std::mem::take(&mut self.parts);
        while let Some(part) = parts.pop() {
            for value in part.values {
                if !self.values.contains(&value) {
                    self.values.push(value);
                }
            }
            parts.extend(part.parts);
        }
        self
    }

    /// What a test has read, in parentheses.
    fn told(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(margin) = self.margin {
            let difference = margin.difference();
            let side = match difference {
                _ if difference > 0.0 => "above",
                _ if difference < 0.0 => "below",
                _ => return write!(f, " ({}, the limit itself)", margin.words(margin.value)),
            };
            let (value, limit) = (margin.words(margin.value), margin.words(margin.limit));
            return match margin.kind {
                MarginKind::Number | MarginKind::Duration => {
                    let difference = margin.words(difference.abs());
                    write!(f, " ({value}, {difference} {side} {limit})")
                }
                MarginKind::TimeOfDay | MarginKind::Time => {
                    let side = if difference > 0.0 { "after" } else { "before" };
                    write!(f, " ({value}, {side} {limit})")
                }
            };
        }
        let words = self.values.iter().map(|(name, value)| match value {
            ReasonValue::Number(number) => format!("{name} is {}", short(*number)),
            ReasonValue::Text(text) => format!("{name} is {text:?}"),
            _ => name.clone(),
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", words.join(", "))
    }

    fn lines(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let truth = match self.truth {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "not known",
        };
        write!(f, "\n{:width$}", "", width = depth * 2)?;
        match self.joint {
            Joint::Test => {
                write!(f, "{}: {truth}", self.source)?;
                return self.told(f);
            }
            Joint::Not => write!(f, "not: {truth}")?,
            Joint::And => write!(f, "and: {truth}")?,
            Joint::Or => write!(f, "or: {truth}")?,
        }
        self.parts
            .iter()
            .try_for_each(|part| part.lines(f, depth + 1))
    }
}
