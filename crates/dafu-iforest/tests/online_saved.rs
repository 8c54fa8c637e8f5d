//! Saved online forests: they go on with the same bits; damaged files are errors, never a panic, a hang, or memory
//! beyond the size of the file. And no update allocates in the steady state. One test only, since the allocator counts
//! the whole process.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod hostile;

use dafu_core::model::{Envelope, Limits};
use dafu_core::random::Stream;
use dafu_iforest::{LeafGrowth, OnlineIsolationForest, OnlineIsolationForestParams, Renewal};
use hostile::{sealed, varint, within};
use peak_alloc::PeakAlloc;

const KIND: &str = OnlineIsolationForest::KIND;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn rows(width: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut stream = Stream::new(seed, 96, 0);
    let mut row = || (0..width).map(|_| stream.unit() + stream.unit()).collect();
    (0..count).map(|_| row()).collect()
}

/// Loads and says whether it worked; fails when memory goes beyond 32 times the file and 64 KiB.
fn loads(bytes: &[u8]) -> bool {
    let most = 32 * bytes.len() + 65_536;
    let loaded = within(ALLOCATOR, most, || OnlineIsolationForest::from_bytes(bytes));
    // Whatever loads must also go on.
    loaded.is_ok_and(|mut forest| {
        let width = forest.width();
        if width > 1000 {
            return true;
        }
        for row in rows(width, 3 * forest.window_len().min(40), 1) {
            let score = forest.score_then_update(&row).unwrap().get();
            assert!(score > 0.0 && score < 1.0);
        }
        true
    })
}

fn goes_on_with_the_same_bits() {
    let plain = OnlineIsolationForestParams::default()
        .trees(7)
        .window(50)
        .max_leaf_samples(4)
        .seed(9);
    for params in [
        plain.clone(),
        plain.clone().renewal(Renewal::Never).subsample(0.6),
        plain.clone().growth(LeafGrowth::Fixed).branching(3),
    ] {
        for learned in [0, 1, 30, 49, 50, 51, 333] {
            let rows = rows(3, learned + 200, 4);
            let mut forest = params.build(3).unwrap();
            for row in &rows[..learned] {
                forest.update(row).unwrap();
            }
            let bytes = forest.to_bytes().unwrap();
            let mut loaded = OnlineIsolationForest::from_bytes(&bytes).unwrap();
            assert!(
                loaded.to_bytes().unwrap() == bytes,
                "saved again, the same bytes"
            );
            let text = serde_json::to_string(&forest).unwrap();
            let read: OnlineIsolationForest = serde_json::from_str(&text).unwrap();
            assert!(read.to_bytes().unwrap() == bytes, "and in a text format");
            for row in &rows[learned..] {
                let score = forest.score_then_update(row).unwrap();
                assert_eq!(score, loaded.score_then_update(row).unwrap());
            }
            assert!(loaded.to_bytes().unwrap() == forest.to_bytes().unwrap());
            assert_eq!(loaded.params(), &params);
        }
    }
}

fn damaged_files_are_errors() {
    let params = OnlineIsolationForestParams::default()
        .trees(3)
        .window(20)
        .max_leaf_samples(4);
    let mut forest = params.build(2).unwrap();
    for row in rows(2, 33, 5) {
        forest.update(&row).unwrap();
    }
    let bytes = forest.to_bytes().unwrap();
    assert!(loads(&bytes));
    for at in 0..bytes.len() {
        assert!(!loads(&bytes[..at]), "truncated to {at} bytes");
        let mut damaged = bytes.clone();
        for mask in [0x01, 0x80, 0xff] {
            damaged[at] = bytes[at] ^ mask;
            assert!(!loads(&damaged), "byte {at} changed by {mask:02x}");
        }
    }
    // With the right checksum the payload is parsed. Then some changes give another sound forest (a split value, a
    // number of the window, a seed), the others must be found out.
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let payload = envelope.payload().to_vec();
    let mut still_sound = 0;
    for at in 0..payload.len() {
        assert!(
            !loads(&sealed(KIND, 1, &payload[..at])),
            "cut to {at} bytes"
        );
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 0x7f, 0xff] {
            let mut damaged = payload.clone();
            damaged[at] ^= mask;
            still_sound += usize::from(loads(&sealed(KIND, 1, &damaged)));
        }
        // Huge numbers in the place of every byte, lengths among them; and a header that promises a lot.
        for huge in [1 << 16, u64::from(u32::MAX), 1 << 40, u64::MAX] {
            let mut damaged = payload[..at].to_vec();
            damaged.extend(varint(huge));
            if at < 60 {
                loads(&sealed(KIND, 1, &damaged));
            }
            damaged.extend(&payload[at + 1..]);
            loads(&sealed(KIND, 1, &damaged));
        }
    }
    assert!(still_sound > 0, "another window is not an error");

    let tight = |limits: Limits| OnlineIsolationForest::from_bytes_within(&bytes, &limits).is_err();
    let limits = Limits::default();
    assert!(!tight(limits));
    assert!(tight(Limits {
        max_trees: 2,
        ..limits
    }));
    assert!(tight(Limits {
        max_nodes: 8,
        ..limits
    }));
    assert!(tight(Limits {
        max_features: 1,
        ..limits
    }));
    assert!(tight(Limits {
        max_bytes: 100,
        ..limits
    }));
    let error = dafu_iforest::IsolationForest::from_bytes(&bytes).unwrap_err();
    assert!(matches!(
        error,
        dafu_iforest::IsolationForestError::Envelope(_)
    ));
}

fn steady_state_allocates_nothing() {
    let rows = rows(5, 12_000, 6);
    let mut forest = OnlineIsolationForestParams::default()
        .window(512)
        .max_leaf_samples(8)
        .build(5)
        .unwrap();
    let start = ALLOCATOR.current_usage();
    for row in &rows[..8000] {
        forest.update(row).unwrap();
    }
    let grown = ALLOCATOR.current_usage() - start;
    let said = forest.memory_bytes();
    assert!(grown <= said, "{grown} bytes grown, {said} said");
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    for row in &rows[8000..] {
        forest.score_then_update(row).unwrap();
    }
    assert_eq!(ALLOCATOR.peak_usage(), before, "an update has allocated");
    assert_eq!(forest.memory_bytes(), said);
}

#[test]
fn saved_forests_and_memory() {
    steady_state_allocates_nothing();
    goes_on_with_the_same_bits();
    damaged_files_are_errors();
}
