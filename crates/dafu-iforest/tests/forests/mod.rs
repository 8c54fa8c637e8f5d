//! Forests of every kind, and rows to score.

use dafu_iforest::{
    Coefficients, HeightLimit, IsolationForest, IsolationForestParams, MissingValues, Scoring,
    SplitRule, UnseenCategories,
};
use ndarray::Array2;

/// Three columns: numbers, numbers of few values, categories 0 to 6.
fn numbers(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 3), |(row, column)| {
        let mixed = (row * 2_654_435_761 + column * 40_503 + row * column * 97) % 10_007;
        match column {
            0 => mixed as f64 / 997.0 - 4.0,
            1 => (mixed % 13) as f64,
            _ => (mixed % 7) as f64,
        }
    })
}

/// As [`numbers`], every fifth number missing.
fn holes(rows: usize) -> Array2<f64> {
    let mut holes = numbers(rows);
    for (at, value) in holes.iter_mut().enumerate() {
        if at * 7 % 5 == 0 {
            *value = f64::NAN;
        }
    }
    holes
}

/// Rows of training and others; the third column has categories that no row of training has.
fn asked(mut rows: Array2<f64>) -> Array2<f64> {
    for (at, mut row) in rows.rows_mut().into_iter().enumerate() {
        match at % 4 {
            1 => row[0] *= 40.0,
            2 => row[2] = 100.0 + at as f64,
            3 => row[1] = -1e6,
            _ => {}
        }
    }
    rows
}

/// Name, forest and rows to score.
pub(crate) fn sample_forests() -> Vec<(&'static str, IsolationForest, Array2<f64>)> {
    let (plain, missing) = (numbers(300), holes(300));
    let base = IsolationForestParams::default()
        .trees(12)
        .sample_size(64)
        .seed(3);
    let with = |rules: &[SplitRule]| base.clone().rules(rules.iter().cloned());
    let categories = base.clone().categorical([2]);
    let several = [
        SplitRule::standard(),
        SplitRule::extended(1).coefficients(Coefficients::Raw),
        SplitRule::sciforest(3).penalize_range(true),
    ];
    let params = [
        ("standard", base.clone().contamination([0.05, 0.2]), false),
        ("one_row_trees", base.clone().sample_size(1), false),
        ("extended", with(&[SplitRule::extended(2)]), false),
        ("guided", with(&[SplitRule::fair_cut(1)]), false),
        (
            "penalized",
            with(&[SplitRule::fair_cut(2).penalize_range(true)]),
            false,
        ),
        ("several_rules", with(&several), false),
        (
            "adjusted",
            base.clone().scoring(Scoring::AdjustedDepth),
            false,
        ),
        (
            "density",
            base.clone()
                .scoring(Scoring::Density)
                .height_limit(HeightLimit::Unlimited),
            false,
        ),
        ("categories", categories.clone(), false),
        (
            "categories_unseen_larger",
            categories.clone().unseen(UnseenCategories::Larger),
            false,
        ),
        (
            "categories_unseen_divide",
            categories.clone().unseen(UnseenCategories::Divide),
            false,
        ),
        ("missing", base.clone().missing(MissingValues::Impute), true),
        (
            "missing_categories_sums",
            categories
                .clone()
                .rules([SplitRule::extended(1)])
                .missing(MissingValues::Impute),
            true,
        ),
        (
            "missing_categories_divide",
            categories
                .unseen(UnseenCategories::Divide)
                .missing(MissingValues::Divide),
            true,
        ),
    ];
    let fitted = params.into_iter().map(|(name, params, has_holes)| {
        let rows = if has_holes { &missing } else { &plain };
        let forest = params.fit(rows.view()).unwrap();
        (name, forest, asked(rows.clone()))
    });
    fitted.collect()
}
