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

/// Every `stride`th weight is checked.
fn check(config: &NetworkConfig, loss: ClassLoss, (entities, stride): (u64, usize)) {
    let events = events(entities);
    let spans = spans(&events);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let weights = Weights::first(config, 5).unwrap();
    let mut network = NativeBackend.network(config, &weights).unwrap();
    let numbers: Vec<f64> = weights.numbers().iter().map(|x| f64::from(*x)).collect();

    // Answers.
    let expected: Vec<f64> = spans
        .iter()
        .flat_map(|span| {
            let outputs = reference::outputs(config, &numbers, &events, *span);
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
            (f64::from(*got) - expected).abs() < 2e-6,
            "{got} {expected}"
        );
    }

    // Gradients.
    let classify = matches!(config.task, Task::Classify { .. });
    let class = ClassObjective { loss };
    let inputs = InputLikelihood::new(config);
    let objective: &dyn Objective = if classify { &class } else { &inputs };
    let mut order: Vec<u32> = (0..spans.len() as u32).collect();
    order.sort_by_key(|at| std::cmp::Reverse(spans[*at as usize].len()));
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
        false => Some(likelihood(config, &events, event, outputs)),
    };
    let loss_at = |numbers: &[f64]| mean_loss(config, numbers, set, &of_event);
    assert!((sum / count as f64 - loss_at(&numbers)).abs() < 1e-5);
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
                (got - slope).abs() < 1e-5 * largest.max(0.1),
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
