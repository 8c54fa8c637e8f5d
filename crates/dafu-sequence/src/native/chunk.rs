//! A chunk of sequences, forwards and backwards through the whole network.

use super::attention::AttentionTape;
use super::buffer::{Buffer, padded};
use super::dropout::Dropout;
use super::matmul::{Factor, MatMul, Start};
use super::packed::{Packed, PackedLayer};
use super::recurrent::{Active, LayerGradient, LayerTape, Tape, add, copy_rows};
use super::{LANES, VECTOR};
use crate::data::{SequenceSet, Span};
use crate::network::{Layout, NetworkConfig, Objective, RecurrentLayout, Task};
use pulp::Arch;
use std::ops::Range;

/// What the network is while a chunk goes through it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Net<'a> {
    pub(crate) arch: Arch,
    pub(crate) config: &'a NetworkConfig,
    pub(crate) layout: &'a Layout,
    pub(crate) numbers: &'a [f32],
    /// The same numbers, laid out for products.
    pub(crate) packed: &'a Packed,
}

/// At most [`LANES`] sequences by falling length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) set: SequenceSet<'a>,
    pub(crate) sequences: &'a [u32],
    /// Inputs of an event from which each lane has come further towards those of its sequence: the middles of as many
    /// parts of the way as there are lanes.
    pub(crate) path: Option<&'a [f32]>,
}

impl<'a> Chunk<'a> {
    fn spans(self) -> impl Iterator<Item = &'a Span> + Clone {
        let spans = self.set.spans();
        self.sequences
            .iter()
            .map(move |sequence| &spans[*sequence as usize])
    }

    /// Lanes active at each step.
    fn active(self) -> Vec<usize> {
        let mut spans = self.spans();
        let steps = spans.next().map_or(0, Span::len);
        let lanes_at = |step| self.spans().take_while(|span| span.len() > step).count();
        (0..steps).map(lanes_at).collect()
    }
}

/// One answer: which event it is for, and where its features stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    /// Hidden states after so many steps.
    slot: usize,
    lane: usize,
    event: usize,
}

/// Everything that a chunk needs, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    encoder: Vec<LayerTape>,
    decoder: Vec<LayerTape>,
    attention: AttentionTape,
    /// What answers are computed from at one slot, and the answers; a row a lane.
    features: Buffer,
    d_features: Buffer,
    outputs: Buffer,
    d_outputs: Buffer,
    gradient: Option<ChunkGradient>,
}

/// The gradient of a chunk before it is put in order.
#[derive(Debug)]
pub(crate) struct ChunkGradient {
    encoder: Vec<LayerGradient>,
    decoder: Vec<LayerGradient>,
    head: Buffer,
    /// All weights, by the layout.
    all: Vec<f32>,
}

impl ChunkGradient {
    fn zeros(net: &Net<'_>) -> Self {
        let layers = |layers: &[PackedLayer]| {
            let layers = layers.iter();
            layers
                .map(|layer| LayerGradient::zeros(layer.cell, layer.shape))
                .collect()
        };
        Self {
            encoder: layers(&net.packed.encoder),
            decoder: layers(&net.packed.decoder),
            head: Buffer::zeros(net.config.outputs() * padded(net.config.features())),
            all: vec![0.0; net.layout.len()],
        }
    }

    /// Zeros where numbers are added; those of recurrent layers are overwritten.
    fn clear(&mut self, layout: &Layout) {
        for place in besides_layers(layout) {
            self.all[place].fill(0.0);
        }
        self.head.fill(0.0);
    }

    /// Adds that of another chunk.
    pub(crate) fn add(&mut self, other: &Self, layout: &Layout) {
        let layers = self.encoder.iter_mut().chain(&mut self.decoder);
        let others = other.encoder.iter().chain(&other.decoder);
        for (layer, other) in layers.zip(others) {
            layer.add(other);
        }
        for place in besides_layers(layout) {
            add(&other.all[place.clone()], &mut self.all[place]);
        }
        add(&other.head, &mut self.head);
    }

