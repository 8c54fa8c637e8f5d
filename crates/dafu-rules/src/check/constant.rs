//! Conditions that always hold, or never.

use super::Checker;
use crate::language::{Code, Comparison, Diagnostic, Span};
use crate::program::{Logic, Predicate};
use std::collections::BTreeMap;

/// Numbers that are left: from, to, and whether both ends belong to them.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: (f64, bool),
    high: (f64, bool),
}

impl Range {
    const ALL: Self = Self {
        low: (f64::NEG_INFINITY, true),
        high: (f64::INFINITY, true),
    };

    /// What of it meets a comparison; one that leaves a hole changes nothing.
    fn narrowed(mut self, comparison: Comparison, number: f64) -> Self {
        let mut from = |number: f64, included: bool| {
            if number > self.low.0 || (number >= self.low.0 && !included) {
                self.low = (number, included);
            }
        };
        match comparison {
            Comparison::Greater => from(number, false),
            Comparison::AtLeast | Comparison::Equal => from(number, true),
            _ => {}
        }
        let mut to = |number: f64, included: bool| {
            if number < self.high.0 || (number <= self.high.0 && !included) {
                self.high = (number, included);
            }
        };
        match comparison {
            Comparison::Less => to(number, false),
            Comparison::AtMost | Comparison::Equal => to(number, true),
            _ => {}
        }
        self
    }

    fn is_empty(self) -> bool {
        self.low.0 > self.high.0 || (self.low.0 >= self.high.0 && !(self.low.1 && self.high.1))
    }
}

impl Checker<'_> {
    /// Comparisons of single numbers among parts, by slot.
    fn ranges(&self, parts: &[Logic]) -> Vec<(usize, Comparison, f64, Span)> {
        let mut found = Vec::new();
        let mut parts: Vec<&Logic> = parts.iter().collect();
        while let Some(part) = parts.pop() {
            match part {
                Logic::And(inner) => parts.extend(inner),
                Logic::Test(place, span) => {
                    if let Some(Predicate::Slot {
                        slot,
                        comparison,
                        number,
                    }) = self.predicates.all().get(*place)
                    {
                        found.push((*slot, *comparison, *number, *span));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Warns of comparisons that no number meets together.
    pub(super) fn conflicts(&mut self, parts: &[Logic], span: Span) {
        let mut left: BTreeMap<usize, Range> = BTreeMap::new();
        for (slot, comparison, number, _) in self.ranges(parts) {
            let range = left.entry(slot).or_insert(Range::ALL);
            *range = range.narrowed(comparison, number);
        }
        if left.values().any(|range| range.is_empty()) {
            let message = "this never holds: no number meets all of these comparisons";
            self.constant(message, span);
        }
    }

    /// Warns of comparisons of which every number meets one.
    pub(super) fn covers(&mut self, parts: &[Logic], span: Span) {
        let single: Vec<Logic> = parts
            .iter()
            .filter(|part| matches!(part, Logic::Test(..)))
            .cloned()
            .collect();
        let mut not_covered: BTreeMap<usize, Range> = BTreeMap::new();
        for (slot, comparison, number, _) in self.ranges(&single) {
            // What none of them covers meets the opposite of each.
            let opposite = match comparison {
                Comparison::Less => Comparison::AtLeast,
                Comparison::AtMost => Comparison::Greater,
                Comparison::Greater => Comparison::AtMost,
                Comparison::AtLeast => Comparison::Less,
                Comparison::Unequal => Comparison::Equal,
                Comparison::Equal => continue,
            };
            let range = not_covered.entry(slot).or_insert(Range::ALL);
            *range = range.narrowed(opposite, number);
        }
        if not_covered.values().any(|range| range.is_empty()) {
            self.constant(
                "this always holds: every number meets one of these comparisons",
                span,
            );
        }
    }

    fn constant(&mut self, message: &str, span: Span) {
        let code = if span == self.whole {
            Code::Constant
        } else {
            Code::ConstantPart
        };
        self.diagnostics.push(Diagnostic::new(code, span, message));
    }

    /// The logic without constants; a condition that is nothing else is a mistake.
    pub(super) fn simplified(&mut self, logic: Logic) -> Logic {
        let had_constant = has_constant(&logic);
        let logic = without_constants(logic);
        if let Logic::Constant(holds) = logic {
            let says = if holds { "always" } else { "never" };
            let message = format!("this condition {says} holds");
            let diagnostic = Diagnostic::new(Code::Constant, self.whole, message);
            self.diagnostics
                .push(diagnostic.help("compare something that differs from event to event"));
        } else if had_constant {
            let message = "a part of this condition always holds, or never";
            self.diagnostics
                .push(Diagnostic::new(Code::ConstantPart, self.whole, message));
        }
        logic
    }
}

fn has_constant(logic: &Logic) -> bool {
    match logic {
        Logic::Constant(_) => true,
        Logic::Test(..) => false,
        Logic::Not(inner) => has_constant(inner),
        Logic::And(parts) | Logic::Or(parts) => parts.iter().any(has_constant),
    }
}

fn without_constants(logic: Logic) -> Logic {
    match logic {
        Logic::Not(inner) => match without_constants(*inner) {
            Logic::Constant(holds) => Logic::Constant(!holds),
            Logic::Not(inner) => *inner,
            inner => Logic::Not(Box::new(inner)),
        },
        Logic::And(parts) => joined(parts, true, Logic::And),
        Logic::Or(parts) => joined(parts, false, Logic::Or),
        other => other,
    }
}

/// Parts without those that change nothing; one that decides alone is all that is left.
fn joined(parts: Vec<Logic>, neutral: bool, make: fn(Vec<Logic>) -> Logic) -> Logic {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match without_constants(part) {
            Logic::Constant(holds) if holds == neutral => {}
            Logic::Constant(holds) => return Logic::Constant(holds),
            other => kept.push(other),
        }
    }
    match kept.len() {
        0 => Logic::Constant(neutral),
        1 => kept.swap_remove(0),
        _ => make(kept),
    }
}
