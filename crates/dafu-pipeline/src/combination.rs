//! From what the stages say to a risk.
#![cfg_attr(
    not(feature = "ensemble"),
    expect(
        unused_variables,
        clippy::unnecessary_wraps,
        reason = "nothing is calibrated without the feature"
    )
)]

use crate::{PipelineError, RiskMap};
#[cfg(feature = "ensemble")]
use dafu_core::RawScore;
#[cfg(any(feature = "ensemble", feature = "sequence"))]
use dafu_core::regression::logistic;
use dafu_core::{Probability, Score};
#[cfg(feature = "ensemble")]
use dafu_ensemble::Calibrator;
use serde::{Deserialize, Serialize};

/// Scores nearer to 0 or 1 than this have its log odds.
#[cfg(feature = "ensemble")]
const NEAREST: f64 = 1e-12;
/// Largest weight or intercept of a saved combination.
#[cfg(feature = "ensemble")]
const MOST: f64 = 1e12;

/// How the scores of stages become one statistic a row, and that a risk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Combination {
    /// Without labels.
    Tails(Tails),
    /// With labels.
    #[cfg(feature = "ensemble")]
    Calibrated(Calibrated),
}

/// The statistic is the score itself for one stage, the mean of `-ln e` over several; the risk tells how many training
/// rows reach it.
///
/// Source: Fisher, "Statistical Methods for Research Workers" (1932), section 21.1: minus twice the sum of the
/// logarithms of independent tail probabilities. The stages are not independent, so no chi-squared table is used; the
/// risk map learns the distribution from training rows instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tails {
    /// From each stage's score to its tail.
    pub(crate) stage_maps: Vec<RiskMap>,
    pub(crate) risk_map: RiskMap,
}

/// The statistic is the calibrated log odds of a weighted sum of the stages' log odds; the risk is its probability.
#[cfg(feature = "ensemble")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibrated {
    pub(crate) weights: Vec<f64>,
    pub(crate) intercept: f64,
    pub(crate) calibrator: Calibrator,
    /// What share of rows reach a statistic.
    pub(crate) shares: RiskMap,
}

/// As it is saved, whatever this build can use.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SavedCombination {
    Tails(Tails),
    Calibrated {
        weights: Vec<f64>,
        intercept: f64,
        /// As JSON: what is read is checked whatever the method is.
        calibrator: String,
        shares: RiskMap,
    },
}

impl Combination {
    /// One statistic a row, from the scores of each stage.
    pub(crate) fn statistic(&self, scores: &[Vec<f64>]) -> Vec<f64> {
        match self {
            Self::Tails(tails) => tails.statistic(scores),
            #[cfg(feature = "ensemble")]
            Self::Calibrated(calibrated) => calibrated.statistic(scores),
        }
    }

    pub(crate) fn risk(&self, statistic: f64) -> Score {
        match self {
            Self::Tails(tails) => tails.risk_map.risk(statistic),
            #[cfg(feature = "ensemble")]
            Self::Calibrated(_) => Score::new(probability(statistic)).unwrap_or(Score::ZERO),
        }
    }

    /// The probability that a row is fraud, where it was calibrated.
    pub(crate) fn probability(&self, risk: Score) -> Option<Probability> {
        match self {
            Self::Tails(_) => None,
            #[cfg(feature = "ensemble")]
            Self::Calibrated(_) => Probability::new(risk.get()).ok(),
        }
    }

    /// Share of rows like the training rows that reach a risk above 0.
    pub(crate) fn expected_share(&self, risk: f64) -> f64 {
        match self {
            Self::Tails(tails) => tails.risk_map.expected_share(risk),
            #[cfg(feature = "ensemble")]
            Self::Calibrated(calibrated) => {
                let share = calibrated.shares.ln_share(log_odds(risk)).exp();
                share.clamp(0.0, 1.0)
            }
        }
    }

    /// How much a stage counts among the others.
    pub(crate) fn weight(&self, stage: usize) -> f64 {
        match self {
            Self::Tails(_) => 1.0,
            #[cfg(feature = "ensemble")]
            Self::Calibrated(calibrated) => {
                calibrated.weights.get(stage).copied().unwrap_or_default()
            }
        }
    }

    /// Whether a decoded combination fits so many stages and contamination levels.
    pub(crate) fn is_sound(&self, stages: usize, levels: usize) -> bool {
        let fits = |map: &RiskMap| map.is_sound() && map.level_count() == levels;
        match self {
            Self::Tails(tails) => {
                tails.stage_maps.len() == stages
                    && tails.stage_maps.iter().all(fits)
                    && fits(&tails.risk_map)
            }
            #[cfg(feature = "ensemble")]
            Self::Calibrated(calibrated) => {
                let weights = &calibrated.weights;
                weights.len() == stages
                    && weights.iter().all(|weight| (0.0..=MOST).contains(weight))
                    && calibrated.intercept.abs() <= MOST
                    && fits(&calibrated.shares)
            }
        }
    }

