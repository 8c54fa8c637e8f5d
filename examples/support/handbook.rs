//! The protocol of the Fraud Detection Handbook: which rows train a model, which ones judge it.

use crate::replayed::Rows;
use dafu::features::{
    Definition, Derived, Feature, FeatureSet, Field, Filter, Labels, Measure, Span, Window,
};
use dafu::metrics::{CardPrecisionParams, Ranking, card_precision_at_k};
use std::collections::BTreeSet;
use std::error::Error;
use std::ops::Range;

/// Where the book's transactions lie under `DAFU_DATA`.
pub const FILE: &str = "handbook/transactions_2018-04-01_2018-08-14.csv.gz";
/// First training day of the week that the book judges by.
pub const TRAIN_START: &str = "2018-07-25";

/// ROC AUC, average precision, card precision at 100.
pub type Metrics = [f64; 3];

/// What the book reports. The tuned ones are means over four weeks.
pub const PUBLISHED: [(&str, Metrics); 8] = [
    ("logistic regression (chapter 3)", [0.871, 0.606, 0.291]),
    ("decision tree, depth 2 (chapter 3)", [0.763, 0.496, 0.241]),
    ("random forest (chapter 3)", [0.867, 0.658, 0.287]),
    ("XGBoost (chapter 3)", [0.862, 0.639, 0.273]),
    ("XGBoost, tuned, 4 weeks (chapter 5)", [0.869, 0.687, 0.303]),
    (
        "feed-forward network, tuned, 4 weeks (chapter 7)",
        [0.876, 0.675, 0.303],
    ),
    ("LSTM, tuned, 4 weeks (chapter 7)", [0.876, 0.665, 0.297]),
    ("LSTM, single run (chapter 7)", [0.857, 0.658, 0.279]),
];

/// The metrics of the book.
///
/// # Errors
///
/// For rows of one class, a score that is not finite, slices of different lengths.
pub fn metrics(
    days: &[i64],
    customers: &[u32],
    frauds: &[bool],
    scores: &[f64],
) -> Result<Metrics, Box<dyn Error>> {
    let ranking = Ranking::new(frauds, scores, None)?;
    let params = CardPrecisionParams::default().k(100);
    let cards = card_precision_at_k(days, customers, frauds, scores, &params)?;
    Ok([ranking.roc_auc()?, ranking.average_precision()?, cards.mean])
}

/// The number of a day such as `2018-07-25`.
///
/// # Errors
///
/// When it is no date.
pub fn day(date: &str) -> Result<i64, Box<dyn Error>> {
    Ok(format!("{date}T00:00:00Z")
        .parse::<dafu::Timestamp>()?
        .day())
}

/// A training week, days until its labels are known, and a test week. Days are counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// First training day.
    pub start: i64,
    /// Training days.
    pub train: i64,
    /// Days between training and test, in which labels become known.
    pub delay: i64,
    /// Test days.
    pub test: i64,
    /// Day from which on models learn, where that is before the training days.
    pub learn_from: Option<i64>,
}

impl Split {
    /// The days that models learn from: the training days, or all from an earlier one.
    pub fn learn_days(&self) -> Range<i64> {
        let first = self.learn_from.unwrap_or(self.start);
        first.min(self.start)..self.train_days().end
    }

    /// The training days.
    pub fn train_days(&self) -> Range<i64> {
        self.start..self.start + self.train
    }

    /// The test days.
    pub fn test_days(&self) -> Range<i64> {
        let first = self.start + self.train + self.delay;
        first..first + self.test
    }

    /// The same some weeks earlier.
    #[must_use]
    pub fn earlier(self, weeks: i64) -> Self {
        Self {
            start: self.start - 7 * weeks,
            ..self
        }
    }

