//! A recurrent layer over a chunk: forwards, and backwards through time.
//!
//! A row of numbers belongs to a lane, one sequence of the chunk: the states after the events before an event, then the
//! inputs of it. Lanes lie by falling length: at each step the first ones are active, and only they are computed. What stands
//! in the rows after them is never read.

use super::buffer::{Buffer, padded};
use super::gru::{GruBackward, GruForward};
use super::lstm::{LstmBackward, LstmForward};
use super::matmul::{Factor, MatMul, Start};
use super::packed::{GATES, PackedLayer, Shape, state_gate};
use super::{BLOCK, LANES, VECTOR};
use crate::network::{Cell, RecurrentLayout};
use pulp::Arch;
use std::ops::Range;

/// Whether what the way back needs is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tape {
    Kept,
    Dropped,
}

/// The lanes that are active at each step, none increasing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Active<'a> {
    lanes: &'a [usize],
    /// Steps before the first of them: what they left is carried on.
    before: usize,
}

impl<'a> Active<'a> {
    /// From the first step on.
    pub(crate) const fn new(lanes: &'a [usize]) -> Self {
        Self { lanes, before: 0 }
    }

    /// The same in blocks of steps.
    pub(crate) fn blocks(self) -> impl Iterator<Item = Self> {
        let blocks = self.lanes.chunks(BLOCK).enumerate();
        blocks.map(|(at, lanes)| Self {
            lanes,
            before: at * BLOCK,
        })
    }

    pub(crate) const fn steps(self) -> usize {
        self.lanes.len()
    }

    /// Steps before the first of these.
    pub(crate) const fn before(self) -> usize {
        self.before
    }

    /// Lanes of each step.
    pub(crate) const fn lanes(self) -> &'a [usize] {
        self.lanes
    }

    /// Lanes of the first step.
    pub(crate) fn most_lanes(self) -> usize {
        self.lanes.first().copied().unwrap_or(0)
    }

    /// Lanes that have a state after so many of these steps; after none of them those that go on.
    pub(crate) fn lanes_after(self, steps: usize) -> usize {
        self.lanes[steps.saturating_sub(1)]
    }
}

/// The numbers of a layer over a chunk.
#[derive(Debug, Default)]
pub(crate) struct LayerTape {
    shape: Shape,
    /// For each step the rows of the lanes: states before the step, and inputs; states after the last one at the end. Of
    /// what is not taped, a block of steps.
    rows: Buffer,
    /// Rows of gates of each step.
    gates: Buffer,
    /// States of the cells, before the first step (zeros) and after each; of what is not taped, those of now.
    cell: Buffer,
    /// Derivatives by `rows`: by states what comes from above, then all of it.
    d_rows: Buffer,
    /// Whether anything came from above after so many steps; where not, `d_rows` holds what an earlier chunk left there.
    from_above: Vec<bool>,
    d_cell: Buffer,
}

impl LayerTape {
    /// Makes room for so many steps.
    pub(crate) fn reserve(&mut self, shape: Shape, steps: usize, tape: Tape) {
        self.shape = shape;
        let rows = (steps + 1) * LANES * shape.width();
        let states = LANES * shape.state_width();
        self.rows.reserve(rows);
        self.cell.reserve(states);
        if tape == Tape::Kept {
            self.gates.reserve(steps * LANES * shape.gate_width());
            self.cell.reserve((steps + 1) * states);
            self.d_rows.reserve(rows);
            self.d_cell.reserve(states);
        }
    }

    /// Where the row of a lane begins.
    const fn place(&self, step: usize, lane: usize) -> usize {
        (step * LANES + lane) * self.shape.width()
    }

    const fn input_place(&self, step: usize, lane: usize) -> usize {
        self.place(step, lane) + self.shape.state_width()
    }

    /// What a lane reads at a step.
    pub(crate) fn inputs(&mut self, step: usize, lane: usize) -> &mut [f32] {
        let place = self.input_place(step, lane);
        &mut self.rows[place..place + self.shape.inputs]
    }

