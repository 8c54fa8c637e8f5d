//! Networks in 64 bits, written straight from their equations, one sequence at a time: what the backends are compared with.

use dafu_sequence::data::{Events, Span};
use dafu_sequence::network::{Cell, Layout, NetworkConfig, Task};

pub(crate) type Vector = Vec<f64>;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The numbers of a tensor.
fn tensor<'a>(layout: &Layout, numbers: &'a [f64], name: &str) -> &'a [f64] {
    let mut found = layout
        .parameters()
        .iter()
        .filter(|parameter| parameter.name == name);
    &numbers[found.next().expect(name).range.clone()]
}

fn affine(weight: &[f64], bias: &[f64], x: &[f64]) -> Vector {
    let rows = weight.chunks(x.len()).zip(bias);
    rows.map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
        .collect()
}

/// States of the top layer after each input.
fn recurrent(
    config: &NetworkConfig,
    layout: &Layout,
    numbers: &[f64],
    prefix: &str,
    inputs: &[Vector],
) -> Vec<Vector> {
    let units = config.hidden_units;
    let mut sequence = inputs.to_vec();
    for layer in 0..config.layers {
        let get = |name: &str| tensor(layout, numbers, &format!("{prefix}.{name}_l{layer}"));
        let of_x = (get("weight_ih"), get("bias_ih"));
        let of_h = (get("weight_hh"), get("bias_hh"));
        let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
        for x in &mut sequence {
            let from_x = affine(of_x.0, of_x.1, x);
            let from_h = affine(of_h.0, of_h.1, &h);
            let sum = |gate: usize, unit: usize| {
                from_x[gate * units + unit] + from_h[gate * units + unit]
            };
            let before = h.clone();
            for unit in 0..units {
                match config.cell {
                    Cell::Lstm => {
                        let (i, f) = (sigmoid(sum(0, unit)), sigmoid(sum(1, unit)));
                        let (g, o) = (sum(2, unit).tanh(), sigmoid(sum(3, unit)));
                        c[unit] = f * c[unit] + i * g;
                        h[unit] = o * c[unit].tanh();
                    }
                    Cell::Gru => {
                        let (r, z) = (sigmoid(sum(0, unit)), sigmoid(sum(1, unit)));
                        let at = 2 * units + unit;
                        let n = (from_x[at] + r * from_h[at]).tanh();
                        h[unit] = (1.0 - z) * n + z * before[unit];
                    }
                }
            }
            *x = h.clone();
        }
    }
    sequence
}

/// How much attention is given to a state, before it is held within bounds.
fn exponent(layout: &Layout, numbers: &[f64], state: &[f64]) -> f64 {
    let get = |name: &str| tensor(layout, numbers, &format!("attention.{name}"));
    let projected = affine(get("projection.weight"), get("projection.bias"), state);
    let query = get("query.weight").iter().zip(projected);
    query.map(|(q, x)| q * x.tanh()).sum()
}

/// How much attention is given to each event of a span, before it is held within bounds.
pub(crate) fn exponents(
    config: &NetworkConfig,
    numbers: &[f64],
    events: &Events,
    span: Span,
) -> Vector {
    let layout = Layout::new(config);
    let inputs = inputs(config, &layout, numbers, (events, span));
    let states = recurrent(config, &layout, numbers, "rnn", &inputs);
    let states = states.iter();
    states
        .map(|state| exponent(&layout, numbers, state))
        .collect()
}

/// What the network reads of each event of a span.
fn inputs(
    config: &NetworkConfig,
    layout: &Layout,
    numbers: &[f64],
    (events, span): (&Events, Span),
) -> Vec<Vector> {
    (span.start..span.end)
        .map(|event| {
            let inputs = events.numbers(event);
            let mut x: Vector = inputs.numeric.iter().map(|x| f64::from(*x)).collect();
            for (at, (embedding, code)) in config.embeddings.iter().zip(inputs.codes).enumerate() {
                let table = tensor(layout, numbers, &format!("embeddings.{at}.weight"));
                let row = *code as usize * embedding.dimension;
                x.extend(&table[row..row + embedding.dimension]);
            }
            x
        })
        .collect()
}

/// Outputs of each event of a span.
pub(crate) fn outputs(
    config: &NetworkConfig,
    numbers: &[f64],
    events: &Events,
    span: Span,
) -> Vec<Vector> {
    let layout = Layout::new(config);
    let inputs = inputs(config, &layout, numbers, (events, span));
    let states = recurrent(config, &layout, numbers, "rnn", &inputs);
    let zero = vec![0.0; config.hidden_units];
    let features: Vec<Vector> = match config.task {
        Task::Classify { attention: false } => states,
        Task::Classify { attention: true } => {
            let (mut sums, mut total) = (zero, 0.0);
            states
                .into_iter()
                .map(|state| {
                    let exponent = exponent(&layout, numbers, &state);
                    let weight = exponent.clamp(-40.0, 40.0).exp();
                    total += weight;
                    for (sum, state) in sums.iter_mut().zip(&state) {
                        *sum += weight * state;
                    }
                    let pool = sums.iter().map(|sum| sum / total);
                    state.iter().copied().chain(pool).collect()
                })
                .collect()
        }
        Task::NextEvent => std::iter::once(zero)
            .chain(states)
            .take(span.len())
            .collect(),
        Task::Reconstruct => {
            let summary = vec![states[span.len() - 1].clone(); span.len()];
            let mut states = recurrent(config, &layout, numbers, "decoder", &summary);
            states.reverse();
            states
        }
    };
    let (weight, bias) = (
        tensor(&layout, numbers, "head.weight"),
        tensor(&layout, numbers, "head.bias"),
    );
    features
        .iter()
        .map(|features| affine(weight, bias, features))
        .collect()
}
