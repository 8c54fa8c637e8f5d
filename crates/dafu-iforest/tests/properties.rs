//! What must hold for every data set, parameter and seed.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{
    AveragePath, FiniteCheck, HeightLimit, IsolationForest, IsolationForestParams, MaxFeatures,
    Parallelism,
};
use ndarray::{Array2, Axis, ShapeBuilder};
use proptest::prelude::*;

fn data() -> impl Strategy<Value = Array2<f64>> {
    (1_usize..120, 1_usize..20).prop_flat_map(|(rows, columns)| {
        let value = prop_oneof![
            4 => -100.0..100.0_f64,
            2 => (-3..3_i32).prop_map(f64::from),
            1 => prop::sample::select(vec![0.0, -0.0, 1e-300, -1e300, 1.7e308, f64::MIN]),
        ];
        prop::collection::vec(value, rows * columns)
            .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).unwrap())
    })
}

fn params() -> impl Strategy<Value = IsolationForestParams> {
    let height = prop_oneof![
        Just(HeightLimit::Auto),
        Just(HeightLimit::Unlimited),
        (0..12_u32).prop_map(HeightLimit::Levels),
    ];
    let features = prop_oneof![
        Just(MaxFeatures::All),
        (0.01..=1.0).prop_map(MaxFeatures::Fraction),
        Just(MaxFeatures::Count(1)),
    ];
    let average = prop_oneof![Just(AveragePath::Exact), Just(AveragePath::Approximate)];
    (
        1_usize..30,
        1_usize..150,
        height,
        features,
        average,
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(trees, sample_size, height_limit, max_features, average_path, bootstrap, seed)| {
                IsolationForestParams {
                    trees,
                    sample_size,
                    height_limit,
                    max_features,
                    average_path,
                    bootstrap,
                    seed,
                    contamination: vec![0.1, 0.5],
                    ..Default::default()
                }
            },
        )
}

