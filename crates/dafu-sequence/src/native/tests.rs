//! Every kind of instructions against plain loops and against each other, for shapes that fill tiles and that do not.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::math::lstm_gates;
use super::matmul::{Factor, MatMul, Start};
use super::network::NativeNetwork;
use super::{LANES, StepNetwork, VECTOR};
use crate::data::{EventNumbers, Events, SequenceSet, Span};
use crate::network::{AdamStep, Batch, Cell, Embedding, Network, NetworkConfig, Task, Weights};
use crate::objective::{ClassObjective, InputLikelihood};
use dafu_core::Timestamp;
use dafu_core::random::Stream;
use pulp::{Arch, Simd, WithSimd};

fn archs() -> Vec<Arch> {
    let mut archs = vec![Arch::Scalar, Arch::new()];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(v3) = pulp::x86::V3::try_new() {
        archs.push(Arch::V3(v3));
    }
    archs
}

fn numbers(stream: &mut Stream, count: usize) -> Vec<f32> {
    let draws = std::iter::repeat_with(|| stream.below(2_001));
    let small = draws.map(|draw| f32::from(u16::try_from(draw).unwrap()) / 1_000.0 - 1.0);
    small.take(count).collect()
}

#[test]
fn products_are_sums_of_products() {
    let mut stream = Stream::new(1, 0, 0);
    for (rows, inner) in [
        (1, 0),
        (1, 1),
        (4, 5),
        (7, 64),
        (9, 129),
        (13, 300),
        (64, 33),
    ] {
        for columns in (1..8).chain([11]).map(|vectors| vectors * VECTOR) {
            // Rows and columns lie in larger matrices.
            let (factor_stride, stride) = (rows.max(inner) + 3, columns + VECTOR);
            let factor = numbers(&mut stream, factor_stride * factor_stride);
            let other = numbers(&mut stream, inner.max(1) * stride);
            let before = numbers(&mut stream, rows * stride);
            for (arch, turned) in archs()
                .into_iter()
                .flat_map(|arch| [(arch, false), (arch, true)])
            {
                let at = |row: usize, step: usize| {
                    let (major, minor) = if turned { (step, row) } else { (row, step) };
                    factor[major * factor_stride + minor]
                };
                let as_factor = if turned {
                    Factor::Columns(&factor, factor_stride)
                } else {
                    Factor::Rows(&factor, factor_stride)
                };
                for start in [Start::Zero, Start::Kept, Start::Row(&before[..columns])] {
                    let mut result = before.clone();
                    arch.dispatch(MatMul {
                        factor: as_factor,
                        rows,
                        inner,
                        columns,
                        other: (&other, stride),
                        result: (&mut result, stride),
                        start,
                    });
                    for (place, got) in result.iter().enumerate() {
                        let (row, column) = (place / stride, place % stride);
                        if column >= columns {
                            assert_eq!(got.to_bits(), before[place].to_bits(), "not its own");
                            continue;
                        }
                        let first = match start {
                            Start::Zero => 0.0,
                            Start::Kept => f64::from(before[place]),
                            Start::Row(numbers) => f64::from(numbers[column]),
                        };
                        let products = (0..inner)
                            .map(|step| f64::from(at(row, step) * other[step * stride + column]));
                        let expected = first + products.sum::<f64>();
                        assert!(
                            (f64::from(*got) - expected).abs() < 1e-4,
                            "{rows} x {inner} x {columns}, {arch:?}, {turned}: {got} {expected}"
                        );
                    }
                }
            }
        }
    }
}

struct Gates<'a>(&'a [f32], &'a mut [[f32; VECTOR]; 4]);

impl WithSimd for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for part in 0..VECTOR / S::F32_LANES {
            let x = S::as_simd_f32s(self.0).0[part];
            let gates = lstm_gates(simd, [x; 4]);
            for (gate, line) in gates.into_iter().zip(self.1.iter_mut()) {
                S::as_mut_simd_f32s(line).0[part] = gate;
            }
        }
    }
}

