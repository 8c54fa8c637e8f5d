//! The source platform's `models.json`.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_pipeline::{Detector, ModelsFile, OneOrMany, PipelineError, SampleSize};

const WHOLE: &str = r#"{
    "isolation_forest": {"contamination": [0.01, 0.05], "n_estimators": 50, "max_samples": "auto",
                         "max_features": 1.0, "bootstrap": false, "random_state": 42, "n_jobs": -1},
    "lstm": {"sequence_length": 10, "hidden_units": 64, "dropout": 0.2, "epochs": 50},
    "xgboost": {"n_estimators": 100, "max_depth": 6, "learning_rate": 0.1}
}"#;

#[test]
fn loads_all_blocks_and_names_those_without_a_stage() {
    let file = ModelsFile::parse(WHOLE).unwrap();
    let blocks = [
        ("lstm", cfg!(feature = "sequence")),
        ("xgboost", cfg!(feature = "ensemble")),
    ];
    let missing = blocks.into_iter().filter(|(_, built)| !built);
    let missing: Vec<&str> = missing.map(|(block, _)| block).collect();
    assert_eq!(file.not_built(), missing);
    let forest = file.isolation_forest.as_ref().unwrap();
    assert_eq!(
        forest.contamination,
        Some(OneOrMany::Many(vec![0.01, 0.05]))
    );
    assert_eq!(
        forest.max_samples,
        Some(SampleSize::Word("auto".to_owned()))
    );
    let built = Detector::builder().models(file.clone()).build();
    if let Some(first) = missing.first() {
        let error = built.unwrap_err();
        assert!(
            matches!(&error, PipelineError::StageNotBuilt { block } if block == first),
            "{error}"
        );
    } else {
        assert!(format!("{built:?}").contains("SequenceSpec"));
    }
    let forest_alone = file.without("lstm").without("xgboost");
    let trainer = Detector::builder().models(forest_alone).build().unwrap();
    assert!(format!("{trainer:?}").contains("trees: 50"));
}

#[test]
fn accepts_the_forms_that_scikit_learn_takes() {
    for (text, wanted) in [
        (
            r#"{"isolation_forest": {"contamination": 0.1}}"#,
            "levels: [0.1]",
        ),
        (
            r#"{"isolation_forest": {"max_samples": 128}}"#,
            "sample_size: 128",
        ),
        (
            r#"{"isolation_forest": {"variant": "recommended"}}"#,
            "scoring: Density",
        ),
        (
            r#"{"isolation_forest": {"variant": "guided", "n_estimators": 60}}"#,
            "trees: 60",
        ),
        (
            r#"{"isolation_forest": {"variant": "extended"}}"#,
            "height_limit: Unlimited",
        ),
        (
            r#"{"isolation_forest": {"max_samples": 0.5}}"#,
            "sample_share: Some(0.5)",
        ),
        (
            r#"{"isolation_forest": {"max_features": 0.5}}"#,
            "Fraction(0.5)",
        ),
        (r#"{"isolation_forest": {"max_features": 3}}"#, "Count(3)"),
        (
            r#"{"isolation_forest": {"bootstrap": true}}"#,
            "bootstrap: true",
        ),
        (
            "\u{feff}{\"isolation_forest\": {\"random_state\": 9}}",
            "seed: 9",
        ),
    ] {
        let file = ModelsFile::parse(text).unwrap();
        let trainer = Detector::builder().models(file).build().unwrap();
        assert!(
            format!("{trainer:?}").contains(wanted),
            "{text}: {trainer:?}"
        );
    }
}

#[test]
fn names_what_is_wrong() {
    for (text, wanted) in [
        ("", "EOF"),
        (
            r#"{"isolation_forest": {"n_estimatorz": 3}}"#,
            "n_estimatorz",
        ),
        (r#"{"catboost": {}}"#, "catboost"),
        (r#"{"isolation_forest": {"n_estimators": -3}}"#, "line 1"),
    ] {
        let error = ModelsFile::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    for (text, wanted) in [
        ("{}", "no block"),
        (r#"{"isolation_forest": {"max_samples": "lots"}}"#, "lots"),
        (r#"{"isolation_forest": {"max_samples": 1.5}}"#, "1.5"),
        (
            r#"{"isolation_forest": {"variant": "deep"}}"#,
            "classic, extended, guided or recommended",
        ),
        (
            r#"{"isolation_forest": {"max_features": 0}}"#,
            "max_features",
        ),
        (r#"{"isolation_forest": {"contamination": 0.9}}"#, "0.9"),
        (r#"{"isolation_forest": {"n_estimators": 0}}"#, "trees"),
    ] {
        let file = ModelsFile::parse(text).unwrap();
        let error = Detector::builder()
            .models(file)
            .build()
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}
