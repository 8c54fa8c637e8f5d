//! Forests of every kind against a walk as a textbook would write it.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::node::Tree;
use crate::{
    CategorySplit, Coefficients, ColumnWeights, Gain, HeightLimit, IsolationForest,
    IsolationForestParams, MissingValues, Parallelism, Scoring, SplitRule, UnseenCategories,
    average_path_length,
};
use dafu_core::random::Stream;
use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Rows with ties in column 1, categories in column 2, and holes everywhere if asked for.
fn data(count: usize, holes: bool, seed: u64) -> Array2<f64> {
    let mut stream = Stream::new(seed, 99, 0);
    Array2::from_shape_fn((count, 5), |(_, column)| {
        if holes && stream.index_below(6) == 0 {
            return f64::NAN;
        }
        match column {
            1 => (stream.unit() * 4.0).floor(),
            2 => stream.index_below(7) as f64 * 3.0,
            _ => stream.normal() * 10.0_f64.powi(i32::try_from(column).unwrap()) + 100.0,
        }
    })
}

fn rules() -> Vec<(&'static str, Vec<SplitRule>)> {
    vec![
        ("standard", vec![SplitRule::standard()]),
        ("extended", vec![SplitRule::extended(1)]),
        ("fully extended", vec![SplitRule::extended(100)]),
        (
            "raw",
            vec![SplitRule::extended(2).coefficients(Coefficients::Raw)],
        ),
        ("fair-cut 1", vec![SplitRule::fair_cut(1).tries(3)]),
        ("fair-cut 2", vec![SplitRule::fair_cut(2)]),
        ("sciforest", vec![SplitRule::sciforest(4)]),
        (
            "partly guided",
            vec![SplitRule::extended(1).guided(0.4).gain(Gain::Averaged)],
        ),
        (
            "penalised",
            vec![SplitRule::sciforest(2).penalize_range(true)],
        ),
        (
            "weights",
            vec![
                SplitRule::standard()
                    .column_weights(ColumnWeights::Given(vec![1.0, 0.0, 2.0, 0.5, 1.0]))
                    .categories(CategorySplit::Single),
            ],
        ),
        (
            "blend",
            vec![
                SplitRule::standard().column_weights(ColumnWeights::Kurtosis),
                SplitRule::extended(1),
                SplitRule::sciforest(2).penalize_range(true),
            ],
        ),
    ]
}

/// Value and penalties of a row, by recursion, with the formulas of the documentation.
fn value(
    forest: &IsolationForest,
    tree: &Tree<'_>,
    row: &[f64],
    (at, depth, density): (usize, f64, f64),
) -> f64 {
    let node = &tree.nodes[at];
    let rows = f64::from(tree.counts[at]);
    let kind = forest.kinds[tree.kind as usize];
    if node.is_leaf(at) {
        if forest.scoring == Scoring::Density {
            return density;
        }
        let rest = average_path_length(tree.counts[at], forest.average_path);
        return (depth + rest) * kind.unit;
    }
    let left = node.left as usize;
    let child = |right: bool, penalty: f64| {
        let child = left + usize::from(right);
        let edge = match forest.scoring {
            Scoring::Depth => 1.0,
            Scoring::AdjustedDepth | Scoring::Density => {
                let share = if right {
                    1.0 - tree.shares[at]
                } else {
                    tree.shares[at]
                };
                let density = f64::from(tree.counts[child]) / rows / share.max(2.0_f64.powi(-32));
                match forest.scoring {
                    Scoring::Density => density,
                    _ => 2.0 / (1.0 + 1.0 / (2.0 * density)),
                }
            }
        };
        let (depth, density) = match forest.scoring {
            Scoring::Density => (depth, density + edge.log2()),
            _ => (depth + edge, density),
        };
        value(forest, tree, row, (child, depth, density)) - penalty * kind.unit
    };
    let both = || {
        let share = f64::from(tree.counts[left]) / rows;
        share * child(false, 0.0) + (1.0 - share) * child(true, 0.0)
    };
    let (compared, unseen) = compared(forest, tree, at, row);
    if unseen {
        let smaller_right = tree.counts[left + 1] < tree.counts[left];
        return match forest.unseen {
            UnseenCategories::Smaller => child(smaller_right, 0.0),
            UnseenCategories::Larger => child(!smaller_right, 0.0),
            UnseenCategories::Divide => both(),
        };
    }
    let Some(compared) = compared else {
        return match forest.missing {
            MissingValues::Divide => both(),
            _ => child(tree.counts[left + 1] > tree.counts[left], 0.0),
        };
    };
    let outside = tree
        .ranges
        .get(at)
        .is_some_and(|range| compared < range[0] || compared > range[1]);
    child(compared > node.threshold, f64::from(u8::from(outside)))
}

