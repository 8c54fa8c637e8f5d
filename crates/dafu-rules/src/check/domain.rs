//! What values are left where tests have to hold together.

use crate::language::Comparison;
use crate::program::{NumberExpr, Predicate, TextExpr};
use crate::{RuleSchema, Truth};
use dafu_core::{Aggregate, Unit, WindowRequest};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What tests are about. Numbers of the row have a name of their own, since most tests are about them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Slot(usize),
    Level(usize),
    Other(String),
}

impl Subject {
    /// `None` for tests of which nothing follows about others.
    pub(super) fn of(predicate: &Predicate) -> Option<Self> {
        let number = |number: &NumberExpr| match number {
            NumberExpr::Slot(slot) => Self::Slot(*slot),
            other => Self::Other(format!("{other:?}")),
        };
        match predicate {
            Predicate::Slot { slot, .. } => Some(Self::Slot(*slot)),
            Predicate::Levels { slot, .. } => Some(Self::Level(*slot)),
            Predicate::Numbers {
                left,
                right: NumberExpr::Constant(_),
                ..
            } => Some(number(left)),
            Predicate::NumberIn { number: of, .. } => Some(number(of)),
            Predicate::Texts {
                left: text,
                right: TextExpr::Constant(_),
            }
            | Predicate::TextIn { text, .. } => Some(Self::Other(format!("{text:?}"))),
            _ => None,
        }
    }
}

/// Numbers from, to, and whether both ends belong to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    low: (f64, bool),
    high: (f64, bool),
}

impl Range {
    const fn new(low: f64, high: f64) -> Self {
        Self {
            low: (low, true),
            high: (high, true),
        }
    }

    /// What of it meets a comparison; one that leaves a hole changes nothing.
    fn narrowed(mut self, comparison: Comparison, number: f64) -> Self {
        let mut from = |included: bool| {
            if number > self.low.0 || (number >= self.low.0 && !included) {
                self.low = (number, included);
            }
        };
        match comparison {
            Comparison::Greater => from(false),
            Comparison::AtLeast | Comparison::Equal => from(true),
            _ => {}
        }
        let mut to = |included: bool| {
            if number < self.high.0 || (number <= self.high.0 && !included) {
                self.high = (number, included);
            }
        };
        match comparison {
            Comparison::Less => to(false),
            Comparison::AtMost | Comparison::Equal => to(true),
            _ => {}
        }
        self
    }

    fn contains(self, number: f64) -> bool {
        let above = number > self.low.0 || (self.low.1 && number >= self.low.0);
        let below = number < self.high.0 || (self.high.1 && number <= self.high.0);
        above && below
    }

    fn is_empty(self) -> bool {
        self.low.0 > self.high.0 || (self.low.0 >= self.high.0 && !(self.low.1 && self.high.1))
    }
}

/// The values that meet all tests so far.
#[derive(Debug)]
pub(super) enum Left {
    Numbers {
        range: Range,
        /// Where only these are left, and where these are not.
        members: Option<Vec<f64>>,
        excluded: Vec<f64>,
        help: Option<&'static str>,
    },
    Texts {
        members: Option<BTreeSet<Arc<str>>>,
        excluded: BTreeSet<Arc<str>>,
    },
    Levels(Vec<bool>),
}

/// The numbers that a function gives, and what to say of them.
fn known(number: &NumberExpr) -> Option<(Range, &'static str)> {
    Some(match number {
        NumberExpr::Clock(..) => (
            Range::new(0.0, 86_399.0),
            "times of day are from 00:00 to 23:59:59; `between 22:00 and 06:00` goes past midnight",
        ),
        hour if hour.is_hour() => (
            Range::new(0.0, 23.0),
            "hours are from 0 to 23; `between 22 and 5` goes past midnight",
        ),
        NumberExpr::Weekday(..) => (
            Range::new(0.0, 6.0),
            "days are in order from mon to sun; `between fri and mon` goes past the end of the week",
        ),
        NumberExpr::Length(_) => (Range::new(0.0, f64::INFINITY), "lengths are never below 0"),
        NumberExpr::Absolute(_) => (
            Range::new(0.0, f64::INFINITY),
            "absolute values are never below 0",
        ),
        _ => return None,
    })
}

