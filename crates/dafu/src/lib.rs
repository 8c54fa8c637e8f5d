//! Fraud detection in Rust: one Detector over forests, features, evaluation and reports.
