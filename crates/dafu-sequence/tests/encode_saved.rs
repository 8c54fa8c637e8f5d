//! Encoders as JSON, also by those who mean no good.
#![cfg(feature = "serde")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is a failed test"
)]

use dafu_core::{Currency, Money, Timestamp, Transaction};
use dafu_sequence::encode::{
    CategoricalInput, Encoder, EncoderParams, Histories, NoveltyInput, NumericInput,
};
use dafu_testkit::damage;
use serde_json::{Value, from_str, from_value, json, to_string, to_value};

fn payment(second: i64, minor: i64) -> Transaction {
    Transaction::new(
        "t".parse().unwrap(),
        "ada".parse().unwrap(),
        Money::from_minor(minor, Currency::NONE),
        "shop".parse().unwrap(),
        Timestamp::from_seconds(second).unwrap(),
    )
}

/// Numbers and texts, with and without missing ones, left out ones, gap and novelty.
fn fitted() -> Encoder {
    let mut records: Vec<_> = (0..9).map(|day| payment(day * 90_000, day * day)).collect();
    for (record, name) in records.iter_mut().zip(["a", "b", "a", "b", "a"]) {
        record.category = Some(name.parse().unwrap());
    }
    let params = EncoderParams::transactions()
        .numeric(NumericInput::new("number").optional(true))
        .categorical(CategoricalInput::new("merchant_id").min_count(1));
    records[0] = records[0]
        .clone()
        .with_extra("number", dafu_core::Value::Number(0.1));
    let histories = Histories::new(&records);
    params.fit(&histories, None).unwrap()
}

#[test]
fn encoders_come_back_the_same() {
    let encoder = fitted();
    let text = to_string(&encoder).unwrap();
    let back: Encoder = from_str(&text).unwrap();
    assert_eq!(back, encoder);
    assert_eq!(to_string(&back).unwrap(), text);
}

#[test]
fn parameters_are_read_from_files_with_defaults() {
    let text = r#"{
        "numeric": [{"name": "amount", "transform": "signed_log"}],
        "categorical": [{"name": "category", "min_count": 2}],
        "novelty": [{"name": "device_id"}],
        "weekday": false
    }"#;
    let params: EncoderParams = from_str(text).unwrap();
    let expected = EncoderParams::default()
        .numeric(NumericInput::log("amount"))
        .categorical(CategoricalInput::new("category").min_count(2))
        .novelty(NoveltyInput::new("device_id"))
        .weekday(false);
    assert_eq!(params, expected);
    let error = from_str::<EncoderParams>(r#"{"gaps": true}"#).unwrap_err();
    assert!(
        error.to_string().contains("unknown field `gaps`"),
        "{error}"
    );
}

/// Sets what a JSON pointer names, or removes it.
fn edited(encoder: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut edited = encoder.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = edited.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => {
            fields.insert(key.to_owned(), value);
        }
        (Value::Object(fields), None) => {
            fields.remove(key).unwrap();
        }
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        (Value::Array(items), None) => {
            items.remove(key.parse().unwrap());
        }
        _ => panic!("no such place: {pointer}"),
    }
    edited
}

#[test]
fn broken_encoders_are_refused() {
    let encoder = fitted();
    let good = to_value(&encoder).unwrap();
    assert!(from_value::<Encoder>(good.clone()).is_ok());
    let scale = |mean: Value, deviation: Value| json!({"mean": mean, "deviation": deviation, "missing": false});
    let many: Vec<_> = (0..1_001).map(|name| name.to_string()).collect();
    for (pointer, value, message) in [
        ("/scales/0/deviation", Some(json!(0.0)), "must be finite"),
        ("/scales/0/deviation", Some(json!(-1.0)), "must be finite"),
        ("/scales/0/deviation", Some(json!(null)), "invalid type"),
        ("/scales/0", None, "`scales` has 2 inputs, expected 3"),
        ("/gap", Some(json!(null)), "`gap` has 0 inputs, expected 1"),
        ("/gap", Some(scale(json!(1.0), json!(-0.0))), "input `gap`"),
        ("/vocabularies/0", None, "`vocabularies` has 4 inputs"),
        (
            "/vocabularies/0",
            Some(json!(["a", "b", "a"])),
            "given twice",
        ),
        ("/vocabularies/0", Some(json!(many)), "1001 categories"),
        ("/novelty/0", None, "`novelty` has 3 inputs, expected 4"),
        ("/more", Some(json!(1)), "unknown field `more`"),
        ("/scales/0/more", Some(json!(1)), "unknown field `more`"),
        ("/params/clip", Some(json!(0.0)), "`clip` must be"),
        (
            "/params/gap",
            Some(json!(false)),
            "`gap` has 1 inputs, expected 0",
        ),
        (
            "/params/numeric/0/name",
            Some(json!("number")),
            "two inputs are named",
        ),
        ("/params/numeric/0/name", Some(json!("")), "has no name"),
        (
            "/params/novelty/0/memory",
            Some(json!(u64::MAX >> 8)),
            "`memory` of input",
        ),
        ("/params/novelty/0/memory", Some(json!(16)), "together"),
        (
            "/params/categorical/0/dimension",
            Some(json!(4_096)),
            "`inputs` must be",
        ),
        (
            "/params/categorical/0/dimension",
            Some(json!(1_000_000_000)),
            "`dimension`",
        ),
        (
            "/params/categorical/0/max_categories",
            Some(json!(u32::MAX)),
            "`max_categories`",
        ),
    ] {
        let broken = edited(&good, pointer, value);
        let error = from_value::<Encoder>(broken).unwrap_err().to_string();
        assert!(error.contains(message), "{pointer}: {error}");
    }
    let text = to_string(&encoder).unwrap();
    let huge = text.replacen("\"deviation\":", "\"deviation\":1e999,\"x\":", 1);
    assert!(from_str::<Encoder>(&huge).is_err());
}

#[test]
fn damaged_encoders_are_refused_or_usable() {
    let encoder = fitted();
    let text = to_string(&encoder).unwrap();
    let records = [payment(0, 5), payment(9, i64::MAX)];
    let histories = Histories::new(&records);
    for damaged in damage::all(text.as_bytes()) {
        let Ok(damaged) = serde_json::from_slice::<Encoder>(&damaged.bytes) else {
            continue;
        };
        // Finite numbers and codes in range, or it is no event.
        assert_eq!(histories.encode(&damaged).unwrap().len(), 2);
    }
}
