//! A chunk of sequences, forwards and backwards through the whole network.

use super::attention::AttentionTape;
use super::buffer::{Buffer, padded};
use super::dropout::Dropout;
use super::matmul::{Factor, MatMul, Start};
use super::packed::{Packed, PackedLayer};
use super::recurrent::{Active, LayerGradient, LayerTape, Tape, add, copy_rows};
use super::{BLOCK, LANES, VECTOR};
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
    pub(super) fn active(self) -> Vec<usize> {
        let mut spans = self.spans();
        let steps = spans.next().map_or(0, Span::len);
        let lanes_at = |step| self.spans().take_while(|span| span.len() > step).count();
        (0..steps).map(lanes_at).collect()
    }
}

/// One answer: which event it is for, and where its features stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    /// Hidden states after so many steps.
    pub(super) slot: usize,
    pub(super) lane: usize,
    event: usize,
}

/// Everything that a chunk needs, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    encoder: Vec<LayerTape>,
    decoder: Vec<LayerTape>,
    attention: AttentionTape,
    /// The encoder's last states, a row a lane.
    summary: Buffer,
    /// Most steps that there was room for at a time.
    longest: usize,
    /// What answers are computed from at one slot, and the answers; a row a lane.
    features: Buffer,
    d_features: Buffer,
    pub(super) outputs: Buffer,
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
    /// Whether it has more room than answers ever take: what the way back of a long history leaves behind.
    pub(crate) const fn is_large(&self) -> bool {
        self.longest > BLOCK
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
        let active = Active::new(&active);
        self.reserve(net, active.steps(), Tape::Kept);
        let passing = (active, Tape::Kept, Some(&dropout));
        self.encode(net, chunk, passing);
        self.decode(net, passing);
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

    /// Makes room for so many steps.
    pub(super) fn reserve(&mut self, net: &Net<'_>, steps: usize, tape: Tape) {
        let config = net.config;
        self.longest = self.longest.max(steps);
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
        if config.attention() {
            self.attention.reserve(config.hidden_units, steps);
        }
        if !self.decoder.is_empty() {
            self.summary.reserve(padded(config.hidden_units) * LANES);
        }
    }

    /// Steps of the encoder.
    pub(super) fn encode(&mut self, net: &Net<'_>, chunk: Chunk<'_>, passing: Passing<'_>) {
        let active = passing.0;
        read_inputs(net, chunk, active, &mut self.encoder[0]);
        let encoder = (&net.layout.encoder[..], &net.packed.encoder[..]);
        run_stack(net, encoder, &mut self.encoder, passing);
        let Some(top) = self.encoder.last() else {
            return;
        };
        if let Some(weights) = &net.packed.attention {
            self.attention.forward(net.arch, weights, top, active);
        }
        if !self.decoder.is_empty() {
            keep_summaries(chunk, active, top, &mut self.summary);
        }
    }

    /// Steps of the decoder, where there is one: of all sequences the encoder has read the last event.
    pub(super) fn decode(&mut self, net: &Net<'_>, passing: Passing<'_>) {
        if let Some(first) = self.decoder.first_mut() {
            let width = padded(net.config.hidden_units);
            spread_summary(passing.0, (&self.summary, width), first);
            let decoder = (&net.layout.decoder[..], &net.packed.decoder[..]);
            run_stack(net, decoder, &mut self.decoder, passing);
        }
    }

    /// The answers at a slot, counted from that before the first step there is room for.
    pub(super) fn head_forward(
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

/// The lanes of some steps, and what is kept and left out of them.
pub(super) type Passing<'a> = (Active<'a>, Tape, Option<&'a Dropout>);

/// The answers of a chunk's scored events, sequence after sequence.
pub(super) fn answers(task: Task, chunk: Chunk<'_>) -> Vec<Answer> {
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

/// The inputs of a chunk's events at some steps: numbers, then a row of each embedding.
fn read_inputs(net: &Net<'_>, chunk: Chunk<'_>, active: Active<'_>, layer: &mut LayerTape) {
    let numeric = net.config.numeric_inputs;
    let lanes = chunk.spans().take(active.most_lanes()).map(|span| {
        let start = span.start + active.before();
        start..span.end.min(start + active.steps())
    });
    if net.config.embeddings.is_empty() && chunk.path.is_none() {
        // Nothing but numbers, which lie event after event.
        for (lane, events) in lanes.enumerate() {
            let numbers = chunk.set.events().numeric(events);
            let rows = numbers.chunks_exact(numeric);
            for (numbers, row) in rows.zip(layer.lane_inputs(lane)) {
                copy(numbers, row);
            }
        }
        return;
    }
    for (lane, events) in lanes.enumerate() {
        for (step, event) in events.enumerate() {
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
    (active, tape, dropout): Passing<'_>,
) {
    for (at, (layout, weights)) in layouts.iter().zip(packed).enumerate() {
        if at > 0 {
            let (below, layers) = stack.split_at_mut(at);
            let (below, layer) = (&below[at - 1], &mut layers[0]);
            for (step, lanes) in active.lanes().iter().enumerate() {
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
            for (step, lanes) in active.lanes().iter().enumerate() {
                for lane in 0..*lanes {
                    add(layer.d_inputs(step, lane), below.d_states(step + 1, lane));
                }
            }
        }
    }
}

/// Keeps the encoder's last state of the lanes that end at some steps.
fn keep_summaries(chunk: Chunk<'_>, active: Active<'_>, top: &LayerTape, summary: &mut [f32]) {
    for (lane, span) in chunk.spans().take(active.most_lanes()).enumerate() {
        let steps = span.len() - active.before();
        if steps <= active.steps() {
            let states = top.states(steps, lane);
            let to = lane * padded(states.len());
            summary[to..to + states.len()].copy_from_slice(states);
        }
    }
}

/// Gives the encoder's last state of each lane to the decoder at every step.
fn spread_summary(active: Active<'_>, (summary, width): (&[f32], usize), decoder: &mut LayerTape) {
    for (step, lanes) in active.lanes().iter().enumerate() {
        for (lane, summary) in summary.chunks(width).take(*lanes).enumerate() {
            let inputs = decoder.inputs(step, lane);
            copy(&summary[..inputs.len()], inputs);
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
