//! Sums of blocks against a walk as a textbook would write it.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{CODES, Masks, ROWS, Room};
use crate::input::Accepted;
use crate::node::{Bounds, FlatTree, Node, Tree, Trees};
use crate::value::{MAX_BITS, TreeKind, ValueRule};
use crate::{
    AveragePath, HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams,
    MissingValues, Parallelism, Scoring,
};
use dafu_core::random::Stream;
use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Where thresholds and values come from: few numbers, so that many are equal, and extreme ones.
const NUMBERS: [f64; 14] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    1.0,
    1.0 + f64::EPSILON,
    -1.5,
    3.25,
    1e16,
    f64::MAX,
    f64::MIN,
    -1e300,
    1e300,
];

/// More columns than any test has.
const WIDE: usize = 1 << 30;

#[derive(Debug, Clone, Copy)]
struct Shape {
    trees: usize,
    columns: usize,
    /// Most leaves of a tree.
    leaves: usize,
    levels: u32,
    /// How often a number is one of [`NUMBERS`], in hundredths.
    special: usize,
}

fn number(stream: &mut Stream, special: usize) -> f64 {
    if stream.index_below(100) < special {
        NUMBERS[stream.index_below(NUMBERS.len())]
    } else {
        stream.unit() * 10.0 - 5.0
    }
}

fn random_trees(shape: Shape, stream: &mut Stream) -> Trees {
    let mut trees = Trees::with_capacity(shape.trees, 0);
    for _ in 0..shape.trees {
        let mut tree = FlatTree {
            nodes: vec![Node::leaf(0)],
            counts: vec![256],
            ..FlatTree::default()
        };
        let (mut depths, mut at, mut leaves) = (vec![0], 0, 1);
        while at < tree.nodes.len() {
            let count = tree.counts[at];
            // A node may be the last one that could grow, so that deep trees come about.
            let last = at + 1 == tree.nodes.len();
            let splits = last || stream.index_below(5) > 0;
            if splits && count > 1 && depths[at] < shape.levels && leaves < shape.leaves {
                let left = u32::try_from(tree.nodes.len()).unwrap();
                let column = u32::try_from(stream.index_below(shape.columns)).unwrap();
                let missing_right = stream.index_below(2) == 0;
                tree.nodes[at] = Node::split(column, number(stream, shape.special), left)
                    .with_missing_right(missing_right);
                let rows = 1 + u32::try_from(stream.index_below(count as usize - 1)).unwrap();
                for (child, rows) in [(left, rows), (left + 1, count - rows)] {
                    tree.nodes.push(Node::leaf(child));
                    tree.counts.push(rows);
                    depths.push(depths[at] + 1);
                }
                leaves += 1;
            }
            at += 1;
        }
        let bounds = Bounds {
            width: u32::try_from(WIDE).unwrap(),
            sample_size: 256,
            height_limit: 65_535,
            categorical: &[],
        };
        trees.push(&tree, 0, &bounds).unwrap();
    }
    let rule = ValueRule {
        scoring: Scoring::Depth,
        average_path: AveragePath::Exact,
        kinds: &[TreeKind::new(256, AveragePath::Exact)],
    };
    rule.apply(&mut trees, MAX_BITS);
    trees
}

fn random_rows(
    (rows, columns): (usize, usize),
    special: usize,
    stream: &mut Stream,
) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || number(stream, special))
}

fn part(rows: ArrayView2<'_, f64>, slice: Slice) -> ArrayView2<'_, f64> {
    rows.slice_axis_move(Axis(0), slice)
}

fn leaf_of(tree: &Tree<'_>, row: &[f64]) -> usize {
    let mut at = 0;
    while !tree.nodes[at].is_leaf(at) {
        let node = &tree.nodes[at];
        let value = row[node.test()];
        let right = if value.is_nan() {
            node.missing_right()
        } else {
            value > node.threshold
        };
        at = node.left as usize + usize::from(right);
    }
    at
}

fn walked(trees: &Trees, rows: ArrayView2<'_, f64>, value: impl Fn(u32) -> u32) -> Vec<u64> {
    let of_row = |row: Vec<f64>| {
        let leaves = trees.iter().map(|tree| tree.values[leaf_of(&tree, &row)]);
        leaves.map(|path| u64::from(value(path))).sum()
    };
    let rows = rows.rows().into_iter();
    rows.map(|row| of_row(row.to_vec())).collect()
}

fn accepts(missing: MissingValues) -> Accepted<'static> {
    Accepted {
        missing,
        categorical: &[],
    }
}

fn summed(
    masks: &Masks,
    room: &mut Room,
    rows: ArrayView2<'_, f64>,
    missing: MissingValues,
) -> Result<Vec<u64>, IsolationForestError> {
    let mut sums = Vec::new();
    for (block, rows) in rows.axis_chunks_iter(Axis(0), ROWS).enumerate() {
        sums.extend(room.sums(masks, (rows, block * ROWS), &accepts(missing))?);
    }
    Ok(sums)
}

