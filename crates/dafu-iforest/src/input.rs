//! Numbers on their way in.

use crate::form::code_of;
use crate::{IsolationForestError, MissingValues};
use ndarray::{ArrayView1, ArrayView2, Axis};

/// A number of the data: `f32` or `f64`.
///
/// Comparisons are made in `f64`, which holds every `f32` exactly.
pub trait Value: Copy + Into<f64> + Send + Sync + sealed::Sealed + 'static {}

impl Value for f32 {}
impl Value for f64 {}

mod sealed {
    #[expect(unnameable_types, reason = "closed to other crates")]
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Which values a forest takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted<'a> {
    pub(crate) missing: MissingValues,
    /// Whether each column holds categories; empty where none does.
    pub(crate) categorical: &'a [bool],
}

/// What was found in the values of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Numbers only.
    Numbers,
    /// Numbers, and values that are missing.
    Missing,
}

impl Accepted<'_> {
    /// Checks the values of row number `row`.
    ///
    /// Categories are not checked here but in training only: in scoring, what is no category is an unseen one.
    #[inline]
    pub(crate) fn check<T: Value>(
        &self,
        values: ArrayView1<'_, T>,
        row: usize,
    ) -> Result<Found, IsolationForestError> {
        // Zero times a finite number is zero; NaN and infinity give NaN.
        let witness = match values.as_slice() {
            Some(slice) => slice
                .iter()
                .fold(0.0, |sum, &value| sum + value.into() * 0.0),
            None => values
                .iter()
                .fold(0.0, |sum, &value| sum + value.into() * 0.0),
        };
        if witness == 0.0 {
            Ok(Found::Numbers)
        } else {
            self.not_finite(values, row)
        }
    }

    /// The first value that is not accepted.
    #[cold]
    fn not_finite<T: Value>(
        &self,
        values: ArrayView1<'_, T>,
        row: usize,
    ) -> Result<Found, IsolationForestError> {
        let refused = |value: f64| {
            value.is_infinite() || value.is_nan() && self.missing == MissingValues::Refuse
        };
        for (column, &value) in values.iter().enumerate() {
            let value = value.into();
            if refused(value) {
                return Err(IsolationForestError::NotFinite { row, column, value });
            }
        }
        Ok(Found::Missing)
    }

    /// Checks the values of several rows, of which the first has number `first_row`.
    pub(crate) fn check_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        first_row: usize,
    ) -> Result<Found, IsolationForestError> {
        let mut found = Found::Numbers;
        for (at, row) in rows.axis_iter(Axis(0)).enumerate() {
            if self.check(row, first_row + at)? == Found::Missing {
                found = Found::Missing;
            }
        }
        Ok(found)
    }

    /// Checks all values of several rows, of which the first has number `first_row`; categories too.
    pub(crate) fn check_training<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        first_row: usize,
    ) -> Result<(), IsolationForestError> {
        for (at, values) in rows.axis_iter(Axis(0)).enumerate() {
            self.check(values, first_row + at)?;
            for (column, _) in self.categorical.iter().enumerate().filter(|(_, is)| **is) {
                let value: f64 = values[column].into();
                if !value.is_nan() && code_of(value).is_none() {
                    let row = first_row + at;
                    return Err(IsolationForestError::NoCategory { row, column, value });
                }
            }
        }
        Ok(())
    }
}
