//! An LSTM over the last payments of each customer, for the Handbook protocol; and what it adds to another model.

use crate::replayed::{Features, Rows};
use dafu::Timestamp;
use dafu::metrics::{Bootstrap, Interval};
use dafu::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::training::Training;
use dafu_sequence::{SequenceClassifier, SequenceParams};
use ndarray::ArrayView2;
use std::error::Error;
use std::ops::Range;

/// Days before those to learn from, whose payments are read as context.
pub const CONTEXT_DAYS: i64 = 30;
/// Payments of a window.
const LENGTH: usize = 10;
/// Scaled numbers are held within minus this and this. Risks of terminals are nearly always 0 and at times 1, which is
/// twenty deviations away: held within 8, average precision was 0.04 lower.
const CLIP: f64 = 30.0;
/// Purpose of the draws of [`paired_change`].
const PAIRED: u64 = 0x7061_6972;

type Done<T> = Result<T, Box<dyn Error>>;

/// Chosen on training weeks from 2018-06-06, 06-13 and 06-20, earlier than the four that are judged.
fn params(seed: u64) -> SequenceParams {
    SequenceParams::default()
        .sequence_length(LENGTH)
        .hidden_units(32)
        .dropout(0.2)
        .batch_size(64)
        .epochs(10)
        .learning_rate(3e-3)
        .seed(seed)
}

/// Rows as histories of customers.
#[derive(Debug, Clone, Copy)]
pub struct Customers<'a> {
    /// All rows that were kept, those between and before the others included.
    pub rows: &'a Rows,
    /// Their columns.
    pub features: &'a Features,
    /// Rows to learn from.
    pub train: &'a [usize],
    /// Rows to judge.
    pub test: &'a [usize],
}

/// Mean and deviation of a column over the rows to learn from.
#[derive(Debug, Clone, Copy)]
struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    /// Of the values that are there.
    fn of(column: ndarray::ArrayView1<'_, f64>) -> Self {
        let there = || column.iter().copied().filter(|value| !value.is_nan());
        let count = there().count().max(1) as f64;
        let mean = there().sum::<f64>() / count;
        let squares: f64 = there().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (squares / count).sqrt().max(1e-9),
        }
    }

    /// A missing value is as the mean.
    fn apply(self, value: f64) -> f32 {
        if value.is_nan() {
            return 0.0;
        }
        ((value - self.mean) / self.deviation).clamp(-CLIP, CLIP) as f32
    }
}

/// An LSTM that judges a payment by the last payments of the same customer.
#[derive(Debug)]
pub struct Lstm<'a> {
    customers: Customers<'a>,
    scales: Vec<Scale>,
    model: SequenceClassifier,
}

impl<'a> Lstm<'a> {
    /// Learns from the labels of the training rows. Earlier payments of the customers are read, and their labels are not.
    ///
    /// # Errors
    ///
    /// When there is nothing to learn from, or all labels are the same.
    pub fn fit(customers: Customers<'a>, train: ArrayView2<'_, f64>, seed: u64) -> Done<Self> {
        let scales: Vec<Scale> = train.columns().into_iter().map(Scale::of).collect();
        let histories = Histories::new(&customers, &scales, None)?;
        let spans = histories.windows(customers.train);
        let training = Training::new(SequenceSet::new(&histories.events, &spans)?);
        let model = params(seed).fit_classifier(&training)?;
        Ok(Self {
            customers,
            scales,
            model,
        })
    }

    /// Log odds of the test rows, of which these are the columns.
    ///
    /// # Errors
    ///
    /// For other columns than those learned from.
    pub fn log_odds(&self, test: ArrayView2<'_, f64>) -> Done<Vec<f64>> {
        let histories = Histories::new(&self.customers, &self.scales, Some(test))?;
        let spans = histories.windows(self.customers.test);
        let set = SequenceSet::new(&histories.events, &spans)?;
        let log_odds = self.model.log_odds(set)?;
        Ok(log_odds.into_iter().map(f64::from).collect())
    }
}

/// Rows, customer after customer.
struct Histories {
    events: Events,
    /// The window that ends with each event.
    windows: Vec<Span>,
    /// The event of each row.
    places: Vec<Option<usize>>,
}