fn scores(forest: &IsolationForest, rows: &Array2<f64>) -> Vec<u64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores).unwrap();
    scores.into_iter().map(f64::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn scores_are_inside_the_open_interval_and_equal_row_by_row((rows, params) in (data(), params())) {
        let forest = params.fit(rows.view()).unwrap();
        for (row, bits) in rows.rows().into_iter().zip(scores(&forest, &rows)) {
            let score = forest.score_row(&row.to_vec()).unwrap().get();
            prop_assert!(score > 0.0 && score < 1.0);
            prop_assert_eq!(score.to_bits(), bits);
        }
    }

    #[test]
    fn scores_ignore_row_order_and_memory_layout((rows, params) in (data(), params())) {
        let forest = params.fit(rows.view()).unwrap();
        let straight = scores(&forest, &rows);
        let reversed: Vec<usize> = (0..rows.nrows()).rev().collect();
        let mut backwards = scores(&forest, &rows.select(Axis(0), &reversed));
        backwards.reverse();
        prop_assert_eq!(&straight, &backwards);
        let mut columns_first = Array2::zeros(rows.raw_dim().f());
        columns_first.assign(&rows);
        prop_assert_eq!(&straight, &scores(&forest, &columns_first));
        let refitted = params.fit(columns_first.view()).unwrap();
        prop_assert!(refitted == forest);
    }

    #[test]
    fn scaling_columns_by_powers_of_two_changes_no_bit(
        (rows, params, powers) in (data(), params(), prop::collection::vec(-8..8_i32, 20))
    ) {
        // Splits parallel to the axes see a column only through its order and relative gaps. A power of two
        // keeps both exactly, away from overflow and subnormal numbers.
        let rows = rows.mapv(|value| if value.abs() > 1e200 || value.abs() < 1e-200 { 0.0 } else { value });
        let mut scaled = rows.clone();
        for (mut column, &power) in scaled.columns_mut().into_iter().zip(&powers) {
            column *= f64::from(power).exp2();
        }
        let straight = scores(&params.fit(rows.view()).unwrap(), &rows);
        prop_assert_eq!(straight, scores(&params.fit(scaled.view()).unwrap(), &scaled));
    }

    #[test]
    fn contributions_add_up_to_the_logarithm_of_the_score((rows, params) in (data(), params())) {
        let forest = params.fit(rows.view()).unwrap();
        let mut out = vec![0.0; rows.ncols()];
        for row in rows.rows() {
            let row = row.to_vec();
            let baseline = forest.explain_row(&row, &mut out).unwrap();
            let sum = baseline + out.iter().sum::<f64>();
            let score = forest.score_row(&row).unwrap().get();
            // Absolute: a few roundings of numbers of size 1 to 10.
            prop_assert!((sum - score.log2()).abs() < 1e-12 * sum.abs().max(1.0));
        }
    }

    #[test]
    fn flagged_rows_are_as_near_to_the_level_as_ties_allow((rows, params) in (data(), params())) {
        let forest = params.fit(rows.view()).unwrap();
        let bits = scores(&forest, &rows);
        let mut flags = vec![false; rows.nrows()];
        for level in [0.1, 0.5] {
            forest.predict_rows(rows.view(), level, &mut flags).unwrap();
            let flagged = flags.iter().filter(|&&flag| flag).count();
            let threshold = forest.threshold(level).unwrap();
            prop_assert_eq!(flagged as u64, threshold.flagged());
            let wanted = level * rows.nrows() as f64;
            let distance = (flagged as f64 - wanted).abs();
            // No other cut between distinct scores is nearer. Positive floats order as their bits.
            for cut in &bits {
                let others = bits.iter().filter(|other| *other > cut).count() as f64;
                prop_assert!(distance <= (others - wanted).abs() + 1e-9);
            }
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn any_number_of_threads_gives_the_same_bits((rows, params) in (data(), params())) {
        let serial = params.clone().parallelism(Parallelism::Serial).fit(rows.view()).unwrap();
        let expected = scores(&serial, &rows);
        for pool in POOLS.iter() {
            let (forest, got) = pool.install(|| {
                let forest = params.fit(rows.view()).unwrap();
                let got = scores(&forest, &rows);
                (forest, got)
            });
            prop_assert!(forest.with_parallelism(Parallelism::Serial) == serial);
            prop_assert_eq!(&got, &expected);
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_saved_forest_loads_with_the_same_bits((rows, params) in (data(), params())) {
        let forest = params.fit(rows.view()).unwrap();
        let bytes = forest.to_bytes().unwrap();
        let loaded = IsolationForest::from_bytes(&bytes).unwrap();
        prop_assert!(loaded == forest);
        prop_assert_eq!(scores(&loaded, &rows), scores(&forest, &rows));
        prop_assert_eq!(loaded.to_bytes().unwrap(), bytes);
    }
}

#[cfg(feature = "parallel")]
static POOLS: std::sync::LazyLock<Vec<rayon::ThreadPool>> = std::sync::LazyLock::new(|| {
    [1, 2, 8]
        .into_iter()
        .map(|threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
        })
        .collect()
});

#[test]
fn large_batches_on_any_number_of_threads_give_the_same_bits() {
    let rows = Array2::from_shape_fn((20_011, 7), |(i, j)| ((i * (31 + j) + j * j) % 1009) as f64);
    let params = IsolationForestParams::default()
        .contamination([0.01])
        .seed(5);
    let serial = params
        .clone()
        .parallelism(Parallelism::Serial)
        .fit(rows.view())
        .unwrap();
    let expected = scores(&serial, &rows);
    assert_eq!(scores(&params.fit(rows.view()).unwrap(), &rows), expected);
    #[cfg(feature = "parallel")]
    for pool in POOLS.iter() {
        let got = pool.install(|| scores(&params.fit(rows.view()).unwrap(), &rows));
        assert_eq!(got, expected);
    }
    let sampled = params
        .finite_check(FiniteCheck::SampledRows)
        .fit(rows.view())
        .unwrap();
    assert_eq!(
        scores(&sampled, &rows),
        expected,
        "what is checked changes no tree"
    );
}
