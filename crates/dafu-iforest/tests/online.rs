//! The online forest against a naive one, and what must hold for every stream.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::random::Stream;
use dafu_core::traits::{Explain, ScoreRow, ScoreRows};
use dafu_iforest::{
    IsolationForestError, LeafGrowth, OnlineIsolationForest, OnlineIsolationForestParams, Renewal,
};
use ndarray::{Array2, ShapeBuilder};
use proptest::prelude::*;
use std::collections::VecDeque;

/// A tree as the paper writes it: nodes own their children, every node has a box, sums are made anew each time.
struct NaiveNode {
    count: usize,
    bounds: Vec<(f64, f64)>,
    split: Option<(usize, Vec<f64>, Vec<NaiveNode>)>,
}

struct NaiveTree {
    key: u64,
    splits: u64,
    root: NaiveNode,
}

struct Naive {
    params: OnlineIsolationForestParams,
    width: usize,
    trees: Vec<NaiveTree>,
    window: VecDeque<Vec<f64>>,
    seen: u64,
}

const NOWHERE: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

fn threshold(params: &OnlineIsolationForestParams, depth: u32) -> usize {
    match params.growth {
        LeafGrowth::Adaptive => params.max_leaf_samples * 2_usize.pow(depth),
        LeafGrowth::Fixed => params.max_leaf_samples,
    }
}

fn may_split(params: &OnlineIsolationForestParams, depth: u32, rows: usize) -> bool {
    params.max_leaf_samples * (2 * params.branching).pow(depth) <= rows
}

fn levels(params: &OnlineIsolationForestParams, points: usize) -> f64 {
    let ratio = points as f64 / params.max_leaf_samples as f64;
    ratio.max(1.0).ln() / (2.0 * params.branching as f64).ln()
}

impl NaiveNode {
    fn leaf(width: usize) -> Self {
        Self {
            count: 0,
            bounds: vec![NOWHERE; width],
            split: None,
        }
    }

    fn extend(&mut self, row: &[f64]) {
        for (bound, &value) in self.bounds.iter_mut().zip(row) {
            *bound = (bound.0.min(value), bound.1.max(value));
        }
    }

    fn varying(&self) -> Vec<usize> {
        let at = 0..self.bounds.len();
        at.filter(|&at| self.bounds[at].0 < self.bounds[at].1)
            .collect()
    }

    fn side((feature, values): (usize, &[f64]), row: &[f64]) -> usize {
        values
            .iter()
            .position(|value| row[feature] <= *value)
            .unwrap_or(values.len())
    }

    /// A subtree over points.
    fn over(
        points: &[Vec<f64>],
        width: usize,
        (depth, rows): (u32, usize),
        params: &OnlineIsolationForestParams,
        stream: &mut Stream,
    ) -> Self {
        let mut node = Self::leaf(width);
        node.count = points.len();
        for point in points {
            node.extend(point);
        }
        let varying = node.varying();
        if points.len() < threshold(params, depth)
            || !may_split(params, depth, rows)
            || varying.is_empty()
        {
            return node;
        }
        let feature = varying[stream.index_below(varying.len())];
        let (low, high) = node.bounds[feature];
        let mut values: Vec<f64> = (1..params.branching)
            .map(|_| low + stream.unit() * (high - low))
            .collect();
        values.sort_by(f64::total_cmp);
        let children = (0..params.branching)
            .map(|side| {
                let here: Vec<Vec<f64>> = points
                    .iter()
                    .filter(|point| Self::side((feature, &values), point) == side)
                    .cloned()
                    .collect();
                Self::over(&here, width, (depth + 1, rows), params, stream)
            })
            .collect();
        node.split = Some((feature, values, children));
        node
    }

    fn learn(
        &mut self,
        row: &[f64],
        (depth, rows): (u32, usize),
        params: &OnlineIsolationForestParams,
        (key, splits): (u64, &mut u64),
    ) {
        self.count += 1;
        let same = self.varying().is_empty();
        let place: Vec<f64> = self.bounds.iter().map(|bound| bound.0).collect();
        self.extend(row);
        if let Some((feature, values, children)) = &mut self.split {
            let side = Self::side((*feature, values), row);
            return children[side].learn(row, (depth + 1, rows), params, (key, splits));
        }
        if self.count < threshold(params, depth)
            || !may_split(params, depth, rows)
            || self.varying().is_empty()
            || self.count < 2
        {
            return;
        }
        let mut stream = Stream::new(key, 0x102, *splits);
        *splits += 1;
        let mut points = vec![place; self.count];
        points[0] = row.to_vec();
        if !same {
            for point in &mut points {
                let within = |(low, high)| low + stream.unit() * (high - low);
                *point = self.bounds.iter().copied().map(within).collect();
            }
        }
        // So narrow a box that all fall on one place: nothing is learned from them.
        if points.iter().all(|point| *point == points[0]) {
            return;
        }
        let grown = Self::over(&points, row.len(), (depth, rows), params, &mut stream);
        *self = grown;
    }

