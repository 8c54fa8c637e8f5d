//! Parameters of a baseline and their check.

use crate::EnsembleError;
use crate::params::{count, number};

/// Most seasons: the hours of a leap year.
pub const MAX_SEASONS: usize = 8784;
/// Most bins of a column.
pub const MAX_BINS: usize = 1000;
/// Most knots of a column.
pub const MAX_KNOTS: usize = 1 << 16;
/// Most values of a categorical column that are counted one by one.
pub const MAX_CATEGORIES: usize = 1 << 16;
/// Most counts of a baseline: cells of all columns times seasons.
pub const MAX_COUNTS: usize = 1 << 28;

/// Parameters of a [`DriftBaseline`](super::DriftBaseline).
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::DriftParams;
///
/// let params = DriftParams::default().bins(20).seasons(168); // hours of the week
/// assert!(params.check().is_ok());
/// assert!(params.seasons(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct DriftParams {
    /// Bins of the numbers of a column at most, about as many reference rows each.
    pub bins: usize,
    /// Values of a column at most at which the two distribution functions are compared for the KS statistic.
    pub knots: usize,
    /// Columns whose numbers are names.
    pub categorical: Vec<usize>,
    /// Share of the reference rows below which a value of a categorical column is counted with the other rare ones.
    pub rare_share: f64,
    /// Values of a categorical column at most that are counted one by one.
    pub max_categories: usize,
    /// Seasons; 1 for a plain baseline.
    pub seasons: usize,
    /// Reference rows below which a season is compared with all seasons together.
    pub min_season_rows: u64,
    /// Rows of the window that PSI adds to every bin, so that an empty bin is finite, see
    /// [`population_stability_index`](super::population_stability_index).
    pub smoothing: f64,
    /// PSI from which a column may have drifted.
    pub moderate_psi: f64,
    /// PSI from which a column has drifted much.
    pub major_psi: f64,
    /// Share of false ones among the columns that raise an alarm.
    pub false_discovery_rate: f64,
}

impl Default for DriftParams {
    fn default() -> Self {
        Self {
            bins: 10,
            knots: 256,
            categorical: Vec::new(),
            rare_share: 0.005,
            max_categories: 256,
            seasons: 1,
            min_season_rows: 100,
            smoothing: 0.5,
            moderate_psi: 0.1,
            major_psi: 0.25,
            false_discovery_rate: 0.05,
        }
    }
}

impl DriftParams {
    dafu_core::setters! {
        bins: usize,
        knots: usize,
        rare_share: f64,
        max_categories: usize,
        seasons: usize,
        min_season_rows: u64,
        smoothing: f64,
        moderate_psi: f64,
        major_psi: f64,
        false_discovery_rate: f64,
    }

    /// Sets `categorical`.
    #[must_use]
    pub fn categorical(mut self, categorical: Vec<usize>) -> Self {
        self.categorical = categorical;
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedDriftParams, EnsembleError> {
        count("bins", self.bins, 2, MAX_BINS)?;
        count("knots", self.knots, self.bins, MAX_KNOTS)?;
        count("max_categories", self.max_categories, 1, MAX_CATEGORIES)?;
        count("seasons", self.seasons, 1, MAX_SEASONS)?;
        let got = self.rare_share;
        number("rare_share", got, "from 0 to 1", (0.0..=1.0).contains(&got))?;
        let got = self.smoothing;
        let good = got > 0.0 && got.is_finite();
        number("smoothing", got, "finite and above 0", good)?;
        let got = self.moderate_psi;
        let good = got >= 0.0 && got.is_finite();
        number("moderate_psi", got, "finite and at least 0", good)?;
        let got = self.major_psi;
        let good = got >= self.moderate_psi && got.is_finite();
        let expected = "finite and at least `moderate_psi`";
        number("major_psi", got, expected, good)?;
        let got = self.false_discovery_rate;
        let good = got > 0.0 && got < 1.0;
        number("false_discovery_rate", got, "between 0 and 1", good)?;
        Ok(CheckedDriftParams(self.clone()))
    }
}

/// Parameters that passed [`DriftParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedDriftParams(pub(super) DriftParams);
