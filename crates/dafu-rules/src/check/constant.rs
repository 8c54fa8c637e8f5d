//! Conditions that always hold, or never.

use super::Checker;
use super::domain::{Left, Subject};
use crate::language::{Code, Diagnostic, Span};
use crate::program::{Logic, Predicate};
use dafu_core::Unit;
use std::collections::BTreeMap;

/// Something that is the same for all events in which it is known.
#[derive(Debug, Clone, Copy)]
struct Constancy {
    holds: bool,
    /// What makes it so, and where that stands.
    why: &'static str,
    at: Option<Span>,
    help: Option<&'static str>,
    /// Whether it names each of a few values, or any share: that asks whether one is known, and is no mistake.
    of_few: bool,
}

const NOTHING_MEETS: &str = "no value meets all of these comparisons";
const ALL_MEET: &str = "every value meets one of these comparisons";

/// A test, and whether it is wanted to hold.
type Wanted = (usize, bool);

impl Checker<'_> {
    /// The logic without constants; a condition that always holds, or never, is a mistake.
    pub(super) fn simplified(&mut self, logic: Logic) -> Logic {
        let had_constant = has_constant(&logic);
        let logic = without_constants(logic);
        if let Some(constancy) = self.constancy(&logic) {
            let code = if constancy.of_few && constancy.holds {
                Code::ConstantPart
            } else {
                Code::Constant
            };
            self.tell(code, self.whole, constancy);
            return logic;
        }
        if had_constant {
            let message = "a part of this condition always holds, or never";
            self.diagnostics
                .push(Diagnostic::new(Code::ConstantPart, self.whole, message));
        }
        self.constant_parts(&logic);
        logic
    }

    fn tell(&mut self, code: Code, span: Span, constancy: Constancy) {
        let says = if constancy.holds { "always" } else { "never" };
        let what = if code == Code::Constant {
            "this condition"
        } else {
            "this"
        };
        let mut message = format!("{what} {says} holds");
        if constancy.at == Some(span) && !constancy.why.is_empty() {
            message = format!("this {says} holds: {}", constancy.why);
        }
        let help = constancy.help.or_else(|| {
            (code == Code::Constant).then_some("compare something that differs from event to event")
        });
        let mut diagnostic = Diagnostic::new(code, span, message);
        diagnostic.help = help.map(Into::into);
        self.diagnostics.push(diagnostic);
    }

    /// Warns of the largest parts that always hold, or never.
    fn constant_parts(&mut self, logic: &Logic) {
        let parts = match logic {
            Logic::Constant(_) | Logic::Test(..) => return,
            Logic::Not(inner, _) => std::slice::from_ref(&**inner),
            Logic::And(parts, _) | Logic::Or(parts, _) => parts,
        };
        for part in parts {
            match (self.constancy(part), part.span()) {
                (Some(constancy), Some(span)) => self.tell(Code::ConstantPart, span, constancy),
                _ => self.constant_parts(part),
            }
        }
    }

    /// Whether something always holds, or never.
    fn constancy(&self, logic: &Logic) -> Option<Constancy> {
        let constant = |holds, why, at| {
            Some(Constancy {
                holds,
                why,
                at,
                help: None,
                of_few: false,
            })
        };
        match logic {
            Logic::Constant(holds) => constant(*holds, "", None),
            Logic::Test(place, span) => self.test_constancy(*place, *span),
            Logic::Not(inner, _) => {
                let inner = self.constancy(inner)?;
                Some(Constancy {
                    holds: !inner.holds,
                    ..inner
                })
            }
            Logic::And(parts, span) | Logic::Or(parts, span) => {
                // An `or` always holds where the opposites of its parts never hold together.
                let or = matches!(logic, Logic::Or(..));
                let all: Vec<Option<Constancy>> =
                    parts.iter().map(|part| self.constancy(part)).collect();
                let known = all.iter().flatten();
                if let Some(decides) = known.clone().find(|part| part.holds == or) {
                    return Some(*decides);
                }
                if known.clone().count() == parts.len() {
                    // As little a mistake as the parts of it.
                    let of_few = known.clone().any(|part| part.of_few);
                    return constant(!or, "", None).map(|all| Constancy { of_few, ..all });
                }
                let mut wanted = Vec::new();
                for part in parts {
                    flatten(part, !or, &mut wanted);
                }
                let (help, of_few) = self.contradiction(&wanted)?;
                let why = if or { ALL_MEET } else { NOTHING_MEETS };
                Some(Constancy {
                    help,
                    of_few,
                    ..constant(or, why, Some(*span))?
                })
            }
        }
    }

    fn test_constancy(&self, place: usize, span: Span) -> Option<Constancy> {
        let predicate = self.predicates.all().get(place)?;
        let same = match predicate {
            Predicate::Numbers {
                left,
                comparison,
                right,
            } => (left == right).then(|| comparison.holds(0.0, 0.0)),
            Predicate::Texts { left, right } | Predicate::Addresses { left, right } => {
                (left == right).then_some(true)
            }
            Predicate::Slot { .. } | Predicate::NumberIn { .. } => None,
            // There is any text, and what no level meets was told where the text stands.
            _ => return None,
        };
        let share = |slot: &usize| self.schema.unit(*slot) == Some(Unit::Share);
        let of_few = matches!(predicate, Predicate::Slot { slot, .. } if share(slot));
        let found = |holds, why, help| {
            Some(Constancy {
                holds,
                why,
                at: Some(span),
                help,
                of_few,
            })
        };
        if let Some(holds) = same {
            return found(holds, "both sides are the same", None);
        }
        for holds in [false, true] {
            if let Some((help, _)) = self.contradiction(&[(place, !holds)]) {
                return found(holds, "there are no such values", help);
            }
        }
        None
    }

    /// Whether no event meets all of these tests: what to know about their values, and whether there are few of them.
    fn contradiction(&self, wanted: &[Wanted]) -> Option<(Option<&'static str>, bool)> {
        let mut left: BTreeMap<Subject, Left> = BTreeMap::new();
        for (place, holds) in wanted {
            let Some(predicate) = self.predicates.all().get(*place) else {
                continue;
            };
            let windows = (self.schema, self.predicates.windows());
            if let Some(subject) = Subject::of(predicate) {
                left.entry(subject)
                    .or_insert_with(|| Left::all(predicate, windows))
                    .narrow(predicate, *holds);
            }
        }
        let (subject, empty) = left.into_iter().find(|(_, left)| left.is_empty())?;
        let of_few = match subject {
            Subject::Level(_) => true,
            Subject::Slot(slot) => self.schema.is_flag(slot),
            Subject::Other(_) => false,
        };
        Some((empty.help(), of_few))
    }
}

