//! The protocol of the Fraud Detection Handbook: which rows train a model, which ones judge it.

use dafu::features::{
    Definition, Derived, Feature, FeatureEngine, FeatureSet, Field, Filter, Labels, LatePolicy,
    Measure, Span, Window,
};
use dafu::ingest::{FileSource, IngestParams};
use dafu::metrics::{CardPrecisionParams, Ranking, card_precision_at_k};
use dafu::{Label, Progress, Role, TableSource};
use ndarray::{Array2, ArrayViewMut1};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

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

/// The rows of the days that are wanted, in the order of the file.
#[derive(Debug, Default)]
pub struct Rows {
    /// Day of each row.
    pub days: Vec<i64>,
    /// Customer of each row, numbered as they come.
    pub customers: Vec<u32>,
    /// Whether each row is a fraud.
    pub frauds: Vec<bool>,
    /// The features of each row, by set.
    pub sets: Vec<Features>,
    /// Rows of the whole file.
    pub read: u64,
}

/// The features of some rows.
#[derive(Debug, Clone)]
pub struct Features {
    /// Name of the set.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row after row.
    values: Vec<f64>,
}

impl Features {
    /// The rows of these numbers as a matrix.
    ///
    /// # Errors
    ///
    /// None in practice: rows of another length than the columns.
    pub fn matrix(&self, rows: &[usize]) -> Result<Array2<f64>, Box<dyn Error>> {
        let width = self.columns.len();
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            values.extend_from_slice(&self.values[row * width..(row + 1) * width]);
        }
        Ok(Array2::from_shape_vec((rows.len(), width), values)?)
    }

    /// The columns of a smaller set.
    ///
    /// # Errors
    ///
    /// For a column that is not there.
    pub fn of_set(&self, name: &str, set: &FeatureSet) -> Result<Self, Box<dyn Error>> {
        let schema = set.schema()?;
        let wanted = schema.features().iter().map(|spec| spec.name.to_string());
        let columns: Vec<String> = wanted.collect();
        let places = columns.iter().map(|column| {
            let place = self.columns.iter().position(|own| own == column);
            place.ok_or_else(|| format!("no column {column}").into())
        });
        let places: Vec<usize> = places.collect::<Result<_, Box<dyn Error>>>()?;
        let rows = self.values.chunks_exact(self.columns.len());
        Ok(Self {
            name: name.to_owned(),
            values: rows
                .flat_map(|row| places.iter().map(|&place| row[place]))
                .collect(),
            columns,
        })
    }
}

/// Opens a file for [`replay`].
///
/// # Errors
///
/// When it cannot be read.
pub fn open(path: &Path) -> Result<FileSource, Box<dyn Error>> {
    Ok(FileSource::open(path, &wide())?)
}

/// Wide chunks: the engine works through the entities of a chunk one after the other.
pub fn wide() -> IngestParams {
    IngestParams::default().chunk_rows(1 << 16)
}

/// Replays a file through several sets of features at once and keeps the rows of some days. All rows before them are
/// remembered by the engines, none is held here.
///
/// # Errors
///
/// When the file cannot be read, has no time, user or label, or is not in order of time.
pub fn replay(
    source: &FileSource,
    sets: &[(&str, FeatureSet)],
    days: &Range<i64>,
    progress: &dyn Progress,
) -> Result<Rows, Box<dyn Error>> {
    let mut rows = Rows::default();
    let mut engines = Vec::new();
    for (name, set) in sets {
        let set = set.clone().lateness(Span::ZERO, LatePolicy::Error);
        let engine = FeatureEngine::new(&set)?;
        rows.sets.push(Features {
            name: (*name).to_owned(),
            columns: engine
                .schema()
                .features()
                .iter()
                .map(|spec| spec.name.to_string())
                .collect(),
            values: Vec::new(),
        });
        engines.push(engine);
    }
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for table in source.tables()? {
        let table = table?;
        rows.read += table.rows() as u64;
        let times = table.by_role(Role::Time).and_then(|column| column.times());
        let times = times.ok_or("the file has no time")?;
        let day = |row: usize| times[row].map(dafu::Timestamp::day);
        let kept = |row: &usize| day(*row).is_some_and(|day| days.contains(&day));
        let kept: Vec<usize> = (0..table.rows()).filter(kept).collect();
        for (engine, features) in engines.iter_mut().zip(&mut rows.sets) {
            let dataset = engine.observe_table(&table)?;
            for &row in &kept {
                features.values.extend(dataset.values().row(row));
            }
        }
        let users = table.by_role(Role::User).and_then(|column| column.texts());
        let users = users.ok_or("the file has no user")?;
        let labels = table
            .by_role(Role::Label)
            .and_then(|column| column.labels());
        let labels = labels.ok_or("the file has no label")?;
        for row in kept {
            let next = u32::try_from(numbers.len())?;
            let user = users.at(row).unwrap_or_default();
            rows.customers
                .push(*numbers.entry(user.to_owned()).or_insert(next));
            rows.days.extend(day(row));
            rows.frauds.push(labels[row] == Label::Fraud);
        }
        progress.report("replay", rows.read, source.rows_hint());
        // The file is in order of time: nothing after this table is wanted.
        let last = table.rows().checked_sub(1).and_then(day);
        if last.is_some_and(|last| last >= days.end) {
            break;
        }
    }
    Ok(rows)
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

/// Medians of columns, to put where a value is missing.
#[derive(Debug, Clone)]
pub struct Medians(Vec<f64>);

impl Medians {
    /// Of the values that are there; 0 for a column without any.
    pub fn of(rows: &Array2<f64>) -> Self {
        let median = |column: ndarray::ArrayView1<'_, f64>| {
            let mut values: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            values.sort_by(f64::total_cmp);
            let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
            match (values.get(low), values.get(high)) {
                (Some(low), Some(high)) => f64::midpoint(*low, *high),
                _ => 0.0,
            }
        };
        Self(rows.columns().into_iter().map(median).collect())
    }

    /// Puts them where a value is missing.
    pub fn fill(&self, rows: &mut Array2<f64>) {
        let fill = |(mut column, median): (ArrayViewMut1<'_, f64>, &f64)| {
            column.mapv_inplace(|value| if value.is_nan() { *median } else { value });
        };
        rows.columns_mut().into_iter().zip(&self.0).for_each(fill);
    }
}

/// Writes a matrix as little-endian f64, row after row.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_matrix(path: &Path, rows: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(fs::write(path, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::{Medians, Rows, Split};
    use ndarray::array;

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

    #[test]
    fn medians_leave_out_missing_values() {
        let nan = f64::NAN;
        let mut rows = array![[1.0, nan], [nan, nan], [3.0, nan], [9.0, nan]];
        let medians = Medians::of(&rows);
        medians.fill(&mut rows);
        assert_eq!(rows, array![[1.0, 0.0], [3.0, 0.0], [3.0, 0.0], [9.0, 0.0]]);
    }
}
