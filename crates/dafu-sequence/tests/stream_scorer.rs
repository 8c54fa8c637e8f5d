//! A scorer of interleaved events says of each what a model says of the whole history.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
use dafu_sequence::native::StepNetwork;
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_sequence::stream::{StreamParams, StreamScorer};
use dafu_sequence::{NextEventModel, SequenceClassifier};
use proptest::prelude::*;

/// An event: its user, its number and its code.
type Event = (usize, Vec<f32>, u32);

fn config(task: Task, cell: Cell, layers: usize, hidden_units: usize) -> NetworkConfig {
    NetworkConfig {
        numeric_inputs: 3,
        embeddings: vec![Embedding {
            categories: 5,
            dimension: 2,
        }],
        cell,
        layers,
        hidden_units,
        dropout: 0.0,
        task,
    }
}

/// Weights larger than first ones, as training makes them.
fn weights(config: &NetworkConfig, seed: u64) -> Weights {
    let first = Weights::first(config, seed).unwrap();
    let mut stream = Stream::new(seed, 1, 0);
    let numbers = first.numbers().iter();
    let numbers = numbers.map(|number| number * (1.0 + stream.unit() as f32));
    Weights::new(config, numbers.collect()).unwrap()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let numbers = prop::collection::vec(-3.0_f32..3.0, 3);
    prop::collection::vec((0_usize..4, numbers, 0_u32..5), 1..60)
}

/// The events of each user one after another, and where each event of the stream went.
fn histories(stream: &[Event]) -> (Events, Vec<usize>) {
    let mut builder = Events::builder(3, &[5]);
    let mut places = vec![0; stream.len()];
    let mut place = 0;
    for user in 0..4 {
        for (second, (_, numeric, code)) in
            stream.iter().enumerate().filter(|event| event.1.0 == user)
        {
            let inputs = EventNumbers {
                numeric,
                codes: std::slice::from_ref(code),
            };
            let time = Timestamp::from_seconds(second as i64).unwrap();
            builder.push(time, inputs, None).unwrap();
            places[second] = place;
            place += 1;
        }
        builder.end_entity();
    }
    (builder.build(), places)
}

/// The answer of a batch about each event, and how surprising each of its inputs is.
fn batch(config: &NetworkConfig, weights: &Weights, events: &Events) -> Vec<(f32, Vec<f32>)> {
    let spans = events.segments(usize::MAX, 0);
    let set = SequenceSet::new(events, &spans).unwrap();
    if config.task == Task::NextEvent {
        let model = NextEventModel::from_weights(config, weights).unwrap();
        let surprises = model.surprises(set).unwrap();
        let of_event = |event| (surprises.event(event), surprises.inputs(event).to_vec());
        return (0..surprises.len()).map(of_event).collect();
    }
    let model = SequenceClassifier::from_weights(config, weights).unwrap();
    let log_odds = model.log_odds(set).unwrap();
    log_odds
        .into_iter()
        .map(|odds| (odds, vec![0.0; 4]))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_scorer_says_of_each_event_what_a_batch_says(
        stream in events(),
        cell in prop_oneof![Just(Cell::Lstm), Just(Cell::Gru)],
        layers in 1_usize..3,
        hidden_units in 1_usize..40,
        task in prop_oneof![
            Just(Task::Classify { attention: false }),
            Just(Task::Classify { attention: true }),
            Just(Task::NextEvent),
        ],
        seed in any::<u64>(),
    ) {
        let config = config(task, cell, layers, hidden_units);
        let weights = weights(&config, seed);
        let (events, places) = histories(&stream);
        let expected = batch(&config, &weights, &events);
        let network = StepNetwork::new(&config, &weights).unwrap();
        let mut scorer: StreamScorer<usize> =
            StreamScorer::new(network, &StreamParams::default()).unwrap();
        for (second, (user, numeric, code)) in stream.iter().enumerate() {
            let inputs = EventNumbers { numeric, codes: std::slice::from_ref(code) };
            let time = Timestamp::from_seconds(second as i64).unwrap();
            let answer = scorer.score(user, time, inputs).unwrap();
            let (value, surprises) = &expected[places[second]];
            let close = |got: f32, expected: f32| {
                // Relative where numbers are large: 32 bits have 7 places.
                (got - expected).abs() <= 1e-6 * expected.abs().max(1.0)
            };
            prop_assert!(close(answer.value, *value), "{} {}", answer.value, value);
            prop_assert!(!answer.late);
            for (got, expected) in scorer.last_surprises().iter().zip(surprises) {
                prop_assert!(close(*got, *expected), "{} {}", got, expected);
            }
        }
    }
}