    /// All weights in the order of the layout.
    pub(crate) fn finish(&mut self, net: &Net<'_>) -> &[f32] {
        for (layers, layouts) in [
            (&self.encoder, &net.layout.encoder),
            (&self.decoder, &net.layout.decoder),
        ] {
            for (layer, layout) in layers.iter().zip(layouts) {
                layer.write_to(layout, &mut self.all);
            }
        }
        let features = net.config.features();
        let to = &mut self.all[net.layout.head_weight.clone()];
        copy_rows((&self.head, padded(features)), features, to);
        &self.all
    }
}

/// Weights that stand before and after those of recurrent layers.
fn besides_layers(layout: &Layout) -> [Range<usize>; 2] {
    let layers = layout.encoder.iter().chain(&layout.decoder);
    let starts = layers.clone().map(|layer| layer.weight_ih.start);
    let ends = layers.map(|layer| layer.bias_hh.end);
    [
        0..starts.min().unwrap_or(0),
        ends.max().unwrap_or(0)..layout.len(),
    ]
}

impl Workspace {
    /// Writes the outputs of a chunk's scored events, sequence after sequence in the order of the chunk.
    pub(crate) fn outputs(&mut self, net: &Net<'_>, chunk: Chunk<'_>, out: &mut Vec<f32>) {
        let active = chunk.active();
        let active = Active(&active);
        self.forward(net, chunk, active, None);
        let answers = answers(net.config.task, chunk);
        let count = net.config.outputs();
        let width = padded(count);
        // By slot they are computed, by sequence they are wanted.
        let mut order: Vec<usize> = (0..answers.len()).collect();
        order.sort_by_key(|at| answers[*at]);
        out.clear();
        out.resize(answers.len() * count, 0.0);
        for group in order.chunk_by(|left, right| answers[*left].slot == answers[*right].slot) {
            let slot = answers[group[0]].slot;
            self.head_forward(net, slot, active.lanes_after(slot), None);
            for at in group {
                let outputs = &self.outputs[answers[*at].lane * width..][..count];
                out[at * count..(at + 1) * count].copy_from_slice(outputs);
            }
        }
    }

    /// The loss of a chunk's scored events, and the gradient of `scale` times it.
    pub(crate) fn gradient(
        &mut self,
        net: &Net<'_>,
        chunk: Chunk<'_>,
        objective: &dyn Objective,
        (scale, dropout): (f32, Dropout),
    ) -> f64 {
        let active = chunk.active();
        let active = Active(&active);
        self.forward(net, chunk, active, Some(&dropout));
        self.gradient
            .get_or_insert_with(|| ChunkGradient::zeros(net))
            .clear(net.layout);
        let mut answers = answers(net.config.task, chunk);
        answers.retain(|answer| objective.counts(chunk.set, answer.event));
        answers.sort_unstable();
        for layer in self.encoder.iter_mut().chain(&mut self.decoder) {
            layer.clear_derivatives(active.steps());
        }
        self.attention.clear_derivatives(net.config, active.steps());
        let count = net.config.outputs();
        let width = padded(count);
        let mut loss = 0.0;
        for group in answers.chunk_by(|left, right| left.slot == right.slot) {
            let slot = group[0].slot;
            let lanes = active.lanes_after(slot);
            self.head_forward(net, slot, lanes, Some(&dropout));
            self.d_outputs[..lanes * width].fill(0.0);
            for answer in group {
                let place = answer.lane * width..answer.lane * width + count;
                let derivative = &mut self.d_outputs[place.clone()];
                let outputs = &self.outputs[place];
                loss +=
                    f64::from(objective.event_loss(chunk.set, answer.event, outputs, derivative));
                for derivative in derivative {
                    *derivative *= scale;
                }
            }
            self.head_backward(net, slot, lanes, &dropout);
        }
        self.backward(net, chunk, active, &dropout);
        loss
    }

    /// The derivatives of the last chunk's loss by the inputs of a step, summed over lanes.
    pub(crate) fn input_slopes(&self, (step, lanes): (usize, usize), out: &mut [f32]) {
        out.fill(0.0);
        if let Some(layer) = self.encoder.first() {
            for lane in 0..lanes {
                add(layer.d_inputs(step, lane), out);
            }
        }
    }

    /// Room for the gradient of the next chunk.
    pub(crate) fn give_gradient(&mut self, gradient: Option<ChunkGradient>) {
        self.gradient = gradient;
    }

