//! Simulated payments with features of a standard set, for the examples that learn from labels.

use dafu::ensemble::{EnsembleError, Samples};
use dafu::features::{FeatureEngine, FeatureSet, Labels, Span};
use dafu::sim::{Scenario, ScenarioRates, SimulatorParams};
use dafu::{Dataset, Label, Transaction};
use ndarray::{ArrayView2, Axis};
use std::error::Error;
use std::ops::Range;

/// Days until a label is known.
pub const DELAY: u16 = 7;

/// So many times as many frauds of each kind as the simulator has by default: small files then have enough to learn from.
pub fn more_frauds(times: f64) -> ScenarioRates {
    let usual = ScenarioRates::default();
    Scenario::ALL.into_iter().fold(usual, |rates, kind| {
        rates.with(kind, times * usual.rate(kind))
    })
}

/// Payments in order of time.
#[derive(Debug)]
pub struct Payments {
    /// The payments.
    pub records: Vec<Transaction>,
    /// What was known of each when it came; of labels, those that are [`DELAY`] days old.
    pub features: Dataset,
    /// Whether each is a fraud.
    pub frauds: Vec<bool>,
    /// Amounts in major units.
    pub amounts: Vec<f64>,
    /// Day of each, counted from the first.
    pub days: Vec<i64>,
}

impl Payments {
    /// Simulates payments and replays them through a feature engine.
    ///
    /// # Errors
    ///
    /// When the simulator refuses its parameters.
    pub fn simulate(users: u32, days: u32, seed: u64) -> Result<Self, Box<dyn Error>> {
        let params = SimulatorParams::default().users(users).days(days);
        let params = params.rates(more_frauds(2.0)).seed(seed);
        let records: Vec<Transaction> = params.simulator()?.collect();
        let set = FeatureSet::standard_with_delay(Span::days(DELAY))
            .labels(Labels::AfterDelay(Span::days(DELAY)));
        let features = FeatureEngine::new(&set)?.observe_all(&records)?;
        let first = records.first().ok_or("no payments")?.timestamp.day();
        let of = |record: &Transaction| record.timestamp.day() - first;
        Ok(Self {
            frauds: records
                .iter()
                .map(|record| record.is_fraud == Label::Fraud)
                .collect(),
            amounts: records.iter().map(|record| record.amount.major()).collect(),
            days: records.iter().map(of).collect(),
            records,
            features,
        })
    }

    /// Those of some days.
    pub fn on(&self, days: Range<i64>) -> Part<'_> {
        let before = |day: i64| self.days.partition_point(|own| *own < day);
        let rows = before(days.start)..before(days.end);
        let (until, _) = self.features.values().split_at(Axis(0), rows.end);
        Part {
            rows: until.split_at(Axis(0), rows.start).1,
            frauds: &self.frauds[rows.clone()],
            amounts: &self.amounts[rows.clone()],
            days: &self.days[rows.clone()],
            records: &self.records[rows],
        }
    }
}

/// Payments of some days.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Their features.
    pub rows: ArrayView2<'a, f64>,
    /// Whether each is a fraud.
    pub frauds: &'a [bool],
    /// Amounts in major units.
    pub amounts: &'a [f64],
    /// Day of each, counted from the first of all.
    pub days: &'a [i64],
    /// The payments.
    pub records: &'a [Transaction],
}

impl<'a> Part<'a> {
    /// As rows to learn from.
    ///
    /// # Errors
    ///
    /// None in practice: not as many labels as rows.
    pub fn samples(&self) -> Result<Samples<'a>, EnsembleError> {
        Samples::new(self.rows, self.frauds)
    }

    /// One line: days, rows, frauds.
    pub fn line(&self, name: &str) -> String {
        let frauds = self.frauds.iter().filter(|fraud| **fraud).count();
        let (first, last) = (self.days.first(), self.days.last());
        format!(
            "{name:<12}days {:>2} to {:>2}: {:>6} payments, {frauds:>4} frauds",
            first.copied().unwrap_or_default(),
            last.copied().unwrap_or_default(),
            self.rows.nrows()
        )
    }
}
