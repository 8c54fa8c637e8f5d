//! Events and the sequences over them.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::Timestamp;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet, Span};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::network::{
    Backend, Batch, Cell, Embedding, Network, NetworkConfig, Task, Weights,
};
use dafu_sequence::objective::ClassObjective;
use proptest::prelude::*;
use std::ops::Range;

#[test]
fn no_events_at_all_have_no_entities_and_no_sequences() {
    let events = Events::default();
    assert_eq!((events.len(), events.entities()), (0, 0));
    assert_eq!(events.entity(0), 0..0);
    assert!(events.windows(3).is_empty() && events.segments(3, 1).is_empty());
    assert_eq!(events, Events::builder(0, &[]).build());
    let set = SequenceSet::new(&events, &[]).unwrap();
    assert_eq!(set.scored().count(), 0);
}

#[test]
fn what_a_network_cannot_read_is_named() {
    let config = NetworkConfig {
        numeric_inputs: 0,
        embeddings: vec![Embedding {
            categories: 3,
            dimension: 2,
        }],
        cell: Cell::Gru,
        layers: 1,
        hidden_units: 4,
        dropout: 0.0,
        task: Task::Classify { attention: false },
    };
    let weights = Weights::first(&config, 1).unwrap();
    let mut network = NativeBackend.network(&config, &weights).unwrap();
    let events = |categories| {
        let mut builder = Events::builder(0, &[categories]);
        for second in 0..5 {
            let inputs = EventNumbers {
                numeric: &[],
                codes: &[0],
            };
            builder.push(at(second), inputs, Some(false)).unwrap();
        }
        builder.build()
    };
    // Its codes are all in range; that some might not be is enough.
    let (known, wide) = (events(3), events(5));
    let whole = wide.segments(5, 0);
    let set = SequenceSet::new(&wide, &whole).unwrap();
    let error = network.outputs(set, &mut [0.0; 5]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "categorical input 0 of the events has 5 categories, the network reads 3: encode them as for training"
    );
    let spans = known.segments(4, 0);
    let set = SequenceSet::new(&known, &spans).unwrap();
    let mut message = |sequences: &[u32]| {
        let batch = Batch {
            set,
            sequences,
            noise: (0, 1),
        };
        let result = network.gradient(batch, &ClassObjective::default());
        result.map_err(|error| error.to_string()).err()
    };
    assert_eq!(message(&[0, 1]), None);
    assert_eq!(
        message(&[0, 2]).unwrap(),
        "`sequences` must be indices of the 2 sequences of the set, got 2 among them"
    );
    assert_eq!(
        message(&[1, 0]).unwrap(),
        "`sequences` must be those of a batch by falling length, got one of 4 events after 1"
    );
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// Histories by the times since the event before, and whether events are scorable.
fn events(histories: &[Vec<(i64, bool)>]) -> Events {
    let mut builder = Events::builder(0, &[]);
    for history in histories {
        let mut time = 0;
        for (gap, scorable) in history {
            time += gap;
            let inputs = EventNumbers {
                numeric: &[],
                codes: &[],
            };
            if *scorable {
                builder.push(at(time), inputs, None).unwrap();
            } else {
                builder.push_context(at(time), inputs).unwrap();
            }
        }
        builder.end_entity();
    }
    builder.build()
}

/// The entity of an event.
fn entity(events: &Events, event: usize) -> Range<usize> {
    let mut entities = (0..events.entities()).map(|entity| events.entity(entity));
    entities.find(|range| range.contains(&event)).unwrap()
}

fn scored(events: &Events, spans: &[Span]) -> Vec<usize> {
    SequenceSet::new(events, spans).unwrap().scored().collect()
}

proptest! {
    #[test]
    fn each_event_is_scored_once_and_none_is_read_across_a_boundary(
        histories in prop::collection::vec(
            prop::collection::vec((0_i64..3, prop::bool::weighted(0.8)), 1..25),
            0..6,
        ),
        length in 1_usize..9,
        before in 0_usize..12,
        warm_up in 0_usize..12,
        boundary in -1_i64..40,
    ) {
        let events = events(&histories);
        let all: Vec<usize> = (0..events.len()).filter(|event| events.scorable(*event)).collect();
        let windows = events.windows(length);
        prop_assert_eq!(&scored(&events, &windows), &all);
        for span in &windows {
            let from = entity(&events, span.scored_from).start;
            prop_assert_eq!(span.end, span.scored_from + 1);
            prop_assert_eq!(span.start, from.max((span.end).saturating_sub(length)));
        }
        let segments = events.segments(length, before);
        prop_assert_eq!(&scored(&events, &segments), &all);
        for span in &segments {
            let from = entity(&events, span.scored_from).start;
            prop_assert!(span.end - span.scored_from <= length);
            prop_assert_eq!((span.scored_from - from) % length, 0);
            prop_assert_eq!(span.start, from.max(span.scored_from.saturating_sub(before)));
        }

        let boundary = at(boundary);
        for spans in [&windows, &segments] {
            let (early, late) = events.split_at(spans, boundary, warm_up);
            let is_early = |event: &usize| events.time(*event) < boundary;
            let (of_early, of_late): (Vec<usize>, Vec<usize>) = all.iter().partition(|event| is_early(event));
            prop_assert_eq!(scored(&events, &early), of_early);
            prop_assert_eq!(scored(&events, &late), of_late);
            for span in &early {
                prop_assert!((span.start..span.end).all(|event| is_early(&event)));
                let is_of = |whole: &Span| Span { end: span.end, ..*whole } == *span;
                prop_assert!(spans.iter().any(is_of));
            }
            for span in &late {
                let is_cut = !spans.contains(span);
                // One that is whole was scored from the boundary on already.
                let whole = spans.iter().find(|whole| whole.end == span.end).unwrap();
                if is_cut {
                    prop_assert!(is_early(&whole.scored_from) && is_early(&(span.scored_from - 1)));
                    let warm = whole.start.max(span.scored_from.saturating_sub(warm_up));
                    prop_assert_eq!(span.start, warm);
                }
                prop_assert!(!is_early(&span.scored_from));
            }
        }
    }
}
