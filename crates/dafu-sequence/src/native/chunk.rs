//! A chunk of sequences, forwards and backwards through the whole network.

use super::attention::{AttentionTape, AttentionWeights};
use super::buffer::{Buffer, padded};
use super::dropout::Dropout;
use super::matmul::{Factor, MatMul, Start};
use super::recurrent::{Active, LayerGradient, LayerTape, LayerWeights, Tape, add_rows};
use super::transpose::transpose;
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
    /// What answers are computed from at one slot, by lanes and by rows.
    features: Buffer,
    feature_rows: Buffer,
    d_features: Buffer,
    outputs: Buffer,
    d_outputs: Buffer,
    gradient: Option<ChunkGradient>,
}

/// The gradient of a chunk before it is put in order.
#[derive(Debug)]
struct ChunkGradient {
    encoder: Vec<LayerGradient>,
    decoder: Vec<LayerGradient>,
    head: Buffer,
    /// All weights, by the layout.
    all: Vec<f32>,
}

impl ChunkGradient {
    fn zeros(net: &Net<'_>) -> Self {
        let layers = |layouts: &[RecurrentLayout]| {
            let layouts = layouts.iter();
            let units = net.config.hidden_units;
            layouts
                .map(|layout| LayerGradient::zeros(net.config.cell, layout.inputs, units))
                .collect()
        };
        Self {
            encoder: layers(&net.layout.encoder),
            decoder: layers(&net.layout.decoder),
            head: Buffer::zeros(net.config.outputs() * padded(net.config.features())),
            all: vec![0.0; net.layout.len()],
        }
    }

    fn clear(&mut self) {
        for layer in self.encoder.iter_mut().chain(&mut self.decoder) {
            layer.clear();
        }
        self.head.fill(0.0);
        self.all.fill(0.0);
    }
}

impl Workspace {
    /// Writes the outputs of a chunk's scored events, sequence after sequence in the order of the chunk.
    pub(crate) fn outputs(&mut self, net: &Net<'_>, chunk: Chunk<'_>, out: &mut Vec<f32>) {
        let active = chunk.active();
        let active = Active(&active);
        self.forward(net, chunk, active, None);
        let answers = answers(net.config.task, chunk);
        let count = net.config.outputs();
        // By slot they are computed, by sequence they are wanted.
        let mut order: Vec<usize> = (0..answers.len()).collect();
        order.sort_by_key(|at| answers[*at]);
        out.clear();
        out.resize(answers.len() * count, 0.0);
        for group in order.chunk_by(|left, right| answers[*left].slot == answers[*right].slot) {
            let slot = answers[group[0]].slot;
            self.head_forward(net, slot, chunk.sequences.len(), None);
            for at in group {
                let place = &mut out[at * count..(at + 1) * count];
                gather(&self.outputs, answers[*at].lane, place);
            }
        }
    }

    /// The loss of a chunk's scored events, and the gradient of `scale` times it.
    pub(crate) fn gradient(
        &mut self,
        net: &Net<'_>,
        chunk: Chunk<'_>,
        objective: &dyn Objective,
        (scale, mut dropout): (f32, Dropout),
    ) -> f64 {
        let active = chunk.active();
        let active = Active(&active);
        self.forward(net, chunk, active, Some(&mut dropout));
        self.gradient
            .get_or_insert_with(|| ChunkGradient::zeros(net))
            .clear();
        let mut answers = answers(net.config.task, chunk);
        answers.retain(|answer| objective.counts(chunk.set, answer.event));
        answers.sort_unstable();
        self.clear_d_hidden(net, active);
        let count = net.config.outputs();
        let (mut output, mut derivative) = (vec![0.0; count], vec![0.0; count]);
        let mut loss = 0.0;
        for group in answers.chunk_by(|left, right| left.slot == right.slot) {
            let slot = group[0].slot;
            self.head_forward(net, slot, chunk.sequences.len(), Some(&mut dropout));
            self.d_outputs[..count * LANES].fill(0.0);
            for answer in group {
                gather(&self.outputs, answer.lane, &mut output);
                derivative.fill(0.0);
                let set = chunk.set;
                let of_event = objective.event_loss(set, answer.event, &output, &mut derivative);
                loss += f64::from(of_event);
                for (at, derivative) in derivative.iter().enumerate() {
                    self.d_outputs[at * LANES + answer.lane] = derivative * scale;
                }
            }
            self.head_backward(net, slot, chunk.sequences.len(), &dropout);
        }
        self.backward(net, chunk, active, &dropout);
        loss
    }

