//! Calibrators: from the log odds of a classifier to probabilities.

mod beta;
mod isotonic;
mod order;
mod platt;
mod venn_abers;

use crate::EnsembleError;
use crate::params::number;
use crate::samples::{check_classes, check_length, check_weight};
use beta::Beta;
use dafu_core::regression::{log_odds, logistic};
use dafu_core::{Calibrate, Probability, RawScore};
use isotonic::Isotonic;
use platt::Platt;
use venn_abers::VennAbers;

/// Largest sum of weights: beyond it one row more or less does not show in 64 bits.
const MAX_WEIGHT: f64 = 1e15;

/// How a [`Calibrator`] is learned.
///
/// Learn it on rows that the classifier has not learned from, and judge it on others again.
///
/// | method | parameters | for |
/// |---|---|---|
/// | Platt | 2 | few frauds (below about 100), or log odds that are wrong by slope and level only |
/// | beta | 3 | as Platt, where the two ends are wrong in different ways |
/// | isotonic | many | thousands of frauds, any rising shape |
/// | Venn-Abers | many | as isotonic, with an interval that says how sure a probability is |
///
/// Where scores do not rise with fraud at all, every method gives the share of frauds for all scores (Venn-Abers but for the
/// ends, where the row it adds counts): no method turns scores round. [`Calibrator::is_constant`] tells.
///
/// # Examples
///
/// ```
/// use dafu_core::{Calibrate, RawScore};
/// use dafu_ensemble::CalibrationMethod;
///
/// // Log odds of a model that is far too sure.
/// let scores: Vec<f64> = (0..400).map(|row| f64::from(row % 20) - 10.0).collect();
/// let frauds: Vec<bool> = (0..400).map(|row| row % 20 + row * 13 % 23 > 30).collect();
///
/// let calibrator = CalibrationMethod::Platt.fit(&scores, &frauds, None)?;
/// let probability = calibrator.calibrate(RawScore::new(9.0)?)?;
/// assert!(probability.get() > 0.3 && probability.get() < 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CalibrationMethod {
    /// Log odds times a slope plus an intercept.
    ///
    /// Labels are replaced by targets just inside of 0 and 1, so that separable rows have a finite answer.
    ///
    /// Source: Platt 1999, *Probabilistic outputs for support vector machines and comparisons to regularized likelihood
    /// methods*, section 2.2, by Newton's method as Lin, Lin and Weng 2007. Unlike in both the slope is not negative.
    #[default]
    Platt,
    /// The nondecreasing function with the lowest Brier score, by pool adjacent violators; linear between its blocks.
    ///
    /// Unlike in the source no probability is 0 or 1, and rows of one block keep the order of their scores:
    /// a first block without fraud gets (1/2) / (n + 1) for a weight of n, at most half of what the next block has, and the
    /// like for a last block of frauds only; and over the range of scores the odds grow by one part in a million beside what
    /// the blocks say. So a ranking by probability is the ranking by score, but for what 64 bits cannot hold.
    ///
    /// Source: Zadrozny and Elkan 2002, *Transforming classifier scores into accurate multiclass probability estimates*;
    /// Ayer et al. 1955, *An empirical distribution function for sampling with incomplete information* (the algorithm).
    Isotonic,
    /// Log odds as a weighted sum of ln(p) and -ln(1 - p), for p the probability that the score claims to be.
    ///
    /// Computed from log odds, so that p may be as near to 0 or 1 as it likes. Targets are as for Platt, for the same reason.
    ///
    /// Source: Kull, Silva Filho and Flach 2017, *Beta calibration: a well-founded and easily implemented improvement on
    /// logistic calibration for binary classifiers*, section 3. Where a weight would be negative, the best pair that is not is
    /// found, as the lowest of the losses of all cases.
    Beta,
    /// Two isotonic fits a score, one with the score added as honest and one as a fraud, merged to one probability.
    ///
    /// Keeps the order of rows as [`Isotonic`](Self::Isotonic) does, and 24 bytes for each distinct score.
    ///
    /// Source: Vovk and Petej 2014, *Venn-Abers predictors*; Vovk, Petej and Fedorova 2015, *Large-scale probabilistic
    /// predictors with and without guarantees of validity*, algorithms 1 to 6, and equation 5 for the one probability.
    VennAbers,
}

