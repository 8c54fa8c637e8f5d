//! Integrated gradients: complete, and where they ought to be.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_sequence::{SequenceClassifier, SequenceError};

fn model(cell: Cell, attention: bool) -> SequenceClassifier {
    let config = NetworkConfig {
        numeric_inputs: 3,
        embeddings: vec![Embedding {
            categories: 4,
            dimension: 3,
        }],
        cell,
        layers: 2,
        hidden_units: 7,
        dropout: 0.4,
        task: Task::Classify { attention },
    };
    let mut numbers = Weights::first(&config, 9).unwrap().numbers().to_vec();
    for number in &mut numbers {
        *number *= 4.0;
    }
    SequenceClassifier::from_weights(&config, &Weights::new(&config, numbers).unwrap()).unwrap()
}

fn events() -> Events {
    let mut stream = Stream::new(3, 0, 0);
    let mut builder = Events::builder(3, &[4]);
    for second in 0..12 {
        let numeric: Vec<f32> = (0..3).map(|_| stream.normal() as f32).collect();
        let codes = [stream.below(4) as u32];
        let inputs = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        builder
            .push(Timestamp::from_seconds(second).unwrap(), inputs, None)
            .unwrap();
    }
    builder.build()
}

#[test]
fn contributions_add_up_to_the_difference_of_answers() {
    let events = events();
    for cell in [Cell::Lstm, Cell::Gru] {
        for attention in [false, true] {
            let model = model(cell, attention);
            // The second one is scored before its end.
            let spans = [
                Span {
                    start: 0,
                    scored_from: 11,
                    end: 12,
                },
                Span {
                    start: 2,
                    scored_from: 2,
                    end: 9,
                },
            ];
            let set = SequenceSet::new(&events, &spans).unwrap();
            let baseline = model.baseline(set).unwrap();
            let log_odds = model.log_odds(set).unwrap();
            for (sequence, answer) in [(0, log_odds[0]), (1, log_odds[7])] {
                let explained = model.explain(set, sequence, &baseline).unwrap();
                assert!((explained.answer - answer).abs() < 1e-5);
                assert_eq!(explained.events(), spans[sequence].len());
                let sum: f32 = (0..explained.events())
                    .map(|event| explained.event(event))
                    .sum();
                let difference = explained.answer - explained.baseline;
                assert!(
                    (sum - difference).abs() < 2e-3 * difference.abs().max(1.0),
                    "{sum} {difference}"
                );
                let moved = (0..explained.events()).map(|event| explained.event(event).abs());
                let moved: f32 = moved.sum();
                assert!(moved > 0.1, "{moved}");
            }
        }
    }
}

#[test]
fn an_event_as_the_baseline_adds_nothing() {
    let mut builder = Events::builder(1, &[]);
    for (second, number) in [0.0, 0.0, 3.0, 0.0, -3.0_f32].into_iter().enumerate() {
        let inputs = EventNumbers {
            numeric: &[number],
            codes: &[],
        };
        builder
            .push(
                Timestamp::from_seconds(second as i64).unwrap(),
                inputs,
                None,
            )
            .unwrap();
    }
    let events = builder.build();
    let config = NetworkConfig {
        numeric_inputs: 1,
        embeddings: Vec::new(),
        cell: Cell::Gru,
        layers: 1,
        hidden_units: 4,
        dropout: 0.0,
        task: Task::Classify { attention: false },
    };
    let weights = Weights::first(&config, 1).unwrap();
    let model = SequenceClassifier::from_weights(&config, &weights).unwrap();
    let spans = [Span {
        start: 0,
        scored_from: 4,
        end: 5,
    }];
    let set = SequenceSet::new(&events, &spans).unwrap();
    let baseline = model.baseline(set).unwrap();
    let explained = model.explain(set, 0, &baseline).unwrap();
    let moved: Vec<bool> = (0..5)
        .map(|event| explained.event(event).abs() > 1e-6)
        .collect();
    assert_eq!(moved, [false, false, true, false, true]);
    assert!(matches!(
        model.explain(set, 1, &baseline),
        Err(SequenceError::Empty { .. })
    ));
}
