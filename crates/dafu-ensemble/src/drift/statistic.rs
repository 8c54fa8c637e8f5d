//! Distances between two distributions over the same bins, and their tests.

use super::special::{chi_square_above, kolmogorov_above};

/// Rows that a bin of a chi-square test must be expected to have in the smaller sample.
const LEAST_EXPECTED: f64 = 5.0;

/// A two-sample test of distribution functions.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KolmogorovSmirnovTest {
    /// Largest distance of the two distribution functions, 0 to 1.
    pub statistic: f64,
    /// Chance of such a distance, or a larger one, without drift.
    pub p_value: f64,
}

impl KolmogorovSmirnovTest {
    /// The test of a distance between samples of so many rows, both above 0.
    ///
    /// Source: Stephens, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and Related Statistics Without Extensive Tables" (1970),
    /// with the two-sample size `n m / (n + m)`. Cautious where values repeat.
    #[must_use]
    pub fn new(statistic: f64, reference_rows: f64, rows: f64) -> Self {
        let root = (reference_rows * rows / (reference_rows + rows)).sqrt();
        Self {
            statistic,
            p_value: kolmogorov_above((root + 0.12 + 0.11 / root) * statistic),
        }
    }
}

/// A chi-square test that two samples have one distribution over the bins.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChiSquareTest {
    /// Sum of squared gaps, each by its expected size.
    pub statistic: f64,
    /// Degrees of freedom: bins that were compared, less one.
    pub degrees: usize,
    /// Chance of such a statistic, or a larger one, without drift.
    pub p_value: f64,
}

/// Population stability index of shares: the sum of `(observed - expected) ln(observed / expected)` over the bins.
///
/// Every share is first moved to `(share + e) / (1 + bins * e)` with `e = smoothing / rows`: as if `smoothing` rows of the window
/// more were in every bin, on both sides. So an empty bin is finite, a single row in a bin that should be empty is no alarm, and
/// equal shares still have 0. Below 0.1 is usually read as stable, from 0.25 as a large shift. Without drift its mean is about
/// `bins - 1` times the sum of `1 / rows` of window and reference, so with few rows it is large by chance.
///
/// Shapes: one share a bin; bins beyond the shorter slice do not count. `rows` and `smoothing` above 0.
///
/// Source: Siddiqi, "Credit Risk Scorecards" (2006), chapter 8; Yurdakul, "Statistical Properties of Population Stability Index"
/// (2018) for its mean.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::population_stability_index;
///
/// let psi = population_stability_index(&[0.5, 0.5], &[0.9, 0.1], 1e9, 0.5);
/// assert!((psi - 0.4 * 9.0_f64.ln()).abs() < 1e-6);
/// ```
#[must_use]
pub fn population_stability_index(
    expected: &[f64],
    observed: &[f64],
    rows: f64,
    smoothing: f64,
) -> f64 {
    let bins = expected.len().min(observed.len()) as f64;
    let more = smoothing / rows;
    let smoothed = |share: &f64| (share + more) / (1.0 + bins * more);
    let pairs = expected.iter().zip(observed);
    pairs
        .map(|(expected, observed)| (smoothed(expected), smoothed(observed)))
        .map(|(expected, observed)| (observed - expected) * (observed / expected).ln())
        .sum()
}

/// Jensen-Shannon divergence of shares in bits: 0 for equal shares, 1 for shares that have no bin in common.
///
/// Shapes: one share a bin; bins beyond the shorter slice do not count.
///
/// Source: Lin, "Divergence Measures Based on the Shannon Entropy" (1991), equation 4.1.
#[must_use]
pub fn jensen_shannon(expected: &[f64], observed: &[f64]) -> f64 {
    let part = |share: f64, middle: f64| {
        if share > 0.0 {
            share * (share / middle).log2() / 2.0
        } else {
            0.0
        }
    };
    let pairs = expected.iter().zip(observed);
    let sum: f64 = pairs
        .map(|(expected, observed)| {
            let middle = f64::midpoint(*expected, *observed);
            part(*expected, middle) + part(*observed, middle)
        })
        .sum();
    sum.clamp(0.0, 1.0)
}

/// Chi-square test that two samples, given as counts, have one distribution over the bins.
///
/// Bins that are expected to have fewer than 5 rows in the smaller sample are counted together, and with the least of the
/// others where they are still too few: with less the statistic does not have its distribution. `None` where fewer than two
/// bins are left.
///
/// Shapes: one count a bin, not necessarily whole; bins beyond the shorter slice do not count.
///
/// Source: Pearson (1900), in the form of Press et al., "Numerical Recipes" (2007), equation 14.3.3; Cochran, "Some Methods for
/// Strengthening the Common Chi-Square Tests" (1954) for the smallest expected count.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::chi_square_test;
///
/// let test = chi_square_test(&[100.0, 100.0], &[60.0, 40.0]).ok_or("too few rows")?;
/// assert!((test.statistic - 300.0 / (160.0 * 140.0) * 200.0).abs() < 1e-9);
/// assert!(test.p_value > 0.05);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn chi_square_test(reference: &[f64], counts: &[f64]) -> Option<ChiSquareTest> {
    let bins = reference.len().min(counts.len());
    let (reference, counts) = (&reference[..bins], &counts[..bins]);
    let (m, n) = (reference.iter().sum::<f64>(), counts.iter().sum::<f64>());
    if !(m > 0.0 && n > 0.0) {
        return None;
    }
    let expected = |both: f64| both * m.min(n) / (m + n);
    let (mut large, small): (Vec<_>, Vec<_>) = reference
        .iter()
        .zip(counts)
        .map(|(reference, count)| (*reference, *count))
        .partition(|(reference, count)| expected(reference + count) >= LEAST_EXPECTED);
    let pooled = small
        .iter()
        .fold((0.0, 0.0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
    if expected(pooled.0 + pooled.1) >= LEAST_EXPECTED {
        large.push(pooled);
    } else {
        let least = large
            .iter_mut()
            .min_by(|one, two| (one.0 + one.1).total_cmp(&(two.0 + two.1)))?;
        *least = (least.0 + pooled.0, least.1 + pooled.1);
    }
    let degrees = large.len().checked_sub(1).filter(|degrees| *degrees > 0)?;
    let (up, down) = ((m / n).sqrt(), (n / m).sqrt());
    let statistic = large
        .iter()
        .map(|(reference, count)| (up * count - down * reference).powi(2) / (reference + count))
        .sum();
    Some(ChiSquareTest {
        statistic,
        degrees,
        p_value: chi_square_above(statistic, degrees as f64),
    })
}

/// P-values of many tests, corrected so that among those at most `q` the share of false ones is `q` at most, on average.
///
/// Source: Benjamini and Hochberg, "Controlling the False Discovery Rate" (1995), as adjusted p-values: the smallest
/// `p_(i) tests / i` at this rank or a later one.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::benjamini_hochberg;
///
/// assert_eq!(benjamini_hochberg(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.03]);
/// ```
///
/// # Complexity
///
/// O(n log n) for n tests.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, two| p_values[*two].total_cmp(&p_values[*one]));
    let tests = p_values.len();
    let mut adjusted = vec![1.0; tests];
    let mut least = 1.0_f64;
    for (above, row) in order.into_iter().enumerate() {
        least = least.min(p_values[row] * tests as f64 / (tests - above) as f64);
        adjusted[row] = least;
    }
    adjusted
}
