//! One user's long history: answers take the room of a block of steps, and are those of one piece to the bit.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::SequenceClassifier;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::{NativeBackend, NativeNetwork};
use dafu_sequence::network::{
    Backend, Batch, Cell, Embedding, Network, NetworkConfig, Objective, Task, Weights,
};
use dafu_testkit::{CountingAllocator, memory::peak_bytes};
use std::sync::Mutex;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Memory is counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const TASKS: [Task; 4] = [
    Task::Classify { attention: false },
    Task::Classify { attention: true },
    Task::NextEvent,
    Task::Reconstruct,
];

/// One entity for each number of events.
fn histories(lengths: &[usize]) -> (Events, Vec<Span>) {
    let mut builder = Events::builder(3, &[4, 3]);
    let mut stream = Stream::new(4, 0, 0);
    let mut spans = Vec::new();
    for (entity, length) in lengths.iter().enumerate() {
        let start = spans.last().map_or(0, |span: &Span| span.end);
        for event in 0..*length {
            let numeric = [(); 3].map(|()| stream.normal() as f32);
            let inputs = EventNumbers {
                numeric: &numeric,
                codes: &[stream.below(4) as u32, stream.below(3) as u32],
            };
            let time = Timestamp::from_seconds(event as i64).unwrap();
            let pushed = match event % 7 {
                3 => builder.push_context(time, inputs),
                _ => builder.push(time, inputs, Some(stream.below(3) == 0)),
            };
            pushed.unwrap();
        }
        builder.end_entity();
        spans.push(Span {
            start,
            scored_from: start + (length - 1) * (entity % 3) / 4,
            end: start + length,
        });
    }
    (builder.build(), spans)
}

fn config(cell: Cell, layers: usize, task: Task) -> NetworkConfig {
    NetworkConfig {
        numeric_inputs: 3,
        embeddings: vec![
            Embedding {
                categories: 4,
                dimension: 2,
            },
            Embedding {
                categories: 3,
                dimension: 3,
            },
        ],
        cell,
        layers,
        hidden_units: 19,
        dropout: 0.0,
        task,
    }
}

fn network(cell: Cell, task: Task) -> NativeNetwork {
    let config = config(cell, 2, task);
    let weights = Weights::first(&config, 5).unwrap();
    NativeBackend.network(&config, &weights).unwrap()
}

fn answers(network: &NativeNetwork, set: SequenceSet<'_>) -> Vec<f32> {
    let mut out = vec![0.0; set.scored().count() * network.config().outputs()];
    network.outputs(set, &mut out).unwrap();
    out
}

/// Keeps the answers of the way back, which goes through a sequence in one piece.
struct Recorder(Mutex<Vec<(usize, Vec<f32>)>>);

impl Objective for Recorder {
    fn event_loss(&self, _: SequenceSet<'_>, event: usize, outputs: &[f32], _: &mut [f32]) -> f32 {
        self.0.lock().unwrap().push((event, outputs.to_vec()));
        0.0
    }
}

#[test]
fn answers_in_blocks_are_those_of_one_piece_to_the_bit() {
    let _alone = ALONE.lock();
    let (events, spans) = histories(&[300, 257, 256, 193, 129, 128, 127, 65, 64, 63, 2, 1]);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let order: Vec<u32> = (0..spans.len() as u32).collect();
    for (cell, task) in [Cell::Lstm, Cell::Gru]
        .into_iter()
        .flat_map(|cell| TASKS.map(|task| (cell, task)))
    {
        let mut network = network(cell, task);
        // The second time on buffers that both ways have left behind.
        for _ in 0..2 {
            let got = answers(&network, set);
            let recorder = Recorder(Mutex::default());
            let batch = Batch {
                set,
                sequences: &order,
                noise: (0, 0),
            };
            network.gradient(batch, &recorder).unwrap();
            let mut recorded = recorder.0.into_inner().unwrap();
            recorded.sort_by_key(|(event, _)| *event);
            let expected: Vec<u32> = recorded
                .into_iter()
                .flat_map(|(_, outputs)| outputs)
                .map(f32::to_bits)
                .collect();
            let got: Vec<u32> = got.into_iter().map(f32::to_bits).collect();
            assert_eq!(got, expected, "{cell:?}, {task:?}");
        }
    }
}

#[test]
fn answers_take_the_room_of_a_block_and_not_of_the_history() {
    let _alone = ALONE.lock();
    // One long history, and enough short ones to fill its lanes.
    let mut lengths = vec![30_000];
    lengths.extend([5; 63]);
    let (events, spans) = histories(&lengths);
    for (cell, task) in [Cell::Lstm, Cell::Gru]
        .into_iter()
        .flat_map(|cell| TASKS.map(|task| (cell, task)))
    {
        for spans in [&spans[..1], &spans] {
            let network = network(cell, task);
            let set = SequenceSet::new(&events, spans).unwrap();
            let scored = set.scored().count();
            let (answers, bytes) = peak_bytes(&ALLOCATOR, || answers(&network, set));
            assert!(bytes > 0, "the allocator is not the global one");
            // Answers, their copy, and where they stand; then a block of steps. In one piece it would be 660 MB.
            let most = 8 * answers.len() + 64 * scored + 8 * lengths[0] + 6_000_000;
            assert!(
                bytes < most,
                "{bytes} instead of {most}: {cell:?}, {task:?}"
            );
        }
    }
}

#[test]
fn room_for_an_explanation_of_a_long_history_is_given_back() {
    let _alone = ALONE.lock();
    let (events, spans) = histories(&[4_000, 20]);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let config = config(Cell::Lstm, 1, Task::Classify { attention: true });
    let weights = Weights::first(&config, 5).unwrap();
    let model = SequenceClassifier::from_weights(&config, &weights).unwrap();
    let baseline = model.baseline(set).unwrap();
    let before = ALLOCATOR.current_usage();
    let (explanation, bytes) = peak_bytes(&ALLOCATOR, || model.explain(set, 0, &baseline));
    assert!(bytes > 100_000_000, "{bytes}");
    drop(explanation);
    let kept = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(kept < 100_000, "{kept}");
    // That of a short one is kept for the next.
    model.explain(set, 1, &baseline).unwrap();
    assert!(ALLOCATOR.current_usage() > before + 1_000_000);
}

#[test]
fn room_for_the_way_back_of_a_long_history_is_given_back_by_the_next_answers() {
    let _alone = ALONE.lock();
    let (events, spans) = histories(&[4_000, 20]);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let mut network = network(Cell::Gru, Task::NextEvent);
    let batch = Batch {
        set,
        sequences: &[0, 1],
        noise: (0, 0),
    };
    let before = ALLOCATOR.current_usage();
    network
        .gradient(batch, &Recorder(Mutex::default()))
        .unwrap();
    assert!(ALLOCATOR.current_usage() > before + 100_000_000);
    let short = SequenceSet::new(&events, &spans[1..]).unwrap();
    drop(answers(&network, short));
    let kept = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(kept < 5_000_000, "{kept}");
}
