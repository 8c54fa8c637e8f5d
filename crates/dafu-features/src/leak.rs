//! A test that features read nothing of the future.

use crate::set::Span;
use dafu_core::{Dataset, Label, Timestamp, Transaction};

/// Places in the history at which the future is changed.
const CUTS: usize = 12;

/// A feature that reads the future, or an error on the way to finding out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PointInTimeError<E: std::error::Error + 'static> {
    /// A feature of an earlier event changed with what came later.
    #[error(
        "feature {feature:?} of row {row} ({at}) was {before} and is {after} once {change} from {cut} on: it reads \
         the future"
    )]
    Leak {
        /// Name of the feature.
        feature: String,
        /// Its row.
        row: usize,
        /// Time of the row.
        at: Timestamp,
        /// From when on the history was changed.
        cut: Timestamp,
        /// What was changed.
        change: &'static str,
        /// The value with the history as it is.
        before: f64,
        /// The value with the changed history.
        after: f64,
    },
    /// The history is not in order of time.
    #[error("the history is not in order of time: row {row} comes before the one ahead of it")]
    Order {
        /// The first row out of order.
        row: usize,
    },
    /// The features have another number of rows than the history.
    #[error("the features have {got} rows, the history has {expected}")]
    Rows {
        /// Rows of the history.
        expected: usize,
        /// Rows of the features.
        got: usize,
    },
    /// The features of a part of the history have other columns than those of all of it.
    #[error(
        "the features have columns that depend on the history: {got} instead of {expected}, or other names"
    )]
    Columns {
        /// Columns for the whole history.
        expected: usize,
        /// Columns for a changed one.
        got: usize,
    },
    /// Computing the features failed.
    #[error("the features cannot be computed: {0}")]
    Compute(#[source] E),
}

/// Checks that the features of each event depend on nothing that came after it: neither later events nor labels that
/// were not known yet.
///
/// `compute` gives the features of a history, a row for each transaction; labels are known `label_delay` after their
/// events. At some places in the history what comes later is left out, has its labels turned, and changes amounts and
/// parties; no bit of an earlier row may change. It works for features of any origin, not only those of
/// [`crate::FeatureEngine`]:
///
/// ```
/// use dafu_features::{assert_point_in_time, FeatureEngine, FeatureSet, Labels, Span};
/// # use dafu_core::{Currency, Money, Transaction};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let history: Vec<Transaction> = (0..60_u32)
/// #     .map(|n| {
/// #         let paid = Money::from_major(f64::from(3 + n % 7), Currency::new("EUR")?)?;
/// #         let at = format!("2026-03-{:02}T{:02}:30:00Z", 1 + n / 3, n % 24).parse()?;
/// #         let (user, shop) = (format!("u-{}", n % 3), format!("m-{}", n % 2));
/// #         Ok(Transaction::new(format!("t-{n}").parse()?, user.parse()?, paid, shop.parse()?, at).with_label(n % 13 == 0))
/// #     })
/// #     .collect::<Result<_, dafu_core::CoreError>>()?;
/// # let mut history = history;
/// # history.sort_by_key(|tx| tx.timestamp);
/// let delay = Span::days(7);
/// let set = FeatureSet::standard().labels(Labels::AfterDelay(delay));
/// assert_point_in_time(&history, delay, |events| FeatureEngine::new(&set)?.observe_all(events))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`PointInTimeError::Leak`] names the feature, the row and what it reacted to; [`PointInTimeError::Compute`] passes an
/// error of `compute` on.
///
/// # Complexity
///
/// Up to 37 calls of `compute`.
pub fn assert_point_in_time<E: std::error::Error + 'static>(
    history: &[Transaction],
    label_delay: Span,
    mut compute: impl FnMut(&[Transaction]) -> Result<Dataset, E>,
) -> Result<(), PointInTimeError<E>> {
    let times = history.iter().zip(history.iter().skip(1)).enumerate();
    for (row, (one, next)) in times {
        if next.timestamp < one.timestamp {
            return Err(PointInTimeError::Order { row: row + 1 });
        }
    }
    let whole = features(history, &mut compute)?;
    for cut in cuts(history) {
        let changes: [(&'static str, Vec<Transaction>); 3] = [
            ("events are left out", history[..cut].to_vec()),
            ("labels are turned", turned(history, cut, label_delay)),
            ("events are changed", changed(history, cut)),
        ];
        for (change, other) in changes {
            let features = features(&other, &mut compute)?;
            compare(&whole, &features, history, (cut, change))?;
        }
    }
    Ok(())
}

fn features<E: std::error::Error + 'static>(
    history: &[Transaction],
    compute: &mut impl FnMut(&[Transaction]) -> Result<Dataset, E>,
) -> Result<Dataset, PointInTimeError<E>> {
    let features = compute(history).map_err(PointInTimeError::Compute)?;
    if features.rows() == history.len() {
        Ok(features)
    } else {
        Err(PointInTimeError::Rows {
            expected: history.len(),
            got: features.rows(),
        })
    }
}

