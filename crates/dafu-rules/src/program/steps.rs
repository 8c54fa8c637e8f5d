//! Conditions as steps that jump: the way of one event.

use super::predicate::Membership;
use super::{Logic, Predicate, Row};
use crate::language::Comparison;

/// Where a condition holds, and where it does not: no step stands there.
const HOLDS: u32 = u32::MAX;
const FAILS: u32 = u32::MAX - 1;

/// One test, and the steps that come after it.
#[derive(Debug, Clone, Copy)]
struct Step {
    test: Test,
    /// The slot of a number, or the number of another test.
    place: u32,
    holds: u32,
    fails: u32,
    number: f64,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Slot(Comparison),
    Other,
}

/// The steps of all rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    steps: Vec<Step>,
}

impl Steps {
    /// Adds a condition, and gives its first step.
    pub(crate) fn add(&mut self, logic: &Logic, predicates: &[Predicate]) -> u32 {
        self.before(logic, (HOLDS, FAILS), predicates)
    }

    /// Steps are added from the last to the first, so that where they lead to is known.
    fn before(
        &mut self,
        logic: &Logic,
        (holds, fails): (u32, u32),
        predicates: &[Predicate],
    ) -> u32 {
        match logic {
            Logic::Constant(constant) => {
                if *constant {
                    holds
                } else {
                    fails
                }
            }
            Logic::Not(inner, _) => self.before(inner, (fails, holds), predicates),
            Logic::And(parts, _) => parts.iter().rev().fold(holds, |next, part| {
                self.before(part, (next, fails), predicates)
            }),
            Logic::Or(parts, _) => parts.iter().rev().fold(fails, |next, part| {
                self.before(part, (holds, next), predicates)
            }),
            Logic::Test(place, _) => {
                let (test, place, number) = match predicates.get(*place) {
                    Some(Predicate::Slot {
                        slot,
                        comparison,
                        number,
                    }) => (Test::Slot(*comparison), *slot, *number),
                    _ => (Test::Other, *place, 0.0),
                };
                let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                self.steps.push(Step {
                    test,
                    place: narrow(place),
                    holds,
                    fails,
                    number,
                });
                narrow(self.steps.len() - 1)
            }
        }
    }

    /// Whether a condition holds; `None` as soon as a missing value is met. The rest of the condition may still decide
    /// then: [`Logic::truth`] knows.
    #[inline]
    pub(crate) fn run(
        &self,
        first: u32,
        row: Row<'_>,
        predicates: &[Predicate],
        lists: &dyn Membership,
    ) -> Option<bool> {
        let mut at = first;
        while let Some(step) = self.steps.get(at as usize) {
            let holds = match step.test {
                Test::Slot(comparison) => {
                    let value = *row.numbers.get(step.place as usize)?;
                    if value.is_nan() {
                        return None;
                    }
                    comparison.holds(value, step.number)
                }
                Test::Other => match predicates.get(step.place as usize)?.truth(row, lists) {
                    super::Truth::True => true,
                    super::Truth::False => false,
                    super::Truth::Unknown => return None,
                },
            };
            at = if holds { step.holds } else { step.fails };
        }
        Some(at == HOLDS)
    }
}
