//! One input column: what it reads, and the segments into which cells cut its values.

use super::cell::Plain;
use super::segment::{Cuts, Input, Test, address, among, between, of_address, whole};
use crate::check::check;
use crate::language::{ConditionError, Expr, ExprKind, Function, Span};
use crate::program::{Logic, NumberExpr, Predicate, Predicates, Row, TextExpr};
use crate::schema::Slot;
use crate::{Condition, RuleError, RuleSchema, Truth, Variable, VariableType};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// What the input asks of its variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Value,
    Weekday,
    TimeOfDay,
    Hour,
}

/// Values that cells compare with; between and around them all are alike.
#[derive(Debug, Clone)]
enum Domain {
    /// Segments are gaps and bounds in turn: before the first, the first, between it and the second, ...
    Number {
        subject: NumberExpr,
        bounds: Vec<f64>,
    },
    Flag,
    Level {
        count: usize,
    },
    /// Segments are the values, then any other text.
    Text {
        values: Vec<Arc<str>>,
        places: HashMap<Arc<str>, usize>,
        other: Arc<str>,
    },
    /// Segments begin at these addresses, as numbers of IPv6; then comes what is no address.
    Address {
        starts: Vec<u128>,
    },
}

/// An input column. The last of its segments is the missing value.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The input, as the table names it.
    pub(super) name: Arc<str>,
    /// The input, as conditions name it.
    pub(super) source: String,
    pub(super) variable: Variable,
    pub(super) slot: Slot,
    pub(super) view: View,
    /// Microseconds by which clocks are ahead of UTC.
    east: f64,
    domain: Domain,
}

/// Microseconds of a day.
const DAY: f64 = 86_400e6;

/// 1970-01-05, a Monday, in microseconds.
const MONDAY: f64 = 4.0 * DAY;

impl Column {
    /// A column that no cell cuts yet.
    pub(super) fn new(table: &str, input: &str, schema: &RuleSchema) -> Result<Self, RuleError> {
        let title = format!("table {table} input").replace("  ", " ");
        let titled = |error: ConditionError| RuleError::Conditions(vec![error.titled(&title)]);
        let wrong = |why: &str| RuleError::Table {
            table: table.into(),
            why: format!("input {input:?}: {why}"),
        };
        let expr = if schema.find(input).is_some() {
            let whole = Span {
                start: 0,
                end: input.len(),
            };
            let diagnostics = |diagnostic| ConditionError::new(input, vec![diagnostic]);
            Expr::new(ExprKind::Name(input.into()), whole)
                .map_err(|error| titled(diagnostics(error)))?
        } else {
            Condition::parse(input).map_err(titled)?.expr().clone()
        };
        let (view, name) = match &expr.kind {
            ExprKind::Name(name) => (View::Value, Some(name)),
            ExprKind::Call {
                function,
                arguments,
            } => {
                let view = match function {
                    Function::Weekday => View::Weekday,
                    Function::TimeOfDay => View::TimeOfDay,
                    Function::Hour => View::Hour,
                    _ => return Err(wrong(FORMS)),
                };
                (view, arguments.first().and_then(Expr::as_name))
            }
            _ => return Err(wrong(FORMS)),
        };
        let name = name.ok_or_else(|| wrong(FORMS))?;
        // Asking whether it is missing checks names and types, and tells what is read.
        let missing = ExprKind::Call {
            function: Function::IsMissing,
            arguments: vec![expr.clone()],
        };
        let mut predicates = Predicates::default();
        Expr::new(missing, expr.span)
            .map_err(|diagnostic| vec![diagnostic])
            .and_then(|missing| check(&missing, schema, &mut predicates))
            .map_err(|diagnostics| titled(ConditionError::new(input, diagnostics)))?;
        let (variable, slot) = schema.find(name).ok_or_else(|| wrong(FORMS))?;
        let domain = match (&variable.variable_type, predicates.all().first()) {
            (VariableType::Flag, _) => Domain::Flag,
            (VariableType::Category { levels }, _) => Domain::Level {
                count: levels.len(),
            },
            (VariableType::Text, _) => Domain::Text {
                values: Vec::new(),
                places: HashMap::new(),
                other: "other".into(),
            },
            (VariableType::Ip, _) => Domain::Address { starts: Vec::new() },
            (_, Some(Predicate::NumberMissing(subject))) => Domain::Number {
                subject: subject.clone(),
                bounds: Vec::new(),
            },
            _ => return Err(wrong(FORMS)),
        };
        Ok(Self {
            name: input.into(),
            source: expr.to_string(),
            variable: variable.clone(),
            slot,
            view,
            east: domain.east(),
            domain,
        })
    }

