//! Saved preprocessors: golden file, damage, forgery.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Row, categories, mixed, numbers, table};
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{Role, SchemaHash};
use dafu_features::{
    ColumnParams, Encoding, FeatureError, Preprocessor, PreprocessorParams, Scaling, TimeFeature,
};
use std::fmt::Write;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    root.join(name)
}

fn rows() -> Vec<Row> {
    (0..40_u8)
        .map(|n| Row {
            user: n % 7,
            amount: f64::from(n % 11) + 0.5,
            numeric: if n % 9 == 4 { f64::NAN } else { f64::from(n) },
            category: (n % 5 < 4).then_some(n % 5),
            second: Some(1_760_000_000 + i64::from(n) * 7200),
            place: [f64::from(n), f64::from(n), f64::from(n) / 2.0, 3.0],
            label: (n % 3 > 0).then_some(n % 4 == 1),
        })
        .collect()
}

fn fitted() -> Preprocessor {
    let with = |encoding| ColumnParams::default().encoding(encoding);
    let params = PreprocessorParams::default()
        .scaling(Scaling::Robust)
        .time_features(TimeFeature::ALL)
        .column("one_hot", with(Encoding::OneHot { max_levels: 2 }))
        .column("target", with(Encoding::Target { smoothing: 2.0 }))
        .column("ordinal", with(Encoding::Ordinal))
        .column("hashed", with(Encoding::Hash { buckets: 3 }));
    params.fit(&mixed(&rows(), 1)).unwrap()
}

/// Cells as hexadecimal numbers, one row a line; 15 digits, since logarithms and sines are the platform's.
fn cells(preprocessor: &Preprocessor) -> String {
    let dataset = preprocessor.transform_training(&mixed(&rows(), 1)).unwrap();
    let mut text = String::new();
    for row in dataset.values().rows() {
        let line: Vec<_> = row.iter().map(|cell| format!("{cell:.12e}")).collect();
        writeln!(text, "{}", line.join(" ")).unwrap();
    }
    text
}

#[test]
fn version_1_loads_and_gives_the_same_cells() {
    let loaded = Preprocessor::load(golden("preprocessor-v1.dafu")).unwrap();
    let expected = std::fs::read_to_string(golden("preprocessor-v1.cells")).unwrap();
    assert_eq!(cells(&loaded), expected);
    assert_eq!(loaded.report().rows, 40);
}

#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_golden_files() {
    fitted().save(golden("preprocessor-v1.dafu")).unwrap();
    std::fs::write(golden("preprocessor-v1.cells"), cells(&fitted())).unwrap();
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let missing = Preprocessor::load(golden("no-such-file"));
    assert!(matches!(missing, Err(FeatureError::File(_))));
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error() {
    let bytes = fitted().to_bytes().unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        assert!(Preprocessor::from_bytes(&damaged).is_err(), "byte {at}");
        assert!(
            Preprocessor::from_bytes(&bytes[..at]).is_err(),
            "cut at {at}"
        );
    }
}

/// Damage behind a checksum that fits: what loads must work, and nothing panics.
#[test]
fn forged_payloads_load_into_something_that_works_or_not_at_all() {
    let bytes = fitted().to_bytes().unwrap();
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let (payload, hash) = (envelope.payload(), envelope.header().schema_hash());
    let table = mixed(&rows(), 1);
    let mut loaded = 0;
    for at in 0..payload.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut forged = payload.to_vec();
            forged[at] ^= flip;
            let bytes = Envelope::write(Preprocessor::KIND, 1, hash, &forged).unwrap();
            if let Ok(preprocessor) = Preprocessor::from_bytes(&bytes) {
                loaded += 1;
                // A name or role may have changed: then a column is missing.
                drop(preprocessor.transform(&table));
                drop(preprocessor.transform_training(&table));
            }
        }
    }
    assert!(
        loaded > 0,
        "other numbers in the right places are no damage"
    );
}

#[test]
fn wide_hashes_and_numbered_names_are_saved_and_loaded() {
    let hash = ColumnParams::default().encoding(Encoding::Hash { buckets: 4096 });
    let params = PreprocessorParams::default()
        .column("one", hash.clone())
        .column("two", hash);
    let rows = table(vec![
        categories("one", &["food", "fuel", "food"]),
        categories("two", &["a", "b", "c"]),
        numbers("one_hash_7", Role::Numeric, [1.0, 2.0, 4.0]),
    ]);
    let fitted = params.fit(&rows).unwrap();
    assert_eq!(fitted.schema().width(), 2 * 4096 + 1);
    assert!(fitted.schema().position("one_hash_7_2").is_some());
    let loaded = Preprocessor::from_bytes(&fitted.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, fitted);
    assert_eq!(loaded.schema().hash(), fitted.schema().hash());
    let cells = |preprocessor: &Preprocessor| preprocessor.transform(&rows).unwrap();
    assert_eq!(cells(&loaded).values(), cells(&fitted).values());
}

#[test]
fn another_schema_hash_or_version_and_too_small_limits_are_errors() {
    let preprocessor = fitted();
    let bytes = preprocessor.to_bytes().unwrap();
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let write = |version, hash| {
        Envelope::write(Preprocessor::KIND, version, hash, envelope.payload()).unwrap()
    };
    let other = Preprocessor::from_bytes(&write(1, SchemaHash(7)));
    assert!(matches!(
        other,
        Err(FeatureError::Model(ModelError::SchemaHash { .. }))
    ));
    let newer = Preprocessor::from_bytes(&write(2, envelope.header().schema_hash()));
    assert!(matches!(
        newer,
        Err(FeatureError::Model(ModelError::SchemaVersion { .. }))
    ));
    let limits = Limits {
        max_features: 5,
        ..Limits::default()
    };
    assert!(Preprocessor::from_bytes_within(&bytes, &limits).is_err());
}
