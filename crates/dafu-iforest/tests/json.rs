//! Forests as JSON: the same forest to the bit when read back, and errors for what is not one.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod forests;

use dafu_core::model::Limits;
use dafu_iforest::{
    DamagedModel, HeaderField, ImportProblem, IsolationForest, IsolationForestError,
};
use forests::sample_forests;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn read(text: &str) -> Result<IsolationForest, IsolationForestError> {
    IsolationForest::from_json(text, &Limits::default())
}

#[test]
fn forests_of_every_kind_are_read_back_to_the_bit() {
    for (name, forest, rows) in sample_forests() {
        let text = forest.to_json().unwrap();
        let loaded = read(&text).unwrap();
        assert_eq!(loaded, forest, "{name}");
        assert_eq!(loaded.to_json().unwrap(), text, "{name}");
        assert_eq!(loaded.to_bytes().unwrap(), forest.to_bytes().unwrap());
        for row in rows.rows() {
            let row = row.as_slice().unwrap();
            let expected = forest.score_row(row).unwrap().get().to_bits();
            assert_eq!(loaded.score_row(row).unwrap().get().to_bits(), expected);
        }
    }
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    folder.join(name)
}

/// Run with `--ignored` once for each new version of the layout.
#[test]
#[ignore = "writes the golden files"]
fn writes_golden_files() {
    for name in ["iforest-v1", "iforest_rich-v2"] {
        let forest = IsolationForest::load(golden(&format!("{name}.dafu"))).unwrap();
        let text = forest.to_json().unwrap() + "\n";
        std::fs::write(golden(&format!("{name}.json-v1.json")), text).unwrap();
    }
}

#[test]
fn golden_files_are_the_forests_of_the_model_files() {
    for name in ["iforest-v1", "iforest_rich-v2"] {
        let forest = IsolationForest::load(golden(&format!("{name}.dafu"))).unwrap();
        let text = std::fs::read_to_string(golden(&format!("{name}.json-v1.json"))).unwrap();
        assert_eq!(read(&text).unwrap(), forest, "{name}");
        assert_eq!(forest.to_json().unwrap() + "\n", text, "{name}");
    }
}

/// The JSON of a sample forest with something changed.
fn with(name: &str, change: impl Fn(&mut Value)) -> String {
    let (_, forest, _) = sample_forests()
        .into_iter()
        .find(|(other, ..)| *other == name)
        .unwrap();
    let mut value: Value = serde_json::from_str(&forest.to_json().unwrap()).unwrap();
    change(&mut value);
    value.to_string()
}

#[test]
fn says_what_is_wrong_with_a_text() {
    assert!(read(&with("standard", |_| ())).is_ok());
    let problem = |text: &str, expected: &ImportProblem| match read(text) {
        Err(IsolationForestError::Import(problem)) => assert_eq!(problem, *expected),
        other => panic!("{other:?} instead of {expected:?}"),
    };
    let damaged = |text: &str, expected: DamagedModel| match read(text) {
        Err(IsolationForestError::DamagedModel(damaged)) => assert_eq!(damaged, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    };
    let root = |key: &'static str, value: Value| {
        with("standard", |forest| {
            forest["trees"][1]["nodes"][0][key] = value.clone();
        })
    };
    let contradiction = ImportProblem::Contradiction { tree: 1 };
    problem(&root("left", json!(2)), &contradiction);
    problem(&root("value", json!(1.0)), &contradiction);
    problem(&root("missing", json!("left")), &contradiction);
    problem(&root("terms", json!([{"column": 1}])), &contradiction);
    let leaf = |change: &dyn Fn(&mut Value)| {
        with("standard", |forest| {
            let nodes = forest["trees"][1]["nodes"].as_array_mut().unwrap();
            change(nodes.last_mut().unwrap());
        })
    };
    problem(&leaf(&|leaf| leaf["value"] = json!(0.75)), &contradiction);
    problem(
        &leaf(&|leaf| leaf["threshold"] = json!(0.75)),
        &contradiction,
    );
    problem(&leaf(&|leaf| leaf["rows"] = json!(2)), &contradiction);
    let width = 3;
    damaged(
        &root("column", json!(3)),
        DamagedModel::Feature { tree: 1, width },
    );
    problem(&root("rows", json!(65)), &contradiction);
    let left_child = with("standard", |forest| {
        forest["trees"][1]["nodes"][1]["rows"] = json!(0);
    });
    damaged(&left_child, DamagedModel::Counts { tree: 1 });
    damaged(
        &root("threshold", json!(null)),
        DamagedModel::Threshold { tree: 1 },
    );
    damaged(
        &with("standard", |forest| forest["trees"] = json!([])),
        DamagedModel::Header {
            what: HeaderField::Trees,
        },
    );
    let key = "formula";
    problem(
        &with("standard", |forest| forest[key] = json!("mean")),
        &ImportProblem::Header { key },
    );
    problem(
        &with("standard", |forest| {
            forest["version"] = json!(2);
            forest["new"] = json!(1);
        }),
        &ImportProblem::Version { got: 2, newest: 1 },
    );
    let text = with("standard", |forest| forest["new"] = json!(1));
    assert!(matches!(read(&text), Err(IsolationForestError::Json(_))));
    let deep = "[".repeat(100_000);
    assert!(matches!(read(&deep), Err(IsolationForestError::Json(_))));
}

#[test]
fn limits_hold() {
    let text = with("standard", |_| ());
    let limits = Limits::default;
    let tight = |limits| IsolationForest::from_json(&text, &limits).is_err();
    assert!(tight(Limits {
        max_bytes: 100,
        ..limits()
    }));
    assert!(tight(Limits {
        max_trees: 2,
        ..limits()
    }));
    assert!(tight(Limits {
        max_nodes: 50,
        ..limits()
    }));
    assert!(tight(Limits {
        max_features: 2,
        ..limits()
    }));
}
