//! Card precision at k: how well the daily work of investigators is spent.

use std::collections::HashSet;

use super::MetricsError;
use super::input::{check_length, check_not_empty, check_scores};
use super::ranking::order_key;

/// Parameters of [`card_precision_at_k`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CardPrecisionParams {
    /// Cards that the investigators can check on one day. Default 100.
    pub k: usize,
    /// Whether a card found with a fraud on one day is blocked, so that its later rows are no
    /// longer judged. Default true.
    pub remove_detected: bool,
}

impl Default for CardPrecisionParams {
    fn default() -> Self {
        Self {
            k: 100,
            remove_detected: true,
        }
    }
}

impl CardPrecisionParams {
    /// Sets the number of cards checked per day.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Sets whether detected cards leave the pool.
    #[must_use]
    pub fn remove_detected(mut self, remove: bool) -> Self {
        self.remove_detected = remove;
        self
    }
}

/// Card precision of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DayPrecision {
    /// The day, as given.
    pub day: i64,
    /// Cards with a row on that day, without those that left the pool.
    pub cards: u64,
    /// Cards among them with a fraud on that day: the most that could be detected.
    pub compromised: u64,
    /// Cards with a fraud on that day among the k checked.
    pub detected: u64,
    /// `detected / k`.
    pub precision: f64,
}

/// Card precision over all days.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CardPrecision {
    /// Mean of the daily precisions.
    pub mean: f64,
    /// The days that have rows, ascending.
    pub days: Vec<DayPrecision>,
}

/// Card precision at k: per day, the share of cards with a fraud among the k cards with the
/// highest scores; then the mean over the days.
///
/// Per day and customer the score is the highest one of the rows and the label is fraud when any
/// row is. The two may come from different rows: an alert on the card, not on the row, counts.
/// The daily precision divides by k even when fewer cards are left. A day on which all cards have
/// left the pool has precision 0 and counts in the mean. All this is as in the code of the
/// Handbook. Where the Handbook leaves the order of equal scores open, the lower customer number
/// is checked first here, so that the result does not depend on the order of the rows.
///
/// There are no weights: a card is checked or it is not.
///
/// # Shapes
///
/// One element per row in all slices. `days[i]` is any day number (days since an epoch),
/// `customers[i]` any number that names the card or customer.
///
/// # Errors
///
/// Slices of different lengths or without rows, a NaN or infinite score, `k` of 0.
///
/// # Complexity
///
/// O(n log n) for n rows; 32 bytes a row.
///
/// Source: Le Borgne, Siblini, Lebichot and Bontempi 2022, *Reproducible Machine Learning for
/// Credit Card Fraud Detection*, chapter 4 section 4; Dal Pozzolo 2015, *Adaptive Machine
/// Learning for Credit Card Fraud Detection*.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{CardPrecisionParams, card_precision_at_k};
///
/// let days = [0, 0, 0, 1, 1];
/// let customers = [7, 7, 8, 7, 8];
/// let labels = [false, true, false, true, true];
/// let scores = [0.9, 0.2, 0.5, 0.9, 0.4];
/// let params = CardPrecisionParams::default().k(1);
/// let result = card_precision_at_k(&days, &customers, &labels, &scores, &params)?;
/// // Day 0 checks card 7 and finds it; day 1 checks card 8, since 7 is blocked.
/// assert_eq!(result.mean, 1.0);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
pub fn card_precision_at_k(
    days: &[i64],
    customers: &[u32],
    labels: &[bool],
    scores: &[f64],
    params: &CardPrecisionParams,
) -> Result<CardPrecision, MetricsError> {
    let rows = days.len();
    check_length("customers", customers.len(), rows)?;
    check_length("labels", labels.len(), rows)?;
    check_length("scores", scores.len(), rows)?;
    check_not_empty(rows)?;
    check_scores(scores)?;
    if params.k == 0 {
        return Err(MetricsError::InvalidParameter {
            name: "k",
            requirement: "at least 1",
            got: 0.0,
        });
    }

    let mut sorted: Vec<CardRow> = (0..rows)
        .map(|row| CardRow {
            day: days[row],
            customer: customers[row],
            order: order_key(scores[row]),
            fraud: labels[row],
        })
        .collect();
    sorted.sort_unstable_by_key(|row| (row.day, row.customer));

    let mut gone = HashSet::new();
    let mut results = Vec::new();
    let mut cards = Vec::new();
    for day in sorted.chunk_by(|a, b| a.day == b.day) {
        cards.clear();
        cards.extend(
            day.chunk_by(|a, b| a.customer == b.customer)
                .filter(|card| !gone.contains(&card[0].customer))
                .filter_map(card_of),
        );
        let checked = most_suspicious(&mut cards, params.k);
        let mut detected = 0_u64;
        for card in checked.iter().filter(|card| card.fraud) {
            detected += 1;
            if params.remove_detected {
                gone.insert(card.customer);
            }
        }
        results.push(DayPrecision {
            day: day[0].day,
            cards: cards.len() as u64,
            compromised: cards.iter().filter(|card| card.fraud).count() as u64,
            detected,
            precision: detected as f64 / params.k as f64,
        });
    }
    let sum: f64 = results.iter().map(|day| day.precision).sum();
    Ok(CardPrecision {
        mean: sum / results.len() as f64,
        days: results,
    })
}

/// A row, or with the lowest order (the highest score) and any fraud a card on one day.
#[derive(Debug, Clone, Copy)]
struct CardRow {
    day: i64,
    customer: u32,
    order: u64,
    fraud: bool,
}

fn card_of(rows: &[CardRow]) -> Option<CardRow> {
    rows.iter().copied().reduce(|card, row| CardRow {
        order: card.order.min(row.order),
        fraud: card.fraud || row.fraud,
        ..card
    })
}

fn most_suspicious(cards: &mut [CardRow], k: usize) -> &[CardRow] {
    if k >= cards.len() {
        return cards;
    }
    let (checked, _, _) = cards.select_nth_unstable_by_key(k, |card| (card.order, card.customer));
    checked
}
