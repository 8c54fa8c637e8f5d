//! Where a report comes from.

use dafu_core::Timestamp;

/// How often a reason stands behind alerts.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReasonCount {
    /// Stable code, such as `iforest.amount`.
    pub code: String,
    /// What it says, for people.
    pub text: String,
    /// Alerts that name it.
    pub alerts: u64,
    /// Mean share of the risk that it explains in them, 0 to 1.
    pub contribution: f64,
}

/// Where a report comes from: what the evaluation itself does not know. Everything is given by the host; no clock
/// and no environment is read.
///
/// ```
/// use dafu_report::ReportMeta;
///
/// let meta = ReportMeta::new("Payments of July")
///     .with_generated_at("2026-02-03T10:15:00Z".parse()?)
///     .with_source("payments_2026-07.csv")
///     .with_seed(42)
///     .with_setting("trees", 100);
/// assert_eq!(meta.settings[0].1, "100");
/// # Ok::<(), dafu_core::CoreError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportMeta {
    /// Heading of the report.
    pub title: String,
    /// When the report was made.
    #[serde(with = "rfc3339")]
    pub generated_at: Option<Timestamp>,
    /// Version of the library that made it.
    pub library_version: String,
    /// Content hash of the model.
    #[serde(with = "hexadecimal")]
    pub model_hash: Option<u64>,
    /// Name of the file that was judged.
    pub source: Option<String>,
    /// Seed of all random choices.
    pub seed: Option<u64>,
    /// Settings of the run in the order given.
    pub settings: Vec<(String, String)>,
    /// The reasons that most alerts name, most frequent first.
    pub reasons: Vec<ReasonCount>,
}

impl ReportMeta {
    /// A title and this library's version; the rest is empty.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        }
    }

    /// Sets when the report was made.
    #[must_use]
    pub fn with_generated_at(mut self, generated_at: Timestamp) -> Self {
        self.generated_at = Some(generated_at);
        self
    }

    /// Sets the content hash of the model.
    #[must_use]
    pub fn with_model_hash(mut self, hash: u64) -> Self {
        self.model_hash = Some(hash);
        self
    }

    /// Sets the name of the file that was judged.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds a setting.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "reads well with literals")]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Sets the reasons that most alerts name.
    #[must_use]
    pub fn with_reasons(mut self, reasons: Vec<ReasonCount>) -> Self {
        self.reasons = reasons;
        self
    }
}

/// Times as RFC 3339 text.
mod rfc3339 {
    use dafu_core::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::ref_option,
        reason = "the signature that serde's `with` asks for"
    )]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

/// Hashes as sixteen hexadecimal digits: JSON numbers lose bits beyond 2^53 in many readers.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::ref_option,
        reason = "the signature that serde's `with` asks for"
    )]
    pub(super) fn serialize<S: Serializer>(
        hash: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        hash.map(|hash| format!("{hash:016x}"))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| u64::from_str_radix(&text, 16).map_err(D::Error::custom);
        text.map(read).transpose()
    }
}
