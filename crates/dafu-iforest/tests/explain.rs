//! What must hold for the explanations of every forest and row.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::Score;
use dafu_iforest::{
    Attribution, HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams,
    MissingValues, OrdinaryRange, OrdinaryValue, Parallelism, Scoring, SplitRule, UnseenCategories,
};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0_f64,
        3 => (-3..3_i32).prop_map(f64::from),
        1 => prop::sample::select(vec![0.0, -0.0, 1e-300, -1e300, 1.7e308, f64::MIN]),
        1 => Just(f64::NAN),
    ]
}

/// Rows, of which the last column holds categories where `categorical`.
fn data(categorical: bool) -> impl Strategy<Value = Array2<f64>> {
    (2_usize..80, 1_usize..7).prop_flat_map(move |(rows, columns)| {
        prop::collection::vec(value(), rows * columns).prop_map(move |values| {
            let mut rows = Array2::from_shape_vec((rows, columns), values).unwrap();
            if categorical {
                let last = rows.column_mut(columns - 1);
                for value in last {
                    *value = (value.abs() % 5.0).floor();
                }
            }
            rows
        })
    })
}

fn rule() -> impl Strategy<Value = SplitRule> {
    let kind = prop_oneof![
        Just(SplitRule::standard()),
        (1_usize..4).prop_map(SplitRule::extended),
        (1_usize..3).prop_map(SplitRule::fair_cut),
        Just(SplitRule::sciforest(2)),
    ];
    (kind, any::<bool>()).prop_map(|(rule, penalize_range)| SplitRule {
        penalize_range,
        ..rule
    })
}