impl CalibrationMethod {
    /// Learns a calibrator from scores (log odds), whether each row is a fraud, and weights where given.
    ///
    /// Weights are counts of rows: a row of weight 2 is two rows, of weight 0 none. Those that only make rows count more (a
    /// factor for frauds, say) bias the probabilities; see [`Calibrator::with_prior`].
    ///
    /// # Errors
    ///
    /// Slices of different lengths, a score that is not finite, an invalid weight, a sum of weights above 1e15, no row of
    /// weight above 0 or rows of one class only; [`EnsembleError::Calibration`] when the numbers are too large or too small
    /// for a finite answer.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n rows, O(n) a Newton step for Platt and beta.
    pub fn fit(
        self,
        scores: &[f64],
        frauds: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Calibrator, EnsembleError> {
        let rows = Rows::new(scores, frauds, weights)?;
        let map = match self {
            Self::Platt => Map::Platt(Platt::fit(&rows)?),
            Self::Isotonic => Map::Isotonic(Isotonic::fit(&rows)?),
            Self::Beta => Map::Beta(Beta::fit(&rows)?),
            Self::VennAbers => Map::VennAbers(VennAbers::fit(&rows)?),
        };
        Calibrator::try_from(Parts { map, shift: 0.0 })
    }
}

/// Gives the probability of fraud at a score; never falls when the score rises, and is never 0 or 1.
///
/// Shapes: a score is the log odds of a classifier. For Platt, isotonic and Venn-Abers any finite number that is higher for
/// more suspicious rows will do.
///
/// Probabilities that differ by less than 64 bits can hold are equal: above log odds of about 30, next to 1.
/// [`Calibrator::log_odds`] tells them apart.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Parts", into = "Parts"))]
pub struct Calibrator(Parts);

/// What a calibrator is made of; a calibrator is one that passed [`Parts::check`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Parts {
    map: Map,
    /// Log odds that are added, for the prior.
    shift: f64,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum Map {
    Platt(Platt),
    Isotonic(Isotonic),
    Beta(Beta),
    VennAbers(VennAbers),
}

impl Parts {
    fn check(&self) -> Result<(), EnsembleError> {
        match &self.map {
            Map::Platt(map) => map.check()?,
            Map::Isotonic(map) => map.check()?,
            Map::Beta(map) => map.check()?,
            Map::VennAbers(map) => map.check()?,
        }
        sound(
            "the shift for the prior is not finite",
            self.shift.is_finite(),
        )
    }
}

impl TryFrom<Parts> for Calibrator {
    type Error = EnsembleError;

    fn try_from(parts: Parts) -> Result<Self, EnsembleError> {
        parts.check()?;
        Ok(Self(parts))
    }
}

impl From<Calibrator> for Parts {
    fn from(calibrator: Calibrator) -> Self {
        calibrator.0
    }
}

impl Calibrator {
    /// Takes `slope * score + intercept` for the log odds, without learning: coefficients of Platt's method from elsewhere, or
    /// slope 1 and intercept 0 for a model whose log odds are trusted as they are.
    ///
    /// # Errors
    ///
    /// A number that is not finite, a negative slope.
    ///
    /// # Examples
    ///
    /// ```
    /// use dafu_core::{Calibrate, RawScore};
    /// use dafu_ensemble::Calibrator;
    ///
    /// // Learned where one row in two was a fraud, used where it is one in a thousand.
    /// let calibrator = Calibrator::linear(1.0, 0.0)?.with_prior(0.5, 0.001)?;
    /// let probability = calibrator.calibrate(RawScore::new(0.0)?)?;
    /// assert!((probability.get() - 0.001).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn linear(slope: f64, intercept: f64) -> Result<Self, EnsembleError> {
        let map = Map::Platt(Platt { slope, intercept });
        Self::try_from(Parts { map, shift: 0.0 })
    }