    /// The gradient of the last chunk.
    pub(crate) fn take_gradient(&mut self) -> Option<ChunkGradient> {
        self.gradient.take()
    }

    fn forward(
        &mut self,
        net: &Net<'_>,
        chunk: Chunk<'_>,
        active: Active<'_>,
        dropout: Option<&Dropout>,
    ) {
        let config = net.config;
        let tape = if dropout.is_some() {
            Tape::Kept
        } else {
            Tape::Dropped
        };
        let steps = active.steps();
        for (stack, packed) in [
            (&mut self.encoder, &net.packed.encoder),
            (&mut self.decoder, &net.packed.decoder),
        ] {
            stack.resize_with(packed.len(), LayerTape::default);
            for (layer, packed) in stack.iter_mut().zip(packed) {
                layer.reserve(packed.shape, steps, tape);
            }
        }
        self.features.reserve(padded(config.features()) * LANES);
        self.d_features.reserve(padded(config.features()) * LANES);
        self.outputs.reserve(padded(config.outputs()) * LANES);
        self.d_outputs.reserve(padded(config.outputs()) * LANES);
        read_inputs(net, chunk, &mut self.encoder[0]);
        let passing = (active, tape, dropout);
        let encoder = (&net.layout.encoder[..], &net.packed.encoder[..]);
        run_stack(net, encoder, &mut self.encoder, passing);
        if let (Some(first), Some(top)) = (self.decoder.first_mut(), self.encoder.last()) {
            spread_summary(chunk, top, first);
            let decoder = (&net.layout.decoder[..], &net.packed.decoder[..]);
            run_stack(net, decoder, &mut self.decoder, passing);
        }
        if let (Some(weights), Some(top)) = (&net.packed.attention, self.encoder.last()) {
            self.attention.forward(net.arch, weights, top, active);
        }
    }

    fn head_forward(
        &mut self,
        net: &Net<'_>,
        slot: usize,
        lanes: usize,
        dropout: Option<&Dropout>,
    ) {
        let (units, features) = (net.config.hidden_units, net.config.features());
        let width = padded(features);
        let top = self.decoder.last().or(self.encoder.last());
        let rows = self.features.chunks_mut(width).take(lanes);
        for (lane, row) in rows.enumerate() {
            if let Some(top) = top {
                row[..units].copy_from_slice(top.states(slot, lane));
            }
            if net.config.attention() {
                let pooled = self.attention.pooled(units, slot, lane);
                row[units..features].copy_from_slice(pooled);
            }
        }
        if let Some(dropout) = dropout {
            dropout.head(slot, rows_of(&mut self.features, features).take(lanes));
        }
        let head = &net.packed.head;
        let columns = padded(head.outputs);
        net.arch.dispatch(MatMul {
            factor: Factor::Rows(&self.features, width),
            rows: lanes,
            inner: features,
            columns,
            other: (&head.forward, columns),
            result: (&mut self.outputs, columns),
            start: Start::Row(&head.bias),
        });
    }

    /// From derivatives by outputs at a slot to those by the head's weights, states and pools.
    fn head_backward(&mut self, net: &Net<'_>, slot: usize, lanes: usize, dropout: &Dropout) {
        let (units, features) = (net.config.hidden_units, net.config.features());
        let (outputs, width) = (net.config.outputs(), padded(features));
        let Some(gradient) = &mut self.gradient else {
            return;
        };
        net.arch.dispatch(MatMul {
            factor: Factor::Columns(&self.d_outputs, padded(outputs)),
            rows: outputs,
            inner: lanes,
            columns: width,
            other: (&self.features, width),
            result: (&mut gradient.head, width),
            start: Start::Kept,
        });
        let bias = &mut gradient.all[net.layout.head_bias.clone()];
        for derivatives in self.d_outputs.chunks(padded(outputs)).take(lanes) {
            add(derivatives, bias);
        }
        // States before the first event do not depend on anything.
        if slot == 0 {
            return;
        }
        net.arch.dispatch(MatMul {
            factor: Factor::Rows(&self.d_outputs, padded(outputs)),
            rows: lanes,
            inner: outputs,
            columns: width,
            other: (&net.packed.head.back, width),
            result: (&mut self.d_features, width),
            start: Start::Zero,
        });
        dropout.head(slot, rows_of(&mut self.d_features, features).take(lanes));
        let mut top = self.decoder.last_mut().or(self.encoder.last_mut());
        let rows = self.d_features.chunks(width).take(lanes);
        for (lane, derivatives) in rows.enumerate() {
            if let Some(top) = &mut top {
                add(derivatives, top.d_states(slot, lane));
            }
            if net.config.attention() {
                let to = self.attention.d_pooled(units, slot, lane);
                add(&derivatives[units..], to);
            }
        }
    }

