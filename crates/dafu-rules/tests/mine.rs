//! Rules that are found again where they were planted, and nothing else.
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

use dafu_core::{Label, Unit};
use dafu_rules::optimize::{Direction, Holdout, Judged, MineParams};
use dafu_rules::{Columns, Condition, RuleError, RuleSchema, TextColumn, Truth, Variable};
use ndarray::Array2;
use proptest::prelude::*;
use std::time::Duration;
use support::past::{DAY, Past, conditions, exact, noise, proposed, schema};

#[test]
fn planted_rules_are_found_word_for_word() {
    for planted in [
        "amount > 1700",
        "amount > 1500 and distance > 4000km",
        "distance <= 500km and count > 15",
        "amount > 1500 and `declined share` > 40% and foreign",
        "count <= 4 and not foreign and country == 'XX'",
        "`declined share` > 30% and `declined share` <= 35%",
    ] {
        let past = Past::new(20_000, 7).labelled(planted);
        let mined = past.mine(&exact()).unwrap();
        assert_eq!(conditions(&mined), [planted], "{mined}");
        let found = &mined.rules[0];
        assert_eq!((found.recall, found.held_out.precision()), (1.0, Some(1.0)));
        assert_eq!((mined.recall(), mined.learned.false_positives), (1.0, 0));
        assert!(mined.dropped.is_empty() && mined.tried > 100);
    }
}

#[test]
fn a_number_is_compared_with_another_of_its_unit() {
    let schema = || {
        RuleSchema::new([
            Variable::number("amount", Unit::Money),
            Variable::number("mean amount", Unit::Money).nullable(),
            Variable::number("distance", Unit::Kilometre),
            Variable::number("last distance", Unit::Kilometre),
        ])
        .unwrap()
    };
    let planted = "amount > 3 * `mean amount` and distance > 2500km";
    let holds = Condition::parse(planted)
        .unwrap()
        .compile(&schema())
        .unwrap();
    let past = Past::new(20_000, 17);
    let numbers = Array2::from_shape_fn((20_000, 4), |(row, column)| {
        let value = noise(3, row, column);
        match column {
            0 => value * 2000.0,
            1 if value < 0.02 => f64::NAN,
            // Nobody pays anything: whatever is paid is infinitely more.
            1 if value < 0.04 => 0.0,
            1 => value * 1000.0,
            _ => value * 5000.0,
        }
    });
    let labels: Vec<Label> = numbers
        .rows()
        .into_iter()
        .map(|row| {
            let numbers = row.to_vec();
            let row = dafu_rules::Row {
                numbers: &numbers,
                texts: &[],
            };
            Label::from(holds.truth(row).unwrap() == Truth::True)
        })
        .collect();
    let columns = numbers
        .columns()
        .into_iter()
        .try_fold(Columns::new(20_000), Columns::number)
        .unwrap();
    let judged = Judged::new(&labels).times(&past.times).unwrap();
    let mine = |params: MineParams| params.mine(&schema(), &columns, &judged).unwrap();
    let found = mine(exact());
    assert_eq!(
        conditions(&found),
        ["distance > 2500km and amount > 3 * `mean amount`"],
        "{found}"
    );

    // Not where it is not wanted, and not where it would ask for the side that is not suspicious.
    for params in [
        exact().max_ratios(0),
        exact().leave_out("mean amount"),
        exact().direction("amount", Direction::AtMost),
        exact().direction("mean amount", Direction::Above),
    ] {
        let found = mine(params);
        assert!(
            conditions(&found).iter().all(|rule| !rule.contains('*')),
            "{found}"
        );
    }
    let wrong = exact().max_ratios(1001).check().unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "`max_ratios` must be at most 1000, got 1001"
    );
}

#[test]
fn several_planted_rules_are_found() {
    let planted = ["amount > 1800", "count > 17 and distance > 3000km"];
    let past = Past::new(20_000, 3).labelled(&planted.map(|rule| format!("({rule})")).join(" or "));
    let mined = past.mine(&exact()).unwrap();
    let mut found = conditions(&mined);
    found.sort_unstable();
    assert_eq!(
        found,
        ["amount > 1800", "distance > 3000km and count > 17"],
        "{mined}"
    );
    assert_eq!(mined.recall(), 1.0);
}

