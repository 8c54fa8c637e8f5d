//! Events that come again, are labelled or are taken back, and events read without being taken.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, EntityId, Label, Money, Table, Timestamp, Transaction, TransactionId};
use dafu_features::{
    FeatureEngine, FeatureSet, Field, Filter, Labels, LatePolicy, Measure, RecordKind, Span,
    StateLimits, Window,
};

const START: i64 = 1_704_067_200_000_000;
const SECOND: i64 = 1_000_000;

/// A payment of one euro by one user, this many microseconds after the start.
fn tx(number: u32, after: i64) -> Transaction {
    Transaction::new(
        TransactionId::new(format!("t-{number}")).unwrap(),
        EntityId::new("u").unwrap(),
        Money::from_minor(100, Currency::new("EUR").unwrap()),
        EntityId::new("m").unwrap(),
        Timestamp::from_micros(START + after).unwrap(),
    )
}

fn hour(measure: Measure) -> Window {
    Window::new(Field::User, measure).within(Span::hours(1))
}

fn ever(measure: Measure) -> Window {
    Window::new(Field::User, measure)
}

fn set(windows: impl IntoIterator<Item = Window>) -> FeatureSet {
    FeatureSet::new(RecordKind::Transaction).features(windows)
}

fn observe(engine: &mut FeatureEngine, tx: &Transaction) -> Vec<f64> {
    engine.observe(tx).unwrap().row.values().to_vec()
}

fn peek(engine: &FeatureEngine, tx: &Transaction) -> Vec<f64> {
    let mut row = vec![0.0; engine.schema().width()];
    engine.peek(tx, &mut row).unwrap();
    row
}

fn label(engine: &mut FeatureEngine, tx: &Transaction, label: Label, after: i64) {
    let at = Timestamp::from_micros(START + after).unwrap();
    engine.label(tx, label, at).unwrap();
}

fn assert_rows(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        let same = (got.is_nan() && expected.is_nan()) || (got - expected).abs() < 1e-9;
        assert!(same, "feature {place} is {got}, expected {expected}");
    }
}

#[test]
fn a_duplicate_among_events_of_one_time_reads_as_the_first_time() {
    let windows = [
        hour(Measure::Count),
        ever(Measure::SinceFirst),
        ever(Measure::SinceLast),
    ];
    let mut engine = FeatureEngine::new(&set(windows)).unwrap();
    let events = [tx(0, 0), tx(1, 0), tx(2, 0)];
    let first: Vec<_> = events.iter().map(|tx| observe(&mut engine, tx)).collect();
    for (tx, first) in events.iter().zip(&first) {
        assert_rows(&observe(&mut engine, tx), first);
    }
}

#[test]
fn a_duplicate_does_not_see_its_own_label() {
    let windows = [ever(Measure::SinceFraud), hour(Measure::FraudCount)];
    let mut engine = FeatureEngine::new(&set(windows)).unwrap();
    let first = observe(&mut engine, &tx(0, 0));
    label(&mut engine, &tx(0, 0), Label::Fraud, 0);
    assert_rows(&observe(&mut engine, &tx(0, 0)), &first);
}

#[test]
fn a_label_that_is_known_at_once_is_not_in_the_row_of_its_own_event() {
    let set = set([hour(Measure::FraudCount)]).labels(Labels::AfterDelay(Span::ZERO));
    let mut engine = FeatureEngine::new(&set).unwrap();
    let fraud = |number, after| tx(number, after).with_label(true);
    assert_rows(&peek(&engine, &fraud(0, 0)), &[0.0]);
    assert_rows(&observe(&mut engine, &fraud(0, 0)), &[0.0]);
    assert_rows(&observe(&mut engine, &fraud(1, 0)), &[1.0]);
}

#[test]
fn peeking_sees_the_labels_of_tied_events_that_observing_sees() {
    for k in 1..=3 {
        let set = set([ever(Measure::LastLabel { k })]).lateness(Span::ZERO, LatePolicy::Insert);
        let mut engine = FeatureEngine::new(&set).unwrap();
        for number in 0..3 {
            observe(&mut engine, &tx(number, 0));
            label(&mut engine, &tx(number, 0), Label::Fraud, 0);
        }
        let peeked = peek(&engine, &tx(3, 0));
        assert_rows(&observe(&mut engine, &tx(3, 0)), &[1.0]);
        assert_rows(&peeked, &[1.0]);
    }
}

