//! Tests of the trees themselves against walks, counts and expectations worked out without them.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::average_path::AveragePathTable;
use crate::error::DamagedModel;
use crate::node::{Bounds, FlatTree, Node, Trees};
use crate::purpose::Purpose;
use crate::{
    AveragePath, HeightLimit, IsolationForest, IsolationForestParams, MaxFeatures, Parallelism,
    average_path_length,
};
use dafu_core::random::Stream;
use ndarray::{Array2, array};

/// A tree as a textbook would write it.
enum Boxed {
    Leaf {
        rows: u32,
    },
    Split {
        feature: usize,
        threshold: f64,
        left: Box<Boxed>,
        right: Box<Boxed>,
    },
}

impl Boxed {
    fn of(nodes: &[Node], counts: &[u32], at: usize) -> Self {
        let node = nodes[at];
        if node.is_leaf(at) {
            return Self::Leaf { rows: counts[at] };
        }
        let left = node.left as usize;
        Self::Split {
            feature: node.test(),
            threshold: node.threshold,
            left: Box::new(Self::of(nodes, counts, left)),
            right: Box::new(Self::of(nodes, counts, left + 1)),
        }
    }

    fn path(&self, row: &[f64], kind: AveragePath) -> f64 {
        match self {
            Self::Leaf { rows } => average_path_length(*rows, kind),
            Self::Split {
                feature,
                threshold,
                left,
                right,
            } => {
                let side = if row[*feature] <= *threshold {
                    left
                } else {
                    right
                };
                1.0 + side.path(row, kind)
            }
        }
    }
}

fn boxed_trees(forest: &IsolationForest) -> Vec<Boxed> {
    let trees = forest.trees.iter();
    trees
        .map(|tree| Boxed::of(tree.nodes, tree.counts, 0))
        .collect()
}

fn random_rows(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut stream = Stream::new(seed, Purpose::Tree as u64, u64::MAX);
    // Some columns take few values, so that ties and constant nodes occur.
    Array2::from_shape_fn((rows, columns), |(_, column)| {
        let value = stream.unit();
        if column % 3 == 1 {
            (value * 4.0).floor()
        } else {
            value * 10.0 - 5.0
        }
    })
}

#[test]
fn scores_equal_the_formula_on_a_naive_walk() {
    for (columns, limit, kind) in [
        (1, HeightLimit::Auto, AveragePath::Exact),
        (5, HeightLimit::Auto, AveragePath::Approximate),
        (30, HeightLimit::Unlimited, AveragePath::Exact),
        (4, HeightLimit::Levels(0), AveragePath::Exact),
        (4, HeightLimit::Levels(2), AveragePath::Exact),
    ] {
        let rows = random_rows(700, columns, 5);
        let params = IsolationForestParams::default()
            .trees(37)
            .height_limit(limit)
            .average_path(kind)
            .parallelism(Parallelism::Serial);
        let forest = params.fit(rows.view()).unwrap();
        let trees = boxed_trees(&forest);
        let mut scores = vec![0.0; rows.nrows()];
        forest.score_rows(rows.view(), &mut scores).unwrap();
        for (row, &score) in rows.rows().into_iter().zip(&scores) {
            let row = row.to_vec();
            let mean = trees.iter().map(|tree| tree.path(&row, kind)).sum::<f64>() / 37.0;
            let expected = (-mean / average_path_length(256, kind)).exp2();
            // Rounding of paths to 2^-28 (2^-26 for paths beyond 16 c(psi)): ln 2 * 2^-27, absolute, as scores are below 1.
            assert!(
                (score - expected).abs() < 5.2e-9,
                "{score} instead of {expected}"
            );
            assert!((forest.mean_path_length(&row).unwrap() - mean).abs() < 2e-4);
            assert_eq!(
                forest.score_row(&row).unwrap().get().to_bits(),
                score.to_bits()
            );
        }
    }
}