#[test]
fn planted_rules_are_found_among_frauds_and_labels_that_are_wrong() {
    let mut past = Past::new(40_000, 11).labelled("amount > 1500 and distance > 4000km");
    for row in 0..past.labels.len() {
        if noise(5, row, 9) < 0.01 {
            past.labels[row] = Label::Fraud;
        } else if noise(5, row, 10) < 0.2 {
            past.labels[row] = Label::Unknown;
        }
    }
    let mined = past.mine(&MineParams::default()).unwrap();
    assert_eq!(
        conditions(&mined),
        ["amount > 1500 and distance > 4000km"],
        "{mined}"
    );
    let found = &mined.rules[0];
    assert!(found.held_out.unlabelled() > 0);
    assert!(found.precision_interval.0 > 0.9 && found.recall < 1.0);
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    let mut past = Past::new(20_000, 1);
    for row in 0..past.labels.len() {
        past.labels[row] = (noise(2, row, 0) < 0.05).into();
    }
    let mined = past.mine(&MineParams::default()).unwrap();
    assert!(mined.rules.is_empty(), "{mined}");
    assert_eq!((mined.held_out.fired, mined.recall()), (0, 0.0));
}

#[test]
fn texts_that_no_condition_holds_are_left_out() {
    let past = Past::new(4000, 5).labelled("country == 'AT'");
    let long = "x".repeat(20_000);
    let escaped = "\u{fc}".repeat(200);
    for other in [&*long, &*escaped] {
        let countries: Vec<Option<&str>> = past
            .countries
            .iter()
            .map(|country| country.map(|country| if country == "AT" { other } else { country }))
            .collect();
        let columns = Columns::new(past.labels.len());
        let columns = (0..5).try_fold(columns, |columns, column| {
            columns.number(past.numbers.column(column))
        });
        let columns = columns
            .unwrap()
            .text(TextColumn::Texts(&countries))
            .unwrap();
        let judged = Judged::new(&past.labels).times(&past.times).unwrap();
        let mined = exact().mine(&schema(), &columns, &judged).unwrap();
        assert!(
            !conditions(&mined)
                .iter()
                .any(|condition| condition.contains("country =="))
        );
    }
}

#[test]
fn what_cannot_be_learned_from_is_an_error() {
    let past = Past::new(2000, 4).labelled("amount > 1700");
    let params = MineParams::default();
    let untimed = params.mine(&schema(), &past.columns(), &Judged::new(&past.labels));
    let error = untimed.unwrap_err();
    assert_eq!(
        error.to_string(),
        "events have no times, without which there is no later period to hold out: give them, or choose something else"
    );
    for label in [Label::Unknown, Label::Fraud, Label::Legitimate] {
        let mut other = past.clone();
        other.labels.fill(label);
        let error = other.mine(&params).unwrap_err();
        assert!(
            matches!(
                error,
                RuleError::Classes {
                    period: "learning period",
                    ..
                }
            ),
            "{error}"
        );
    }
    // Labels that nobody has yet.
    let long = params.clone().label_delay(Duration::from_secs(u64::MAX));
    assert!(matches!(
        past.mine(&long),
        Err(RuleError::Classes {
            frauds: 0,
            honest: 0,
            ..
        })
    ));
    let none = Past::new(0, 0);
    assert!(matches!(none.mine(&params), Err(RuleError::Classes { .. })));
    let few = Columns::new(past.labels.len());
    let judged = Judged::new(&past.labels).times(&past.times).unwrap();
    assert!(matches!(
        params.mine(&schema(), &few, &judged),
        Err(RuleError::Row {
            what: "columns of numbers",
            expected: 5,
            got: 0
        })
    ));
    for (wrong, message) in [
        (
            params.clone().max_terms(9),
            "`max_terms` must be at least 1 and at most 8, got 9",
        ),
        (
            params.clone().min_support(0),
            "`min_support` must be at least 1, got 0",
        ),
        (
            params.clone().min_held_out_support(0),
            "`min_held_out_support` must be at least 1, got 0",
        ),
        (
            params.clone().min_precision(f64::NAN),
            "`min_precision` must be at least 0 and below 1, got NaN",
        ),
        (
            params.clone().rounding(1.5),
            "`rounding` must be at least 0 and at most 1, got 1.5",
        ),
        (
            params.clone().holdout(Holdout::LastShare(0.0)),
            "`holdout` must be above 0 and below 1, got 0",
        ),
        (
            params.clone().leave_out("amuont"),
            "`directions and left_out` must be names of variables, got \"amuont\"",
        ),
    ] {
        assert_eq!(past.mine(&wrong).unwrap_err().to_string(), message);
    }
}

