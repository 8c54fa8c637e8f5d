//! Data and parameters at and beyond the edge of what makes sense.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{
    FiniteCheck, IsolationForestError, IsolationForestParams, MaxFeatures, SplitRule, ThresholdRows,
};
use ndarray::{Array2, array};

fn params() -> IsolationForestParams {
    IsolationForestParams::default().contamination([0.1, 0.5])
}

#[test]
fn rejects_zero_rows_and_zero_columns() {
    let none = Array2::<f64>::zeros((0, 3));
    assert!(matches!(
        params().fit(none.view()),
        Err(IsolationForestError::NoRows)
    ));
    let none = Array2::<f64>::zeros((3, 0));
    assert!(matches!(
        params().fit(none.view()),
        Err(IsolationForestError::NoColumns)
    ));
    let none = Array2::<f64>::zeros((0, 0));
    assert!(matches!(
        params().fit(none.view()),
        Err(IsolationForestError::NoColumns)
    ));
}

#[test]
fn one_row_scores_one_half_and_is_not_flagged() {
    let forest = params().fit(array![[3.0, 4.0]].view()).unwrap();
    assert_eq!(forest.sample_size(), 1);
    for row in [[3.0, 4.0], [-1e9, 1e9]] {
        assert_eq!(
            forest.score_row(&row).unwrap().get().to_bits(),
            0.5_f64.to_bits()
        );
        assert!(!forest.predict_row(&row, 0.5).unwrap());
    }
}

#[test]
fn constant_data_score_one_half_and_flag_nothing() {
    let rows = Array2::from_elem((1000, 3), 7.0);
    let forest = params().fit(rows.view()).unwrap();
    let mut scores = vec![0.0; 1000];
    forest.score_rows(rows.view(), &mut scores).unwrap();
    assert!(
        scores
            .iter()
            .all(|score| score.to_bits() == 0.5_f64.to_bits())
    );
    let mut flags = vec![true; 1000];
    forest.predict_rows(rows.view(), 0.5, &mut flags).unwrap();
    assert!(flags.iter().all(|flag| !flag));
}

#[test]
fn constant_columns_do_not_use_up_levels() {
    // One telling column among many constant ones: the outlier is isolated as if they were not there.
    let mut rows = Array2::zeros((512, 40));
    for (i, mut row) in rows.rows_mut().into_iter().enumerate() {
        row[33] = (i % 64) as f64;
    }
    rows[[500, 33]] = 1e6;
    let forest = params().sample_size(512).fit(rows.view()).unwrap();
    let outlier = forest.score_row(&rows.row(500).to_vec()).unwrap();
    assert!(outlier.get() > 0.8, "{outlier}");
}

#[test]
fn fewer_rows_than_the_sample_take_all_rows() {
    let rows = array![[1.0], [2.0], [3.0], [50.0], [2.5]];
    let forest = params().fit(rows.view()).unwrap();
    assert_eq!(forest.sample_size(), 5);
    let outlier = forest.score_row(&[50.0]).unwrap();
    assert!(
        (0..5)
            .filter(|&i| i != 3)
            .all(|i| forest.score_row(&[rows[[i, 0]]]).unwrap() < outlier)
    );
}

#[test]
fn rejects_contamination_outside_its_interval() {
    for level in [0.0, -0.1, 0.500_001, 1.0, f64::NAN, f64::INFINITY] {
        let error = params().contamination([0.1, level]).check().unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::FractionOutOfRange {
                name: "contamination",
                ..
            }
        ));
    }
    let error = params()
        .contamination([0.7])
        .check()
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "`contamination` must be above 0 and at most 0.5, got 0.7"
    );
}

#[test]
fn rejects_counts_outside_their_interval() {
    for (params, message) in [
        (
            params().trees(0),
            "`trees` must be between 1 and 100000, got 0",
        ),
        (
            params().sample_size(0),
            "`sample_size` must be between 1 and 16777216, got 0",
        ),
        (
            params().max_features(MaxFeatures::Count(0)),
            "`max_features` must be between 1 and 1073741824, got 0",
        ),
        (
            params().rules([SplitRule::standard().columns(0)]),
            "columns of a split must be at least 1, got 0",
        ),
        (
            params().max_features(MaxFeatures::Fraction(1.5)),
            "`max_features` must be above 0 and at most 1, got 1.5",
        ),
        (
            params().height_limit(dafu_iforest::HeightLimit::Levels(70_000)),
            "`height_limit` must be between 0 and 65535, got 70000",
        ),
    ] {
        assert_eq!(params.check().unwrap_err().to_string(), message);
    }
    assert!(
        params()
            .threshold_rows(ThresholdRows::Sample(0))
            .check()
            .is_err()
    );
    let error = params()
        .max_features(MaxFeatures::Count(3))
        .fit(array![[1.0, 2.0]].view());
    assert!(matches!(
        error,
        Err(IsolationForestError::TooManyFeatures {
            asked: 3,
            columns: 2
        })
    ));
}

