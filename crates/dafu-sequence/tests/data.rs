//! Events and the sequences over them.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_sequence::data::{Events, SequenceSet};

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
