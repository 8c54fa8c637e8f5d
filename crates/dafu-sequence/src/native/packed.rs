//! Weights as the products of a chunk read them: written anew after each change.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::VECTOR;
use super::buffer::{Buffer, padded};
use super::transpose::transpose;
use crate::network::{Cell, Layout, NetworkConfig, RecurrentLayout};
use std::ops::Range;

/// Blocks of numbers of gates: those of an LSTM, or three of a GRU and the state's part of its candidate.
pub(crate) const GATES: usize = 4;

/// All weights of a network but for its embeddings.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) encoder: Vec<PackedLayer>,
    pub(crate) decoder: Vec<PackedLayer>,
    pub(crate) attention: Option<PackedAttention>,
    pub(crate) head: PackedMatrix,
}

impl Packed {
    pub(crate) fn new(config: &NetworkConfig, layout: &Layout, numbers: &[f32]) -> Self {
        let units = config.hidden_units;
        let layers = |layouts: &[RecurrentLayout]| {
            let layouts = layouts.iter();
            layouts
                .map(|layout| PackedLayer::zeros(config.cell, layout.inputs, units))
                .collect()
        };
        let mut packed = Self {
            encoder: layers(&layout.encoder),
            decoder: layers(&layout.decoder),
            attention: config.attention().then(|| PackedAttention {
                projection: PackedMatrix::zeros(units, units),
                query: Buffer::zeros(padded(units)),
            }),
            head: PackedMatrix::zeros(config.outputs(), config.features()),
        };
        packed.write(layout, numbers);
        packed
    }

    /// Takes over changed weights.
    pub(crate) fn write(&mut self, layout: &Layout, numbers: &[f32]) {
        for (layers, layouts) in [
            (&mut self.encoder, &layout.encoder),
            (&mut self.decoder, &layout.decoder),
        ] {
            for (layer, layout) in layers.iter_mut().zip(layouts) {
                let weights = LayerWeights::new(layout, numbers);
                layer.write(&weights);
                layer.write_back(&weights);
            }
        }
        if let (Some(attention), Some(layout)) = (&mut self.attention, &layout.attention) {
            let query = &numbers[layout.query.clone()];
            attention.query[..query.len()].copy_from_slice(query);
            attention
                .projection
                .write(numbers, (&layout.weight, &layout.bias));
        }
        self.head
            .write(numbers, (&layout.head_weight, &layout.head_bias));
    }
}

/// How the numbers of a layer lie for one lane: states, then inputs, each padded to whole vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) units: usize,
}

impl Shape {
    /// Room for states; inputs stand after it.
    pub(crate) const fn state_width(self) -> usize {
        padded(self.units)
    }

    /// Room for inputs.
    pub(crate) const fn input_width(self) -> usize {
        padded(self.inputs)
    }

    /// Numbers to read of a lane: padded states, then inputs.
    pub(crate) const fn read(self) -> usize {
        self.state_width() + self.inputs
    }

    /// Room for both.
    pub(crate) const fn width(self) -> usize {
        self.input_width() + self.state_width()
    }

    /// From the gates of one lane to those of the next. A vector more than there are, so that lanes do not compete for the
    /// same lines of the cache.
    pub(crate) const fn gate_width(self) -> usize {
        GATES * self.state_width() + VECTOR
    }
}

/// The weights of a recurrent layer as they stand in the layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerWeights<'a> {
    weight_ih: &'a [f32],
    weight_hh: &'a [f32],
    bias_ih: &'a [f32],
    bias_hh: &'a [f32],
}

impl<'a> LayerWeights<'a> {
    pub(crate) fn new(layout: &RecurrentLayout, numbers: &'a [f32]) -> Self {
        Self {
            weight_ih: &numbers[layout.weight_ih.clone()],
            weight_hh: &numbers[layout.weight_hh.clone()],
            bias_ih: &numbers[layout.bias_ih.clone()],
            bias_hh: &numbers[layout.bias_hh.clone()],
        }
    }
}

/// The weights of a recurrent layer.
#[derive(Debug, Clone)]
pub(crate) struct PackedLayer {
    pub(crate) cell: Cell,
    pub(crate) shape: Shape,
    /// Panels: for each 16 units and each state (padded) or input the weights of all gates, 16 numbers each.
    panels: Buffer,
    /// 16 units, their gates: both biases, but for the part of a GRU's candidate that the reset gate scales.
    bias: Buffer,
    /// A row for each gate of each unit, padded as gates are, in which inputs and states stand as in a lane.
    pub(crate) back: Buffer,
}