const SHAPES: [Shape; 9] = [
    shape(100, 10, 64, 8),
    shape(3, 1, 40, 8),
    shape(37, 40, 60, 8),
    shape(13, 5, 1, 8),
    shape(9, 2, 2, 1),
    shape(21, 3, 256, 65_535),
    shape(1, 2, 256, 65_535),
    shape(40, 33, 256, 300),
    // Several tables of thresholds.
    shape(400, 6, 256, 65_535),
];

const fn shape(trees: usize, columns: usize, leaves: usize, levels: u32) -> Shape {
    Shape {
        trees,
        columns,
        leaves,
        levels,
        special: 30,
    }
}

#[test]
fn sums_equal_those_of_a_naive_walk_for_forests_of_many_shapes() {
    let mut room = Room::default();
    let mut groups = 0;
    for (at, shape) in SHAPES.into_iter().enumerate() {
        for special in [0, 30, 100] {
            let stream = &mut Stream::new(1, at as u64, special as u64);
            let trees = random_trees(Shape { special, ..shape }, stream);
            let rows = random_rows((1100, shape.columns), special, stream);
            let masks = Masks::of_any(&trees, WIDE).unwrap();
            groups = groups.max(masks.groups.len());
            let sums = summed(&masks, &mut room, rows.view(), MissingValues::Refuse).unwrap();
            assert!(
                sums == walked(&trees, rows.view(), |path| path),
                "{shape:?}"
            );
        }
    }
    assert!(groups > 2);
}

#[test]
fn missing_values_go_where_the_node_says() {
    let mut room = Room::default();
    for (at, shape) in SHAPES.into_iter().enumerate() {
        let stream = &mut Stream::new(2, at as u64, 0);
        let trees = random_trees(shape, stream);
        let mut rows = random_rows((1100, shape.columns), 30, stream);
        // One block in the middle misses nothing.
        for mut row in rows.rows_mut().into_iter().take(ROWS) {
            row[stream.index_below(shape.columns)] = f64::NAN;
        }
        rows[[1099, shape.columns - 1]] = f64::NAN;
        rows[[1098, 0]] = -f64::NAN;
        let masks = Masks::of_any(&trees, WIDE).unwrap();
        let sums = summed(&masks, &mut room, rows.view(), MissingValues::Impute).unwrap();
        assert!(
            sums == walked(&trees, rows.view(), |path| path),
            "{shape:?}"
        );
    }
}

#[test]
fn path_lengths_may_have_all_32_bits() {
    let stream = &mut Stream::new(3, 0, 0);
    let trees = random_trees(SHAPES[0], stream);
    let rows = random_rows((700, 10), 30, stream);
    let wide = |path: u32| path.wrapping_mul(0x9e37_79b1) | 1 << 31;
    let mut masks = Masks::of_any(&trees, WIDE).unwrap();
    for part in masks.groups.iter_mut().flat_map(|group| &mut group.parts) {
        part.values
            .iter_mut()
            .for_each(|value| *value = wide(*value));
    }
    let sums = summed(
        &masks,
        &mut Room::default(),
        rows.view(),
        MissingValues::Refuse,
    )
    .unwrap();
    assert!(sums == walked(&trees, rows.view(), wide));
    assert!(sums.iter().all(|&sum| sum > u64::from(u32::MAX)));
}

#[test]
fn any_number_of_rows_and_any_layout_gives_the_same_sums() {
    let stream = &mut Stream::new(4, 0, 0);
    let trees = random_trees(shape(5, 17, 30, 8), stream);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let rows = random_rows((1100, 17), 30, stream);
    let expected = walked(&trees, rows.view(), |path| path);
    let mut room = Room::default();
    let mut check = |rows: ArrayView2<'_, f64>, expected: &[u64]| {
        let sums = summed(&masks, &mut room, rows, MissingValues::Refuse).unwrap();
        assert!(sums == expected, "{:?}", rows.dim());
    };
    for count in (1..70).chain([511, 512, 513, 1023, 1024, 1025, 1100]) {
        check(part(rows.view(), Slice::from(..count)), &expected[..count]);
    }
    check(rows.t().as_standard_layout().t(), &expected);
    check(
        part(rows.view(), Slice::new(3, None, 2)),
        &expected
            .iter()
            .copied()
            .skip(3)
            .step_by(2)
            .collect::<Vec<_>>(),
    );
    check(
        part(rows.view(), Slice::new(0, None, -1)),
        &expected.iter().rev().copied().collect::<Vec<_>>(),
    );
    let wide = ndarray::concatenate![Axis(1), rows, rows];
    let left = wide.slice_axis(Axis(1), Slice::from(..17));
    check(left, &expected);
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "rows of f32")]
fn rows_may_be_f32() {
    let stream = &mut Stream::new(5, 0, 0);
    let trees = random_trees(shape(5, 3, 30, 8), stream);
    let rows = random_rows((100, 3), 0, stream).mapv(|value| value as f32);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let mut room = Room::default();
    let sums = room
        .sums(&masks, (rows.view(), 0), &accepts(MissingValues::Refuse))
        .unwrap();
    let expected = walked(&trees, rows.mapv(f64::from).view(), |path| path);
    assert!(sums.collect::<Vec<_>>() == expected);
}

