//! Our side of `peers/run.sh sequence`: reads what the Python side wrote, runs, prints figures.
//!
//! FOLDER holds little-endian f32 values: `inputs.f32` (sequences x 10 events x 16 numbers), `labels.f32` (one a
//! sequence, that of its last event) and `weights.f32` (in the order of `Layout`: weights and biases of the layer, then
//! those of the head). CELL is `lstm` or `gru`; the network has one layer of 64 units.
//!
//! - `sequence_peer check CELL FOLDER`: writes the log odds of the first 256 sequences to `scores.f32`, then trains an
//!   epoch with the sequences in order of the file; its mean loss.
//! - `sequence_peer train CELL FOLDER`: CPU seconds of an epoch in random order, one thread.
//! - `sequence_peer infer CELL FOLDER`: CPU seconds of scoring 256 sequences together and one alone, one thread.
//! - `sequence_peer steps CELL FOLDER`: writes the log odds of the first 256 sequences, event by event, to `scores.f32`.
//! - `sequence_peer step CELL FOLDER`: CPU seconds of one event of one user, answer included.
//! - `sequence_peer users CELL FOLDER`: seconds by the clock of single calls that look up the state of one of 100,000 users,
//!   score an event and keep the state: the median, and the 99th of a hundred.
//! - `sequence_peer threads CELL FOLDER`: seconds by the clock of an epoch with one thread and with two, and of two
//!   epochs beside each other with one thread each; the best of ten turns.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::{NativeBackend, NativeNetwork};
use dafu_sequence::network::{
    AdamStep, Backend, Batch, Cell, Network, NetworkConfig, Task, Weights,
};
use dafu_sequence::objective::ClassObjective;
use dafu_sequence::stream::{StreamParams, StreamScorer};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const STEPS: usize = 10;
const INPUTS: usize = 16;
const UNITS: usize = 64;
const BATCH: usize = 256;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [part, cell, folder] = arguments[..] else {
        return Err(
            "usage: sequence_peer check|train|infer|steps|step|users|threads CELL FOLDER".into(),
        );
    };
    let cell = match cell {
        "lstm" => Cell::Lstm,
        "gru" => Cell::Gru,
        _ => return Err("CELL: lstm or gru".into()),
    };
    let folder = Path::new(folder);
    let (events, spans) = read_sequences(folder)?;
    let set = SequenceSet::new(&events, &spans)?;
    let network = read_network(cell, folder)?;
    match part {
        "check" => check(network, set, &folder.join("scores.f32")),
        "train" => train(network, set),
        "infer" => infer(&network, set),
        "steps" => steps(&network, set, &folder.join("scores.f32")),
        "step" => step(&network, set),
        "users" => users(&network, set),
        "threads" => threads(cell, folder, set),
        _ => Err("no such part".into()),
    }
}

fn read_values(file: &Path) -> Outcome<Vec<f32>> {
    let bytes = std::fs::read(file)?;
    let values = bytes.chunks_exact(4);
    Ok(values
        .map(|bytes| bytes.try_into().map(f32::from_le_bytes))
        .collect::<Result<_, _>>()?)
}

fn write_values(file: &Path, values: &[f32]) -> Outcome<()> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    Ok(std::fs::write(file, bytes.collect::<Vec<u8>>())?)
}

fn read_sequences(folder: &Path) -> Outcome<(Events, Vec<Span>)> {
    let inputs = read_values(&folder.join("inputs.f32"))?;
    let labels = read_values(&folder.join("labels.f32"))?;
    let mut builder = Events::builder(INPUTS, &[]);
    for (sequence, label) in inputs.chunks_exact(STEPS * INPUTS).zip(&labels) {
        for (step, numeric) in sequence.chunks_exact(INPUTS).enumerate() {
            let time = Timestamp::from_micros(step as i64)?;
            let numbers = EventNumbers {
                numeric,
                codes: &[],
            };
            builder.push(time, numbers, Some(*label > 0.5))?;
        }
        builder.end_entity();
    }
    let spans = (0..labels.len()).map(|sequence| Span {
        start: sequence * STEPS,
        scored_from: (sequence + 1) * STEPS - 1,
        end: (sequence + 1) * STEPS,
    });
    Ok((builder.build(), spans.collect()))
}

