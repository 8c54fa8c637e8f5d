//! Numbers over slots.

use super::{Row, TextExpr};

/// A number; NaN where something it needs is missing, and where a quotient has no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NumberExpr {
    Slot(usize),
    Constant(f64),
    Negate(Box<Self>),
    /// The terms behind the first, and whether they are taken away.
    Sum(Box<Self>, Vec<(bool, Self)>),
    /// The factors behind the first, and whether they divide.
    Product(Box<Self>, Vec<(bool, Self)>),
    /// Times the first, by the second: from one unit to another.
    Scaled(Box<Self>, f64, f64),
    Absolute(Box<Self>),
    Least(Vec<Self>),
    Greatest(Vec<Self>),
    FirstKnown(Vec<Self>),
    /// Characters of a text.
    Length(TextExpr),
    /// Seconds since midnight, so many microseconds east of Greenwich.
    Clock(Box<Self>, f64),
    /// Hours of seconds, rounded down.
    WholeHours(Box<Self>),
    /// The day of the week from 0, Monday.
    Weekday(Box<Self>, f64),
}

/// Microseconds of a day.
const DAY: f64 = 86_400e6;

impl NumberExpr {
    pub(crate) const fn constant(&self) -> Option<f64> {
        match self {
            Self::Constant(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is the hour of a time of day.
    pub(crate) fn is_hour(&self) -> bool {
        matches!(self, Self::WholeHours(inner) if matches!(**inner, Self::Clock(..)))
    }

    /// The same number in another unit: times `over`, by `under`.
    pub(crate) fn scaled(self, (over, under): (f64, f64)) -> Self {
        if (over / under).to_bits() == 1_f64.to_bits() {
            return self;
        }
        Self::Scaled(Box::new(self), over, under).folded()
    }

    /// The number itself where nothing of it depends on an event.
    pub(crate) fn folded(self) -> Self {
        let mut constant = true;
        self.for_children(&mut |child| constant &= child.constant().is_some());
        let own = matches!(self, Self::Slot(_) | Self::Length(_));
        if constant && !own {
            Self::Constant(self.value(Row::default()))
        } else {
            self
        }
    }

    pub(crate) fn for_children<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        match self {
            Self::Slot(_) | Self::Constant(_) | Self::Length(_) => {}
            Self::Negate(inner)
            | Self::Scaled(inner, ..)
            | Self::Absolute(inner)
            | Self::WholeHours(inner)
            | Self::Clock(inner, _)
            | Self::Weekday(inner, _) => visit(inner),
            Self::Sum(first, rest) | Self::Product(first, rest) => {
                visit(first);
                for (_, part) in rest {
                    visit(part);
                }
            }
            Self::Least(parts) | Self::Greatest(parts) | Self::FirstKnown(parts) => {
                parts.iter().for_each(visit);
            }
        }
    }

    /// Tells of every slot that is read: numbers, and texts.
    pub(crate) fn for_slots(&self, visit: &mut dyn FnMut(crate::Slot)) {
        match self {
            Self::Slot(slot) => visit(crate::Slot::Number(*slot)),
            Self::Length(text) => text.for_slots(visit),
            _ => self.for_children(&mut |child| child.for_slots(visit)),
        }
    }

    /// The number for an event.
    pub(crate) fn value(&self, row: Row<'_>) -> f64 {
        match self {
            Self::Slot(slot) => row.numbers.get(*slot).copied().unwrap_or(f64::NAN),
            Self::Constant(number) => *number,
            Self::Negate(inner) => -inner.value(row),
            Self::Sum(first, rest) => rest.iter().fold(first.value(row), |sum, (less, part)| {
                let part = part.value(row);
                if *less { sum - part } else { sum + part }
            }),
            Self::Product(first, rest) => {
                rest.iter()
                    .fold(first.value(row), |product, (divides, part)| {
                        let part = part.value(row);
                        match (*divides, part == 0.0) {
                            (false, _) => product * part,
                            (true, false) => product / part,
                            (true, true) => f64::NAN,
                        }
                    })
            }
            Self::Scaled(inner, over, under) => inner.value(row) * over / under,
            Self::Absolute(inner) => inner.value(row).abs(),
            Self::Least(parts) => extreme(parts, row, |left, right| left < right),
            Self::Greatest(parts) => extreme(parts, row, |left, right| left > right),
            Self::FirstKnown(parts) => {
                let values = parts.iter().map(|part| part.value(row));
                values
                    .into_iter()
                    .find(|value| !value.is_nan())
                    .unwrap_or(f64::NAN)
            }
            Self::Length(text) => text
                .value(row)
                .map_or(f64::NAN, |text| text.chars().count() as f64),
            Self::Clock(time, east) => ((time.value(row) + east).rem_euclid(DAY) / 1e6).floor(),
            Self::WholeHours(seconds) => (seconds.value(row) / 3600.0).floor(),
            Self::Weekday(time, east) => {
                // 1970 began on a Thursday.
                (((time.value(row) + east) / DAY).floor() + 3.0).rem_euclid(7.0)
            }
        }
    }
}

/// The extreme of values; NaN where one is missing.
fn extreme(parts: &[NumberExpr], row: Row<'_>, beats: fn(f64, f64) -> bool) -> f64 {
    let mut values = parts.iter().map(|part| part.value(row));
    let first = values.next().unwrap_or(f64::NAN);
    values.fold(first, |best, value| {
        if best.is_nan() || value.is_nan() {
            f64::NAN
        } else if beats(value, best) {
            value
        } else {
            best
        }
    })
}