#[test]
fn missing_values_meet_no_comparison() {
    let mut past = Past::new(20_000, 7).labelled("amount > 1500 and distance > 4000km");
    past.numbers.column_mut(2).fill(f64::NAN);
    for row in 0..past.labels.len() {
        if noise(8, row, 0) < 0.2 {
            // What nobody knows cannot have been the reason.
            past.numbers[[row, 1]] = f64::NAN;
            past.labels[row] = Label::Legitimate;
        }
    }
    let mined = past.mine(&exact()).unwrap();
    assert_eq!(
        conditions(&mined),
        ["amount > 1500 and distance > 4000km"],
        "{mined}"
    );

    // Unless that is how they are known.
    let mut past = Past::new(20_000, 7);
    for row in 0..past.labels.len() {
        if past.numbers[[row, 1]] > 4800.0 {
            past.numbers[[row, 1]] = f64::NAN;
            past.labels[row] = Label::Fraud;
        }
    }
    let mined = past.mine(&exact()).unwrap();
    assert_eq!(conditions(&mined), ["is_missing(distance)"], "{mined}");
}

#[test]
fn infinite_values_are_no_thresholds() {
    let mut past = Past::new(4000, 2).labelled("amount > 1700");
    for row in (0..4000).filter(|row| row % 3 == 0) {
        past.numbers[[row, 1]] = if row % 2 == 0 {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        };
    }
    assert_eq!(conditions(&past.mine(&exact()).unwrap()), ["amount > 1700"]);
}

#[test]
fn hints_are_kept() {
    let past = Past::new(20_000, 7).labelled("amount > 1500 and distance <= 1000km");
    let mined = past.mine(&exact()).unwrap();
    assert_eq!(conditions(&mined), ["amount > 1500 and distance <= 1000km"]);
    let hint = exact()
        .direction("distance", Direction::Above)
        .min_precision(0.1);
    let mined = past.mine(&hint).unwrap();
    let all = proposed(&mined);
    assert!(
        !all.is_empty()
            && all
                .iter()
                .all(|(_, condition, _)| !condition.contains("<="))
    );
    let mined = past
        .mine(&exact().leave_out("distance").min_precision(0.1))
        .unwrap();
    let all = proposed(&mined);
    assert!(
        !all.is_empty()
            && all
                .iter()
                .all(|(_, condition, _)| !condition.contains("distance"))
    );
}

#[test]
fn rules_overlap_no_more_than_they_may() {
    let planted = "amount > 1200 and count > 12 or distance > 3000km and count > 12";
    let past = Past::new(20_000, 3).labelled(planted);
    for most in [0.0, 0.1, 0.5] {
        let mined = past.mine(&MineParams::default().max_overlap(most)).unwrap();
        let engine = mined.rule_set().compile(&schema()).unwrap();
        let until = 99 * 7 / 10 - 8;
        let rows: Vec<usize> = (0..past.labels.len())
            .filter(|row| past.times[*row].as_micros() / 1_000_000 < until * DAY)
            .collect();
        let numbers = Array2::from_shape_fn((rows.len(), 5), |(row, column)| {
            past.numbers[[rows[row], column]]
        });
        let texts: Vec<_> = rows.iter().map(|row| past.countries[*row]).collect();
        let columns = (0..5).try_fold(Columns::new(rows.len()), |columns, column| {
            columns.number(numbers.column(column))
        });
        let columns = columns.unwrap().text(TextColumn::Texts(&texts)).unwrap();
        // A day fewer than were learned from, so a little more is allowed.
        for pair in engine.overlap(&columns).unwrap().pairs {
            assert!(
                pair.jaccard <= most + 0.01,
                "{most} {}\n{mined}",
                pair.jaccard
            );
        }
    }
}

