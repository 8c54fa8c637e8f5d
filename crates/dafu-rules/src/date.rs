//! Moments in files: `2026-03-01`, or `2026-03-01T12:00:00Z`.

use dafu_core::Timestamp;

/// A day means its first moment in UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(day)
}

#[cfg(feature = "serde")]
pub(crate) mod optional {
    use super::{Timestamp, parse};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it like this")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(|at| at.to_string()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let wrong = || {
            let expected = "expected 2026-03-01 or 2026-03-01T12:00:00Z";
            serde::de::Error::custom(format!("{expected}, got {text:?}"))
        };
        parse(&text).map(Some).ok_or_else(wrong)
    }
}