#[test]
fn decayed_counts_of_late_events_and_after_them_are_exact() {
    for half_life in [
        Span::from_micros(1).unwrap(),
        Span::seconds(10),
        Span::minutes(1),
    ] {
        let measure = Measure::DecayedCount { half_life };
        let mut engine = FeatureEngine::new(&set([ever(measure)])).unwrap();
        observe(&mut engine, &tx(0, 0));
        observe(&mut engine, &tx(1, 3600 * SECOND));
        observe(&mut engine, &tx(2, 3600 * SECOND));
        assert_rows(&observe(&mut engine, &tx(3, 0)), &[1.0]);
        assert_rows(&observe(&mut engine, &tx(4, 3600 * SECOND)), &[2.0]);
    }
}

#[test]
fn no_cap_stops_decayed_counts() {
    let half_life = Span::days(30);
    for cap in 1..4 {
        let limits = StateLimits {
            events_per_entity: cap,
            ..StateLimits::default()
        };
        let set = set([ever(Measure::DecayedCount { half_life })]).limits(limits);
        let mut engine = FeatureEngine::new(&set).unwrap();
        for number in 0..5 {
            assert_rows(&observe(&mut engine, &tx(number, 0)), &[f64::from(number)]);
        }
    }
}

#[test]
fn a_reversed_event_is_taken_from_decayed_counts_while_it_is_held() {
    let measure = Measure::DecayedCount {
        half_life: Span::days(30),
    };
    // Those that are younger than events may be late, and of the older ones the last.
    for (bound, held) in [(Span::ZERO, 1), (Span::hours(1), 50)] {
        for back in 0..held {
            let set = set([ever(measure.clone())]).lateness(bound, LatePolicy::Insert);
            let mut engine = FeatureEngine::new(&set).unwrap();
            for number in 0..50 {
                observe(&mut engine, &tx(number, i64::from(number)));
            }
            let number = 49 - back;
            engine.reverse(&tx(number, i64::from(number))).unwrap();
            assert_rows(&observe(&mut engine, &tx(50, 50)), &[49.0]);
        }
    }
}

#[test]
fn reversing_twice_takes_nothing_else_back() {
    let mut engine = FeatureEngine::new(&set([hour(Measure::Count)])).unwrap();
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &tx(1, 0));
    assert!(engine.reverse(&tx(0, 0)).unwrap());
    assert!(!engine.reverse(&tx(0, 0)).unwrap());
    assert_rows(&observe(&mut engine, &tx(2, 0)), &[2.0]);
}

#[test]
fn reversing_an_event_that_the_cap_dropped_takes_nothing_else_back() {
    let limits = StateLimits {
        events_per_entity: 2,
        ..StateLimits::default()
    };
    let set = set([hour(Measure::Count).include_self(false)]).limits(limits);
    let mut engine = FeatureEngine::new(&set).unwrap();
    for number in 0..3 {
        observe(&mut engine, &tx(number, 0));
    }
    engine.reverse(&tx(0, 0)).unwrap();
    assert_rows(&observe(&mut engine, &tx(3, 0)), &[2.0]);
}

#[test]
fn reversing_an_event_that_never_came_takes_nothing_back() {
    let mut engine = FeatureEngine::new(&set([hour(Measure::Count)])).unwrap();
    observe(&mut engine, &tx(0, 0));
    assert!(!engine.reverse(&tx(9, 0)).unwrap());
    assert_rows(&observe(&mut engine, &tx(1, 0)), &[2.0]);
}

#[test]
fn after_a_reversal_the_event_before_is_the_last() {
    for k in 1..5_u8 {
        let windows = [
            ever(Measure::SinceLast),
            ever(Measure::Last { k }),
            ever(Measure::LastLabel { k }),
        ];
        let set = set(windows).lateness(Span::ZERO, LatePolicy::Insert);
        let mut engine = FeatureEngine::new(&set).unwrap();
        for number in 0..50 {
            observe(&mut engine, &tx(number, i64::from(number) * SECOND));
        }
        engine.reverse(&tx(49, 49 * SECOND)).unwrap();
        let row = observe(&mut engine, &tx(50, 50 * SECOND));
        assert_rows(&row, &[2.0 / 3600.0, 1.0, 0.0]);
    }
}

#[test]
fn after_several_reversals_the_last_event_is_found_or_missing_but_no_other() {
    let set = set([ever(Measure::SinceLast)]).lateness(Span::ZERO, LatePolicy::Insert);
    for gone in 2..9 {
        let mut engine = FeatureEngine::new(&set).unwrap();
        for number in 0..10 {
            observe(&mut engine, &tx(number, i64::from(number) * SECOND));
        }
        for number in 10 - gone..10 {
            let after = i64::from(number) * SECOND;
            engine.reverse(&tx(number, after)).unwrap();
        }
        let hours = observe(&mut engine, &tx(10, 10 * SECOND))[0];
        let expected = f64::from(gone + 1) / 3600.0;
        assert!(hours.is_nan() || (hours - expected).abs() < 1e-9, "{hours}");
    }
}

