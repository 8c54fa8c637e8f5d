//! A recurrent layer over a chunk: forwards, and backwards through time.
//!
//! Matrices of a step have a row a unit and a column a lane (one sequence of the chunk). Sequences lie by falling
//! length: at each step the first lanes are active, and only their columns, in whole vectors, are computed. What stands
//! in the columns after them is finite and never read into anything that is.

use super::buffer::{Buffer, padded};
use super::gru::{GruBackward, GruForward};
use super::lstm::{LstmBackward, LstmForward};
use super::matmul::{Factor, MatMul, Start};
use super::transpose::transpose;
use super::{LANES, VECTOR};
use crate::network::{Cell, RecurrentLayout};
use pulp::Arch;
use std::ops::Range;

/// Blocks of rows of gates: those of an LSTM, or three of a GRU and the state's part of its candidate.
const GATES: usize = 4;

/// Whether what the way back needs is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tape {
    Kept,
    Dropped,
}

/// The lanes that are active at each step, none increasing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Active<'a>(pub(crate) &'a [usize]);

impl Active<'_> {
    pub(crate) const fn steps(self) -> usize {
        self.0.len()
    }

    /// Columns to compute at a step, in whole vectors.
    pub(crate) fn columns(self, step: usize) -> usize {
        self.0[step].div_ceil(VECTOR) * VECTOR
    }
}

/// One layer's weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerWeights<'a> {
    pub(crate) cell: Cell,
    pub(crate) inputs: usize,
    pub(crate) units: usize,
    pub(crate) weight_ih: &'a [f32],
    pub(crate) weight_hh: &'a [f32],
    pub(crate) bias_ih: &'a [f32],
    pub(crate) bias_hh: &'a [f32],
}

impl<'a> LayerWeights<'a> {
    pub(crate) fn new(cell: Cell, layout: &RecurrentLayout, numbers: &'a [f32]) -> Self {
        Self {
            cell,
            inputs: layout.inputs,
            units: layout.bias_hh.len() / cell.gates(),
            weight_ih: &numbers[layout.weight_ih.clone()],
            weight_hh: &numbers[layout.weight_hh.clone()],
            bias_ih: &numbers[layout.bias_ih.clone()],
            bias_hh: &numbers[layout.bias_hh.clone()],
        }
    }

    /// What is added to each row of gates: both biases, but for the part of a GRU's candidate that the reset gate scales.
    pub(crate) fn biases(&self) -> Vec<f32> {
        let both = self.bias_ih.iter().zip(self.bias_hh);
        let mut biases: Vec<f32> = both.map(|(input, hidden)| input + hidden).collect();
        if self.cell == Cell::Gru {
            let candidate = 2 * self.units;
            biases[candidate..].copy_from_slice(&self.bias_ih[candidate..]);
            biases.extend_from_slice(&self.bias_hh[candidate..]);
        }
        biases
    }
}

/// The numbers of a layer over a chunk.
#[derive(Debug, Default)]
pub(crate) struct LayerTape {
    /// Inputs of each step: rows of lanes.
    pub(crate) inputs: Buffer,
    /// The same, a row a lane.
    pub(crate) input_rows: Buffer,
    gates: Buffer,
    cell: Buffer,
    tanh_cell: Buffer,
    /// States before the first step (zeros), and after each.
    pub(crate) hidden: Buffer,
    hidden_rows: Buffer,
    /// Derivative by the states after each step: what comes from above, then all of it.
    pub(crate) d_hidden: Buffer,
    d_cell: Buffer,
    /// Derivative by the inputs of each step.
    pub(crate) d_inputs: Buffer,
}

impl LayerTape {
    /// Makes room for so many steps.
    pub(crate) fn reserve(&mut self, inputs: usize, units: usize, steps: usize, tape: Tape) {
        let block = units * LANES;
        self.inputs.reserve(steps * inputs * LANES);
        self.hidden.reserve((steps + 1) * block);
        let kept = tape == Tape::Kept;
        let slots = if kept { steps } else { 1 };
        self.gates.reserve(slots * GATES * block);
        self.tanh_cell.reserve(slots * block);
        self.cell.reserve((slots + 1) * block);
        self.input_rows.reserve(steps * LANES * padded(inputs));
        if kept {
            self.hidden_rows
                .reserve((steps + 1) * LANES * padded(units));
            self.d_hidden.reserve(steps * block);
            self.d_cell.reserve(block);
            self.d_inputs.reserve(steps * inputs * LANES);
        }
    }

    /// Hidden states after so many steps, rows of lanes.
    pub(crate) fn hidden(&self, units: usize, steps: usize) -> &[f32] {
        &self.hidden[steps * units * LANES..(steps + 1) * units * LANES]
    }

    /// Inputs by rows from inputs by lanes, where the way back needs them.
    pub(crate) fn turn_inputs(&mut self, inputs: usize, active: Active<'_>, tape: Tape) {
        if tape == Tape::Dropped {
            return;
        }
        let width = padded(inputs);
        for step in 0..active.steps() {
            let from = &self.inputs[step * inputs * LANES..(step + 1) * inputs * LANES];
            let to = &mut self.input_rows[step * LANES * width..(step + 1) * LANES * width];
            transpose((from, LANES), (inputs, active.0[step]), (to, width));
        }
    }

