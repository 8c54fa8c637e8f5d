//! The native backend against networks in 64 bits: answers, and gradients by finite differences for every weight.

#![allow(
    clippy::assigning_clones,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::many_single_char_names,
    clippy::match_bool,
    clippy::panic,
    clippy::range_plus_one,
    clippy::unwrap_used,
    reason = "tests: small numbers, symbols of the equations"
)]

mod networks;
mod reference;

use dafu_sequence::data::{Events, SequenceSet};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::network::{
    Backend, Batch, Cell, Network, NetworkConfig, Objective, Task, Weights,
};
use dafu_sequence::objective::{ClassLoss, ClassObjective, InputLikelihood};
use networks::{config, events, spans};

/// Mean loss of the scored events that count, in 64 bits but for the loss itself.
fn mean_loss(
    config: &NetworkConfig,
    numbers: &[f64],
    set: SequenceSet<'_>,
    loss: &dyn Fn(usize, &[f64]) -> Option<f64>,
) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for span in set.spans() {
        let outputs = reference::outputs(config, numbers, set.events(), *span);
        for event in (span.scored_from..span.end).filter(|event| set.events().scorable(*event)) {
            if let Some(loss) = loss(event, &outputs[event - span.start]) {
                sum += loss;
                count += 1.0;
            }
        }
    }
    sum / count
}

fn likelihood(config: &NetworkConfig, events: &Events, event: usize, outputs: &[f64]) -> f64 {
    let inputs = events.numbers(event);
    let mut loss = 0.0;
    for (at, x) in inputs.numeric.iter().enumerate() {
        let variance = (8.0 * (outputs[config.numeric_inputs + at] / 8.0).tanh()).exp();
        let distance = f64::from(*x) - outputs[at];
        let density = (-distance * distance / (2.0 * variance)).exp()
            / (std::f64::consts::TAU * variance).sqrt();
        loss -= density.ln();
    }
    let mut from = 2 * config.numeric_inputs;
    for (embedding, code) in config.embeddings.iter().zip(inputs.codes) {
        let range = &outputs[from..from + embedding.categories as usize];
        let sum: f64 = range.iter().map(|x| x.exp()).sum();
        loss -= (range[*code as usize].exp() / sum).ln();
        from += range.len();
    }
    loss
}

fn class_loss(loss: ClassLoss, log_odds: f64, fraud: bool) -> f64 {
    let p = 1.0 / (1.0 + (-log_odds).exp());
    let right = if fraud { p } else { 1.0 - p };
    match loss {
        ClassLoss::CrossEntropy { pos_weight } => {
            -right.ln() * if fraud { f64::from(pos_weight) } else { 1.0 }
        }
        ClassLoss::Focal { gamma, alpha } => {
            let alpha = f64::from(alpha);
            let weight = if fraud { alpha } else { 1.0 - alpha };
            -weight * (1.0 - right).powf(f64::from(gamma)) * right.ln()
        }
    }
}

/// The sequences of a set, longest first.
fn by_falling_length(set: SequenceSet<'_>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..set.spans().len() as u32).collect();
    order.sort_by_key(|at| std::cmp::Reverse(set.spans()[*at as usize].len()));
    order
}

/// Every `stride`th weight is checked.
fn check(config: &NetworkConfig, loss: ClassLoss, (entities, stride): (u64, usize)) {
    let weights = Weights::first(config, 5).unwrap();
    let events = events(entities);
    check_weights(config, &weights, loss, (&events, stride), 1.0);
}