impl PackedLayer {
    pub(crate) fn zeros(cell: Cell, inputs: usize, units: usize) -> Self {
        let shape = Shape { inputs, units };
        Self {
            cell,
            shape,
            panels: Buffer::zeros(shape.read() * shape.state_width() * cell.gates()),
            bias: Buffer::zeros(GATES * shape.state_width()),
            back: Buffer::default(),
        }
    }

    /// Takes over changed weights for the way forward.
    pub(crate) fn write(&mut self, weights: &LayerWeights<'_>) {
        let Shape { inputs, units } = self.shape;
        let gates = self.cell.gates();
        let row = gates * VECTOR;
        let panels = self.panels.chunks_mut(self.shape.read() * row);
        for (panel, first) in panels.zip((0..units).step_by(VECTOR)) {
            let height = VECTOR.min(units - first);
            for (matrix, columns, at) in [
                (weights.weight_hh, units, 0),
                (weights.weight_ih, inputs, self.shape.state_width()),
            ] {
                for gate in 0..gates {
                    transpose(
                        (&matrix[(gate * units + first) * columns..], columns),
                        (height, columns),
                        (&mut panel[at * row + gate * VECTOR..], row),
                    );
                }
            }
        }
        for unit in 0..units {
            let place = unit / VECTOR * GATES * VECTOR + unit % VECTOR;
            for gate in 0..gates {
                let at = gate * units + unit;
                let (of_inputs, of_state) = (weights.bias_ih[at], weights.bias_hh[at]);
                let place = place + gate * VECTOR;
                if self.cell == Cell::Gru && gate == 2 {
                    self.bias[place] = of_inputs;
                    self.bias[place + VECTOR] = of_state;
                } else {
                    self.bias[place] = of_inputs + of_state;
                }
            }
        }
    }

    /// Takes over changed weights for the way back.
    pub(crate) fn write_back(&mut self, weights: &LayerWeights<'_>) {
        let Shape { inputs, units } = self.shape;
        let width = self.shape.width();
        self.back.reserve(GATES * self.shape.state_width() * width);
        for gate in 0..self.cell.gates() {
            let of_inputs = gate * self.shape.state_width();
            let of_state = of_inputs + state_gate(self.cell, gate) * self.shape.state_width();
            for unit in 0..units {
                let from = gate * units + unit;
                let to = (of_inputs + unit) * width + self.shape.state_width();
                let row = &mut self.back[to..][..inputs];
                row.copy_from_slice(&weights.weight_ih[from * inputs..][..inputs]);
                let row = &mut self.back[(of_state + unit) * width..][..units];
                row.copy_from_slice(&weights.weight_hh[from * units..][..units]);
            }
        }
    }

    /// The panel of 16 units, and the biases of their gates.
    #[inline(always)]
    pub(crate) fn block(&self, block: usize) -> (&[f32], &[f32]) {
        let length = self.shape.read() * self.cell.gates() * VECTOR;
        (
            &self.panels[block * length..][..length],
            &self.bias[block * GATES * VECTOR..][..GATES * VECTOR],
        )
    }
}

/// How many blocks after that of the inputs the part of a gate stands that comes from the state.
pub(crate) const fn state_gate(cell: Cell, gate: usize) -> usize {
    match (cell, gate) {
        (Cell::Gru, 2) => 1,
        _ => 0,
    }
}

/// A linear layer.
#[derive(Debug, Clone)]
pub(crate) struct PackedMatrix {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// A row for each input, padded to whole vectors.
    pub(crate) forward: Buffer,
    pub(crate) bias: Buffer,
    /// A row for each output, padded to whole vectors.
    pub(crate) back: Buffer,
}

impl PackedMatrix {
    fn zeros(outputs: usize, inputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            forward: Buffer::zeros(inputs * padded(outputs)),
            bias: Buffer::zeros(padded(outputs)),
            back: Buffer::zeros(outputs * padded(inputs)),
        }
    }

    fn write(&mut self, numbers: &[f32], (weight, bias): (&Range<usize>, &Range<usize>)) {
        let (weight, bias) = (&numbers[weight.clone()], &numbers[bias.clone()]);
        let (inputs, outputs) = (self.inputs, self.outputs);
        self.bias[..outputs].copy_from_slice(bias);
        let shape = (outputs, inputs);
        let turned = (&mut self.forward[..], padded(outputs));
        transpose((weight, inputs), shape, turned);
        let rows = self.back.chunks_mut(padded(inputs));
        for (row, weights) in rows.zip(weight.chunks(inputs)) {
            row[..inputs].copy_from_slice(weights);
        }
    }
}

/// The weights of an attention pool.
#[derive(Debug, Clone)]
pub(crate) struct PackedAttention {
    pub(crate) projection: PackedMatrix,
    pub(crate) query: Buffer,
}
