//! Training steps and scores of recurrent networks. Inputs come from a fixed seed, outside the timed part.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::SequenceError;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::{NativeBackend, NativeNetwork};
use dafu_sequence::network::{
    AdamStep, Backend, Batch, Cell, Network, NetworkConfig, Task, Weights,
};
use dafu_sequence::objective::ClassObjective;
use std::hint::black_box;

const SEQUENCES: usize = 256;
const STEPS: usize = 10;
const INPUTS: usize = 16;

const CELLS: [(&str, Cell); 2] = [("lstm", Cell::Lstm), ("gru", Cell::Gru)];

/// A batch of sequences of ten events, of which the last is scored.
fn batch() -> Option<(Events, Vec<Span>)> {
    let mut stream = Stream::new(1, 0, 0);
    let mut builder = Events::builder(INPUTS, &[]);
    let mut spans = Vec::new();
    for sequence in 0..SEQUENCES {
        let fraud = Some(stream.below(20) == 0);
        for step in 0..STEPS {
            let numeric = [(); INPUTS].map(|()| stream.normal() as f32);
            let numbers = EventNumbers {
                numeric: &numeric,
                codes: &[],
            };
            let time = Timestamp::from_micros(step as i64).ok()?;
            builder.push(time, numbers, fraud).ok()?;
        }
        builder.end_entity();
        spans.push(Span {
            start: sequence * STEPS,
            scored_from: (sequence + 1) * STEPS - 1,
            end: (sequence + 1) * STEPS,
        });
    }
    Some((builder.build(), spans))
}

fn network(cell: Cell) -> Result<NativeNetwork, SequenceError> {
    let config = NetworkConfig {
        numeric_inputs: INPUTS,
        embeddings: Vec::new(),
        cell,
        layers: 1,
        hidden_units: 64,
        dropout: 0.0,
        task: Task::Classify { attention: false },
    };
    NativeBackend.network(&config, &Weights::first(&config, 1)?)
}

fn train(criterion: &mut Criterion) {
    let Some((events, spans)) = batch() else {
        return;
    };
    let order: Vec<u32> = (0..).take(SEQUENCES).collect();
    let mut group = criterion.benchmark_group("sequence/train");
    group.throughput(Throughput::Elements(SEQUENCES as u64));
    for (name, cell) in CELLS {
        let (Ok(mut network), Ok(set)) = (network(cell), SequenceSet::new(&events, &spans)) else {
            continue;
        };
        let mut step = AdamStep {
            step: 0,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            clip_norm: f64::INFINITY,
        };
        group.bench_function(format!("cell={name}"), |bencher| {
            bencher.iter(|| -> Result<f64, SequenceError> {
                let batch = Batch {
                    set,
                    sequences: &order,
                    noise: (0, 0),
                };
                step.step += 1;
                network.gradient(batch, &ClassObjective::default())?;
                network.update(step)
            });
        });
    }
    group.finish();
}

fn score(criterion: &mut Criterion, name: &str, sequences: usize) {
    let Some((events, spans)) = batch() else {
        return;
    };
    let mut group = criterion.benchmark_group(format!("sequence/{name}"));
    group.throughput(Throughput::Elements(sequences as u64));
    for (name, cell) in CELLS {
        let set = SequenceSet::new(&events, &spans[..sequences]);
        let (Ok(network), Ok(set)) = (network(cell), set) else {
            continue;
        };
        let mut scores = vec![0.0; sequences];
        group.bench_function(format!("cell={name}"), |bencher| {
            bencher.iter(|| network.outputs(black_box(set), &mut scores));
        });
    }
    group.finish();
}

fn score_batch(criterion: &mut Criterion) {
    score(criterion, "batch", SEQUENCES);
}

fn score_one(criterion: &mut Criterion) {
    score(criterion, "one", 1);
}

/// One event more of one user.
fn step(criterion: &mut Criterion) {
    let Some((events, _)) = batch() else {
        return;
    };
    let mut group = criterion.benchmark_group("sequence/step");
    group.throughput(Throughput::Elements(1));
    for (name, cell) in CELLS {
        let Ok(network) = network(cell).and_then(|network| network.step_network()) else {
            continue;
        };
        let (mut state, mut scratch) = (vec![0.0; network.state_len()], network.scratch());
        let mut order = (0..events.len()).cycle();
        group.bench_function(format!("cell={name}"), |bencher| {
            bencher.iter(|| -> Result<f32, SequenceError> {
                let event = order.next().unwrap_or_default();
                network.advance(events.numbers(event), &mut state, &mut scratch)?;
                Ok(network.answer(&state, &mut scratch)[0])
            });
        });
    }
    group.finish();
}

criterion_group!(benches, train, score_batch, score_one, step);
criterion_main!(benches);
