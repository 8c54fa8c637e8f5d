//! Tests of the trees themselves: what holds for their counts and boxes after every row.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::bounds::between;
use super::model::OnlineIsolationForest;
use super::tree::Visit;
use crate::{LeafGrowth, OnlineIsolationForestParams, Renewal};
use proptest::prelude::*;

/// The rows of the window that a tree holds, by number.
fn held(forest: &OnlineIsolationForest, tree: usize) -> Vec<&[f64]> {
    let size = forest.params().window as u64;
    let oldest = forest.seen - forest.window_len() as u64;
    (oldest..forest.seen)
        .filter(|&row| forest.trees[tree].takes(forest.params().subsample, row))
        .map(|row| {
            let start = usize::try_from(row % size).unwrap() * forest.width();
            &forest.window[start..start + forest.width()]
        })
        .collect()
}

fn check(forest: &OnlineIsolationForest) {
    let shape = &forest.shape;
    let branching = forest.params().branching;
    let bound = forest.params().check().unwrap().max_nodes_per_tree();
    for (number, tree) in forest.trees.iter().enumerate() {
        let rows = held(forest, number);
        assert_eq!(tree.rows() as usize, rows.len(), "the root counts the rows");
        assert!(tree.adds_up(shape), "children add up to their parent");
        let (mut nodes, mut leaf_points, mut open) = (0, 0, vec![0]);
        tree.visit(shape, |visit| {
            nodes += 1;
            let depth = open.pop().unwrap();
            match visit {
                Visit::Split { count, values, .. } => {
                    assert!(u64::from(count) >= shape.rules.points_to_split(depth));
                    assert!(shape.rules.is_depth_open(depth, shape.rules.window));
                    assert!(values.is_sorted() && values.iter().all(|value| value.is_finite()));
                    open.extend(vec![depth + 1; branching]);
                }
                Visit::Leaf { count, bounds } => {
                    leaf_points += u64::from(count);
                    let (lows, highs) = bounds.split_at(shape.width);
                    let finite = lows
                        .iter()
                        .zip(highs)
                        .all(|(low, high)| low.is_finite() && high.is_finite() && low <= high);
                    assert!(finite || (count == 0 && lows[0] > highs[0]));
                }
            }
        });
        assert!(open.is_empty());
        assert_eq!(leaf_points, u64::from(tree.rows()));
        assert_eq!(nodes, tree.node_count(shape) as u64);
        assert!(nodes <= bound, "{nodes} nodes, at most {bound} allowed");
    }
}

fn stream() -> impl Strategy<Value = (usize, Vec<f64>)> {
    (1_usize..5, 1_usize..400).prop_flat_map(|(width, rows)| {
        let value = prop_oneof![
            4 => -100.0..100.0_f64,
            3 => (-2..2_i32).prop_map(f64::from),
            1 => prop::sample::select(vec![0.0, -0.0, 5e-324, 1e-300, -1e300, f64::MAX, f64::MIN]),
        ];
        prop::collection::vec(value, rows * width).prop_map(move |values| (width, values))
    })
}

fn params() -> impl Strategy<Value = OnlineIsolationForestParams> {
    (
        (1_usize..5, 2_usize..150, 0.0..0.999_f64, any::<bool>()),
        (
            prop_oneof![2 => Just(1.0), 1 => 0.3..1.0_f64],
            2_usize..5,
            any::<bool>(),
            any::<u64>(),
        ),
    )
        .prop_map(
            |((trees, window, eta, fixed), (subsample, branching, renewed, seed))| {
                let most = window as f64 * subsample;
                OnlineIsolationForestParams {
                    trees,
                    window,
                    max_leaf_samples: (1..window)
                        .filter(|&n| n as f64 <= eta * most)
                        .max()
                        .unwrap_or(1),
                    growth: if fixed {
                        LeafGrowth::Fixed
                    } else {
                        LeafGrowth::Adaptive
                    },
                    subsample: if most > 1.0 { subsample } else { 1.0 },
                    branching,
                    renewal: if renewed {
                        Renewal::EveryWindow
                    } else {
                        Renewal::Never
                    },
                    seed,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn counts_boxes_and_bounds_hold_after_every_row((width, values) in stream(), params in params()) {
        let mut forest = params.build(width).unwrap();
        for row in values.chunks_exact(width) {
            let score = forest.score_then_update(row).unwrap().get();
            prop_assert!(score > 0.0 && score < 1.0);
            check(&forest);
        }
        forest.clear();
        check(&forest);
        prop_assert_eq!((forest.seen(), forest.window_len()), (0, 0));
    }
}

#[test]
fn many_rows_in_one_box_do_not_leave_the_bound() {
    for (window, eta, expected) in [(2048, 32, 31), (64, 1, 31), (33, 32, 3)] {
        for growth in [LeafGrowth::Adaptive, LeafGrowth::Fixed] {
            let params = OnlineIsolationForestParams::default()
                .window(window)
                .max_leaf_samples(eta)
                .growth(growth)
                .trees(2);
            let mut forest = params.build(1).unwrap();
            let bound = params.check().unwrap().max_nodes_per_tree();
            if growth == LeafGrowth::Adaptive {
                assert_eq!(bound, expected);
            }
            for i in 0_u32..3000 {
                forest.update(&[f64::from(i % 1000).powi(3)]).unwrap();
            }
            check(&forest);
        }
    }
}

#[test]
fn drawn_coordinates_stay_in_their_box() {
    let below_one = 1.0 - f64::EPSILON / 2.0;
    for (low, high) in [
        (0.0, f64::from_bits(1)),
        (f64::MIN, f64::MAX),
        (-1e308, 1e308),
        (1.0, 1.0 + f64::EPSILON),
        (3.0, 3.0),
    ] {
        for unit in [0.0, 0.3, 0.5, below_one] {
            let value = between(low, high, unit);
            assert!(
                value >= low && value <= high,
                "{low} {high} {unit} gave {value}"
            );
        }
    }
}