/// `rounding`: how much more these weights let errors of 32 bits grow than first weights do.
fn check_weights(
    config: &NetworkConfig,
    weights: &Weights,
    loss: ClassLoss,
    (events, stride): (&Events, usize),
    rounding: f64,
) {
    let spans = spans(events);
    let set = SequenceSet::new(events, &spans).unwrap();
    let mut network = NativeBackend.network(config, weights).unwrap();
    let numbers: Vec<f64> = weights.numbers().iter().map(|x| f64::from(*x)).collect();

    // Answers.
    let expected: Vec<f64> = spans
        .iter()
        .flat_map(|span| {
            let outputs = reference::outputs(config, &numbers, events, *span);
            let scored = (span.scored_from..span.end).filter(|event| events.scorable(*event));
            scored
                .flat_map(|event| outputs[event - span.start].clone())
                .collect::<Vec<_>>()
        })
        .collect();
    let mut got = vec![0.0; expected.len()];
    network.outputs(set, &mut got).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        assert!(
            (f64::from(*got) - expected).abs() < 2e-6 * rounding,
            "{got} {expected}"
        );
    }

    // Gradients.
    let classify = matches!(config.task, Task::Classify { .. });
    let class = ClassObjective { loss };
    let inputs = InputLikelihood::new(config);
    let objective: &dyn Objective = if classify { &class } else { &inputs };
    let order = by_falling_length(set);
    let batch = Batch {
        set,
        sequences: &order,
        noise: (0, 0),
    };
    let (sum, count) = network.gradient(batch, objective).unwrap();
    let gradient = network.kept_gradient().unwrap();
    let of_event = |event: usize, outputs: &[f64]| match classify {
        true => events
            .label(event)
            .map(|fraud| class_loss(loss, outputs[0], fraud)),
        false => Some(likelihood(config, events, event, outputs)),
    };
    let loss_at = |numbers: &[f64]| mean_loss(config, numbers, set, &of_event);
    assert!((sum / count as f64 - loss_at(&numbers)).abs() < 1e-5 * rounding);
    let largest = gradient
        .iter()
        .fold(0.0_f64, |most, x| most.max(f64::from(*x).abs()));
    for parameter in weights.layout().parameters() {
        for at in parameter.range.clone().step_by(stride) {
            let moved = |by: f64| {
                let mut numbers = numbers.clone();
                numbers[at] += by;
                loss_at(&numbers)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let got = f64::from(gradient[at]);
            // 32 bits: relative to the largest slope.
            assert!(
                (got - slope).abs() < 1e-5 * rounding * largest.max(0.1),
                "{} {at}: {got} instead of {slope} ({config:?})",
                parameter.name
            );
        }
    }
}

#[test]
fn classifiers_have_the_slopes_of_finite_differences() {
    for cell in [Cell::Lstm, Cell::Gru] {
        for (layers, units) in [(1, 1), (1, 5), (2, 4)] {
            for attention in [false, true] {
                let config = config(cell, layers, units, Task::Classify { attention });
                check(&config, ClassLoss::CrossEntropy { pos_weight: 3.0 }, (8, 1));
            }
        }
    }
}

#[test]
fn focal_loss_has_the_slopes_of_finite_differences() {
    let config = config(Cell::Lstm, 1, 3, Task::Classify { attention: false });
    check(
        &config,
        ClassLoss::Focal {
            gamma: 2.0,
            alpha: 0.25,
        },
        (8, 1),
    );
    check(
        &config,
        ClassLoss::Focal {
            gamma: 0.0,
            alpha: 0.5,
        },
        (8, 1),
    );
}

#[test]
fn models_of_inputs_have_the_slopes_of_finite_differences() {
    for cell in [Cell::Lstm, Cell::Gru] {
        for (layers, units) in [(1, 1), (1, 6), (2, 3)] {
            for task in [Task::NextEvent, Task::Reconstruct] {
                check(
                    &config(cell, layers, units, task),
                    ClassLoss::default(),
                    (8, 1),
                );
            }
        }
    }
}

#[test]
fn wide_layers_and_many_sequences_answer_as_in_64_bits() {
    for cell in [Cell::Lstm, Cell::Gru] {
        let config = config(cell, 1, 19, Task::Classify { attention: true });
        check(&config, ClassLoss::default(), (14, 11));
    }
}