    /// From inputs to hidden states.
    pub(crate) fn forward(
        &mut self,
        arch: Arch,
        weights: &LayerWeights<'_>,
        active: Active<'_>,
        tape: Tape,
    ) {
        let (units, inputs) = (weights.units, weights.inputs);
        let block = units * LANES;
        let biases = weights.biases();
        self.cell[..block].fill(0.0);
        self.hidden[..block].fill(0.0);
        for step in 0..active.steps() {
            let columns = active.columns(step);
            let slot = if tape == Tape::Kept { step } else { 0 };
            let gates = &mut self.gates[slot * GATES * block..(slot + 1) * GATES * block];
            let (before, after) = self.hidden.split_at_mut((step + 1) * block);
            let (before, after) = (&before[step * block..], &mut after[..block]);
            let mut product = |factor, rows: Range<usize>, other: &[f32], inner, start| {
                arch.dispatch(MatMul {
                    factor,
                    rows: rows.len(),
                    inner,
                    columns,
                    other: (other, LANES),
                    result: (&mut gates[rows.start * LANES..rows.end * LANES], LANES),
                    start,
                });
            };
            let by_inputs = Factor::Rows(weights.weight_ih, inputs);
            let rows = weights.cell.gates() * units;
            let from = &self.inputs[step * inputs * LANES..(step + 1) * inputs * LANES];
            product(by_inputs, 0..rows, from, inputs, Start::Rows(&biases));
            // Before the first step there is nothing.
            let inner = if step == 0 { 0 } else { units };
            match weights.cell {
                Cell::Lstm => {
                    let factor = Factor::Rows(weights.weight_hh, units);
                    product(factor, 0..rows, before, inner, Start::Kept);
                    // With a tape the state after each step has a place of its own, else there are two in turn.
                    let (old, new) = match tape {
                        Tape::Kept => (step, step + 1),
                        Tape::Dropped => (step % 2, 1 - step % 2),
                    };
                    let (cell_before, cell) = two_blocks(&mut self.cell, block, old, new);
                    arch.dispatch(LstmForward {
                        units,
                        stride: LANES,
                        columns,
                        gates,
                        cell_before,
                        cell,
                        tanh_cell: &mut self.tanh_cell[slot * block..(slot + 1) * block],
                        hidden: after,
                    });
                }
                Cell::Gru => {
                    let factor = Factor::Rows(weights.weight_hh, units);
                    product(factor, 0..2 * units, before, inner, Start::Kept);
                    let factor = Factor::Rows(&weights.weight_hh[2 * units * units..], units);
                    let start = Start::Rows(&biases[rows..]);
                    product(factor, rows..rows + units, before, inner, start);
                    arch.dispatch(GruForward {
                        units,
                        stride: LANES,
                        columns,
                        gates,
                        hidden_before: before,
                        hidden: after,
                    });
                }
            }
        }
    }

    /// From derivatives by hidden states to those by weights and by the inputs `wanted`.
    pub(crate) fn backward(
        &mut self,
        arch: Arch,
        weights: &LayerWeights<'_>,
        active: Active<'_>,
        wanted: Range<usize>,
        gradient: &mut LayerGradient,
    ) {
        let (units, inputs) = (weights.units, weights.inputs);
        let block = units * LANES;
        let width = padded(units);
        let rows = weights.cell.gates() * units;
        for step in 1..active.steps() {
            let from = &self.hidden[step * block..(step + 1) * block];
            let to = &mut self.hidden_rows[step * LANES * width..(step + 1) * LANES * width];
            transpose((from, LANES), (units, active.0[step]), (to, width));
        }
        self.d_cell[..block].fill(0.0);
        for step in (0..active.steps()).rev() {
            let (columns, lanes) = (active.columns(step), active.0[step]);
            let gates = &mut self.gates[step * GATES * block..(step + 1) * GATES * block];
            let (d_before, d_hidden) = self.d_hidden.split_at_mut(step * block);
            let d_hidden = &d_hidden[..block];
            match weights.cell {
                Cell::Lstm => arch.dispatch(LstmBackward {
                    units,
                    stride: LANES,
                    columns,
                    gates,
                    cell_before: &self.cell[step * block..(step + 1) * block],
                    tanh_cell: &self.tanh_cell[step * block..(step + 1) * block],
                    d_hidden,
                    d_cell: &mut self.d_cell[..block],
                    d_bias: &mut gradient.bias,
                }),
                Cell::Gru => arch.dispatch(GruBackward {
                    units,
                    stride: LANES,
                    columns,
                    gates,
                    hidden_before: &self.hidden[step * block..(step + 1) * block],
                    d_hidden,
                    // What the state before the first step would get is of no use.
                    d_before: match step {
                        0 => &mut self.d_cell[..block],
                        _ => &mut d_before[(step - 1) * block..],
                    },
                    d_bias: &mut gradient.bias,
                }),
            }
            let gates = &*gates;
            if step > 0 {
                let before = &mut self.d_hidden[(step - 1) * block..step * block];
                let state = &self.hidden_rows[step * LANES * width..(step + 1) * LANES * width];
                for (of_weights, of_gates) in recurrent_rows(weights.cell, units) {
                    let by_gates = &gates[of_gates.start * LANES..of_gates.end * LANES];
                    let matrix = of_weights.start * units..of_weights.end * units;
                    arch.dispatch(MatMul {
                        factor: Factor::Columns(&weights.weight_hh[matrix], units),
                        rows: units,
                        inner: of_weights.len(),
                        columns,
                        other: (by_gates, LANES),
                        result: (before, LANES),
                        start: Start::Kept,
                    });
                    let matrix = of_weights.start * width..of_weights.end * width;
                    arch.dispatch(MatMul {
                        factor: Factor::Rows(by_gates, LANES),
                        rows: of_weights.len(),
                        inner: lanes,
                        columns: width,
                        other: (state, width),
                        result: (&mut gradient.weight_hh[matrix], width),
                        start: Start::Kept,
                    });
                }
            }
            let width = padded(inputs);
            arch.dispatch(MatMul {
                factor: Factor::Rows(gates, LANES),
                rows,
                inner: lanes,
                columns: width,
                other: (&self.input_rows[step * LANES * width..], width),
                result: (&mut gradient.weight_ih, width),
                start: Start::Kept,
            });
            if !wanted.is_empty() {
                let from = (step * inputs + wanted.start) * LANES;
                arch.dispatch(MatMul {
                    factor: Factor::Columns(&weights.weight_ih[wanted.start..], inputs),
                    rows: wanted.len(),
                    inner: rows,
                    columns,
                    other: (gates, LANES),
                    result: (&mut self.d_inputs[from..from + wanted.len() * LANES], LANES),
                    start: Start::Zero,
                });
            }
        }
    }
}

