//! Models of `XGBoost` and `LightGBM` answer as those libraries do; fixtures by `fixtures/make_imports.py`.

#![cfg(feature = "import")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

use dafu_core::Explain;
use dafu_ensemble::{BoostedTrees, EnsembleError, ImportProblem};
use serde_json::Value;

struct Answers {
    rows: Vec<Vec<f64>>,
    log_odds: Vec<f64>,
    contributions: Option<Vec<Vec<f64>>>,
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values
        .map(|value| value.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn answers(text: &str) -> Answers {
    let value: Value = serde_json::from_str(text).unwrap();
    let table = |value: &Value| value.as_array().unwrap().iter().map(numbers).collect();
    Answers {
        rows: table(&value["rows"]),
        log_odds: numbers(&value["log_odds"]),
        contributions: value.get("contributions").map(table),
    }
}

/// `within` is the rounding of sums in the other library.
fn compare(model: &BoostedTrees, answers: &Answers, within: f64) {
    let explainer = model.explainer();
    for (number, (row, expected)) in answers.rows.iter().zip(&answers.log_odds).enumerate() {
        let found = model.log_odds_row(row).unwrap();
        assert!(
            (found - expected).abs() < within,
            "row {number}: {found} {expected}"
        );
        if let Some(parts) = &answers.contributions {
            let (of_columns, baseline) = (&parts[number][..row.len()], parts[number][row.len()]);
            let mut contributions = vec![0.0; row.len()];
            let found = explainer.explain_row(row, &mut contributions).unwrap();
            assert!((found - baseline).abs() < 1e-5, "{found} {baseline}");
            for (found, expected) in contributions.iter().zip(of_columns) {
                assert!(
                    (found - expected).abs() < 1e-5,
                    "row {number}: {found} {expected}"
                );
            }
        }
    }
    assert!(answers.rows.len() > 20);
}

macro_rules! same {
    ($name:ident, $read:ident, $file:literal, $answers:literal, $within:literal) => {
        #[test]
        fn $name() {
            let model = BoostedTrees::$read(include_str!(concat!("fixtures/", $file))).unwrap();
            compare(
                &model,
                &answers(include_str!(concat!("fixtures/", $answers))),
                $within,
            );
        }
    };
}

same!(
    lightgbm_answers_the_same,
    from_lightgbm_text,
    "lightgbm.txt",
    "lightgbm_answers.json",
    1e-10
);
same!(
    lightgbm_with_categories_answers_the_same,
    from_lightgbm_text,
    "lightgbm_categories.txt",
    "lightgbm_categories_answers.json",
    1e-10
);
same!(
    a_forest_of_lightgbm_answers_the_same,
    from_lightgbm_text,
    "lightgbm_forest.txt",
    "lightgbm_forest_answers.json",
    1e-10
);
// XGBoost adds in 32 bits.
same!(
    xgboost_answers_the_same,
    from_xgboost_json,
    "xgboost.model.json",
    "xgboost_answers.json",
    1e-6
);
same!(
    xgboost_with_categories_answers_the_same,
    from_xgboost_json,
    "xgboost_categories.model.json",
    "xgboost_categories_answers.json",
    1e-6
);
same!(
    xgboost_with_dropped_trees_answers_the_same,
    from_xgboost_json,
    "xgboost_dart.model.json",
    "xgboost_dart_answers.json",
    1e-6
);

fn problem(result: Result<BoostedTrees, EnsembleError>) -> ImportProblem {
    match result.unwrap_err() {
        EnsembleError::Import { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn what_has_no_counterpart_is_named() {
    let light = include_str!("fixtures/lightgbm.txt");
    let read = |from: &str, to: &str| {
        problem(BoostedTrees::from_lightgbm_text(
            &light.replacen(from, to, 1),
        ))
    };
    let text = |problem: ImportProblem| problem.to_string();
    assert_eq!(
        text(read("objective=binary sigmoid:1", "objective=lambdarank")),
        "the objective `lambdarank` is not supported; supported: binary"
    );
    assert!(text(read("num_class=1", "num_class=3")).contains("number of outputs `3`"));
    assert!(text(read("is_linear=0", "is_linear=1")).contains("linear leaves"));
    assert_eq!(
        read("max_feature_idx=3\n", ""),
        ImportProblem::Missing {
            key: "max_feature_idx"
        }
    );
    assert_eq!(
        read("leaf_count=", "leaf_count=7 "),
        ImportProblem::Entry {
            key: "leaf_count",
            tree: 0
        }
    );
    // The first split leads to itself.
    let line = light
        .lines()
        .find(|line| line.starts_with("left_child="))
        .unwrap();
    let first = line.split(' ').next().unwrap();
    assert_eq!(
        read(first, "left_child=0"),
        ImportProblem::Shape { tree: 0 }
    );
    assert_eq!(
        problem(BoostedTrees::from_lightgbm_text("")),
        ImportProblem::Missing { key: "tree" }
    );

    let extreme = include_str!("fixtures/xgboost.model.json");
    let read = |from: &str, to: &str| {
        problem(BoostedTrees::from_xgboost_json(
            &extreme.replacen(from, to, 1),
        ))
    };
    assert!(text(read("binary:logistic", "multi:softprob")).contains("multi:softprob"));
    assert!(text(read("\"gbtree\"", "\"gblinear\"")).contains("gblinear"));
    assert_eq!(
        read("\"left_children\":[1,", "\"left_children\":[0,"),
        ImportProblem::Shape { tree: 0 }
    );
    assert!(matches!(
        read("\"learner\"", "\"learned\""),
        ImportProblem::Json { line: 1, .. }
    ));
    let narrow = extreme.replace("\"num_feature\":\"4\"", "\"num_feature\":\"1\"");
    let key = "feature of a split";
    assert_eq!(
        problem(BoostedTrees::from_xgboost_json(&narrow)),
        ImportProblem::Entry { key, tree: 0 }
    );
}

#[test]
fn any_cut_of_a_file_is_an_error_or_a_model_of_fewer_trees() {
    let light = include_str!("fixtures/lightgbm_categories.txt");
    let extreme = include_str!("fixtures/xgboost_categories.model.json");
    let whole = BoostedTrees::from_lightgbm_text(light).unwrap().len();
    for end in (0..light.len()).step_by(37) {
        if let Ok(model) = BoostedTrees::from_lightgbm_text(&light[..end]) {
            assert!(model.len() <= whole && model.log_odds_row(&[0.0; 4]).is_ok());
        }
    }
    for end in (0..extreme.len() - 1).step_by(97) {
        assert!(BoostedTrees::from_xgboost_json(&extreme[..end]).is_err());
    }
}

#[test]
fn a_short_text_makes_no_large_model() {
    // Two splits that name the same categories, and sets that overlap.
    let light = include_str!("fixtures/lightgbm_categories.txt");
    let line = |key: &str| light.lines().find(|line| line.starts_with(key)).unwrap();
    let boundaries = light.replacen(line("cat_boundaries="), "cat_boundaries=2 0", 1);
    let key = "cat_boundaries";
    let error = problem(BoostedTrees::from_lightgbm_text(&boundaries));
    assert_eq!(error, ImportProblem::Entry { key, tree: 0 });

    let extreme = include_str!("fixtures/xgboost_categories.model.json");
    let twice = extreme.replacen("\"categories_sizes\":[35]", "\"categories_sizes\":[36]", 1);
    assert_ne!(twice, extreme);
    let key = "categories";
    let error = problem(BoostedTrees::from_xgboost_json(&twice));
    assert_eq!(error, ImportProblem::Entry { key, tree: 0 });
}