#[test]
fn attention_that_is_held_within_bounds_has_the_slopes_of_finite_differences() {
    for cell in [Cell::Lstm, Cell::Gru] {
        let config = config(cell, 1, 4, Task::Classify { attention: true });
        let events = events(8);
        let first = Weights::first(&config, 5).unwrap();
        let mut numbers = first.numbers().to_vec();
        let parameters = first.layout().parameters().iter();
        let mut scaled = 0;
        for parameter in parameters {
            let factor = match parameter.name.as_str() {
                "attention.query.weight" => 400.0,
                "attention.projection.weight" => 4.0,
                "attention.projection.bias" => 0.0,
                _ => continue,
            };
            scaled += 1;
            for number in &mut numbers[parameter.range.clone()] {
                *number *= factor;
            }
        }
        assert_eq!(scaled, 3);
        // Some are held at either bound, some are free.
        let wide: Vec<f64> = numbers.iter().map(|x| f64::from(*x)).collect();
        let exponents = spans(&events);
        let exponents = exponents
            .iter()
            .flat_map(|span| reference::exponents(&config, &wide, &events, *span));
        let (mut least, mut free, mut most) = (0, 0, 0);
        for exponent in exponents {
            match exponent {
                ..-40.0 => least += 1,
                40.0.. => most += 1,
                _ => free += 1,
            }
        }
        assert!(
            least > 10 && free > 10 && most > 10,
            "{least}, {free}, {most}"
        );
        let weights = Weights::new(&config, numbers).unwrap();
        // Exponents are a hundred times as large as elsewhere, and so are their errors.
        check_weights(&config, &weights, ClassLoss::default(), (&events, 1), 100.0);
    }
}

/// The mean loss of a batch under the masks of `noise`, and its slopes.
fn with_dropout(
    config: &NetworkConfig,
    numbers: &[f32],
    (set, order): (SequenceSet<'_>, &[u32]),
    noise: (u64, u64),
) -> (f64, Vec<f32>) {
    let weights = Weights::new(config, numbers.to_vec()).unwrap();
    let mut network = NativeBackend.network(config, &weights).unwrap();
    let class = ClassObjective::default();
    let inputs = InputLikelihood::new(config);
    let objective: &dyn Objective = match config.task {
        Task::Classify { .. } => &class,
        _ => &inputs,
    };
    let batch = Batch {
        set,
        sequences: order,
        noise,
    };
    let (sum, count) = network.gradient(batch, objective).unwrap();
    (sum / count as f64, network.kept_gradient().unwrap())
}

#[test]
fn what_dropout_leaves_out_gets_no_slope_on_the_way_back() {
    // More than a chunk of sequences: each has masks of its own.
    let events = events(16);
    let spans = spans(&events);
    assert!(spans.len() > 64);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let order = by_falling_length(set);
    let tasks = [
        Task::Classify { attention: false },
        Task::Classify { attention: true },
        Task::NextEvent,
        Task::Reconstruct,
    ];
    for (cell, task) in [Cell::Lstm, Cell::Gru]
        .into_iter()
        .flat_map(|cell| tasks.map(|task| (cell, task)))
    {
        let plain = config(cell, 2, 5, task);
        let config = NetworkConfig {
            dropout: 0.3,
            ..plain.clone()
        };
        // Larger ones than first weights are, so that much comes back to the lower layer.
        let first = Weights::first(&config, 5).unwrap();
        let numbers = first.numbers().iter().map(|number| 2.0 * number);
        let weights = Weights::new(&config, numbers.collect()).unwrap();
        let numbers = weights.numbers();
        let loss_of = |config: &NetworkConfig, numbers: &[f32], noise| {
            with_dropout(config, numbers, (set, &order), noise).0
        };
        let (loss, gradient) = with_dropout(&config, numbers, (set, &order), (3, 7));
        // Masks are there, are those of the noise, and are the same each time.
        assert!((loss - loss_of(&plain, numbers, (3, 7))).abs() > 1e-4);
        assert!((loss - loss_of(&config, numbers, (3, 8))).abs() > 1e-4);
        assert_eq!(loss.to_bits(), loss_of(&config, numbers, (3, 7)).to_bits());
        let largest = gradient.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        for parameter in weights.layout().parameters() {
            for at in parameter.range.clone().step_by(3) {
                let moved = |by: f32| {
                    let mut numbers = numbers.to_vec();
                    numbers[at] += by;
                    let way = f64::from(numbers[at]) - f64::from(weights.numbers()[at]);
                    (loss_of(&config, &numbers, (3, 7)), way)
                };
                // Losses have the errors of 32 bits: steps are wide, and the term of the third power is taken out.
                let slope = |by: f32| {
                    let ((above, up), (below, down)) = (moved(by), moved(-by));
                    (above - below) / (up - down)
                };
                let slope = (4.0 * slope(0.02) - slope(0.04)) / 3.0;
                let got = f64::from(gradient[at]);
                assert!(
                    (got - slope).abs() < 1e-4 * f64::from(largest),
                    "{} {at}: {got} instead of {slope} ({config:?})",
                    parameter.name
                );
            }
        }
    }
}