fn read_network(cell: Cell, folder: &Path) -> Outcome<NativeNetwork> {
    let config = NetworkConfig {
        numeric_inputs: INPUTS,
        embeddings: Vec::new(),
        cell,
        layers: 1,
        hidden_units: UNITS,
        dropout: 0.0,
        task: Task::Classify { attention: false },
    };
    let numbers = read_values(&folder.join("weights.f32"))?;
    let weights = Weights::new(&config, numbers)?;
    Ok(NativeBackend.network(&config, &weights)?)
}

/// Trains one epoch, and gives back the sum of the losses. `steps` counts those of all epochs.
fn epoch(
    network: &mut NativeNetwork,
    set: SequenceSet<'_>,
    order: &[u32],
    steps: &mut u64,
) -> Outcome<f64> {
    let objective = ClassObjective::default();
    let mut loss = 0.0;
    for sequences in order.chunks(BATCH) {
        let batch = Batch {
            set,
            sequences,
            noise: (0, 0),
        };
        loss += network.gradient(batch, &objective)?.0;
        *steps += 1;
        network.update(AdamStep {
            step: *steps,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            clip_norm: f64::INFINITY,
        })?;
    }
    Ok(loss)
}

fn in_order(set: SequenceSet<'_>) -> Vec<u32> {
    (0_u32..).take(set.spans().len()).collect()
}

fn shuffle(order: &mut [u32], seed: u64) {
    let count = order.len();
    Stream::new(seed, 0, 0).shuffle_first(order, count);
}

fn check(mut network: NativeNetwork, set: SequenceSet<'_>, to: &Path) -> Outcome<()> {
    let first = SequenceSet::new(set.events(), &set.spans()[..BATCH])?;
    let mut scores = vec![0.0; BATCH];
    network.outputs(first, &mut scores)?;
    write_values(to, &scores)?;
    let order = in_order(set);
    let loss = epoch(&mut network, set, &order, &mut 0)?;
    println!("loss={}", loss / order.len() as f64);
    Ok(())
}

fn train(mut network: NativeNetwork, set: SequenceSet<'_>) -> Outcome<()> {
    let mut order = in_order(set);
    let mut steps = 0;
    // Some batches first, so that memory is there.
    epoch(&mut network, set, &order[..8 * BATCH], &mut steps)?;
    let start = cpu_seconds();
    shuffle(&mut order, 1);
    black_box(epoch(&mut network, set, &order, &mut steps)?);
    println!("epoch={}", cpu_seconds() - start);
    Ok(())
}

/// CPU seconds of one call, the mean over so many calls that they take 0.2 s or more.
fn time_of(mut call: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut calls = 1_u32;
    loop {
        let start = cpu_seconds();
        for _ in 0..calls {
            call()?;
        }
        let taken = cpu_seconds() - start;
        if taken >= 0.2 || calls > 1 << 24 {
            return Ok(taken / f64::from(calls));
        }
        calls *= 4;
    }
}

fn infer(network: &NativeNetwork, set: SequenceSet<'_>) -> Outcome<()> {
    let (events, spans) = (set.events(), &set.spans()[..BATCH]);
    let together = SequenceSet::new(events, spans)?;
    let mut scores = vec![0.0; BATCH];
    let batch = time_of(|| Ok(network.outputs(black_box(together), &mut scores)?))?;
    let mut alone = spans.chunks(1).cycle();
    let one = time_of(|| {
        let span = alone.next().unwrap_or_default();
        Ok(network.outputs(SequenceSet::new(events, span)?, &mut scores[..1])?)
    })?;
    println!("batch={batch} one={one}");
    Ok(())
}