#[test]
fn without_ids_an_event_with_the_same_values_is_taken_back() {
    let set = set([hour(Measure::Count), hour(Measure::Sum)]).duplicates_within(Span::ZERO);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let mut large = tx(1, 0);
    large.amount = Money::from_minor(500, Currency::new("EUR").unwrap());
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &large);
    // No event of five euros goes for one of one euro, and none of another time.
    assert!(!engine.reverse(&tx(0, 1)).unwrap());
    assert!(engine.reverse(&tx(9, 0)).unwrap());
    assert_rows(&observe(&mut engine, &tx(2, SECOND)), &[2.0, 6.0]);
}

#[test]
fn a_fraud_that_is_none_leaves_the_one_before_it() {
    let set = set([ever(Measure::SinceFraud)]).lateness(Span::ZERO, LatePolicy::Insert);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let day = 86_400 * SECOND;
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &tx(1, day));
    label(&mut engine, &tx(0, 0), Label::Fraud, day);
    label(&mut engine, &tx(1, day), Label::Fraud, day);
    assert_rows(&observe(&mut engine, &tx(2, 2 * day)), &[1.0]);
    label(&mut engine, &tx(1, day), Label::Legitimate, 2 * day);
    assert_rows(&observe(&mut engine, &tx(3, 3 * day)), &[3.0]);
}

#[test]
fn a_reversed_fraud_leaves_the_one_before_it() {
    let set = set([ever(Measure::SinceFraud)]).lateness(Span::ZERO, LatePolicy::Insert);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let day = 86_400 * SECOND;
    for number in 0..2 {
        let after = i64::from(number) * day;
        observe(&mut engine, &tx(number, after));
        label(&mut engine, &tx(number, after), Label::Fraud, after);
    }
    assert_rows(&observe(&mut engine, &tx(2, 2 * day)), &[1.0]);
    engine.reverse(&tx(1, day)).unwrap();
    assert_rows(&observe(&mut engine, &tx(3, 3 * day)), &[3.0]);
}

#[test]
fn a_label_of_a_reversed_event_counts_nowhere() {
    let mut engine = FeatureEngine::new(&set([hour(Measure::FraudCount)])).unwrap();
    observe(&mut engine, &tx(0, 0));
    engine.reverse(&tx(0, 0)).unwrap();
    label(&mut engine, &tx(0, 0), Label::Fraud, 0);
    assert_rows(&observe(&mut engine, &tx(1, SECOND)), &[0.0]);
}

#[test]
fn frauds_of_a_rate_are_among_its_events() {
    let limits = StateLimits {
        events_per_entity: 2,
        ..StateLimits::default()
    };
    let rate = Measure::FraudRate {
        prior_frauds: 0.0,
        prior_events: 0.0,
    };
    let set = set([hour(rate), hour(Measure::FraudCount)]).limits(limits);
    let mut engine = FeatureEngine::new(&set).unwrap();
    observe(&mut engine, &tx(0, 0));
    label(&mut engine, &tx(0, 0), Label::Fraud, 0);
    observe(&mut engine, &tx(1, SECOND));
    assert_rows(&observe(&mut engine, &tx(2, 2 * SECOND)), &[0.0, 0.0]);
}

#[test]
fn of_two_labels_the_one_known_last_holds_in_whatever_order_they_come() {
    let mut engine = FeatureEngine::new(&set([hour(Measure::FraudCount)])).unwrap();
    observe(&mut engine, &tx(0, 0));
    label(&mut engine, &tx(0, 0), Label::Legitimate, 10 * SECOND);
    label(&mut engine, &tx(0, 0), Label::Fraud, 5 * SECOND);
    assert_rows(&observe(&mut engine, &tx(1, 4 * SECOND)), &[0.0]);
    assert_rows(&observe(&mut engine, &tx(2, 5 * SECOND)), &[1.0]);
    assert_rows(&observe(&mut engine, &tx(3, 10 * SECOND)), &[0.0]);
}