/// Rows that are later than the row before them, spread over the history.
fn cuts(history: &[Transaction]) -> Vec<usize> {
    let later = |row: &usize| history[*row].timestamp > history[*row - 1].timestamp;
    let all: Vec<usize> = (1..history.len()).filter(later).collect();
    let step = all.len().div_ceil(CUTS).max(1);
    all.into_iter().step_by(step).collect()
}

/// The history with every label turned that is not known before the cut.
fn turned(history: &[Transaction], cut: usize, delay: Span) -> Vec<Transaction> {
    let cut = history[cut].timestamp.as_micros();
    let mut other = history.to_vec();
    for tx in &mut other {
        if tx.timestamp.as_micros().saturating_add(delay.as_micros()) >= cut {
            tx.is_fraud = match tx.is_fraud {
                Label::Fraud => Label::Legitimate,
                Label::Legitimate | Label::Unknown => Label::Fraud,
            };
        }
    }
    other
}

/// The history with other parties and amounts from the cut on.
fn changed(history: &[Transaction], cut: usize) -> Vec<Transaction> {
    let mut other = history.to_vec();
    let (earlier, later) = other.split_at_mut(cut);
    let known = earlier.len();
    for (place, tx) in later.iter_mut().enumerate() {
        let from = &earlier[place * 7 % known];
        tx.user_id = from.user_id.clone();
        tx.merchant_id = from.merchant_id.clone();
        tx.device.clone_from(&from.device);
        tx.card.clone_from(&from.card);
        tx.category.clone_from(&from.category);
        tx.country.clone_from(&from.country);
        tx.extras.clone_from(&from.extras);
        (tx.ip, tx.merchant_location) = (from.ip, from.merchant_location);
        let minor = tx.amount.minor() / 2 + 1;
        tx.amount = dafu_core::Money::from_minor(minor, from.amount.currency());
    }
    other
}

fn compare<E: std::error::Error + 'static>(
    whole: &Dataset,
    other: &Dataset,
    history: &[Transaction],
    (cut, change): (usize, &'static str),
) -> Result<(), PointInTimeError<E>> {
    if whole.schema() != other.schema() {
        return Err(PointInTimeError::Columns {
            expected: whole.schema().width(),
            got: other.schema().width(),
        });
    }
    let (before, after) = (whole.values(), other.values());
    for (row, tx) in history.iter().enumerate().take(cut) {
        for (column, spec) in whole.schema().features().iter().enumerate() {
            let (before, after) = (before[[row, column]], after[[row, column]]);
            if before.to_bits() != after.to_bits() {
                return Err(PointInTimeError::Leak {
                    feature: spec.name.to_string(),
                    row,
                    at: tx.timestamp,
                    cut: history[cut].timestamp,
                    change,
                    before,
                    after,
                });
            }
        }
    }
    Ok(())
}