fn steps(network: &NativeNetwork, set: SequenceSet<'_>, to: &Path) -> Outcome<()> {
    let network = network.step_network()?;
    let mut scratch = network.scratch();
    let mut scores = Vec::with_capacity(BATCH);
    for span in &set.spans()[..BATCH] {
        let mut state = vec![0.0; network.state_len()];
        for event in span.start..span.end {
            network.advance(set.events().numbers(event), &mut state, &mut scratch)?;
        }
        scores.push(network.answer(&state, &mut scratch)[0]);
    }
    write_values(to, &scores)
}

fn step(network: &NativeNetwork, set: SequenceSet<'_>) -> Outcome<()> {
    let network = network.step_network()?;
    let mut scratch = network.scratch();
    let mut state = vec![0.0; network.state_len()];
    let mut events = (0..BATCH * STEPS).cycle();
    let step = time_of(|| {
        let numbers = set.events().numbers(events.next().unwrap_or_default());
        network.advance(black_box(numbers), &mut state, &mut scratch)?;
        black_box(network.answer(&state, &mut scratch));
        Ok(())
    })?;
    println!("step={step}");
    Ok(())
}

fn users(network: &NativeNetwork, set: SequenceSet<'_>) -> Outcome<()> {
    const USERS: u64 = 100_000;
    let params = StreamParams::default().capacity(2 * USERS as usize);
    let mut scorer: StreamScorer<u64> = StreamScorer::new(network.step_network()?, &params)?;
    let mut stream = Stream::new(2, 0, 0);
    let mut taken = Vec::with_capacity(3 * USERS as usize);
    for call in 0..4 * USERS {
        // Everybody once, then anybody.
        let user = if call < USERS {
            call
        } else {
            stream.below(USERS)
        };
        let event = stream.index_below(set.events().len());
        let numbers = set.events().numbers(event);
        let time = Timestamp::from_micros(call as i64 * 1_000)?;
        // Numbers come from somewhere just now: they are in the cache.
        black_box(numbers.numeric.iter().sum::<f32>());
        let start = Instant::now();
        black_box(scorer.score(&user, time, black_box(numbers))?);
        let elapsed = start.elapsed().as_secs_f64();
        if call >= USERS {
            taken.push(elapsed);
        }
    }
    taken.sort_by(f64::total_cmp);
    let (p50, p99) = (taken[taken.len() / 2], taken[taken.len() / 100 * 99]);
    println!("p50={p50} p99={p99}");
    Ok(())
}

fn threads(cell: Cell, folder: &Path, set: SequenceSet<'_>) -> Outcome<()> {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let (single, double) = (pool(1)?, pool(2)?);
    let mut order = in_order(set);
    shuffle(&mut order, 1);
    let mut networks = [read_network(cell, folder)?, read_network(cell, folder)?];
    let mut other = read_network(cell, folder)?;
    let (mut one, mut two, mut beside) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    let run = |network: &mut NativeNetwork| {
        // From a fresh count of steps: what the weights become does not matter here.
        epoch(network, set, &order, &mut 0).map_err(|error| error.to_string())
    };
    for turn in 0..10 {
        let start = Instant::now();
        single.install(|| run(&mut networks[0]))?;
        one = one.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        double.install(|| run(&mut other))?;
        two = two.min(start.elapsed().as_secs_f64());
        if turn == 0 && networks[0].weights() != other.weights() {
            return Err("two threads have learned other weights than one".into());
        }
        let start = Instant::now();
        std::thread::scope(|scope| {
            let runs = networks.each_mut().map(|network| {
                let pool = pool(1);
                scope.spawn(move || pool.map(|pool| pool.install(|| run(network))))
            });
            runs.into_iter().try_for_each(|thread| match thread.join() {
                Ok(Ok(Ok(_))) => Ok(()),
                _ => Err("a training beside another one failed"),
            })
        })?;
        beside = beside.min(start.elapsed().as_secs_f64());
    }
    println!("one={one} two={two} beside={beside}");
    Ok(())
}
