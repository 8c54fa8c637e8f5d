//! Replays every kept input on stable Rust.

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("regressions")
        .join(target);
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(!files.is_empty(), "{target} has no input");
    for file in files {
        println!("{}", file.display());
        run(&std::fs::read(file).unwrap());
    }
}

#[test]
fn ingest_csv_holds() {
    replay("ingest_csv", dafu_fuzz::ingest_csv);
}

#[test]
fn model_decode_holds() {
    replay("model_decode", dafu_fuzz::model_decode);
}

#[test]
fn timestamp_holds() {
    replay("timestamp", dafu_fuzz::timestamp);
}

#[test]
fn engine_events_holds() {
    replay("engine_events", dafu_fuzz::engine_events);
}

#[test]
fn engine_restore_holds() {
    replay("engine_restore", dafu_fuzz::engine_restore);
}

#[test]
fn feature_set_holds() {
    replay("feature_set", dafu_fuzz::feature_set);
}

#[test]
fn engine_table_holds() {
    replay("engine_table", dafu_fuzz::engine_table);
}

#[test]
fn model_import_holds() {
    replay("model_import", dafu_fuzz::model_import);
}
