//! Nearest ordinary values against searches.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tests::forests;
use super::{OrdinaryRange, OrdinaryValue};
use crate::IsolationForest;
use dafu_core::Score;
use dafu_core::random::Stream;

/// Whether a row is ordinary with another value in a column.
fn is_ordinary(
    forest: &IsolationForest,
    row: &[f64],
    (column, value): (usize, f64),
    threshold: Score,
) -> bool {
    let mut row = row.to_vec();
    row[column] = value;
    forest.score_row(&row).unwrap() <= threshold
}

/// All thresholds of a column with the numbers beside them, and many others.
fn candidates(forest: &IsolationForest, column: usize, seed: u64) -> Vec<f64> {
    let mut stream = Stream::new(seed, 5, 0);
    let mut values = vec![f64::MIN, f64::MAX, 0.0];
    for tree in forest.trees.iter() {
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.is_leaf(at) || node.test() != column {
                continue;
            }
            values.extend([node.threshold, node.threshold.next_up()]);
            if let Some([low, high]) = tree.ranges.get(at) {
                values.extend([*low, low.next_down(), *high, high.next_up()]);
            }
        }
    }
    values.extend((0..300).map(|_| stream.unit() * 30.0 - 15.0));
    values.extend((0..50).map(|_| (stream.unit() - 0.5) * 1000.0));
    values
}

#[test]
fn no_nearer_value_is_ordinary_and_the_range_is_all_there_is() {
    let (mut found, mut absent) = (0, 0);
    for (name, forest, rows) in forests() {
        let mut scores: Vec<Score> = rows
            .rows()
            .into_iter()
            .map(|row| forest.score_row(&row.to_vec()).unwrap())
            .collect();
        scores.sort_by(|a, b| a.get().total_cmp(&b.get()));
        for threshold in [
            scores[1],
            scores[6],
            Score::new(scores[8].get() * 0.999).unwrap(),
        ] {
            for row in rows.rows() {
                let row = row.to_vec();
                let nearest = forest.ordinary_values(&row, threshold).unwrap();
                if forest.score_row(&row).unwrap() <= threshold {
                    assert!(nearest.is_empty(), "{name}");
                    continue;
                }
                let far: Vec<f64> = nearest
                    .iter()
                    .map(|value| value.spreads.unwrap_or(f64::INFINITY))
                    .collect();
                assert!(far.windows(2).all(|pair| pair[0] <= pair[1]), "{name}");
                for column in 0..row.len() {
                    let own: Vec<_> = nearest.iter().filter(|one| one.column == column).collect();
                    assert!(own.len() <= 1, "{name}");
                    let own = own.first().copied();
                    found += usize::from(own.is_some());
                    absent += usize::from(own.is_none());
                    check(name, &forest, (&row, column, threshold), own);
                }
            }
        }
    }
    assert!(found > 300 && absent > 300, "{found} {absent}");
}

fn check(
    name: &str,
    forest: &IsolationForest,
    (row, column, threshold): (&[f64], usize, Score),
    own: Option<&OrdinaryValue>,
) {
    let from = row[column];
    let ordinary = |value| is_ordinary(forest, row, (column, value), threshold);
    if from.is_nan() {
        assert!(own.is_none(), "{name}");
        return;
    }
    if forest.categorical.get(column) == Some(&true) {
        // Categories of these data are below 16.
        let known = (0..16_u8).map(f64::from).filter(|&code| ordinary(code));
        match own {
            None => assert_eq!(known.filter(|&code| code < 6.0).count(), 0, "{name}"),
            Some(own) => {
                assert_eq!(own.range, OrdinaryRange::Category);
                assert!(ordinary(own.to), "{name}");
            }
        }
        return;
    }
    let mut values = candidates(forest, column, 1);
    if let Some(own) = own {
        assert!(ordinary(own.to), "{name}: {own:?}");
        let mut changed = row.to_vec();
        changed[column] = own.to;
        assert_eq!(forest.score_row(&changed).unwrap(), own.score);
        let (OrdinaryRange::Smaller { above, at_most } | OrdinaryRange::Larger { above, at_most }) =
            own.range
        else {
            unreachable!("a category of a numeric column: {name}");
        };
        assert!(above < own.to && own.to <= at_most, "{name}");
        if above.is_finite() {
            assert!(!ordinary(above), "{name}: {own:?}");
        }
        if at_most.is_finite() {
            assert!(!ordinary(at_most.next_up()), "{name}: {own:?}");
        }
        for part in 1..40 {
            values.push(from + (own.to - from) * f64::from(part) / 40.0);
        }
        let toward = if own.to < from {
            own.to.next_up()
        } else {
            own.to.next_down()
        };
        assert!(!ordinary(toward), "{name}: {own:?}");
        for &value in values
            .iter()
            .filter(|&&value| value > above && value <= at_most)
        {
            assert!(ordinary(value), "{name}: {value} {own:?}");
        }
    }
    let limit = own.map_or(f64::INFINITY, |own| (own.to - from).abs());
    for value in values {
        if (value - from).abs() < limit {
            assert!(!ordinary(value), "{name}: {value} is nearer than {own:?}");
        }
    }
}

#[test]
fn values_say_what_would_be_needed() {
    let value = |range| OrdinaryValue {
        column: 3,
        from: 90.0,
        to: 12.5,
        range,
        score: Score::ZERO,
        spreads: None,
    };
    let smaller = |above| {
        value(OrdinaryRange::Smaller {
            above,
            at_most: 12.5,
        })
    };
    let larger = |at_most| {
        value(OrdinaryRange::Larger {
            above: 100.0,
            at_most,
        })
    };
    for (value, text) in [
        (smaller(f64::NEG_INFINITY), "at most 12.5"),
        (smaller(-1.0), "at most 12.5 and above -1"),
        (larger(f64::INFINITY), "above 100"),
        (larger(200.0), "above 100 and at most 200"),
        (value(OrdinaryRange::Category), "category 12.5"),
    ] {
        let expected = format!("would need to be {text}, is 90");
        assert_eq!(value.to_string(), format!("column 3 {expected}"));
        assert_eq!(
            value.named("amount").to_string(),
            format!("amount {expected}")
        );
    }
}
