//! Saved preprocessors that are damaged or made by an enemy: an error or a preprocessor that works, never a panic or
//! memory beyond the size of the file. One test only, since the allocator counts the whole process.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Row, categories, mixed, table};
use dafu_core::model::Envelope;
use dafu_core::{FeatureGroup, Role, SchemaHash, Table};
use dafu_features::{
    ColumnParams, ColumnReport, Encoding, FitReport, Folds, Infinite, Preprocessor,
    PreprocessorParams, Scaling, TimeFeature,
};
use dafu_testkit::{CountingAllocator, damage, memory::peak_bytes};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MOST_BUCKETS: u16 = 4096;

/// Loads and says whether it worked; fails when memory goes beyond 64 times the file and 4 KiB.
fn loads(bytes: &[u8], rows: &Table, what: &impl std::fmt::Display) -> bool {
    let (loaded, peak) = peak_bytes(&ALLOCATOR, || Preprocessor::from_bytes(bytes));
    assert!(
        peak <= 64 * bytes.len() + (4 << 10),
        "{peak} bytes for a file of {}: {what}",
        bytes.len()
    );
    let Ok(preprocessor) = loaded else {
        return false;
    };
    // A name or role may have changed: then a column is missing.
    drop(preprocessor.transform(rows));
    drop(preprocessor.transform_training(rows));
    true
}

fn small() -> (Preprocessor, Table) {
    let rows: Vec<Row> = (0..20_u8)
        .map(|n| Row {
            user: n % 3,
            amount: f64::from(n % 7) + 0.5,
            numeric: if n % 9 == 4 { f64::NAN } else { f64::from(n) },
            category: (n % 5 < 4).then_some(n % 3),
            second: Some(1_760_000_000 + i64::from(n) * 7200),
            place: [f64::from(n), f64::from(n), f64::from(n) / 2.0, 3.0],
            label: Some(n % 4 == 1),
        })
        .collect();
    let with = |encoding| ColumnParams::default().encoding(encoding);
    let params = PreprocessorParams::default()
        .scaling(Scaling::Robust)
        .time_features([TimeFeature::Hour, TimeFeature::WeekdayCycle])
        .column("one_hot", with(Encoding::OneHot { max_levels: 2 }))
        .column("target", with(Encoding::Target { smoothing: 2.0 }))
        .column("ordinal", with(Encoding::Ordinal))
        .column("hashed", with(Encoding::Hash { buckets: 3 }));
    let rows = mixed(&rows, 1);
    (params.fit(&rows).unwrap(), rows)
}

/// One column, hashed into as many buckets as there can be.
fn wide() -> (Preprocessor, Table) {
    let rows = table(vec![categories("hashed", &["food", "fuel", "food"])]);
    let encoding = Encoding::Hash {
        buckets: MOST_BUCKETS,
    };
    let column = ColumnParams::default().encoding(encoding);
    let params = PreprocessorParams::default().column("hashed", column);
    (params.fit(&rows).unwrap(), rows)
}

/// A file with one input and any steps, in the layout of version 1: postcard writes a tuple as it writes a struct, and
/// the number of a variant below 128 as one byte.
fn forged(
    input: (&str, Role),
    steps: &impl Serialize,
    report: &FitReport,
    hash: SchemaHash,
) -> Vec<u8> {
    let inputs = vec![(input.0, input.1, 0_u32)];
    let clock = (0_i32, 22_u8, 6_u8);
    let plans = (inputs, steps, clock, Infinite::Reject, Folds::default());
    Envelope::encode(Preprocessor::KIND, 1, hash, &(plans, report)).unwrap()
}

fn hash_step() -> impl Serialize + Clone {
    let (levels, code) = (Vec::<&str>::new(), (2_u8, MOST_BUCKETS, None::<&str>));
    (3_u8, 0_u32, levels, code, FeatureGroup::Other)
}

fn missing_step() -> impl Serialize + Clone {
    (1_u8, 0_u32, FeatureGroup::Other)
}

fn hour_step() -> impl Serialize + Clone {
    let hour = (0_u32, TimeFeature::Hour, 0_u32);
    (2_u8, hour, FeatureGroup::Temporal)
}

fn report(column: &str, role: Role, features: Vec<String>) -> FitReport {
    let column = ColumnReport {
        column: column.to_owned(),
        role,
        missing: 0,
        levels: None,
        level_error: 0,
        features,
        note: String::new(),
    };
    FitReport {
        rows: 3,
        columns: vec![column],
    }
}

#[test]
fn damaged_preprocessors_are_errors_or_work() {
    let (preprocessor, rows) = small();
    let bytes = preprocessor.to_bytes().unwrap();
    assert!(loads(&bytes, &rows, &"as saved"));
    assert!(bytes.len() < 4000, "{} bytes", bytes.len());

    for damaged in damage::byte_flips(&bytes).chain(damage::truncations(&bytes)) {
        assert!(
            !loads(&damaged.bytes, &rows, &damaged.damage),
            "{}",
            damaged.damage
        );
    }
    // With the right checksum the payload is parsed; a changed median or note gives another sound preprocessor.
    let mut sound = 0;
    for damaged in damage::payload_damage(&bytes) {
        sound += usize::from(loads(&damaged.bytes, &rows, &damaged.damage));
    }
    assert!(sound > 0, "a changed median is not an error");

    let (wide, rows) = wide();
    let (bytes, hash) = (wide.to_bytes().unwrap(), wide.schema().hash());
    assert!(loads(&bytes, &rows, &"as many buckets as there can be"));
    assert_eq!(Preprocessor::from_bytes(&bytes).unwrap(), wide);
    let column = ("hashed", Role::Category);
    let same = forged(column, &vec![hash_step()], wide.report(), hash);
    assert_eq!(same, bytes, "the layout of forged files is right");

    let sixteen = vec![hash_step(); 16];
    let features = |names: Vec<String>| report("hashed", Role::Category, names);
    let unnamed = forged(column, &sixteen, &features(Vec::new()), hash);
    assert!(unnamed.len() < 300, "{} bytes", unnamed.len());
    let long = "n".repeat(50_000);
    let hours: Vec<_> = (1..=2000)
        .map(|n| {
            if n == 1 {
                "hour".to_owned()
            } else {
                format!("hour_{n}")
            }
        })
        .collect();
    let errors = [
        (unnamed, "65,536 buckets and no name"),
        (
            forged(column, &sixteen, wide.report(), hash),
            "65,536 buckets and 4096 names",
        ),
        (
            forged(
                column,
                &sixteen,
                &features(vec![String::new(); 65_536]),
                hash,
            ),
            "65,536 buckets and as many empty names",
        ),
        (
            forged(
                (&long, Role::Category),
                &sixteen,
                &features(vec!["n".to_owned(); 65_536]),
                hash,
            ),
            "a long name in every bucket",
        ),
        (
            forged(
                (&long, Role::Time),
                &vec![hour_step(); 2000],
                &report(&long, Role::Time, hours),
                hash,
            ),
            "a long name in every description",
        ),
    ];
    for (bytes, what) in errors {
        assert!(!loads(&bytes, &rows, &what), "{what}");
    } // Vectors grow by doubling: some of these counts come just after it.
    for count in (10_000..=60_000).step_by(5000) {
        let bytes = forged(column, &vec![missing_step(); count], wide.report(), hash);
        assert!(!loads(&bytes, &rows, &"many short steps"), "{count} steps");
    }
}
