//! Bounded CSV and Parquet reading with role detection, bad-record policies and a suitability report.
