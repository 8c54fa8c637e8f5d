//! Networks of `PyTorch` here, and networks from here in `PyTorch`: answers, gradients, steps of `AdamW`, files.
//!
//! `testdata/golden/make_golden.py` has written what is compared with. The test that asks a Python about networks trained here
//! is run by hand; the gate has no `PyTorch`:
//!
//! `DAFU_PYTHON=python3 cargo test -p dafu-sequence --features serde --test pytorch -- --ignored`
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests"
)]

mod golden;

use dafu_core::Timestamp;
use dafu_core::model::Limits;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::{NativeBackend, StepNetwork};
use dafu_sequence::network::{
    AdamStep, Backend, Batch, Cell, Embedding, Network, NetworkConfig, Objective, Task, Weights,
};
use dafu_sequence::objective::{ClassLoss, ClassObjective, InputLikelihood};
use dafu_sequence::saved::SavedNetwork;
use golden::{Golden, Tensors};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

fn objective(config: &NetworkConfig, pos_weight: f32) -> Box<dyn Objective> {
    match config.task {
        Task::Classify { .. } => Box::new(ClassObjective {
            loss: ClassLoss::CrossEntropy { pos_weight },
        }),
        _ => Box::new(InputLikelihood::new(config)),
    }
}

fn longest_first(spans: &[Span]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..spans.len() as u32).collect();
    order.sort_by_key(|at| std::cmp::Reverse(spans[*at as usize].len()));
    order
}

fn outputs(network: &impl Network, set: SequenceSet<'_>) -> Vec<f32> {
    let mut outputs = vec![0.0; set.scored().count() * network.config().outputs()];
    network.outputs(set, &mut outputs).unwrap();
    outputs
}

fn distance(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().zip(right);
    pairs.fold(0.0, |most, (left, right)| most.max((left - right).abs()))
}

/// Largest distances over all golden networks.
#[derive(Debug, Default)]
struct Largest {
    outputs: f32,
    losses: f64,
    gradients: f32,
    norms: f64,
    after: f32,
}

fn compare(golden: &Golden, events: &Events, spans: &[Span], largest: &mut Largest) {
    let Golden {
        name,
        config,
        weights,
        expected,
    } = golden;
    let set = SequenceSet::new(events, spans).unwrap();
    let mut network = NativeBackend.network(config, weights).unwrap();
    let answers = outputs(&network, set);
    let of_answers = distance(&answers, &expected.floats("outputs"));
    assert!(of_answers < 1e-5, "{name}: outputs {of_answers}");
    largest.outputs = largest.outputs.max(of_answers);

    let objective = objective(config, 3.0);
    let order = longest_first(spans);
    let batch = Batch {
        set,
        sequences: &order,
        noise: (0, 0),
    };
    let (losses, norms) = (expected.floats("losses"), expected.floats("norms"));
    let mut mean_loss = |network: &mut dyn Network, at: usize| {
        let (loss, count) = network.gradient(batch, &*objective).unwrap();
        let off = (loss / count as f64 - f64::from(losses[at])).abs();
        assert!(off < 1e-5, "{name}: loss {at} {off}");
        largest.losses = largest.losses.max(off);
    };
    for (at, norm) in norms.iter().enumerate() {
        mean_loss(&mut network, at);
        if at == 0 {
            let gradient = network.kept_gradient().unwrap();
            for parameter in weights.layout().parameters() {
                let expected = expected.floats(&format!("gradient.{}", parameter.name));
                let most = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                let off = distance(&gradient[parameter.range.clone()], &expected) / most;
                assert!(off < 1e-4, "{name}: gradient of {} {off}", parameter.name);
                largest.gradients = largest.gradients.max(off);
            }
        }
        let step = AdamStep {
            step: at as u64 + 1,
            learning_rate: 0.003,
            weight_decay: 0.1,
            clip_norm: 0.1,
        };
        let off = (network.update(step).unwrap() - f64::from(*norm)).abs();
        assert!(off < 1e-5, "{name}: length of gradient {at} {off}");
        largest.norms = largest.norms.max(off);
    }
    mean_loss(&mut network, norms.len());
    let after = network.weights().unwrap();
    for parameter in after.layout().parameters() {
        let expected = expected.floats(&format!("after.{}", parameter.name));
        let off = distance(&after.numbers()[parameter.range.clone()], &expected);
        assert!(off < 1e-5, "{name}: {} after steps {off}", parameter.name);
        largest.after = largest.after.max(off);
    }
}

