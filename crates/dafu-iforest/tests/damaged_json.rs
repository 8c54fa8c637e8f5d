//! JSON that is damaged or made by an enemy: an error, never a panic, a hang, or memory beyond the size of the text. One
//! test only, since the allocator counts the whole process.
#![cfg(all(feature = "import", feature = "json"))]
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "tests")]

mod forests;
#[allow(dead_code, reason = "sealed files are for other tests")]
mod hostile;

use dafu_core::model::Limits;
use dafu_iforest::{IsolationForest, IsolationForestError};
use forests::sample_forests;
use hostile::within;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

type Read = fn(&str, &Limits) -> Result<IsolationForest, IsolationForestError>;

/// Reads and says whether it worked; fails when memory goes beyond 32 times the text and 48 KiB.
fn reads(read: Read, text: &str) -> bool {
    let most = 32 * text.len() + 49_152;
    let loaded = within(ALLOCATOR, most, || read(text, &Limits::default()));
    loaded.is_ok_and(|forest| {
        // Whatever loads must also score.
        let row = vec![0.5; forest.width().min(1000)];
        row.len() < forest.width() || forest.score_row(&row).is_ok()
    })
}

/// Damages every byte of a text in many ways.
fn damage(read: Read, text: &str) {
    assert!(reads(read, text));
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        assert!(!reads(read, &text[..at]), "truncated to {at} bytes");
        for with in *b"0917-.,:]}[{\"enaZ" {
            let mut damaged = bytes.to_vec();
            damaged[at] = with;
            reads(read, std::str::from_utf8(&damaged).unwrap());
        }
        // One byte less, one more, and a number that promises a lot.
        reads(read, &format!("{}{}", &text[..at], &text[at + 1..]));
        for more in ["9", "-", "e9", "99999999", "null", ",0", "e999"] {
            reads(read, &format!("{}{more}{}", &text[..at], &text[at..]));
        }
    }
}

/// Texts of one short thing many times over: what memory they take for each byte.
fn flood(read: Read, head: &str, item: &str) {
    let many = vec![item; 200_000 / item.len()].join(",");
    for end in ["", "]", "]}", "]}]}"] {
        reads(read, &format!("{head}{many}{end}"));
    }
}

#[test]
fn damaged_texts_are_errors_and_take_no_more_memory_than_their_size() {
    let sklearn = r#"{"format":"sklearn-isolation-forest","version":1,"sklearn":"1.9.1","n_features":2,
"n_rows":9,"max_samples":4,"offset":-0.5,"contamination":0.1,"trees":[{"children_left":[1,-1,3,-1,-1],
"children_right":[2,-1,4,-1,-1],"feature":[0,-2,1,-2,-2],"threshold":[7.5,-2.0,1.0,-2.0,-2.0],
"n_node_samples":[4,1,3,2,1],"missing_go_to_left":[true,true,false,true,true]}]}"#;
    damage(IsolationForest::from_sklearn_json, sklearn);
    let start = sklearn.find("\"trees\"").unwrap();
    let head = &sklearn[..start];
    for (inner, item) in [
        ("\"trees\":[{\"children_left\":[", "0"),
        ("\"trees\":[{\"children_left\":[-1],\"threshold\":[", "0"),
        ("\"trees\":[{\"missing_go_to_left\":[", "true"),
        ("\"trees\":[", "{}"),
        (
            "\"trees\":[",
            r#"{"children_left":[],"children_right":[],"feature":[],"threshold":[],"n_node_samples":[]}"#,
        ),
        (
            "\"trees\":[",
            r#"{"children_left":[-1],"children_right":[-1],"feature":[0],"threshold":[0],"n_node_samples":[4]}"#,
        ),
    ] {
        flood(
            IsolationForest::from_sklearn_json,
            &format!("{head}{inner}"),
            item,
        );
    }

    let mut standard = String::new();
    for (name, forest, _) in sample_forests() {
        let text = forest.to_json().unwrap();
        if name == "standard" {
            standard.clone_from(&text);
        }
        assert!(reads(IsolationForest::from_json, &text), "{name}");
        // All keys, but not all of the numbers: some dozen trees of them.
        for at in (0..text.len()).step_by(1511) {
            assert!(!reads(IsolationForest::from_json, &text[..at]));
            for with in ["9", "-", "\"", "}", "[", "e", "null,"] {
                let damaged = format!("{}{with}{}", &text[..at], &text[at + 1..]);
                reads(IsolationForest::from_json, &damaged);
            }
        }
    }
    for (inner, item) in [
        ("\"trees\":[{\"kind\":0,\"nodes\":[", r#"{"rows":1}"#),
        (
            "\"trees\":[{\"kind\":0,\"nodes\":[",
            r#"{"rows":1,"value":0}"#,
        ),
        (
            "\"trees\":[{\"kind\":0,\"nodes\":[",
            r#"{"rows":1,"column":0}"#,
        ),
        (
            "\"trees\":[{\"kind\":0,\"nodes\":[{\"rows\":1,\"terms\":[",
            r#"{"column":0}"#,
        ),
        (
            "\"trees\":[{\"kind\":0,\"nodes\":[{\"rows\":1,\"terms\":[{\"column\":0,\"categories\":[",
            "[1,0]",
        ),
        ("\"trees\":[", r#"{"kind":0,"nodes":[]}"#),
        (
            "\"trees\":[",
            r#"{"kind":0,"nodes":[{"rows":64,"value":1}]}"#,
        ),
        ("\"kinds\":[", r#"{"sample_size":1,"unit":0}"#),
        ("\"levels\":[", r#"{"contamination":0}"#),
    ] {
        // After all that comes before the key.
        let key = inner.split(':').next().unwrap();
        let head = &standard[..standard.find(key).unwrap()];
        flood(IsolationForest::from_json, &format!("{head}{inner}"), item);
    }
}
