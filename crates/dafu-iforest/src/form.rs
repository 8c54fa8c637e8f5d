//! What a node may ask for besides the value of one column: categories, and sums over columns.

use std::ops::Range;

/// A sum over columns that is compared with a node's threshold.
///
/// A split by categories is a sum of one term, whose categories are worth 0 (left) and 1 (right).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Form {
    pub(crate) first: u32,
    pub(crate) len: u32,
}

impl Form {
    /// The places of its terms among the terms of the tree.
    pub(crate) const fn terms(self) -> Range<usize> {
        self.first as usize..self.first as usize + self.len as usize
    }
}

/// What one column adds to a form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) column: u32,
    pub(crate) first_code: u32,
    /// Number of categories; 0 for a numeric column.
    pub(crate) code_count: u32,
    /// A numeric column adds this times its value.
    pub(crate) coefficient: f64,
    /// What is added for a missing value or a category that the node has not seen, in a form of several terms.
    pub(crate) absent: f64,
}

impl Term {
    /// The places of its categories among those of the tree.
    pub(crate) const fn codes(&self) -> Range<usize> {
        self.first_code as usize..self.first_code as usize + self.code_count as usize
    }
}

/// What a category adds to a form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Code {
    pub(crate) code: u32,
    pub(crate) value: f64,
}

/// Why a form has no value for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The value is missing.
    Missing,
    /// It is a category that the node has not seen.
    Unseen,
}

/// The value of a form for a row; a form of several terms always has one.
///
/// The terms are added in their order, so that every kernel gets the same bits.
pub(crate) fn value_of(
    terms: &[Term],
    codes: &[Code],
    cell: impl Fn(usize) -> f64,
) -> Result<f64, Absent> {
    if let [term] = terms {
        return contribution(term, codes, cell(term.column as usize));
    }
    let mut sum = 0.0;
    for term in terms {
        sum += contribution(term, codes, cell(term.column as usize)).unwrap_or(term.absent);
    }
    Ok(sum)
}

/// What a term adds for the value of its column.
pub(crate) fn contribution(term: &Term, codes: &[Code], value: f64) -> Result<f64, Absent> {
    if value.is_nan() {
        return Err(Absent::Missing);
    }
    if term.code_count == 0 {
        return Ok(term.coefficient * value);
    }
    let codes = &codes[term.codes()];
    let found = code_of(value).map(|code| codes.binary_search_by_key(&code, |known| known.code));
    match found {
        Some(Ok(place)) => Ok(codes[place].value),
        _ => Err(Absent::Unseen),
    }
}

/// The code of a category, which is a whole number from 0 to 2^32 - 1; none for any other number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is compared with what the cast gives"
)]
pub(crate) fn code_of(value: f64) -> Option<u32> {
    let code = value as u32;
    f64::from(code)
        .total_cmp(&(value + 0.0))
        .is_eq()
        .then_some(code)
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn codes_are_whole_numbers_of_32_bits() {
        for (value, code) in [
            (0.0, Some(0)),
            (-0.0, Some(0)),
            (7.0, Some(7)),
            (4_294_967_295.0, Some(u32::MAX)),
            (4_294_967_296.0, None),
            (-1.0, None),
            (0.5, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(code_of(value), code, "{value}");
        }
    }
}