#[cfg(feature = "linfa")]
#[test]
fn trees_find_planted_rules_too() {
    use dafu_rules::optimize::MineSource;

    for planted in [
        "amount > 1700",
        "amount > 1500 and distance > 4000km",
        "distance <= 500km and count > 15",
        "amount > 1500 and `declined share` > 40% and foreign",
        "amount > 1200 and country == 'XX'",
    ] {
        let past = Past::new(20_000, 7).labelled(planted);
        for source in [MineSource::Trees, MineSource::BeamAndTrees] {
            let mined = past.mine(&exact().source(source)).unwrap();
            assert_eq!(conditions(&mined), [planted], "{mined}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_found_keeps_its_promises(seed in 0..1000_u64, floor in 0.1..0.95_f64, terms in 1..4_usize) {
        let mut past = Past::new(3000, seed).labelled("amount > 1300 and distance > 2000km and foreign");
        for row in 0..past.labels.len() {
            match noise(seed, row, 20) {
                value if value < 0.05 => past.labels[row] = Label::Unknown,
                value if value < 0.1 => past.labels[row] = Label::Fraud,
                _ => {}
            }
        }
        let params = MineParams::default().min_precision(floor).max_terms(terms).min_support(5);
        let mined = past.mine(&params).unwrap();
        prop_assert_eq!(&mined, &past.mine(&params).unwrap());
        prop_assert!(mined.rules.len() + mined.dropped.len() <= params.max_rules);
        for rule in mined.rules.iter().chain(&mined.dropped) {
            let condition = Condition::parse(&rule.rule.condition).unwrap();
            prop_assert_eq!(condition.to_string(), rule.rule.condition.clone());
            prop_assert!(condition.names().len() <= terms);
            prop_assert!(rule.learned.true_positives >= 5);
            prop_assert!(rule.learned.precision() >= Some(floor));
        }
        for rule in &mined.rules {
            prop_assert!(rule.held_out.precision() >= Some(floor));
            prop_assert_eq!(Some(rule.rule.risk_score), rule.held_out.precision());
        }
        let engine = mined.rule_set().compile(&schema()).unwrap();
        let judged = Judged::new(&past.labels).times(&past.times).unwrap();
        let backtest = engine.backtest(&past.columns(), &judged).unwrap();
        prop_assert!(backtest.all.fired >= mined.learned.fired + mined.held_out.fired);
    }
}

#[test]
fn rules_name_identifiers_only_where_that_is_wanted() {
    // All frauds were on one device, and in one country.
    let rows = 4000;
    let fraud = |row: usize| row % 10 == 3;
    let text = |row: usize, of_fraud, other| Some(if fraud(row) { of_fraud } else { other });
    let devices: Vec<Option<&str>> = (0..rows).map(|row| text(row, "d-1", "d-2")).collect();
    let countries: Vec<Option<&str>> = (0..rows).map(|row| text(row, "XX", "DE")).collect();
    let labels: Vec<Label> = (0..rows).map(|row| fraud(row).into()).collect();
    let times: Vec<_> = (0..rows as i64)
        .map(|row| dafu_core::Timestamp::from_seconds(row * 864).unwrap())
        .collect();
    let judged = Judged::new(&labels).times(&times).unwrap();
    let columns = |texts| Columns::new(rows).text(TextColumn::Texts(texts)).unwrap();
    for (name, texts) in [("device", &devices), ("country", &countries)] {
        let schema = RuleSchema::new([Variable::text(name)]).unwrap();
        for identifiers in [false, true] {
            let params = MineParams::default().identifiers(identifiers);
            let mined = params.mine(&schema, &columns(texts), &judged).unwrap();
            let asked = identifiers || name == "country";
            assert_eq!(mined.rules.len(), usize::from(asked), "{name}: {mined}");
        }
    }
}

#[test]
fn the_table_has_ids_and_columns_that_stand_below_each_other() {
    let past = Past::new(20_000, 7).labelled("amount > 1500 and distance > 4000km");
    let mut mined = past.mine(&exact()).unwrap();
    let mut long = mined.rules[0].clone();
    long.rule.id = "mined_1000".into();
    long.rule.condition = format!("country in ['{}']", "x".repeat(200));
    mined.rules.push(long);
    let table = mined.to_string();
    let lines: Vec<&str> = table.lines().collect();
    let [head, first, second, together] = &lines[..] else {
        panic!("{table}");
    };
    let place = head.find("condition").unwrap();
    assert!(first.starts_with("mined_1 ") && second.starts_with("mined_1000 "));
    assert_eq!(first.find("amount > 1500"), Some(place), "{table}");
    assert_eq!(second.find("country in"), Some(place), "{table}");
    assert_eq!(together.len() + 2, place, "{table}");
}

#[test]
fn shares_that_are_none_are_no_rules_and_no_errors() {
    let rows = 4000;
    let fraud = |row: usize| row % 10 == 3;
    let labels: Vec<Label> = (0..rows).map(|row| fraud(row).into()).collect();
    let times: Vec<_> = (0..rows as i64)
        .map(|row| dafu_core::Timestamp::from_seconds(row * 864).unwrap())
        .collect();
    let judged = Judged::new(&labels).times(&times).unwrap();
    for (of_fraud, other, found) in [(3.0, 2.0, 0), (-3.0, -2.0, 0), (1.0, 0.5, 1)] {
        let share = |(row, _)| if fraud(row) { of_fraud } else { other };
        let numbers = Array2::from_shape_fn((rows, 1), share);
        let schema = RuleSchema::new([Variable::number("share", Unit::Share)]).unwrap();
        let columns = Columns::new(rows).number(numbers.column(0)).unwrap();
        let mined = MineParams::default()
            .mine(&schema, &columns, &judged)
            .unwrap();
        assert_eq!(mined.rules.len(), found, "{mined}");
    }
}
