//! What the fuzz targets do, as plain functions, so that a stable test replays every input that ever broke.

use dafu_core::model::{Envelope, Limits};
use dafu_core::time::Civil;
use dafu_core::{SchemaHash, Timestamp};
use dafu_features::Preprocessor;
use dafu_iforest::IsolationForest;
use dafu_ingest::{FileSource, IngestParams, Policies, Policy};
use dafu_pipeline::{Detector, stage_registry};

/// Any bytes are a table, an error, or quarantined rows; every row is accounted for.
pub fn ingest_csv(data: &[u8]) {
    let Some((&policy, file)) = data.split_first() else { return };
    let policy = [Policy::Coerce, Policy::Quarantine, Policy::Reject][usize::from(policy % 3)];
    let params = IngestParams::default().policies(Policies::all(policy)).chunk_rows(16);
    let Ok(source) = FileSource::from_bytes(file, &params) else { return };
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

/// Any bytes are a sound model or an error; so is any payload inside an intact envelope.
pub fn model_decode(data: &[u8]) {
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    load(data, &limits);
    let data = Envelope::read(data, &limits).map_or(data, |envelope| envelope.payload());
    for kind in [IsolationForest::KIND, Preprocessor::KIND, "dafu.detector"] {
        if let Ok(forged) = Envelope::write(kind, 1, SchemaHash(0), data) {
            load(&forged, &limits);
        }
    }
}

fn load(bytes: &[u8], limits: &Limits) {
    let _ = Envelope::read(bytes, limits);
    if let Ok(forest) = IsolationForest::from_bytes_within(bytes, limits)
        && forest.width() < 10_000
    {
        let score = forest.score_row(&vec![0.5; forest.width()]).expect("a row of its width");
        assert!((0.0..=1.0).contains(&score.get()));
    }
    let _ = Preprocessor::from_bytes_within(bytes, limits);
    let _ = Detector::load(bytes, &stage_registry(*limits));
}

/// Any text is an instant that prints and reads back, or an error.
pub fn timestamp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
        assert_eq!(Timestamp::from_civil(at.civil()), Ok(at));
    }
    let _ = Civil::parse_prefix(text);
}