/// What a node compares, if anything, and whether that is for a category it has not seen.
fn compared(
    forest: &IsolationForest,
    tree: &Tree<'_>,
    at: usize,
    row: &[f64],
) -> (Option<f64>, bool) {
    let node = &tree.nodes[at];
    let Some(form) = node.test().checked_sub(forest.width()) else {
        let value = row[node.test()];
        return ((!value.is_nan()).then_some(value), false);
    };
    let terms = &tree.terms[tree.forms[form].terms()];
    let mut sum = 0.0;
    for term in terms {
        let value = row[term.column as usize];
        let codes = &tree.codes[term.codes()];
        let known = codes
            .iter()
            .find(|code| f64::from(code.code).total_cmp(&value).is_eq());
        let added = match known {
            _ if value.is_nan() => None,
            Some(code) => Some(code.value),
            None if codes.is_empty() => Some(term.coefficient * value),
            None => None,
        };
        match added {
            Some(added) => sum += added,
            None if terms.len() > 1 => sum += term.absent,
            None => return (None, !value.is_nan()),
        }
    }
    (Some(sum), false)
}

fn expected_mean(forest: &IsolationForest, row: &[f64]) -> f64 {
    let values = forest
        .trees
        .iter()
        .map(|tree| value(forest, &tree, row, (0, 0.0, 0.0)));
    values.sum::<f64>() / forest.tree_count() as f64
}

fn check(forest: &IsolationForest, rows: ArrayView2<'_, f64>, name: &str) {
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows, &mut scores).unwrap();
    for (at, (row, &score)) in rows.rows().into_iter().zip(&scores).enumerate() {
        let row = row.to_vec();
        assert_eq!(
            forest.score_row(&row).unwrap().get().to_bits(),
            score.to_bits(),
            "{name}, row {at}: alone and in a batch"
        );
        let mean = expected_mean(forest, &row);
        let expected = match forest.scoring {
            Scoring::Density => 1.0 / (1.0 + mean.exp2()),
            _ => (-mean).exp2(),
        };
        // Rounding of values to 2^-22 at the coarsest (values up to 2^10).
        assert!(
            (score - expected).abs() < 2e-7,
            "{name}, row {at}: {score} instead of {expected}"
        );
    }
}

#[test]
fn scores_of_every_kind_of_forest_equal_a_naive_walk() {
    let train = data(400, true, 1);
    let mut test = data(600, true, 2);
    // Categories that no tree has seen.
    test[[3, 2]] = 1.0;
    test[[4, 2]] = 0.25;
    test[[5, 2]] = -3.0;
    for (name, rules) in rules() {
        for (missing, unseen, scoring) in [
            (
                MissingValues::Impute,
                UnseenCategories::Smaller,
                Scoring::Depth,
            ),
            (
                MissingValues::Divide,
                UnseenCategories::Divide,
                Scoring::AdjustedDepth,
            ),
            (
                MissingValues::Divide,
                UnseenCategories::Larger,
                Scoring::Density,
            ),
        ] {
            for height_limit in [HeightLimit::Auto, HeightLimit::Unlimited] {
                let params = IsolationForestParams::default()
                    .trees(12)
                    .sample_size(100)
                    .rules(rules.clone())
                    .missing(missing)
                    .unseen(unseen)
                    .scoring(scoring)
                    .height_limit(height_limit)
                    .categorical([2])
                    .parallelism(Parallelism::Serial);
                let Ok(params) = params.check() else {
                    // Densities know no penalties.
                    assert_eq!(scoring, Scoring::Density);
                    continue;
                };
                let forest = params.fit(train.view()).unwrap();
                check(&forest, test.view(), name);
            }
        }
    }
}

#[test]
fn batches_without_holes_equal_single_rows() {
    let (train, test) = (data(400, false, 3), data(3000, false, 4));
    for (name, rules) in rules() {
        let forest = IsolationForestParams::default()
            .trees(9)
            .rules(rules)
            .height_limit(HeightLimit::Unlimited)
            .fit(train.view())
            .unwrap();
        let mut scores = vec![0.0; test.nrows()];
        forest.score_rows(test.view(), &mut scores).unwrap();
        for (row, score) in test.rows().into_iter().zip(&scores).step_by(7) {
            let alone = forest.score_row(&row.to_vec()).unwrap().get();
            assert_eq!(alone.to_bits(), score.to_bits(), "{name}");
        }
        let few = test.slice_axis(Axis(0), Slice::from(..40));
        check(&forest, few, name);
    }
}