    /// The derivatives of the last chunk's loss by the inputs of a step, summed over lanes.
    pub(crate) fn input_slopes(&self, step: usize, out: &mut [f32]) {
        let from = step * out.len() * LANES;
        let rows = self
            .encoder
            .first()
            .map_or(&[][..], |layer| &layer.d_inputs[from..]);
        for (sum, row) in out.iter_mut().zip(rows.chunks(LANES)) {
            *sum = row.iter().sum();
        }
    }

    /// The gradient of the last chunk, by the layout.
    pub(crate) fn last_gradient(&self) -> &[f32] {
        self.gradient.as_ref().map_or(&[], |gradient| &gradient.all)
    }

    fn forward(
        &mut self,
        net: &Net<'_>,
        chunk: Chunk<'_>,
        active: Active<'_>,
        mut dropout: Option<&mut Dropout>,
    ) {
        let config = net.config;
        let tape = if dropout.is_some() {
            Tape::Kept
        } else {
            Tape::Dropped
        };
        let steps = active.steps();
        self.encoder
            .resize_with(net.layout.encoder.len(), LayerTape::default);
        self.decoder
            .resize_with(net.layout.decoder.len(), LayerTape::default);
        for (stack, layouts) in [
            (&mut self.encoder, &net.layout.encoder),
            (&mut self.decoder, &net.layout.decoder),
        ] {
            for (layer, layout) in stack.iter_mut().zip(layouts) {
                layer.reserve(layout.inputs, config.hidden_units, steps, tape);
            }
        }
        self.features.reserve(config.features() * LANES);
        self.feature_rows.reserve(padded(config.features()) * LANES);
        self.d_features.reserve(config.features() * LANES);
        self.outputs.reserve(config.outputs() * LANES);
        self.d_outputs.reserve(config.outputs() * LANES);
        read_inputs(net, chunk, &mut self.encoder[0]);
        run_stack(
            net,
            &net.layout.encoder,
            &mut self.encoder,
            (active, tape),
            &mut dropout,
        );
        if let (Some(first), Some(top)) = (self.decoder.first_mut(), self.encoder.last()) {
            spread_summary(config.hidden_units, chunk, active, top, first);
            run_stack(
                net,
                &net.layout.decoder,
                &mut self.decoder,
                (active, tape),
                &mut dropout,
            );
        }
        if let Some(weights) = AttentionWeights::new(net)
            && let Some(top) = self.encoder.last()
        {
            self.attention.forward(&weights, top, active);
        }
    }

    fn head_forward(
        &mut self,
        net: &Net<'_>,
        slot: usize,
        lanes: usize,
        dropout: Option<&mut Dropout>,
    ) {
        let units = net.config.hidden_units;
        let count = net.config.features() * LANES;
        let top = self
            .decoder
            .last()
            .unwrap_or(&self.encoder[self.encoder.len() - 1]);
        self.features[..units * LANES].copy_from_slice(top.hidden(units, slot));
        if net.config.attention() {
            let pooled = self.attention.pooled(units, slot);
            self.features[units * LANES..count].copy_from_slice(pooled);
        }
        if let Some(dropout) = dropout {
            dropout.drop_head(slot, &mut self.features[..count]);
        }
        net.arch.dispatch(MatMul {
            factor: Factor::Rows(&net.numbers[net.layout.head_weight.clone()], count / LANES),
            rows: net.config.outputs(),
            inner: count / LANES,
            columns: lanes.div_ceil(VECTOR) * VECTOR,
            other: (&self.features, LANES),
            result: (&mut self.outputs, LANES),
            start: Start::Rows(&net.numbers[net.layout.head_bias.clone()]),
        });
    }

    fn clear_d_hidden(&mut self, net: &Net<'_>, active: Active<'_>) {
        let length = active.steps() * net.config.hidden_units * LANES;
        for layer in self.encoder.iter_mut().chain(&mut self.decoder) {
            layer.d_hidden[..length].fill(0.0);
        }
        self.attention.clear_derivatives(net.config, active.steps());
    }

