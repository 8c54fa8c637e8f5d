//! Which events mined rules are learned from, and which confirm them.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_core::{Label, Timestamp};
use dafu_rules::optimize::{Holdout, Judged, MineParams};
use dafu_rules::{RowBits, RuleError};
use std::time::Duration;
use support::past::{DAY, Past, conditions, exact, noise, proposed, schema};

#[test]
fn rules_that_later_events_do_not_confirm_are_dropped() {
    let past = Past::new(20_000, 7).labelled("amount > 1500 and distance > 4000km");
    let mut changed = past.clone();
    // The trick went out of fashion.
    let cut = Timestamp::from_seconds(70 * DAY).unwrap();
    for (row, label) in changed.labels.iter_mut().enumerate() {
        if past.times[row] >= cut {
            *label = (noise(9, row, 0) < 0.05).into();
        }
    }
    let mined = changed.mine(&exact()).unwrap();
    assert!(mined.rules.is_empty() && mined.rule_set().rules.is_empty());
    let [dropped] = &mined.dropped[..] else {
        panic!("{mined}");
    };
    assert_eq!(
        dropped.rule.condition,
        "amount > 1500 and distance > 4000km"
    );
    assert_eq!(dropped.learned.precision(), Some(1.0));
    assert!(dropped.held_out.precision() < Some(0.2));
}

#[test]
fn rules_that_hardly_fire_later_are_dropped() {
    let mut past = Past::new(20_000, 7).labelled("amount > 1500 and distance > 4000km");
    let cut = Timestamp::from_seconds(70 * DAY).unwrap();
    // Four of the later frauds stay what they are, and nothing else meets the rule.
    let mut left = 4;
    for (row, label) in past.labels.iter_mut().enumerate() {
        if past.times[row] >= cut && *label == Label::Fraud {
            if left == 0 {
                past.numbers[[row, 0]] = 10.0;
                *label = Label::Legitimate;
            } else {
                left -= 1;
            }
        }
    }
    let mined = past.mine(&exact()).unwrap();
    assert!(mined.rules.is_empty(), "{mined}");
    let dropped = &mined.dropped[0];
    assert_eq!(dropped.held_out.true_positives, 4);
    assert_eq!(dropped.held_out.precision(), Some(1.0));
    let mined = past.mine(&exact().min_held_out_support(4)).unwrap();
    assert_eq!(conditions(&mined), ["amount > 1500 and distance > 4000km"]);
}

#[test]
fn labels_that_are_not_known_yet_change_nothing() {
    let past = Past::new(8000, 4).labelled("amount > 1500 and distance > 4000km or count > 18");
    let params = MineParams::default().label_delay(Duration::from_secs(10 * 86_400));
    let before = past.mine(&params).unwrap();
    let seconds = |row: usize| past.times[row].as_micros() / 1_000_000;
    // Learning ends on day 60: 30 % of nearly a hundred days are held out, and ten are waited for.
    let last = seconds(past.times.len() - 1);
    let cut = last * 7 / 10;
    let mut gap = past.clone();
    let mut after = past.clone();
    for row in 0..past.labels.len() {
        let turned = match past.labels[row] {
            Label::Fraud => Label::Legitimate,
            _ => Label::Fraud,
        };
        if seconds(row) > cut - 10 * DAY && seconds(row) < cut {
            gap.labels[row] = turned;
        }
        if seconds(row) > cut - 10 * DAY {
            after.labels[row] = turned;
        }
    }
    assert!(before.rules.len() > 1);
    assert_eq!(before, gap.mine(&params).unwrap());
    let after = after.mine(&params).unwrap();
    assert_eq!(proposed(&before), proposed(&after));
    assert!(after.rules.is_empty());
}

#[test]
fn rows_may_be_chosen_instead_of_times() {
    let past = Past::new(8000, 4).labelled("amount > 1700");
    let rows = past.labels.len();
    let judged = Judged::new(&past.labels);
    let even = RowBits::from_fn(rows, |row| row % 2 == 0);
    let odd = RowBits::from_fn(rows, |row| row % 2 == 1);
    let mine = |learning: &RowBits, held_out: &RowBits| {
        exact()
            .holdout(Holdout::Rows {
                learning: learning.clone(),
                held_out: held_out.clone(),
            })
            .mine(&schema(), &past.columns(), &judged)
    };
    assert_eq!(conditions(&mine(&even, &odd).unwrap()), ["amount > 1700"]);
    assert_eq!(
        mine(&even, &even).unwrap_err(),
        RuleError::HeldOutRows {
            rows: rows / 2,
            first: 0
        }
    );
    assert!(matches!(
        mine(&even, &RowBits::from_fn(3, |_| true)),
        Err(RuleError::Row {
            what: "held-out rows",
            ..
        })
    ));
}

#[test]
fn a_moment_may_begin_the_held_out_period() {
    let past = Past::new(8000, 4).labelled("amount > 1700");
    let from = Timestamp::from_seconds(50 * DAY).unwrap();
    let mined = past.mine(&exact().holdout(Holdout::From(from))).unwrap();
    let after = (0..past.labels.len())
        .filter(|row| past.times[*row] >= from && past.labels[*row] == Label::Fraud);
    assert_eq!((mined.frauds, mined.recall()), (after.count(), 1.0));
}
