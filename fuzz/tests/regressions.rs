//! Replays every kept input on stable Rust.

use std::path::{Path, PathBuf};

fn replay(target: &str, run: fn(&[u8])) {
    let files = files_in(Path::new("regressions").join(target));
    assert!(!files.is_empty(), "{target} has no input");
    run_on(&files, run);
}

fn files_in(folder: PathBuf) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect()
}

fn run_on(files: &[PathBuf], run: fn(&[u8])) {
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
fn graph_stream_holds() {
    replay("graph_stream", dafu_fuzz::graph_stream);
}

#[test]
fn model_decode_holds() {
    replay("model_decode", dafu_fuzz::model_decode);
}

/// The fuzzer begins with the golden files: each has to pass as it is.
#[test]
fn golden_models_are_decoded() {
    let mut files = files_in("../testdata/golden".into());
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "dafu")
    });
    assert!(!files.is_empty());
    run_on(&files, dafu_fuzz::model_decode);
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

#[test]
fn forest_import_holds() {
    replay("forest_import", dafu_fuzz::forest_import);
}

#[test]
fn sequence_weights_holds() {
    replay("sequence_weights", dafu_fuzz::sequence_weights);
}

/// The fuzzer begins with the golden files here, too.
#[test]
fn golden_networks_are_decoded() {
    let mut files = files_in("../crates/dafu-sequence/testdata/golden".into());
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "safetensors")
    });
    assert!(!files.is_empty());
    run_on(&files, dafu_fuzz::sequence_weights);
}

#[test]
fn sequence_stream_holds() {
    replay("sequence_stream", dafu_fuzz::sequence_stream);
}

#[test]
fn rules_condition_holds() {
    replay("rules_condition", dafu_fuzz::rules_condition);
}

#[test]
fn rules_file_holds() {
    replay("rules_file", dafu_fuzz::rules_file);
}
