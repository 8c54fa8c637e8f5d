//! DIFFI against the loops of its authors' code.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::shares;
use super::tests::{forests, random_rows};
use crate::node::Tree;
#[cfg(feature = "serde")]
use crate::node::{Bounds, FlatTree, Node, Trees};
use crate::way::Way;
use crate::{IsolationForest, IsolationForestError, IsolationForestParams, Parallelism};

/// The leaf that a part of a row comes to, and the splits that it followed.
struct Arrival {
    leaf: usize,
    share: f64,
    depth: f64,
    /// Nodes passed, with whether the row followed the split.
    passed: Vec<(usize, bool)>,
}

fn arrivals(forest: &IsolationForest, tree: &Tree<'_>, row: &[f64]) -> Vec<Arrival> {
    let mut done = Vec::new();
    let mut waiting = vec![(0, 1.0, Vec::new())];
    while let Some((at, share, mut passed)) = waiting.pop() {
        let node = tree.nodes[at];
        if node.is_leaf(at) {
            done.push(Arrival {
                leaf: at,
                share,
                depth: passed.len() as f64,
                passed,
            });
            continue;
        }
        let left = node.left as usize;
        let way = tree.step(at, &forest.way_rule(), |column| row[column]).way;
        passed.push((at, way != Way::Both));
        match way {
            Way::Left => waiting.push((left, share, passed)),
            Way::Right => waiting.push((left + 1, share, passed)),
            Way::Both => {
                let of_left = f64::from(tree.counts[left]) / f64::from(tree.counts[at]);
                waiting.push((left, share * of_left, passed.clone()));
                waiting.push((left + 1, share * (1.0 - of_left), passed));
            }
        }
    }
    done
}

fn column_shares(tree: &Tree<'_>, at: usize, row: &[f64]) -> Vec<(usize, f64)> {
    match tree.terms_of(at, row.len()) {
        None => vec![(tree.nodes[at].test(), 1.0)],
        Some(terms) => {
            let columns = terms.iter().map(|term| term.column as usize);
            columns
                .zip(shares(terms, tree.codes, |column| row[column]))
                .collect()
        }
    }
}

#[test]
fn local_numbers_equal_those_of_a_naive_walk() {
    for (name, forest, rows) in forests() {
        let deepest = f64::from(forest.trees.max_depth());
        let mut batch = vec![f64::NAN; rows.len()];
        forest.diffi_rows(rows.view(), &mut batch).unwrap();
        for (row, batch) in rows.rows().into_iter().zip(batch.chunks(rows.ncols())) {
            let row = row.to_vec();
            let mut sums = vec![0.0; row.len()];
            let mut counts = vec![0.0; row.len()];
            for tree in forest.trees.iter() {
                for arrival in arrivals(&forest, &tree, &row) {
                    for &(at, _) in arrival.passed.iter().filter(|passed| passed.1) {
                        for (column, share) in column_shares(&tree, at, &row) {
                            let early = 1.0 / arrival.depth - 1.0 / deepest;
                            sums[column] += arrival.share * share * early;
                            counts[column] += arrival.share * share;
                        }
                    }
                }
            }
            let mut numbers = vec![f64::NAN; row.len()];
            forest.diffi_row(&row, &mut numbers).unwrap();
            assert_eq!(numbers, batch);
            for ((number, sum), count) in numbers.iter().zip(&sums).zip(&counts) {
                let expected = if *count > 0.0 { sum / count } else { 0.0 };
                assert!(
                    (number - expected).abs() < 1e-12,
                    "{name}: {number} {expected}"
                );
            }
        }
    }
}

/// For each node the rows that come there.
fn rows_at(forest: &IsolationForest, tree: &Tree<'_>, rows: &[Vec<f64>]) -> Vec<f64> {
    let mut counts = vec![0.0; tree.nodes.len()];
    for row in rows {
        for arrival in arrivals(forest, tree, row) {
            for &(at, _) in &arrival.passed {
                counts[at] += arrival.share;
            }
            counts[arrival.leaf] += arrival.share;
        }
    }
    counts
}

fn coefficient(left: f64, right: f64) -> Option<f64> {
    let clean = |rows: f64| (rows * 1e8).round() / 1e8;
    let (left, right) = (clean(left), clean(right));
    let all = clean(left + right);
    if all <= 1.0 {
        return None;
    }
    if left == 0.0 || right == 0.0 {
        return Some(0.0);
    }
    let least = if all % 2.0 == 0.0 {
        0.5
    } else {
        (all / 2.0).ceil() / all
    };
    let most = (all - 1.0) / all;
    let share = left.max(right) / all;
    Some(if most <= least {
        share
    } else {
        // Parts of rows can be outside.
        ((share - least) / (most - least)).clamp(0.0, 1.0) * 0.5 + 0.5
    })
}

fn has_holes(forest: &IsolationForest) -> bool {
    forest.missing != crate::MissingValues::Refuse
}