#[test]
fn names_row_and_column_of_a_value_that_is_not_finite() {
    for (wrong, check) in [
        (f64::NAN, FiniteCheck::AllRows),
        (f64::INFINITY, FiniteCheck::SampledRows),
        (f64::NEG_INFINITY, FiniteCheck::AllRows),
    ] {
        let mut rows = Array2::from_shape_fn((20_000, 3), |(i, j)| (i * (j + 1) % 101) as f64);
        let forest = params().fit(rows.view()).unwrap();
        rows[[19_000, 1]] = wrong;
        rows[[9_999, 2]] = wrong;
        let error = params().finite_check(check).fit(rows.view()).unwrap_err();
        assert!(
            matches!(
                error,
                IsolationForestError::NotFinite {
                    row: 9_999,
                    column: 2,
                    ..
                }
            ),
            "{error}"
        );
        let mut scores = vec![0.0; 20_000];
        let error = forest.score_rows(rows.view(), &mut scores).unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite {
                row: 9_999,
                column: 2,
                ..
            }
        ));
        assert!(
            error
                .to_string()
                .starts_with("value in row 9999, column 2 is")
        );
        let error = forest.score_row(&[0.0, 1.0, wrong]).unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite {
                row: 0,
                column: 2,
                ..
            }
        ));
        let error = forest
            .explain_row(&[wrong, 1.0, 1.0], &mut [0.0; 3])
            .unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite {
                row: 0,
                column: 0,
                ..
            }
        ));
    }
}

#[test]
fn checks_only_drawn_rows_when_asked_to() {
    let mut rows = Array2::from_shape_fn((1_000_000, 1), |(i, _)| i as f64);
    rows[[77, 0]] = f64::NAN;
    let params = IsolationForestParams::default()
        .trees(3)
        .finite_check(FiniteCheck::SampledRows);
    assert!(params.fit(rows.view()).is_ok());
    assert!(params.sample_size(1 << 20).fit(rows.view()).is_err());
}

#[test]
fn rejects_other_widths_lengths_and_levels() {
    let rows = array![[1.0, 2.0], [2.0, 1.0], [8.0, 9.0]];
    let forest = params().fit(rows.view()).unwrap();
    assert!(matches!(
        forest.score_row(&[1.0]),
        Err(IsolationForestError::WrongWidth {
            expected: 2,
            got: 1
        })
    ));
    assert!(matches!(
        forest.score_rows(rows.view(), &mut [0.0; 2]),
        Err(IsolationForestError::WrongOutputLength {
            expected: 3,
            got: 2
        })
    ));
    assert!(matches!(
        forest.explain_row(&[1.0, 2.0], &mut [0.0; 3]),
        Err(IsolationForestError::WrongOutputLength {
            expected: 2,
            got: 3
        })
    ));
    assert!(matches!(
        forest.predict_row(&[1.0, 2.0], 0.2),
        Err(IsolationForestError::UnknownContamination { .. })
    ));
    forest
        .score_rows(Array2::<f64>::zeros((0, 2)).view(), &mut [])
        .unwrap();
}

#[test]
fn thresholds_of_a_sample_are_near_those_of_all_rows() {
    let rows = Array2::from_shape_fn((30_000, 4), |(i, j)| {
        ((i * (7919 + 104 * j)) % 30_011) as f64
    });
    let all = params().fit(rows.view()).unwrap();
    let sample = params()
        .threshold_rows(ThresholdRows::Sample(5000))
        .fit(rows.view())
        .unwrap();
    for (a, b) in all.thresholds().iter().zip(sample.thresholds()) {
        assert_eq!((a.rows(), b.rows()), (30_000, 5000));
        assert!((a.threshold().get() - b.threshold().get()).abs() < 0.01);
        assert_eq!(
            b.flagged(),
            if b.contamination() < 0.2 { 500 } else { 2500 }
        );
    }
}
