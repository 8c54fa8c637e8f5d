//! Encoding of the three kinds of records.
#![allow(
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "numbers are exact where nothing else is said, and a panic is a failed test"
)]

mod records;

use dafu_core::{BehaviorEvent, Currency, DailySummary, EntityId, GeoPoint, Money, Score, Value};
use dafu_sequence::encode::{CategoricalInput, EncoderParams, Histories, NumericInput, Record};
use dafu_sequence::network::Embedding;
use records::{DAY, action, at, id, payment, words};
use std::collections::BTreeMap;

#[test]
fn records_group_by_any_key() {
    let mut records = [1, 2, 3].map(|second| payment("ada", second, 100));
    records[0].card = Some(id("c-1"));
    records[2].card = Some(id("c-1"));
    let histories = Histories::by(&records, |tx| tx.card.as_ref().map(EntityId::as_str));
    assert_eq!(
        (histories.len(), histories.entity_name(0)),
        (2, Some("c-1"))
    );
    let events = [0, 1, 2].map(|record| histories.event(record));
    assert_eq!(events, [Some(0), None, Some(1)]);
}

#[test]
fn records_that_are_not_scored_are_context() {
    let actions = ["login", "buy", "login", "buy"];
    let mut records: Vec<_> = (0..)
        .zip(actions)
        .map(|(second, kind)| action("ada", second, kind))
        .collect();
    let fraud = Value::Flag(true);
    records[3].extras.insert("is_fraud".into(), fraud.clone());
    records[2].extras.insert("is_fraud".into(), fraud);
    let histories =
        Histories::new(&records).scored_where(|record| record.action_type.as_str() == "buy");
    let params = EncoderParams::behavior();
    let encoder = params.fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    let scorable = [0, 1, 2, 3].map(|event| events.scorable(event));
    assert_eq!(scorable, [false, true, false, true]);
    let labels = [0, 1, 2, 3].map(|event| events.label(event));
    assert_eq!(labels, [None, None, None, Some(true)]);
}

#[test]
fn takeovers_show_in_new_devices_and_places() {
    let steps = [
        (Some("phone"), Some("Bonn")),
        (Some("phone"), Some("Bonn")),
        (Some("pc"), None),
        (Some("phone"), Some("Bonn")),
        (Some("burner"), Some("Lagos")),
    ];
    let mut records: Vec<_> = (0..)
        .zip(steps)
        .map(|(second, (device, place))| BehaviorEvent {
            device_id: device.map(id),
            location: place.map(id),
            ..action("ada", second, "login")
        })
        .collect();
    // A user, and a device, that training has not seen.
    for second in [10, 11] {
        records.push(BehaviorEvent {
            device_id: Some(id("tablet")),
            ..action("new", second, "login")
        });
    }
    let histories = Histories::new(&records);
    let encoder = EncoderParams::behavior()
        .fit(&histories, Some(at(4)))
        .unwrap();
    let events = histories.encode(&encoder).unwrap();
    let devices = words(&encoder, &events, "device_id_novelty");
    let expected = ["first", "same", "new", "known", "new", "first", "same"];
    assert_eq!(devices, expected);
    let places = words(&encoder, &events, "location_novelty");
    assert_eq!(places[..5], ["first", "same", "missing", "same", "new"]);
    assert_eq!(places[5..], ["missing", "missing"]);
}

#[test]
fn presets_leave_out_what_no_training_record_has() {
    let records = [payment("ada", 0, 100), payment("ada", 9, 200)];
    let histories = Histories::new(&records);
    let encoder = EncoderParams::transactions().fit(&histories, None).unwrap();
    let left_out: Vec<_> = encoder.left_out().collect();
    let expected = ["home_merchant_distance", "category", "country", "currency"];
    assert_eq!(left_out[..4], expected);
    assert_eq!(left_out[4..], ["device_kind", "device_id", "country", "ip"]);
    let names = encoder.input_names();
    assert_eq!(
        names[names.len() - 2..],
        ["gap_missing", "merchant_id_novelty"]
    );
    let expected = [(2, 1), (5, 4)];
    let expected = expected.map(|(categories, dimension)| Embedding {
        categories,
        dimension,
    });
    assert_eq!(encoder.embeddings(), expected);
    assert_eq!(encoder.numeric_inputs(), 6);
}

