//! Surprises of many events: the outputs that they are made of are never all there at once.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_sequence::{NextEventModel, SequenceParams, training::Training};
use dafu_testkit::{CountingAllocator, memory::peak_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CATEGORIES: u32 = 1_000;

#[test]
fn surprises_are_those_of_predictions_in_a_fraction_of_the_room() {
    let mut builder = Events::builder(1, &[CATEGORIES]);
    let mut stream = Stream::new(6, 0, 0);
    for _ in 0..8_000 {
        for second in 0..5 {
            let inputs = EventNumbers {
                numeric: &[stream.normal() as f32],
                codes: &[stream.below(u64::from(CATEGORIES)) as u32],
            };
            let time = Timestamp::from_seconds(second).unwrap();
            builder.push(time, inputs, None).unwrap();
        }
        builder.end_entity();
    }
    let events = builder.build();
    let spans = events.segments(5, 0);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let config = NetworkConfig {
        numeric_inputs: 1,
        embeddings: vec![Embedding {
            categories: CATEGORIES,
            dimension: 2,
        }],
        cell: Cell::Gru,
        layers: 1,
        hidden_units: 4,
        dropout: 0.0,
        task: Task::NextEvent,
    };
    let weights = Weights::first(&config, 5).unwrap();
    let model = NextEventModel::from_weights(&config, &weights).unwrap();
    let outputs = 4 * config.outputs() * events.len();
    let (got, bytes) = peak_bytes(&ALLOCATOR, || model.surprises(set).unwrap());
    assert!(bytes > 0, "the allocator is not the global one");
    assert!(bytes < outputs, "{bytes} for {outputs} of outputs");
    let expected = model.predictions(set).unwrap();
    let bits = |surprises: &dafu_sequence::Surprises| -> Vec<u32> {
        let events = 0..surprises.len();
        let inputs = events.flat_map(|event| surprises.inputs(event));
        inputs.map(|number| number.to_bits()).collect()
    };
    assert_eq!(bits(&got), bits(expected.surprises()));

    // Nor are they where a training is judged.
    let few = SequenceSet::new(&events, &spans[..10]).unwrap();
    let training = Training::new(few).validation(set);
    let params = SequenceParams::default().hidden_units(4).epochs(1);
    let (model, bytes) = peak_bytes(&ALLOCATOR, || params.fit_next_event(&training).unwrap());
    assert!(bytes < outputs, "{bytes} for {outputs} of outputs");
    let surprises = model.surprises(set).unwrap();
    let sum: f64 = bits(&surprises)
        .into_iter()
        .map(|bits| f64::from(f32::from_bits(bits)))
        .sum();
    let judged = model.report().epochs[0].validation.unwrap();
    assert_eq!(judged.to_bits(), (-sum / events.len() as f64).to_bits());
}