#[test]
fn networks_of_pytorch_answer_and_learn_here_as_there() {
    let (events, spans) = golden::events();
    let mut largest = Largest::default();
    let all = golden::all();
    assert_eq!(all.len(), 16);
    for golden in &all {
        compare(golden, &events, &spans, &mut largest);
    }
    println!("largest distances: {largest:?}");
}

#[test]
fn networks_of_pytorch_answer_event_by_event_as_there() {
    let (events, spans) = golden::events();
    let mut compared = 0;
    for golden in golden::all() {
        let Ok(network) = StepNetwork::new(&golden.config, &golden.weights) else {
            assert_eq!(golden.config.task, Task::Reconstruct);
            continue;
        };
        let before = golden.config.task == Task::NextEvent;
        let mut scratch = network.scratch();
        let mut answers = Vec::new();
        for span in &spans {
            let mut state = vec![0.0; network.state_len()];
            for event in span.start..span.end {
                let scored = event >= span.scored_from && events.scorable(event);
                if before && scored {
                    answers.extend(network.answer(&state, &mut scratch));
                }
                let inputs = events.numbers(event);
                network.advance(inputs, &mut state, &mut scratch).unwrap();
                if !before && scored {
                    answers.extend(network.answer(&state, &mut scratch));
                }
            }
        }
        let off = distance(&answers, &golden.expected.floats("outputs"));
        assert!(off < 1e-5, "{}: {off}", golden.name);
        compared += 1;
    }
    assert_eq!(compared, 12);
}

/// What a file holds after its texts: the rest of the header without its padding, and the numbers.
fn after_metadata(bytes: &[u8]) -> (String, &[u8]) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let metadata = "\"__metadata__\":";
    let rest = header.split_once(metadata).unwrap().1;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    values.next().unwrap().unwrap();
    let tensors = rest.split_at(values.byte_offset()).1.trim_end().to_owned();
    (tensors, &bytes[8 + length..])
}

#[test]
fn files_are_those_of_python_but_for_their_texts() {
    for golden in golden::all() {
        let python = golden::bytes(&format!("{}.safetensors", golden.name));
        let here = golden.weights.to_safetensors(&golden.config).unwrap();
        assert_eq!(after_metadata(&here), after_metadata(&python));
        assert_eq!(here.len() % 4, 0);
        let tensors = Tensors::read(&here);
        assert_eq!(tensors.text("format"), "pt");
        let config: NetworkConfig = serde_json::from_str(&tensors.text("dafu.config")).unwrap();
        assert_eq!(config, golden.config);
    }
}

#[test]
fn what_is_read_is_written_again_to_the_byte() {
    for golden in golden::all() {
        let mut saved = SavedNetwork::new(golden.config.clone(), golden.weights);
        saved.config.dropout = 0.1;
        for (key, text) in [("scaler", "{\"mean\":[0.5]}"), ("a \"b\"", "\u{e4}\n")] {
            saved.metadata.insert(key.to_owned(), text.to_owned());
        }
        let bytes = saved.to_safetensors().unwrap();
        let read = SavedNetwork::from_safetensors(&bytes, &Limits::default()).unwrap();
        assert_eq!(read, saved);
        assert_eq!(read.to_safetensors().unwrap(), bytes);
        assert_eq!(saved.clone().to_safetensors().unwrap(), bytes);
    }
}

