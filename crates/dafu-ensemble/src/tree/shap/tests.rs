#![allow(clippy::unwrap_used, reason = "tests")]

use crate::tree::Tree;
use crate::{BoostedTreesParams, MaxFeatures, RandomForestParams, Samples};
use dafu_core::Explain;
use ndarray::Array2;
use proptest::prelude::*;

/// Mean answer of a tree over the training rows, when only some columns of a row are known.
fn expectation(tree: &Tree, at: usize, row: &[f64], known: usize) -> f64 {
    let node = &tree.nodes[at];
    if node.is_leaf() {
        return node.value;
    }
    let (left, column) = (node.left as usize, node.column as usize);
    if (known >> column) & 1 == 1 {
        let right = usize::from(!tree.goes_left(node, row[column]));
        return expectation(tree, left + right, row, known);
    }
    [left, left + 1]
        .into_iter()
        .map(|child| tree.nodes[child].cover / node.cover * expectation(tree, child, row, known))
        .sum()
}

/// Shapley values by their definition: over all sets of columns.
fn shapley(trees: &[Tree], row: &[f64]) -> Vec<f64> {
    let width = row.len();
    let value = |known| {
        trees
            .iter()
            .map(|tree| expectation(tree, 0, row, known))
            .sum::<f64>()
    };
    let factorial = |number: usize| (1..=number).map(|factor| factor as f64).product::<f64>();
    (0..width)
        .map(|column| {
            (0..1_usize << width)
                .filter(|known| (known >> column) & 1 == 0)
                .map(|known| {
                    let size = known.count_ones() as usize;
                    let weight = factorial(size) * factorial(width - size - 1) / factorial(width);
                    weight * (value(known | 1 << column) - value(known))
                })
                .sum()
        })
        .collect()
}

fn data(rows: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let table = Array2::from_shape_fn((rows, 5), |(_, column)| match (column, next()) {
        (0, value) => (value % 6) as f64,
        (_, value) if value % 11 == 0 => f64::NAN,
        (_, value) => (value % 997) as f64,
    });
    let frauds = (0..rows)
        .map(|row| next() % 3 == 0 || table[[row, 1]] > table[[row, 2]])
        .collect();
    (table, frauds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn contributions_are_shapley_values(seed in any::<u64>(), leaves in 2_usize..20) {
        let (table, frauds) = data(120, seed);
        let samples = Samples::new(table.view(), &frauds).unwrap();
        let boosted = BoostedTreesParams::default()
            .n_estimators(5)
            .max_leaves(leaves)
            .min_leaf_rows(2)
            .category_smooth(0.5)
            .category_l2(0.0)
            .categorical([0])
            .fit(&samples)
            .unwrap();
        let forest = RandomForestParams::default()
            .n_estimators(4)
            .max_features(MaxFeatures::Count(2))
            .seed(seed)
            .fit(&samples)
            .unwrap();
        // 8 rows side by side, and some alone.
        let mut of_boosted = vec![0.0; 11 * 5];
        let rows = table.select(ndarray::Axis(0), &(0..11).collect::<Vec<_>>());
        boosted.explainer().explain_rows(rows.view(), &mut of_boosted).unwrap();
        let mut of_forest = of_boosted.clone();
        forest.explainer().explain_rows(rows.view(), &mut of_forest).unwrap();
        for (number, row) in rows.rows().into_iter().enumerate() {
            let row = row.to_vec();
            let expected = shapley(&boosted.trees, &row);
            let found = &of_boosted[number * 5..][..5];
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
            let sum = boosted.explainer().baseline() + found.iter().sum::<f64>();
            prop_assert!((sum - boosted.log_odds_row(&row).unwrap()).abs() < 1e-9);

            let expected = shapley(&forest.trees, &row);
            let found = &of_forest[number * 5..][..5];
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected / 4.0).abs() < 1e-9, "{found} {expected}");
            }
            let mut alone = vec![0.0; 5];
            let baseline = forest.explainer().explain_row(&row, &mut alone).unwrap();
            prop_assert_eq!(&alone[..], found);
            let sum = baseline + alone.iter().sum::<f64>();
            prop_assert!((sum - forest.share_row(&row).unwrap()).abs() < 1e-9);
        }
    }
}

#[test]
fn a_tree_without_splits_explains_nothing_but_its_baseline() {
    let table = Array2::zeros((10, 2));
    let frauds: Vec<bool> = (0..10).map(|row| row < 3).collect();
    let forest = RandomForestParams::default()
        .bagging(crate::Bagging::None)
        .fit(&Samples::new(table.view(), &frauds).unwrap())
        .unwrap();
    let mut contributions = [1.0; 2];
    let baseline = forest
        .explainer()
        .explain_row(&[0.0, f64::NAN], &mut contributions)
        .unwrap();
    assert!((baseline - 0.3).abs() < 1e-9 && contributions.iter().all(|part| part.abs() < 1e-12));
    assert!(
        forest
            .explainer()
            .explain_row(&[0.0], &mut contributions)
            .is_err()
    );
    assert!(
        forest
            .explainer()
            .explain_row(&[0.0; 2], &mut contributions[..1])
            .is_err()
    );
    assert!(
        forest
            .explainer()
            .explain_rows(table.view(), &mut contributions)
            .is_err()
    );
}
