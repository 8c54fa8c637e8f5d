//! Why a condition is not known.

use super::{Compiled, RuleEngine};
use crate::RuleError;
use crate::program::{Logic, NumberExpr, Pattern, Predicate, Row, TextExpr, Truth};
use crate::ruleset::ListsAt;
use crate::schema::Slot;
use dafu_core::{EntityId, RuleOutcome, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

/// What keeps a test from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MissingCause {
    /// The event does not have the value.
    Absent,
    /// It is divided by zero.
    DividedByZero,
    /// The text is no internet address.
    NoAddress,
    /// The result is no number, such as that of infinity less infinity.
    NoNumber,
}

/// A value that a rule needs and that an event does not give.
///
/// ```
/// use dafu_rules::{MissingCause, MissingValue};
///
/// let value = MissingValue { name: "gap".into(), cause: MissingCause::DividedByZero };
/// assert_eq!(value.to_string(), "division by zero (gap)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingValue {
    /// The variable, or the call of a window; where several make one value, all of them.
    pub name: String,
    /// Why there is no value.
    pub cause: MissingCause,
}

impl fmt::Display for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cause } = self;
        match cause {
            MissingCause::Absent => write!(f, "{name} is missing"),
            MissingCause::DividedByZero => write!(f, "division by zero ({name})"),
            MissingCause::NoAddress => write!(f, "{name} is no internet address"),
            MissingCause::NoNumber => write!(f, "no number comes of {name}"),
        }
    }
}

/// What is found on the way: a cause, and the slots to blame.
type Found = BTreeSet<(Vec<Slot>, MissingCause)>;

impl RuleEngine {
    /// The values for want of which the condition of a rule is not known; nothing where it is known. What does not matter
    /// is left out: `is missing` asks for no value, `coalesce` for one of several. O(tests of the rule).
    ///
    /// # Errors
    ///
    /// [`RuleError::UnknownRule`] where no rule has this id, [`RuleError::Row`] for a row of another size.
    pub fn missing(
        &self,
        id: &str,
        row: Row<'_>,
        at: Timestamp,
    ) -> Result<Vec<MissingValue>, RuleError> {
        row.check(self.slots)?;
        let place = self.place(id)?;
        Ok(self.missing_of(&self.rules[place], row, at))
    }

    /// Rules by name that could not be evaluated, with one sentence for each value that is missing.
    pub fn named_missing(
        &self,
        row: Row<'_>,
        report: &super::RuleReport,
    ) -> Vec<(EntityId, String)> {
        let rules = report
            .with(RuleOutcome::NotEvaluated)
            .filter_map(|place| self.rules.get(place));
        rules
            .flat_map(|compiled| {
                let missing = self.missing_of(compiled, row, report.at).into_iter();
                missing.map(|value| (compiled.name.clone(), value.to_string()))
            })
            .collect()
    }

    pub(crate) fn missing_error(
        &self,
        compiled: &Compiled,
        row: Row<'_>,
        at: Timestamp,
    ) -> RuleError {
        RuleError::Missing {
            rule: compiled.rule.id.clone(),
            values: self.missing_of(compiled, row, at),
        }
    }

    pub(super) fn missing_of(
        &self,
        compiled: &Compiled,
        row: Row<'_>,
        at: Timestamp,
    ) -> Vec<MissingValue> {
        let lists = ListsAt(&self.lists, at);
        let mut found = Found::new();
        self.of_logic(&compiled.logic, row, &lists, &mut found);
        found
            .into_iter()
            .map(|(slots, cause)| MissingValue {
                name: self.names(&slots),
                cause,
            })
            .collect()
    }

    fn names(&self, slots: &[Slot]) -> String {
        let shown = self.shown.iter();
        let names = shown.filter(|shown| slots.contains(&shown.slot()));
        let names: Vec<&str> = names.map(|shown| &*shown.name).collect();
        names.join(", ")
    }

