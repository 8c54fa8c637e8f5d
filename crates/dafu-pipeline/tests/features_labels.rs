//! When labels and later events reach the features of a detector: never before they are known.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::{
    Evidence, Feedback, History, Label, Money, Score, Stage, StageError, StageInput, StageSpec,
    StageState, Timestamp, Transaction,
};
use dafu_features::{
    Constants, FeatureSet, Field, Indicator, Labels, Measure, NumberImpute, PreprocessorParams,
    RecordKind, Span, Window,
};
use dafu_pipeline::{Detector, DetectorBuilder, Mode};
use dafu_sim::SimulatorParams;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(120).days(40).seed(5);
    params.simulator().unwrap().collect()
});
const COUNT: &str = "merchant_frauds_30d";

/// Training rows by time, feature by feature.
type Rows = Arc<Mutex<Vec<(Timestamp, BTreeMap<String, u64>)>>>;

/// Keeps the rows that it was fitted on, and scores a count of frauds.
#[derive(Debug, Default, Clone)]
struct Watcher {
    rows: Rows,
    fails: Arc<AtomicBool>,
}

impl StageSpec for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }
    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let dataset = history.dataset;
        let specs = dataset.schema().features();
        let mut rows = self.rows.lock().unwrap();
        rows.clear();
        for (row, time) in dataset.times().unwrap().iter().enumerate() {
            let values = dataset.row(row).unwrap().values().to_vec();
            let named = specs.iter().zip(values);
            let named = named.map(|(spec, value)| (spec.name.to_string(), value.to_bits()));
            rows.push((*time, named.collect()));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Stage for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }
    fn kind(&self) -> &'static str {
        "test.watcher"
    }
    fn evaluate(&self, input: &StageInput<'_>, _: &dyn StageState) -> Result<Evidence, StageError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StageError::new("watcher", "not now"));
        }
        let count = input.row.get(COUNT).unwrap_or_default();
        let score = Score::new(count / (count + 1.0)).unwrap();
        Ok(Evidence::from_score("watcher".parse().unwrap(), score))
    }
    fn save(&self) -> Result<Vec<u8>, StageError> {
        dafu_core::model::Envelope::write(self.kind(), 1, dafu_core::SchemaHash(0), &[])
            .map_err(|error| StageError::new("watcher", error))
    }
}

/// Everything as the set gives it: nothing filled in, nothing left out.
fn builder(watcher: &Watcher, set: FeatureSet) -> DetectorBuilder {
    let params = PreprocessorParams::default()
        .number_impute(NumberImpute::Keep)
        .indicator(Indicator::Never)
        .constants(Constants::Keep);
    let detector = Detector::builder()
        .stage(watcher.clone())
        .preprocessor(params);
    detector.features(set).warm_up(0.0)
}

fn standard() -> FeatureSet {
    FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)))
}

fn counting() -> FeatureSet {
    let count = Window::new(Field::Merchant, Measure::FraudCount).within(Span::days(30));
    let set = FeatureSet::new(RecordKind::Transaction).feature(count);
    set.labels(Labels::AfterDelay(Span::days(7)))
}

/// The features of the set in each training row.
fn rows_of(history: &[Transaction], set: &FeatureSet) -> Vec<(Timestamp, Vec<u64>)> {
    let watcher = Watcher::default();
    let trainer = builder(&watcher, set.clone()).build().unwrap();
    let detector = trainer.fit(history).unwrap();
    let schema = detector.model().features().unwrap().schema().unwrap();
    let names: Vec<String> = schema
        .features()
        .iter()
        .map(|s| s.name.to_string())
        .collect();
    let rows = watcher.rows.lock().unwrap();
    let picked = rows
        .iter()
        .map(|(time, row)| (*time, names.iter().map(|name| row[name]).collect()));
    picked.collect()
}

fn turned(tx: &Transaction) -> Transaction {
    let label = match tx.is_fraud {
        Label::Fraud => Label::Legitimate,
        _ => Label::Fraud,
    };
    tx.clone().with_label(label)
}

fn after(time: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_micros(time.as_micros() + days * 86_400_000_000).unwrap()
}

#[test]
fn later_events_change_no_earlier_row() {
    let history = &HISTORY[..];
    let middle = history[history.len() / 2].timestamp;
    let mut changed = history.to_vec();
    let later = changed.partition_point(|tx| tx.timestamp <= middle);
    let count = changed.len() - later;
    for (at, tx) in changed[later..].iter_mut().enumerate() {
        // Another user, another shop, another amount and the other label.
        let other = &history[later + (at * 7919 + 13) % count];
        tx.user_id = other.user_id.clone();
        tx.merchant_id = other.merchant_id.clone();
        tx.amount = Money::from_minor(other.amount.minor() * 3 + 1, tx.amount.currency());
        *tx = turned(tx);
    }
    let (one, other) = (
        rows_of(history, &standard()),
        rows_of(&changed, &standard()),
    );
    assert_eq!(one.len(), history.len());
    assert!(one[..later] == other[..later]);
    let same = one[later..]
        .iter()
        .zip(&other[later..])
        .filter(|(a, b)| a == b);
    assert!(same.count() < count / 100);
}

#[test]
fn labels_reach_features_when_they_are_known_and_not_before() {
    let history = &HISTORY[..];
    let middle = history[history.len() / 2].timestamp;
    let from = history.partition_point(|tx| tx.timestamp < middle);
    // All labels from the middle on are the other way round: nobody knows for seven days.
    let mut changed = history.to_vec();
    for tx in &mut changed[from..] {
        *tx = turned(tx);
    }
    let (one, other) = (
        rows_of(history, &standard()),
        rows_of(&changed, &standard()),
    );
    let known = history.partition_point(|tx| tx.timestamp < after(middle, 7));
    assert!(from < known && known < history.len());
    assert!(one[..known] == other[..known]);
    assert!(one[known..] != other[known..]);
}

