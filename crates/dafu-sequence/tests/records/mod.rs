//! Records, and encoded events in words.

use dafu_core::{BehaviorEvent, Currency, EntityId, Money, Timestamp, Transaction, TransactionId};
use dafu_sequence::data::Events;
use dafu_sequence::encode::Encoder;
use std::collections::BTreeMap;

pub(crate) const DAY: i64 = 86_400;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(second).unwrap()
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(crate) fn action(user: &str, second: i64, action: &str) -> BehaviorEvent {
    BehaviorEvent {
        user_id: id(user),
        timestamp: at(second),
        action_type: id(action),
        device_id: None,
        location: None,
        amount: None,
        extras: BTreeMap::new(),
    }
}

pub(crate) fn payment(user: &str, second: i64, minor: i64) -> Transaction {
    Transaction::new(
        TransactionId::new("t").unwrap(),
        id(user),
        Money::from_minor(minor, Currency::NONE),
        id("shop"),
        at(second),
    )
}

/// The values of an input of all events.
#[allow(dead_code, reason = "not every test reads numbers")]
pub(crate) fn numbers(encoder: &Encoder, events: &Events, name: &str) -> Vec<f32> {
    let input = place(encoder, name);
    let all = 0..events.len();
    all.map(|event| events.numbers(event).numeric[input])
        .collect()
}

/// The values of an input of all events, in words.
pub(crate) fn words(encoder: &Encoder, events: &Events, name: &str) -> Vec<String> {
    let input = place(encoder, name);
    let all = 0..events.len();
    all.map(|event| encoder.describe(events.numbers(event), input).unwrap())
        .collect()
}

fn place(encoder: &Encoder, name: &str) -> usize {
    let mut names = encoder.input_names().iter();
    names.position(|known| known == name).unwrap()
}
