//! Random matrices, the same for ever for a seed.

use ndarray::Array2;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{Distribution, StandardNormal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Standard normal values, rows x columns, drawn row by row from xoshiro256++ seeded through `seed_from_u64`.
pub fn gaussian_matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    matrix(rows, columns, seed, StandardNormal)
}

/// Values uniform in [0, 1), rows x columns, drawn as in [`gaussian_matrix`].
pub fn uniform_matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    matrix(rows, columns, seed, Uniform::new(0.0, 1.0))
}

/// A standard normal matrix whose last `outliers` rows are moved to `distance` in every column, and which rows
/// those are: a data set that every anomaly detector must solve once `distance` is large.
///
/// # Panics
///
/// With more outliers than rows.
pub fn planted_outliers(
    shape: (usize, usize),
    outliers: usize,
    distance: f64,
    seed: u64,
) -> (Array2<f64>, Vec<bool>) {
    let (rows, columns) = shape;
    assert!(outliers <= rows, "{outliers} outliers in {rows} rows");
    let mut values = gaussian_matrix(rows, columns, seed);
    let labels: Vec<bool> = (0..rows).map(|row| row >= rows - outliers).collect();
    for (mut row, _) in values
        .rows_mut()
        .into_iter()
        .zip(&labels)
        .filter(|(_, label)| **label)
    {
        row += distance;
    }
    (values, labels)
}

fn matrix(
    rows: usize,
    columns: usize,
    seed: u64,
    distribution: impl Distribution<f64>,
) -> Array2<f64> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::random_using((rows, columns), distribution, &mut generator)
}
