//! What a model makes of the values of one or two columns.

use super::CHUNK;
use crate::learner::{check_column, check_width};
use crate::params::{MAX_ROWS, at_most, count};
use crate::{Classifier, EnsembleError, threads};
use dafu_core::regression::logistic;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::cmp::Ordering;

/// Most values of a grid.
const MAX_GRID: usize = 10_000;
/// Most answers.
const MAX_ANSWERS: usize = 1 << 28;

/// What is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DependenceScale {
    /// Log odds, in which many models are sums.
    #[default]
    LogOdds,
    /// Probabilities, which frauds that are certain hardly move.
    Probability,
}

/// Partial dependence and individual conditional expectation: the answers of a model to rows in which one or two columns are
/// set to a value, for each value of a grid.
///
/// The grid of a column is its values, where they are few, and else quantiles; NaN is its last value where the column has any.
///
/// Determinism: the same bits for any number of threads.
///
/// Source: Friedman, "Greedy Function Approximation: A Gradient Boosting Machine" (2001), section 8.2; Goldstein, Kapelner, Bleich
/// and Pitkin, "Peeking Inside the Black Box" (2015), section 3, for the individual curves.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::explain::PartialDependenceParams;
/// use dafu_ensemble::{BoostedTreesParams, Learner, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((1000, 2), |(row, column)| (row * [37, 61][column] % 100) as f64);
/// let frauds: Vec<bool> = rows.column(0).iter().map(|value| *value > 90.0).collect();
/// let model = BoostedTreesParams::default().learn(&Samples::new(rows.view(), &frauds)?)?;
///
/// let found = PartialDependenceParams::default().grid(5).of(model.as_ref(), rows.view(), &[0])?;
/// assert_eq!(found.grids[0], [0.0, 25.0, 50.0, 75.0, 99.0]);
/// assert!(found.mean[4] > found.mean[0] + 3.0);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PartialDependenceParams {
    /// Values of each column at most, what is missing aside.
    pub grid: usize,
    /// What is averaged.
    pub scale: DependenceScale,
    /// Rows that are asked about at most, spread evenly over those given.
    pub max_rows: usize,
    /// Whether the curve of each row is kept beside their mean.
    pub individual: bool,
}

impl Default for PartialDependenceParams {
    fn default() -> Self {
        Self {
            grid: 20,
            scale: DependenceScale::LogOdds,
            max_rows: 1000,
            individual: false,
        }
    }
}

/// Answers over a grid.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PartialDependence {
    /// The columns.
    pub columns: Vec<usize>,
    /// The values of each column.
    pub grids: Vec<Vec<f64>>,
    /// Mean of the answers at each point of the grid; the values of the last column change fastest.
    pub mean: Vec<f64>,
    /// Standard deviation of the answers at each point, over the rows, after each row's mean is taken off: 0 where the columns do the
    /// same in all rows, so that the mean tells all.
    pub heterogeneity: Vec<f64>,
    /// Rows that were asked about.
    pub rows: Vec<usize>,
    /// The answers for each of these rows, in the order of `mean`, where they were asked for.
    pub individual: Option<Vec<Vec<f64>>>,
}

impl PartialDependenceParams {
    dafu_core::setters! {
        grid: usize,
        scale: DependenceScale,
        max_rows: usize,
        individual: bool,
    }

    /// Asks the model.
    ///
    /// Shape: `rows x columns`, as the model takes them.
    ///
    /// # Errors
    ///
    /// A parameter out of range, no rows, rows of another width than the model, none or more than two columns, one that does not
    /// exist or is named twice, and what the model says.
    ///
    /// # Complexity
    ///
    /// The answers to `points * rows` rows; as many numbers of memory.
    pub fn of(
        &self,
        model: &dyn Classifier,
        rows: ArrayView2<'_, f64>,
        columns: &[usize],
    ) -> Result<PartialDependence, EnsembleError> {
        count("grid", self.grid, 2, MAX_GRID)?;
        count("max_rows", self.max_rows, 1, MAX_ROWS)?;
        count("columns", columns.len(), 1, 2)?;
        check_width(model.width(), rows.ncols())?;
        if rows.nrows() == 0 {
            return Err(EnsembleError::NoRows);
        }
        for column in columns {
            check_column("columns", *column, rows.ncols())?;
        }
        if let [one, two] = columns {
            count("different columns", 1 + usize::from(one != two), 2, 2)?;
        }
        let grids: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| grid(rows.column(*column), self.grid))
            .collect();
        let asked = spread(rows.nrows(), self.max_rows);
        let got = grids
            .iter()
            .fold(asked.len(), |got, grid| got.saturating_mul(grid.len()));
        at_most("answers (values of the grids times rows)", got, MAX_ANSWERS)?;
        let points = points(&grids);
        let sample = rows.select(Axis(0), &asked);
        let answers = threads::map(points.len(), |point| {
            answers(model, &sample, columns, &points[point], self.scale)
        });
        let answers: Vec<Vec<f64>> = answers.into_iter().collect::<Result<_, _>>()?;
        let mean: Vec<f64> = answers.iter().map(|answers| mean(answers)).collect();
        Ok(PartialDependence {
            columns: columns.to_vec(),
            heterogeneity: heterogeneity(&answers, &mean),
            grids,
            mean,
            individual: self.individual.then(|| transposed(&answers, asked.len())),
            rows: asked,
        })
    }
}

