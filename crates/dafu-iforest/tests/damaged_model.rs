//! Model files that are damaged or made by an enemy: an error, never a panic, a hang, or memory beyond the size of
//! the file. One test only, since the allocator counts the whole process.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod hostile;

use dafu_core::model::{Envelope, Limits};
use dafu_iforest::{IsolationForest, IsolationForestParams, MissingValues, Scoring, SplitRule};
use hostile::{sealed, varint, within};
use ndarray::Array2;
use peak_alloc::PeakAlloc;

const KIND: &str = IsolationForest::KIND;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Loads and says whether it worked; fails when memory goes beyond 32 times the file and 16 KiB.
fn loads(bytes: &[u8]) -> bool {
    let most = 32 * bytes.len() + 16_384;
    let loaded = within(ALLOCATOR, most, || IsolationForest::from_bytes(bytes));
    loaded.is_ok_and(|forest| {
        // Whatever loads must also score.
        let row = vec![0.5; forest.width().min(1000)];
        row.len() < forest.width() || forest.score_row(&row).is_ok()
    })
}

#[test]
fn damaged_files_are_errors_and_take_no_more_memory_than_their_size() {
    let rows = Array2::from_shape_fn((100, 3), |(i, j)| ((i * (7 + j)) % 23) as f64);
    let standard = IsolationForestParams::default()
        .trees(6)
        .sample_size(32)
        .contamination([0.05])
        .fit(rows.view())
        .unwrap();
    let standard = standard.to_bytes().unwrap();
    damaged_files_are_errors(&standard, 2);
    let mut holes = rows.clone();
    holes.column_mut(0)[3] = f64::NAN;
    let rich = IsolationForestParams::default()
        .trees(2)
        .sample_size(16)
        .rules([
            SplitRule::fair_cut(3).penalize_range(true),
            SplitRule::standard(),
        ])
        .scoring(Scoring::AdjustedDepth)
        .missing(MissingValues::Impute)
        .categorical([1])
        .fit(holes.view())
        .unwrap();
    damaged_files_are_errors(&rich.to_bytes().unwrap(), 2);
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/golden/iforest-v1.dafu"
    );
    let old = std::fs::read(golden).unwrap();
    let old = Envelope::read(&old, &Limits::default())
        .unwrap()
        .payload()
        .to_vec();
    for at in (0..old.len()).step_by(3) {
        assert!(
            !loads(&sealed(KIND, 1, &old[..at])),
            "truncated to {at} bytes"
        );
        for mask in [1, 2, 0x80, 0xff] {
            let mut damaged = old.clone();
            damaged[at] ^= mask;
            loads(&sealed(KIND, 1, &damaged));
        }
    }

    // A file may ask for less than the limits, never for more.
    let tight = |limits: Limits| IsolationForest::from_bytes_within(&standard, &limits).is_err();
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

/// Damages every byte of a file in many ways.
fn damaged_files_are_errors(bytes: &[u8], version: u16) {
    assert!(loads(bytes));

    for at in 0..bytes.len() {
        assert!(!loads(&bytes[..at]), "truncated to {at} bytes");
        let mut damaged = bytes.to_vec();
        for mask in [0x01, 0x80, 0xff] {
            damaged[at] = bytes[at] ^ mask;
            assert!(!loads(&damaged), "byte {at} changed by {mask:02x}");
        }
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(!loads(&longer));

    // With the right checksum the payload is parsed. Then some changes give another sound forest (a threshold, a
    // seed), the others must be found out.
    let payload = Envelope::read(bytes, &Limits::default())
        .unwrap()
        .payload()
        .to_vec();
    let mut still_sound = 0;
    for at in 0..payload.len() {
        assert!(
            !loads(&sealed(KIND, version, &payload[..at])),
            "payload truncated to {at} bytes"
        );
        for mask in 1..=255 {
            let mut damaged = payload.clone();
            damaged[at] ^= mask;
            still_sound += usize::from(loads(&sealed(KIND, version, &damaged)));
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
            loads(&sealed(KIND, version, &damaged));
        }
    }
    // Only a header that promises a lot.
    for huge in [1 << 16, 1 << 32, u64::MAX] {
        for at in 0..payload.len().min(40) {
            let mut damaged = payload[..at].to_vec();
            damaged.extend(varint(huge));
            loads(&sealed(KIND, version, &damaged));
        }
    }
}
