//! Events one by one give what whole sequences give.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::range_plus_one,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::{Alternatives, NativeBackend, StepNetwork};
use dafu_sequence::network::{Backend, Cell, Embedding, Network, NetworkConfig, Task, Weights};
use proptest::prelude::*;

#[allow(dead_code, reason = "of what tests share, some")]
mod networks;

fn history(config: &NetworkConfig, length: usize, seed: u64) -> Events {
    let categories: Vec<u32> = config
        .embeddings
        .iter()
        .map(|input| input.categories)
        .collect();
    let mut builder = Events::builder(config.numeric_inputs, &categories);
    let mut stream = Stream::new(seed, 0, 0);
    for event in 0..length {
        let numeric: Vec<f32> = (0..config.numeric_inputs)
            .map(|_| stream.normal() as f32)
            .collect();
        let codes: Vec<u32> = categories
            .iter()
            .map(|of| stream.below(u64::from(*of)) as u32)
            .collect();
        let inputs = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        builder
            .push(Timestamp::from_micros(event as i64).unwrap(), inputs, None)
            .unwrap();
    }
    builder.build()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn streaming_equals_batch(
        cell in prop_oneof![Just(Cell::Lstm), Just(Cell::Gru)],
        layers in 1_usize..3,
        hidden_units in 1_usize..70,
        numeric_inputs in 1_usize..20,
        task in prop_oneof![
            Just(Task::Classify { attention: false }),
            Just(Task::Classify { attention: true }),
            Just(Task::NextEvent),
        ],
        length in 1_usize..40,
        seed in any::<u64>(),
    ) {
        let config = NetworkConfig {
            numeric_inputs,
            embeddings: vec![Embedding { categories: 5, dimension: 3 }],
            cell,
            layers,
            hidden_units,
            dropout: 0.3,
            task,
        };
        let weights = Weights::first(&config, seed).unwrap();
        let events = history(&config, length, seed);
        // So many that they are computed side by side.
        let spans = [Span { start: 0, scored_from: 0, end: length }; 9];
        let set = SequenceSet::new(&events, &spans).unwrap();
        let count = config.outputs();
        let mut batch = vec![0.0; 9 * length * count];
        NativeBackend.network(&config, &weights).unwrap().outputs(set, &mut batch).unwrap();

        let stepper = StepNetwork::new(&config, &weights).unwrap();
        let mut scratch = stepper.scratch();
        let mut state = vec![0.0; stepper.state_len()];
        for event in 0..length {
            let before = task == Task::NextEvent;
            if !before {
                stepper.advance(events.numbers(event), &mut state, &mut scratch).unwrap();
            }
            let answer = stepper.answer(&state, &mut scratch);
            for (got, expected) in answer.iter().zip(&batch[event * count..]) {
                prop_assert!((got - expected).abs() < 1e-6 * expected.abs().max(1.0), "{} {}", got, expected);
            }
            if before {
                stepper.advance(events.numbers(event), &mut state, &mut scratch).unwrap();
            }
        }
    }
}

#[test]
fn an_answer_does_not_depend_on_the_sequences_beside_it() {
    let config = |cell, task| NetworkConfig {
        numeric_inputs: 4,
        embeddings: vec![Embedding {
            categories: 5,
            dimension: 3,
        }],
        cell,
        layers: 2,
        hidden_units: 9,
        dropout: 0.0,
        task,
    };
    for cell in [Cell::Lstm, Cell::Gru] {
        for task in [
            Task::Classify { attention: true },
            Task::NextEvent,
            Task::Reconstruct,
        ] {
            let config = config(cell, task);
            let weights = Weights::first(&config, 4).unwrap();
            let network = NativeBackend.network(&config, &weights).unwrap();
            let events = history(&config, 150, 8);
            let mut stream = Stream::new(2, 0, 0);
            let spans: Vec<Span> = (0..100)
                .map(|_| {
                    let start = stream.index_below(140);
                    let end = start + 1 + stream.index_below(150 - start).min(30);
                    let scored_from = start + stream.index_below(end - start);
                    Span {
                        start,
                        scored_from,
                        end,
                    }
                })
                .collect();
            let outputs = |spans: &[Span]| {
                let set = SequenceSet::new(&events, spans).unwrap();
                let mut out = vec![0.0; set.scored().count() * config.outputs()];
                network.outputs(set, &mut out).unwrap();
                out
            };
            let together = outputs(&spans);
            let alone: Vec<f32> = spans.iter().flat_map(|span| outputs(&[*span])).collect();
            let apart: Vec<f32> = spans.chunks(10).flat_map(outputs).collect();
            assert_eq!(together.len(), alone.len());
            for (together, other) in together
                .iter()
                .zip(&alone)
                .chain(together.iter().zip(&apart))
            {
                assert!(
                    (together - other).abs() < 1e-6,
                    "{together} {other} {config:?}"
                );
            }
        }
    }
}

#[test]
fn events_side_by_side_are_answered_as_one_by_one() {
    for (cell, layers, task, count) in [
        (Cell::Lstm, 1, Task::Classify { attention: false }, 1),
        (Cell::Lstm, 2, Task::Classify { attention: true }, 9),
        (Cell::Gru, 1, Task::Classify { attention: true }, 14),
        (Cell::Gru, 3, Task::NextEvent, 70),
        (Cell::Lstm, 1, Task::NextEvent, 5),
    ] {
        let config = networks::config(cell, layers, 19, task);
        let network = StepNetwork::new(&config, &Weights::first(&config, 5).unwrap()).unwrap();
        let events = networks::events(40);
        let mut scratch = network.scratch();
        let mut state = vec![0.0; network.state_len()];
        for event in 0..6 {
            let numbers = events.numbers(event);
            network.advance(numbers, &mut state, &mut scratch).unwrap();
        }
        let mut alternatives = Alternatives::default();
        // The room is used again.
        for round in 0..2 {
            let (mut got, mut expected) = (vec![7.0], vec![7.0]);
            alternatives.clear();
            for event in (0..count).map(|event| event + round) {
                let numbers = events.numbers(event);
                network
                    .push_alternative(numbers, &mut scratch, &mut alternatives)
                    .unwrap();
                let mut state = state.clone();
                network.advance(numbers, &mut state, &mut scratch).unwrap();
                expected.extend_from_slice(network.answer(&state, &mut scratch));
            }
            assert_eq!(alternatives.len(), count);
            network.answer_alternatives(&state, &mut alternatives, &mut scratch, &mut got);
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                // Sums of another order.
                assert!(
                    (got - expected).abs() < 1e-5,
                    "{cell:?} {task:?}: {got} {expected}"
                );
            }
        }
    }
}