    /// From derivatives by outputs at a slot to those by the head's weights, states and pools.
    fn head_backward(&mut self, net: &Net<'_>, slot: usize, lanes: usize, dropout: &Dropout) {
        let (units, features) = (net.config.hidden_units, net.config.features());
        let (outputs, width) = (net.config.outputs(), padded(features));
        let Some(gradient) = &mut self.gradient else {
            return;
        };
        let from = (&self.features[..], LANES);
        transpose(from, (features, lanes), (&mut self.feature_rows, width));
        net.arch.dispatch(MatMul {
            factor: Factor::Rows(&self.d_outputs, LANES),
            rows: outputs,
            inner: lanes,
            columns: width,
            other: (&self.feature_rows, width),
            result: (&mut gradient.head, width),
            start: Start::Kept,
        });
        let bias = &mut gradient.all[net.layout.head_bias.clone()];
        for (bias, derivatives) in bias.iter_mut().zip(self.d_outputs.chunks(LANES)) {
            *bias += derivatives[..lanes].iter().sum::<f32>();
        }
        // States before the first event do not depend on anything.
        let Some(step) = slot.checked_sub(1) else {
            return;
        };
        let columns = lanes.div_ceil(VECTOR) * VECTOR;
        net.arch.dispatch(MatMul {
            factor: Factor::Columns(&net.numbers[net.layout.head_weight.clone()], features),
            rows: features,
            inner: outputs,
            columns,
            other: (&self.d_outputs, LANES),
            result: (&mut self.d_features, LANES),
            start: Start::Zero,
        });
        dropout.scale_head(slot, &mut self.d_features[..features * LANES]);
        let top = self.decoder.last_mut().or(self.encoder.last_mut());
        if let Some(top) = top {
            let to = &mut top.d_hidden[step * units * LANES..(step + 1) * units * LANES];
            add_columns(&self.d_features[..units * LANES], columns, to);
        }
        if net.config.attention() {
            let by_pool = &self.d_features[units * LANES..features * LANES];
            add_columns(by_pool, columns, self.attention.d_pooled(units, slot));
        }
    }