    /// What a lane reads, step after step.
    pub(crate) fn lane_inputs(&mut self, lane: usize) -> impl Iterator<Item = &mut [f32]> {
        let (place, block) = (self.input_place(0, lane), self.place(1, 0));
        let inputs = self.shape.inputs;
        let steps = self.rows[place..].chunks_mut(block);
        steps.map(move |row| &mut row[..inputs])
    }

    /// The states of a lane after so many steps.
    pub(crate) fn states(&self, steps: usize, lane: usize) -> &[f32] {
        &self.rows[self.place(steps, lane)..][..self.shape.units]
    }

    /// The states of all lanes after so many steps, padded, and numbers from one lane to the next.
    pub(crate) fn all_states(&self, steps: usize) -> (&[f32], usize) {
        (&self.rows[self.place(steps, 0)..], self.shape.width())
    }

    /// The derivatives by what a lane reads at a step.
    pub(crate) fn d_inputs(&self, step: usize, lane: usize) -> &[f32] {
        &self.d_rows[self.input_place(step, lane)..][..self.shape.inputs]
    }

    /// The derivatives by the states of a lane after so many steps.
    pub(crate) fn d_states(&mut self, steps: usize, lane: usize) -> &mut [f32] {
        self.begin_derivatives(steps);
        let place = self.place(steps, lane);
        &mut self.d_rows[place..place + self.shape.units]
    }

    /// The derivatives by the states of all lanes after so many steps, padded, beside the states.
    pub(crate) fn all_d_states(&mut self, steps: usize) -> (&mut [f32], &[f32], usize) {
        self.begin_derivatives(steps);
        let place = self.place(steps, 0);
        let (d_states, states) = (&mut self.d_rows[place..], &self.rows[place..]);
        (d_states, states, self.shape.width())
    }

    /// What active lanes read, step after step.
    pub(crate) fn each_inputs(&mut self, active: Active<'_>) -> impl Iterator<Item = &mut [f32]> {
        each_inputs(&mut self.rows, self.shape, active)
    }

    /// The derivatives by that.
    pub(crate) fn each_d_inputs(&mut self, active: Active<'_>) -> impl Iterator<Item = &mut [f32]> {
        each_inputs(&mut self.d_rows, self.shape, active)
    }

    /// Forgets the derivatives of the last chunk.
    pub(crate) fn clear_derivatives(&mut self, steps: usize) {
        self.from_above.clear();
        self.from_above.resize(steps + 1, false);
    }

    /// Zeros as derivatives by the states after so many steps, before the first number is added.
    fn begin_derivatives(&mut self, steps: usize) {
        if !self.from_above[steps] {
            self.from_above[steps] = true;
            let place = self.place(steps, 0)..self.place(steps + 1, 0);
            self.d_rows[place].fill(0.0);
        }
    }

    /// States before the first step: zeros, or those after the block before.
    fn begin_states(&mut self, active: Active<'_>) {
        let (width, states) = (self.shape.width(), self.shape.state_width());
        if active.before == 0 {
            self.cell[..LANES * states].fill(0.0);
        }
        for lane in 0..active.most_lanes() {
            let to = lane * width;
            if active.before == 0 {
                self.rows[to..to + states].fill(0.0);
            } else {
                let from = self.place(BLOCK, lane);
                self.rows.copy_within(from..from + states, to);
            }
        }
    }

    /// From inputs to states.
    pub(crate) fn forward(
        &mut self,
        arch: Arch,
        weights: &PackedLayer,
        active: Active<'_>,
        tape: Tape,
    ) {
        let shape = self.shape;
        let (block, states) = (LANES * shape.width(), LANES * shape.state_width());
        let gates = LANES * shape.gate_width();
        let kept = tape == Tape::Kept;
        self.begin_states(active);
        for (step, lanes) in active.lanes.iter().enumerate() {
            let first = active.before + step == 0;
            let (before, after) = self.rows.split_at_mut((step + 1) * block);
            let (before, after) = (&before[step * block..], &mut after[..block]);
            let gates = kept.then(|| &mut self.gates[step * gates..(step + 1) * gates]);
            match weights.cell {
                Cell::Lstm => {
                    // Without a tape there is one state, which changes in place.
                    let cells = if kept {
                        (step * states, (step + 1) * states)
                    } else {
                        (0, 0)
                    };
                    arch.dispatch(LstmForward {
                        weights,
                        lanes: *lanes,
                        before,
                        first,
                        from_end: step % 2 == 1,
                        after,
                        cells,
                        cell: &mut self.cell,
                        tape: gates,
                    });
                }
                Cell::Gru => arch.dispatch(GruForward {
                    weights,
                    lanes: *lanes,
                    before,
                    first,
                    from_end: step % 2 == 1,
                    after,
                    tape: gates,
                }),
            }
        }
    }

