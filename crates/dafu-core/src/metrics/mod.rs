//! Metrics of fraud detectors: of a ranking, of decisions at a threshold, of probabilities.
//!
//! Slices in, plain structs out. `labels` are `true` for a fraud, `scores` are higher for rows
//! that are more suspicious, and a threshold alerts the rows with `score >= threshold`.
//!
//! ```
//! use dafu_core::metrics::{Ranking, ThresholdGoal};
//!
//! let labels = [false, false, true, false, true, false];
//! let scores = [0.10, 0.20, 0.90, 0.60, 0.70, 0.05];
//! let ranking = Ranking::new(&labels, &scores, None)?; // sorts once
//! assert_eq!(ranking.roc_auc()?, 1.0);
//! assert_eq!(ranking.average_precision()?, 1.0);
//! assert_eq!(ranking.precision_at_k(4)?, 0.5);
//! let best = ranking.best_threshold(&ThresholdGoal::MaxFBeta { beta: 1.0 })?;
//! assert_eq!(best.threshold, 0.70);
//! # Ok::<(), dafu_core::metrics::MetricsError>(())
//! ```
//!
//! # Which metric for fraud
//!
//! Frauds are rare (often below 1 in 100) and every alert takes time of a person. So:
//!
//! - **There is a budget of alerts** (investigators check so many a day): [`card_precision_at_k`]
//!   where they check cards, [`Ranking::precision_at_k`] and [`Ranking::recall_at_k`] where they
//!   check single transactions. Choose the threshold with [`ThresholdGoal::AlertBudget`], or
//!   [`daily_threshold`] for a budget a day.
//! - **Money decides**: [`Ranking::cost_at`] with the amount as the cost of a missed fraud, the
//!   threshold by [`ThresholdGoal::MinCost`], and [`AmountSplit::value_detection_rate`].
//! - **A promise about the alerts** ("9 of 10 are real"): [`ThresholdGoal::PrecisionFloor`].
//! - **Models are compared before any of this is decided**:
//!   [`average precision`](Ranking::average_precision), which looks at the top of the ranking.
//!   [`ROC AUC`](Ranking::roc_auc) is comparable over files with different shares of fraud, but it
//!   counts the order among honest rows that nobody will ever look at: 0.95 can be a useless alert
//!   list where frauds are 1 in 1,000. Give both.
//! - **The score is used as a probability** (expected loss, blending): [`brier_score`],
//!   [`log_loss`] and [`calibration`] with quantile bins, [`calibration_line`], and
//!   [`top_calibration`] for the rows that matter.
//! - **Not**: accuracy. Alerting nobody has 0.99.
//!
//! # Definitions
//!
//! With tp, fp, tn, fn the [`Confusion`] counts, each a sum of row weights:
//!
//! | metric | definition | source |
//! |---|---|---|
//! | precision, recall | tp / (tp + fp), tp / (tp + fn) | van Rijsbergen 1979 |
//! | F-beta | (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp) | van Rijsbergen 1979 |
//! | MCC | (tp tn - fp fn) / sqrt((tp+fp)(tp+fn)(tn+fp)(tn+fn)) | Matthews 1975 |
//! | ROC AUC | P(score of a fraud > score of an honest row), ties one half | Fawcett 2006 |
//! | average precision | sum over thresholds of (recall gained) x precision | Davis & Goadrich 2006 |
//! | KS | largest distance of true and false positive rate | Kolmogorov 1933, Smirnov 1939 |
//! | card precision@k | mean over days of frauded cards among the k highest / k | Handbook, chapter 4 |
//! | lift | precision in the top share / share of frauds | |
//! | log loss | mean of -ln(probability of what came true) | Good 1952 |
//! | Brier score | mean of (probability - label)^2 | Brier 1950 |
//! | expected calibration error | mean over bins of abs(observed - predicted) | Naeini et al. 2015 |
//! | skill | 1 - loss / loss of always saying the prior | Murphy 1988 |
//! | calibration slope, intercept | logistic regression of the label on the log odds | Cox 1958 |
//! | cost | sum of a cost per decision and row | Elkan 2001 |
//!
//! Handbook: Le Borgne, Siblini, Lebichot and Bontempi 2022, *Reproducible Machine Learning for
//! Credit Card Fraud Detection*.
//!
//! # Rules that hold everywhere
//!
//! - NaN never sorts in silence: a score that is NaN or infinite is
//!   [`MetricsError::NonFiniteScore`] with its row.
//! - A ratio of counts whose denominator is zero is 0 (as `zero_division=0` in scikit-learn). A
//!   metric of a whole ranking (areas, curves, KS) with one class only is
//!   [`MetricsError::SingleClass`].
//! - Weights are optional, finite and not negative. Rows of weight zero are as if they were not
//!   there. A weight of 2 is the same as the row twice, except where rows or cards are counted:
//!   `k` of precision@k, quantiles, and card precision, whose weights [`CardRows`] defines.
//! - Results do not depend on the order of the rows: those of a [`Ranking`] to the bit, other sums
//!   up to rounding.
//! - Equal scores are one threshold. Where a budget ends inside of them, the expectation over a
//!   random order is taken ([`Ranking::top_k`]).
//!
//! # More rows than memory
//!
//! [`BinnedRanking`], [`ProbabilityLoss`], [`UniformCalibration`] and [`Confusion::merge`] take
//! rows in chunks and merge. The first becomes a [`Ranking`] with one step per bin, so every metric
//! of this page works on it; its documentation says what the bins cost.

mod binned;
mod bootstrap;
mod brier;
mod calibration;
mod calibration_line;
mod card;
mod confusion;
mod cost;
mod curve;
mod daily;
mod error;
#[cfg(feature = "serde")]
mod infinity;
mod input;
mod probability;
mod ranking;
mod share;
mod threshold;
mod top_calibration;
mod top_k;

pub use binned::BinnedRanking;
pub use bootstrap::{Bootstrap, Interval, Resample, ResampledUnit, Resampler};
pub use brier::{BrierDecomposition, brier_decomposition, brier_skill, log_loss_skill};
pub use calibration::{
    Calibration, CalibrationBin, CalibrationBinning, UniformCalibration, calibration,
};
pub use calibration_line::{CalibrationLine, calibration_line};
pub use card::{CardPrecision, CardPrecisionParams, CardRows, DayPrecision, card_precision_at_k};
pub use confusion::Confusion;
pub use cost::{Cost, Costs, cost};
pub use curve::{
    Bounds, CurvePoints, KolmogorovSmirnov, PrecisionRecallCurve, RocCurve, average_precision,
    roc_auc,
};
pub use daily::{DailyAlerts, DailyBudget, DailyThreshold, daily_alerts, daily_threshold};
pub use error::{Class, MetricsError};
pub use probability::{ProbabilityLoss, brier_score, log_loss};
pub use ranking::{AmountSplit, Ranking};
pub use share::share_interval;
pub use threshold::{ThresholdChoice, ThresholdGoal};
pub use top_calibration::{TopCalibration, TopCalibrationParams, top_calibration};