    /// Moves the probabilities from one share of frauds to another: from that of the rows it was learned on (resampled or
    /// reweighted, say) to that where it is used, frauds and honest rows themselves being the same. Adds the difference of the
    /// log odds of the two shares to all log odds; calls add up.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NumberOutOfRange`] for a share that is not above 0 and below 1.
    ///
    /// Source: Elkan 2001, *The foundations of cost-sensitive learning*, theorem 2; Saerens, Latinne and Decaestecker 2002,
    /// *Adjusting the outputs of a classifier to new a priori probabilities*, equation 2.4.
    pub fn with_prior(mut self, learned: f64, real: f64) -> Result<Self, EnsembleError> {
        for (name, got) in [("learned", learned), ("real", real)] {
            number(name, got, "above 0 and below 1", got > 0.0 && got < 1.0)?;
        }
        self.0.shift += log_odds(real) - log_odds(learned);
        Ok(self)
    }

    /// The method that it was learned by.
    pub const fn method(&self) -> CalibrationMethod {
        match self.0.map {
            Map::Platt(_) => CalibrationMethod::Platt,
            Map::Isotonic(_) => CalibrationMethod::Isotonic,
            Map::Beta(_) => CalibrationMethod::Beta,
            Map::VennAbers(_) => CalibrationMethod::VennAbers,
        }
    }

    /// Whether risk does not rise with the scores that it was learned on, so that all of them have one probability (but for the
    /// order within a block). Most often the labels are turned round, or the scores say nothing.
    pub fn is_constant(&self) -> bool {
        match &self.0.map {
            Map::Platt(map) => map.is_constant(),
            Map::Isotonic(map) => map.is_constant(),
            Map::Beta(map) => map.is_constant(),
            Map::VennAbers(map) => map.is_constant(),
        }
    }

    /// Calibrated log odds of a score.
    ///
    /// # Complexity
    ///
    /// O(1) for Platt and beta, O(log k) for k blocks or distinct scores.
    pub fn log_odds(&self, score: RawScore) -> f64 {
        self.log_odds_of(score.get())
    }

    fn log_odds_of(&self, score: f64) -> f64 {
        let odds = match &self.0.map {
            Map::Platt(map) => map.log_odds(score),
            Map::Isotonic(map) => map.log_odds(score),
            Map::Beta(map) => map.log_odds(score),
            Map::VennAbers(map) => map.log_odds(score),
        };
        // An infinite sum has a sign, which is what is left to say.
        (odds + self.0.shift).clamp(f64::MIN, f64::MAX)
    }

    /// The two probabilities of [`CalibrationMethod::VennAbers`], the lower for the score added as honest: one of the two is
    /// calibrated, whatever the scores. `None` for other methods.
    ///
    /// # Complexity
    ///
    /// O(log k) for k distinct scores.
    pub fn interval(&self, score: RawScore) -> Option<(Probability, Probability)> {
        let Map::VennAbers(map) = &self.0.map else {
            return None;
        };
        let (low, high) = map.interval(score.get());
        let shifted = |share: f64| {
            let inside = share > 0.0 && share < 1.0;
            let moved = if inside {
                probability(log_odds(share) + self.0.shift)
            } else {
                share
            };
            Probability::new(moved).ok()
        };
        Some((shifted(low)?, shifted(high)?))
    }

    /// The probability of fraud at each score.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Score`] for a score that is not finite.
    ///
    /// # Complexity
    ///
    /// As [`Calibrator::log_odds`] a row.
    pub fn calibrate_rows(&self, scores: &[f64]) -> Result<Vec<Probability>, EnsembleError> {
        let calibrated = scores.iter().enumerate().map(|(row, got)| {
            let score = RawScore::new(*got).map_err(|_| EnsembleError::Score { row, got: *got })?;
            self.calibrate(score)
        });
        calibrated.collect()
    }
}