    /// The box of the leaves below, as the paper's merge takes it.
    fn union(&self) -> Vec<(f64, f64)> {
        let Some((_, _, children)) = &self.split else {
            return self.bounds.clone();
        };
        children
            .iter()
            .map(Self::union)
            .fold(vec![NOWHERE; self.bounds.len()], |union, bounds| {
                union
                    .iter()
                    .zip(bounds)
                    .map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)))
                    .collect()
            })
    }

    fn forget(&mut self, row: &[f64], depth: u32, params: &OnlineIsolationForestParams) {
        self.count -= 1;
        if self.count < threshold(params, depth) {
            self.bounds = self.union();
            self.split = None;
        }
        let Some((feature, values, children)) = &mut self.split else {
            return;
        };
        let mut side = Self::side((*feature, values), row);
        if children[side].count == 0 {
            for other in 0..children.len() {
                if children[other].count >= children[side].count {
                    side = other;
                }
            }
        }
        children[side].forget(row, depth + 1, params);
    }

    fn depth(&self, row: &[f64], params: &OnlineIsolationForestParams) -> f64 {
        match &self.split {
            None => levels(params, self.count),
            Some((feature, values, children)) => {
                1.0 + children[Self::side((*feature, values), row)].depth(row, params)
            }
        }
    }

    fn mean_depth(&self, params: &OnlineIsolationForestParams) -> f64 {
        match &self.split {
            None => levels(params, self.count),
            Some((_, _, children)) => {
                let sums = children
                    .iter()
                    .map(|child| child.count as f64 * child.mean_depth(params));
                1.0 + sums.sum::<f64>() / self.count as f64
            }
        }
    }

    fn nodes(&self) -> usize {
        let below = self.split.iter().flat_map(|(_, _, children)| children);
        1 + below.map(Self::nodes).sum::<usize>()
    }
}

impl NaiveTree {
    fn takes(&self, params: &OnlineIsolationForestParams, number: u64) -> bool {
        params.subsample == 1.0 || Stream::new(self.key, 0x103, number).unit() < params.subsample
    }

    fn learn(&mut self, row: &[f64], params: &OnlineIsolationForestParams) {
        let rows = self.root.count + 1;
        self.root
            .learn(row, (0, rows), params, (self.key, &mut self.splits));
    }
}

impl Naive {
    fn new(params: &OnlineIsolationForestParams, width: usize) -> Self {
        let trees = (0..params.trees as u64).map(|number| NaiveTree {
            key: Stream::new(params.seed, 0x101, number).below(u64::MAX),
            splits: 0,
            root: NaiveNode::leaf(width),
        });
        Self {
            params: params.clone(),
            width,
            trees: trees.collect(),
            window: VecDeque::new(),
            seen: 0,
        }
    }

    fn update(&mut self, row: &[f64]) {
        let params = &self.params;
        let size = params.window;
        let full = self.window.len() == size;
        for tree in &mut self.trees {
            if full && tree.takes(params, self.seen - size as u64) {
                tree.root.forget(&self.window[0], 0, params);
            }
            if tree.takes(params, self.seen) {
                tree.learn(row, params);
            }
        }
        if full {
            self.window.pop_front();
        }
        self.window.push_back(row.to_vec());
        self.seen += 1;
        if params.renewal == Renewal::Never {
            return;
        }
        for (number, tree) in self.trees.iter_mut().enumerate() {
            if self.seen % size as u64 == (number * size / params.trees) as u64 {
                tree.root = NaiveNode::leaf(self.width);
                for (at, row) in self.window.iter().enumerate() {
                    let first = self.seen - self.window.len() as u64;
                    if tree.takes(params, first + at as u64) {
                        tree.learn(row, params);
                    }
                }
            }
        }
    }

    fn score(&self, row: &[f64]) -> f64 {
        let sum = |of: &dyn Fn(&NaiveTree) -> f64| self.trees.iter().map(of).sum::<f64>();
        let scale = sum(&|tree| {
            let levels = levels(&self.params, tree.root.count);
            if tree.root.split.is_some() {
                levels.max(1.0)
            } else {
                levels
            }
        });
        if scale == 0.0 {
            return 0.5;
        }
        (-sum(&|tree| tree.root.depth(row, &self.params)) / scale).exp2()
    }