/// Distinct values, or quantiles of the values where there are more, and NaN where a value is missing.
fn grid(column: ArrayView1<'_, f64>, most: usize) -> Vec<f64> {
    let mut values: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
    let missing = values.len() < column.len();
    values.sort_unstable_by(f64::total_cmp);
    let mut distinct = values.clone();
    let equal = |one: &mut f64, two: &mut f64| one.partial_cmp(&two) == Some(Ordering::Equal);
    distinct.dedup_by(equal);
    let mut grid = distinct;
    if grid.len() > most {
        let last = values.len() - 1;
        // Values of the column: what lies between them may not exist, as for codes and counts.
        grid = (0..most)
            .filter_map(|step| values.get((step * last).div_ceil(most - 1)).copied())
            .collect();
        grid.dedup_by(equal);
    }
    if missing {
        grid.push(f64::NAN);
    }
    grid
}

/// All combinations of values.
fn points(grids: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut points = vec![Vec::new()];
    for grid in grids {
        let longer = |point: &Vec<f64>| {
            let point = point.clone();
            grid.iter()
                .map(move |value| [&point[..], &[*value]].concat())
        };
        points = points.iter().flat_map(longer).collect();
    }
    points
}

/// Rows spread evenly, the first one among them.
fn spread(rows: usize, most: usize) -> Vec<usize> {
    let step = rows.div_ceil(most).max(1);
    (0..rows).step_by(step).collect()
}

/// The answers where the columns of each row have the values of a point.
fn answers(
    model: &dyn Classifier,
    rows: &Array2<f64>,
    columns: &[usize],
    point: &[f64],
    scale: DependenceScale,
) -> Result<Vec<f64>, EnsembleError> {
    let mut out = vec![0.0; rows.nrows()];
    for (rows, out) in rows
        .axis_chunks_iter(Axis(0), CHUNK)
        .zip(out.chunks_mut(CHUNK))
    {
        let mut rows = rows.to_owned();
        for (column, value) in columns.iter().zip(point) {
            rows.column_mut(*column).fill(*value);
        }
        model.log_odds_rows(rows.view(), out)?;
    }
    if scale == DependenceScale::Probability {
        for answer in &mut out {
            *answer = logistic(*answer);
        }
    }
    Ok(out)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation over the rows of what is left without the mean of the row and of the point.
fn heterogeneity(answers: &[Vec<f64>], mean_of_point: &[f64]) -> Vec<f64> {
    let rows = answers.first().map_or(0, Vec::len);
    let all = mean(mean_of_point);
    let mut of_row = vec![0.0; rows];
    for answers in answers {
        for (sum, answer) in of_row.iter_mut().zip(answers) {
            *sum += answer / mean_of_point.len() as f64;
        }
    }
    let deviation = |(answers, mean): (&Vec<f64>, &f64)| {
        let gaps = answers.iter().zip(&of_row);
        let squares: f64 = gaps
            .map(|(answer, of_row)| ((answer - mean) - (of_row - all)).powi(2))
            .sum();
        (squares / rows as f64).sqrt()
    };
    answers.iter().zip(mean_of_point).map(deviation).collect()
}

fn transposed(answers: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    let of_row = |row: usize| {
        let answers = answers.iter();
        answers
            .filter_map(|of_point| of_point.get(row).copied())
            .collect()
    };
    (0..rows).map(of_row).collect()
}
