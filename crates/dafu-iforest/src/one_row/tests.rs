//! Sums of single rows against slower walks.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::OneRow;
use crate::random_trees::{SHAPES, Shape, WIDE, random_rows, random_trees, walked};
use crate::{HeightLimit, IsolationForest, IsolationForestParams, MissingValues, SplitRule, walk};
use dafu_core::random::Stream;

#[test]
fn sums_by_ranks_equal_those_of_a_naive_walk() {
    for (at, shape) in SHAPES.into_iter().enumerate() {
        for special in [0, 30, 100] {
            let stream = &mut Stream::new(1, at as u64, special as u64);
            let trees = random_trees(Shape { special, ..shape }, stream);
            let rows = random_rows((200, shape.columns), special, stream);
            let one_row = OneRow::new(&trees, WIDE).unwrap();
            assert!(one_row.is_by_ranks(), "{shape:?}");
            let rows_ = rows.rows().into_iter();
            let sums = rows_.map(|row| one_row.sum(&trees, |column| row[column]));
            let expected = walked(&trees, rows.view(), |path| path);
            assert!(sums.collect::<Vec<_>>() == expected, "{shape:?}");
        }
    }
}

/// Compares with the walk that takes trees and rows of every kind.
fn assert_equals_any_walk(forest: &IsolationForest, stream: &mut Stream) {
    let one_row = OneRow::new(&forest.trees, forest.width()).unwrap();
    for row in random_rows((50, forest.width()), 10, stream).rows() {
        let row = row.to_vec();
        let expected = walk::sum_of_any_row(&forest.trees, &forest.way_rule(), &row);
        assert_eq!(one_row.sum(&forest.trees, |column| row[column]), expected);
    }
}

#[test]
fn sums_over_columns_equal_those_of_the_walk_for_all_trees() {
    let stream = &mut Stream::new(2, 0, 0);
    let rows = random_rows((700, 20), 0, stream);
    let rules = [2, 3, 4, 5, 6, 7, 9, 13, 16].map(|columns| SplitRule::extended(columns - 1));
    let rules = rules
        .into_iter()
        .chain([SplitRule::fair_cut(2), SplitRule::sciforest(3)]);
    for rule in rules {
        // Two rules, so that some trees compare single columns.
        let params = IsolationForestParams::default().trees(13);
        let params = params.rules([rule, SplitRule::standard()]);
        let params = params.height_limit(HeightLimit::Unlimited).sample_size(300);
        let forest = params.fit(rows.view()).unwrap();
        assert!(matches!(
            OneRow::new(&forest.trees, 20),
            Some(OneRow::Planes(_))
        ));
        assert_equals_any_walk(&forest, stream);
    }
}

#[test]
fn large_trees_and_many_columns_are_walked_as_they_are() {
    let stream = &mut Stream::new(3, 0, 0);
    let unlimited = IsolationForestParams::default().height_limit(HeightLimit::Unlimited);
    for (params, columns) in [
        (unlimited.clone().trees(3).sample_size(258), 3),
        (unlimited.clone().trees(25).sample_size(2000), 3),
        (unlimited.clone().trees(40), 400),
    ] {
        let forest = params
            .fit(random_rows((2000, columns), 0, stream).view())
            .unwrap();
        let one_row = OneRow::new(&forest.trees, columns).unwrap();
        assert!(matches!(one_row, OneRow::Nodes(_)));
        assert_equals_any_walk(&forest, stream);
    }
    let params = unlimited.trees(3).sample_size(257);
    let forest = params
        .fit(random_rows((2000, 3), 0, stream).view())
        .unwrap();
    let one_row = OneRow::new(&forest.trees, 3).unwrap();
    assert!(one_row.is_by_ranks());
    assert_equals_any_walk(&forest, stream);
}

#[test]
fn what_is_no_forest_of_numbers_is_not_prepared() {
    let stream = &mut Stream::new(4, 0, 0);
    let rows = random_rows((300, 30), 0, stream);
    let whole = rows.mapv(|value| value.abs().round());
    let params = IsolationForestParams::default().trees(3);
    let forest = params.clone().categorical([0]).fit(whole.view()).unwrap();
    assert!(OneRow::new(&forest.trees, 30).is_none());
    let penalized = SplitRule::standard().penalize_range(true);
    let forest = params.clone().rules([penalized]).fit(rows.view()).unwrap();
    assert!(OneRow::new(&forest.trees, 30).is_none());
    let forest = params
        .rules([SplitRule::extended(16)])
        .fit(rows.view())
        .unwrap();
    assert!(OneRow::new(&forest.trees, 30).is_none());
}

#[test]
fn rows_that_miss_values_and_rows_that_do_not_may_alternate() {
    let stream = &mut Stream::new(5, 0, 0);
    let rows = random_rows((300, 4), 0, stream);
    let params = IsolationForestParams::default().missing(MissingValues::Impute);
    let forest = params.fit(rows.view()).unwrap();
    for row in rows.rows().into_iter().take(20) {
        let mut row = row.to_vec();
        for missing in [false, true] {
            if missing {
                row[stream.index_below(4)] = f64::NAN;
            }
            let expected = walk::sum_of_any_row(&forest.trees, &forest.way_rule(), &row);
            let expected = forest.score_of_sum(expected);
            assert_eq!(forest.score_row(&row).unwrap(), expected);
        }
    }
}