    /// From derivatives by states to those by weights and by the inputs `wanted`.
    pub(crate) fn backward(
        &mut self,
        arch: Arch,
        weights: &PackedLayer,
        (active, wanted): (Active<'_>, Range<usize>),
        gradient: &mut LayerGradient,
    ) {
        let shape = self.shape;
        let (width, units) = (shape.width(), shape.state_width());
        let (block, states) = (LANES * width, LANES * units);
        let gate_width = shape.gate_width();
        let parts = parts_of_weights(weights.cell, shape);
        self.begin_derivatives(active.steps());
        gradient.bias.fill(0.0);
        if active.steps() == 1 {
            // Weights of states get nothing.
            gradient.weights.fill(0.0);
        }
        self.d_cell[..states].fill(0.0);
        for (step, lanes) in active.lanes.iter().enumerate().rev() {
            let lanes = *lanes;
            let gates = &mut self.gates[step * LANES * gate_width..][..LANES * gate_width];
            let before = &self.rows[step * block..(step + 1) * block];
            let (d_before, d_after) = self.d_rows.split_at_mut((step + 1) * block);
            let d_before = &mut d_before[step * block..];
            let from_above = self.from_above[step];
            if !from_above && step > 0 {
                // Those whose last state this is.
                d_before[lanes * width..active.lanes[step - 1] * width].fill(0.0);
            }
            match weights.cell {
                Cell::Lstm => arch.dispatch(LstmBackward {
                    shape,
                    lanes,
                    gates,
                    cell_before: &self.cell[step * states..(step + 1) * states],
                    cell_after: &self.cell[(step + 1) * states..(step + 2) * states],
                    d_after,
                    d_cell: &mut self.d_cell[..states],
                    d_bias: &mut gradient.bias,
                }),
                Cell::Gru => arch.dispatch(GruBackward {
                    shape,
                    lanes,
                    gates,
                    before,
                    d_after,
                    from_above,
                    d_before,
                    d_bias: &mut gradient.bias,
                }),
            }
            let gates = &*gates;
            for (rows, columns) in &parts {
                let mut columns = columns.clone();
                if step == 0 {
                    // There were no states.
                    columns.start = columns.start.max(units);
                }
                if columns.is_empty() {
                    continue;
                }
                arch.dispatch(MatMul {
                    factor: Factor::Columns(&gates[rows.start..], gate_width),
                    rows: rows.len(),
                    inner: lanes,
                    columns: columns.len(),
                    other: (&before[columns.start..], width),
                    result: (
                        &mut gradient.weights[rows.start * width + columns.start..],
                        width,
                    ),
                    start: if step + 1 == active.steps() {
                        Start::Zero
                    } else {
                        Start::Kept
                    },
                });
            }
            let mut product = |rows: Range<usize>, columns: Range<usize>, start| {
                arch.dispatch(MatMul {
                    factor: Factor::Rows(&gates[rows.start..], gate_width),
                    rows: lanes,
                    inner: rows.len(),
                    columns: columns.len(),
                    other: (&weights.back[rows.start * width + columns.start..], width),
                    result: (&mut d_before[columns.start..], width),
                    start,
                });
            };
            if !wanted.is_empty() {
                let from = wanted.start / VECTOR * VECTOR;
                let columns = units + from..units + padded(wanted.end);
                product(0..weights.cell.gates() * units, columns, Start::Zero);
            }
            if step > 0 {
                let columns = 0..units;
                match weights.cell {
                    Cell::Lstm if from_above => product(0..4 * units, columns, Start::Kept),
                    Cell::Lstm => product(0..4 * units, columns, Start::Zero),
                    Cell::Gru => {
                        product(0..2 * units, columns.clone(), Start::Kept);
                        product(3 * units..4 * units, columns, Start::Kept);
                    }
                }
            }
        }
    }
}

fn each_inputs<'a>(
    rows: &'a mut [f32],
    shape: Shape,
    active: Active<'_>,
) -> impl Iterator<Item = &'a mut [f32]> {
    let steps = rows.chunks_mut(LANES * shape.width()).zip(active.lanes);
    steps.flat_map(move |(rows, lanes)| {
        let rows = rows.chunks_mut(shape.width()).take(*lanes);
        rows.map(move |row| &mut row[shape.state_width()..shape.read()])
    })
}

