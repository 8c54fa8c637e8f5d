//! Strategies and oracles for the tests of dafu.
//!
//! ```
//! use dafu_testkit::{oracle, proptest::prelude::*, strategy};
//!
//! proptest!(|((scores, labels) in strategy::labelled_scores(30))| {
//!     if let Some(auc) = oracle::auc_by_pairs(&scores, &labels) {
//!         let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
//!         let other = oracle::auc_by_pairs(&turned, &labels).unwrap_or(f64::NAN);
//!         prop_assert!((auc + other - 1.0).abs() < 1e-12);
//!     }
//! });
//! ```
//!
//! Use it as a dev-dependency only; it is not published. Panics are failed tests here.
//!
//! Minimum supported Rust version: 1.89.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a helper of tests: a panic is a failed test"
)]

pub mod damage;
pub mod matrix;
pub mod memory;
pub mod oracle;
pub mod strategy;

pub use memory::CountingAllocator;
pub use proptest;
