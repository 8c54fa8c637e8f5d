//! Models of `XGBoost` and `LightGBM` answer as those libraries do; fixtures by `fixtures/make_imports.py`.

#![cfg(feature = "import")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::panic,
    clippy::string_slice,
    reason = "tests; equal means the same bits"
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

#[test]
fn categories_of_lightgbm_lose_what_is_behind_the_point() {
    // Category 0 put into the first set, so that it goes left.
    let light = include_str!("fixtures/lightgbm_categories.txt");
    let with_zero = light.replacen("cat_threshold=8482 2", "cat_threshold=8483 2", 1);
    assert_ne!(with_zero, light);
    for text in [light, &with_zero] {
        let model = BoostedTrees::from_lightgbm_text(text).unwrap();
        let rows = [0.5, 0.0, 0.0];
        let row = |category: f64| [rows[0], rows[1], rows[2], category];
        let explained = |category: f64| {
            let mut parts = [0.0; 4];
            let explainer = model.explainer();
            explainer.explain_row(&row(category), &mut parts).unwrap();
            (model.log_odds_row(&row(category)).unwrap(), parts)
        };
        for (value, category) in [
            (-0.999, 0.0),
            (-0.5, 0.0),
            (-1e-300, 0.0),
            (-0.0, 0.0),
            (0.999, 0.0),
            (5.5, 5.0),
            // None at all.
            (-1.0, 1000.0),
            (-1.5, 1000.0),
            (-5.0, 1000.0),
            (1e10, 1000.0),
            (f64::NAN, 1000.0),
        ] {
            assert_eq!(explained(value), explained(category), "{value}");
        }
        // Many rows are answered by another way through the trees.
        let table = ndarray::Array2::from_shape_fn((9, 4), |(_, column)| row(-0.5)[column]);
        let mut odds = [0.0; 9];
        model.log_odds_rows(table.view(), &mut odds).unwrap();
        assert_eq!(odds, [explained(0.0).0; 9]);
        #[cfg(feature = "serde")]
        assert_eq!(
            BoostedTrees::from_bytes(&model.to_bytes().unwrap()).unwrap(),
            model
        );
    }
    // As lightgbm 4.7.0 answers for the second text.
    let model = BoostedTrees::from_lightgbm_text(&with_zero).unwrap();
    let of = |category: f64| model.log_odds_row(&[0.5, 0.0, 0.0, category]).unwrap();
    for (category, expected) in [
        (-1.0, -2.937_855_328_337_272),
        (-0.5, -2.468_554_559_126_579),
        (5.5, -0.420_752_523_872_398_9),
        (400.0, -2.937_855_328_337_272),
    ] {
        assert!((of(category) - expected).abs() < 1e-10, "{category}");
    }
    // In xgboost 3.2.0 whatever is negative is no category.
    let extreme = include_str!("fixtures/xgboost_categories.model.json");
    let model = BoostedTrees::from_xgboost_json(extreme).unwrap();
    let of = |category: f64| model.log_odds_row(&[0.5, 0.0, 0.0, category]).unwrap();
    for (category, expected) in [
        (-0.5, 0.695_775_57),
        (-7.0, 0.695_775_57),
        (5.5, 0.274_135_47),
        (0.0, -3.873_123),
    ] {
        assert!((of(category) - expected).abs() < 1e-6, "{category}");
    }
}

#[test]
fn a_split_of_lightgbm_names_a_set_by_a_whole_number() {
    let light = include_str!("fixtures/lightgbm_categories.txt");
    for number in ["-1", "0.5", "1", "1e300"] {
        let to = format!("0.18750000000000003 {number}\n");
        let text = light.replacen("0.18750000000000003 0\n", &to, 1);
        assert_ne!(text, light);
        let (key, tree) = ("cat_threshold", 0);
        let error = problem(BoostedTrees::from_lightgbm_text(&text));
        assert_eq!(error, ImportProblem::Entry { key, tree });
    }
}