    fn backward(&mut self, net: &Net<'_>, chunk: Chunk<'_>, active: Active<'_>, dropout: &Dropout) {
        let Some(gradient) = &mut self.gradient else {
            return;
        };
        let layout = net.layout;
        if let Some(weights) = AttentionWeights::new(net)
            && let (Some(top), Some(attention)) = (self.encoder.last_mut(), &layout.attention)
        {
            self.attention
                .backward(&weights, top, active, (attention, &mut gradient.all));
        }
        if let Some(top) = self.encoder.last_mut()
            && !self.decoder.is_empty()
        {
            let stack = (&mut self.decoder[..], &mut gradient.decoder[..]);
            run_stack_back(
                net,
                &layout.decoder,
                stack,
                active,
                (dropout, 0..net.config.hidden_units),
            );
            gather_summary(net.config.hidden_units, chunk, &self.decoder[0], top);
        }
        // What an event's numbers are cannot be learned.
        let numeric = if chunk.path.is_some() {
            0
        } else {
            net.config.numeric_inputs
        };
        let embedded = numeric..net.config.inputs();
        let stack = (&mut self.encoder[..], &mut gradient.encoder[..]);
        run_stack_back(net, &layout.encoder, stack, active, (dropout, embedded));
        add_embeddings(net, chunk, &self.encoder[0], &mut gradient.all);
        for (layers, layouts) in [
            (&gradient.encoder, &layout.encoder),
            (&gradient.decoder, &layout.decoder),
        ] {
            for (layer, layout) in layers.iter().zip(layouts) {
                layer.add_to(layout, &mut gradient.all);
            }
        }
        let features = net.config.features();
        add_rows(
            &gradient.head,
            features,
            &mut gradient.all[layout.head_weight.clone()],
        );
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

/// The numbers of a lane.
fn gather(matrix: &[f32], lane: usize, out: &mut [f32]) {
    for (place, row) in out.iter_mut().zip(matrix.chunks(LANES)) {
        *place = row[lane];
    }
}

fn add_columns(from: &[f32], columns: usize, to: &mut [f32]) {
    for (from, to) in from.chunks(LANES).zip(to.chunks_mut(LANES)) {
        for (number, to) in from[..columns].iter().zip(to) {
            *to += number;
        }
    }
}

/// The inputs of a chunk's events: numbers, then a row of each embedding.
fn read_inputs(net: &Net<'_>, chunk: Chunk<'_>, layer: &mut LayerTape) {
    let inputs = net.config.inputs();
    let width = padded(inputs);
    let numeric = net.config.numeric_inputs;
    let mut lanes_at = vec![0; chunk.spans().next().map_or(0, Span::len)];
    for (lane, span) in chunk.spans().enumerate() {
        for (step, event) in (span.start..span.end).enumerate() {
            lanes_at[step] = lane + 1;
            let row = &mut layer.input_rows[(step * LANES + lane) * width..][..width];
            let numbers = chunk.set.events().numbers(event);
            row[..numeric].copy_from_slice(numbers.numeric);
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
    for (step, lanes) in lanes_at.into_iter().enumerate() {
        let from = &layer.input_rows[step * LANES * width..(step + 1) * LANES * width];
        let to = &mut layer.inputs[step * inputs * LANES..(step + 1) * inputs * LANES];
        transpose((from, width), (lanes, inputs), (to, LANES));
    }
}

/// Adds the derivatives by embedded inputs to the rows that were looked up.
fn add_embeddings(net: &Net<'_>, chunk: Chunk<'_>, layer: &LayerTape, all: &mut [f32]) {
    if net.config.embeddings.is_empty() {
        return;
    }
    let inputs = net.config.inputs();
    for (lane, span) in chunk.spans().enumerate() {
        for (step, event) in (span.start..span.end).enumerate() {
            let codes = chunk.set.events().numbers(event).codes;
            let mut from = step * inputs + net.config.numeric_inputs;
            let tables = net.layout.embeddings.iter().zip(&net.config.embeddings);
            for ((table, embedding), code) in tables.zip(codes) {
                let at = table.start + *code as usize * embedding.dimension;
                for to in &mut all[at..at + embedding.dimension] {
                    *to += layer.d_inputs[from * LANES + lane];
                    from += 1;
                }
            }
        }
    }
}

fn run_stack(
    net: &Net<'_>,
    layouts: &[RecurrentLayout],
    stack: &mut [LayerTape],
    (active, tape): (Active<'_>, Tape),
    dropout: &mut Option<&mut Dropout>,
) {
    let units = net.config.hidden_units;
    for (at, layout) in layouts.iter().enumerate() {
        if at > 0 {
            let (below, layer) = stack.split_at_mut(at);
            let length = active.steps() * units * LANES;
            let states = &below[at - 1].hidden[units * LANES..][..length];
            layer[0].inputs[..length].copy_from_slice(states);
            if let Some(dropout) = dropout {
                dropout.drop_inputs(layout.weight_ih.start, &mut layer[0].inputs[..length]);
            }
            layer[0].turn_inputs(units, active, tape);
        }
        let weights = LayerWeights::new(net.config.cell, layout, net.numbers);
        stack[at].forward(net.arch, &weights, active, tape);
    }
}

fn run_stack_back(
    net: &Net<'_>,
    layouts: &[RecurrentLayout],
    (stack, gradients): (&mut [LayerTape], &mut [LayerGradient]),
    active: Active<'_>,
    (dropout, wanted): (&Dropout, Range<usize>),
) {
    let units = net.config.hidden_units;
    for (at, layout) in layouts.iter().enumerate().rev() {
        let weights = LayerWeights::new(net.config.cell, layout, net.numbers);
        let of_inputs = if at == 0 { wanted.clone() } else { 0..units };
        stack[at].backward(net.arch, &weights, active, of_inputs, &mut gradients[at]);
        if at > 0 {
            let (below, layer) = stack.split_at_mut(at);
            let block = units * LANES;
            let derivatives = &mut layer[0].d_inputs[..active.steps() * block];
            dropout.scale_inputs(layout.weight_ih.start, derivatives);
            for step in 0..active.steps() {
                let place = step * block..(step + 1) * block;
                let to = &mut below[at - 1].d_hidden[place.clone()];
                add_columns(&derivatives[place], active.columns(step), to);
            }
        }
    }
}

/// Gives the encoder's last state of each lane to the decoder at every step.
fn spread_summary(
    units: usize,
    chunk: Chunk<'_>,
    active: Active<'_>,
    top: &LayerTape,
    decoder: &mut LayerTape,
) {
    let width = padded(units);
    for (lane, span) in chunk.spans().enumerate() {
        let last = top.hidden(units, span.len());
        for unit in 0..units {
            let number = last[unit * LANES + lane];
            for step in 0..span.len() {
                decoder.inputs[(step * units + unit) * LANES + lane] = number;
                decoder.input_rows[(step * LANES + lane) * width + unit] = number;
            }
        }
    }
    debug_assert!(active.steps() <= decoder.inputs.len() / (units * LANES));
}

/// Adds what the decoder's steps give back to the encoder's last state of each lane.
fn gather_summary(units: usize, chunk: Chunk<'_>, decoder: &LayerTape, top: &mut LayerTape) {
    for (lane, span) in chunk.spans().enumerate() {
        for unit in 0..units {
            let at = |step: usize| (step * units + unit) * LANES + lane;
            let sum: f32 = (0..span.len()).map(|step| decoder.d_inputs[at(step)]).sum();
            top.d_hidden[at(span.len() - 1)] += sum;
        }
    }
}
