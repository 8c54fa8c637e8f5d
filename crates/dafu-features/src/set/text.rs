//! Sets as TOML and JSON.

use super::event_feature::EventFeature;
use super::feature::{Definition, Derived, Feature};
use super::window::Window;
use crate::FeatureError;
use dafu_core::FeatureGroup;

/// A feature as it stands in a file: exactly one of `window`, `event` and `derived`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeatureText {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<FeatureGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventFeature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    derived: Option<Derived>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

impl TryFrom<FeatureText> for Feature {
    type Error = FeatureError;
    fn try_from(text: FeatureText) -> Result<Self, FeatureError> {
        let definition = match (text.window, text.event, text.derived) {
            (Some(window), None, None) => Definition::Window(window),
            (None, Some(event), None) => Definition::Event(event),
            (None, None, Some(derived)) => Definition::Derived(derived),
            _ => {
                return Err(FeatureError::Feature {
                    feature: text.name.unwrap_or_default(),
                    why: "it needs exactly one of `window`, `event` and `derived`",
                });
            }
        };
        Ok(Self {
            name: text.name,
            group: text.group,
            description: text.description,
            definition,
        })
    }
}

impl From<Feature> for FeatureText {
    fn from(feature: Feature) -> Self {
        let mut text = Self {
            name: feature.name,
            group: feature.group,
            description: feature.description,
            ..Self::default()
        };
        match feature.definition {
            Definition::Window(window) => text.window = Some(window),
            Definition::Event(event) => text.event = Some(event),
            Definition::Derived(derived) => text.derived = Some(derived),
        }
        text
    }
}

#[cfg(feature = "toml")]
impl super::FeatureSet {
    /// Reads a set from TOML and checks it. With the feature `toml`.
    ///
    /// ```
    /// use dafu_features::FeatureSet;
    ///
    /// # fn main() -> Result<(), dafu_features::FeatureError> {
    /// let set = FeatureSet::from_toml(r#"
    ///     version = 1
    ///     labels = { after_delay = "7d" }
    ///
    ///     [[features]]
    ///     window = { by = ["user"], measure = "count", within = "1h" }
    ///
    ///     [[features]]
    ///     name = "terminal_risk"
    ///     window = { by = ["merchant"], within = "28d", delay = "7d", measure = { fraud_rate = { prior_frauds = 0.1, prior_events = 10.0 } } }
    /// "#)?;
    /// assert_eq!(set.features.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FeatureError::SetText`] with line and column for what is no set; otherwise as [`super::FeatureSet::check`].
    pub fn from_toml(text: &str) -> Result<Self, FeatureError> {
        let set: Self = toml::from_str(text).map_err(FeatureError::SetText)?;
        set.check()?;
        Ok(set)
    }

    /// The set as TOML, which [`super::FeatureSet::from_toml`] reads back.
    ///
    /// # Errors
    ///
    /// [`FeatureError::SetToText`] for numbers that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, FeatureError> {
        toml::to_string(self).map_err(FeatureError::SetToText)
    }
}
