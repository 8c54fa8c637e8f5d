//! Snapshots of streams of rings.

use dafu_core::{Currency, EntityId, EntityKind, Money, Timestamp, Transaction, TransactionId};
use dafu_graph::{RingStream, RingStreamParams, RingStreamSnapshot};

/// Any text is the snapshot of a stream, or an error; a stream goes on from it, and gives it again.
pub fn graph_stream(data: &[u8]) {
    let Ok(snapshot) = serde_json::from_slice::<RingStreamSnapshot>(data) else {
        return;
    };
    let params = || RingStreamParams::new(1_000).work(u64::MAX);
    let Ok(mut stream) = params().resume(&snapshot) else {
        return;
    };
    let taken = stream.snapshot();
    let mut other = params().resume(&taken).expect("what was taken");
    assert_eq!(other.snapshot(), taken);
    assert_eq!(other.rings(), stream.rings());
    let newest = stream.newest().unwrap_or(Timestamp::EPOCH);
    for (user, device) in [("a", "d"), ("b", "d"), ("a", "e"), ("b", "e")] {
        let payment = payment(user, device, newest);
        assert_eq!(other.associate(&payment), stream.associate(&payment));
        let changes = stream.observe(&payment);
        assert_eq!(other.observe(&payment).ok(), changes.ok());
    }
    go_away(&mut stream);
    assert!(stream.rings().len() <= stream.entities());
}

fn go_away(stream: &mut RingStream) {
    let id = |text| EntityId::new(text).expect("a short text");
    for (kind, name) in [(EntityKind::User, "a"), (EntityKind::Device, "e")] {
        stream.forget(kind, &id(name));
        assert!(!stream.forget(kind, &id(name)));
    }
    stream.settle();
}

fn payment(user: &str, device: &str, at: Timestamp) -> Transaction {
    let id = |text| EntityId::new(text).expect("a short text");
    let key = TransactionId::new("t").expect("a short text");
    let amount = Money::from_minor(100, Currency::NONE);
    Transaction::new(key, id(user), amount, id("shop"), at).with_device(id(device))
}
