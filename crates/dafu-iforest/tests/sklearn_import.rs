//! Forests of scikit-learn score and flag here what they do there.
#![cfg(feature = "import")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use dafu_core::model::Limits;
use dafu_iforest::{
    AveragePath, DamagedModel, ImportProblem, IsolationForest, IsolationForestError, MissingValues,
};
use serde_json::{Value, json};
use std::path::Path;

fn fixture(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sklearn_forests");
    let text = std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn import(forest: &Value) -> Result<IsolationForest, IsolationForestError> {
    IsolationForest::from_sklearn_json(&forest.to_string(), &Limits::default())
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|n| n.as_f64().unwrap_or(f64::NAN)).collect()
}

/// The largest difference of a score.
fn check(name: &str) -> f64 {
    let fixture = fixture(name);
    let forest = import(&fixture["forest"]).unwrap();
    let expected = numbers(&fixture["score_samples"]);
    let decisions = numbers(&fixture["decision_function"]);
    let predicted = numbers(&fixture["predict"]);
    let contamination = fixture["forest"]["contamination"].as_f64();
    assert_eq!(
        forest.thresholds().len(),
        usize::from(contamination.is_some())
    );
    let mut largest = 0.0_f64;
    for (at, row) in fixture["rows"].as_array().unwrap().iter().enumerate() {
        let row = numbers(row);
        let score = forest.score_row(&row).unwrap();
        let difference = (score.get() + expected[at]).abs();
        assert!(difference < 1e-9, "{name}, row {at}: {difference:e}");
        largest = largest.max(difference);
        assert_eq!(predicted[at] < 0.0, decisions[at] < 0.0);
        let flagged = match contamination {
            Some(level) => forest.predict_row(&row, level).unwrap(),
            None => score.get() > 0.5 + 1e-9,
        };
        assert_eq!(flagged, predicted[at] < 0.0, "{name}, row {at}");
    }
    largest
}

#[test]
fn scores_are_those_of_sklearn_to_1e_9_and_flags_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sklearn_forests");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 17);
    for name in names {
        println!("{name}: {:e}", check(&name));
    }
}

#[test]
fn what_is_known_of_the_fit_is_kept() {
    let forest = import(&fixture("bootstrap_contamination")["forest"]).unwrap();
    assert_eq!(forest.average_path(), AveragePath::Approximate);
    assert_eq!((forest.tree_count(), forest.width()), (10, 4));
    assert_eq!(forest.rows_fitted(), 200);
    assert_eq!(forest.missing(), MissingValues::Impute);
    let level = forest.thresholds()[0];
    assert!((level.contamination() - 0.25).abs() < 1e-15);
    assert_eq!((level.flagged(), level.rows()), (50, 200));
    let plain = import(&fixture("plain")["forest"]).unwrap();
    assert_eq!(plain.sample_size(), 32);
    assert!(plain.thresholds().is_empty());
}

#[test]
fn forests_without_a_word_on_missing_values_refuse_them() {
    let mut forest = fixture("plain")["forest"].clone();
    let with = import(&forest).unwrap();
    for tree in forest["trees"].as_array_mut().unwrap() {
        tree.as_object_mut().unwrap().remove("missing_go_to_left");
    }
    let without = import(&forest).unwrap();
    let row = [0.5, 3.0, 0.01, 5e5];
    assert_eq!(
        with.score_row(&row).unwrap(),
        without.score_row(&row).unwrap()
    );
    assert!(without.score_row(&[f64::NAN; 4]).is_err());
    assert!(with.score_row(&[f64::NAN; 4]).is_ok());
    // In some trees only: not what scikit-learn does.
    let right = fixture("plain")["forest"]["trees"][1].clone();
    forest["trees"][1] = right;
    let key = "missing_go_to_left";
    problem(&forest, &ImportProblem::Header { key });
}

