//! Two models on the same rows.

use super::delong::{DeLongTest, delong};
use super::order::{Order, mean};
use crate::params::{MAX_ROWS, at_most, count, number};
use crate::samples::check_length;
use crate::{EnsembleError, threads};
use dafu_core::metrics::{
    Bootstrap, CardPrecision, CardPrecisionParams, MetricsError, ResampledUnit, brier_score,
    card_precision_at_k, log_loss,
};
use dafu_core::random::Stream;

/// What random streams are for.
const ROWS: u64 = 0x636f_6d70_6172_6531;
const CARD_DAYS: u64 = 0x636f_6d70_6172_6532;
/// Most draws.
const MAX_RESAMPLES: usize = 1_000_000;

/// What is drawn with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Resampling {
    /// Rows, frauds and honest ones each among themselves: what the chance of the rows alone does.
    #[default]
    Rows,
    /// Whole days: rows of a day, and of a card on that day, stay together. The one to believe where rows of a day are alike and
    /// there are days enough, 20 or more.
    Days,
}

/// Parameters of [`compare`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ComparisonParams {
    /// Draws.
    pub resamples: usize,
    /// What is drawn.
    pub resampling: Resampling,
    /// Level of the intervals, between 0 and 1.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for ComparisonParams {
    fn default() -> Self {
        Self {
            resamples: 1000,
            resampling: Resampling::Rows,
            level: 0.95,
            seed: 0,
        }
    }
}

impl ComparisonParams {
    dafu_core::setters! {
        resamples: usize,
        resampling: Resampling,
        level: f64,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("resamples", self.resamples, 20, MAX_RESAMPLES)?;
        let got = self.level;
        let good = got > 0.0 && got < 1.0;
        number("level", got, "between 0 and 1", good)
    }
}

/// Scores of two models for the same rows.
///
/// Shapes: one entry a row in all slices.
#[derive(Debug, Clone, Copy)]
pub struct PairedScores<'a> {
    frauds: &'a [bool],
    first: &'a [f64],
    second: &'a [f64],
    days: Option<&'a [i64]>,
    cards: Option<(&'a [u32], usize)>,
    probabilities: bool,
}

impl<'a> PairedScores<'a> {
    /// Whether each row is a fraud, and what each model says: finite, higher is more suspicious.
    ///
    /// # Errors
    ///
    /// Slices of different lengths, a score that is not finite, too many rows.
    pub fn new(
        frauds: &'a [bool],
        first: &'a [f64],
        second: &'a [f64],
    ) -> Result<Self, EnsembleError> {
        at_most("rows", frauds.len(), MAX_ROWS)?;
        for (what, scores) in [("first", first), ("second", second)] {
            check_length(what, frauds.len(), scores.len())?;
            super::check_scores(what, scores)?;
        }
        Ok(Self {
            frauds,
            first,
            second,
            days: None,
            cards: None,
            probabilities: false,
        })
    }

    /// The scores are probabilities, so their losses are compared as well.
    ///
    /// # Errors
    ///
    /// When one is not from 0 to 1.
    pub fn as_probabilities(mut self) -> Result<Self, EnsembleError> {
        for (what, scores) in [("first", self.first), ("second", self.second)] {
            let mut rows = scores.iter().enumerate();
            if let Some((row, got)) = rows.find(|(_, score)| !(0.0..=1.0).contains(*score)) {
                return Err(EnsembleError::RowOutOfRange {
                    what,
                    row,
                    expected: "a probability, from 0 to 1",
                    got: *got,
                });
            }
        }
        self.probabilities = true;
        Ok(self)
    }

    /// With the day of each row, any number that names it.
    ///
    /// # Errors
    ///
    /// When there are not as many days as rows.
    pub fn with_days(mut self, days: &'a [i64]) -> Result<Self, EnsembleError> {
        check_length("days", self.frauds.len(), days.len())?;
        self.days = Some(days);
        Ok(self)
    }

    /// With the card of each row and how many of them are checked a day, so that card precision is compared as well. Needs days.
    ///
    /// # Errors
    ///
    /// When there are not as many cards as rows.
    pub fn with_cards(mut self, cards: &'a [u32], checked: usize) -> Result<Self, EnsembleError> {
        check_length("cards", self.frauds.len(), cards.len())?;
        self.cards = Some((cards, checked));
        Ok(self)
    }
}

/// One metric of two models.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Difference {
    /// Of the first model.
    pub first: f64,
    /// Of the second model.
    pub second: f64,
    /// Second less first.
    pub difference: f64,
    /// Standard deviation of the differences of the draws.
    pub standard_error: f64,
    /// Interval of the difference: quantiles of those of the draws.
    pub interval: (f64, f64),
    /// Twice the share of draws on the other side of 0.
    pub p_value: f64,
}

