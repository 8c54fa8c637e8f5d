//! Anomalies among many events of many categories: what was expected of each event is never all there at once.

#![allow(clippy::cast_possible_wrap, clippy::unwrap_used, reason = "tests")]

use dafu_core::random::Stream;
use dafu_core::{BehaviorEvent, Timestamp};
use dafu_sequence::behavior::{AnomalyParams, BehaviorParams};
use dafu_testkit::{CountingAllocator, memory::peak_bytes};
use std::collections::BTreeMap;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const ACTIONS: usize = 900;
const EVENTS: usize = 400;

#[test]
fn anomalies_are_found_in_a_fraction_of_the_room_of_all_outputs() {
    let mut stream = Stream::new(6, 0, 0);
    let mut records = Vec::new();
    for user in 0..200 {
        for second in 0..EVENTS {
            records.push(BehaviorEvent {
                user_id: format!("user-{user}").parse().unwrap(),
                timestamp: Timestamp::from_seconds(second as i64).unwrap(),
                action_type: format!("a{}", stream.index_below(ACTIONS)).parse().unwrap(),
                device_id: None,
                location: None,
                amount: None,
                extras: BTreeMap::new(),
            });
        }
    }
    let params = BehaviorParams::default();
    let model = params.model.clone().hidden_units(4).epochs(1);
    let analyzer = params.model(model).fit(&records, None).unwrap();
    let outputs = 4 * analyzer.model().config().outputs() * records.len();
    // All histories are reported.
    let params = AnomalyParams::default().threshold(0.0);
    let params = params.sequence_length(EVENTS);
    let (anomalies, bytes) = peak_bytes(&ALLOCATOR, || {
        analyzer.detect_behavioral_anomalies(&records, &params)
    });
    assert_eq!(anomalies.unwrap().len(), 200);
    assert!(bytes > 0, "the allocator is not the global one");
    assert!(bytes < outputs / 2, "{bytes} for {outputs} of outputs");
}
