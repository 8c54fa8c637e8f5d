//! What rules become: numbers, texts and tests over slots.

mod logic;
mod number;
mod patterns;
mod predicate;
mod steps;
mod table;
mod text;

pub(crate) use logic::Logic;
pub use logic::Truth;
pub(crate) use number::NumberExpr;
pub(crate) use patterns::{ALL_PATTERNS, LARGEST_PATTERN, PatternError};
pub(crate) use predicate::{Membership, Network, NoLists, Predicate, Predicates};
use steps::Steps;
pub(crate) use table::{Undecided, Ways};
pub(crate) use text::{Pattern, TextExpr, level};

/// The values of one event: numbers (NaN is missing) and texts, each in the order of the schema.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row<'a> {
    /// Numbers, flags, categories and times, then windows that rules asked for.
    pub numbers: &'a [f64],
    /// Texts and addresses.
    pub texts: &'a [Option<&'a str>],
}

impl Row<'_> {
    /// Whether it has so many numbers and texts.
    #[inline]
    pub(crate) fn check(self, (numbers, texts): (usize, usize)) -> Result<(), crate::RuleError> {
        if self.numbers.len() == numbers && self.texts.len() == texts {
            return Ok(());
        }
        Err(self.wrong_size((numbers, texts)))
    }

    #[cold]
    fn wrong_size(self, (numbers, texts): (usize, usize)) -> crate::RuleError {
        let (what, expected, got) = if self.numbers.len() == numbers {
            ("texts", texts, self.texts.len())
        } else {
            ("numbers", numbers, self.numbers.len())
        };
        crate::RuleError::Row {
            what,
            expected,
            got,
        }
    }
}
