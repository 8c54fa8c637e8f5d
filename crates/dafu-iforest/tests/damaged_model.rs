//! Model files that are damaged or made by an enemy: an error, never a panic, a hang, or memory beyond the size of
//! the file. One test only, since the allocator counts the whole process.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits};
use dafu_iforest::{IsolationForest, IsolationForestParams};
use ndarray::Array2;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Loads and says whether it worked; fails when memory goes beyond 32 times the file and 16 KiB.
fn loads(bytes: &[u8]) -> bool {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let loaded = IsolationForest::from_bytes(bytes);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(
        peak <= 32 * bytes.len() + 16_384,
        "{peak} bytes for a file of {}",
        bytes.len()
    );
    loaded.is_ok_and(|forest| {
        // Whatever loads must also score.
        let row = vec![0.5; forest.width().min(1000)];
        row.len() < forest.width() || forest.score_row(&row).is_ok()
    })
}

/// An envelope whose checksum is right.
fn sealed(payload: &[u8]) -> Vec<u8> {
    Envelope::write(IsolationForest::KIND, 1, SchemaHash(0), payload).unwrap()
}

/// Numbers as postcard writes them.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn damaged_files_are_errors_and_take_no_more_memory_than_their_size() {
    let rows = Array2::from_shape_fn((100, 3), |(i, j)| ((i * (7 + j)) % 23) as f64);
    let forest = IsolationForestParams::default()
        .trees(6)
        .sample_size(32)
        .contamination([0.05])
        .fit(rows.view())
        .unwrap();
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
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(!loads(&longer));

    // With the right checksum the payload is parsed. Then some changes give another sound forest (a threshold, a
    // seed), the others must be found out.
    let payload = Envelope::read(&bytes, &Limits::default())
        .unwrap()
        .payload()
        .to_vec();
    let mut still_sound = 0;
    for at in 0..payload.len() {
        assert!(
            !loads(&sealed(&payload[..at])),
            "payload truncated to {at} bytes"
        );
        for mask in 1..=255 {
            let mut damaged = payload.clone();
            damaged[at] ^= mask;
            still_sound += usize::from(loads(&sealed(&damaged)));
        }
    }
    assert!(
        still_sound > 0,
        "a changed seed or threshold is not an error"
    );

    // Huge numbers in the place of every byte, lengths among them.
    for huge in [u64::from(u32::MAX), 1 << 40, u64::MAX] {
        for at in 0..payload.len() {
            let mut damaged = payload[..at].to_vec();
            damaged.extend(varint(huge));
            damaged.extend(&payload[at + 1..]);
            loads(&sealed(&damaged));
        }
    }
    // Only a header that promises a lot.
    for huge in [1 << 16, 1 << 32, u64::MAX] {
        for at in 0..payload.len().min(40) {
            let mut damaged = payload[..at].to_vec();
            damaged.extend(varint(huge));
            loads(&sealed(&damaged));
        }
    }

    // A file may ask for less than the limits, never for more.
    let tight = |limits: Limits| IsolationForest::from_bytes_within(&bytes, &limits).is_err();
    assert!(tight(Limits {
        max_trees: 5,
        ..Limits::default()
    }));
    assert!(tight(Limits {
        max_nodes: 50,
        ..Limits::default()
    }));
    assert!(tight(Limits {
        max_features: 2,
        ..Limits::default()
    }));
    assert!(tight(Limits {
        max_bytes: 100,
        ..Limits::default()
    }));
}
