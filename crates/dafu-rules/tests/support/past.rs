//! Past events in which rules are planted.

use dafu_core::{Label, Timestamp, Unit};
use dafu_rules::optimize::{Judged, MineParams, Mined};
use dafu_rules::{Columns, Condition, RuleError, RuleSchema, TextColumn, Truth, Variable};
use ndarray::Array2;

pub(crate) const DAY: i64 = 86_400;

/// Numbers that look random, from 0 to below 1.
pub(crate) fn noise(seed: u64, row: usize, column: usize) -> f64 {
    let mut state =
        seed ^ (row as u64 * 64 + column as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)) as f64 / 2_f64.powi(64)
}

/// Events of a hundred days.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) numbers: Array2<f64>,
    pub(crate) countries: Vec<Option<&'static str>>,
    pub(crate) labels: Vec<Label>,
    pub(crate) times: Vec<Timestamp>,
}

impl Past {
    /// Amounts to 2000, distances to 5000 km, shares, counts to 20, flags, countries.
    pub(crate) fn new(events: usize, seed: u64) -> Self {
        let numbers = Array2::from_shape_fn((events, 5), |(row, column)| {
            let value = noise(seed, row, column);
            match column {
                0 => (value * 200_000.0).round() / 100.0,
                1 => value * 5000.0,
                2 => value,
                3 => (value * 20.0).floor(),
                _ => f64::from(value < 0.3),
            }
        });
        let country =
            |row| [Some("DE"), Some("AT"), None, Some("XX")][(noise(seed, row, 6) * 4.0) as usize];
        let time = |row| row as i64 * 100 * DAY / events as i64;
        Self {
            numbers,
            countries: (0..events).map(country).collect(),
            labels: vec![Label::Legitimate; events],
            times: (0..events)
                .map(|row| Timestamp::from_seconds(time(row)).unwrap())
                .collect(),
        }
    }

    pub(crate) fn columns(&self) -> Columns<'_> {
        let columns = Columns::new(self.labels.len());
        let columns = (0..5).try_fold(columns, |columns, column| {
            columns.number(self.numbers.column(column))
        });
        columns
            .unwrap()
            .text(TextColumn::Texts(&self.countries))
            .unwrap()
    }

    /// The labels that a condition gives.
    pub(crate) fn labelled(mut self, condition: &str) -> Self {
        let compiled = Condition::parse(condition)
            .unwrap()
            .compile(&schema())
            .unwrap();
        let columns = self.columns();
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        let fraud = |row| {
            let row = columns.read(row, &mut numbers, &mut texts);
            compiled.truth(row).unwrap() == Truth::True
        };
        self.labels = (0..self.labels.len()).map(fraud).map(Label::from).collect();
        self
    }

    pub(crate) fn mine(&self, params: &MineParams) -> Result<Mined, RuleError> {
        let judged = Judged::new(&self.labels).times(&self.times)?;
        params.mine(&schema(), &self.columns(), &judged)
    }
}

pub(crate) fn schema() -> RuleSchema {
    RuleSchema::new([
        Variable::number("amount", Unit::Money),
        Variable::number("distance", Unit::Kilometre).nullable(),
        Variable::number("declined share", Unit::Share).nullable(),
        Variable::number("count", Unit::Count),
        Variable::flag("foreign"),
        Variable::text("country").nullable(),
    ])
    .unwrap()
}

pub(crate) fn exact() -> MineParams {
    MineParams::default().rounding(0.0)
}

pub(crate) fn conditions(mined: &Mined) -> Vec<&str> {
    let rules = mined.rules.iter();
    rules.map(|mined| &*mined.rule.condition).collect()
}

/// Rules found, whether they were confirmed or not, without what the held-out period says.
pub(crate) fn proposed(mined: &Mined) -> Vec<(String, String, usize)> {
    let mut all: Vec<_> = mined
        .rules
        .iter()
        .chain(&mined.dropped)
        .map(|mined| {
            let rule = &mined.rule;
            (
                rule.id.clone(),
                rule.condition.clone(),
                mined.learned.true_positives,
            )
        })
        .collect();
    all.sort();
    all
}
