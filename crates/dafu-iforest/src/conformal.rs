//! P-values with a guarantee that holds for any number of rows.

use crate::input::Value;
use crate::{IsolationForest, IsolationForestError};
use dafu_core::Score;
use ndarray::ArrayView2;

/// P-values of scores against those of ordinary rows that the forest was not grown from (split conformal prediction).
///
/// The p-value of a row is (1 + calibration rows with at least its score) / (calibration rows + 1). For a row that
/// comes from the same source as the calibration rows (in any order they might have come in, all are equally likely),
/// the chance of a p-value of at most a is at most a: for any data, any forest, and any number of rows. The mean is over
/// calibration sets too: with few rows the share of false alarms of one set strays from it.
///
/// To call a row an anomaly when its p-value is at most a bounds the share of ordinary rows that are called so. For many
/// rows at once, [`benjamini_hochberg`] bounds the share of ordinary rows among those called.
///
/// It belongs to the forest that scored the rows: make it anew after trees were added, merged or dropped.
///
/// Source: Laxhammar, Falkman, "Conformal Prediction for Distribution-Independent Anomaly Detection in Streaming Vessel
/// Data", `StreamKDD` 2010; Bates, Candes, Lei, Romano, Sesia, "Testing for Outliers with Conformal p-Values", Annals of
/// Statistics 51(1), 2023, equation 2.
///
/// ```
/// use dafu_iforest::IsolationForestParams;
/// use ndarray::{Array2, Axis};
/// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
/// let rows = Array2::from_shape_fn((900, 2), |(i, j)| ((i * (31 + 6 * j)) % 97) as f64);
/// let (train, calibration) = rows.view().split_at(Axis(0), 500);
/// let forest = IsolationForestParams::default().fit(train)?;
/// let conformal = forest.conformal(calibration)?;
/// let far = forest.score_row(&[500.0, -400.0])?;
/// // Of 400 ordinary rows four score as high: those in a corner of the data.
/// assert!((conformal.p_value(far) - 5.0 / 401.0).abs() < 1e-12);
/// // Two in a hundred ordinary rows are called anomalies, at most.
/// assert!(conformal.is_anomaly(far, 0.02));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Score>", into = "Vec<Score>"))]
pub struct Conformal {
    /// In ascending order, at least one.
    scores: Vec<Score>,
}

impl Conformal {
    /// From the scores of calibration rows, in any order.
    ///
    /// # Errors
    ///
    /// [`NoRows`](IsolationForestError::NoRows) when there are none.
    ///
    /// # Complexity
    ///
    /// O(n log n) time, O(n) memory.
    pub fn new(mut scores: Vec<Score>) -> Result<Self, IsolationForestError> {
        if scores.is_empty() {
            return Err(IsolationForestError::NoRows);
        }
        scores.sort_unstable_by(|a, b| a.get().total_cmp(&b.get()));
        Ok(Self { scores })
    }

    /// The p-value of a score, in [1 / (rows + 1), 1]. O(log n).
    pub fn p_value(&self, score: Score) -> f64 {
        let below = self.scores.partition_point(|&other| other < score);
        self.p_value_with(below)
    }

    /// The p-values of many scores, as [`score_rows`](IsolationForest::score_rows) writes them; NaN for NaN. O(log n) each.
    ///
    /// ```
    /// use dafu_iforest::{IsolationForestParams, benjamini_hochberg};
    /// use ndarray::{Array2, Axis};
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let mut rows = Array2::from_shape_fn((1500, 2), |(i, j)| ((i * (31 + 6 * j)) % 97) as f64);
    /// rows.row_mut(1400).fill(4000.0);
    /// let (train, rest) = rows.view().split_at(Axis(0), 500);
    /// let (calibration, new) = rest.split_at(Axis(0), 900);
    /// let forest = IsolationForestParams::default().fit(train)?;
    /// let mut scores = vec![0.0; new.nrows()];
    /// forest.score_rows(new, &mut scores)?;
    /// let p_values = forest.conformal(calibration)?.p_values(&scores);
    /// let called = benjamini_hochberg(&p_values, 0.2);
    /// assert!(called[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn p_values(&self, scores: &[f64]) -> Vec<f64> {
        let p_value = |&score: &f64| {
            if score.is_nan() {
                return f64::NAN;
            }
            let below = self.scores.partition_point(|other| other.get() < score);
            self.p_value_with(below)
        };
        scores.iter().map(p_value).collect()
    }

    fn p_value_with(&self, below: usize) -> f64 {
        (1 + self.scores.len() - below) as f64 / (1 + self.scores.len()) as f64
    }

    /// Whether the p-value of a score is at most `level`.
    pub fn is_anomaly(&self, score: Score, level: f64) -> bool {
        self.p_value(score) <= level
    }

    /// Number of calibration rows. No p-value is below 1 / (rows + 1).
    pub fn rows(&self) -> usize {
        self.scores.len()
    }
}

impl TryFrom<Vec<Score>> for Conformal {
    type Error = IsolationForestError;

    fn try_from(scores: Vec<Score>) -> Result<Self, IsolationForestError> {
        Self::new(scores)
    }
}

impl From<Conformal> for Vec<Score> {
    fn from(conformal: Conformal) -> Self {
        conformal.scores
    }
}