fn problem(forest: &Value, expected: &ImportProblem) {
    match import(forest) {
        Err(IsolationForestError::Import(problem)) => assert_eq!(problem, *expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

fn damaged(forest: &Value, expected: DamagedModel) {
    match import(forest) {
        Err(IsolationForestError::DamagedModel(damaged)) => assert_eq!(damaged, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

/// Three leaves.
fn small() -> Value {
    json!({
        "format": "sklearn-isolation-forest", "version": 1, "sklearn": "1.9.1", "n_features": 2, "n_rows": 9,
        "max_samples": 4, "offset": -0.5, "contamination": null,
        "trees": [{
            "children_left": [1, -1, 3, -1, -1], "children_right": [2, -1, 4, -1, -1],
            "feature": [0, -2, 1, -2, -2], "threshold": [7.5, -2.0, 1.0, -2.0, -2.0],
            "n_node_samples": [4, 1, 3, 2, 1]
        }]
    })
}

/// As [`small`] with other entries in its tree.
fn tree(key: &'static str, values: Value) -> Value {
    let mut forest = small();
    forest["trees"][0][key] = values;
    forest
}

#[test]
fn says_what_is_wrong_with_a_forest() {
    let good = small();
    assert!(import(&good).is_ok());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut forest = good.clone();
        change(&mut forest);
        forest
    };
    let got = "other".to_owned();
    let expected = "sklearn-isolation-forest";
    let other = with(&|forest| forest["format"] = json!("other"));
    problem(&other, &ImportProblem::Format { expected, got });
    let newer = with(&|forest| {
        forest["version"] = json!(2);
        forest["new"] = json!([]);
    });
    problem(&newer, &ImportProblem::Version { got: 2, newest: 1 });
    for offset in [0.5, -1.5] {
        let wrong = with(&|forest| forest["offset"] = json!(offset));
        problem(&wrong, &ImportProblem::Entry { key: "offset" });
    }
    for level in [0.0, 0.6, -0.1] {
        let wrong = with(&|forest| forest["contamination"] = json!(level));
        let key = "contamination";
        problem(&wrong, &ImportProblem::Entry { key });
    }
    damaged(&with(&|forest| forest["trees"] = json!([])), {
        let what = dafu_iforest::HeaderField::Trees;
        DamagedModel::Header { what }
    });
    for key in ["trees", "offset", "n_rows", "sklearn"] {
        let without = with(&|forest| {
            forest.as_object_mut().unwrap().remove(key);
        });
        assert!(
            matches!(import(&without), Err(IsolationForestError::Json(_))),
            "{key}"
        );
    }
    let more = with(&|forest| forest["more"] = json!(1));
    assert!(matches!(import(&more), Err(IsolationForestError::Json(_))));
    let text = good.to_string();
    let tight = |limits| IsolationForest::from_sklearn_json(&text, &limits).is_err();
    let limits = Limits::default;
    assert!(tight(Limits {
        max_bytes: 100,
        ..limits()
    }));
    assert!(tight(Limits {
        max_trees: 0,
        ..limits()
    }));
    assert!(tight(Limits {
        max_nodes: 4,
        ..limits()
    }));
    assert!(tight(Limits {
        max_features: 1,
        ..limits()
    }));
}

#[test]
fn says_what_is_wrong_with_a_tree() {
    assert!(import(&small()).is_ok());
    let key = "feature";
    problem(
        &tree(key, json!([0])),
        &ImportProblem::Length { key, tree: 0 },
    );
    // A cycle, a node with two parents, a node without one, a child that is not there.
    let shape = DamagedModel::Shape { tree: 0 };
    for left in [
        [0, -1, 3, -1, -1],
        [2, -1, 3, -1, -1],
        [1, -1, 2, -1, -1],
        [1, -1, -1, -1, -1],
        [1, -1, 5, -1, -1],
        [1, -1, -7, -1, -1],
    ] {
        damaged(&tree("children_left", json!(left)), shape);
    }
    let feature = DamagedModel::Feature { tree: 0, width: 2 };
    for column in [2, -1] {
        damaged(&tree("feature", json!([0, -2, column, -2, -2])), feature);
    }
    let counts = DamagedModel::Counts { tree: 0 };
    for rows in [
        [4, 1, 2, 2, 1],
        [4, 2, 3, 2, 1],
        [4, 1, 3, 3, 0],
        [5, 2, 3, 2, 1],
    ] {
        damaged(&tree("n_node_samples", json!(rows)), counts);
    }
}