fn fitted() -> impl Strategy<Value = (Array2<f64>, IsolationForest)> {
    let kinds = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let parts = (
        prop::collection::vec(rule(), 1..3),
        2_usize..12,
        any::<u64>(),
    );
    (kinds, parts).prop_flat_map(|(kinds, (rules, trees, seed))| {
        let (categorical, divide, unlimited, adjusted) = kinds;
        data(categorical).prop_map(move |rows| {
            let last = rows.ncols() - 1;
            let params = IsolationForestParams {
                trees,
                rules: rules.clone(),
                seed,
                scoring: if adjusted {
                    Scoring::AdjustedDepth
                } else {
                    Scoring::Depth
                },
                missing: if divide {
                    MissingValues::Divide
                } else {
                    MissingValues::Impute
                },
                unseen: if divide {
                    UnseenCategories::Divide
                } else {
                    UnseenCategories::Smaller
                },
                categorical: if categorical { vec![last] } else { vec![] },
                height_limit: if unlimited {
                    HeightLimit::Unlimited
                } else {
                    HeightLimit::Auto
                },
                ..Default::default()
            };
            let forest = params.fit(rows.view()).unwrap();
            (rows, forest)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn contributions_sum_to_the_score((rows, forest) in fitted()) {
        let mut of_way = vec![f64::NAN; rows.len()];
        let mut of_shapley = vec![f64::NAN; rows.len()];
        let serial = forest.clone().with_parallelism(Parallelism::Serial);
        let baselines = [
            forest.explain_rows(rows.view(), &mut of_way).unwrap(),
            forest.shapley_rows(rows.view(), &mut of_shapley).unwrap(),
        ];
        let width = rows.ncols();
        let both = of_way.chunks(width).zip(of_shapley.chunks(width));
        for (row, (of_way, of_shapley)) in rows.rows().into_iter().zip(both) {
            let row = row.to_vec();
            let log = forest.score_row(&row).unwrap().get().log2();
            for (baseline, values) in baselines.iter().zip([of_way, of_shapley]) {
                let off = baseline + values.iter().sum::<f64>() - log;
                // Few trees, and where rows go both ways the mean value at every node is rounded.
                prop_assert!(off.abs() < 2e-8, "{off}");
            }
            let mut one = vec![f64::NAN; width];
            serial.shapley_row(&row, &mut one).unwrap();
            prop_assert_eq!(&one[..], of_shapley);
        }
    }

    #[test]
    fn ordinary_values_are_ordinary((rows, forest) in fitted(), threshold in 0.3..0.7_f64) {
        let threshold = Score::new(threshold).unwrap();
        for row in rows.rows().into_iter().take(12) {
            let row = row.to_vec();
            let ordinary = forest.score_row(&row).unwrap() <= threshold;
            let found = forest.ordinary_values(&row, threshold).unwrap();
            prop_assert!(!ordinary || found.is_empty());
            for value in found {
                let mut changed = row.clone();
                changed[value.column] = value.to;
                let score = forest.score_row(&changed).unwrap();
                prop_assert!(score <= threshold);
                prop_assert_eq!(score, value.score);
            }
        }
    }

    #[test]
    fn importance_is_never_negative_or_no_number((rows, forest) in fitted()) {
        let flags: Vec<bool> = (0..rows.nrows()).map(|row| row % 5 == 0).collect();
        let importance = forest.diffi_importance(rows.view(), &flags).unwrap();
        prop_assert!(importance.iter().all(|&number| number >= 0.0));
        let mut local = vec![f64::NAN; rows.len()];
        forest.diffi_rows(rows.view(), &mut local).unwrap();
        prop_assert!(local.iter().all(|number| (0.0..=1.0).contains(number)));
        for attribution in [Attribution::Path, Attribution::Shapley] {
            let means = forest.mean_absolute_contributions(rows.view(), attribution).unwrap();
            prop_assert!(means.iter().all(|mean| mean.is_finite() && *mean >= 0.0));
        }
    }
}

#[test]
fn contributions_of_rows_with_missing_values_sum_to_the_score() {
    let rows = Array2::from_shape_fn((500, 6), |(row, column)| {
        let place = row * (2 * column + 3) % 101;
        if place % 9 == 0 {
            f64::NAN
        } else {
            place as f64
        }
    });
    let params = IsolationForestParams::default().missing(MissingValues::Divide);
    let forest = params.fit(rows.view()).unwrap();
    let mut values = vec![0.0; rows.len()];
    for shapley in [false, true] {
        let baseline = if shapley {
            forest.shapley_rows(rows.view(), &mut values).unwrap()
        } else {
            forest.explain_rows(rows.view(), &mut values).unwrap()
        };
        for (row, values) in rows.rows().into_iter().zip(values.chunks(6)) {
            let score = forest.score_row(&row.to_vec()).unwrap().get();
            let off = baseline + values.iter().sum::<f64>() - score.log2();
            assert!(off.abs() < 1e-9, "{off}");
            let missing = row.iter().zip(values).filter(|(value, _)| value.is_nan());
            missing.for_each(|(_, part)| assert_eq!(part.to_bits() << 1, 0));
        }
    }
}

#[test]
fn rejects_rows_and_outputs_of_another_shape_and_infinite_values() {
    let rows = Array2::from_shape_fn((50, 2), |(row, column)| (row * (column + 3) % 17) as f64);
    let forest = IsolationForestParams::default().fit(rows.view()).unwrap();
    let wrong_width = |error| matches!(error, IsolationForestError::WrongWidth { .. });
    let wrong_output = |error| matches!(error, IsolationForestError::WrongOutputLength { .. });
    let row = [1.0, 2.0];
    let mut one = [0.0; 2];
    assert!(wrong_width(
        forest.shapley_row(&[1.0], &mut one).unwrap_err()
    ));
    assert!(wrong_width(forest.diffi_row(&[1.0], &mut one).unwrap_err()));
    let threshold = Score::new(0.5).unwrap();
    assert!(wrong_width(
        forest.ordinary_values(&[1.0], threshold).unwrap_err()
    ));
    assert!(wrong_output(
        forest.shapley_row(&row, &mut [0.0]).unwrap_err()
    ));
    assert!(wrong_output(
        forest.diffi_row(&row, &mut [0.0]).unwrap_err()
    ));
    let mut many = [0.0; 99];
    assert!(wrong_output(
        forest.explain_rows(rows.view(), &mut many).unwrap_err()
    ));
    assert!(wrong_output(
        forest.shapley_rows(rows.view(), &mut many).unwrap_err()
    ));
    assert!(wrong_output(
        forest.diffi_rows(rows.view(), &mut many).unwrap_err()
    ));
    let narrow = array![[1.0], [2.0]];
    let attribution = Attribution::default();
    let error = forest.mean_absolute_contributions(narrow.view(), attribution);
    assert!(wrong_width(error.unwrap_err()));
    assert!(wrong_width(
        forest
            .diffi_importance(narrow.view(), &[true; 2])
            .unwrap_err()
    ));

    let mut rows = Array2::from_shape_fn((300, 2), |(row, _)| row as f64);
    rows[[250, 1]] = f64::INFINITY;
    rows[[200, 0]] = f64::NAN;
    let mut many = vec![0.0; 600];
    for result in [
        forest.explain_rows(rows.view(), &mut many).map(|_| ()),
        forest.shapley_rows(rows.view(), &mut many).map(|_| ()),
        forest.diffi_rows(rows.view(), &mut many),
        forest
            .diffi_importance(rows.view(), &[true; 300])
            .map(|_| ()),
    ] {
        assert!(matches!(
            result,
            Err(IsolationForestError::NotFinite {
                row: 200,
                column: 0,
                ..
            })
        ));
    }
}

#[test]
fn single_and_double_precision_rows_have_the_same_explanations() {
    let singles = Array2::from_shape_fn((90, 3), |(row, column)| {
        f32::from(u8::try_from(row * (column + 3) % 17).unwrap())
    });
    let rows = singles.mapv(f64::from);
    let forest = IsolationForestParams::default().fit(rows.view()).unwrap();
    let (mut a, mut b) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
    forest.shapley_rows(rows.view(), &mut a).unwrap();
    forest.shapley_rows(singles.view(), &mut b).unwrap();
    assert_eq!(a, b);
}

#[test]
fn explanations_may_cross_threads() {
    const fn crosses<T: Send + Sync>() {}
    crosses::<OrdinaryValue>();
    crosses::<OrdinaryRange>();
    crosses::<Attribution>();
}