    fn backward(&mut self, net: &Net<'_>, chunk: Chunk<'_>, active: Active<'_>, dropout: &Dropout) {
        let Some(gradient) = &mut self.gradient else {
            return;
        };
        let layout = net.layout;
        if let Some(weights) = &net.packed.attention
            && let (Some(top), Some(attention)) = (self.encoder.last_mut(), &layout.attention)
        {
            let to = (attention, &mut gradient.all[..]);
            self.attention
                .backward((net.arch, weights), top, active, to);
        }
        if let Some(top) = self.encoder.last_mut()
            && !self.decoder.is_empty()
        {
            let stack = (&mut self.decoder[..], &mut gradient.decoder[..]);
            let decoder = (&layout.decoder[..], &net.packed.decoder[..]);
            let wanted = 0..net.config.hidden_units;
            run_stack_back(net, decoder, stack, (active, dropout, wanted));
            gather_summary(chunk, &self.decoder[0], top);
        }
        // What an event's numbers are cannot be learned.
        let numeric = if chunk.path.is_some() {
            0
        } else {
            net.config.numeric_inputs
        };
        let embedded = numeric..net.config.inputs();
        let stack = (&mut self.encoder[..], &mut gradient.encoder[..]);
        let encoder = (&layout.encoder[..], &net.packed.encoder[..]);
        run_stack_back(net, encoder, stack, (active, dropout, embedded));
        add_embeddings(net, chunk, &self.encoder[0], &mut gradient.all);
    }
}

/// The answers of a chunk's scored events, sequence after sequence.
fn answers(task: Task, chunk: Chunk<'_>) -> Vec<Answer> {
    let events = chunk.set.events();
    let mut answers = Vec::new();
    for (lane, span) in chunk.spans().enumerate() {
        for event in (span.scored_from..span.end).filter(|event| events.scorable(*event)) {
            let step = event - span.start;
            let slot = match task {
                Task::Classify { .. } => step + 1,
                Task::NextEvent => step,
                Task::Reconstruct => span.len() - step,
            };
            answers.push(Answer { slot, lane, event });
        }
    }
    answers
}

/// The numbers of each lane, without what pads them.
fn rows_of(matrix: &mut [f32], length: usize) -> impl Iterator<Item = &mut [f32]> {
    let rows = matrix.chunks_mut(padded(length));
    rows.map(move |row| &mut row[..length])
}

/// The inputs of a chunk's events: numbers, then a row of each embedding.
fn read_inputs(net: &Net<'_>, chunk: Chunk<'_>, layer: &mut LayerTape) {
    let numeric = net.config.numeric_inputs;
    if net.config.embeddings.is_empty() && chunk.path.is_none() {
        // Nothing but numbers, which lie event after event.
        for (lane, span) in chunk.spans().enumerate() {
            let numbers = chunk.set.events().numeric(span.start..span.end);
            let rows = numbers.chunks_exact(numeric);
            for (numbers, row) in rows.zip(layer.lane_inputs(lane)) {
                copy(numbers, row);
            }
        }
        return;
    }
    for (lane, span) in chunk.spans().enumerate() {
        for (step, event) in (span.start..span.end).enumerate() {
            let row = layer.inputs(step, lane);
            let numbers = chunk.set.events().numbers(event);
            copy(numbers.numeric, &mut row[..numeric]);
            let mut from = numeric;
            let tables = net.layout.embeddings.iter().zip(&net.config.embeddings);
            for ((table, embedding), code) in tables.zip(numbers.codes) {
                let at = table.start + *code as usize * embedding.dimension;
                row[from..from + embedding.dimension]
                    .copy_from_slice(&net.numbers[at..at + embedding.dimension]);
                from += embedding.dimension;
            }
            if let Some(start) = chunk.path {
                let share = (lane as f32 + 0.5) / LANES as f32;
                for (number, start) in row.iter_mut().zip(start) {
                    *number = start + share * (*number - start);
                }
            }
        }
    }
}

