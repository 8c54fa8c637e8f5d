//! What is reported of a window.

use super::statistic::{ChiSquareTest, KolmogorovSmirnovTest};

/// How a window differs from the reference.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DriftReport {
    /// Rows of the window.
    pub rows: u64,
    /// In the order of the columns.
    pub columns: Vec<ColumnDrift>,
    /// Where the baseline has scores. Tested by itself, not as one of the columns.
    pub score: Option<ColumnDrift>,
}

impl DriftReport {
    /// The columns that raise an alarm, the one with the largest PSI first.
    #[must_use]
    pub fn alarms(&self) -> Vec<usize> {
        let psi = |column: &usize| self.columns.get(*column).map_or(0.0, |found| found.psi);
        let mut alarms: Vec<usize> = (0..self.columns.len()).collect();
        alarms.retain(|column| self.columns.get(*column).is_some_and(|found| found.alarm));
        alarms.sort_by(|one, two| psi(two).total_cmp(&psi(one)));
        alarms
    }
}

/// How one column, or the score, differs from the reference.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnDrift {
    /// Population stability index over the bins.
    pub psi: f64,
    /// What the PSI is usually read as.
    pub level: DriftLevel,
    /// Jensen-Shannon divergence over the bins in bits, 0 to 1.
    pub jensen_shannon: f64,
    /// Of the numbers of a column, what is missing left out; none for categories and where there are no numbers.
    pub kolmogorov_smirnov: Option<KolmogorovSmirnovTest>,
    /// Over the bins; none where too few have rows enough.
    pub chi_square: Option<ChiSquareTest>,
    /// The smaller of the p-values of the tests, times the number of tests.
    pub p_value: f64,
    /// The p-value corrected for the number of columns.
    pub q_value: f64,
    /// Whether the drift is certain, as [`DriftParams::false_discovery_rate`](super::DriftParams::false_discovery_rate) asks, and
    /// also large: above the moderate PSI. With many rows any drift is certain, with few the PSI is large by chance.
    pub alarm: bool,
    /// The bins: what is missing first.
    pub bins: Vec<DriftBin>,
}

/// Reading of a PSI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DriftLevel {
    /// Below the moderate PSI, 0.1 by default.
    Stable,
    /// From the moderate PSI, 0.1 by default.
    Moderate,
    /// From the major PSI, 0.25 by default.
    Major,
}

/// One bin of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DriftBin {
    /// What it holds.
    pub range: BinRange,
    /// Share of the reference rows, in the mix of seasons of the window.
    pub expected: f64,
    /// Share of the rows of the window.
    pub observed: f64,
}

/// What a bin holds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum BinRange {
    /// What is missing.
    Missing,
    /// Numbers below all of the reference.
    Low,
    /// Numbers up to this one that are in no bin before.
    UpTo(f64),
    /// Numbers above all of the reference.
    High,
    /// One category.
    Value(f64),
    /// Categories that are rare in the reference, or not there.
    Other,
}