    /// The rows to learn from and those to judge with. On a test day those customers are left out whose fraud is known
    /// by then: with a fraud in the training days, or on a later day that lies more than the delay before it.
    pub fn rows(&self, rows: &Rows) -> (Vec<usize>, Vec<usize>) {
        let on = |days: Range<i64>| {
            let within = move |row: &usize| days.contains(&rows.days[*row]);
            (0..rows.days.len()).filter(within)
        };
        let train: Vec<usize> = on(self.learn_days()).collect();
        let mut known: BTreeSet<u32> = BTreeSet::new();
        let frauds = |row: usize| rows.frauds[row].then_some(rows.customers[row]);
        known.extend(on(self.train_days()).filter_map(frauds));
        let mut test = Vec::new();
        for (k, day) in self.test_days().enumerate() {
            let judged = self.train_days().end + k as i64 - 1;
            known.extend(on(judged..judged + 1).filter_map(frauds));
            test.extend(on(day..day + 1).filter(|&row| !known.contains(&rows.customers[row])));
        }
        (train, test)
    }
}

/// The Handbook's 15 features, with labels that are known after this many days.
///
/// # Errors
///
/// For a delay of no or too many days.
pub fn handbook_set(delay: i64) -> Result<FeatureSet, Box<dyn Error>> {
    let delay = Span::days(u16::try_from(delay)?);
    let mut set = FeatureSet::handbook().labels(Labels::AfterDelay(delay));
    for feature in &mut set.features {
        if let Definition::Window(window) = &mut feature.definition
            && window.delay > Span::ZERO
        {
            window.delay = delay;
        }
    }
    Ok(set)
}

/// The Handbook's features and, as of the same instant, how the amount compares with the customer's and the
/// terminal's own history, what is known by then of frauds at the terminal and of the customer, and when they
/// happened. Chosen on earlier weeks than the four that are judged.
///
/// # Errors
///
/// As [`handbook_set`].
pub fn rich_set(delay: i64) -> Result<FeatureSet, Box<dyn Error>> {
    let known = Span::days(u16::try_from(delay)?);
    let label = |k: u8| Window::new(Field::Merchant, Measure::LastLabel { k }).delay(known);
    let recent = Window::new(Field::Merchant, Measure::Count).within(Span::days(3));
    let mut set = handbook_set(delay)?
        .features(amounts())
        .feature(recent)
        .features([14, 28].map(|days| merchant_rate(days, known)))
        .features([1, 2, 3].map(label));
    // A terminal that was taken over is put right weeks later: frauds of long ago speak for it.
    for weeks in 1..4 {
        let age = Span::days(u16::try_from(delay + 7 * weeks)?);
        set = set.feature(merchant_rate(7, age));
    }
    for days in [7, 14, 28] {
        // Large amounts are frauds of their own: they say nothing about the terminal.
        let window = Window::new(Field::Merchant, Measure::FraudCount).within(Span::days(days));
        let ordinary = window.delay(known).filter(Filter::AmountBelow(LARGE));
        let name = format!("merchant_ordinary_fraud_count_{days}d");
        set = set.feature(Feature::from(ordinary).named(name));
    }
    let customer = |days: u16| {
        let window = Window::new(Field::User, Measure::FraudCount);
        window.within(Span::days(days)).delay(known)
    };
    Ok(set
        .features([7, 14, 30].map(customer))
        .features([Field::Merchant, Field::User].map(|by| Window::new(by, Measure::SinceFraud))))
}

/// [`FeatureSet::standard`] with labels that are known after so many days.
///
/// # Errors
///
/// For a delay that is no span.
pub fn standard_set(delay: i64) -> Result<FeatureSet, Box<dyn Error>> {
    let known = Span::days(u16::try_from(delay)?);
    Ok(FeatureSet::standard_with_delay(known).labels(Labels::AfterDelay(known)))
}

/// A large amount, in major units: few honest ones reach it.
const LARGE: f64 = 220.0;