impl IsolationForest {
    /// P-values against rows that were not given to the fit.
    ///
    /// # Errors
    ///
    /// [`NoRows`](IsolationForestError::NoRows), and as [`score_rows`](Self::score_rows).
    ///
    /// # Complexity
    ///
    /// That of scoring the rows, and O(n log n).
    pub fn conformal<T: Value>(
        &self,
        calibration: ArrayView2<'_, T>,
    ) -> Result<Conformal, IsolationForestError> {
        let mut scores = vec![Score::ZERO; calibration.nrows()];
        self.map_sums(calibration, &mut scores, |sum| self.score_of_sum(sum))?;
        Conformal::new(scores)
    }
}

/// Which of several p-values to call anomalies so that, in the mean, at most the share `level` of those called belongs to
/// ordinary rows (the false discovery rate); for the p-values of one [`Conformal`].
///
/// The largest k is sought for which k p-values are at most `level` k / n; these are called. NaN is never called.
///
/// # Complexity
///
/// O(n log n).
///
/// Source: Benjamini, Hochberg, "Controlling the False Discovery Rate", Journal of the Royal Statistical Society B 57(1),
/// 1995; that it holds for conformal p-values of one calibration set is theorem 2 of Bates et al. 2023.
///
/// ```
/// use dafu_iforest::benjamini_hochberg;
/// let called = benjamini_hochberg(&[0.9, 0.01, 0.03, 0.2, 0.02], 0.1);
/// assert_eq!(called, [false, true, true, false, true]);
/// ```
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64], level: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = p_values.iter().copied().filter(|p| !p.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = p_values.len() as f64;
    let within = |(rank, p): &(usize, &f64)| **p * count <= level * (rank + 1) as f64;
    let last = sorted.iter().enumerate().rev().find(within);
    let limit = last.map_or(f64::NEG_INFINITY, |(_, &p)| p);
    p_values.iter().map(|&p| p <= limit).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Conformal, benjamini_hochberg};
    use crate::{IsolationForestError, IsolationForestParams};
    use dafu_core::Score;
    use dafu_core::random::Stream;
    use ndarray::{Array2, Axis};

    #[test]
    fn p_values_count_the_rows_that_score_as_high() {
        let scores = [0.5, 0.25, 0.75, 0.5].map(|score| Score::new(score).unwrap());
        let conformal = Conformal::new(scores.to_vec()).unwrap();
        for (score, expected) in [
            (0.1, 1.0),
            (0.25, 1.0),
            (0.3, 0.8),
            (0.5, 0.8),
            (0.6, 0.4),
            (0.8, 0.2),
        ] {
            let p = conformal.p_value(Score::new(score).unwrap());
            assert!((p - expected).abs() < 1e-12, "{score}: {p}");
            let many = conformal.p_values(&[score, f64::NAN]);
            assert!((many[0] - expected).abs() < 1e-12 && many[1].is_nan());
        }
        assert_eq!(conformal.rows(), 4);
        let none = Conformal::new(Vec::new()).unwrap_err();
        assert!(matches!(none, IsolationForestError::NoRows));
    }

    #[test]
    fn false_alarms_stay_within_the_level_over_many_calibration_sets() {
        // 19 calibration rows: p-values of 1/20, 2/20, ...; the guarantee is about the mean over sets.
        let mut stream = Stream::new(3, 50, 0);
        let (sets, tests) = (300, 20);
        let mut alarms = [0_u32; 3];
        let levels = [0.05, 0.1, 0.25];
        for set in 0..sets {
            let rows = Array2::from_shape_simple_fn((64 + 19 + tests, 2), || stream.normal());
            let (train, rest) = rows.view().split_at(Axis(0), 64);
            let (calibration, test) = rest.split_at(Axis(0), 19);
            let params = IsolationForestParams::default().trees(20).seed(set);
            let forest = params.fit(train).unwrap();
            let conformal = forest.conformal(calibration).unwrap();
            for row in test.rows() {
                let score = forest.score_row(&row.to_vec()).unwrap();
                for (alarms, level) in alarms.iter_mut().zip(levels) {
                    *alarms += u32::from(conformal.is_anomaly(score, level));
                }
            }
        }
        let count = f64::from(u32::try_from(sets).unwrap()) * tests as f64;
        for (alarms, level) in alarms.into_iter().zip(levels) {
            let share = f64::from(alarms) / count;
            // The mean over sets of shares that have, each, the spread of a beta distribution: sd below 0.1 / sqrt(300).
            assert!(share < level + 0.02, "{share} for {level}");
            assert!(share > level - 0.03, "{share} for {level}: no use");
        }
    }

    #[test]
    fn benjamini_hochberg_calls_what_the_definition_calls() {
        let mut stream = Stream::new(4, 50, 0);
        for _ in 0..200 {
            let p: Vec<f64> = (0..12).map(|_| stream.unit().powi(3)).collect();
            let called = benjamini_hochberg(&p, 0.2);
            // By trying every number of calls.
            let best = (0..=12)
                .filter(|&k| {
                    let limit = 0.2 * f64::from(k) / 12.0;
                    p.iter().filter(|&&p| p <= limit).count() >= usize::try_from(k).unwrap()
                })
                .max()
                .unwrap();
            let limit = 0.2 * f64::from(best) / 12.0;
            let expected: Vec<bool> = p.iter().map(|&p| p <= limit).collect();
            assert_eq!(called, expected, "{p:?}");
        }
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.001], 0.1), [false, true]);
        assert!(benjamini_hochberg(&[], 0.1).is_empty());
    }
}
