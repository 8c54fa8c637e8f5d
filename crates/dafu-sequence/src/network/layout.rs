//! Where each tensor lies among the weights: names and shapes of `PyTorch`.

use super::{Cell, NetworkConfig, Task};
use std::ops::Range;

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as in `PyTorch`'s `state_dict`.
    pub name: String,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
    /// Where its numbers lie among all weights, by rows.
    pub range: Range<usize>,
}

/// A recurrent layer among the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecurrentLayout {
    pub(crate) inputs: usize,
    pub(crate) weight_ih: Range<usize>,
    pub(crate) weight_hh: Range<usize>,
    pub(crate) bias_ih: Range<usize>,
    pub(crate) bias_hh: Range<usize>,
}

/// The attention pool among the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttentionLayout {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Range<usize>,
    pub(crate) query: Range<usize>,
}

impl AttentionLayout {
    /// Exponents of the weights of attention are held within this.
    pub(crate) const MOST_EXPONENT: f32 = 40.0;
}

/// All tensors of a network, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    parameters: Vec<Parameter>,
    pub(crate) embeddings: Vec<Range<usize>>,
    pub(crate) encoder: Vec<RecurrentLayout>,
    pub(crate) decoder: Vec<RecurrentLayout>,
    pub(crate) attention: Option<AttentionLayout>,
    pub(crate) head_weight: Range<usize>,
    pub(crate) head_bias: Range<usize>,
}

#[derive(Debug, Default)]
struct Writer {
    parameters: Vec<Parameter>,
    length: usize,
}

impl Writer {
    fn tensor(&mut self, name: String, shape: &[usize]) -> Range<usize> {
        let start = self.length;
        // Where numbers of 32 bits are too small, no weights are so many.
        let product = |numbers: usize, size: &usize| numbers.saturating_mul(*size);
        let numbers = shape.iter().fold(1, product);
        self.length = start.saturating_add(numbers);
        self.parameters.push(Parameter {
            name,
            shape: shape.to_vec(),
            range: start..self.length,
        });
        start..self.length
    }

    fn recurrent(
        &mut self,
        prefix: &str,
        cell: Cell,
        inputs: usize,
        (layers, units): (usize, usize),
    ) -> Vec<RecurrentLayout> {
        let rows = cell.gates() * units;
        let mut layouts = Vec::with_capacity(layers);
        for layer in 0..layers {
            let inputs = if layer == 0 { inputs } else { units };
            layouts.push(RecurrentLayout {
                inputs,
                weight_ih: self.tensor(format!("{prefix}.weight_ih_l{layer}"), &[rows, inputs]),
                weight_hh: self.tensor(format!("{prefix}.weight_hh_l{layer}"), &[rows, units]),
                bias_ih: self.tensor(format!("{prefix}.bias_ih_l{layer}"), &[rows]),
                bias_hh: self.tensor(format!("{prefix}.bias_hh_l{layer}"), &[rows]),
            });
        }
        layouts
    }
}

impl Layout {
    /// The tensors of a network of this shape.
    pub fn new(config: &NetworkConfig) -> Self {
        let mut writer = Writer::default();
        let (cell, units) = (config.cell, config.hidden_units);
        let shape = (config.layers, units);
        let embeddings = config.embeddings.iter().enumerate();
        let embeddings = embeddings
            .map(|(at, input)| {
                let shape = [input.categories as usize, input.dimension];
                writer.tensor(format!("embeddings.{at}.weight"), &shape)
            })
            .collect();
        let encoder = writer.recurrent("rnn", cell, config.inputs(), shape);
        let decoder = match config.task {
            Task::Reconstruct => writer.recurrent("decoder", cell, units, shape),
            _ => Vec::new(),
        };
        let attention = config.attention().then(|| AttentionLayout {
            weight: writer.tensor("attention.projection.weight".to_owned(), &[units, units]),
            bias: writer.tensor("attention.projection.bias".to_owned(), &[units]),
            query: writer.tensor("attention.query.weight".to_owned(), &[1, units]),
        });
        let head = [config.outputs(), config.features()];
        let head_weight = writer.tensor("head.weight".to_owned(), &head);
        let head_bias = writer.tensor("head.bias".to_owned(), &head[..1]);
        Self {
            parameters: writer.parameters,
            embeddings,
            encoder,
            decoder,
            attention,
            head_weight,
            head_bias,
        }
    }

    /// The tensors, in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many numbers there are.
    pub const fn len(&self) -> usize {
        self.head_bias.end
    }

    /// Never: every network has an answer.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
