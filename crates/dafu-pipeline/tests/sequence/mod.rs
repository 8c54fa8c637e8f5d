//! A history and detectors with a sequence stage.
#![allow(dead_code, reason = "not every test needs all")]

use dafu_core::model::Limits;
use dafu_core::{
    Dataset, EntityKey, EntityKind, History, Label, NoProgress, Role, Stage, StageSpec, Table,
    Transaction,
};
use dafu_features::{Preprocessor, PreprocessorParams};
use dafu_pipeline::{
    Detector, DetectorBuilder, EvaluateOptions, Mode, SequenceSpec, stage_registry,
};
use dafu_sequence::SequenceParams;
use dafu_sim::SimulatorParams;
use std::sync::{Arc, LazyLock};
pub(crate) static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(80).days(30).seed(23);
    params.simulator().unwrap().collect()
});

pub(crate) fn past() -> &'static [Transaction] {
    &HISTORY[..HISTORY.len() * 3 / 4]
}

pub(crate) fn rest() -> &'static [Transaction] {
    &HISTORY[HISTORY.len() * 3 / 4..]
}

pub(crate) fn quick() -> SequenceParams {
    SequenceParams::default()
        .hidden_units(8)
        .epochs(3)
        .batch_size(32)
        .learning_rate(0.01)
}

pub(crate) fn trainer() -> DetectorBuilder {
    let builder = Detector::builder().mode(Mode::Supervised).seed(3);
    builder.stage(SequenceSpec::new(quick()))
}

pub(crate) fn fitted(builder: DetectorBuilder) -> Detector {
    builder.build().unwrap().fit(past()).unwrap()
}

/// One for tests that need no other.
pub(crate) static MODEL: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let detector = fitted(trainer());
    (detector.to_bytes().unwrap(), detector.snapshot().unwrap())
});

pub(crate) fn shared() -> Detector {
    let registry = stage_registry(Limits::default());
    let mut detector = Detector::load(&MODEL.0, &registry).unwrap();
    detector.restore(&MODEL.1).unwrap();
    detector
}

pub(crate) fn risks(detector: &mut Detector, events: &[Transaction]) -> Vec<f64> {
    let risk = |tx| detector.score(tx).unwrap().risk_score.get();
    events.iter().map(risk).collect()
}

pub(crate) fn judged(detector: &Detector, source: &[Transaction]) -> Vec<f64> {
    let mut risks = Vec::new();
    let mut sink = |_: &Table, scores: &[dafu_core::Score]| {
        risks.extend(scores.iter().map(|risk| risk.get()));
        Ok(())
    };
    detector
        .evaluate_with(source, &EvaluateOptions::default(), &mut sink)
        .unwrap();
    risks
}

pub(crate) fn user(tx: &Transaction) -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: tx.user_id.clone(),
    }
}

pub(crate) fn stage_of(
    spec: &SequenceSpec,
    labels: impl Fn(usize) -> Label,
) -> Result<Box<dyn Stage>, String> {
    let (dataset, records) = rows(past());
    let labels = (0..records.len()).map(labels).collect();
    let dataset = dataset.with_labels(labels).unwrap();
    let history = History {
        dataset: &dataset,
        transactions: Some(&records),
        population: records.len() as u64,
        seed: 0,
        progress: &NoProgress,
    };
    spec.fit_stage(&history).map_err(|error| error.to_string())
}

/// Rows of features of records of the past, all of the same features.
pub(crate) fn rows(records: &[Transaction]) -> (Dataset, Vec<Transaction>) {
    static PREPROCESSOR: LazyLock<Preprocessor> = LazyLock::new(|| {
        let table = Table::from_transactions(past());
        PreprocessorParams::default().fit(&table).unwrap()
    });
    let columns = PREPROCESSOR
        .inputs()
        .map(|(name, role)| (Arc::from(name), role));
    let columns: Vec<(Arc<str>, Role)> = columns.collect();
    let columns = columns.iter().map(|(name, role)| (name, *role));
    let table = Table::from_transactions_like(columns, records);
    (PREPROCESSOR.transform(&table).unwrap(), records.to_vec())
}

pub(crate) fn own_label(row: usize) -> Label {
    past()[row].is_fraud
}
