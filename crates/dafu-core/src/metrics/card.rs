//! Card precision at k: how well the daily work of investigators is spent.

use std::collections::HashSet;

use super::MetricsError;
use super::input::{
    check_length, check_not_empty, check_scores, check_total, check_weights, ratio, weight_of,
};
use super::ranking::order_key;

/// Parameters of [`card_precision_at_k`] and [`CardRows::precision_at_k`].
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
    /// `detected / k`; with weights as [`CardRows`] defines it.
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
/// For rows with weights see [`CardRows`].
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
/// O(n log n) for n rows; 32 bytes a row beside the result.
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
    CardRows::new(days, customers, labels, scores).precision_at_k(params)
}

/// The rows of [`card_precision_at_k`], with optional weights.
///
/// # Weights
///
/// - The weight of a card on a day is the largest weight of its rows on that day, as its score is
///   their highest score. Weights that belong to the card (a sampling weight, say) are the same in
///   all of its rows, and are taken as they are.
/// - The precision of a day is the weight of the detected cards divided by the weight of all cards
///   checked. Where fewer than k cards are left, each unused check counts with the mean weight of
///   those checked: the result is that share times checked cards / k. A day without cards has 0.
/// - The mean gives each day the same part, since each has one budget of k checks.
/// - `k` counts cards, whatever their weight; weights do not change which cards are checked.
/// - Rows of weight zero are as if they were not there: neither their score nor their label
///   counts, and a day with no other rows is no day.
///
/// Weights that are all 1 give the result without weights, to the bit. Multiplying all weights by
/// the same factor changes the precisions by rounding only. The counts of [`DayPrecision`] stay
/// counts of cards.
///
/// The weights are an extension: the Handbook has none.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{CardPrecisionParams, CardRows};
///
/// let days = [0, 0, 0, 0];
/// let customers = [7, 7, 8, 9];
/// let labels = [false, true, false, false];
/// let scores = [0.9, 0.2, 0.5, 0.1];
/// let weights = [1.0, 3.0, 1.0, 5.0];
/// let params = CardPrecisionParams::default().k(2);
/// let rows = CardRows::new(&days, &customers, &labels, &scores).weights(Some(&weights));
/// // Cards 7 (weight 3, a fraud) and 8 (weight 1) are checked.
/// assert_eq!(rows.precision_at_k(&params)?.mean, 0.75);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CardRows<'a> {
    days: &'a [i64],
    customers: &'a [u32],
    labels: &'a [bool],
    scores: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> CardRows<'a> {
    /// Rows without weights, one element per row in all slices; checked when a metric is taken.
    pub fn new(
        days: &'a [i64],
        customers: &'a [u32],
        labels: &'a [bool],
        scores: &'a [f64],
    ) -> Self {
        Self {
            days,
            customers,
            labels,
            scores,
            weights: None,
        }
    }

    /// Sets the weights of the rows, `None` for no weights.
    #[must_use]
    pub fn weights(mut self, weights: Option<&'a [f64]>) -> Self {
        self.weights = weights;
        self
    }

    /// Card precision at k of these rows; see [`card_precision_at_k`].
    ///
    /// # Errors
    ///
    /// Slices of different lengths or without rows, a NaN or infinite score, a negative or
    /// non-finite weight, all weights zero, a sum of weights beyond `f64`, `k` of 0.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n rows; 32 bytes a row beside the result.
    pub fn precision_at_k(
        &self,
        params: &CardPrecisionParams,
    ) -> Result<CardPrecision, MetricsError> {
        self.check()?;
        if params.k == 0 {
            return Err(MetricsError::InvalidParameter {
                name: "k",
                requirement: "at least 1",
                got: 0.0,
            });
        }
        let sorted = self.sorted();
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
            let precision = precision_of(checked, params.k);
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
                precision,
            });
        }
        let sum: f64 = results.iter().map(|day| day.precision).sum();
        Ok(CardPrecision {
            mean: sum / results.len() as f64,
            days: results,
        })
    }

    fn check(&self) -> Result<(), MetricsError> {
        let rows = self.days.len();
        check_length("customers", self.customers.len(), rows)?;
        check_length("labels", self.labels.len(), rows)?;
        check_length("scores", self.scores.len(), rows)?;
        check_not_empty(rows)?;
        check_scores(self.scores)?;
        check_weights(self.weights, rows)?;
        self.weights
            .map_or(Ok(()), |weights| check_total(weights.iter().sum()))
    }

    /// The rows of weight above zero by day and customer.
    fn sorted(&self) -> Vec<CardDay> {
        let mut sorted: Vec<CardDay> = (0..self.days.len())
            .map(|row| CardDay {
                day: self.days[row],
                customer: self.customers[row],
                order: order_key(self.scores[row]),
                fraud: self.labels[row],
                weight: weight_of(self.weights, row),
            })
            .filter(|row| row.weight > 0.0)
            .collect();
        sorted.sort_unstable_by_key(|row| (row.day, row.customer));
        sorted
    }
}

/// A card on one day: one row, or with the lowest order (the highest score), any fraud and the
/// largest weight all of its rows.
#[derive(Debug, Clone, Copy)]
struct CardDay {
    day: i64,
    customer: u32,
    order: u64,
    fraud: bool,
    weight: f64,
}

fn card_of(rows: &[CardDay]) -> Option<CardDay> {
    rows.iter().copied().reduce(|card, row| CardDay {
        order: card.order.min(row.order),
        fraud: card.fraud || row.fraud,
        weight: card.weight.max(row.weight),
        ..card
    })
}

fn most_suspicious(cards: &mut [CardDay], k: usize) -> &[CardDay] {
    if k >= cards.len() {
        return cards;
    }
    let (checked, _, _) = cards.select_nth_unstable_by_key(k, |card| (card.order, card.customer));
    checked
}

/// Precision of at most `k` checked cards; exactly detected / k when all weights are 1.
fn precision_of(checked: &[CardDay], k: usize) -> f64 {
    let (mut detected, mut total) = (0.0, 0.0);
    for card in checked {
        total += card.weight;
        if card.fraud {
            detected += card.weight;
        }
    }
    if checked.len() == k {
        ratio(detected, total)
    } else {
        // Dividing by the mean weight first keeps weights of 1 exact and cannot overflow.
        ratio(detected, total / checked.len() as f64) / k as f64
    }
}