/// Routes rows down a tree and checks everything that growing promises about each node.
fn check_node(
    tree: (&[Node], &[u32]),
    at: usize,
    rows: &[Vec<f64>],
    (depth, limit): (u32, u32),
) -> usize {
    let (nodes, counts) = tree;
    let node = nodes[at];
    assert_eq!(rows.len(), counts[at] as usize, "rows that reach the node");
    let constant =
        (0..rows[0].len()).all(|f| rows.iter().all(|row| row[f].total_cmp(&rows[0][f]).is_eq()));
    if node.is_leaf(at) {
        assert!(
            depth == limit || constant,
            "a leaf above the limit holds rows that differ"
        );
        return 1;
    }
    assert!(depth < limit && !constant);
    let feature = node.test();
    let min = rows
        .iter()
        .map(|row| row[feature])
        .fold(f64::INFINITY, f64::min);
    let max = rows
        .iter()
        .map(|row| row[feature])
        .fold(f64::NEG_INFINITY, f64::max);
    assert!(node.threshold >= min && node.threshold < max);
    let (left, right): (Vec<_>, Vec<_>) = rows
        .iter()
        .cloned()
        .partition(|row| row[feature] <= node.threshold);
    let child = node.left as usize;
    assert!(child > at);
    check_node(tree, child, &left, (depth + 1, limit))
        + check_node(tree, child + 1, &right, (depth + 1, limit))
}

#[test]
fn every_node_splits_the_rows_that_reach_it() {
    for (columns, limit, levels) in [
        (1, HeightLimit::Auto, 8),
        (6, HeightLimit::Unlimited, 65_535),
        (9, HeightLimit::Levels(3), 3),
    ] {
        // As many rows as the sample takes, so that every tree has seen all of them.
        let data = random_rows(200, columns, 9);
        let rows: Vec<Vec<f64>> = data.rows().into_iter().map(|row| row.to_vec()).collect();
        let forest = IsolationForestParams::default()
            .trees(20)
            .height_limit(limit)
            .fit(data.view())
            .unwrap();
        let mut leaves = 0;
        for tree in forest.trees.iter() {
            leaves += check_node((tree.nodes, tree.counts), 0, &rows, (0, levels));
        }
        assert_eq!(leaves, forest.leaf_count());
    }
}

/// The expected path of `row` in a tree grown without limit from `rows`, by going through all splits.
fn expected_path(rows: &[Vec<f64>], row: &[f64]) -> f64 {
    let splittable: Vec<usize> = (0..row.len())
        .filter(|&f| {
            rows.iter()
                .any(|other| !other[f].total_cmp(&rows[0][f]).is_eq())
        })
        .collect();
    if splittable.is_empty() {
        return average_path_length(u32::try_from(rows.len()).unwrap(), AveragePath::Exact);
    }
    let mut sum = 0.0;
    for &feature in &splittable {
        let mut values: Vec<f64> = rows.iter().map(|other| other[feature]).collect();
        values.sort_by(f64::total_cmp);
        let range = values[values.len() - 1] - values[0];
        for gap in values.windows(2) {
            let share = (gap[1] - gap[0]) / range;
            if share > 0.0 {
                let left = row[feature] <= gap[0];
                let side: Vec<Vec<f64>> = rows
                    .iter()
                    .filter(|other| (other[feature] <= gap[0]) == left)
                    .cloned()
                    .collect();
                sum += share * (1.0 + expected_path(&side, row));
            }
        }
    }
    sum / splittable.len() as f64
}

#[test]
fn mean_paths_equal_their_expectation_over_all_splits() {
    let data = array![
        [0.0, 1.0, 7.0],
        [1.0, 1.0, 7.0],
        [1.5, 2.0, 7.0],
        [4.0, 1.0, 7.0],
        [4.0, 9.0, 7.0],
        [4.0, 9.0, 7.0],
    ];
    let rows: Vec<Vec<f64>> = data.rows().into_iter().map(|row| row.to_vec()).collect();
    let forest = IsolationForestParams::default()
        .trees(40_000)
        .height_limit(HeightLimit::Unlimited)
        .seed(3)
        .fit(data.view())
        .unwrap();
    for row in &rows {
        let mean = forest.mean_path_length(row).unwrap();
        let expected = expected_path(&rows, row);
        // Paths vary by less than 1.2 (standard deviation), so four standard errors are below 0.025.
        assert!(
            (mean - expected).abs() < 0.025,
            "{mean} instead of {expected}"
        );
    }
}

