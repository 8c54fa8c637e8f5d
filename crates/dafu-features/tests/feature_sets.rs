//! Sets as they are written, checked, and compiled.
#![allow(
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "counts are exact, and a panic is a failed test"
)]

use dafu_core::table::Chunks;
use dafu_core::{
    BehaviorEvent, Currency, DailySummary, EntityId, Label, Money, Progress, SourceError, Table,
    TableSource, Timestamp, Transaction,
};
use dafu_features::{
    Derived, EventFeature, Feature, FeatureEngine, FeatureError, FeatureSet, Field, Filter, Labels,
    Measure, Quantity, RecordKind, Span, StateLimits, TimeSortParams, Window,
};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn at(day: i64, hour: i64) -> Timestamp {
    Timestamp::from_seconds(1_767_225_600 + day * 86_400 + hour * 3600).unwrap()
}

fn payment(number: i64, day: i64, minor: i64) -> Transaction {
    Transaction::new(
        format!("t-{number}").parse().unwrap(),
        id(&format!("u-{}", number % 3)),
        Money::from_minor(minor, Currency::NONE),
        id(&format!("m-{}", number % 2)),
        at(day, number % 24),
    )
    .with_label(number % 5 == 0)
}

#[test]
fn the_engine_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<FeatureEngine>();
    shared::<FeatureSet>();
    shared::<FeatureError>();
}

#[test]
fn ready_sets_are_sound_and_hold_the_promised_names() {
    let standard = FeatureSet::standard();
    let schema = standard.schema().unwrap();
    for name in [
        "transactions_per_hour",
        "distance_from_home",
        "user_amount_zscore_30d",
        "user_new_merchant",
        "device_distinct_user_1d",
        "merchant_fraud_rate_28d_delay_7d",
        "user_impossible_travel",
        "user_hour_surprise_30d",
    ] {
        assert!(schema.position(name).is_some(), "{name}");
    }
    for set in [
        standard,
        FeatureSet::handbook(),
        FeatureSet::behavior(),
        FeatureSet::daily(),
    ] {
        set.check().unwrap();
        let engine = FeatureEngine::new(&set).unwrap();
        assert_eq!(engine.schema().width(), set.features.len());
        for spec in engine.schema().features() {
            assert!(!spec.description.is_empty(), "{}", spec.name);
        }
    }
    assert_eq!(FeatureSet::handbook().features.len(), 15);
}

#[cfg(feature = "toml")]
#[test]
fn sets_read_back_from_toml_and_json() {
    for set in [
        FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7))),
        FeatureSet::handbook(),
        FeatureSet::behavior(),
        FeatureSet::daily(),
    ] {
        let toml = set.to_toml().unwrap();
        assert_eq!(FeatureSet::from_toml(&toml).unwrap(), set);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<FeatureSet>(&json).unwrap(), set);
    }
    let wrong = FeatureSet::from_toml("version = 1\nfeature = []").unwrap_err();
    assert!(wrong.to_string().contains("feature"), "{wrong}");
    let nothing = "version = 1\n[[features]]\nname = \"x\"";
    let wrong = FeatureSet::from_toml(nothing).unwrap_err().to_string();
    assert!(wrong.contains("exactly one of"), "{wrong}");
}

fn refused(feature: impl Into<Feature>) -> String {
    let set = FeatureSet::new(RecordKind::Transaction).feature(feature);
    let error = FeatureEngine::new(&set).unwrap_err();
    error.to_string()
}

