//! Which events a model reads together, and which of them it is judged by.

use super::Events;
use crate::SequenceError;
use dafu_core::Timestamp;
use std::ops::Range;

/// One sequence: events `start..end` of one entity, of which those from `scored_from` on are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First event.
    pub start: usize,
    /// First event that is scored, as far as it is scorable.
    pub scored_from: usize,
    /// One after the last event.
    pub end: usize,
}

impl Span {
    /// A sequence whose events are all scored.
    pub(crate) const fn whole(events: Range<usize>) -> Self {
        Self {
            start: events.start,
            scored_from: events.start,
            end: events.end,
        }
    }

    /// How many events there are.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Never: a span holds an event.
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// Sequences over [`Events`]: they share the events, also where they overlap.
#[derive(Debug, Clone, Copy)]
pub struct SequenceSet<'a> {
    events: &'a Events,
    spans: &'a [Span],
}

impl<'a> SequenceSet<'a> {
    /// Sequences over these events.
    ///
    /// # Errors
    ///
    /// When a span holds no event, reaches over the end of its entity, or is scored from outside of it on.
    pub fn new(events: &'a Events, spans: &'a [Span]) -> Result<Self, SequenceError> {
        for (sequence, span) in spans.iter().enumerate() {
            let entity = events.starts.partition_point(|start| *start <= span.start);
            let end = events.starts.get(entity).copied().unwrap_or(0);
            let ordered = span.start <= span.scored_from && span.scored_from < span.end;
            if !ordered || span.end > end {
                return Err(SequenceError::Span {
                    sequence,
                    span: *span,
                });
            }
        }
        Ok(Self { events, spans })
    }

    /// The events.
    pub const fn events(&self) -> &'a Events {
        self.events
    }

    /// The sequences.
    pub const fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// Some of the sequences.
    pub(crate) fn part(self, sequences: Range<usize>) -> Self {
        Self {
            spans: &self.spans[sequences],
            ..self
        }
    }

    /// Events that are scored: of all sequences, those from `scored_from` on that are scorable.
    pub fn scored(&self) -> impl Iterator<Item = usize> + use<'a> {
        let events = self.events;
        let scored = self
            .spans
            .iter()
            .flat_map(|span| span.scored_from..span.end);
        scored.filter(|event| events.scorable[*event])
    }
}

impl Events {
    /// One sequence for each scorable event: itself and up to `length` - 1 events before it. Shorter at the beginning of
    /// an entity; nothing is padded.
    pub fn windows(&self, length: usize) -> Vec<Span> {
        let length = length.max(1);
        let mut spans = Vec::new();
        for entity in 0..self.entities() {
            let range = self.entity(entity);
            let scorable = range.clone().filter(|event| self.scorable[*event]);
            spans.extend(scorable.map(|event| Span {
                start: range.start.max((event + 1).saturating_sub(length)),
                scored_from: event,
                end: event + 1,
            }));
        }
        spans
    }

    /// Each entity's events cut into pieces of at most `length`, every event scored once; each piece begins with up to
    /// `warm_up` events before it, which are read and not scored. Pieces without an event to score are left out.
    pub fn segments(&self, length: usize, warm_up: usize) -> Vec<Span> {
        let length = length.max(1);
        let mut spans = Vec::new();
        for entity in 0..self.entities() {
            let range = self.entity(entity);
            for from in range.clone().step_by(length) {
                let end = range.end.min(from.saturating_add(length));
                if (from..end).any(|event| self.scorable[event]) {
                    spans.push(Span {
                        start: range.start.max(from.saturating_sub(warm_up)),
                        scored_from: from,
                        end,
                    });
                }
            }
        }
        spans
    }

    /// The sequences scored before `boundary`, and those scored from it on: a sequence with scored events on both sides
    /// is cut, and the later part reads at most `warm_up` events before it. Nothing before the boundary sees an event after it.
    pub fn split_at(
        &self,
        spans: &[Span],
        boundary: Timestamp,
        warm_up: usize,
    ) -> (Vec<Span>, Vec<Span>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for span in spans {
            let times = &self.times[span.scored_from..span.end];
            let cut = span.scored_from + times.partition_point(|time| *time < boundary);
            if cut > span.scored_from {
                before.push(Span { end: cut, ..*span });
            }
            if cut == span.scored_from {
                after.push(*span);
            } else if cut < span.end {
                after.push(Span {
                    start: span.start.max(cut.saturating_sub(warm_up)),
                    scored_from: cut,
                    end: span.end,
                });
            }
        }
        (before, after)
    }
}