    /// Goes down to the tests that are not known, through parts that are not known themselves: others do not matter.
    fn of_logic(&self, logic: &Logic, row: Row<'_>, lists: &ListsAt<'_>, found: &mut Found) {
        if self.logic_truth(logic, row, lists) != Truth::Unknown {
            return;
        }
        match logic {
            Logic::Constant(_) => {}
            Logic::Not(inner, _) => self.of_logic(inner, row, lists, found),
            Logic::And(parts, _) | Logic::Or(parts, _) => {
                for part in parts {
                    self.of_logic(part, row, lists, found);
                }
            }
            Logic::Test(place, _) => {
                if let Some(predicate) = self.predicates.all().get(*place) {
                    of_predicate(predicate, row, found);
                }
            }
        }
    }
}

fn of_predicate(predicate: &Predicate, row: Row<'_>, found: &mut Found) {
    match predicate {
        Predicate::Slot { slot, .. } | Predicate::Levels { slot, .. } => {
            found.insert((vec![Slot::Number(*slot)], MissingCause::Absent));
        }
        Predicate::Numbers { left, right, .. } => {
            of_number(left, row, found);
            of_number(right, row, found);
        }
        Predicate::NumberIn { number, .. } => of_number(number, row, found),
        Predicate::Texts { left, right } => {
            of_text(left, row, found);
            of_text(right, row, found);
        }
        Predicate::Found { text, pattern } => {
            of_text(text, row, found);
            if let Pattern::Text(_, pattern) = pattern {
                of_text(pattern, row, found);
            }
        }
        Predicate::TextIn { text, .. } | Predicate::Listed { text, .. } => {
            of_text(text, row, found);
        }
        Predicate::InNetwork { address, .. } | Predicate::AddressListed { address, .. } => {
            of_address(address, row, found);
        }
        Predicate::Addresses { left, right } => {
            of_address(left, row, found);
            of_address(right, row, found);
        }
        // These are always known.
        Predicate::NumberMissing(_) | Predicate::TextMissing(_) => {}
    }
}

fn of_number(number: &NumberExpr, row: Row<'_>, found: &mut Found) {
    if !number.value(row).is_nan() {
        return;
    }
    let mut divided = false;
    match number {
        NumberExpr::Slot(slot) => {
            found.insert((vec![Slot::Number(*slot)], MissingCause::Absent));
            return;
        }
        NumberExpr::Length(text) => of_text(text, row, found),
        NumberExpr::Product(first, rest) => {
            of_number(first, row, found);
            for (divides, part) in rest {
                of_number(part, row, found);
                if *divides && part.value(row) == 0.0 {
                    divided = true;
                    found.insert((number_slots(part), MissingCause::DividedByZero));
                }
            }
        }
        other => other.for_children(&mut |child| of_number(child, row, found)),
    }
    let mut known = true;
    number.for_children(&mut |child| known &= !child.value(row).is_nan());
    let explained = divided || matches!(number, NumberExpr::Length(_));
    if known && !explained {
        found.insert((number_slots(number), MissingCause::NoNumber));
    }
}

fn number_slots(number: &NumberExpr) -> Vec<Slot> {
    let mut slots = BTreeSet::new();
    number.for_slots(&mut |slot| {
        slots.insert(slot);
    });
    slots.into_iter().collect()
}

fn of_text(text: &TextExpr, row: Row<'_>, found: &mut Found) {
    if text.value(row).is_none() {
        // Of several texts that stand for each other none is there.
        text.for_slots(&mut |slot| {
            found.insert((vec![slot], MissingCause::Absent));
        });
    }
}

fn of_address(text: &TextExpr, row: Row<'_>, found: &mut Found) {
    of_text(text, row, found);
    let is_address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    if text.value(row).is_some_and(|text| !is_address(&text)) {
        let mut slots = Vec::new();
        text.for_slots(&mut |slot| slots.push(slot));
        found.insert((slots, MissingCause::NoAddress));
    }
}