#[test]
fn features_that_make_no_sense_are_refused_with_their_name() {
    let day = Span::days(1);
    let window = |measure| Window::new(Field::User, measure);
    for (feature, wanted) in [
        (window(Measure::Count), "needs `within`"),
        (window(Measure::SinceLast).within(day), "takes no `within`"),
        (window(Measure::Count).within(Span::ZERO), "above zero"),
        (
            window(Measure::Burst { short: day }).within(day),
            "shorter than the window",
        ),
        (
            window(Measure::Ratio).within(day).include_self(true),
            "cannot be included",
        ),
        (window(Measure::SinceLast).delay(day), "takes no `delay`"),
        (
            window(Measure::SinceFirst).filter(Filter::Night),
            "takes no filter",
        ),
        (
            window(Measure::Quantile { permille: 1001 }).within(day),
            "`permille`",
        ),
        (window(Measure::Last { k: 0 }), "`k`"),
        (
            window(Measure::DecayedCount {
                half_life: Span::ZERO,
            }),
            "`half_life`",
        ),
        (
            window(Measure::FraudRate {
                prior_frauds: 2.0,
                prior_events: 1.0,
            })
            .within(day),
            "prior",
        ),
        (window(Measure::Rank).within(day).tiles(8), "single events"),
        (window(Measure::Count).within(day).tiles(1), "`tiles`"),
        (
            window(Measure::Count)
                .within(day)
                .filter(Filter::AmountBelow(f64::NAN)),
            "not finite",
        ),
        (
            Window::new(Field::Action, Measure::Count).within(day),
            "\"action\"",
        ),
        (
            window(Measure::Mean).of(Quantity::RiskScore).within(day),
            "risk_score",
        ),
    ] {
        let name = Feature::from(feature.clone()).full_name();
        let message = refused(feature);
        assert!(message.contains(wanted), "{message}");
        assert!(message.contains(&name), "{message} names {name}");
    }
    let share = refused(EventFeature::JustBelow {
        limits: vec![100.0],
        share: 0.0,
    });
    assert!(share.contains("`share`"), "{share}");
    let unknown = refused(Derived::Ratio {
        of: "a".to_owned(),
        over: "b".to_owned(),
    });
    assert!(unknown.contains("\"a\""), "{unknown}");
    let twice = FeatureSet::default()
        .feature(EventFeature::Hour)
        .feature(EventFeature::Hour);
    assert!(twice.check().is_err());
    assert!(matches!(
        FeatureSet::default().check(),
        Err(FeatureError::EmptySet)
    ));
}

#[test]
fn a_fraud_rate_over_labels_that_are_not_known_yet_is_refused() {
    let rate = Measure::FraudRate {
        prior_frauds: 0.0,
        prior_events: 0.0,
    };
    let window = Window::new(Field::Merchant, rate).within(Span::days(7));
    let set = FeatureSet::default().labels(Labels::AfterDelay(Span::days(7)));
    let early = set.clone().feature(window.clone().delay(Span::days(6)));
    let error = FeatureEngine::new(&early).unwrap_err().to_string();
    assert!(error.contains("labels are known after 7d"), "{error}");
    assert!(FeatureEngine::new(&set.feature(window.delay(Span::days(7)))).is_ok());
}

#[test]
fn a_set_without_labels_loses_what_is_made_from_them() {
    let set = FeatureSet::standard().without_labels();
    let schema = set.schema().unwrap();
    assert!(
        schema
            .features()
            .iter()
            .all(|spec| !spec.name.contains("fraud"))
    );
    assert!(schema.position("merchant_risk_over_peers").is_none());
    assert!(schema.position("user_amount_zscore_30d").is_some());
}

#[test]
fn behaviour_events_have_features_of_their_own() {
    let event = |day, action: &str, device: &str, amount: Option<i64>| BehaviorEvent {
        user_id: id("u"),
        timestamp: at(day, 9),
        action_type: id(action),
        device_id: Some(id(device)),
        location: None,
        amount: amount.map(|minor| Money::from_minor(minor, Currency::NONE)),
        extras: BTreeMap::new(),
    };
    let mut engine = FeatureEngine::new(&FeatureSet::behavior()).unwrap();
    engine.observe(&event(0, "login", "phone", None)).unwrap();
    engine
        .observe(&event(1, "pay", "phone", Some(1000)))
        .unwrap();
    engine
        .observe(&event(2, "pay", "phone", Some(3000)))
        .unwrap();
    let seen = engine.observe(&event(3, "login", "laptop", None)).unwrap();
    let value = |name: &str| seen.row.get(name).unwrap();
    assert_eq!(value("user_count_7d"), 4.0);
    assert_eq!(value("user_new_action"), 0.0);
    assert_eq!(value("user_new_device"), 1.0);
    assert!(value("user_new_location").is_nan());
    // Logins have no amount and do not count in means of amounts.
    assert_eq!(value("user_mean_amount_30d"), 20.0);
    assert_eq!(value("user_action_hours_since_last"), 72.0);
    let wrong = engine.observe(&payment(1, 4, 100)).unwrap_err();
    assert!(matches!(wrong, FeatureError::WrongRecord { .. }));
}

