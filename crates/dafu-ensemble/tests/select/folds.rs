//! Training and test rows.

use dafu_ensemble::EnsembleError;
use dafu_ensemble::select::{Fold, MICROS_PER_DAY, TimeFolds, TrainingSpan};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_folds() -> impl Strategy<Value = TimeFolds> {
    (
        1_i64..12,
        0_i64..6,
        1_i64..9,
        1_usize..4,
        1_i64..9,
        (any::<bool>(), proptest::option::of(20_i64..50)),
    )
        .prop_map(|(train, delay, test, folds, step, (all, end))| {
            let span = if all {
                TrainingSpan::AllEarlier
            } else {
                TrainingSpan::Sliding
            };
            let params = TimeFolds::default().train(train).delay(delay).test(test);
            params.folds(folds).step(step).span(span).end(end)
        })
}

/// Rows with a time that passes, in order of time and then of row.
fn rows_where(times: &[i64], kept: impl Fn(i64) -> bool) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..times.len()).filter(|row| kept(times[*row])).collect();
    rows.sort_by_key(|row| (times[*row], *row));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn folds_are_those_of_their_definition(
        params in any_folds(),
        times in proptest::collection::vec(0_i64..50, 1..80),
    ) {
        let end = params.end.unwrap_or(times.iter().max().unwrap() + 1);
        let mut expected: Vec<Fold> = (0_i64..).take(params.folds).map(|later| {
            let shift = params.step * later;
            let (test, after) = (end - shift - params.test, end - shift);
            let known = test - params.delay;
            let first = match params.span {
                TrainingSpan::Sliding => known - params.train,
                TrainingSpan::AllEarlier => i64::MIN,
            };
            Fold {
                train: rows_where(&times, |time| time >= first && time < known),
                test: rows_where(&times, |time| time >= test && time < after),
            }
        }).collect();
        expected.reverse();
        match params.split(&times) {
            Ok(folds) => prop_assert_eq!(folds, expected),
            Err(EnsembleError::EmptyFold { fold, what }) => {
                let rows = &expected[fold];
                let rows = if what == "learn from" { &rows.train } else { &rows.test };
                prop_assert!(rows.is_empty());
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn no_label_of_training_is_later_than_known_and_folds_shift_exactly(
        params in any_folds(),
        times in proptest::collection::vec(0_i64..50, 40..120),
    ) {
        let spans = params.times(&times).unwrap();
        for pair in spans.windows(2) {
            prop_assert_eq!(pair[1].test.start - pair[0].test.start, params.step);
            prop_assert_eq!(pair[1].test.end - pair[0].test.end, params.step);
            prop_assert_eq!(pair[1].train.end - pair[0].train.end, params.step);
        }
        let Ok(folds) = params.split(&times) else {
            return Ok(());
        };
        for (fold, spans) in folds.iter().zip(spans) {
            let latest = fold.train.iter().map(|row| times[*row]).max().unwrap();
            for row in &fold.test {
                prop_assert!(times[*row] >= spans.train.end + params.delay);
                prop_assert!(times[*row] > latest + params.delay);
                prop_assert!(!fold.train.contains(row));
            }
        }
    }

    #[test]
    fn customers_leave_the_test_as_in_the_handbook(
        params in any_folds(),
        rows in proptest::collection::vec((0_i64..50, 0_u32..8, any::<bool>()), 40..120),
    ) {
        let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let groups: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let frauds: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let Ok(folds) = params.split_without_known(&times, &groups, &frauds) else {
            return Ok(());
        };
        for (fold, spans) in folds.iter().zip(params.times(&times).unwrap()) {
            // The Handbook's loop: day by day the customers of one more day are known.
            let frauds_on = |from: i64, to: i64| -> BTreeSet<u32> {
                let on = rows.iter().filter(|row| row.2 && row.0 >= from && row.0 < to);
                on.map(|row| row.1).collect()
            };
            let mut known = frauds_on(spans.train.start, spans.train.end);
            let mut expected = Vec::new();
            for day in spans.test.clone() {
                let more = spans.train.end + (day - spans.test.start) - 1;
                known.extend(frauds_on(more, more + 1));
                expected.extend((0..rows.len()).filter(|row| {
                    times[*row] == day && !known.contains(&groups[*row])
                }));
            }
            prop_assert_eq!(&fold.test, &expected);
        }
    }

    #[test]
    fn microseconds_give_the_folds_of_days(
        params in any_folds(),
        times in proptest::collection::vec((0_i64..50, 0..MICROS_PER_DAY), 40..80),
    ) {
        let days: Vec<i64> = times.iter().map(|time| time.0).collect();
        let micros: Vec<i64> = times.iter().map(|time| time.0 * MICROS_PER_DAY + time.1).collect();
        let end = params.end.unwrap_or(days.iter().max().unwrap() + 1);
        let of_days = params.end(Some(end)).split(&days);
        let of_micros = params.in_units_of(MICROS_PER_DAY).end(Some(end * MICROS_PER_DAY));
        let sorted = |folds: Result<Vec<Fold>, EnsembleError>| folds.ok().map(|mut folds| {
            for fold in &mut folds {
                fold.train.sort_unstable();
                fold.test.sort_unstable();
            }
            folds
        });
        prop_assert_eq!(sorted(of_days), sorted(of_micros.split(&micros)));
    }
}

#[test]
fn folds_of_all_earlier_rows_are_those_of_scikit_learn() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/combine.json")).unwrap();
    let rows_of = |value: &serde_json::Value| -> Vec<usize> {
        serde_json::from_value(value.clone()).unwrap()
    };
    for split in fixture["splits"].as_array().unwrap() {
        let number = |name: &str| split[name].as_i64().unwrap();
        let expected = split["folds"].as_array().unwrap();
        let times: Vec<i64> = (0..number("rows")).collect();
        let params = TimeFolds::default()
            .folds(expected.len())
            .test(number("test"))
            .step(number("test"))
            .delay(number("gap"))
            .span(TrainingSpan::AllEarlier);
        let folds = params.split(&times).unwrap();
        for (fold, expected) in folds.iter().zip(expected) {
            assert_eq!(fold.train, rows_of(&expected["train"]));
            assert_eq!(fold.test, rows_of(&expected["test"]));
        }
    }
}

#[test]
fn times_at_the_limits_do_not_overflow() {
    let times = [i64::MIN, 0, i64::MAX];
    let folds = TimeFolds::default().folds(1).train(1).delay(0).test(1);
    assert!(matches!(
        folds.end(Some(i64::MIN)).split(&times),
        Err(EnsembleError::EmptyFold { fold: 0, .. })
    ));
    let all = folds.span(TrainingSpan::AllEarlier).end(Some(1));
    let fold = &all.split(&times).unwrap()[0];
    assert_eq!((&fold.train[..], &fold.test[..]), (&[0][..], &[1][..]));
    assert!(
        folds
            .split_without_known(&times, &[1, 1, 1], &[true; 3])
            .is_err()
    );
}

#[test]
fn lengths_out_of_range_are_refused() {
    let folds = TimeFolds::default();
    for bad in [
        folds.train(0),
        folds.delay(-1),
        folds.test(0),
        folds.step(0),
        folds.folds(0),
        folds.folds(1_001),
        folds.train(i64::MAX),
    ] {
        assert!(bad.split(&[1, 2, 3]).is_err(), "{bad:?}");
    }
    assert_eq!(folds.split(&[]), Err(EnsembleError::NoRows));
    let short = folds.split_without_known(&[1, 2], &[1], &[true, false]);
    assert!(matches!(
        short,
        Err(EnsembleError::Length { what: "groups", .. })
    ));
}