    /// Whether both may be in one table: what they say does not depend on each other.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let day = |view| view == View::Weekday;
        let hours = |view| matches!(view, View::TimeOfDay | View::Hour);
        let (left, right) = (self.view, other.view);
        let apart = (day(left) && hours(right)) || (hours(left) && day(right));
        let one_zone = self.east.to_bits() == other.east.to_bits();
        self.slot != other.slot || (apart && one_zone && !self.variable.nullable)
    }

    /// How values that stand alone in a cell are asked for.
    pub(super) const fn plain(&self) -> Plain {
        match self.domain {
            Domain::Flag => Plain::Flag,
            _ => Plain::Value,
        }
    }

    /// The number of an event that cells test; missing where they test no number.
    pub(super) fn number(&self, row: Row<'_>) -> f64 {
        match &self.domain {
            Domain::Number { subject, .. } => subject.value(row),
            _ => f64::NAN,
        }
    }

    /// Segments, with that of the missing value.
    pub(super) const fn segments(&self) -> usize {
        1 + match &self.domain {
            Domain::Number { bounds, .. } => 2 * bounds.len() + 1,
            Domain::Flag => 2,
            Domain::Level { count } => *count,
            Domain::Text { values, .. } => values.len() + 1,
            Domain::Address { starts } => starts.len() + 1,
        }
    }

    /// The segment of the missing value.
    pub(super) const fn missing(&self) -> usize {
        self.segments() - 1
    }

    /// The segment of an event. O(log bounds) for numbers and addresses, O(bytes) for texts, O(1) for others.
    #[inline]
    pub(super) fn locate(&self, row: Row<'_>) -> usize {
        let number = |slot: usize| row.numbers.get(slot).copied().unwrap_or(f64::NAN);
        let text = |slot: usize| row.texts.get(slot).copied().flatten();
        let found = match (&self.domain, self.slot) {
            (Domain::Number { subject, bounds }, _) => among(bounds, subject.value(row)),
            (Domain::Flag, Slot::Number(slot)) => match number(slot) {
                flag if flag.is_nan() => None,
                flag => Some(usize::from(flag != 0.0)),
            },
            (Domain::Level { count }, Slot::Number(slot)) => whole(number(slot), *count),
            (Domain::Text { values, places, .. }, Slot::Text(slot)) => {
                text(slot).map(|text| places.get(text).copied().unwrap_or(values.len()))
            }
            (Domain::Address { starts }, Slot::Text(slot)) => text(slot).map(|text| {
                let address: Option<IpAddr> = text.parse().ok();
                address.map_or(starts.len(), |address| {
                    let number = of_address(address);
                    starts
                        .partition_point(|start| *start <= number)
                        .saturating_sub(1)
                })
            }),
            _ => None,
        };
        found.unwrap_or_else(|| self.missing())
    }

    /// Writes a value of a segment into an input; `false` where no value belongs to it.
    pub(super) fn place(&self, segment: usize, input: &mut Input) -> bool {
        let missing = segment >= self.missing();
        match (&self.domain, self.slot) {
            (Domain::Number { bounds, .. }, Slot::Number(slot)) => {
                let number = input.number(slot);
                if missing {
                    *number = f64::NAN;
                    return true;
                }
                let Some(value) = self.inside(bounds, segment) else {
                    return false;
                };
                if self.view == View::Value {
                    *number = value;
                    return true;
                }
                let unit = match self.view {
                    View::Weekday => DAY,
                    View::Hour => 3600e6,
                    _ => 1e6,
                };
                // The other view of this time may have its part in it.
                let now = (*number + self.east - MONDAY).max(0.0);
                let clock = now % DAY;
                let kept = if self.view == View::Weekday {
                    clock
                } else {
                    now - clock
                };
                *number = MONDAY + kept + value * unit - self.east;
            }
            (Domain::Flag | Domain::Level { .. }, Slot::Number(slot)) => {
                *input.number(slot) = if missing { f64::NAN } else { segment as f64 };
            }
            (Domain::Text { values, other, .. }, Slot::Text(slot)) => {
                let text = values.get(segment).unwrap_or(other);
                input.texts[slot] = (!missing).then(|| Arc::clone(text));
            }
            (Domain::Address { starts }, Slot::Text(slot)) => {
                let address = starts.get(segment).map(|start| address(*start).to_string());
                let text = address.unwrap_or_else(|| "no address".into());
                input.texts[slot] = (!missing).then(|| text.into());
            }
            _ => return false,
        }
        true
    }

    /// A number of a segment.
    fn inside(&self, bounds: &[f64], segment: usize) -> Option<f64> {
        // Rounding makes shares just above 1, too: tables answer as conditions do.
        let ends = match self.whole() {
            Some(most) => (0.0, most),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        self.within(bounds, segment, ends)
    }

    /// The same, where numbers lie between these ends.
    fn within(&self, bounds: &[f64], segment: usize, ends: (f64, f64)) -> Option<f64> {
        let at = segment / 2;
        let (least, most) = ends;
        if segment % 2 == 1 {
            let bound = bounds.get(at).copied()?;
            let whole = self.whole().is_none() || bound.fract() == 0.0;
            return (whole && (least..=most).contains(&bound)).then_some(bound);
        }
        let low = at
            .checked_sub(1)
            .and_then(|before| bounds.get(before))
            .copied();
        let high = bounds.get(at).copied();
        match self.whole() {
            None if low.is_none_or(|low| low < least) && high.is_none_or(|high| least < high) => {
                // Without a least value any below will do.
                Some(least)
                    .filter(|least| least.is_finite())
                    .or(between(low, high))
            }
            None if high.is_none_or(|high| high > most) && low.is_none_or(|low| most > low) => {
                Some(most)
                    .filter(|most| most.is_finite())
                    .or(between(low, high))
            }
            None => between(low, high).filter(|value| (least..=most).contains(value)),
            Some(most) => {
                let first = low.map_or(0.0, |low| low.floor() + 1.0).max(0.0);
                let below = high.is_none_or(|high| first < high);
                (below && first <= most).then_some(first)
            }
        }
    }

    /// The least and the largest value.
    fn ends(&self) -> (f64, f64) {
        match (self.whole(), &self.variable.variable_type) {
            (Some(most), _) => (0.0, most),
            (None, VariableType::Number(dafu_core::Unit::Share)) => (0.0, 1.0),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The last of the whole numbers from 0 that are the only ones.
    const fn whole(&self) -> Option<f64> {
        match self.view {
            View::Value => None,
            View::Weekday => Some(6.0),
            View::Hour => Some(23.0),
            View::TimeOfDay => Some(86_399.0),
        }
    }

    /// Segments to which values of the schema belong, in order.
    pub(super) fn live(&self, input: &Input) -> Vec<usize> {
        let mut scratch = input.clone();
        let mut possible = |segment: &usize| {
            if *segment == self.missing() {
                return self.variable.nullable;
            }
            let junk =
                matches!(&self.domain, Domain::Address { starts } if *segment == starts.len());
            let expected = match &self.domain {
                Domain::Number { bounds, .. } => {
                    self.within(bounds, *segment, self.ends()).is_some()
                }
                _ => true,
            };
            !junk && expected && self.place(*segment, &mut scratch)
        };
        (0..self.segments())
            .filter(|segment| possible(segment))
            .collect()
    }

    /// Cuts the values wherever a cell compares.
    pub(super) fn cut<'a>(&mut self, cells: impl Iterator<Item = &'a Cuts>) {
        let mut all = Cuts::default();
        for cuts in cells {
            all.numbers.extend(&cuts.numbers);
            all.texts.extend(cuts.texts.iter().cloned());
            all.addresses.extend(&cuts.addresses);
        }
        match &mut self.domain {
            Domain::Number { bounds, .. } => {
                *bounds = all.numbers;
                bounds.sort_by(f64::total_cmp);
                bounds.dedup();
            }
            Domain::Text {
                values,
                places,
                other,
            } => {
                all.texts.sort_unstable();
                all.texts.dedup();
                *values = all.texts;
                *places = values.iter().cloned().zip(0..).collect();
                let mut number = 1;
                while places.contains_key(other) {
                    number += 1;
                    *other = format!("other {number}").into();
                }
            }
            Domain::Address { starts } => {
                // What IPv6 keeps for addresses of IPv4 stands apart from the rest.
                let mapped = (0xffff_u128 << 32, 0x1_0000_u128 << 32);
                all.addresses.extend([0, mapped.0, mapped.1]);
                all.addresses.sort_unstable();
                all.addresses.dedup();
                *starts = all.addresses;
            }
            Domain::Flag | Domain::Level { .. } => {}
        }
    }

    /// What a cell compares with.
    pub(super) fn cuts(&self, logic: &Logic, predicates: &[Predicate]) -> Cuts {
        let mut places = BTreeSet::new();
        logic.for_tests(&mut |place, _| {
            places.insert(place);
        });
        let mut cuts = Cuts::default();
        for predicate in places.into_iter().filter_map(|place| predicates.get(place)) {
            cuts.residual |= self.cuts_of(predicate, &mut cuts).is_none();
        }
        cuts
    }

    /// `None` where the test may tell values apart that no cell compares with.
    fn cuts_of(&self, predicate: &Predicate, cuts: &mut Cuts) -> Option<()> {
        match &self.domain {
            Domain::Flag | Domain::Level { .. } => {}
            Domain::Number { subject, .. } => {
                let numbers: &[f64] = match predicate {
                    Predicate::Slot { slot, number, .. } if *subject == NumberExpr::Slot(*slot) => {
                        &[*number]
                    }
                    Predicate::Numbers { left, right, .. } => match (left, right) {
                        (left, NumberExpr::Constant(number)) if left == subject => &[*number],
                        _ => return None,
                    },
                    Predicate::NumberIn { number, members } if number == subject => members,
                    Predicate::NumberMissing(number) if number == subject => &[],
                    _ => return None,
                };
                // Nothing compares with what is no number, and both zeros are one.
                let numbers = numbers.iter().filter(|number| !number.is_nan());
                cuts.numbers.extend(numbers.map(|number| number + 0.0));
            }
            Domain::Text { .. } => match predicate {
                Predicate::Texts {
                    left: TextExpr::Slot(_),
                    right: TextExpr::Constant(text),
                } => cuts.texts.push(Arc::clone(text)),
                Predicate::TextIn {
                    text: TextExpr::Slot(_),
                    members,
                } => cuts.texts.extend(members.iter().cloned()),
                Predicate::TextMissing(TextExpr::Slot(_)) => {}
                _ => return None,
            },
            Domain::Address { .. } => match predicate {
                Predicate::InNetwork {
                    address: TextExpr::Slot(_),
                    networks,
                } => {
                    for network in networks {
                        let (first, last) = network.range();
                        cuts.addresses.push(first);
                        cuts.addresses.extend(last.checked_add(1));
                    }
                }
                Predicate::TextMissing(TextExpr::Slot(_)) => {}
                _ => return None,
            },
        }
        Some(())
    }

    /// Segments at which a cell begins to say something new.
    fn breaks(&self, cuts: &Cuts) -> Vec<usize> {
        let mut breaks = vec![0, self.missing()];
        match &self.domain {
            Domain::Number { bounds, .. } => {
                for number in &cuts.numbers {
                    let at = 2 * bounds.partition_point(|bound| bound < number) + 1;
                    breaks.extend([at, at + 1]);
                }
            }
            Domain::Flag | Domain::Level { .. } => breaks.extend(0..self.missing()),
            Domain::Text { places, .. } => {
                for text in &cuts.texts {
                    let at = places.get(text).copied().unwrap_or_default();
                    breaks.extend([at, at + 1]);
                }
            }
            Domain::Address { starts } => {
                let at = |number: &u128| starts.partition_point(|start| start < number);
                breaks.extend(cuts.addresses.iter().map(at));
                // Those of IPv4, and what is no address.
                let mapped = [0xffff_u128 << 32, 0x1_0000_u128 << 32];
                breaks.extend(mapped.iter().map(at));
                breaks.push(starts.len());
            }
        }
        breaks.sort_unstable();
        breaks.dedup();
        breaks
    }

    /// Segments in which a cell may hold, as ranges from a first to before a last. Where a cell is a residual test it
    /// may hold of everything that is not missing.
    pub(super) fn ranges(&self, test: &Test<'_>, input: &mut Input) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let breaks = self.breaks(test.cuts);
        let ends = breaks.iter().copied().skip(1).chain([self.segments()]);
        for (start, end) in breaks.iter().copied().zip(ends) {
            let holds = if test.cuts.residual && start < self.missing() {
                true
            } else {
                let known = (start..end).any(|segment| self.place(segment, input));
                known && test.truth(input) == Truth::True
            };
            match ranges.last_mut() {
                _ if !holds => {}
                Some((_, last)) if *last == start => *last = end,
                _ => ranges.push((start, end)),
            }
        }
        ranges
    }

    /// Whether a cell needs the value: it is unknown where that is missing.
    pub(super) fn needs(&self, test: &Test<'_>, input: &mut Input) -> bool {
        self.place(self.missing(), input);
        test.truth(input) == Truth::Unknown
    }
}

/// Inputs that a table may have.
const FORMS: &str =
    "name one variable, or weekday(...), time_of_day(...) or hour(...) of one that is a time";

impl Domain {
    fn east(&self) -> f64 {
        let Self::Number { subject, .. } = self else {
            return 0.0;
        };
        match subject {
            NumberExpr::Weekday(_, east) | NumberExpr::Clock(_, east) => *east,
            NumberExpr::WholeHours(seconds) => match &**seconds {
                NumberExpr::Clock(_, east) => *east,
                _ => 0.0,
            },
            _ => 0.0,
        }
    }
}