/// Sum of the depths of the leaves of a search tree made of `keys` in this order.
fn leaf_depths(keys: &[usize]) -> usize {
    let Some((&root, rest)) = keys.split_first() else {
        return 0;
    };
    let (below, above): (Vec<usize>, Vec<usize>) = rest.iter().partition(|&&key| key < root);
    keys.len() + 1 + leaf_depths(&below) + leaf_depths(&above)
}

fn for_each_order(keys: &mut Vec<usize>, fixed: usize, visit: &mut impl FnMut(&[usize])) {
    if fixed == keys.len() {
        visit(keys);
    }
    for at in fixed..keys.len() {
        keys.swap(fixed, at);
        for_each_order(keys, fixed + 1, visit);
        keys.swap(fixed, at);
    }
}

#[test]
fn average_path_is_the_mean_leaf_depth_of_random_search_trees() {
    for leaves in 2..=8_u32 {
        let mut keys: Vec<usize> = (1..leaves as usize).collect();
        let (mut sum, mut orders) = (0, 0);
        for_each_order(&mut keys, 0, &mut |order| {
            sum += leaf_depths(order);
            orders += 1;
        });
        let expected = sum as f64 / f64::from(orders) / f64::from(leaves);
        let got = average_path_length(leaves, AveragePath::Exact);
        assert!(
            (got - expected).abs() < 1e-12,
            "c({leaves}) = {got} instead of {expected}"
        );
    }
}

#[test]
fn average_path_follows_its_recurrence_and_meets_the_expansion() {
    // e(n) = 1 + 2 / (n (n - 1)) sum over k < n of k e(k), from splitting n leaves uniformly.
    let table = AveragePathTable::new(AveragePath::Exact, 6000);
    let mut weighted = 0.0;
    for n in 2..6000_u32 {
        weighted += f64::from(n - 1) * if n == 2 { 0.0 } else { table.get(n - 1) };
        let expected = 1.0 + 2.0 * weighted / (f64::from(n) * f64::from(n - 1));
        assert!((table.get(n) / expected - 1.0).abs() < 1e-12, "n = {n}");
    }
    assert!(table.get(0).abs() + table.get(1).abs() < f64::MIN_POSITIVE);
    let largest = table.get(1 << 24);
    assert!((largest - 2.0 * (16_777_215_f64.ln() + 0.577_215_664_901_532_9) + 2.0).abs() < 1e-6);
}

fn hand_built() -> FlatTree {
    // x0 <= 1 ? (x1 <= 5 ? 3 rows : 1 row) : 4 rows
    FlatTree {
        nodes: vec![
            Node::split(0, 1.0, 1),
            Node::split(1, 5.0, 3),
            Node::leaf(2),
            Node::leaf(3),
            Node::leaf(4),
        ],
        counts: vec![8, 4, 4, 3, 1],
        ..FlatTree::default()
    }
}

const BOUNDS: Bounds<'static> = Bounds {
    width: 2,
    sample_size: 8,
    height_limit: 3,
    categorical: &[],
};

fn hand_built_forest() -> IsolationForest {
    let mut trees = Trees::with_capacity(1, 5);
    trees.push(&hand_built(), 0, &BOUNDS).unwrap();
    let rows = Array2::from_shape_fn((8, 2), |(row, _)| row as f64);
    let params = IsolationForestParams::default().trees(1);
    let mut forest = params.fit(rows.view()).unwrap();
    assert_eq!((forest.width(), forest.sample_size()), (2, 8));
    forest.trees = trees;
    forest.set_values();
    forest
}