/// What [`compare`] found.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Comparison {
    /// Area under the ROC curve.
    pub roc_auc: Difference,
    /// Average precision.
    pub average_precision: Difference,
    /// Log loss; lower is better.
    pub log_loss: Option<Difference>,
    /// Brier score; lower is better.
    pub brier: Option<Difference>,
    /// Card precision, by days whatever is drawn for the others.
    pub card_precision: Option<Difference>,
    /// The same question to ROC AUC without draws; none with fewer than two rows of a class.
    pub delong: Option<DeLongTest>,
    /// Draws without frauds, or without honest rows: they are left out.
    pub left_out: usize,
}

/// Compares two models on the same rows: every draw is of rows with both scores, so that what makes rows hard for both of them
/// does not widen the interval of the difference.
///
/// Determinism: the same bits for any number of threads.
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3 (percentile interval);
/// Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8 (whole days).
///
/// # Errors
///
/// A parameter out of range, rows of one class only, days that are missing where they are needed, fewer than two of them, or more
/// than half of the draws without one of the classes.
///
/// # Complexity
///
/// O(n log n + r n) time for n rows and r draws, O(n) memory a thread.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::{ComparisonParams, PairedScores, compare};
///
/// let frauds: Vec<bool> = (0..400).map(|row| row % 10 == 0).collect();
/// let first: Vec<f64> = (0..400).map(|row| (row * 37 % 100) as f64 / 100.0).collect();
/// let second: Vec<f64> = first.iter().zip(&frauds).map(|(score, fraud)| if *fraud { 0.99 } else { *score }).collect();
///
/// let found = compare(&PairedScores::new(&frauds, &first, &second)?, &ComparisonParams::default())?;
/// assert!(found.roc_auc.interval.0 > 0.0);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub fn compare(
    scores: &PairedScores<'_>,
    params: &ComparisonParams,
) -> Result<Comparison, EnsembleError> {
    params.check()?;
    let rows = scores.frauds.len();
    if rows == 0 {
        return Err(EnsembleError::NoRows);
    }
    for (class, missing) in [("honest", true), ("fraud", false)] {
        if !scores.frauds.contains(&missing) {
            return Err(EnsembleError::SingleClass { class });
        }
    }
    let (unit, days) = match params.resampling {
        Resampling::Rows => (ResampledUnit::Classes, None),
        Resampling::Days => (ResampledUnit::Days, Some(scores.needed_days()?)),
    };
    // Labels turned round: honest rows have always been drawn first.
    let honest: Vec<bool> = scores.frauds.iter().map(|fraud| !fraud).collect();
    let resampler = Bootstrap::default().unit(unit).resampler(&honest, days);
    let resampler = resampler.map_err(EnsembleError::Metrics)?;
    if days.is_some() {
        count("days", resampler.groups(), 2, MAX_ROWS)?;
    }
    let first = Model::new(scores, scores.first)?;
    let second = Model::new(scores, scores.second)?;
    let whole = vec![1; rows];
    let (Some(of_first), Some(of_second)) = (first.metrics(&whole), second.metrics(&whole)) else {
        return Err(EnsembleError::NoRows);
    };
    let drawn = threads::map(params.resamples, |resample| {
        let times = resampler.times(&mut Stream::new(params.seed, ROWS, resample as u64));
        let (first, second) = (first.metrics(&times)?, second.metrics(&times)?);
        Some(std::array::from_fn(|metric| second[metric] - first[metric]))
    });
    let drawn: Vec<[f64; METRICS]> = drawn.into_iter().flatten().collect();
    let left_out = params.resamples - drawn.len();
    count(
        "draws with both classes",
        drawn.len(),
        params.resamples.div_ceil(2),
        MAX_RESAMPLES,
    )?;
    let difference = |metric: usize| {
        let drawn = drawn.iter().map(|drawn| drawn[metric]).collect();
        Difference::new(of_first[metric], of_second[metric], drawn, params.level)
    };
    let loss = |metric: usize| scores.probabilities.then(|| difference(metric));
    let several = |class: &bool| scores.frauds.iter().filter(|fraud| *fraud == class).count() > 1;
    let delong = if [true, false].iter().all(several) {
        let (first, second) = (scores.first, scores.second);
        Some(delong(scores.frauds, first, second, params.level)?)
    } else {
        None
    };
    Ok(Comparison {
        roc_auc: difference(0),
        average_precision: difference(1),
        log_loss: loss(2),
        brier: loss(3),
        card_precision: scores.card_precision(params)?,
        delong,
        left_out,
    })
}

