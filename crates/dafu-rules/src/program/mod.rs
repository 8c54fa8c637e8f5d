//! What rules become: numbers, texts and tests over slots.

mod logic;
mod number;
mod predicate;
mod steps;
mod text;

pub(crate) use logic::Logic;
pub use logic::Truth;
pub(crate) use number::NumberExpr;
pub(crate) use predicate::{Membership, Network, NoLists, Predicate, Predicates};
pub(crate) use steps::Steps;
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
    pub(crate) fn check(self, (numbers, texts): (usize, usize)) -> Result<(), crate::RuleError> {
        let sizes = [
            ("numbers", numbers, self.numbers.len()),
            ("texts", texts, self.texts.len()),
        ];
        match sizes.into_iter().find(|(_, expected, got)| expected != got) {
            None => Ok(()),
            Some((what, expected, got)) => Err(crate::RuleError::Row {
                what,
                expected,
                got,
            }),
        }
    }
}