#[test]
fn sigmoids_and_tangents_are_those_of_64_bits() {
    for arch in archs() {
        for from in (-24_000..24_000).step_by(VECTOR) {
            let x: Vec<f32> = (from..)
                .take(VECTOR)
                .map(|at: i16| f32::from(at) / 1_000.0)
                .collect();
            let mut gates = [[0.0; VECTOR]; 4];
            arch.dispatch(Gates(&x, &mut gates));
            let [input, forget, candidate, output] = gates;
            for (at, x) in x.iter().map(|x| f64::from(*x)).enumerate() {
                let sigmoid = 1.0 / (1.0 + (-x).exp());
                for got in [input[at], forget[at], output[at]] {
                    assert!(
                        (f64::from(got) - sigmoid).abs() < 2.5e-7,
                        "{x}: {got} {sigmoid}"
                    );
                }
                let got = f64::from(candidate[at]);
                assert!((got - x.tanh()).abs() < 5e-7, "{x}: {got} {}", x.tanh());
            }
        }
        let mut gates = [[0.0; VECTOR]; 4];
        for (x, sigmoid, tanh) in [(f32::MAX, 1.0, 1.0), (f32::MIN, 0.0, -1.0), (0.0, 0.5, 0.0)] {
            arch.dispatch(Gates(&[x; VECTOR], &mut gates));
            assert!((gates[0][0] - sigmoid).abs() < 3e-9, "{x}: {}", gates[0][0]);
            assert!((gates[2][0] - tanh).abs() < 1e-8, "{x}: {}", gates[2][0]);
        }
    }
}

#[test]
fn gates_of_sums_that_are_no_numbers_are_none() {
    let sums = [f32::NAN, f32::INFINITY - f32::INFINITY, -f32::NAN];
    for (arch, sum) in archs()
        .into_iter()
        .flat_map(|arch| sums.map(|sum| (arch, sum)))
    {
        let mut x = [0.5; VECTOR];
        x[VECTOR - 2] = sum;
        let mut gates = [[0.0; VECTOR]; 4];
        arch.dispatch(Gates(&x, &mut gates));
        for gate in gates {
            let places = (0..VECTOR).filter(|at| gate[*at].is_nan());
            assert_eq!(
                places.collect::<Vec<_>>(),
                [VECTOR - 2],
                "{arch:?}, {gate:?}"
            );
        }
    }
}

/// Weights of a GRU of two inputs. The candidate of its first unit adds up what is infinite after an event, and what is minus
/// that where the second input is large.
fn endless(config: &NetworkConfig) -> Weights {
    let first = Weights::first(config, 5).unwrap();
    let mut numbers = first.numbers().to_vec();
    let candidate = 2 * config.hidden_units;
    for parameter in first.layout().parameters() {
        let weights = &mut numbers[parameter.range.clone()];
        if parameter.name.ends_with("weight_ih_l0") {
            weights[2 * candidate + 1] = -f32::MAX;
        } else if parameter.name.ends_with("weight_hh_l0") {
            weights[candidate * config.hidden_units] = f32::MAX;
        } else if parameter.name.ends_with("bias_hh_l0") {
            weights[candidate] = f32::MAX;
        }
    }
    Weights::new(config, numbers).unwrap()
}

#[test]
fn sums_that_are_no_numbers_make_no_answer_and_leave_nothing_behind() {
    for task in [Task::Classify { attention: true }, Task::NextEvent] {
        let config = NetworkConfig {
            numeric_inputs: 2,
            embeddings: Vec::new(),
            ..config(Cell::Gru, 20, task)
        };
        let weights = endless(&config);
        let mut builder = Events::builder(2, &[]);
        for (second, number) in [(0, 0.0), (1, 3.0), (2, 0.0)] {
            let inputs = EventNumbers {
                numeric: &[0.5, number],
                codes: &[],
            };
            let time = Timestamp::from_seconds(second).unwrap();
            builder.push(time, inputs, Some(false)).unwrap();
        }
        let events = builder.build();
        let spans = [0..3, 0..1].map(Span::whole);
        let set = SequenceSet::new(&events, &spans).unwrap();
        let count = config.outputs();
        for arch in archs() {
            let network = NativeNetwork::new(arch, &config, &weights).unwrap();
            let mut out = vec![0.0; set.scored().count() * count];
            network.outputs(set, &mut out).unwrap();
            let answers = out.chunks(count).map(|all| all[0].is_finite());
            // An answer is about its own event, or about the next one.
            let second = task == Task::NextEvent;
            let expected = [true, second, false, true];
            assert_eq!(answers.collect::<Vec<_>>(), expected, "{arch:?}, {task:?}");
        }
        let network = StepNetwork::new(&config, &weights).unwrap();
        let mut scratch = network.scratch();
        let mut after = |count| {
            let mut state = vec![0.0; network.state_len()];
            for event in 0..count {
                let inputs = events.numbers(event);
                network.advance(inputs, &mut state, &mut scratch).unwrap();
            }
            state
        };
        let before = after(1);
        assert!(after(2).iter().any(|number| number.is_nan()));
        assert_eq!(after(1), before);
    }
}

