//! A seeded simulator of labelled card transactions with fraud scenarios.
