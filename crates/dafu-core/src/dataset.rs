//! A feature matrix with what is known about its rows.

use crate::{FeatureIndex, Label, Schema, Timestamp};
use ndarray::{Array2, ArrayView1, ArrayView2};
use std::borrow::Cow;
use std::sync::Arc;

/// What can be wrong with a [`Dataset`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A matrix has another width than its schema.
    #[error("the matrix has {got} columns, its schema {expected}")]
    Width {
        /// Columns of the schema.
        expected: usize,
        /// Columns of the matrix.
        got: usize,
    },
    /// A row attribute has another length than the matrix.
    #[error("{what} has {got} entries for {expected} rows")]
    Length {
        /// The attribute.
        what: &'static str,
        /// Rows of the matrix.
        expected: usize,
        /// Entries given.
        got: usize,
    },
    /// A value is infinite, or missing in a feature that says it never is.
    #[error("row {row}, feature {feature:?}: {got} is not allowed")]
    Value {
        /// Row, from 0.
        row: usize,
        /// Name of the feature.
        feature: String,
        /// The value.
        got: f64,
    },
    /// A weight is negative or not finite.
    #[error("row {row}: a weight must be finite and at least 0, got {got}")]
    Weight {
        /// Row, from 0.
        row: usize,
        /// The weight.
        got: f64,
    },
    /// A row number is past the end.
    #[error("row {row} of a dataset of {rows} rows")]
    Row {
        /// Row asked for, from 0.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
}

/// Rows by features, with labels, weights, times and groups where known.
///
/// Shape: `rows x schema.width()`, row-major. NaN is missing; infinities are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    schema: Arc<Schema>,
    values: Array2<f64>,
    labels: Option<Vec<Label>>,
    weights: Option<Vec<f64>>,
    times: Option<Vec<Timestamp>>,
    groups: Option<Vec<u32>>,
}

impl Dataset {
    /// A dataset from a matrix and its schema.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Width`] and [`DatasetError::Value`].
    ///
    /// # Complexity
    ///
    /// O(rows x columns): every value is looked at once.
    pub fn new(schema: Arc<Schema>, values: Array2<f64>) -> Result<Self, DatasetError> {
        if values.ncols() != schema.width() {
            return Err(DatasetError::Width {
                expected: schema.width(),
                got: values.ncols(),
            });
        }
        let all_finite = values.iter().all(|value| value.is_finite());
        let unsure = if all_finite { None } else { Some(&values) };
        for ((row, column), &got) in unsure.into_iter().flat_map(Array2::indexed_iter) {
            let feature = &schema.features()[column];
            if got.is_infinite() || (got.is_nan() && !feature.nullable) {
                return Err(DatasetError::Value {
                    row,
                    feature: feature.name.to_string(),
                    got,
                });
            }
        }
        Ok(Self {
            schema,
            values,
            labels: None,
            weights: None,
            times: None,
            groups: None,
        })
    }

    /// Adds one label a row.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Length`].
    pub fn with_labels(mut self, labels: Vec<Label>) -> Result<Self, DatasetError> {
        self.check_length("labels", labels.len())?;
        self.labels = Some(labels);
        Ok(self)
    }

    /// Adds one weight a row: finite, at least 0.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Length`] and [`DatasetError::Weight`].
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, DatasetError> {
        self.check_length("weights", weights.len())?;
        if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
            return Err(DatasetError::Weight {
                row,
                got: weights[row],
            });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Adds one time a row.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Length`].
    pub fn with_times(mut self, times: Vec<Timestamp>) -> Result<Self, DatasetError> {
        self.check_length("times", times.len())?;
        self.times = Some(times);
        Ok(self)
    }

    /// Adds one group a row (the customer, for card precision; the fold, for validation).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Length`].
    pub fn with_groups(mut self, groups: Vec<u32>) -> Result<Self, DatasetError> {
        self.check_length("groups", groups.len())?;
        self.groups = Some(groups);
        Ok(self)
    }

    fn check_length(&self, what: &'static str, got: usize) -> Result<(), DatasetError> {
        let expected = self.rows();
        if got == expected {
            Ok(())
        } else {
            Err(DatasetError::Length {
                what,
                expected,
                got,
            })
        }
    }

    /// Some rows, in the order given.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Row`] past the end.
    pub fn select(&self, rows: &[usize]) -> Result<Self, DatasetError> {
        let count = self.rows();
        if let Some(&row) = rows.iter().find(|&&row| row >= count) {
            return Err(DatasetError::Row { row, rows: count });
        }
        Ok(Self {
            schema: Arc::clone(&self.schema),
            values: self.values.select(ndarray::Axis(0), rows),
            labels: picked(self.labels.as_ref(), rows),
            weights: picked(self.weights.as_ref(), rows),
            times: picked(self.times.as_ref(), rows),
            groups: picked(self.groups.as_ref(), rows),
        })
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// The matrix, rows by features.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The labels, one a row.
    pub fn labels(&self) -> Option<&[Label]> {
        self.labels.as_deref()
    }

    /// The weights, one a row.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// The times, one a row.
    pub fn times(&self) -> Option<&[Timestamp]> {
        self.times.as_deref()
    }

    /// The groups, one a row.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_deref()
    }

    /// One row by number.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Row`] past the end.
    pub fn row(&self, row: usize) -> Result<FeatureRow<'_>, DatasetError> {
        if row < self.rows() {
            Ok(FeatureRow {
                schema: &self.schema,
                values: self.values.row(row),
            })
        } else {
            Err(DatasetError::Row {
                row,
                rows: self.rows(),
            })
        }
    }
}

fn picked<T: Copy>(all: Option<&Vec<T>>, rows: &[usize]) -> Option<Vec<T>> {
    all.map(|all| rows.iter().map(|&row| all[row]).collect())
}

/// One row of features with their schema.
#[derive(Debug, Clone, Copy)]
pub struct FeatureRow<'a> {
    schema: &'a Arc<Schema>,
    values: ArrayView1<'a, f64>,
}

impl<'a> FeatureRow<'a> {
    /// A row over a slice in schema order.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Width`] when slice and schema differ in length.
    pub fn new(schema: &'a Arc<Schema>, values: &'a [f64]) -> Result<Self, DatasetError> {
        if values.len() == schema.width() {
            Ok(Self {
                schema,
                values: ArrayView1::from(values),
            })
        } else {
            Err(DatasetError::Width {
                expected: schema.width(),
                got: values.len(),
            })
        }
    }

    /// The schema.
    pub fn schema(&self) -> &'a Arc<Schema> {
        self.schema
    }

    /// The values in schema order.
    pub fn values(&self) -> ArrayView1<'a, f64> {
        self.values
    }

    /// The values as a slice; they are contiguous for rows made from a slice or a row-major dataset.
    pub fn as_slice(&self) -> Option<&'a [f64]> {
        self.values.to_slice()
    }

    /// The values as a slice, copied where they are not contiguous.
    pub fn to_slice(self) -> Cow<'a, [f64]> {
        let copy = || Cow::Owned(self.values.to_vec());
        self.as_slice().map_or_else(copy, Cow::Borrowed)
    }

    /// A value by name; `None` for an unknown name, NaN for a missing value.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.schema.position(name).and_then(|index| self.at(index))
    }

    /// A value by position.
    pub fn at(&self, index: FeatureIndex) -> Option<f64> {
        self.values.get(index.get()).copied()
    }
}