impl Histories {
    /// Test rows have the columns of `test` where it is given.
    fn new(
        customers: &Customers<'_>,
        scales: &[Scale],
        test: Option<ArrayView2<'_, f64>>,
    ) -> Done<Self> {
        let Customers { rows, features, .. } = customers;
        let days = context(&rows.days, customers.train, customers.test);
        let mut learned = vec![false; rows.days.len()];
        for &row in customers.train {
            learned[row] = true;
        }
        let mut judged = vec![None; rows.days.len()];
        for (place, &row) in customers.test.iter().enumerate() {
            judged[row] = Some(place);
        }
        let read = (0..rows.days.len()).filter(|row| days.contains(&rows.days[*row]));
        let mut order: Vec<usize> = read.collect();
        // Stable: payments of a customer stay in the order of time.
        order.sort_by_key(|row| rows.customers[*row]);

        let mut builder = Events::builder(scales.len(), &[]);
        let mut places = vec![None; rows.days.len()];
        let mut numbers = vec![0.0; scales.len()];
        for (event, &row) in order.iter().enumerate() {
            if event > 0 && rows.customers[order[event - 1]] != rows.customers[row] {
                builder.end_entity();
            }
            let given = test.zip(judged[row]);
            for (column, (number, scale)) in numbers.iter_mut().zip(scales).enumerate() {
                let value = given.map_or(features.row(row)[column], |(test, place)| {
                    test[[place, column]]
                });
                *number = scale.apply(value);
            }
            let inputs = EventNumbers {
                numeric: &numbers,
                codes: &[],
            };
            // Only the order counts: time itself is in the columns.
            let time = Timestamp::from_micros(i64::try_from(row)?)?;
            builder.push(time, inputs, learned[row].then_some(rows.frauds[row]))?;
            places[row] = Some(event);
        }
        let events = builder.build();
        Ok(Self {
            windows: events.windows(LENGTH),
            events,
            places,
        })
    }

    fn windows(&self, rows: &[usize]) -> Vec<Span> {
        let places = rows.iter().filter_map(|row| self.places[*row]);
        places.map(|event| self.windows[event]).collect()
    }
}

/// The days that are read.
fn context(days: &[i64], train: &[usize], test: &[usize]) -> Range<i64> {
    let first = train.iter().map(|row| days[*row]).min();
    let last = train.iter().chain(test).map(|row| days[*row]).max();
    first.unwrap_or_default() - CONTEXT_DAYS..last.unwrap_or(-1) + 1
}

/// Scores of the test rows of a week, by seed.
pub type Seeds = Vec<Vec<f64>>;

/// Log odds of boosted trees, which have no seed, mixed with those of an LSTM of this weight; by week.
pub fn mixed(trees: &[Seeds], lstm: &[Seeds], weight: f64) -> Vec<Seeds> {
    let mix = |trees: &[f64], lstm: &[f64]| -> Vec<f64> {
        let both = trees.iter().zip(lstm);
        both.map(|(trees, lstm)| (1.0 - weight) * trees + weight * lstm)
            .collect()
    };
    let weeks = trees.iter().zip(lstm);
    weeks
        .map(|(trees, lstm)| lstm.iter().map(|lstm| mix(&trees[0], lstm)).collect())
        .collect()
}

/// By how much average precision changes from the one to the other model, as the mean over weeks and seeds, with a
/// bootstrap interval: both are judged on the same draws. Of the first, one seed is looked at.
///
/// # Errors
///
/// For a week without rows.
pub fn paired_change(
    frauds: &[&[bool]],
    (before, after): (&[Seeds], &[Seeds]),
    bootstrap: &Bootstrap,
) -> Done<Interval> {
    let mut weeks = Vec::new();
    for (frauds, (before, after)) in frauds.iter().zip(before.iter().zip(after)) {
        let after = after.iter().map(|scores| Order::new(frauds, scores));
        weeks.push((
            bootstrap.resampler(frauds, None)?,
            Order::new(frauds, &before[0]),
            after.collect::<Vec<_>>(),
        ));
    }
    let change = |times: &dyn Fn(usize) -> Vec<u32>| -> f64 {
        let changes = weeks.iter().enumerate().map(|(at, (_, before, after))| {
            let times = times(at);
            let seeds = after.len().max(1) as f64;
            let after = after.iter().map(|after| after.average_precision(&times));
            after.sum::<f64>() / seeds - before.average_precision(&times)
        });
        changes.sum::<f64>() / weeks.len().max(1) as f64
    };
    let whole = change(&|at| vec![1; frauds[at].len()]);
    let drawn = (0..bootstrap.resamples as u64).map(|number| {
        change(&|at| {
            let seed = bootstrap.seed.wrapping_add(at as u64);
            weeks[at].0.times(&mut Stream::new(seed, PAIRED, number))
        })
    });
    Ok(bootstrap.interval(whole, drawn.collect()))
}