#[test]
fn browsers_and_systems_are_told_by_the_user_agent_in_records_and_tables() {
    let filter = Filter::Is {
        field: Field::System,
        value: "ios".to_owned(),
    };
    let day = |measure| Window::new(Field::User, measure).within(Span::days(1));
    let set = set([
        day(Measure::Distinct { of: Field::Browser }),
        day(Measure::Count).filter(filter),
        Window::new(Field::User, Measure::IsNew { of: Field::System }),
    ]);
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1";
    let agents = [Some(phone), Some("curl/8.5.0"), Some("curl/7.0.0"), None];
    let paid: Vec<Transaction> = (0..)
        .zip(agents)
        .map(|(number, agent)| {
            let mut tx = tx(number, i64::from(number) * SECOND);
            tx.user_agent = agent.map(Into::into);
            tx
        })
        .collect();
    let expected = [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 0.0, 2.0, 1.0];
    let mut engine = FeatureEngine::new(&set).unwrap();
    let records = engine.fresh().observe_all(&paid).unwrap();
    let table = engine
        .observe_table(&Table::from_transactions(&paid))
        .unwrap();
    for rows in [records, table] {
        let values: Vec<f64> = rows.values().iter().copied().collect();
        // Without an agent nothing is known of a system.
        assert!(values[11].is_nan());
        assert_eq!(values[..11], expected);
    }
}

#[test]
fn the_domain_of_an_address_is_filtered_and_forgotten_by_its_name() {
    let filter = Filter::Is {
        field: Field::EmailDomain,
        value: "x.example".to_owned(),
    };
    let domain = Window::new(Field::EmailDomain, Measure::Count).within(Span::hours(1));
    let set = set([hour(Measure::Count).filter(filter), domain]);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let from = |number, engine: &mut FeatureEngine| {
        let mut tx = tx(number, 0);
        tx.email = Some(EntityId::new("a@x.example").unwrap());
        observe(engine, &tx)
    };
    assert_rows(&from(0, &mut engine), &[1.0, 1.0]);
    assert!(engine.forget_value(&Field::EmailDomain, "x.example"));
    assert_rows(&from(1, &mut engine), &[2.0, 1.0]);
}

fn capped(windows: impl IntoIterator<Item = Window>, events_per_entity: u32) -> FeatureSet {
    set(windows).limits(StateLimits {
        events_per_entity,
        ..StateLimits::default()
    })
}

#[test]
fn no_cap_of_events_limits_the_frauds_that_are_known() {
    let mut engine = FeatureEngine::new(&capped([ever(Measure::SinceFraud)], 1)).unwrap();
    for number in 0..2 {
        let after = i64::from(number) * SECOND;
        observe(&mut engine, &tx(number, after));
        label(&mut engine, &tx(number, after), Label::Fraud, after);
    }
    let day = 86_400 * SECOND;
    assert_rows(&observe(&mut engine, &tx(2, day + SECOND)), &[1.0]);
    label(&mut engine, &tx(1, SECOND), Label::Legitimate, day);
    assert_rows(&observe(&mut engine, &tx(3, 2 * day)), &[2.0]);
}

#[test]
fn a_label_that_comes_after_the_cap_dropped_its_event_counts_in_no_window() {
    let windows = [
        hour(Measure::FraudCount).include_self(false),
        ever(Measure::SinceFraud),
    ];
    let mut engine = FeatureEngine::new(&capped(windows, 1)).unwrap();
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &tx(1, 0));
    label(&mut engine, &tx(0, 0), Label::Fraud, 0);
    assert_rows(
        &observe(&mut engine, &tx(2, SECOND)),
        &[0.0, 1.0 / 86_400.0],
    );
}

#[test]
fn an_event_that_a_late_one_makes_the_cap_drop_is_a_fraud_of_no_window() {
    let windows = [hour(Measure::FraudCount).include_self(false)];
    let mut engine = FeatureEngine::new(&capped(windows, 2)).unwrap();
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &tx(1, 2 * SECOND));
    label(&mut engine, &tx(0, 0), Label::Fraud, 0);
    observe(&mut engine, &tx(2, SECOND));
    assert_rows(&observe(&mut engine, &tx(3, 2 * SECOND)), &[0.0]);
}

#[test]
fn a_late_event_that_the_cap_drops_at_once_is_a_fraud_of_no_window() {
    let windows = [hour(Measure::FraudCount).include_self(false)];
    let set = capped(windows, 1).labels(Labels::AfterDelay(Span::ZERO));
    let mut engine = FeatureEngine::new(&set).unwrap();
    observe(&mut engine, &tx(0, SECOND));
    observe(&mut engine, &tx(1, 0).with_label(true));
    assert_rows(&observe(&mut engine, &tx(2, SECOND)), &[0.0]);
}

