//! Calibration among the rows that matter: those with the highest probabilities.

use super::input::{check_not_empty, check_total, weight_of};
use super::{
    Bootstrap, Calibration, CalibrationBinning, Interval, MetricsError, ResampledUnit, Resampler,
    calibration,
};
use crate::random::Stream;

/// What the random streams are for.
const CHANCE: u64 = 0x6368_616e;

/// Parameters of [`top_calibration`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TopCalibrationParams {
    /// Share of all weight that the rows judged hold, above 0 and at most 1. Default 0.01.
    pub share: f64,
    /// Bins of about equal numbers of rows. Default 10.
    pub bins: usize,
    /// How the rows judged are drawn for the interval. Rows by default: with the number of frauds held, as where classes are
    /// drawn, the error of the level would not show.
    pub bootstrap: Bootstrap,
}

impl Default for TopCalibrationParams {
    fn default() -> Self {
        Self {
            share: 0.01,
            bins: 10,
            bootstrap: Bootstrap::default().unit(ResampledUnit::Rows),
        }
    }
}

impl TopCalibrationParams {
    /// Sets the share of all weight that the rows judged hold.
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets the number of bins.
    #[must_use]
    pub const fn bins(mut self, bins: usize) -> Self {
        self.bins = bins;
        self
    }

    /// Sets how the rows judged are drawn.
    #[must_use]
    pub const fn bootstrap(mut self, bootstrap: Bootstrap) -> Self {
        self.bootstrap = bootstrap;
        self
    }
}

/// Calibration of the rows with the highest probabilities.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopCalibration {
    /// The lowest probability that is judged.
    pub threshold: f64,
    /// Number of rows judged.
    pub rows: u64,
    /// Their bins.
    pub calibration: Calibration,
    /// Expected calibration error, with its interval. Resamples add an error by chance of their own; what they are too high by
    /// on the mean is taken off, down to 0. Where the error is not above `by_chance` the interval does not tell it from 0: for few
    /// hundred rows it seldom reaches down to 0 even if the probabilities are right.
    pub error: Interval,
    /// The mean expected calibration error if the probabilities were right, by labels drawn from them: what an error of 0
    /// looks like on so few rows.
    pub by_chance: f64,
}

/// Expected calibration error of the rows with the highest probabilities, with a bootstrap interval.
///
/// Over all rows the error of a fraud model is next to 0 whatever it says about the suspicious ones, since nearly all rows
/// are of the lowest bin. Rows with probabilities equal to the lowest of the top are judged too.
///
/// # Errors
///
/// As [`calibration`]; a share outside of its interval; parameters that do not pass [`Bootstrap::check`];
/// [`MetricsError::DaysMissing`] for days as the unit that is drawn.
///
/// # Complexity
///
/// O(n log n) for n rows, and O(k log k) a resample for k rows judged.
///
/// Source: Naeini, Cooper and Hauskrecht 2015 (the error); Broecker and Smith 2007, *Increasing the reliability of reliability
/// diagrams* (labels drawn from the probabilities).
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{TopCalibrationParams, top_calibration};
///
/// let labels: Vec<bool> = (0..1000).map(|row| row % 100 < 20 && row % 2 == 0).collect();
/// let probabilities: Vec<f64> = (0..1000).map(|row| if row % 100 < 20 { 0.9 } else { 0.001 }).collect();
/// let params = TopCalibrationParams::default().share(0.2);
/// let top = top_calibration(&labels, &probabilities, None, &params)?;
/// assert_eq!((top.rows, top.threshold), (200, 0.9));
/// assert!((top.error.value - 0.4).abs() < 1e-12); // 0.9 said, 0.5 seen
/// assert!(top.by_chance < 0.05);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
pub fn top_calibration(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    params: &TopCalibrationParams,
) -> Result<TopCalibration, MetricsError> {
    // Checks the slices, too.
    calibration(
        labels,
        probabilities,
        weights,
        params.bins,
        CalibrationBinning::Uniform,
    )?;
    let threshold = top_threshold(probabilities, weights, params.share)?;
    let top: Vec<usize> = (0..labels.len())
        .filter(|&row| probabilities[row] >= threshold && weight_of(weights, row) > 0.0)
        .collect();
    let labels: Vec<bool> = top.iter().map(|&row| labels[row]).collect();
    let probabilities: Vec<f64> = top.iter().map(|&row| probabilities[row]).collect();
    let weights: Option<Vec<f64>> =
        weights.map(|weights| top.iter().map(|&row| weights[row]).collect());
    let judged = Judged {
        bins: params.bins,
        labels,
        probabilities,
        weights,
    };
    let all = judged.all()?;
    let resampler = params.bootstrap.resampler(&judged.labels, None)?;
    let (mut drawn, mut by_chance) = (Vec::new(), 0.0);
    for number in 0..params.bootstrap.resamples {
        drawn.push(judged.resampled(&resampler, number)?);
        let seed = params.bootstrap.seed;
        by_chance += judged.by_chance(&mut Stream::new(seed, CHANCE, number as u64))?;
    }
    let error = all.expected_error();
    let excess = drawn.iter().sum::<f64>() / drawn.len() as f64 - error;
    for drawn in &mut drawn {
        *drawn = (*drawn - excess).max(0.0);
    }
    Ok(TopCalibration {
        threshold,
        rows: top.len() as u64,
        error: params.bootstrap.interval(error, drawn),
        by_chance: by_chance / params.bootstrap.resamples as f64,
        calibration: all,
    })
}

/// The highest probability above or at which the share of all weight lies.
fn top_threshold(
    probabilities: &[f64],
    weights: Option<&[f64]>,
    share: f64,
) -> Result<f64, MetricsError> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(MetricsError::InvalidParameter {
            name: "share",
            requirement: "above 0 and at most 1",
            got: share,
        });
    }
    let mut sorted: Vec<(f64, f64)> = probabilities
        .iter()
        .enumerate()
        .map(|(row, &probability)| (probability, weight_of(weights, row)))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    check_not_empty(sorted.len())?;
    sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
    let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    check_total(total)?;
    let mut above = 0.0;
    let reached = sorted.iter().find(|(_, weight)| {
        above += weight;
        above >= share * total
    });
    Ok(reached
        .or(sorted.last())
        .map_or(0.0, |(probability, _)| *probability))
}

/// The rows judged.
struct Judged {
    bins: usize,
    labels: Vec<bool>,
    probabilities: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl Judged {
    fn all(&self) -> Result<Calibration, MetricsError> {
        self.bins_of(&self.labels, &self.probabilities, self.weights.as_deref())
    }

    fn bins_of(
        &self,
        labels: &[bool],
        probabilities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Calibration, MetricsError> {
        let binning = CalibrationBinning::Quantile;
        calibration(labels, probabilities, weights, self.bins, binning)
    }

    fn resampled(&self, resampler: &Resampler, number: usize) -> Result<f64, MetricsError> {
        let resample = resampler.draw(number);
        let weights = self
            .weights
            .as_ref()
            .map(|weights| resample.gather(weights));
        let labels = resample.gather(&self.labels);
        let probabilities = resample.gather(&self.probabilities);
        let bins = self.bins_of(&labels, &probabilities, weights.as_deref())?;
        Ok(bins.expected_error())
    }

    fn by_chance(&self, stream: &mut Stream) -> Result<f64, MetricsError> {
        let labels: Vec<bool> = self
            .probabilities
            .iter()
            .map(|&probability| stream.unit() < probability)
            .collect();
        let bins = self.bins_of(&labels, &self.probabilities, self.weights.as_deref())?;
        Ok(bins.expected_error())
    }
}