/// Rows by falling score, sorted once for all draws.
struct Order {
    /// Row, whether it is a fraud, and whether the next one has another score.
    rows: Vec<(usize, bool, bool)>,
}

impl Order {
    fn new(frauds: &[bool], scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        let rows = order.iter().enumerate().map(|(at, &row)| {
            let next = order.get(at + 1).map(|next| scores[*next]);
            (row, frauds[row], next != Some(scores[row]))
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// As `dafu::metrics::average_precision`, each row counted so many times.
    fn average_precision(&self, times: &[u32]) -> f64 {
        let (mut found, mut alerts, mut tied, mut sum) = (0, 0, 0, 0.0);
        for &(row, fraud, last) in &self.rows {
            let times = u64::from(times[row]);
            alerts += times;
            tied += if fraud { times } else { 0 };
            if last && tied > 0 {
                found += tied;
                sum += tied as f64 * found as f64 / alerts as f64;
                tied = 0;
            }
        }
        sum / (found.max(1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{Customers, Histories, Order, Scale, paired_change};
    use crate::replayed::{Features, Rows};
    use dafu::metrics::{Bootstrap, average_precision};

    #[test]
    fn draws_are_counted_as_rows() {
        let frauds: Vec<bool> = (0..60).map(|row| row % 7 == 0).collect();
        let scores: Vec<f64> = (0..60).map(|row| f64::from(row * 11 % 13)).collect();
        let times: Vec<u32> = (0..60).map(|row| row * 5 % 4).collect();
        let rows = (0..60).flat_map(|row| vec![row; times[row] as usize]);
        let rows: Vec<usize> = rows.collect();
        let labels: Vec<bool> = rows.iter().map(|row| frauds[*row]).collect();
        let drawn: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
        let expected = average_precision(&labels, &drawn, None).unwrap();
        let got = Order::new(&frauds, &scores).average_precision(&times);
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }

    #[test]
    fn a_better_model_changes_for_the_better() {
        let frauds: Vec<bool> = (0..200).map(|row| row % 10 == 0).collect();
        let before: Vec<f64> = (0..200).map(|row| f64::from(row * 7 % 31)).collect();
        let after: Vec<f64> = before
            .iter()
            .zip(&frauds)
            .map(|(score, fraud)| score + if *fraud { 20.0 } else { 0.0 })
            .collect();
        let weeks = (&[vec![before]][..], &[vec![after]][..]);
        let bootstrap = Bootstrap::default().resamples(200);
        let change = paired_change(&[&frauds], weeks, &bootstrap).unwrap();
        assert!(change.lower > 0.0 && change.lower < change.value && change.value < change.upper);
    }

    #[test]
    fn a_window_reads_earlier_payments_of_the_customer_and_no_labels_of_them() {
        let columns = vec!["amount".to_owned()];
        let values = (0..8).map(f64::from).collect();
        let features = Features::new("set", columns, values);
        let rows = Rows {
            days: vec![1, 2, 3, 4, 5, 6, 7, 8],
            customers: vec![9, 4, 9, 4, 9, 9, 4, 9],
            frauds: vec![true, false, true, false, true, true, false, true],
            ..Rows::default()
        };
        let customers = Customers {
            rows: &rows,
            features: &features,
            train: &[2, 3],
            test: &[6, 7],
        };
        let scale = Scale {
            mean: 0.0,
            deviation: 1.0,
        };
        let histories = Histories::new(&customers, &[scale], None).unwrap();
        let spans = histories.windows(&[7]);
        let read =
            (spans[0].start..spans[0].end).map(|event| histories.events.numbers(event).numeric[0]);
        assert_eq!(read.collect::<Vec<_>>(), [0.0, 2.0, 4.0, 5.0, 7.0]);
        let labelled = (0..8).filter(|event| histories.events.label(*event).is_some());
        assert_eq!(labelled.count(), 2);
    }
}
