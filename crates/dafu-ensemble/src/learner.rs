//! What every learner offers, whatever it is inside.

use crate::explain::Explainer;
use crate::{EnsembleError, Samples};
use ndarray::ArrayView2;
use std::fmt;
use std::sync::Arc;

/// Parameters that learn a [`Classifier`]: what searches, validations and combinations work with.
pub trait Learner: fmt::Debug + Send + Sync {
    /// Learns from rows, all of them: nothing is held out to stop early by.
    ///
    /// # Errors
    ///
    /// When parameters or rows do not allow it; the error names which and where.
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError>;
}

impl Learner for Arc<dyn Learner> {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        (**self).learn(samples)
    }
}

/// A model of two classes.
pub trait Classifier: fmt::Debug + Send + Sync {
    /// Columns of the rows it takes.
    fn width(&self) -> usize;

    /// Writes the log odds of fraud of each row, as the model sees them: finite, higher is more suspicious, calibrated only
    /// where a model says so.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows.
    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError>;

    /// What says what each column adds to the answers, where the model has such. Made once, it explains many rows.
    fn explainer(&self) -> Option<Explainer> {
        None
    }

    /// The model as bytes in the envelope of saved models.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NotSaved`] for a model that has no format.
    #[cfg(feature = "serde")]
    fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        Err(EnsembleError::NotSaved)
    }
}

/// Parameters of which `fit` makes a [`Classifier`].
macro_rules! learner {
    ($params:ty) => {
        impl $crate::Learner for $params {
            fn learn(
                &self,
                samples: &$crate::Samples<'_>,
            ) -> Result<Box<dyn $crate::Classifier>, $crate::EnsembleError> {
                Ok(Box::new(self.fit(samples)?))
            }
        }
    };
}

/// A model that has `width`, `log_odds_rows` and `to_bytes` of its own, and what the trait has besides.
macro_rules! classifier {
    ($model:ty { $($more:tt)* }) => {
        impl $crate::Classifier for $model {
            fn width(&self) -> usize {
                Self::width(self)
            }

            fn log_odds_rows(
                &self,
                rows: ::ndarray::ArrayView2<'_, f64>,
                out: &mut [f64],
            ) -> Result<(), $crate::EnsembleError> {
                Self::log_odds_rows(self, rows, out)
            }

            $($more)*

            #[cfg(feature = "serde")]
            fn to_bytes(&self) -> Result<Vec<u8>, $crate::EnsembleError> {
                Self::to_bytes(self)
            }
        }
    };
}
pub(crate) use {classifier, learner};

/// Checks that a row has the columns of the training rows.
pub(crate) const fn check_width(expected: usize, got: usize) -> Result<(), EnsembleError> {
    if got == expected {
        Ok(())
    } else {
        Err(EnsembleError::WrongWidth { expected, got })
    }
}

/// Checks the shapes of [`Classifier::log_odds_rows`].
pub(crate) fn check_shapes(
    width: usize,
    rows: ArrayView2<'_, f64>,
    out: &[f64],
) -> Result<(), EnsembleError> {
    check_width(width, rows.ncols())?;
    if out.len() != rows.nrows() {
        return Err(EnsembleError::WrongOutputLength {
            expected: rows.nrows(),
            got: out.len(),
        });
    }
    Ok(())
}

/// Checks a column that something names.
pub(crate) const fn check_column(
    name: &'static str,
    column: usize,
    width: usize,
) -> Result<(), EnsembleError> {
    if column < width {
        Ok(())
    } else {
        Err(EnsembleError::NoSuchColumn {
            name,
            column,
            width,
        })
    }
}