/// The tests of parts that all have to hold, or all must not.
fn flatten(logic: &Logic, wanted: bool, out: &mut Vec<Wanted>) {
    match logic {
        Logic::Test(place, _) => out.push((*place, wanted)),
        Logic::Not(inner, _) => flatten(inner, !wanted, out),
        Logic::And(parts, _) | Logic::Or(parts, _) if wanted == matches!(logic, Logic::And(..)) => {
            for part in parts {
                flatten(part, wanted, out);
            }
        }
        _ => {}
    }
}

fn has_constant(logic: &Logic) -> bool {
    match logic {
        Logic::Constant(_) => true,
        Logic::Test(..) => false,
        Logic::Not(inner, _) => has_constant(inner),
        Logic::And(parts, _) | Logic::Or(parts, _) => parts.iter().any(has_constant),
    }
}

fn without_constants(logic: Logic) -> Logic {
    match logic {
        Logic::Not(inner, span) => match without_constants(*inner) {
            Logic::Constant(holds) => Logic::Constant(!holds),
            Logic::Not(inner, _) => *inner,
            inner => Logic::Not(Box::new(inner), span),
        },
        Logic::And(parts, span) => joined(parts, true, |parts| Logic::And(parts, span)),
        Logic::Or(parts, span) => joined(parts, false, |parts| Logic::Or(parts, span)),
        other => other,
    }
}

/// Parts without those that change nothing; one that decides alone is all that is left.
fn joined(parts: Vec<Logic>, neutral: bool, make: impl FnOnce(Vec<Logic>) -> Logic) -> Logic {
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