#[test]
fn a_tree_built_by_hand_gives_the_paths_worked_out_by_hand() {
    let forest = hand_built_forest();
    // c(8) = 2 H(7) - 14/8, c(4) = 2 (1 + 1/2 + 1/3) - 6/4, c(3) = 3 - 4/3
    let c8 = 2.0 * (1.0 + 0.5 + 1.0 / 3.0 + 0.25 + 0.2 + 1.0 / 6.0 + 1.0 / 7.0) - 1.75;
    let c4 = 11.0 / 3.0 - 1.5;
    for (row, path) in [
        ([0.0, 5.0], 2.0 + 5.0 / 3.0),
        ([1.0, 5.1], 2.0),
        ([1.1, 0.0], 1.0 + c4),
        ([1e300, -1e300], 1.0 + c4),
    ] {
        assert!((forest.mean_path_length(&row).unwrap() - path).abs() < 1e-12);
        let score = forest.score_row(&row).unwrap().get();
        assert!((score - (-path / c8).exp2()).abs() < 1.3e-9);
    }
    let mut out = [0.0; 2];
    let baseline = forest.explain_row(&[1.0, 5.1], &mut out).unwrap();
    // Expected paths: node 1 (3 * 11/3 + 2) / 4, root the mean of node 1 and 1 + c(4), four rows each.
    let inner = (11.0 + 2.0) / 4.0;
    let root = f64::midpoint(inner, 1.0 + c4);
    assert!((baseline + root / c8).abs() < 1e-8);
    assert!((out[0] - (root - inner) / c8).abs() < 1e-8);
    assert!((out[1] - (inner - 2.0) / c8).abs() < 1e-8);
}

#[test]
fn unsound_trees_are_refused() {
    let push = |tree: &FlatTree| Trees::with_capacity(1, 5).push(tree, 0, &BOUNDS);
    assert_eq!(push(&hand_built()), Ok(()));
    let change = |act: &dyn Fn(&mut FlatTree)| {
        let mut tree = hand_built();
        act(&mut tree);
        push(&tree)
    };
    let shape = Err(DamagedModel::Shape { tree: 0 });
    assert_eq!(push(&FlatTree::default()), shape);
    for wrong in [0, 2, 3, 5, u32::MAX] {
        assert!(
            change(&|tree| tree.nodes[0] = tree.nodes[0].with_left(wrong)).is_err(),
            "left = {wrong}"
        );
    }
    assert_eq!(
        change(&|tree| tree.nodes[1] = tree.nodes[1].with_left(2)),
        shape,
        "a node with two parents"
    );
    assert_eq!(
        change(&|tree| tree.nodes[1] = Node::leaf(1)),
        shape,
        "nodes without parent"
    );
    assert_eq!(change(&|tree| tree.counts.truncate(4)), shape);
    assert_eq!(
        change(&|tree| tree.nodes[1] = Node::split(2, 5.0, 3)),
        Err(DamagedModel::Feature { tree: 0, width: 2 })
    );
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(
            change(&|tree| tree.nodes[1].threshold = wrong),
            Err(DamagedModel::Threshold { tree: 0 })
        );
    }
    for (at, wrong) in [(0, 7), (1, 5), (3, 0), (4, u32::MAX)] {
        assert_eq!(
            change(&|tree| tree.counts[at] = wrong),
            Err(DamagedModel::Counts { tree: 0 })
        );
    }
    assert_eq!(
        Trees::with_capacity(1, 5).push(
            &hand_built(),
            0,
            &Bounds {
                height_limit: 1,
                ..BOUNDS
            }
        ),
        Err(DamagedModel::Depth { tree: 0, limit: 1 })
    );
}

#[test]
fn trees_take_only_the_features_drawn_for_them() {
    let rows = random_rows(300, 12, 2);
    for (max_features, most) in [
        (MaxFeatures::Count(1), 1),
        (MaxFeatures::Fraction(0.3), 3),
        (MaxFeatures::Fraction(1e-9), 1),
    ] {
        let forest = IsolationForestParams::default()
            .max_features(max_features)
            .fit(rows.view())
            .unwrap();
        let mut seen_by_all = std::collections::BTreeSet::new();
        for tree in forest.trees.iter() {
            let seen: std::collections::BTreeSet<usize> = tree
                .nodes
                .iter()
                .enumerate()
                .filter(|(at, node)| !node.is_leaf(*at))
                .map(|(_, node)| node.test())
                .collect();
            assert!(seen.len() <= most);
            seen_by_all.extend(seen);
        }
        assert_eq!(
            seen_by_all.len(),
            12,
            "over 100 trees every feature is drawn"
        );
    }
}

#[test]
fn types_are_send_and_sync() {
    fn holds<T: Send + Sync + 'static>() {}
    holds::<IsolationForest>();
    holds::<IsolationForestParams>();
    holds::<crate::CheckedIsolationForestParams>();
    holds::<crate::ContaminationThreshold>();
    holds::<crate::IsolationForestError>();
}