#[test]
fn global_numbers_equal_those_of_the_authors_loops() {
    for (name, forest, explained) in forests() {
        let rows = random_rows((90, explained.ncols()), 21, has_holes(&forest));
        let rows: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| row.to_vec()).collect();
        let flags: Vec<bool> = rows.iter().map(|row| row[0] + row[1] > 6.0).collect();
        let kinds = [false, true].map(|kind| -> Vec<Vec<f64>> {
            let rows = rows.iter().zip(&flags);
            rows.filter(|(_, flag)| **flag == kind)
                .map(|(row, _)| row.clone())
                .collect()
        });
        let mut means = [vec![], vec![]];
        for (rows, means) in kinds.iter().zip(&mut means) {
            let mut sums = vec![(0.0, 0.0); explained.ncols()];
            for tree in forest.trees.iter() {
                let counts = rows_at(&forest, &tree, rows);
                for row in rows {
                    for arrival in arrivals(&forest, &tree, row) {
                        for (at, _) in arrival.passed.iter().filter(|passed| passed.1) {
                            let at = *at;
                            let left = tree.nodes[at].left as usize;
                            let Some(weight) = coefficient(counts[left], counts[left + 1]) else {
                                continue;
                            };
                            for (column, share) in column_shares(&tree, at, row) {
                                sums[column].0 += arrival.share * share * weight / arrival.depth;
                                sums[column].1 += arrival.share * share;
                            }
                        }
                    }
                }
            }
            let mean = |&(sum, count): &(f64, f64)| if count > 0.0 { sum / count } else { 0.0 };
            *means = sums.iter().map(mean).collect();
        }
        let table = ndarray::Array2::from_shape_fn((90, explained.ncols()), |(row, column)| {
            rows[row][column]
        });
        for parallelism in [Parallelism::Serial, Parallelism::Pool] {
            let forest = forest.clone().with_parallelism(parallelism);
            let importance = forest.diffi_importance(table.view(), &flags).unwrap();
            for (column, importance) in importance.iter().enumerate() {
                let (others, anomalies) = (means[0][column], means[1][column]);
                let expected = if anomalies > 0.0 {
                    anomalies / others
                } else {
                    0.0
                };
                let equal = importance.total_cmp(&expected).is_eq();
                let off = (importance - expected).abs() / expected;
                assert!(equal || off < 1e-6, "{name}: {importance} {expected}");
            }
        }
    }
}

#[test]
fn rejects_flags_of_another_number_than_rows() {
    let rows = random_rows((40, 3), 2, false);
    let forest = IsolationForestParams::default().fit(rows.view()).unwrap();
    assert!(matches!(
        forest.diffi_importance(rows.view(), &[true; 39]),
        Err(IsolationForestError::WrongFlagCount {
            expected: 40,
            got: 39
        })
    ));
    // Only one kind: nothing to compare with.
    let none = forest.diffi_importance(rows.view(), &[false; 40]).unwrap();
    assert_eq!(none, [0.0; 3]);
    let all = forest.diffi_importance(rows.view(), &[true; 40]).unwrap();
    assert!(all.iter().all(|number| number.is_infinite()));
}

/// A node as `tests/fixtures/make_diffi.py` writes it.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Written {
    left: Option<u32>,
    feature: u32,
    threshold: f64,
    rows: u32,
}

#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Fixture {
    rows: Vec<[f64; 4]>,
    /// So many rows, the first ones.
    anomalies: usize,
    trees: Vec<Vec<Written>>,
    local: Vec<[f64; 4]>,
    global: [f64; 4],
}

#[cfg(feature = "serde")]
#[test]
fn numbers_equal_those_of_the_authors_code() {
    let fixture = include_str!("../../tests/fixtures/diffi.json");
    let fixture: Fixture = serde_json::from_str(fixture).unwrap();
    let rows = ndarray::Array2::from(fixture.rows);
    let params = IsolationForestParams::default().trees(8).sample_size(64);
    let mut forest = params.fit(rows.view()).unwrap();
    let bounds = Bounds {
        width: 4,
        sample_size: 64,
        height_limit: 6,
        categorical: &[],
    };
    forest.trees = Trees::with_capacity(8, 0);
    for tree in &fixture.trees {
        let mut flat = FlatTree::default();
        for (at, written) in (0..).zip(tree) {
            flat.counts.push(written.rows);
            flat.nodes.push(match written.left {
                None => Node::leaf(at),
                Some(left) => Node::split(written.feature, written.threshold, left),
            });
        }
        forest.trees.push(&flat, 0, &bounds).unwrap();
    }
    let mut numbers = [0.0; 4];
    for (row, expected) in rows.rows().into_iter().zip(&fixture.local) {
        forest.diffi_row(&row.to_vec(), &mut numbers).unwrap();
        for (number, expected) in numbers.iter().zip(expected) {
            assert!((number - expected).abs() < 1e-12, "{number} {expected}");
        }
    }
    let flags: Vec<bool> = (0..rows.nrows())
        .map(|row| row < fixture.anomalies)
        .collect();
    let importance = forest.diffi_importance(rows.view(), &flags).unwrap();
    for (number, expected) in importance.iter().zip(&fixture.global) {
        assert!((number - expected).abs() < 1e-12, "{number} {expected}");
    }
}
