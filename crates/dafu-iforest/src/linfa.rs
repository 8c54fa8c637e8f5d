//! The traits of `linfa`, so that forests drop into code written for it.

use crate::{
    CheckedIsolationForestParams, IsolationForest, IsolationForestError, IsolationForestParams,
    Value,
};
use linfa::dataset::{DatasetBase, Records};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

/// Fits to the records of a data set; targets are not looked at, weights are, where there are any.
///
/// ```
/// use dafu_iforest::IsolationForestParams;
/// use linfa::dataset::DatasetBase;
/// use linfa::traits::{Fit, Predict};
/// use ndarray::{Array1, Array2};
/// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
/// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 31) as f64);
/// let dataset = DatasetBase::from(rows);
/// let forest = Fit::fit(&IsolationForestParams::default(), &dataset)?;
/// let scores: Array1<f64> = forest.predict(&dataset);
/// assert_eq!(scores.len(), 300);
/// # Ok(())
/// # }
/// ```
impl<T: Value, D: Data<Elem = T>, Y> Fit<ArrayBase<D, Ix2>, Y, IsolationForestError>
    for CheckedIsolationForestParams
where
    ArrayBase<D, Ix2>: Records,
{
    type Object = IsolationForest;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, Y>,
    ) -> Result<IsolationForest, IsolationForestError> {
        let rows = dataset.records.view();
        match dataset.weights() {
            Some(weights) if !weights.is_empty() => {
                let weights: Vec<f64> = weights.iter().copied().map(f64::from).collect();
                self.fit_weighted(rows, &weights)
            }
            _ => Self::fit(self, rows),
        }
    }
}

impl<T: Value, D: Data<Elem = T>, Y> Fit<ArrayBase<D, Ix2>, Y, IsolationForestError>
    for IsolationForestParams
where
    ArrayBase<D, Ix2>: Records,
{
    type Object = IsolationForest;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, Y>,
    ) -> Result<IsolationForest, IsolationForestError> {
        Fit::fit(&self.check()?, dataset)
    }
}

/// Predicts scores. What [`IsolationForest::score_rows`] refuses has no way to be an error here: a row with a value that
/// is not accepted, and every row of another width than the training data, gets NaN.
impl<T: Value, D: Data<Elem = T>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>>
    for IsolationForest
{
    fn predict_inplace<'a>(&'a self, rows: &'a ArrayBase<D, Ix2>, scores: &mut Array1<f64>) {
        let mut found = vec![f64::NAN; rows.nrows()];
        if self.score_rows(rows.view(), &mut found).is_err() {
            for (row, found) in rows.rows().into_iter().zip(&mut found) {
                let score = self.score_row(&row.to_vec());
                *found = score.map_or(f64::NAN, dafu_core::Score::get);
            }
        }
        *scores = Array1::from_vec(found);
    }

    fn default_target(&self, rows: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::from_elem(rows.nrows(), f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::{IsolationForest, IsolationForestError, IsolationForestParams};
    use linfa::dataset::DatasetBase;
    use linfa::traits::{Fit, Predict};
    use ndarray::{Array1, Array2};

    fn rows() -> Array2<f64> {
        Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 31) as f64)
    }

    #[test]
    fn fit_and_predict_are_those_of_the_crate() {
        let params = IsolationForestParams::default().trees(20);
        let dataset = DatasetBase::from(rows());
        let forest = Fit::fit(&params, &dataset).unwrap();
        assert!(forest == params.fit(rows().view()).unwrap());
        let scores: Array1<f64> = forest.predict(&dataset);
        let mut expected = vec![0.0; 300];
        forest.score_rows(rows().view(), &mut expected).unwrap();
        assert_eq!(scores.to_vec(), expected);
    }

    #[test]
    fn weights_of_the_data_set_count() {
        let params = IsolationForestParams::default().trees(20);
        let weights = Array1::from_shape_fn(300, |row| if row < 100 { 1.0_f32 } else { 0.0 });
        let dataset = DatasetBase::from(rows()).with_weights(weights);
        let forest: IsolationForest = Fit::fit(&params, &dataset).unwrap();
        assert_eq!(forest.sample_size(), 100);
    }

    #[test]
    fn what_is_refused_is_an_error_in_the_fit_and_nan_in_predictions() {
        let params = IsolationForestParams::default().trees(20);
        let mut holes = rows();
        holes[[7, 1]] = f64::NAN;
        let error = Fit::fit(&params, &DatasetBase::from(holes.clone())).unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite { row: 7, .. }
        ));
        let forest = params.fit(rows().view()).unwrap();
        let scores: Array1<f64> = forest.predict(&holes);
        assert!(scores[7].is_nan());
        assert_eq!(scores.iter().filter(|score| score.is_nan()).count(), 1);
        let narrow: Array1<f64> = forest.predict(&Array2::<f64>::zeros((3, 1)));
        assert!(narrow.iter().all(|score| score.is_nan()));
    }
}
