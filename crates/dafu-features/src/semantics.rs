//! The rules under which [`FeatureEngine`](crate::FeatureEngine) computes features.
//!
#![doc = include_str!("../docs/windows.svg")]
//!
#![doc = include_str!("../docs/semantics.md")]
//!
//! The features of one user, before and after a thief has the card:
//!
#![doc = include_str!("../docs/timeline.svg")]