impl PairedScores<'_> {
    fn needed_days(&self) -> Result<&[i64], EnsembleError> {
        let missing = || check_length("days", self.frauds.len(), 0);
        self.days.map_or_else(|| missing().map(|()| &[][..]), Ok)
    }

    /// Days are drawn with the precisions that they had among all days: a card that was found before its day is drawn stays
    /// blocked.
    fn card_precision(
        &self,
        params: &ComparisonParams,
    ) -> Result<Option<Difference>, EnsembleError> {
        let Some((cards, checked)) = self.cards else {
            return Ok(None);
        };
        let days = self.needed_days()?;
        let of = |scores: &[f64]| -> Result<CardPrecision, EnsembleError> {
            let params = CardPrecisionParams::default().k(checked);
            card_precision_at_k(days, cards, self.frauds, scores, &params)
                .map_err(EnsembleError::Metrics)
        };
        let (first, second) = (of(self.first)?, of(self.second)?);
        let pairs = first.days.iter().zip(&second.days);
        let gaps: Vec<f64> = pairs
            .map(|(first, second)| second.precision - first.precision)
            .collect();
        // One day drawn from one day is the same in every draw, which would pass for certainty.
        count("days", gaps.len(), 2, MAX_ROWS)?;
        let drawn = threads::map(params.resamples, |resample| {
            let mut stream = Stream::new(params.seed, CARD_DAYS, resample as u64);
            let draw = |_| gaps.get(stream.index_below(gaps.len())).copied();
            let sum: f64 = (0..gaps.len()).filter_map(draw).sum();
            sum / gaps.len() as f64
        });
        let (first, second) = (first.mean, second.mean);
        Ok(Some(Difference::new(first, second, drawn, params.level)))
    }
}

/// ROC AUC, average precision, log loss, Brier score.
const METRICS: usize = 4;

/// Mean loss of rows.
type Loss = fn(&[bool], &[f64], Option<&[f64]>) -> Result<f64, MetricsError>;

/// One model, ready for draws.
struct Model {
    order: Order,
    /// Losses of each row, where the scores are probabilities.
    losses: Option<[Vec<f64>; 2]>,
}

impl Model {
    fn new(scores: &PairedScores<'_>, of: &[f64]) -> Result<Self, EnsembleError> {
        let losses = |metric: Loss| {
            let rows = scores.frauds.iter().zip(of);
            rows.map(|(fraud, score)| metric(&[*fraud], &[*score], None))
                .collect::<Result<Vec<f64>, _>>()
                .map_err(EnsembleError::Metrics)
        };
        Ok(Self {
            order: Order::new(scores.frauds, of),
            losses: if scores.probabilities {
                Some([losses(log_loss)?, losses(brier_score)?])
            } else {
                None
            },
        })
    }

    /// Where each row counts so many times; none where a class is missing.
    fn metrics(&self, times: &[u32]) -> Option<[f64; METRICS]> {
        let (roc_auc, average_precision) = self.order.areas(times)?;
        let loss = |which: usize| {
            let losses = self.losses.as_ref().map(|losses| losses[which].as_slice());
            losses.map_or(0.0, |losses| mean(losses, times))
        };
        Some([roc_auc, average_precision, loss(0), loss(1)])
    }
}

impl Difference {
    fn new(first: f64, second: f64, mut drawn: Vec<f64>, level: f64) -> Self {
        let draws = drawn.len() as f64;
        let middle = drawn.iter().sum::<f64>() / draws;
        let squares: f64 = drawn.iter().map(|gap| (gap - middle).powi(2)).sum();
        drawn.sort_unstable_by(f64::total_cmp);
        let side = |outside: &dyn Fn(&f64) -> bool| drawn.iter().filter(|gap| outside(gap)).count();
        // The rows themselves count as one draw: no p-value is 0.
        let least = side(&|gap| *gap <= 0.0).min(side(&|gap| *gap >= 0.0)) as f64;
        let tail = (1.0 - level) / 2.0;
        Self {
            first,
            second,
            difference: second - first,
            standard_error: (squares / (draws - 1.0)).sqrt(),
            interval: (quantile(&drawn, tail), quantile(&drawn, 1.0 - tail)),
            p_value: (2.0 * (least + 1.0) / (draws + 1.0)).min(1.0),
        }
    }
}

/// Quantile of rising values, between the two nearest (Hyndman and Fan 1996, type 7).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in the slice"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * (place - place.floor())
}
