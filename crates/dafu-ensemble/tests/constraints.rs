//! Categories, monotone and interaction constraints, warm start and the focal loss of boosted trees.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_ensemble::{BoostedTreesParams, EnsembleError, Monotone, Samples};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

/// One tree of two leaves, nothing held back.
fn stump() -> BoostedTreesParams {
    BoostedTreesParams::default()
        .n_estimators(1)
        .learning_rate(1.0)
        .max_leaves(2)
        .min_leaf_rows(1)
        .min_leaf_hessian(0.0)
        .l2(0.0)
        .category_smooth(0.0)
        .category_l2(0.0)
}

/// A table of random numbers in which each column matters, and labels with noise.
fn noisy(rows: usize, columns: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let table = Array2::from_shape_simple_fn((rows, columns), &mut next);
    let frauds = table
        .rows()
        .into_iter()
        .map(|row| {
            row.sum() / columns as f64 + (row[0] - 0.5) * (row[columns - 1] - 0.5)
                > 0.35 + 0.4 * next()
        })
        .collect();
    (table, frauds)
}

/// Gain of the best of all sets of categories: every one of them is tried.
fn best_of_all_sets(categories: &[Option<u8>], frauds: &[bool], least: usize) -> f64 {
    let share = frauds.iter().filter(|fraud| **fraud).count() as f64 / frauds.len() as f64;
    let mut best = 0.0_f64;
    for set in 0..1_u32 << 6 {
        // Missing rows are never named, and so on the other side.
        let inside = |category: &Option<u8>| category.is_some_and(|code| (set >> code) & 1 == 1);
        let mut parts = [(0.0, 0.0, 0); 2];
        for (category, fraud) in categories.iter().zip(frauds) {
            let part = &mut parts[usize::from(inside(category))];
            part.0 += share - f64::from(u8::from(*fraud));
            part.1 += share * (1.0 - share);
            part.2 += 1;
        }
        if parts.iter().all(|part| part.2 >= least) {
            let fit = parts
                .iter()
                .map(|part| part.0 * part.0 / part.1)
                .sum::<f64>();
            best = best.max(fit);
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn categories_are_split_as_well_as_by_the_best_of_all_sets(
        rows in prop::collection::vec((prop::option::weighted(0.9, 0_u8..6), any::<bool>()), 8..60),
        least in 1_usize..4,
    ) {
        let (categories, frauds): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        prop_assume!(frauds.contains(&true) && frauds.contains(&false));
        let column: Array1<f64> =
            categories.iter().map(|code| code.map_or(f64::NAN, |code| f64::from(code) * 7.0)).collect();
        let table = column.insert_axis(Axis(1));
        let params = stump().categorical([0]).min_leaf_rows(least);
        let model = params.fit(&Samples::new(table.view(), &frauds).unwrap()).unwrap();
        let share = frauds.iter().filter(|fraud| **fraud).count() as f64 / frauds.len() as f64;
        let base = (share / (1.0 - share)).ln();
        // From the answers: the improvement of the second order loss.
        let mut fit = 0.0;
        for (row, fraud) in table.rows().into_iter().zip(&frauds) {
            let answer = model.log_odds_row(row.as_slice().unwrap()).unwrap() - base;
            let gradient = share - f64::from(u8::from(*fraud));
            fit -= 2.0 * gradient * answer + share * (1.0 - share) * answer * answer;
        }
        let best = best_of_all_sets(&categories, &frauds, least);
        let near = 1e-9 * (1.0 + best);
        prop_assert!(fit <= best + near, "{fit} {best}");
        // Where leaves need several rows, the best set may not be one end of the order.
        prop_assert!(least > 1 || fit >= best - near, "{fit} {best}");
    }

    #[test]
    fn monotone_columns_are_monotone(seed in any::<u64>(), l2 in 0.0..2.0_f64) {
        let (table, frauds) = noisy(300, 3, seed);
        let params = BoostedTreesParams::default()
            .n_estimators(20)
            .min_leaf_rows(3)
            .l2(l2)
            .monotone([(0, Monotone::Rising), (2, Monotone::Falling)]);
        let model = params.fit(&Samples::new(table.view(), &frauds).unwrap()).unwrap();
        for row in table.rows().into_iter().take(30) {
            let answers = |column: usize| -> Vec<f64> {
                (-1..=21)
                    .map(|step| {
                        let mut row = row.to_vec();
                        row[column] = f64::from(step) / 20.0;
                        model.log_odds_row(&row).unwrap()
                    })
                    .collect()
            };
            prop_assert!(answers(0).is_sorted());
            prop_assert!(answers(2).is_sorted_by(|one, two| one >= two));
        }
    }

    #[test]
    fn columns_that_may_not_act_together_add_up(seed in any::<u64>()) {
        let (table, frauds) = noisy(300, 4, seed);
        // 0 with 1; 2 and 3 are named nowhere, and so together.
        let params = BoostedTreesParams::default().n_estimators(20).min_leaf_rows(3).interactions([vec![0, 1]]);
        let model = params.fit(&Samples::new(table.view(), &frauds).unwrap()).unwrap();
        let of = |row: &[f64]| model.log_odds_row(row).unwrap();
        for (one, two) in table.rows().into_iter().zip(table.rows().into_iter().skip(100)) {
            let (one, two) = (one.to_vec(), two.to_vec());
            let [mixed, other] = [[&one[..2], &two[2..]].concat(), [&two[..2], &one[2..]].concat()];
            prop_assert!((of(&one) + of(&two) - of(&mixed) - of(&other)).abs() < 1e-9);
        }
    }
}

#[test]
fn without_constraints_the_same_data_break_them() {
    // The two properties above could not fail if the data were tame.
    let (table, frauds) = noisy(300, 4, 5);
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(20)
        .min_leaf_rows(3);
    let model = params.fit(&samples).unwrap();
    let of = |row: &[f64]| model.log_odds_row(row).unwrap();
    let (mut falls, mut gap) = (false, 0.0_f64);
    for (one, two) in table
        .rows()
        .into_iter()
        .zip(table.rows().into_iter().skip(100))
    {
        let (one, two) = (one.to_vec(), two.to_vec());
        let [mixed, other] = [
            [&one[..2], &two[2..]].concat(),
            [&two[..2], &one[2..]].concat(),
        ];
        gap = gap.max((of(&one) + of(&two) - of(&mixed) - of(&other)).abs());
        let mut higher = one.clone();
        higher[0] += 0.05;
        falls |= of(&higher) < of(&one);
    }
    assert!(falls && gap > 0.1, "{gap}");
}

#[test]
fn a_model_that_goes_on_is_the_one_that_was_learned_at_once() {
    let (table, frauds) = noisy(500, 5, 3);
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .row_sample(0.7)
        .column_sample(0.5)
        .seed(9);
    let whole = params.clone().n_estimators(30).fit(&samples).unwrap();
    let half = params.clone().n_estimators(12).fit(&samples).unwrap();
    let both = params
        .clone()
        .n_estimators(18)
        .fit_more(&half, &samples, None)
        .unwrap();
    assert_eq!(both, whole);

    // Trees for other labels make it no better: it stays as it is.
    let wrong: Vec<bool> = frauds.iter().map(|fraud| !fraud).collect();
    let against = Samples::new(table.view(), &wrong).unwrap();
    let more = params.clone().n_estimators(5);
    let kept = more.fit_more(&whole, &against, Some(&samples)).unwrap();
    assert_eq!(kept, whole);
    let narrow = table.select(Axis(1), &[0, 1, 2]);
    let error = params.fit_more(&whole, &Samples::new(narrow.view(), &frauds).unwrap(), None);
    assert_eq!(
        error.unwrap_err(),
        EnsembleError::WrongWidth {
            expected: 5,
            got: 3
        }
    );
}

#[test]
fn a_focal_loss_cares_less_for_rows_that_are_judged_well() {
    let (table, frauds) = noisy(800, 4, 11);
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let far = |gamma: f64| {
        let model = BoostedTreesParams::default()
            .focal_gamma(gamma)
            .fit(&samples)
            .unwrap();
        let mut odds = vec![0.0; frauds.len()];
        model.log_odds_rows(table.view(), &mut odds).unwrap();
        odds.iter().map(|odds| odds.abs()).sum::<f64>() / odds.len() as f64
    };
    let (plain, focal) = (far(0.0), far(2.0));
    assert!(focal < 0.8 * plain, "{focal} {plain}");
    // The smallest of gammas is nearly the logistic loss.
    assert!((far(1e-9) - plain).abs() < 1e-3 * plain);
}

#[test]
fn rare_and_new_categories_go_where_what_is_missing_goes() {
    // Three categories of 50 rows, and 20 that come once; two bins are to be had.
    let codes: Vec<f64> = (0..150)
        .map(|row| f64::from(row % 3))
        .chain((0..20).map(|row| f64::from(row + 10)))
        .collect();
    let frauds: Vec<bool> = codes
        .iter()
        .map(|code| (*code - 1.0).abs() < 0.5 || *code > 5.0)
        .collect();
    let table = Array2::from_shape_vec((170, 1), codes).unwrap();
    let model = stump()
        .categorical([0])
        .max_bins(2)
        .fit(&Samples::new(table.view(), &frauds).unwrap())
        .unwrap();
    let of = |value: f64| model.log_odds_row(&[value]).unwrap();
    assert!((of(f64::NAN) - of(12.0)).abs() < 1e-12);
    assert!((of(f64::NAN) - of(65_000.0)).abs() < 1e-12);
    assert!((of(f64::NAN) - of(-3.0)).abs() < 1e-12);
    assert!((of(f64::NAN) - of(1e300)).abs() < 1e-12);
    assert!(of(1.0) > of(0.0));
}

#[test]
fn what_cannot_be_kept_to_is_named() {
    let (table, frauds) = noisy(50, 2, 1);
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let of = |params: BoostedTreesParams| params.fit(&samples).unwrap_err();
    let no_column = |name| EnsembleError::NoSuchColumn {
        name,
        column: 2,
        width: 2,
    };
    let params = BoostedTreesParams::default();
    assert_eq!(
        of(params.clone().categorical([2])),
        no_column("categorical")
    );
    assert_eq!(
        of(params.clone().monotone([(2, Monotone::Rising)])),
        no_column("monotone")
    );
    assert_eq!(
        of(params.clone().interactions([vec![0, 2]])),
        no_column("interactions")
    );
    let error = of(params.clone().categorical([1]));
    assert!(
        matches!(
            error,
            EnsembleError::Category {
                row: 0,
                column: 1,
                ..
            }
        ),
        "{error}"
    );
    let both = params.categorical([0]).monotone([(0, Monotone::Falling)]);
    assert_eq!(of(both), EnsembleError::MonotoneCategories { column: 0 });
}
