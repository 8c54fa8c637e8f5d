//! Moments in files: `2026-03-01`, or `2026-03-01T12:00:00Z`.

use dafu_core::Timestamp;

/// A day means its first moment in UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(day)
}

#[cfg(feature = "serde")]
mod file {
    use super::{Timestamp, parse};
    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer};
    use std::fmt;

    /// A moment as a text, or as TOML writes dates: without quotes.
    pub(super) struct Moment(pub(super) Timestamp);

    const EXPECTED: &str = "2026-03-01 or 2026-03-01T12:00:00Z";

    impl<'de> Deserialize<'de> for Moment {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(AnyForm)
        }
    }

    struct AnyForm;

    impl<'de> Visitor<'de> for AnyForm {
        type Value = Moment;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
            let wrong = || E::custom(format!("expected {EXPECTED}, got {text:?}"));
            parse(text).map(Moment).ok_or_else(wrong)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Moment, A::Error> {
            let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map));
            let date = date.map_err(|_| A::Error::custom(format!("expected {EXPECTED}")))?;
            self.visit_str(&date.to_string())
        }
    }
}

#[cfg(feature = "serde")]
pub(crate) mod optional {
    use super::{Timestamp, file::Moment};
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
        Ok(Option::<Moment>::deserialize(deserializer)?.map(|moment| moment.0))
    }
}

#[cfg(feature = "serde")]
pub(crate) mod required {
    use super::{Timestamp, file::Moment};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it like this"
    )]
    pub(crate) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.to_string().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        Ok(Moment::deserialize(deserializer)?.0)
    }
}