    pub(crate) fn to_saved(&self) -> Result<SavedCombination, PipelineError> {
        Ok(match self {
            Self::Tails(tails) => SavedCombination::Tails(tails.clone()),
            #[cfg(feature = "ensemble")]
            Self::Calibrated(calibrated) => SavedCombination::Calibrated {
                weights: calibrated.weights.clone(),
                intercept: calibrated.intercept,
                calibrator: serde_json::to_string(&calibrated.calibrator)
                    .map_err(|error| crate::saved::broken(error.to_string()))?,
                shares: calibrated.shares.clone(),
            },
        })
    }

    pub(crate) fn from_saved(saved: SavedCombination) -> Result<Self, PipelineError> {
        match saved {
            SavedCombination::Tails(tails) => Ok(Self::Tails(tails)),
            #[cfg(feature = "ensemble")]
            SavedCombination::Calibrated {
                weights,
                intercept,
                calibrator,
                shares,
            } => Ok(Self::Calibrated(Calibrated {
                weights,
                intercept,
                calibrator: serde_json::from_str(&calibrator)
                    .map_err(|error| crate::saved::broken(error.to_string()))?,
                shares,
            })),
            #[cfg(not(feature = "ensemble"))]
            SavedCombination::Calibrated { .. } => {
                let what = "its risk is calibrated: switch on the feature `ensemble`";
                Err(crate::saved::broken(what.to_owned()).into())
            }
        }
    }
}

impl Tails {
    /// The maps of training scores, one list a stage, and the statistic of each row.
    pub(crate) fn fit(scores: &[Vec<f64>], levels: &[f64], main: usize) -> (Self, Vec<f64>) {
        let fit = |scores: &Vec<f64>| RiskMap::fit(scores.clone(), levels, main);
        let stage_maps: Vec<RiskMap> = scores.iter().map(fit).collect();
        let statistic = statistic_of(scores, &stage_maps);
        let risk_map = fit(&statistic);
        let tails = Self {
            stage_maps,
            risk_map,
        };
        (tails, statistic)
    }

    fn statistic(&self, scores: &[Vec<f64>]) -> Vec<f64> {
        statistic_of(scores, &self.stage_maps)
    }
}

fn statistic_of(scores: &[Vec<f64>], maps: &[RiskMap]) -> Vec<f64> {
    match scores {
        [] => Vec::new(),
        [single] => single.clone(),
        [first, ..] => (0..first.len())
            .map(|row| {
                let tails = scores
                    .iter()
                    .zip(maps)
                    .map(|(scores, map)| -map.ln_share(scores[row]));
                tails.sum::<f64>() / scores.len() as f64
            })
            .collect(),
    }
}

#[cfg(feature = "ensemble")]
impl Calibrated {
    fn statistic(&self, scores: &[Vec<f64>]) -> Vec<f64> {
        let sums = weighted_sums(scores, (&self.weights, self.intercept)).into_iter();
        let calibrated = |sum| RawScore::new(sum).map_or(0.0, |sum| self.calibrator.log_odds(sum));
        sums.map(calibrated).collect()
    }
}

/// Weighted sums of the log odds of stages, one a row.
#[cfg(feature = "ensemble")]
pub(crate) fn weighted_sums(scores: &[Vec<f64>], (weights, intercept): (&[f64], f64)) -> Vec<f64> {
    let rows = scores.first().map_or(0, Vec::len);
    let sum = |row: usize| -> f64 {
        let parts = scores.iter().zip(weights);
        intercept
            + parts
                .map(|(scores, weight)| weight * log_odds(scores[row]))
                .sum::<f64>()
    };
    (0..rows).map(sum).collect()
}

/// Log odds of a score from 0 to 1; finite.
#[cfg(feature = "ensemble")]
pub(crate) fn log_odds(score: f64) -> f64 {
    let score = score.clamp(NEAREST, 1.0 - NEAREST);
    (score / (1.0 - score)).ln()
}

/// Probability of log odds, below 1: a threshold of 1 is above all rows.
#[cfg(any(feature = "ensemble", feature = "sequence"))]
pub(crate) fn probability(log_odds: f64) -> f64 {
    logistic(log_odds).min(1.0 - f64::EPSILON / 2.0)
}