#[test]
fn the_first_value_that_is_not_finite_is_named() {
    let stream = &mut Stream::new(6, 0, 0);
    let trees = random_trees(shape(5, 40, 30, 8), stream);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let mut room = Room::default();
    let clean = random_rows((1100, 40), 30, stream);
    for (row, column) in [(0, 0), (7, 39), (511, 16), (512, 3), (1096, 1), (1099, 39)] {
        for (value, missing) in [
            (f64::NAN, MissingValues::Refuse),
            (f64::INFINITY, MissingValues::Refuse),
            (f64::NEG_INFINITY, MissingValues::Impute),
        ] {
            let mut rows = clean.clone();
            rows[[1099, 39]] = f64::INFINITY;
            rows[[row, column]] = value;
            for rows in [rows.view(), rows.t().as_standard_layout().t()] {
                let error = summed(&masks, &mut room, rows, missing).unwrap_err();
                let IsolationForestError::NotFinite {
                    row: r,
                    column: c,
                    value: v,
                } = error
                else {
                    unreachable!("{error}")
                };
                assert_eq!((r, c, v.to_bits()), (row, column, value.to_bits()));
            }
        }
    }
}

#[test]
fn trees_with_more_leaves_than_codes_are_left_to_walks() {
    let stream = &mut Stream::new(7, 0, 0);
    let mut rows = || random_rows((1000, 3), 0, stream);
    let mut forest = |sample_size| -> IsolationForest {
        let params = IsolationForestParams::default().trees(3);
        let params = params.height_limit(HeightLimit::Unlimited);
        params.sample_size(sample_size).fit(rows().view()).unwrap()
    };
    assert!(Masks::of_any(&forest(CODES).trees, WIDE).is_some());
    assert!(Masks::of_any(&forest(CODES + 1).trees, WIDE).is_none());
}

#[test]
fn forests_score_batches_and_single_rows_alike() {
    for (parallelism, columns) in [(Parallelism::Serial, 10), (Parallelism::Pool, 30)] {
        let stream = &mut Stream::new(8, columns as u64, 0);
        // The last block has so few rows that they walk.
        let rows = random_rows((10 * ROWS + 5, columns), 0, stream);
        let params = IsolationForestParams::default().parallelism(parallelism);
        let forest = params.fit(rows.view()).unwrap();
        assert!(
            forest
                .masks
                .get(&forest.trees, forest.width(), rows.nrows())
                .is_some()
        );
        let mut scores = vec![0.0; rows.nrows()];
        forest.score_rows(rows.view(), &mut scores).unwrap();
        for (row, score) in rows.rows().into_iter().zip(&scores) {
            let single = forest.score_row(&row.to_vec()).unwrap().get();
            assert_eq!(single.to_bits(), score.to_bits());
        }
        let mut bad = rows.clone();
        bad[[2000, 1]] = f64::NAN;
        bad[[4000, 0]] = f64::NAN;
        let error = forest.score_rows(bad.view(), &mut scores).unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite {
                row: 2000,
                column: 1,
                ..
            }
        ));
        assert!(forest == forest.clone());
    }
}

#[test]
fn forest_and_room_take_the_memory_that_is_promised() {
    let stream = &mut Stream::new(9, 0, 0);
    let rows = random_rows((5000, 10), 0, stream);
    for limit in [HeightLimit::Auto, HeightLimit::Unlimited] {
        let params = IsolationForestParams::default().height_limit(limit);
        let forest = params.fit(rows.view()).unwrap();
        let masks = Masks::of_any(&forest.trees, forest.width()).unwrap();
        let mut room = Room::default();
        let block = part(rows.view(), Slice::from(..ROWS));
        assert_eq!(
            room.sums(&masks, (block, 0), &accepts(MissingValues::Refuse))
                .unwrap()
                .count(),
            ROWS
        );
        assert!(room.bytes() < 700 << 10, "{}", room.bytes());
        let most = if limit == HeightLimit::Auto { 320 } else { 768 };
        assert!(masks.bytes() < most << 10, "{}", masks.bytes());
    }
}