/// Rows of gates, and which columns of inputs and states they read.
fn parts_of_weights(cell: Cell, shape: Shape) -> Vec<(Range<usize>, Range<usize>)> {
    let (units, width) = (shape.state_width(), shape.width());
    match cell {
        Cell::Lstm => vec![(0..4 * units, 0..width)],
        Cell::Gru => vec![
            (0..2 * units, 0..width),
            (2 * units..3 * units, units..width),
            (3 * units..4 * units, 0..units),
        ],
    }
}

/// The derivatives of a chunk's loss by one layer's weights, in the order of [`PackedLayer::back`].
#[derive(Debug)]
pub(crate) struct LayerGradient {
    cell: Cell,
    shape: Shape,
    weights: Buffer,
    bias: Buffer,
}

impl LayerGradient {
    pub(crate) fn zeros(cell: Cell, shape: Shape) -> Self {
        let rows = GATES * shape.state_width();
        Self {
            cell,
            shape,
            weights: Buffer::zeros(rows * shape.width()),
            bias: Buffer::zeros(rows),
        }
    }

    /// Adds that of another chunk.
    pub(crate) fn add(&mut self, other: &Self) {
        add(&other.weights, &mut self.weights);
        add(&other.bias, &mut self.bias);
    }

    /// Writes it to its place in the gradient of all weights.
    pub(crate) fn write_to(&self, layout: &RecurrentLayout, all: &mut [f32]) {
        let Shape { inputs, units } = self.shape;
        let (states, width) = (self.shape.state_width(), self.shape.width());
        for gate in 0..self.cell.gates() {
            let of_inputs = gate * states;
            let of_state = of_inputs + state_gate(self.cell, gate) * states;
            let from = of_inputs * width + states;
            let to = layout.weight_ih.start + gate * units * inputs;
            let to = &mut all[to..to + units * inputs];
            copy_rows((&self.weights[from..], width), inputs, to);
            let from = of_state * width;
            let to = layout.weight_hh.start + gate * units * units;
            let to = &mut all[to..to + units * units];
            copy_rows((&self.weights[from..], width), units, to);
            let to = layout.bias_ih.start + gate * units;
            all[to..to + units].copy_from_slice(&self.bias[of_inputs..][..units]);
            let to = layout.bias_hh.start + gate * units;
            all[to..to + units].copy_from_slice(&self.bias[of_state..][..units]);
        }
    }
}

/// Adds numbers to as many as there are.
pub(crate) fn add(numbers: &[f32], to: &mut [f32]) {
    for (number, to) in numbers.iter().zip(to) {
        *to += number;
    }
}

/// Copies rows, each so many numbers after the one before, to rows of `width` numbers.
pub(crate) fn copy_rows((rows, stride): (&[f32], usize), width: usize, to: &mut [f32]) {
    for (row, to) in rows.chunks(stride).zip(to.chunks_mut(width)) {
        to.copy_from_slice(&row[..width]);
    }
}

/// Adds rows, each so many numbers after the one before, to rows of `width` numbers.
pub(crate) fn add_rows((rows, stride): (&[f32], usize), width: usize, to: &mut [f32]) {
    for (row, to) in rows.chunks(stride).zip(to.chunks_mut(width)) {
        add(row, to);
    }
}
