//! What the fuzz targets do, as plain functions, so that a stable test replays every input that ever broke.

mod bytes;
mod events;
mod graphs;
mod networks;
mod rules;
mod streams;
mod tables;

pub use events::{engine_events, engine_restore, feature_set};
pub use graphs::graph_stream;
pub use networks::sequence_weights;
pub use rules::{rules_condition, rules_file};
pub use streams::sequence_stream;
pub use tables::engine_table;

use dafu_core::model::{Envelope, Limits};
use dafu_core::time::Civil;
use dafu_core::{Currency, EntityId, Money, SchemaHash, Timestamp, Transaction, TransactionId};
use dafu_ensemble::combine::ClassifierRegistry;
use dafu_ensemble::{BoostedTrees, Classifier};
use dafu_features::Preprocessor;
use dafu_iforest::{IsolationForest, OnlineIsolationForest};
use dafu_ingest::{FileSource, IngestParams, Policies, Policy};
use dafu_pipeline::{Detector, stage_registry};
use ndarray::Array2;

/// Any bytes are a table, an error, or quarantined rows; every row is accounted for.
pub fn ingest_csv(data: &[u8]) {
    let Some((&policy, file)) = data.split_first() else {
        return;
    };
    let policy = [Policy::Coerce, Policy::Quarantine, Policy::Reject][usize::from(policy % 3)];
    let params = IngestParams::default()
        .policies(Policies::all(policy))
        .chunk_rows(16);
    let Ok(source) = FileSource::from_bytes(file, &params) else {
        return;
    };
    let Ok(tables) = source.tables() else { return };
    for table in tables {
        if table.is_err() {
            return;
        }
    }
    if let Some(report) = source.report() {
        assert_eq!(report.rows_read, report.rows_kept + report.rows_quarantined);
    }
}

/// Any bytes are a sound model or an error; so are they with every checksum in them put right, those of models
/// inside the payload included, as somebody would who wants to harm the reader.
pub fn model_decode(data: &[u8]) {
    let limits = Limits {
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    load(data, &limits);
    let mut forged = data.to_vec();
    for at in (0..forged.len()).rev() {
        if forged[at..].starts_with(b"DAFU") {
            seal(&mut forged[at..]);
        }
    }
    if forged != data {
        load(&forged, &limits);
    }
}

/// Puts length and checksum of the envelope at the beginning right, by the layout of `dafu_core::model`; a payload
/// longer than the rest becomes the rest.
fn seal(bytes: &mut [u8]) {
    let number = |at: usize, width: usize| {
        let part = bytes.get(at..at + width)?;
        Some(
            part.iter()
                .rev()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte)),
        )
    };
    let Some(kind_length) = number(8, 2).filter(|length| *length <= 64) else {
        return;
    };
    let kind_end = 10 + kind_length as usize;
    let (Some(version), Some(hash), Some(length)) =
        (number(6, 2), number(kind_end, 8), number(kind_end + 8, 8))
    else {
        return;
    };
    let start = kind_end + 24;
    let Some(rest) = bytes.get(start..) else {
        return;
    };
    let payload = &rest[..rest
        .len()
        .min(usize::try_from(length).unwrap_or(usize::MAX))];
    let Ok(kind) = std::str::from_utf8(&bytes[10..kind_end]) else {
        return;
    };
    if let Ok(sealed) = Envelope::write(kind, version as u16, SchemaHash(hash), payload) {
        bytes[..start].copy_from_slice(&sealed[..start]);
    }
}

/// Scores single rows, with and without missing values, and the same rows in a batch so large that the forest is prepared
/// for it; and makes other forests of the trees.
fn score(forest: &IsolationForest) {
    const ROWS: usize = 2100;
    if forest.width() >= 10_000 {
        return;
    }
    let row = |value| vec![value; forest.width()];
    let rows = [row(0.5), row(f64::NAN), row(-1e300), row(3.0)];
    let single = |row: &Vec<f64>| forest.score_row(row).map(|score| score.get());
    let singles: Vec<_> = rows.iter().map(single).collect();
    for score in singles.iter().flatten() {
        assert!((0.0..=1.0).contains(score));
    }
    if forest.width() > 32 || forest.node_count() > 5000 {
        return;
    }
    for (row, single) in rows.iter().zip(&singles) {
        let batch = Array2::from_shape_fn((ROWS, row.len()), |(_, column)| row[column]);
        let mut scores = vec![0.0; ROWS];
        match (forest.score_rows(batch.view(), &mut scores), single) {
            (Ok(()), Ok(single)) => {
                assert!(
                    scores
                        .iter()
                        .all(|score| score.to_bits() == single.to_bits())
                );
                let mut parts = row.clone();
                forest
                    .explain_row(row, &mut parts)
                    .expect("a row that has a score");
            }
            (batch, single) => assert!(batch.is_err() && single.is_err()),
        }
    }
    let mut twice = forest.clone();
    if twice.merge(forest).is_ok() {
        assert_eq!(twice.tree_count(), 2 * forest.tree_count());
        twice
            .drop_oldest(forest.tree_count())
            .expect("fewer than all");
        assert_eq!(twice.tree_count(), forest.tree_count());
    }
}