/// Rows of the recurrent weights, and the rows of gates that they belong to.
fn recurrent_rows(cell: Cell, units: usize) -> Vec<(Range<usize>, Range<usize>)> {
    match cell {
        Cell::Lstm => vec![(0..4 * units, 0..4 * units)],
        Cell::Gru => vec![
            (0..2 * units, 0..2 * units),
            (2 * units..3 * units, 3 * units..4 * units),
        ],
    }
}

/// Two different blocks of a buffer.
fn two_blocks(buffer: &mut [f32], block: usize, old: usize, new: usize) -> (&[f32], &mut [f32]) {
    let (low, high) = buffer.split_at_mut(old.max(new) * block);
    if old < new {
        (&low[old * block..][..block], &mut high[..block])
    } else {
        (&high[..block], &mut low[new * block..][..block])
    }
}

/// The derivatives of a chunk's loss by one layer's weights; rows padded to whole vectors.
#[derive(Debug)]
pub(crate) struct LayerGradient {
    cell: Cell,
    inputs: usize,
    units: usize,
    weight_ih: Buffer,
    weight_hh: Buffer,
    /// A vector for each row of gates.
    bias: Buffer,
}

impl LayerGradient {
    pub(crate) fn zeros(cell: Cell, inputs: usize, units: usize) -> Self {
        let rows = cell.gates() * units;
        Self {
            cell,
            inputs,
            units,
            weight_ih: Buffer::zeros(rows * padded(inputs)),
            weight_hh: Buffer::zeros(rows * padded(units)),
            bias: Buffer::zeros(GATES * units * VECTOR),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.weight_ih.fill(0.0);
        self.weight_hh.fill(0.0);
        self.bias.fill(0.0);
    }

    /// Adds it to the gradient of all weights.
    pub(crate) fn add_to(&self, layout: &RecurrentLayout, all: &mut [f32]) {
        add_rows(
            &self.weight_ih,
            self.inputs,
            &mut all[layout.weight_ih.clone()],
        );
        add_rows(
            &self.weight_hh,
            self.units,
            &mut all[layout.weight_hh.clone()],
        );
        let sums: Vec<f32> = self
            .bias
            .chunks(VECTOR)
            .map(|sums| sums.iter().sum())
            .collect();
        let add = |to: &mut [f32], sums: &[f32]| {
            for (to, sum) in to.iter_mut().zip(sums) {
                *to += sum;
            }
        };
        add(&mut all[layout.bias_ih.clone()], &sums);
        let to = &mut all[layout.bias_hh.clone()];
        match self.cell {
            Cell::Lstm => add(to, &sums),
            Cell::Gru => {
                add(&mut to[..2 * self.units], &sums);
                add(&mut to[2 * self.units..], &sums[3 * self.units..]);
            }
        }
    }
}

/// Adds padded rows to rows of `width` numbers.
pub(crate) fn add_rows(rows: &[f32], width: usize, to: &mut [f32]) {
    for (row, to) in rows.chunks(padded(width)).zip(to.chunks_mut(width)) {
        for (number, to) in row.iter().zip(to) {
            *to += number;
        }
    }
}