#[test]
fn a_label_on_a_record_holds_over_one_that_was_known_before() {
    let set = set([hour(Measure::FraudCount)]).labels(Labels::AfterDelay(Span::seconds(10)));
    let mut engine = FeatureEngine::new(&set).unwrap();
    let honest = tx(0, 0).with_label(false);
    observe(&mut engine, &honest);
    label(&mut engine, &honest, Label::Fraud, 5 * SECOND);
    assert_rows(&observe(&mut engine, &tx(1, 5 * SECOND)), &[1.0]);
    assert_rows(&observe(&mut engine, &tx(2, 10 * SECOND)), &[0.0]);
}

#[test]
fn a_fraud_that_becomes_known_late_is_not_forgotten_before() {
    let day = 86_400 * SECOND;
    let set = set([ever(Measure::SinceFraud)]).labels(Labels::AfterDelay(Span::days(7)));
    let mut engine = FeatureEngine::new(&set).unwrap();
    for number in 0..2 {
        let fraud = tx(number, i64::from(number)).with_label(true);
        observe(&mut engine, &fraud);
    }
    assert_rows(&observe(&mut engine, &tx(2, 3 * day)), &[f64::NAN]);
    let days = 8.0 - 1e-6 / 86_400.0;
    assert_rows(&observe(&mut engine, &tx(3, 8 * day)), &[days]);
}

#[test]
fn a_late_event_before_all_that_the_cap_left_is_no_more_than_itself_in_a_decayed_count() {
    for half_life in [Span::from_micros(1).unwrap(), Span::hours(1)] {
        let set = capped([ever(Measure::DecayedCount { half_life })], 1);
        let mut engine = FeatureEngine::new(&set).unwrap();
        observe(&mut engine, &tx(0, 60 * SECOND));
        observe(&mut engine, &tx(1, 60 * SECOND));
        observe(&mut engine, &tx(2, 0));
        let own = (-60e6 / half_life.as_micros() as f64).exp2();
        let row = observe(&mut engine, &tx(3, 60 * SECOND));
        assert_rows(&row, &[2.0 + own]);
    }
}

#[test]
fn an_event_that_comes_too_late_reads_finite_decayed_counts() {
    let measure = Measure::DecayedCount {
        half_life: Span::from_micros(1).unwrap(),
    };
    let set = set([ever(measure)]).lateness(Span::ZERO, LatePolicy::Insert);
    let mut engine = FeatureEngine::new(&set).unwrap();
    for number in 0..20 {
        let after = i64::from(number) * 60 * SECOND;
        observe(&mut engine, &tx(number, 3600 * SECOND + after));
    }
    let read = observe(&mut engine, &tx(20, 0))[0];
    assert!(!read.is_infinite(), "{read}");
    // A batch with such an event is no error.
    engine.observe_all(&[tx(21, 0)]).unwrap();
}

#[test]
fn a_duplicate_does_not_see_frauds_of_its_own_time_that_came_after_it() {
    let windows = [hour(Measure::FraudCount)];
    let set = set(windows).labels(Labels::AfterDelay(Span::ZERO));
    let mut engine = FeatureEngine::new(&set).unwrap();
    observe(&mut engine, &tx(0, 0));
    observe(&mut engine, &tx(1, 0).with_label(true));
    assert_rows(&observe(&mut engine, &tx(0, 0)), &[0.0]);
}

#[test]
fn of_many_labels_that_contradict_each_other_the_one_known_last_holds() {
    let words = [
        (Label::Fraud, 1),
        (Label::Legitimate, 5),
        (Label::Fraud, 10),
    ];
    // In whatever order they are given.
    for turn in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut engine = FeatureEngine::new(&set([hour(Measure::FraudCount)])).unwrap();
        observe(&mut engine, &tx(0, 0));
        for word in turn {
            let (word, second) = words[word];
            label(&mut engine, &tx(0, 0), word, second * SECOND);
        }
        for (number, second, expected) in [(1, 1, 1.0), (2, 5, 0.0), (3, 10, 1.0)] {
            let row = observe(&mut engine, &tx(number, second * SECOND));
            assert_rows(&row, &[expected]);
        }
    }
}

#[test]
fn a_late_event_finds_the_fraud_before_it_among_many_after_it() {
    let set = set([ever(Measure::SinceFraud)]).labels(Labels::AfterDelay(Span::ZERO));
    let mut engine = FeatureEngine::new(&set).unwrap();
    let minute = 60 * SECOND;
    for number in 0..30 {
        let fraud = tx(number, i64::from(number) * minute).with_label(true);
        observe(&mut engine, &fraud);
    }
    let days = 0.5 / 1440.0;
    assert_rows(
        &observe(&mut engine, &tx(30, 5 * minute + minute / 2)),
        &[days],
    );
}