/// A copy of few numbers, without the call of a function.
fn copy(from: &[f32], to: &mut [f32]) {
    let (vectors, rest) = from.as_chunks::<VECTOR>();
    let (to_vectors, to_rest) = to.as_chunks_mut::<VECTOR>();
    for (vector, to) in vectors.iter().zip(to_vectors) {
        *to = *vector;
    }
    for (number, to) in rest.iter().zip(to_rest) {
        *to = *number;
    }
}

/// Adds the derivatives by embedded inputs to the rows that were looked up.
fn add_embeddings(net: &Net<'_>, chunk: Chunk<'_>, layer: &LayerTape, all: &mut [f32]) {
    if net.config.embeddings.is_empty() {
        return;
    }
    for (lane, span) in chunk.spans().enumerate() {
        for (step, event) in (span.start..span.end).enumerate() {
            let codes = chunk.set.events().numbers(event).codes;
            let mut derivatives = &layer.d_inputs(step, lane)[net.config.numeric_inputs..];
            let tables = net.layout.embeddings.iter().zip(&net.config.embeddings);
            for ((table, embedding), code) in tables.zip(codes) {
                let at = table.start + *code as usize * embedding.dimension;
                let (of_table, rest) = derivatives.split_at(embedding.dimension);
                add(of_table, &mut all[at..at + embedding.dimension]);
                derivatives = rest;
            }
        }
    }
}

fn run_stack(
    net: &Net<'_>,
    (layouts, packed): (&[RecurrentLayout], &[PackedLayer]),
    stack: &mut [LayerTape],
    (active, tape, dropout): (Active<'_>, Tape, Option<&Dropout>),
) {
    for (at, (layout, weights)) in layouts.iter().zip(packed).enumerate() {
        if at > 0 {
            let (below, layers) = stack.split_at_mut(at);
            let (below, layer) = (&below[at - 1], &mut layers[0]);
            for (step, lanes) in active.0.iter().enumerate() {
                for lane in 0..*lanes {
                    copy(below.states(step + 1, lane), layer.inputs(step, lane));
                }
            }
            if let Some(dropout) = dropout {
                dropout.inputs(layout.weight_ih.start, layer.each_inputs(active));
            }
        }
        stack[at].forward(net.arch, weights, active, tape);
    }
}

fn run_stack_back(
    net: &Net<'_>,
    (layouts, packed): (&[RecurrentLayout], &[PackedLayer]),
    (stack, gradients): (&mut [LayerTape], &mut [LayerGradient]),
    (active, dropout, wanted): (Active<'_>, &Dropout, Range<usize>),
) {
    let units = net.config.hidden_units;
    for (at, (layout, weights)) in layouts.iter().zip(packed).enumerate().rev() {
        let of_inputs = if at == 0 { wanted.clone() } else { 0..units };
        let gradient = &mut gradients[at];
        stack[at].backward(net.arch, weights, (active, of_inputs), gradient);
        if at > 0 {
            let (below, layers) = stack.split_at_mut(at);
            let (below, layer) = (&mut below[at - 1], &mut layers[0]);
            dropout.inputs(layout.weight_ih.start, layer.each_d_inputs(active));
            for (step, lanes) in active.0.iter().enumerate() {
                for lane in 0..*lanes {
                    add(layer.d_inputs(step, lane), below.d_states(step + 1, lane));
                }
            }
        }
    }
}

/// Gives the encoder's last state of each lane to the decoder at every step.
fn spread_summary(chunk: Chunk<'_>, top: &LayerTape, decoder: &mut LayerTape) {
    for (lane, span) in chunk.spans().enumerate() {
        for step in 0..span.len() {
            copy(top.states(span.len(), lane), decoder.inputs(step, lane));
        }
    }
}

/// Adds what the decoder's steps give back to the encoder's last state of each lane.
fn gather_summary(chunk: Chunk<'_>, decoder: &LayerTape, top: &mut LayerTape) {
    for (lane, span) in chunk.spans().enumerate() {
        for step in 0..span.len() {
            add(decoder.d_inputs(step, lane), top.d_states(span.len(), lane));
        }
    }
}
