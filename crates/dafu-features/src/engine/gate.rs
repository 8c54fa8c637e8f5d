//! Filters, compiled: which events a log keeps.

use super::event::{EventView, FIXED, Layout, MISSING, text_code};
use super::hash::IdHasher;
use crate::measure::Calendar;
use crate::set::{Field, Filter, Quantity};
use dafu_core::{Timestamp, TransactionStatus};

#[derive(Debug, Clone)]
pub(crate) enum Gate {
    AtLeast { number: usize, limit: i64 },
    Below { number: usize, limit: i64 },
    Is { code: usize, hash: u64 },
    Known(usize),
    HasNumber(usize),
    HasPlace,
    Status(TransactionStatus),
    Night,
    Weekend,
    All(Vec<Gate>),
    Any(Vec<Gate>),
    Not(Box<Gate>),
}

impl Gate {
    pub(crate) fn compile(filter: &Filter, layout: &mut Layout, hasher: IdHasher) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, which keeps the order of any amount and the limit"
        )]
        let limit = |major: f64| {
            let fixed = major * FIXED;
            let near = (fixed - fixed.round()).abs() <= fixed.abs() * 1e-12;
            // 0.07 is 700 ten-thousandths, though the product is a little more.
            (if near { fixed.round() } else { fixed.ceil() }) as i64
        };
        let code = |layout: &mut Layout, field: &Field| layout.field(field);
        let parts = |parts: &[Filter], layout: &mut Layout| {
            let compiled = parts.iter().map(|part| Self::compile(part, layout, hasher));
            compiled.collect()
        };
        match filter {
            Filter::AmountAtLeast(major) => Self::AtLeast {
                number: layout.quantity(&Quantity::Amount),
                limit: limit(*major),
            },
            Filter::AmountBelow(major) => Self::Below {
                number: layout.quantity(&Quantity::Amount),
                limit: limit(*major),
            },
            Filter::Is { field, value } => Self::Is {
                code: code(layout, field),
                hash: text_code(field, value, hasher),
            },
            Filter::Known(field) => Self::Known(code(layout, field)),
            Filter::Status(status) => Self::Status(*status),
            Filter::Night => Self::Night,
            Filter::Weekend => Self::Weekend,
            Filter::All(all) => Self::All(parts(all, layout)),
            Filter::Any(any) => Self::Any(parts(any, layout)),
            Filter::Not(part) => Self::Not(Box::new(Self::compile(part, layout, hasher))),
        }
    }

    pub(crate) fn passes(&self, event: &EventView<'_>, calendar: &Calendar) -> bool {
        let local = || Timestamp::from_micros(event.head.time).unwrap_or(Timestamp::EPOCH);
        match self {
            Self::AtLeast { number, limit } => {
                event.numbers[*number] != MISSING && event.numbers[*number] >= *limit
            }
            Self::Below { number, limit } => {
                event.numbers[*number] != MISSING && event.numbers[*number] < *limit
            }
            Self::Is { code, hash } => *hash != 0 && event.codes[*code] == *hash,
            Self::Known(code) => event.codes[*code] != 0,
            Self::HasNumber(number) => event.numbers[*number] != MISSING,
            Self::HasPlace => event.facts.place.is_some(),
            Self::Status(status) => event.head.status == Some(*status),
            Self::Night => calendar.is_night(local()),
            Self::Weekend => calendar.is_weekend(local()),
            Self::All(parts) => parts.iter().all(|part| part.passes(event, calendar)),
            Self::Any(parts) => parts.iter().any(|part| part.passes(event, calendar)),
            Self::Not(part) => !part.passes(event, calendar),
        }
    }
}