/// Users whose frauds are larger than usual, so that there is something to learn.
fn many_events(users: usize) -> Events {
    let mut builder = Events::builder(4, &[5, 9]);
    let mut stream = Stream::new(3, 1, 4);
    for _ in 0..users {
        for event in 0..=stream.below(20) {
            let fraud = stream.unit() < 0.2;
            let codes = [stream.below(5) as u32, stream.below(9) as u32];
            let mut numeric = [0.0; 4];
            for number in &mut numeric {
                *number = (stream.normal() + f64::from(u8::from(fraud))) as f32;
            }
            let inputs = EventNumbers {
                numeric: &numeric,
                codes: &codes,
            };
            let time = Timestamp::from_micros(event as i64).unwrap();
            builder.push(time, inputs, Some(fraud)).unwrap();
        }
        builder.end_entity();
    }
    builder.build()
}

/// Trains a network, and writes it to a folder with events and its answers.
fn train_and_write(folder: &Path, name: &str, config: &NetworkConfig) {
    let events = many_events(60);
    let spans = events.segments(20, 0);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let weights = Weights::first(config, 9).unwrap();
    let mut network = NativeBackend.network(config, &weights).unwrap();
    let objective = objective(config, 2.0);
    let order = longest_first(&spans);
    let mut losses = Vec::new();
    for step in 1..=60 {
        let batch = Batch {
            set,
            sequences: &order,
            noise: (1, step),
        };
        let (loss, count) = network.gradient(batch, &*objective).unwrap();
        losses.push(loss / count as f64);
        let step = AdamStep {
            step,
            learning_rate: 0.02,
            weight_decay: 0.01,
            clip_norm: 1.0,
        };
        network.update(step).unwrap();
    }
    assert!(losses[59] < losses[0], "{name}: {losses:?}");
    let bytes = network.weights().unwrap().to_safetensors(config).unwrap();
    std::fs::write(folder.join(format!("{name}.safetensors")), bytes).unwrap();
    let mut json = String::new();
    let all: Vec<_> = (0..events.len()).map(|at| events.numbers(at)).collect();
    let numeric: Vec<_> = all.iter().map(|event| event.numeric).collect();
    let codes: Vec<_> = all.iter().map(|event| event.codes).collect();
    let ends: Vec<_> = spans.iter().map(|span| [span.start, span.end]).collect();
    let outputs = outputs(&network, set);
    write!(
        json,
        "{{\"numeric\":{numeric:?},\"codes\":{codes:?},\"spans\":{ends:?},\"outputs\":{outputs:?}}}"
    )
    .unwrap();
    std::fs::write(folder.join(format!("{name}.json")), json).unwrap();
}

/// `DAFU_PYTHON` names a Python that has torch and safetensors; without it `python3` is asked, and has to have them.
#[test]
#[ignore = "needs a Python with torch and safetensors, by DAFU_PYTHON"]
fn networks_trained_here_answer_in_pytorch_as_here() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trained_for_pytorch");
    std::fs::create_dir_all(&folder).unwrap();
    for cell in [Cell::Lstm, Cell::Gru] {
        for layers in [1, 3] {
            for (name, task) in [
                ("classify", Task::Classify { attention: false }),
                ("attention", Task::Classify { attention: true }),
                ("next_event", Task::NextEvent),
                ("reconstruct", Task::Reconstruct),
            ] {
                let sizes = [(5, 2), (9, 3)];
                let embedding = |(categories, dimension)| Embedding {
                    categories,
                    dimension,
                };
                let config = NetworkConfig {
                    numeric_inputs: 4,
                    embeddings: sizes.map(embedding).to_vec(),
                    cell,
                    layers,
                    hidden_units: 32,
                    dropout: 0.1,
                    task,
                };
                let name = format!("{cell:?}_{layers}_{name}").to_lowercase();
                train_and_write(&folder, &name, &config);
            }
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/check_in_pytorch.py");
    let python = std::env::var("DAFU_PYTHON").unwrap_or("python3".to_owned());
    let checked = Command::new(python).args([&script, &folder]).status();
    assert!(checked.unwrap().success());
}