    fn baseline(&self) -> f64 {
        self.trees
            .iter()
            .map(|tree| tree.root.mean_depth(&self.params))
            .sum()
    }
}

fn rows_of(width: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    let value = prop_oneof![3 => -50.0..50.0_f64, 2 => (-3..3_i32).prop_map(f64::from)];
    prop::collection::vec(prop::collection::vec(value, width), 1..300)
}

fn params() -> impl Strategy<Value = OnlineIsolationForestParams> {
    (
        (1_usize..6, 4_usize..120, 1_usize..40, any::<bool>()),
        (
            prop_oneof![Just(1.0), 0.5..1.0_f64],
            2_usize..5,
            any::<bool>(),
            any::<u64>(),
        ),
    )
        .prop_map(
            |((trees, window, eta, fixed), (subsample, branching, renewed, seed))| {
                OnlineIsolationForestParams {
                    trees,
                    window,
                    max_leaf_samples: eta.min(window / 2 - 1).max(1),
                    growth: if fixed {
                        LeafGrowth::Fixed
                    } else {
                        LeafGrowth::Adaptive
                    },
                    subsample,
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
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn equals_the_naive_forest_after_every_row(
        params in params(),
        rows in (1_usize..5).prop_flat_map(rows_of),
    ) {
        let width = rows[0].len();
        let mut forest = params.build(width).unwrap();
        let mut naive = Naive::new(&params, width);
        let mut parts = vec![0.0; width];
        for row in &rows {
            let expected = naive.score(row);
            let score = forest.score_then_update(row).unwrap().get();
            prop_assert!((score - expected).abs() <= 1e-12 * expected, "{} {}", score, expected);
            naive.update(row);
            let nodes: usize = naive.trees.iter().map(|tree| tree.root.nodes()).sum();
            prop_assert_eq!(forest.node_count(), nodes);
            prop_assert_eq!(forest.window_len(), naive.window.len());
            // Explanations add up, from the mean over the points that are counted.
            let base = forest.explain_row(row, &mut parts).unwrap();
            let score = forest.score_row(row).unwrap().get();
            prop_assert!((base + parts.iter().sum::<f64>() - score.log2()).abs() < 1e-9);
            if base != -1.0 {
                let ratio = naive.trees.iter().map(|tree| tree.root.depth(row, &params)).sum::<f64>()
                    / naive.baseline();
                prop_assert!((score.log2() / base - ratio).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn same_seed_gives_the_same_bits_and_powers_of_two_change_none(
        params in params(),
        rows in rows_of(3),
    ) {
        let mut one = params.build(3).unwrap();
        let mut other = params.build(3).unwrap();
        // Not new, but cleared.
        for row in rows.iter().rev() {
            other.update(row).unwrap();
        }
        other.clear();
        let mut scaled = params.build(3).unwrap();
        for row in &rows {
            let score = one.score_then_update(row).unwrap();
            prop_assert_eq!(score, other.score_then_update(row).unwrap());
            let row = [row[0] * 8.0, row[1] / 1024.0, row[2] * 2.0_f64.powi(300)];
            prop_assert_eq!(score, scaled.score_then_update(&row).unwrap());
        }
    }
}

/// Sums of four uniform numbers around a centre.
fn bell(stream: &mut Stream, centre: f64) -> f64 {
    (0..4).map(|_| stream.unit() - 0.5).sum::<f64>() + centre
}

fn mean_score(forest: &OnlineIsolationForest, centre: f64) -> f64 {
    let mut stream = Stream::new(5, 98, 0);
    let scores = (0..500).map(|_| {
        let row = [bell(&mut stream, centre), bell(&mut stream, centre)];
        forest.score_row(&row).unwrap().get()
    });
    scores.sum::<f64>() / 500.0
}

#[test]
fn a_stream_that_moves_away_is_forgotten_after_two_windows() {
    let params = OnlineIsolationForestParams::default()
        .window(512)
        .max_leaf_samples(8);
    for moved in [3.0, 100.0] {
        let mut forest = params.build(2).unwrap();
        let mut fresh = params.build(2).unwrap();
        let mut stream = Stream::new(3, 97, 0);
        for _ in 0..2000 {
            forest
                .update(&[bell(&mut stream, 0.0), bell(&mut stream, 0.0)])
                .unwrap();
        }
        let before = mean_score(&forest, 0.0);
        assert!(mean_score(&forest, moved) > before + 0.1);
        for _ in 0..1024 {
            let row = [bell(&mut stream, moved), bell(&mut stream, moved)];
            forest.update(&row).unwrap();
            fresh.update(&row).unwrap();
        }
        // New rows are now ordinary, old ones not, as in a forest that never saw the old ones.
        let (new, old) = (mean_score(&forest, moved), mean_score(&forest, 0.0));
        assert!(old > new + 0.1, "moved {moved}: new {new}, old {old}");
        assert!((new - mean_score(&fresh, moved)).abs() < 0.02);
        assert!((old - mean_score(&fresh, 0.0)).abs() < 0.04);
        // And there is resolution within them.
        let outlier = forest.score_row(&[moved + 1.9, moved - 1.9]).unwrap().get();
        assert!(
            outlier > new + 0.05,
            "moved {moved}: new {new}, outlier {outlier}"
        );
    }
}

#[test]
fn an_outlier_stands_out_and_its_feature_is_named() {
    let params = OnlineIsolationForestParams::default();
    let mut forest = params.build(4).unwrap();
    let mut stream = Stream::new(8, 97, 0);
    for i in 0..6000 {
        let mut row: Vec<f64> = (0..4).map(|_| bell(&mut stream, 0.0)).collect();
        if i % 400 == 7 {
            row[2] = 9.0 + stream.unit();
        }
        forest.update(&row).unwrap();
    }
    let row = [0.0, 0.1, 9.5, 0.0];
    let mut parts = [0.0; 4];
    let base = forest.explain_row(&row, &mut parts).unwrap();
    let score = forest.score_row(&row).unwrap().get();
    assert!(score > forest.score_row(&[0.0, 0.1, 0.0, 0.0]).unwrap().get() + 0.03);
    assert!(
        parts[2] > 0.1 && [0, 1, 3].iter().all(|&at| parts[at] < 0.0),
        "{parts:?}"
    );
    assert!((base + parts.iter().sum::<f64>() - score.log2()).abs() < 1e-12);
}

#[test]
fn degenerate_streams_have_scores() {
    type Row<'a> = &'a dyn Fn(u32) -> Vec<f64>;
    let huge = |i: u32| {
        if i.is_multiple_of(2) {
            f64::MAX
        } else {
            f64::MIN
        }
    };
    let tiny = |i: u32| f64::from_bits(u64::from(i % 3));
    let streams: [(&str, Row<'_>); 6] = [
        ("constant", &|_| vec![4.0, 4.0]),
        ("two points", &|i| vec![f64::from(i % 2), -f64::from(i % 2)]),
        ("one column varies", &|i| vec![7.0, f64::from(i % 100)]),
        ("huge", &|i| vec![huge(i), 1e308 * f64::from(i % 2)]),
        ("subnormal", &|i| vec![tiny(i), -tiny(i + 1)]),
        ("duplicates", &|i| vec![f64::from((i + 1) % 300 / 2); 2]),
    ];
    for (name, row) in streams {
        for (window, eta) in [(2048, 32), (100, 1), (2, 1)] {
            for renewal in [Renewal::Never, Renewal::EveryWindow] {
                let params = OnlineIsolationForestParams::default()
                    .trees(4)
                    .window(window)
                    .max_leaf_samples(eta)
                    .renewal(renewal);
                let mut forest = params.build(2).unwrap();
                for i in 0..3000 {
                    let score = forest.score_then_update(&row(i)).unwrap().get();
                    assert!(score > 0.0 && score < 1.0, "{name} {window}");
                    if name == "constant" || forest.seen() <= eta as u64 {
                        assert_eq!(score, 0.5, "{name} {window} row {i}");
                    }
                }
                let splits = forest.node_count() > 4;
                assert_eq!(splits, name != "constant", "{name} {window} {renewal:?}");
            }
        }
    }
}

#[test]
fn a_constant_stream_splits_as_soon_as_a_feature_varies() {
    let params = OnlineIsolationForestParams::default().trees(8);
    let mut forest = params.build(3).unwrap();
    for _ in 0..1000 {
        forest.update(&[1.0, 2.0, 3.0]).unwrap();
    }
    assert_eq!(forest.node_count(), 8);
    assert_eq!(forest.score_row(&[9.0, 9.0, 9.0]).unwrap().get(), 0.5);
    forest.update(&[1.0, 5.0, 3.0]).unwrap();
    assert!(
        forest.node_count() >= 24,
        "every tree splits on the one feature that varies"
    );
    let ordinary = forest.score_row(&[1.0, 2.0, 3.0]).unwrap();
    assert!(forest.score_row(&[1.0, 5.0, 3.0]).unwrap() > ordinary);
}

#[test]
fn wrong_rows_are_errors_that_change_nothing() {
    let mut forest = OnlineIsolationForestParams::default()
        .window(64)
        .build(2)
        .unwrap();
    for i in 0_u32..100 {
        forest
            .update(&[f64::from(i % 9), f64::from(i % 5)])
            .unwrap();
    }
    let before = forest.score_row(&[3.0, 3.0]).unwrap();
    let error = forest.update(&[1.0, f64::NAN]).unwrap_err();
    assert!(matches!(
        error,
        IsolationForestError::NotFinite {
            row: 100,
            column: 1,
            ..
        }
    ));
    let error = forest.score_then_update(&[f64::INFINITY, 1.0]).unwrap_err();
    assert!(matches!(
        error,
        IsolationForestError::NotFinite {
            row: 100,
            column: 0,
            ..
        }
    ));
    let error = forest.score_row(&[f64::NEG_INFINITY, 1.0]).unwrap_err();
    assert!(matches!(
        error,
        IsolationForestError::NotFinite {
            row: 0,
            column: 0,
            ..
        }
    ));
    for row in [&[][..], &[1.0], &[1.0, 2.0, 3.0]] {
        assert!(matches!(
            forest.update(row),
            Err(IsolationForestError::WrongWidth { expected: 2, .. })
        ));
        assert!(forest.score_row(row).is_err() && forest.explain_row(row, &mut [0.0; 2]).is_err());
    }
    let error = forest.explain_row(&[1.0, 2.0], &mut [0.0]).unwrap_err();
    assert!(matches!(
        error,
        IsolationForestError::WrongOutputLength {
            expected: 2,
            got: 1
        }
    ));
    assert_eq!((forest.seen(), forest.window_len()), (100, 64));
    assert_eq!(forest.score_row(&[3.0, 3.0]).unwrap(), before);
}

#[test]
fn parameters_that_never_split_are_refused() {
    let params = OnlineIsolationForestParams::default();
    for wrong in [
        params.clone().trees(0),
        params.clone().window(1),
        params.clone().window(32),
        params.clone().max_leaf_samples(0),
        params.clone().max_leaf_samples(2048),
        params.clone().subsample(32.0 / 2048.0),
        params.clone().branching(1),
        params.clone().branching(17),
    ] {
        let error = wrong.check().unwrap_err();
        assert!(
            matches!(error, IsolationForestError::CountOutOfRange { .. }),
            "{error}"
        );
    }
    for subsample in [0.0, -1.0, 1.1, f64::NAN, f64::INFINITY] {
        let error = params.clone().subsample(subsample).check().unwrap_err();
        assert!(
            matches!(error, IsolationForestError::FractionOutOfRange { .. }),
            "{error}"
        );
    }
    assert!(params.clone().subsample(33.0 / 2048.0).check().is_ok());
    assert!(matches!(
        params.build(0),
        Err(IsolationForestError::NoColumns)
    ));
    let too_wide = params.build(usize::MAX).unwrap_err();
    assert!(matches!(
        too_wide,
        IsolationForestError::TooManyColumns { .. }
    ));
}

#[test]
fn the_traits_give_what_the_methods_give() {
    let mut forest = OnlineIsolationForestParams::default()
        .window(128)
        .build(2)
        .unwrap();
    let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + 2 * j)) % 31) as f64);
    for row in rows.rows() {
        forest.update(row.to_slice().unwrap()).unwrap();
    }
    // In the other memory order rows are no slices.
    let turned = Array2::from_shape_fn((300, 2).f(), |at| rows[at]);
    let (mut scores, mut others) = ([0.0; 300], [0.0; 300]);
    ScoreRows::score_rows(&forest, rows.view(), &mut scores).unwrap();
    forest.score_rows(turned.view(), &mut others).unwrap();
    assert_eq!(scores, others);
    for (row, score) in rows.rows().into_iter().zip(scores) {
        let row = row.to_slice().unwrap();
        assert_eq!(ScoreRow::score_row(&forest, row).unwrap().get(), score);
    }
    let (mut parts, mut others) = ([0.0; 2], [0.0; 2]);
    let base = Explain::explain_row(&forest, &[1.0, 2.0], &mut parts).unwrap();
    assert_eq!(base, forest.explain_row(&[1.0, 2.0], &mut others).unwrap());
    assert_eq!(parts, others);
    assert!(forest.score_rows(rows.view(), &mut [0.0; 3]).is_err());
}

#[test]
fn forests_can_move_between_threads() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug>() {}
    check::<OnlineIsolationForest>();
    check::<OnlineIsolationForestParams>();
}
