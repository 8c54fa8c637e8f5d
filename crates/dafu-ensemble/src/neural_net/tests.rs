//! Gradients by finite differences, and steps by those of scikit-learn.

use super::NeuralNet;
use super::layer::Layer;
use super::params::NeuralNetParams;
use super::train::{Training, drop_out};
use crate::Samples;
use dafu_core::random::Stream;
use ndarray::Array2;

#[derive(serde::Deserialize)]
struct Reference {
    rows: Vec<Vec<f64>>,
    frauds: Vec<bool>,
    steps: usize,
    learning_rate: f64,
    before: Vec<ReferenceLayer>,
    log_odds: Vec<f64>,
    after: Vec<ReferenceLayer>,
}

#[derive(serde::Deserialize)]
struct ReferenceLayer {
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl ReferenceLayer {
    fn layer(&self) -> Layer {
        Layer {
            weights: self.weights.clone(),
            biases: self.biases.clone(),
        }
    }
}

#[test]
fn log_odds_and_steps_of_adam_are_those_of_scikit_learn() {
    let reference = include_str!("../../tests/fixtures/neural_net.json");
    let reference: Reference = serde_json::from_str(reference).unwrap();
    let count = reference.rows.len();
    let rows = Array2::from_shape_vec((count, 3), reference.rows.concat()).unwrap();
    let samples = Samples::new(rows.view(), &reference.frauds).unwrap();
    let params = NeuralNetParams::default()
        .hidden_layers(vec![9, 5])
        .dropout(0.0)
        .batch_size(count)
        .learning_rate(reference.learning_rate);
    let mut training = Training::new(&params, &samples).unwrap();
    training.net.layers = reference.before.iter().map(ReferenceLayer::layer).collect();
    let mut odds = vec![0.0; count];
    training.net.log_odds_rows(rows.view(), &mut odds).unwrap();
    for (got, expected) in odds.iter().zip(&reference.log_odds) {
        assert!((got - expected).abs() < 1e-5, "{got} instead of {expected}");
    }
    for epoch in 0..reference.steps {
        training.epoch(epoch);
    }
    let mut moved = 0.0_f32;
    let layers = training.net.layers.iter().zip(&reference.after);
    for ((got, expected), before) in layers.zip(&reference.before) {
        let expected = expected.weights.iter().chain(&expected.biases);
        let before = before.weights.iter().chain(&before.biases);
        for ((got, expected), before) in got
            .weights
            .iter()
            .chain(&got.biases)
            .zip(expected)
            .zip(before)
        {
            assert!((got - expected).abs() < 1e-4, "{got} instead of {expected}");
            moved = moved.max((expected - before).abs());
        }
    }
    assert!(moved > 0.1);
}

/// The weighted mean loss in 64 bits, from the definition; dropout as `stream` draws it.
fn loss(net: &NeuralNet, training: &Training<'_>, dropout: f64, mut stream: Stream) -> f64 {
    let rows = training.targets.len();
    let width = net.inputs.len();
    let values = training.inputs.iter().map(|x| f64::from(*x));
    let mut values: Vec<Vec<f64>> = values
        .collect::<Vec<f64>>()
        .chunks(width)
        .map(<[f64]>::to_vec)
        .collect();
    for (at, layer) in net.layers.iter().enumerate() {
        let units = layer.biases.len();
        for row in &mut values {
            *row = (0..units)
                .map(|unit| {
                    let products = row.iter().enumerate();
                    let products = products
                        .map(|(input, x)| x * f64::from(layer.weights[input * units + unit]));
                    let sum = f64::from(layer.biases[unit]) + products.sum::<f64>();
                    if at + 1 == net.layers.len() {
                        return sum;
                    }
                    let kept = dropout == 0.0 || stream.unit() >= dropout;
                    if kept {
                        sum.max(0.0) / (1.0 - dropout)
                    } else {
                        0.0
                    }
                })
                .collect();
        }
    }
    let each = values.iter().enumerate().map(|(row, odds)| {
        let wrong = odds[0] * (1.0 - 2.0 * training.targets[row]);
        training.weights[row] * wrong.exp().ln_1p()
    });
    each.sum::<f64>() / rows as f64
}

#[test]
fn gradients_are_those_of_finite_differences_with_and_without_dropout() {
    let mut draw = Stream::new(5, 1, 0);
    let rows = Array2::from_shape_simple_fn((30, 3), || draw.unit() * 4.0 - 2.0);
    let frauds: Vec<bool> = (0..30).map(|row| row % 4 == 0).collect();
    let weights: Vec<f64> = (0..30).map(|row| 0.5 + f64::from(row % 3)).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let samples = samples.with_weights(&weights).unwrap();
    for dropout in [0.0, 0.3] {
        let params = NeuralNetParams::default()
            .hidden_layers(vec![7, 4])
            .dropout(dropout)
            .scale_pos_weight(3.0);
        let mut training = Training::new(&params, &samples).unwrap();
        // Not 0, where a unit whose inputs are all silent has a kink.
        for layer in &mut training.net.layers {
            layer.biases.fill(0.1);
        }
        let part: Vec<usize> = (0..30).collect();
        let gradient = training.gradient(&part, 30, Stream::new(1, 2, 3));
        let mut at = 0;
        for layer in 0..3 {
            for weight in 0..training.net.layers[layer].len() {
                // Short, so that few units change sides; the quotient takes what is left of it after rounding.
                let step = 2e-5_f32;
                let mut sides = [step, -step].map(|step| {
                    let mut net = training.net.clone();
                    let Layer { weights, biases } = &mut net.layers[layer];
                    let value = weights.iter_mut().chain(biases).nth(weight).unwrap();
                    *value += step;
                    (
                        f64::from(*value),
                        loss(&net, &training, dropout, Stream::new(1, 2, 3)),
                    )
                });
                sides.sort_by(|one, two| one.0.total_cmp(&two.0));
                let expected = (sides[1].1 - sides[0].1) / (sides[1].0 - sides[0].0);
                let gap = (f64::from(gradient[at]) - expected).abs();
                assert!(
                    gap < 1e-5 + 1e-3 * expected.abs(),
                    "{layer} {weight}: {} instead of {expected}",
                    gradient[at]
                );
                at += 1;
            }
        }
        assert_eq!(at, gradient.len());
    }
}

#[test]
fn dropout_leaves_out_its_share_and_keeps_the_mean() {
    let mut values = vec![1.0; 100_000];
    drop_out(&mut values, 0.2, &mut Stream::new(1, 1, 1));
    let silent = values.iter().filter(|value| **value == 0.0).count();
    // Binomial with deviation 126; four of them.
    assert!(silent.abs_diff(20_000) < 506, "{silent}");
    assert!(
        values
            .iter()
            .all(|value| *value == 0.0 || (*value - 1.25).abs() < 1e-6)
    );
}

#[test]
fn decay_shrinks_weights_and_not_biases() {
    let rows = Array2::from_shape_fn((8, 1), |(row, _)| row as f64);
    let frauds: Vec<bool> = (0..8).map(|row| row > 3).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = NeuralNetParams::default()
        .learning_rate(0.1)
        .weight_decay(0.5);
    let mut training = Training::new(&params, &samples).unwrap();
    let before = training.net.layers.clone();
    // Without a gradient nothing but the decay moves.
    let zeros = vec![0.0; training.net.parameters()];
    training
        .adam
        .step(&mut training.net.layers, &zeros, &params);
    for (now, before) in training.net.layers.iter().zip(&before) {
        assert_eq!(now.biases, before.biases);
        for (now, before) in now.weights.iter().zip(&before.weights) {
            assert!((now - before * 0.95).abs() < 1e-7);
        }
    }
}