#[test]
fn unsupervised_learning_reads_no_label_for_features_either() {
    let other: Vec<Transaction> = HISTORY.iter().map(turned).collect();
    let bytes = |mode: Mode, history: &[Transaction]| {
        let trainer = Detector::builder().features(standard()).mode(mode);
        let detector = trainer.stage(Watcher::default()).build().unwrap();
        let detector = detector.fit(history).unwrap();
        (detector.to_bytes().unwrap(), detector)
    };
    let (one, detector) = bytes(Mode::Unsupervised, &HISTORY);
    assert!(one == bytes(Mode::Unsupervised, &other).0);
    let set = detector.model().features().unwrap();
    assert_eq!(set.labels, Labels::Events);
    assert_eq!(set, &set.clone().without_labels());
    assert!(set.features.len() < standard().features.len());
    // Only the labels differ, and supervised learning sees it.
    let (one, detector) = bytes(Mode::Supervised, &HISTORY);
    assert!(one != bytes(Mode::Supervised, &other).0);
    let set = detector.model().features().unwrap();
    assert_eq!(set.features, standard().features);
}

#[test]
fn features_of_labels_need_labels_and_a_rule_for_them() {
    let set_of = |set: FeatureSet, history: &[Transaction]| {
        let trainer = Detector::builder().features(set).stage(Watcher::default());
        let detector = trainer.build().unwrap().fit(history).unwrap();
        detector.model().features().unwrap().clone()
    };
    let without = FeatureSet::standard().without_labels();
    // A history has no label events.
    assert_eq!(set_of(FeatureSet::standard(), &HISTORY), without);
    let unknown = HISTORY
        .iter()
        .map(|tx| tx.clone().with_label(Label::Unknown));
    let unknown: Vec<Transaction> = unknown.collect();
    assert_eq!(set_of(standard(), &unknown).features, without.features);
    // Those that read labels remember transactions, as many as answers or as the set says.
    let found = set_of(standard(), &HISTORY);
    assert_eq!(found.limits.remembered_transactions, 100_000);
    let mut own = standard();
    own.limits.remembered_transactions = 17;
    assert_eq!(set_of(own.clone(), &HISTORY), own);
}

#[test]
fn feedback_reaches_the_features_of_later_events() {
    let trainer = builder(&Watcher::default(), counting()).build().unwrap();
    let unknown = HISTORY
        .iter()
        .map(|tx| tx.clone().with_label(Label::Unknown));
    let mut history: Vec<Transaction> = unknown.collect();
    history[0].is_fraud = Label::Fraud;
    history[1].is_fraud = Label::Legitimate;
    let mut detector = trainer.fit(&history).unwrap();
    let last = &history[history.len() - 1];
    let mut at = 0;
    let mut frauds = |detector: &mut Detector, minutes: i64| {
        let mut tx = last.clone();
        at += 1;
        tx.transaction_id = format!("new-{at}").parse().unwrap();
        let micros = last.timestamp.as_micros() + minutes * 60_000_000;
        tx.timestamp = Timestamp::from_micros(micros).unwrap();
        let answer = detector.score(&tx).unwrap();
        let score = answer.evidence[0].score.get();
        (tx, score / (1.0 - score))
    };
    let (scored, none) = frauds(&mut detector, 1);
    assert!(none.abs() < 1e-9, "{none}");
    // One of the history and one that was scored; the second is known five minutes later.
    for (tx, minutes) in [(last, 2), (&scored, 5)] {
        let feedback = Feedback {
            transaction_id: tx.transaction_id.clone(),
            label: Label::Fraud,
            known_at: Timestamp::from_micros(last.timestamp.as_micros() + minutes * 60_000_000)
                .unwrap(),
        };
        assert!(detector.feedback(&feedback).unwrap());
    }
    for (minutes, expected) in [(1, 0.0), (2, 1.0), (4, 1.0), (5, 2.0), (6, 2.0)] {
        let (_, found) = frauds(&mut detector, minutes);
        assert!((found - expected).abs() < 1e-9, "{minutes}: {found}");
    }
    let nobody = Feedback {
        transaction_id: "never-seen".parse().unwrap(),
        label: Label::Fraud,
        known_at: last.timestamp,
    };
    assert!(!detector.feedback(&nobody).unwrap());
    assert_eq!(detector.engine().unwrap().stats().unmatched, 1);
    assert_eq!(detector.engine().unwrap().stats().labels, 2);
}

#[test]
fn an_event_whose_stage_failed_is_counted_once() {
    let watcher = Watcher::default();
    let trainer = builder(&watcher, counting()).build().unwrap();
    let past = HISTORY.len() - 20;
    let mut detector = trainer.fit(&HISTORY[..past]).unwrap();
    let mut plain = trainer.fit(&HISTORY[..past]).unwrap();
    for tx in &HISTORY[past..] {
        watcher.fails.store(true, Ordering::Relaxed);
        assert!(detector.score(tx).is_err());
        assert!(detector.score(tx).is_err());
        watcher.fails.store(false, Ordering::Relaxed);
        assert_eq!(detector.score(tx).unwrap(), plain.score(tx).unwrap());
    }
    let stats = detector.engine().unwrap().stats();
    assert_eq!(stats.duplicates, 40);
    assert_eq!(stats.observed - stats.duplicates, HISTORY.len() as u64);
}
