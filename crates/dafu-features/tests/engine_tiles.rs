//! Windows of tiles against the events themselves: within the stated error, and exact where no event is in the oldest
//! tile.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, EntityId, Money, Timestamp, Transaction, TransactionId};
use dafu_features::{
    Feature, FeatureEngine, FeatureError, FeatureSet, Field, LatePolicy, Measure, RecordKind, Span,
    Window,
};
use dafu_testkit::strategy::START;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseResult};
use std::collections::BTreeSet;

const SECOND: i64 = 1_000_000;

fn measures() -> Vec<Measure> {
    vec![
        Measure::Count,
        Measure::Rate,
        Measure::Sum,
        Measure::Mean,
        Measure::Min,
        Measure::Max,
        Measure::Distinct {
            of: Field::Merchant,
        },
        Measure::Variance,
        Measure::StdDev,
        Measure::Quantile { permille: 500 },
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Event {
    time: i64,
    cents: i64,
    merchant: u16,
}

impl Event {
    fn transaction(&self, number: usize) -> Transaction {
        Transaction::new(
            TransactionId::new(format!("t-{number}")).unwrap(),
            EntityId::new("u").unwrap(),
            Money::from_minor(self.cents, Currency::new("EUR").unwrap()),
            EntityId::new(format!("m-{}", self.merchant)).unwrap(),
            Timestamp::from_micros(self.time).unwrap(),
        )
    }
}

/// How long a window is, and in how many tiles.
#[derive(Debug, Clone, Copy)]
struct Cut {
    within: i64,
    tiles: u16,
}

impl Cut {
    fn windows(self) -> FeatureSet {
        let within = Span::from_micros(self.within).unwrap();
        let windows = measures().into_iter().map(|measure| {
            Window::new(Field::User, measure)
                .within(within)
                .tiles(self.tiles)
        });
        FeatureSet::new(RecordKind::Transaction)
            .features(windows)
            .lateness(Span::ZERO, LatePolicy::Insert)
    }

    fn length(self) -> i64 {
        self.within / i64::from(self.tiles)
    }

    fn tile(self, time: i64) -> i64 {
        time.div_euclid(self.length())
    }

    /// The events of the oldest tile that the window reaches, whether it reaches them or not; those of the later
    /// tiles; and which part of the oldest tile is covered.
    fn read(self, events: &[Event], now: i64) -> (Vec<Event>, Vec<Event>, f64) {
        // The window is open at its beginning: its first microsecond is the one after.
        let start = now - self.within + 1;
        let first = self.tile(start);
        let in_tile = |event: &&Event| self.tile(event.time) == first;
        let oldest = events.iter().filter(in_tile).copied().collect();
        let later = |event: &&Event| self.tile(event.time) > first && event.time <= now;
        let later = events.iter().filter(later).copied().collect();
        let left = self.length() - start.rem_euclid(self.length());
        (oldest, later, left as f64 / self.length() as f64)
    }
}

/// A time that a window of a cut makes something of: none, and whole tiles and windows, to a microsecond.
fn gaps(cut: Cut) -> BoxedStrategy<i64> {
    let (within, length) = (cut.within, cut.length());
    prop_oneof![
        3 => Just(0),
        4 => 0..=length,
        2 => Just(length),
        1 => (1..4_i64, -1..=1_i64).prop_map(move |(n, by)| (n * length + by).max(0)),
        1 => (-1..=1_i64).prop_map(move |by| within + by),
        1 => 0..=2 * within,
    ]
    .boxed()
}

fn cases() -> BoxedStrategy<(Cut, Vec<Event>)> {
    let within = select(vec![3600 * SECOND, 30 * 86_400 * SECOND, 1_000_003, 1024]);
    (within, select(vec![2, 3, 7, 24, 1024]))
        .prop_flat_map(|(within, tiles)| {
            let cut = Cut { within, tiles };
            let event = (gaps(cut), -500..100_000_i64, 0..12_u16);
            let events = vec(event, 1..80).prop_map(|events| {
                let mut now = START;
                let place = |(gap, cents, merchant)| {
                    now += gap;
                    Event {
                        time: now,
                        cents,
                        merchant,
                    }
                };
                events.into_iter().map(place).collect()
            });
            (Just(cut), events)
        })
        .boxed()
}

fn euros(events: &[Event]) -> Vec<f64> {
    events
        .iter()
        .map(|event| event.cents as f64 / 100.0)
        .collect()
}

fn variance(numbers: &[f64]) -> f64 {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares = numbers.iter().map(|x| (x - mean) * (x - mean));
    squares.sum::<f64>() / n
}

fn near(got: f64, expected: f64, scale: f64) -> bool {
    (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= 1e-9 * scale.max(1.0)
}

/// One row against the definitions; `events` are all that were seen, the one at hand among them.
fn check(cut: Cut, events: &[Event], now: i64, row: &[f64]) -> TestCaseResult {
    let [
        count,
        rate,
        sum,
        mean,
        least,
        most,
        distinct,
        variance_,
        deviation,
        median,
    ] = row
    else {
        return Err(TestCaseError::fail("ten features"));
    };
    let (oldest, later, part) = cut.read(events, now);
    let inside: Vec<Event> = events
        .iter()
        .filter(|event| now - cut.within < event.time && event.time <= now)
        .copied()
        .collect();

    // The same part of its counts and sums is taken.
    let expected = later.len() as f64 + part * oldest.len() as f64;
    prop_assert!(
        near(*count, expected, expected),
        "count {count}, {expected}"
    );
    prop_assert!(near(*rate, count / (cut.within as f64 / 3.6e9), *rate));
    let (all, old) = (euros(&later), euros(&oldest));
    let total: f64 = all.iter().chain(&old).map(|x| x.abs()).sum();
    let expected = all.iter().sum::<f64>() + part * old.iter().sum::<f64>();
    prop_assert!(near(*sum, expected, total), "sum {sum}, {expected}");
    prop_assert!(near(*mean, sum / count, total), "mean {mean}");

    // A count is wrong by less than the number of events in the oldest tile, and exact without any there.
    let wrong = (count - inside.len() as f64).abs();
    let fewer = oldest.is_empty() || wrong < oldest.len() as f64;
    prop_assert!(fewer, "count is wrong by {wrong}");
    let exact: f64 = euros(&inside).iter().sum();
    let bound: f64 = old.iter().map(|x| x.abs()).sum();
    prop_assert!((sum - exact).abs() <= bound + 1e-9 * total.max(1.0));
    if oldest.is_empty() {
        prop_assert!(near(*count, inside.len() as f64, 0.0));
    }

    // What is smallest, largest and different is taken where the oldest tile is covered by half or more.
    let mut taken = later;
    if part >= 0.5 {
        taken.extend(&oldest);
    }
    let numbers = euros(&taken);
    let merchants: BTreeSet<u16> = taken.iter().map(|event| event.merchant).collect();
    let extreme = |best: fn(f64, f64) -> f64| numbers.iter().copied().fold(f64::NAN, best);
    prop_assert!(near(*least, extreme(f64::min), 0.0), "least {least}");
    prop_assert!(near(*most, extreme(f64::max), 0.0), "most {most}");
    prop_assert!(
        near(*distinct, merchants.len() as f64, 0.0),
        "distinct {distinct}"
    );
    let expected = variance(&numbers);
    let squares = numbers.iter().map(|x| x * x).sum::<f64>();
    prop_assert!(
        near(*variance_, expected, squares),
        "variance {variance_}, {expected}"
    );
    prop_assert!(near(*deviation, variance_.sqrt(), *deviation));
    let mut sorted = numbers;
    sorted.sort_by(f64::total_cmp);
    match sorted.get(sorted.len().saturating_sub(1) / 2) {
        None => prop_assert!(median.is_nan()),
        Some(value) => {
            prop_assert!(
                (median - value).abs() <= 0.01 * value.abs() + 1e-9,
                "median"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn tiles_are_within_the_stated_error_of_the_events((cut, events) in cases()) {
        let mut engine = FeatureEngine::new(&cut.windows()).unwrap();
        for (number, event) in events.iter().enumerate() {
            let tx = event.transaction(number);
            let mut peeked = vec![0.0; 10];
            engine.peek(&tx, &mut peeked).unwrap();
            let row = engine.observe(&tx).unwrap().row.values().to_vec();
            check(cut, &events[..=number], event.time, &row)?;
            for (row, peeked) in row.iter().zip(&peeked) {
                prop_assert_eq!(row.to_bits(), peeked.to_bits());
            }
        }
    }

    #[test]
    fn late_events_lie_in_the_tiles_of_their_own_time((cut, events) in cases(), late in vec(0..4_u8, 80)) {
        let bound = Span::from_micros(2 * cut.length()).unwrap();
        let set = cut.windows().lateness(bound, LatePolicy::Insert);
        let mut engine = FeatureEngine::new(&set).unwrap();
        let (mut newest, mut taken) = (i64::MIN, Vec::new());
        for (number, event) in events.iter().enumerate() {
            let mut event = *event;
            if late[number] == 0 {
                event.time -= cut.length() * 3 / 2;
            }
            let row = engine.observe(&event.transaction(number)).unwrap().row.values().to_vec();
            taken.push(event);
            if event.time >= newest {
                newest = event.time;
                check(cut, &taken, event.time, &row)?;
            }
        }
    }

    #[test]
    fn a_reversed_event_leaves_counts_and_sums((cut, events) in cases(), at in any::<prop::sample::Index>()) {
        let mut engine = FeatureEngine::new(&cut.windows()).unwrap();
        let mut without = engine.fresh();
        let (last, before) = events.split_last().unwrap();
        let gone = at.index(before.len().max(1));
        for (number, event) in before.iter().enumerate() {
            engine.observe(&event.transaction(number)).unwrap();
            if number != gone {
                without.observe(&event.transaction(number)).unwrap();
            }
        }
        if let Some(event) = before.get(gone) {
            engine.reverse(&event.transaction(gone)).unwrap();
        }
        let tx = last.transaction(before.len());
        let got = engine.observe(&tx).unwrap().row.values().to_vec();
        let expected = without.observe(&tx).unwrap().row.values().to_vec();
        for (got, expected) in got.iter().zip(&expected).take(4) {
            prop_assert!(near(*got, *expected, expected.abs()), "{got}, {expected}");
        }
    }
}

fn at(time: i64, number: usize) -> Transaction {
    let event = Event {
        time,
        cents: 100,
        merchant: 0,
    };
    event.transaction(number)
}

/// A count of the last ten seconds in five tiles.
fn ten_seconds() -> Window {
    let window = Window::new(Field::User, Measure::Count);
    window.within(Span::seconds(10)).tiles(5)
}

fn set(features: impl IntoIterator<Item = Feature>) -> FeatureSet {
    FeatureSet::new(RecordKind::Transaction)
        .features(features)
        .lateness(Span::seconds(10), LatePolicy::Insert)
}

fn count(engine: &mut FeatureEngine, tx: &Transaction) -> f64 {
    engine.observe(tx).unwrap().row.values()[0]
}

#[test]
fn an_event_exactly_as_old_as_a_window_of_tiles_counts_less_than_one() {
    let mut engine = FeatureEngine::new(&set([ten_seconds().into()])).unwrap();
    count(&mut engine, &at(START, 0));
    let got = count(&mut engine, &at(START + 10 * SECOND, 1));
    assert!((1.0..2.0).contains(&got), "{got}");
}

#[test]
fn a_late_event_reads_no_later_tile() {
    let mut engine = FeatureEngine::new(&set([ten_seconds().into()])).unwrap();
    for (number, second) in (0..).zip([2, 3, 4]) {
        count(&mut engine, &at(START + second * SECOND, number));
    }
    let late = count(&mut engine, &at(START + 2 * SECOND - 1, 3));
    assert!((late - 1.0).abs() < 1e-9, "{late}");
}

#[test]
fn reversing_twice_takes_no_other_event_out_of_a_tile() {
    let mut engine = FeatureEngine::new(&set([ten_seconds().into()])).unwrap();
    count(&mut engine, &at(START, 0));
    count(&mut engine, &at(START, 1));
    engine.reverse(&at(START, 0)).unwrap();
    engine.reverse(&at(START, 0)).unwrap();
    let left = count(&mut engine, &at(START, 2));
    assert!((left - 2.0).abs() < 1e-9, "{left}");
}

#[test]
fn an_event_that_is_left_out_or_filtered_out_is_in_no_tile_of_its_own_row() {
    let filter = dafu_features::Filter::AmountAtLeast(5.0);
    let mut engine = FeatureEngine::new(&set([
        Feature::from(ten_seconds().include_self(false)).named("others"),
        Feature::from(ten_seconds().filter(filter)).named("large"),
    ]))
    .unwrap();
    for (number, cents, expected) in [(0, 900, [0.0, 1.0]), (1, 100, [1.0, 1.0])] {
        let event = Event {
            time: START,
            cents,
            merchant: 0,
        };
        let tx = event.transaction(number);
        let row = engine.observe(&tx).unwrap().row.values().to_vec();
        for (got, expected) in row.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{row:?}");
        }
    }
}

#[test]
fn many_values_are_counted_to_the_error_of_the_sketch() {
    let of = Field::Merchant;
    let window = Window::new(Field::User, Measure::Distinct { of });
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(window.within(Span::seconds(1000)).tiles(4));
    let mut engine = FeatureEngine::new(&set).unwrap();
    let mut distinct = 0.0;
    for number in 0..2000_u16 {
        let event = Event {
            time: START + i64::from(number) * SECOND / 4,
            cents: 100,
            merchant: number % 1500,
        };
        let tx = event.transaction(usize::from(number));
        distinct = engine.observe(&tx).unwrap().row.values()[0];
    }
    // The sketch has a standard error of a few per cent.
    assert!((distinct / 1500.0 - 1.0).abs() < 0.15, "{distinct}");
}

#[test]
fn memory_of_tiles_does_not_grow_with_the_number_of_events() {
    let cut = Cut {
        within: 3600 * SECOND,
        tiles: 12,
    };
    let mut engine = FeatureEngine::new(&cut.windows().duplicates_within(Span::ZERO)).unwrap();
    let mut bytes = Vec::new();
    for number in 0..30_000_usize {
        let seconds = i64::try_from(number).unwrap();
        engine
            .observe(&at(START + seconds * SECOND, number))
            .unwrap();
        if number % 10_000 == 9_999 {
            bytes.push(engine.memory_bytes());
        }
    }
    assert!(bytes[2] <= bytes[0] + bytes[0] / 4, "{bytes:?}");
}

#[test]
fn tiles_far_shorter_than_events_may_be_late_are_refused() {
    let hour = |tiles| {
        let window = Window::new(Field::User, Measure::Count).within(Span::hours(1));
        let set = FeatureSet::new(RecordKind::Transaction).feature(window.tiles(tiles));
        FeatureEngine::new(&set.lateness(Span::hours(2), LatePolicy::Insert))
    };
    hour(512).unwrap();
    let error = hour(513).unwrap_err();
    assert!(matches!(error, FeatureError::Feature { .. }), "{error}");
}

#[test]
fn only_measures_that_add_up_come_in_tiles() {
    let refused = |window: Window| {
        let set = FeatureSet::new(RecordKind::Transaction).feature(window);
        matches!(
            FeatureEngine::new(&set).unwrap_err(),
            FeatureError::Feature { .. }
        )
    };
    let week = |measure| Window::new(Field::User, measure).within(Span::days(7));
    assert!(refused(week(Measure::Rank).tiles(7)));
    assert!(refused(week(Measure::FraudCount).tiles(7)));
    assert!(refused(week(Measure::Count).tiles(1)));
    assert!(refused(week(Measure::Count).tiles(1025)));
    assert!(refused(week(Measure::Count).tiles(7).delay(Span::days(1))));
    let micros = Span::from_micros(6).unwrap();
    assert!(refused(
        Window::new(Field::User, Measure::Count)
            .within(micros)
            .tiles(7)
    ));
}