fn config(cell: Cell, units: usize, task: Task) -> NetworkConfig {
    NetworkConfig {
        numeric_inputs: 17,
        embeddings: vec![Embedding {
            categories: 3,
            dimension: 2,
        }],
        cell,
        layers: 2,
        hidden_units: units,
        dropout: 0.25,
        task,
    }
}

/// Sequences of 1 to 12 events, longest first: more than fill a chunk.
fn sequences(config: &NetworkConfig) -> (Events, Vec<Span>) {
    let mut stream = Stream::new(2, 0, 0);
    let mut builder = Events::builder(config.numeric_inputs, &[3]);
    let mut spans = Vec::new();
    let mut start = 0;
    for sequence in 0..LANES + 29 {
        let end = start + 12 - sequence * 12 / (LANES + 29);
        for event in start..end {
            let numeric = numbers(&mut stream, config.numeric_inputs);
            let codes = [u32::try_from(stream.below(3)).unwrap()];
            let inputs = EventNumbers {
                numeric: &numeric,
                codes: &codes,
            };
            let time = Timestamp::from_seconds(i64::try_from(event).unwrap()).unwrap();
            builder
                .push(time, inputs, Some(stream.below(4) == 0))
                .unwrap();
        }
        builder.end_entity();
        spans.push(Span {
            start,
            scored_from: start + (end - start) / 2,
            end,
        });
        start = end;
    }
    (builder.build(), spans)
}

fn networks() -> impl Iterator<Item = NetworkConfig> {
    let tasks = [
        Task::Classify { attention: false },
        Task::Classify { attention: true },
        Task::NextEvent,
        Task::Reconstruct,
    ];
    let cells = [
        (Cell::Lstm, 70),
        (Cell::Gru, 70),
        (Cell::Lstm, 16),
        (Cell::Gru, 33),
    ];
    cells
        .into_iter()
        .flat_map(move |(cell, units)| tasks.map(|task| config(cell, units, task)))
}

#[test]
fn networks_learn_the_same_on_all_instructions() {
    for config in networks() {
        let (events, spans) = sequences(&config);
        let set = SequenceSet::new(&events, &spans).unwrap();
        let weights = Weights::first(&config, 5).unwrap();
        let order: Vec<u32> = (0..).take(spans.len()).collect();
        let batch = Batch {
            set,
            sequences: &order,
            noise: (3, 1),
        };
        let mut expected: Option<(f64, Vec<f32>)> = None;
        for arch in archs() {
            let mut network = NativeNetwork::new(arch, &config, &weights).unwrap();
            let mut loss = 0.0;
            // The second time on buffers that the first one, and answers, have left behind.
            for step in 1..=2 {
                let class = ClassObjective::default();
                let inputs = InputLikelihood::new(&config);
                let classify = matches!(config.task, Task::Classify { .. });
                let objective = if classify {
                    network.gradient(batch, &class)
                } else {
                    network.gradient(batch, &inputs)
                };
                loss = objective.unwrap().0;
                if step == 1 {
                    let mut out = vec![0.0; set.scored().count() * config.outputs()];
                    network.outputs(set, &mut out).unwrap();
                    network
                        .update(AdamStep {
                            step: 1,
                            learning_rate: 1e-6,
                            weight_decay: 0.0,
                            clip_norm: 1.0,
                        })
                        .unwrap();
                }
            }
            let gradient = network.kept_gradient().unwrap();
            let Some((expected_loss, expected)) = &expected else {
                expected = Some((loss, gradient));
                continue;
            };
            assert!(
                (loss - expected_loss).abs() < 1e-5 * expected_loss,
                "{config:?}"
            );
            let most = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            for (got, expected) in gradient.iter().zip(expected) {
                assert!(
                    (got - expected).abs() < 2e-5 * most,
                    "{arch:?}, {config:?}: {got} {expected}"
                );
            }
        }
    }
}

#[test]
fn answers_do_not_depend_on_company() {
    for config in networks() {
        let (events, spans) = sequences(&config);
        let weights = Weights::first(&config, 5).unwrap();
        for arch in archs() {
            let network = NativeNetwork::new(arch, &config, &weights).unwrap();
            let answers = |spans: &[Span]| {
                let set = SequenceSet::new(&events, spans).unwrap();
                let mut out = vec![0.0; set.scored().count() * config.outputs()];
                network.outputs(set, &mut out).unwrap();
                out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let together = answers(&spans);
            for few in [1, 2, 5] {
                let apart: Vec<u32> = spans.chunks(few).flat_map(answers).collect();
                assert_eq!(apart, together, "{arch:?}, {few}, {config:?}");
            }
        }
    }
}
