//! Small networks of every kind, and events for them.

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, Span};
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task};

pub(crate) fn config(cell: Cell, layers: usize, hidden_units: usize, task: Task) -> NetworkConfig {
    NetworkConfig {
        numeric_inputs: 3,
        embeddings: vec![
            Embedding {
                categories: 4,
                dimension: 2,
            },
            Embedding {
                categories: 3,
                dimension: 3,
            },
        ],
        cell,
        layers,
        hidden_units,
        dropout: 0.0,
        task,
    }
}

/// Entities of 1 to 9 events; some events are context only, some have no label. Fraud shows in an event and the one before it.
pub(crate) fn events(entities: u64) -> Events {
    let mut builder = Events::builder(3, &[4, 3]);
    let mut stream = Stream::new(11, 0, 0);
    for entity in 0..entities {
        let mut before = 0.0;
        for event in 0..1 + (entity * 7) % 9 {
            let numeric = [(); 3].map(|()| stream.normal() as f32);
            let codes = [stream.below(4) as u32, stream.below(3) as u32];
            let inputs = EventNumbers {
                numeric: &numeric,
                codes: &codes,
            };
            let time = Timestamp::from_seconds(event as i64).unwrap();
            let fraud = numeric[0] + before > 1.0;
            before = numeric[1];
            match stream.below(6) {
                0 => builder.push_context(time, inputs).unwrap(),
                1 => builder.push(time, inputs, None).unwrap(),
                _ => builder.push(time, inputs, Some(fraud)).unwrap(),
            }
        }
        builder.end_entity();
    }
    builder.build()
}

/// Pieces of histories, and windows.
pub(crate) fn spans(events: &Events) -> Vec<Span> {
    let mut spans = events.segments(5, 2);
    spans.extend(events.windows(4));
    spans
}