#[test]
fn daily_summaries_are_compared_with_the_weeks_before() {
    let mut engine = FeatureEngine::new(&FeatureSet::daily()).unwrap();
    let summary = |day: i64, minor, count, score: Option<f64>| DailySummary {
        timestamp: at(day, 0),
        user_id: id("u"),
        transaction_count: count,
        daily_amount: Money::from_minor(minor, Currency::NONE),
        risk_score: score.map(|score| dafu_core::Score::new(score).unwrap()),
        extras: BTreeMap::new(),
    };
    for day in 0..10 {
        engine.observe(&summary(day, 1000, 4, None)).unwrap();
    }
    let seen = engine.observe(&summary(10, 8000, 2, Some(0.5))).unwrap();
    let value = |name: &str| seen.row.get(name).unwrap();
    assert_eq!(value("user_amount_ratio_7d"), 8.0);
    assert_eq!(value("user_transaction_count_ratio_7d"), 0.5);
    assert_eq!(value("user_amount_lag7"), 10.0);
    assert_eq!(value("user_mean_risk_score_7d"), 0.5);
    assert!((value("amount_trend") - (140.0 / 7.0) / (180.0 / 11.0)).abs() < 1e-12);
}

struct Steps(RefCell<Vec<(u64, Option<u64>)>>);

impl Progress for Steps {
    fn report(&self, step: &str, done: u64, total: Option<u64>) {
        assert_eq!(step, "replay");
        self.0.borrow_mut().push((done, total));
    }
}

/// Tables of two rows each.
struct InPieces<'a>(&'a [Transaction]);

impl TableSource for InPieces<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let pieces = self.0.chunks(2);
        Ok(Box::new(pieces.map(|piece| {
            Ok(Cow::Owned(Table::from_transactions(piece)))
        })))
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

#[test]
fn a_replay_tells_its_progress_and_gives_the_rows_of_a_stream() {
    let shuffled: Vec<Transaction> = (0..31)
        .map(|n| payment(n * 7 % 31, n * 7 % 31, 100 + n))
        .collect();
    let mut sorted = shuffled.clone();
    sorted.sort_by_key(|tx| tx.timestamp);
    let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
    let mut one = FeatureEngine::new(&set).unwrap();
    let expected: Vec<u64> = sorted
        .iter()
        .flat_map(|tx| one.observe(tx).unwrap().row.values().to_vec())
        .map(f64::to_bits)
        .collect();

    let params = TimeSortParams::default().run_rows(4).chunk_rows(3);
    let source = InPieces(&shuffled);
    let mut engine = one.fresh();
    let steps = Steps(RefCell::new(Vec::new()));
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    engine
        .replay_any_order(&source, &params, &steps, &mut |table, features| {
            assert_eq!(table.rows(), features.rows());
            rows.extend(features.values().iter().map(|value| value.to_bits()));
            labels.extend(features.labels().unwrap().to_vec());
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, expected);
    let expected: Vec<Label> = sorted.iter().map(|tx| tx.is_fraud).collect();
    assert_eq!(labels, expected);
    let steps = steps.0.into_inner();
    assert_eq!(steps.last(), Some(&(31, Some(31))));
    assert_eq!(steps.len(), 11);
}

#[test]
fn limits_out_of_range_are_refused() {
    let limits = StateLimits {
        events_per_entity: 0,
        ..StateLimits::default()
    };
    let set = FeatureSet::handbook().limits(limits);
    let error = FeatureEngine::new(&set).unwrap_err().to_string();
    assert!(error.contains("events_per_entity"), "{error}");
}

#[test]
fn two_features_of_one_name_are_told_how_to_get_another() {
    let count = || Window::new(Field::User, Measure::Count).within(Span::days(30));
    let large = Filter::All(vec![Filter::AmountAtLeast(50.0), Filter::Night.negated()]);
    let set = |named: Feature| {
        FeatureSet::new(RecordKind::Transaction)
            .feature(count())
            .feature(named)
    };
    let error = set(count().filter(large.clone()).into()).check();
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("user_count_30d") && error.contains("named("),
        "{error}"
    );

    let schema = set(Feature::from(count().filter(large)).named("large"))
        .schema()
        .unwrap();
    let described = &schema.features()[1].description;
    assert!(
        described.ends_with("where (the amount is at least 50) and (not (it is night))"),
        "{described}"
    );
}
