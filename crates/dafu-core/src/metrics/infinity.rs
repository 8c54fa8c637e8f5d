//! Serde of thresholds, where infinity ("alert nobody") has no place in JSON: written as `None`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn to_option(threshold: f64) -> Option<f64> {
    threshold.is_finite().then_some(threshold)
}

fn from_option(threshold: Option<f64>) -> f64 {
    threshold.unwrap_or(f64::INFINITY)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's `with` asks for"
)]
pub(super) fn serialize<S: Serializer>(threshold: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    to_option(*threshold).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(from_option)
}

/// The same for a list of thresholds.
pub(super) mod list {
    use super::{Deserialize, Deserializer, Serializer, from_option, to_option};

    pub(in super::super) fn serialize<S: Serializer>(
        thresholds: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(thresholds.iter().map(|&threshold| to_option(threshold)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        let thresholds = Vec::<Option<f64>>::deserialize(deserializer)?;
        Ok(thresholds.into_iter().map(from_option).collect())
    }
}