impl Calibrate for Calibrator {
    type Error = EnsembleError;

    fn calibrate(&self, score: RawScore) -> Result<Probability, EnsembleError> {
        let share = probability(self.log_odds(score));
        Probability::new(share).map_err(|_| EnsembleError::Calibration {
            what: "a probability is out of range",
        })
    }
}

/// Checked rows to learn from, ordered by score.
struct Rows {
    /// Rows of weight above 0: score, whether a fraud, weight.
    sorted: Vec<(f64, bool, f64)>,
    fraud: f64,
    honest: f64,
}

impl Rows {
    fn new(
        scores: &[f64],
        frauds: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Self, EnsembleError> {
        check_length("labels", scores.len(), frauds.len())?;
        if let Some(weights) = weights {
            check_length("weights", scores.len(), weights.len())?;
        }
        let mut sorted = Vec::with_capacity(scores.len());
        for (row, (&score, &is_fraud)) in scores.iter().zip(frauds).enumerate() {
            let weight = weights.and_then(|weights| weights.get(row).copied());
            let weight = weight.unwrap_or(1.0);
            if !score.is_finite() {
                return Err(EnsembleError::Score { row, got: score });
            }
            check_weight(row, weight)?;
            if weight > 0.0 {
                // 0.0 and -0.0 are one score.
                sorted.push((score + 0.0, is_fraud, weight));
            }
        }
        if sorted.is_empty() {
            return Err(EnsembleError::NoRows);
        }
        // By label and weight besides, so that sums have one order whatever the order of the rows.
        sorted.sort_unstable_by(|one: &(f64, bool, f64), other: &(f64, bool, f64)| {
            (one.0.total_cmp(&other.0))
                .then(one.1.cmp(&other.1))
                .then(one.2.total_cmp(&other.2))
        });
        let sum_of = |class: bool| -> f64 {
            let rows = sorted.iter().filter(|row| row.1 == class);
            rows.map(|row| row.2).sum()
        };
        let (fraud, honest) = (sum_of(true), sum_of(false));
        let sum = fraud + honest;
        number("sum of weights", sum, "at most 1e15", sum <= MAX_WEIGHT)?;
        check_classes(honest, fraud)?;
        Ok(Self {
            sorted,
            fraud,
            honest,
        })
    }

    /// Distinct scores, ascending, with the weight of all rows and of frauds.
    fn groups(&self) -> Vec<Group> {
        let tied =
            |one: &(f64, bool, f64), other: &(f64, bool, f64)| one.0.total_cmp(&other.0).is_eq();
        let groups = self.sorted.chunk_by(tied).filter_map(|rows| {
            let weights = rows.iter().map(|row| row.2);
            let frauds = rows.iter().filter(|row| row.1).map(|row| row.2);
            Some(Group {
                score: rows.first()?.0,
                weight: weights.sum(),
                fraud: frauds.sum(),
            })
        });
        groups.collect()
    }

    /// Platt's targets of a fraud and of an honest row.
    fn targets(&self) -> (f64, f64) {
        (
            (self.fraud + 1.0) / (self.fraud + 2.0),
            1.0 / (self.honest + 2.0),
        )
    }
}

/// Rows of one score.
#[derive(Debug, Clone, Copy)]
struct Group {
    score: f64,
    weight: f64,
    fraud: f64,
}

/// The probability of log odds, inside of 0 and 1. In this form it falls nowhere where the exponential function does not.
fn probability(log_odds: f64) -> f64 {
    /// The exponential function has a finite, and its inverse a normal value.
    const LOWEST: f64 = -700.0;
    logistic(log_odds.max(LOWEST)).min(1.0 - f64::EPSILON / 2.0)
}

fn sound(what: &'static str, good: bool) -> Result<(), EnsembleError> {
    if good {
        Ok(())
    } else {
        Err(EnsembleError::Calibration { what })
    }
}

#[cfg(test)]
mod tests;