#[test]
fn threads_change_no_bit_of_any_kind_of_forest() {
    let (train, test) = (data(300, true, 9), data(2500, true, 10));
    for (name, rules) in rules() {
        let params = IsolationForestParams::default()
            .trees(14)
            .rules(rules)
            .missing(MissingValues::Impute)
            .categorical([2])
            .contamination([0.1]);
        let scores = |parallelism| {
            let forest = params.clone().parallelism(parallelism).fit(train.view());
            let forest = forest.unwrap();
            let mut scores = vec![0.0; test.nrows()];
            forest.score_rows(test.view(), &mut scores).unwrap();
            (forest.with_parallelism(Parallelism::Serial), scores)
        };
        let (serial, pool) = (scores(Parallelism::Serial), scores(Parallelism::Pool));
        assert!(serial == pool, "{name}");
    }
}

#[test]
fn training_rows_lie_in_the_leaves_that_count_them() {
    // As many rows as the sample takes, and nothing missing: every row of the tree reaches its leaf again.
    let train = data(200, false, 5);
    for (name, rules) in rules() {
        let forest = IsolationForestParams::default()
            .trees(6)
            .rules(rules)
            .height_limit(HeightLimit::Unlimited)
            .categorical([2])
            .fit(train.view())
            .unwrap();
        let rule = forest.way_rule();
        for tree in forest.trees.iter() {
            let mut counts = vec![0_u32; tree.nodes.len()];
            for row in train.rows() {
                let mut at = 0;
                counts[0] += 1;
                while !tree.nodes[at].is_leaf(at) {
                    let step = tree.step(at, &rule, |column| row[column]);
                    at = tree.nodes[at].left as usize
                        + usize::from(step.way == crate::way::Way::Right);
                    counts[at] += 1;
                }
            }
            assert_eq!(counts, tree.counts, "{name}");
        }
    }
}

#[test]
fn blends_give_an_average_row_one_half_and_every_rule_its_say() {
    let train = data(1000, false, 6);
    let rules = [
        SplitRule::standard(),
        SplitRule::fair_cut(2),
        SplitRule::sciforest(5),
    ];
    let forest = IsolationForestParams::default()
        .trees(90)
        .rules(rules)
        .height_limit(HeightLimit::Unlimited)
        .fit(train.view())
        .unwrap();
    let of_rule = |rule: u32, row: &[f64]| {
        let trees = forest.trees.iter().filter(|tree| tree.kind == rule);
        let values = trees.map(|tree| value(&forest, &tree, row, (0, 0.0, 0.0)));
        values.sum::<f64>() / 90.0
    };
    let mut totals = 0.0;
    let mut deviations = Vec::new();
    for rule in 0..3 {
        let values: Vec<f64> = train
            .rows()
            .into_iter()
            .map(|row| of_rule(rule, &row.to_vec()))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        totals += mean;
        deviations.push((squares / values.len() as f64).sqrt());
    }
    assert!((totals - 1.0).abs() < 1e-6, "{totals}");
    for deviation in &deviations {
        assert!(
            (deviation / deviations[0] - 1.0).abs() < 1e-6,
            "{deviations:?}"
        );
    }
}

#[test]
fn axis_parallel_forests_do_not_see_the_units_of_columns() {
    // Powers of two, so that not a bit of any comparison changes.
    let train = data(300, true, 7);
    let mut scaled = train.clone();
    scaled.column_mut(0).mapv_inplace(|value| value * 1024.0);
    scaled.column_mut(3).mapv_inplace(|value| value / 4096.0);
    for rule in [
        SplitRule::standard(),
        SplitRule::fair_cut(1),
        SplitRule::sciforest(3).columns(1),
        SplitRule::standard().column_weights(ColumnWeights::Kurtosis),
    ] {
        let params = IsolationForestParams::default()
            .trees(20)
            .rules([rule])
            .missing(MissingValues::Divide);
        let scores = |rows: &Array2<f64>| {
            let forest = params.fit(rows.view()).unwrap();
            let mut scores = vec![0.0; rows.nrows()];
            forest.score_rows(rows.view(), &mut scores).unwrap();
            scores
        };
        assert_eq!(scores(&train), scores(&scaled));
    }
}

#[test]
fn single_precision_gives_the_scores_of_the_same_numbers_in_double() {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is tested")]
    let single = data(500, true, 8).mapv(|value| value as f32);
    let double = single.mapv(f64::from);
    let params = IsolationForestParams::default()
        .trees(20)
        .missing(MissingValues::Impute)
        .contamination([0.05]);
    let forest = params.fit(single.view()).unwrap();
    assert!(forest == params.fit(double.view()).unwrap());
    let (mut a, mut b) = (vec![0.0; 500], vec![0.0; 500]);
    forest.score_rows(single.view(), &mut a).unwrap();
    forest.score_rows(double.view(), &mut b).unwrap();
    assert_eq!(a, b);
    let row = single.row(3).to_vec();
    assert_eq!(
        forest.score_row(&row).unwrap().get().to_bits(),
        a[3].to_bits()
    );
}