#[test]
fn every_field_of_a_transaction_is_read() {
    let mut tx = payment("ada", 0, 1_234)
        .with_category(id("food"))
        .with_device(id("phone"))
        .with_extra("mcc", Value::Number(5411.0))
        .with_extra("present", Value::Flag(true))
        .with_extra("channel", Value::Text(id("web")));
    tx.user_location = Some(GeoPoint::new(51.5074, -0.1278).unwrap());
    tx.merchant_location = Some(GeoPoint::new(48.8566, 2.3522).unwrap());
    tx.ip = Some([10, 0, 0, 1].into());
    tx.amount = Money::from_minor(1_234, Currency::new("EUR").unwrap());
    tx.country = Some(id("DE"));
    assert_eq!(tx.number("amount"), Some(12.34));
    let km = tx.number("home_merchant_distance").unwrap();
    // London to Paris, to the ten metres that the expected figure has.
    assert!((km - 343.56).abs() < 0.01);
    assert_eq!(
        (tx.number("mcc"), tx.number("present")),
        (Some(5411.0), Some(1.0))
    );
    assert_eq!((tx.number("channel"), tx.number("nothing")), (None, None));
    for (field, expected) in [
        ("merchant_id", Some("shop")),
        ("category", Some("food")),
        ("device", Some("phone")),
        ("device_id", Some("phone")),
        ("ip", Some("10.0.0.1")),
        ("currency", Some("EUR")),
        ("country", Some("DE")),
        ("mcc", Some("5411")),
        ("present", Some("true")),
        ("channel", Some("web")),
        ("record_kind", Some("transaction")),
        ("card", None),
        ("email", None),
        ("status", None),
        ("tenant", None),
        ("user_agent", None),
        ("nothing", None),
    ] {
        assert_eq!(tx.text(field).as_deref(), expected, "{field}");
    }
}

#[test]
fn kinds_of_records_mix() {
    let (login, pay) = (action("ada", 0, "login"), payment("ada", 60, 500));
    let day = DailySummary {
        timestamp: at(DAY),
        user_id: id("ada"),
        transaction_count: 1,
        daily_amount: Money::from_minor(500, Currency::NONE),
        risk_score: Some(Score::new(0.25).unwrap()),
        extras: BTreeMap::from([("is_fraud".into(), Value::Number(0.0))]),
    };
    let records: [&dyn Record; 3] = [&day, &pay, &login];
    let histories = Histories::new(&records);
    let params = EncoderParams::default()
        .numeric(NumericInput::log("amount"))
        .numeric(NumericInput::new("risk_score"))
        .categorical(CategoricalInput::new("record_kind").min_count(1));
    let encoder = params.fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    let kinds = words(&encoder, &events, "record_kind");
    assert_eq!(kinds, ["behavior_event", "transaction", "daily_summary"]);
    let amounts = words(&encoder, &events, "amount");
    assert_eq!(amounts, ["missing", "5.00", "missing"]);
    let scores = words(&encoder, &events, "risk_score");
    assert_eq!(scores, ["missing", "missing", "0.25"]);
    assert_eq!((events.label(0), events.label(2)), (None, Some(false)));
}

#[test]
fn daily_summaries_have_a_preset() {
    let days = [(0, 3), (DAY, 4), (2 * DAY, 40)];
    let records = days.map(|(second, count)| DailySummary {
        timestamp: at(second),
        user_id: id("ada"),
        transaction_count: count,
        daily_amount: Money::from_minor(i64::from(count) * 1_000, Currency::NONE),
        risk_score: None,
        extras: BTreeMap::new(),
    });
    let histories = Histories::new(&records);
    let encoder = EncoderParams::daily()
        .fit(&histories, Some(at(2 * DAY)))
        .unwrap();
    let events = histories.encode(&encoder).unwrap();
    let counts = words(&encoder, &events, "transaction_count");
    // The training days have ln 4 and ln 5: one deviation below and above the mean; the last one is in the last interval.
    let bound = |scaled: f64| {
        let (low, high) = (4.0_f64.ln(), 5.0_f64.ln());
        let log = f64::midpoint(low, high) + scaled * (high - low) / 2.0;
        format!("{:.2}", log.exp_m1())
    };
    let interval = |from: f64| format!("{} to {}", bound(from), bound(from + 0.5));
    let expected = [
        interval(-1.0),
        interval(1.0),
        format!("at least {}", bound(4.0)),
    ];
    assert_eq!(counts, expected);
    assert_eq!(words(&encoder, &events, "weekday"), ["Thu", "Fri", "Sat"]);
    assert_eq!(encoder.numeric_inputs(), 0);
}