fn load(bytes: &[u8], limits: &Limits) {
    let _ = Envelope::read(bytes, limits);
    if let Ok(forest) = IsolationForest::from_bytes_within(bytes, limits) {
        score(&forest);
    }
    if let Ok(mut forest) = OnlineIsolationForest::from_bytes_within(bytes, limits)
        && forest.width() < 10_000
    {
        let row = vec![0.5; forest.width()];
        for _ in 0..3 {
            let score = forest.score_then_update(&row).expect("a row of its width");
            assert!((0.0..=1.0).contains(&score.get()));
        }
    }
    // Every kind of dafu-ensemble, blends of them included.
    if let Ok(model) = ClassifierRegistry::standard(*limits).load(bytes) {
        answer(&*model);
        let saved = model.to_bytes().expect("a sound model");
        assert!(ClassifierRegistry::standard(*limits).load(&saved).is_ok());
    }
    let registry = stage_registry(*limits);
    if let Ok(stage) = registry.load(bytes) {
        let saved = stage.save().expect("a sound stage");
        assert!(registry.load(&saved).is_ok());
    }
    let _ = Preprocessor::from_bytes_within(bytes, limits);
    if let Ok(mut detector) = Detector::load(bytes, &registry) {
        // An error where a name or a role has changed.
        let _ = detector.score(&transaction());
    }
}

/// A sound model answers any row with a number.
fn answer(model: &dyn Classifier) {
    let width = model.width();
    if width >= 10_000 {
        return;
    }
    let values = [0.5, -1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let rows = Array2::from_shape_fn((values.len(), width), |(row, _)| values[row]);
    let mut odds = [f64::NAN; 5];
    model
        .log_odds_rows(rows.view(), &mut odds)
        .expect("rows of its width");
    assert!(odds.iter().all(|odds| odds.is_finite()), "{odds:?}");
}

/// Any text is a model of another library, or an error; a model is saved as it was read.
pub fn model_import(data: &[u8]) {
    let Some((library, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let read = if library % 2 == 0 {
        BoostedTrees::from_lightgbm_text(text)
    } else {
        BoostedTrees::from_xgboost_json(text)
    };
    if let Ok(model) = read {
        answer(&model);
        let bytes = model.to_bytes().expect("a sound model");
        if let Ok(loaded) = BoostedTrees::from_bytes(&bytes) {
            assert_eq!(loaded, model);
        }
    }
}

/// Any text is an isolation forest of scikit-learn or one of ours, or an error; a forest is written as it was read.
pub fn forest_import(data: &[u8]) {
    let Some((format, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let limits = Limits {
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    let read = if format % 2 == 0 {
        IsolationForest::from_json(text, &limits)
    } else {
        IsolationForest::from_sklearn_json(text, &limits)
    };
    let Ok(forest) = read else {
        return;
    };
    score(&forest);
    let json = forest.to_json().expect("a sound forest");
    let loaded = IsolationForest::from_json(&json, &Limits::default());
    assert_eq!(loaded.expect("what was written"), forest);
    let bytes = forest.to_bytes().expect("a sound forest");
    let loaded = IsolationForest::from_bytes(&bytes);
    assert_eq!(loaded.expect("what was written"), forest);
    // An error where ONNX has no counterpart.
    let _ = forest.to_onnx();
}

fn transaction() -> Transaction {
    let id = |text| EntityId::new(text).expect("a good id");
    Transaction::new(
        TransactionId::new("1").expect("a good id"),
        id("u1"),
        Money::from_major(12.5, Currency::NONE).expect("a good amount"),
        id("m1"),
        Timestamp::from_micros(1_522_540_800_000_000).expect("a good time"),
    )
}

/// Any text is an instant that prints and reads back, or an error.
pub fn timestamp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
        assert_eq!(Timestamp::from_civil(at.civil()), Ok(at));
    }
    let _ = Civil::parse_prefix(text);
}

#[cfg(test)]
mod tests {
    #[test]
    fn sealing_puts_a_checksum_back() {
        let model = include_bytes!("../regressions/model_decode/detector-small-v1.dafu");
        let mut damaged = *model;
        let checksum = 10 + "dafu.detector".len() + 16;
        damaged[checksum..checksum + 8].fill(0);
        super::seal(&mut damaged);
        assert_eq!(damaged[..], model[..]);
    }
}