impl Left {
    /// All values of the subject of a test; windows stand behind the numbers of the schema.
    pub(super) fn all(
        predicate: &Predicate,
        (schema, windows): (&RuleSchema, &[WindowRequest]),
    ) -> Self {
        let slot = |slot: usize| {
            if schema.unit(slot) == Some(Unit::Share) {
                let help = "shares and scores are from 0 to 1: write 0.7, or 70%";
                return Some((Range::new(0.0, 1.0), help));
            }
            let before = schema.number_slots();
            let window = slot.checked_sub(before).and_then(|at| windows.get(at))?;
            let counts = matches!(window.aggregate, Aggregate::Count | Aggregate::Distinct(_));
            counts.then_some((Range::new(0.0, f64::INFINITY), "counts are never below 0"))
        };
        let known = match predicate {
            Predicate::Slot { slot: at, .. } => slot(*at),
            Predicate::Numbers { left: number, .. } | Predicate::NumberIn { number, .. } => {
                match number {
                    NumberExpr::Slot(at) => slot(*at),
                    number => known(number),
                }
            }
            Predicate::Levels { truths, .. } => return Self::Levels(vec![true; truths.len()]),
            _ => {
                return Self::Texts {
                    members: None,
                    excluded: BTreeSet::new(),
                };
            }
        };
        Self::Numbers {
            range: known.map_or(Range::new(f64::NEG_INFINITY, f64::INFINITY), |known| {
                known.0
            }),
            members: None,
            excluded: Vec::new(),
            help: known.map(|known| known.1),
        }
    }

    /// Keeps what meets a test, or what does not.
    pub(super) fn narrow(&mut self, predicate: &Predicate, holds: bool) {
        match (self, predicate) {
            (
                Self::Numbers {
                    range, excluded, ..
                },
                Predicate::Slot {
                    comparison, number, ..
                }
                | Predicate::Numbers {
                    comparison,
                    right: NumberExpr::Constant(number),
                    ..
                },
            ) => {
                let comparison = if holds {
                    *comparison
                } else {
                    comparison.opposite()
                };
                if comparison == Comparison::Unequal {
                    excluded.push(*number);
                }
                *range = range.narrowed(comparison, *number);
            }
            (
                Self::Numbers {
                    members, excluded, ..
                },
                Predicate::NumberIn {
                    members: wanted, ..
                },
            ) => {
                if !holds {
                    excluded.extend(wanted);
                } else if let Some(members) = members {
                    members.retain(|member| is_among(*member, wanted));
                } else {
                    *members = Some(wanted.clone());
                }
            }
            (Self::Texts { members, excluded }, predicate) => {
                let wanted: BTreeSet<Arc<str>> = match predicate {
                    Predicate::Texts {
                        right: TextExpr::Constant(text),
                        ..
                    } => [Arc::clone(text)].into(),
                    Predicate::TextIn { members, .. } => members.clone(),
                    _ => return,
                };
                if !holds {
                    excluded.extend(wanted);
                } else if let Some(members) = members {
                    members.retain(|member| wanted.contains(member));
                } else {
                    *members = Some(wanted);
                }
            }
            (Self::Levels(left), Predicate::Levels { truths, .. }) => {
                let wanted = Truth::from(holds);
                // That no level meets a test was told where the text stands, and is no contradiction of others.
                if truths.contains(&wanted) {
                    for (left, truth) in left.iter_mut().zip(truths) {
                        *left &= *truth == wanted;
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Numbers {
                range,
                members,
                excluded,
                ..
            } => {
                let left = |number: f64| range.contains(number) && !is_among(number, excluded);
                let single = range.low.0 >= range.high.0;
                range.is_empty()
                    || (single && !left(range.low.0))
                    || members
                        .as_ref()
                        .is_some_and(|members| !members.iter().any(|member| left(*member)))
            }
            Self::Texts { members, excluded } => members
                .as_ref()
                .is_some_and(|members| members.is_subset(excluded)),
            Self::Levels(left) => !left.contains(&true),
        }
    }

    /// What to know about the values.
    pub(super) const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Numbers { help, .. } => *help,
            _ => None,
        }
    }
}

fn is_among(number: f64, numbers: &[f64]) -> bool {
    numbers
        .iter()
        .any(|other| Comparison::Equal.holds(*other, number))
}
