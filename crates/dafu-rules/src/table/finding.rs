//! What is worth knowing about a table before it decides anything.

use super::column::{Column, View};
use super::segment::Input;
use crate::check::WEEKDAYS;
use crate::program::Row;
use crate::ruleset::Shown;
use crate::{Variable, VariableType};
use dafu_core::{ReasonValue, Unit};
use std::fmt;
use std::sync::Arc;

/// What a table is checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableCheck {
    /// Rows that match together.
    Overlaps,
    /// Events that no row matches.
    Gaps,
    /// Rows that can never be the answer.
    Covered,
}

impl fmt::Display for TableCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Overlaps => "overlaps",
            Self::Gaps => "gaps",
            Self::Covered => "covered rows",
        })
    }
}

/// Something about a table. Rows are told by their place, from 0; in texts they are counted from 1.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TableFinding {
    /// No event of the schema matches the row.
    Never {
        /// The row.
        row: usize,
    },
    /// Rows that come first take every event that the row matches.
    Covered {
        /// The row.
        row: usize,
    },
    /// No row matches an event. At most 16 gaps are told, which are apart from each other.
    Gap {
        /// The event.
        example: TableExample,
    },
    /// Two rows match an event. At most 100 pairs are told.
    Overlap {
        /// The earlier row.
        first: usize,
        /// The later row.
        second: usize,
        /// Whether both have the same outputs.
        agree: bool,
        /// The event.
        example: TableExample,
    },
    /// There are more overlaps than are told.
    MoreOverlaps {
        /// How many more.
        count: usize,
    },
    /// A check ended before it was complete.
    Unchecked {
        /// The check.
        check: TableCheck,
        /// The steps that it may take.
        most: usize,
    },
    /// Some rows have tests that are only known event by event, such as `contains`, and a check depends on them.
    Undecided {
        /// The check.
        check: TableCheck,
    },
}

impl fmt::Display for TableFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never { row } => write!(f, "row {} never matches", row + 1),
            Self::Covered { row } => {
                let row = row + 1;
                write!(
                    f,
                    "row {row} is never the answer: rows before it take all that it matches"
                )
            }
            Self::Gap { example } => write!(f, "no row matches where {example}"),
            Self::Overlap {
                first,
                second,
                example,
                ..
            } => {
                let (first, second) = (first + 1, second + 1);
                write!(f, "rows {first} and {second} both match where {example}")
            }
            Self::MoreOverlaps { count } => write!(f, "{count} more pairs of rows match together"),
            Self::Unchecked { check, most } => {
                write!(
                    f,
                    "{check}: not checked to the end, which takes more than {most} steps"
                )
            }
            Self::Undecided { check } => {
                write!(
                    f,
                    "{check}: some depend on tests that are only known event by event"
                )
            }
        }
    }
}

/// An event that shows something about a table; printed, it tells the inputs.
#[derive(Debug, Clone)]
pub struct TableExample {
    /// Numbers of a row of the schema; those that are no input are missing.
    pub numbers: Vec<f64>,
    /// Texts of a row of the schema; those that are no input are missing.
    pub texts: Vec<Option<Arc<str>>>,
    words: String,
}

impl PartialEq for TableExample {
    fn eq(&self, other: &Self) -> bool {
        let bits = |example: &Self| -> Vec<u64> {
            example
                .numbers
                .iter()
                .map(|number| number.to_bits())
                .collect()
        };
        bits(self) == bits(other) && self.texts == other.texts && self.words == other.words
    }
}

impl fmt::Display for TableExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl TableExample {
    /// The event whose inputs belong to one segment of each column.
    pub(super) fn new<'a>(
        columns: &[Column],
        segments: impl Iterator<Item = (&'a Column, usize)>,
        empty: &Input,
    ) -> Self {
        let mut input = empty.clone();
        for (column, segment) in segments {
            column.place(segment, &mut input);
        }
        let texts: Vec<Option<&str>> = input.texts.iter().map(Option::as_deref).collect();
        let row = Row {
            numbers: &input.numbers,
            texts: &texts,
        };
        let words: Vec<String> = columns.iter().map(|column| words(column, row)).collect();
        Self {
            words: words.join(", "),
            numbers: input.numbers,
            texts: input.texts,
        }
    }

    /// The texts as a [`Row`] wants them.
    pub fn row_texts(&self) -> Vec<Option<&str>> {
        self.texts.iter().map(Option::as_deref).collect()
    }
}

/// `amount = 5`, `amount is missing`.
fn words(column: &Column, row: Row<'_>) -> String {
    let name = &column.name;
    let number = column.number(row);
    let value = match column.view {
        View::Weekday => usual(number, |day| {
            WEEKDAYS.get(day).copied().unwrap_or_default().into()
        }),
        View::Hour => usual(number, |hour| hour.to_string()),
        View::TimeOfDay => usual(number, |clock| {
            let (hours, minutes, seconds) = (clock / 3600, clock / 60 % 60, clock % 60);
            match seconds {
                0 => format!("{hours:02}:{minutes:02}"),
                seconds => format!("{hours:02}:{minutes:02}:{seconds:02}"),
            }
        }),
        View::Value => shown(
            &column.variable,
            Shown::new(&column.variable, column.slot).value(row),
        ),
    };
    match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} is missing"),
    }
}

fn shown(variable: &Variable, value: Option<ReasonValue>) -> Option<String> {
    Some(match (value?, &variable.variable_type) {
        (ReasonValue::Number(number), VariableType::Number(unit)) => in_unit(number, *unit),
        (ReasonValue::Number(number), _) => in_unit(number, Unit::One),
        (ReasonValue::Text(text), VariableType::Flag | VariableType::Time) => text.clone(),
        (ReasonValue::Text(text), _) => format!("{text:?}"),
        _ => String::new(),
    })
}

/// The number with all its digits, and its unit.
fn in_unit(number: f64, unit: Unit) -> String {
    let plain = number == 0.0 || (1e-5..1e16).contains(&number.abs());
    let number = if plain {
        number.to_string()
    } else {
        format!("{number:e}")
    };
    match unit.symbol() {
        "" => number,
        symbol => format!("{number} {symbol}"),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers from 0 to 86,399; others have no words"
)]
fn usual(number: f64, words: impl FnOnce(usize) -> String) -> Option<String> {
    (!number.is_nan()).then(|| words(number as usize))
}