/// The amount beside those of the customer and of the terminal.
fn amounts() -> Vec<Feature> {
    let own = |measure: Measure, days: &[u16]| -> Vec<Feature> {
        let window = |days: &u16| {
            let window = Window::new(Field::User, measure.clone());
            window.within(Span::days(*days)).include_self(false).into()
        };
        days.iter().map(window).collect()
    };
    let usual = |measure| Window::new(Field::Merchant, measure).within(Span::days(30));
    let mut features = Vec::new();
    for measure in [Measure::Ratio, Measure::ZScore, Measure::Rank] {
        features.extend(own(measure, &[14, 30, 90]));
    }
    features.extend([Measure::Ratio, Measure::ZScore].map(|measure| usual(measure).into()));
    features.extend(own(Measure::Max, &[1, 7, 14, 30]));
    features.extend(own(Measure::Quantile { permille: 500 }, &[30]));
    let over = Derived::Ratio {
        of: "amount".to_owned(),
        over: "user_median_amount_30d".to_owned(),
    };
    features.push(Feature::from(over).named("user_amount_over_median_30d"));
    features
}

/// Share of frauds at a terminal in this many days that ended so long ago.
fn merchant_rate(days: u16, ago: Span) -> Window {
    let rate = Measure::FraudRate {
        prior_frauds: 0.1,
        prior_events: 10.0,
    };
    let window = Window::new(Field::Merchant, rate);
    window.within(Span::days(days)).delay(ago)
}

/// A random order (Fisher and Yates) that is the same on every machine.
pub fn shuffle(values: &mut [f64], seed: u64) {
    let mut state = seed;
    for last in (1..values.len()).rev() {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // Up to 2^64 by less than 2^64: the high half is below the second factor.
        let other = (u128::from(mixed) * (last as u128 + 1)) >> 64;
        values.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

/// Mean and standard deviation of some metrics; without the latter for a single one.
pub fn spread(all: &[Metrics]) -> (Metrics, Option<Metrics>) {
    let count = all.len() as f64;
    let mean = [0, 1, 2].map(|at| all.iter().map(|one| one[at]).sum::<f64>() / count);
    let deviation = [0, 1, 2].map(|at| {
        let squares = all.iter().map(|one| (one[at] - mean[at]).powi(2));
        (squares.sum::<f64>() / (count - 1.0)).sqrt()
    });
    (mean, (all.len() > 1).then_some(deviation))
}

/// Prints a line: means, and deviations where there are several.
pub fn print_row(name: &str, all: &[Metrics]) {
    let (mean, deviation) = spread(all);
    let mut line = format!("{name:<50}");
    for at in 0..3 {
        let spread = deviation.map_or(String::new(), |spread| format!(" ({:.3})", spread[at]));
        line += &format!("{:>8.3}{spread:<8}", mean[at]);
    }
    println!("{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::{Rows, Split};

    #[test]
    fn customers_leave_once_their_fraud_is_known() {
        let split = Split {
            start: 10,
            train: 2,
            delay: 3,
            test: 3,
            learn_from: None,
        };
        assert_eq!((split.train_days(), split.test_days()), (10..12, 15..18));
        assert_eq!(split.earlier(1).start, 3);
        // Day, customer, fraud.
        let rows = [
            (9, 1, true),   // before the training
            (10, 2, false), // learned from
            (11, 3, true),  // learned from; 3 is never judged
            (12, 4, true),  // known on day 16
            (13, 5, true),  // known on day 17
            (14, 6, true),  // known too late
            (15, 1, false), // 6: judged
            (15, 3, true),
            (15, 4, true), // 8: judged
            (16, 4, true),
            (16, 5, true), // 10: judged
            (17, 5, true),
            (17, 6, true), // 12: judged
            (18, 2, false),
        ];
        let rows = Rows {
            days: rows.iter().map(|row| row.0).collect(),
            customers: rows.iter().map(|row| row.1).collect(),
            frauds: rows.iter().map(|row| row.2).collect(),
            ..Rows::default()
        };
        let (train, test) = split.rows(&rows);
        assert_eq!(train, [1, 2]);
        assert_eq!(test, [6, 8, 10, 12]);
    }
}
