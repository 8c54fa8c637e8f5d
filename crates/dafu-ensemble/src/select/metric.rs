//! What learners are judged by.

use crate::EnsembleError;
use crate::logistic::chance;
use dafu_core::metrics::{
    CardPrecisionParams, CardRows, MetricsError, average_precision, log_loss, roc_auc,
};
use std::fmt;

/// Rows with what a model says about them.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Numbers of the rows among all samples.
    pub rows: &'a [usize],
    /// Whether each is a fraud.
    pub frauds: &'a [bool],
    /// Log odds of fraud of each.
    pub log_odds: &'a [f64],
    /// Weight of each, where given.
    pub weights: Option<&'a [f64]>,
}

type Function<'a> = dyn Fn(&Judged<'_>) -> Result<f64, MetricsError> + Send + Sync + 'a;

enum Kind<'a> {
    RocAuc,
    AveragePrecision,
    LogLoss,
    CardPrecision {
        days: &'a [i64],
        customers: &'a [u32],
        params: CardPrecisionParams,
    },
    Function(Box<Function<'a>>),
}

/// A number that says how well log odds fit labels.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::select::{Judged, Metric};
///
/// let judged = Judged { rows: &[0, 1], frauds: &[false, true], log_odds: &[-3.0, 2.0], weights: None };
/// assert_eq!(Metric::roc_auc().of(&judged)?, Some(1.0));
/// let frauds = Metric::function("frauds", true, |judged| {
///     Ok(judged.frauds.iter().filter(|fraud| **fraud).count() as f64)
/// });
/// assert_eq!(frauds.of(&judged)?, Some(1.0));
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub struct Metric<'a> {
    name: String,
    higher_is_better: bool,
    kind: Kind<'a>,
}

impl fmt::Debug for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric")
            .field("name", &self.name)
            .field("higher_is_better", &self.higher_is_better)
            .finish_non_exhaustive()
    }
}

impl<'a> Metric<'a> {
    fn new(name: &str, higher_is_better: bool, kind: Kind<'a>) -> Self {
        Self {
            name: name.to_owned(),
            higher_is_better,
            kind,
        }
    }

    /// Area under the ROC curve.
    pub fn roc_auc() -> Self {
        Self::new("roc_auc", true, Kind::RocAuc)
    }

    /// Average precision.
    pub fn average_precision() -> Self {
        Self::new("average_precision", true, Kind::AveragePrecision)
    }

    /// Log loss of the probabilities; lower is better.
    pub fn log_loss() -> Self {
        Self::new("log_loss", false, Kind::LogLoss)
    }

    /// Card precision at k; `days` and `customers` are of all samples, not of the judged rows alone.
    pub fn card_precision(
        days: &'a [i64],
        customers: &'a [u32],
        params: CardPrecisionParams,
    ) -> Self {
        let kind = Kind::CardPrecision {
            days,
            customers,
            params,
        };
        Self::new(&format!("card_precision_at_{}", params.k), true, kind)
    }

    /// Any function of the judged rows.
    pub fn function(
        name: &str,
        higher_is_better: bool,
        of: impl Fn(&Judged<'_>) -> Result<f64, MetricsError> + Send + Sync + 'a,
    ) -> Self {
        Self::new(name, higher_is_better, Kind::Function(Box::new(of)))
    }

    /// The name, as tables show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a higher value is a better one.
    pub const fn higher_is_better(&self) -> bool {
        self.higher_is_better
    }

    /// The value turned so that higher is better.
    pub(crate) const fn merit(&self, value: f64) -> f64 {
        if self.higher_is_better { value } else { -value }
    }

    /// The metric; `None` where it is undefined because all rows that count are of one class.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Metric`] for rows that cannot be judged otherwise, [`EnsembleError::MetricNotFinite`] for a
    /// function that gives no finite number.
    pub fn of(&self, judged: &Judged<'_>) -> Result<Option<f64>, EnsembleError> {
        match self.value(judged) {
            Ok(got) if got.is_finite() => Ok(Some(got)),
            Ok(got) => Err(EnsembleError::MetricNotFinite {
                name: self.name.clone(),
                got,
            }),
            Err(MetricsError::SingleClass { .. }) => Ok(None),
            Err(source) => Err(EnsembleError::Metric {
                name: self.name.clone(),
                source,
            }),
        }
    }

    fn value(&self, judged: &Judged<'_>) -> Result<f64, MetricsError> {
        let Judged {
            rows,
            frauds,
            log_odds,
            weights,
        } = *judged;
        match &self.kind {
            Kind::RocAuc => roc_auc(frauds, log_odds, weights),
            Kind::AveragePrecision => average_precision(frauds, log_odds, weights),
            Kind::LogLoss => {
                let chances: Vec<f64> = log_odds.iter().map(|odds| chance(*odds)).collect();
                log_loss(frauds, &chances, weights)
            }
            Kind::CardPrecision {
                days,
                customers,
                params,
            } => {
                let days = of_rows("days", days, rows)?;
                let customers = of_rows("customers", customers, rows)?;
                let cards = CardRows::new(&days, &customers, frauds, log_odds).weights(weights);
                Ok(cards.precision_at_k(params)?.mean)
            }
            Kind::Function(of) => of(judged),
        }
    }
}

fn of_rows<T: Copy>(
    what: &'static str,
    values: &[T],
    rows: &[usize],
) -> Result<Vec<T>, MetricsError> {
    let values_of = rows.iter().map(|row| {
        values
            .get(*row)
            .copied()
            .ok_or(MetricsError::LengthMismatch {
                what,
                expected: row + 1,
                got: values.len(),
            })
    });
    values_of.collect()
}
