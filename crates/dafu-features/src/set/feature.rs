//! One feature: a window, a fact of the event itself, or a combination of other features.

use super::event_feature::EventFeature;
use super::field::{Field, Quantity, RecordKind};
use super::window::Window;
use crate::FeatureError;
use dafu_core::{FeatureGroup, FeatureSpec, FeatureType, Unit};

pub(crate) const fn field_group(field: &Field) -> FeatureGroup {
    match field {
        Field::User | Field::Card | Field::Email | Field::Action => FeatureGroup::UserBehavior,
        Field::Merchant | Field::Category => FeatureGroup::Merchant,
        Field::Device | Field::UserAgent | Field::Browser | Field::System => FeatureGroup::Device,
        Field::Ip | Field::IpPrefix | Field::EmailDomain => FeatureGroup::Network,
        Field::Country | Field::Location => FeatureGroup::Location,
        Field::Currency => FeatureGroup::Amount,
        _ => FeatureGroup::Other,
    }
}

pub(crate) const fn quantity_unit(quantity: &Quantity) -> Unit {
    match quantity {
        Quantity::Amount => Unit::Money,
        Quantity::TransactionCount => Unit::Count,
        _ => Unit::One,
    }
}

/// A combination of features that stand before it in the set, by name; missing where one of them is.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Derived {
    /// `of / over`; missing where `over` is 0.
    Ratio {
        /// Above the line.
        of: String,
        /// Below the line.
        over: String,
    },
    /// `of - less`.
    Difference {
        /// From this.
        of: String,
        /// This is taken.
        less: String,
    },
    /// Root of the sum of squares of those that are above 0: how far the event is from a profile. Those that are missing
    /// or below 0, such as the surprise of a usual hour, count as 0. Missing where all are.
    Distance {
        /// The features.
        of: Vec<String>,
    },
}

impl Derived {
    /// Names of the features that it is made from.
    pub fn inputs(&self) -> Vec<&str> {
        match self {
            Self::Ratio { of, over } => vec![of, over],
            Self::Difference { of, less } => vec![of, less],
            Self::Distance { of } => of.iter().map(String::as_str).collect(),
        }
    }
}

/// Where the numbers of a feature come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A measure over the events of an entity.
    Window(Window),
    /// A fact of the event itself.
    Event(EventFeature),
    /// A combination of other features.
    Derived(Derived),
}

/// One feature of a set.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "super::text::FeatureText",
        into = "super::text::FeatureText"
    )
)]
pub struct Feature {
    /// Its name; `None` takes the one that follows from its definition, such as `user_count_7d`.
    pub name: Option<String>,
    /// The part of the story that it tells; `None` takes the one that follows from its definition.
    pub group: Option<FeatureGroup>,
    /// One sentence for people; `None` takes the one that follows from its definition.
    pub description: Option<String>,
    /// Where its numbers come from.
    pub definition: Definition,
}

impl From<Window> for Feature {
    fn from(window: Window) -> Self {
        Self::new(Definition::Window(window))
    }
}

impl From<EventFeature> for Feature {
    fn from(event: EventFeature) -> Self {
        Self::new(Definition::Event(event))
    }
}

impl From<Derived> for Feature {
    fn from(derived: Derived) -> Self {
        Self::new(Definition::Derived(derived))
    }
}

impl Feature {
    fn new(definition: Definition) -> Self {
        Self {
            name: None,
            group: None,
            description: None,
            definition,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the group.
    #[must_use]
    pub fn grouped(mut self, group: FeatureGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The name that it has in a set.
    pub fn full_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| match &self.definition {
            Definition::Window(window) => window.name(),
            Definition::Event(event) => event.name(),
            Definition::Derived(Derived::Ratio { of, over }) => format!("{of}_over_{over}"),
            Definition::Derived(Derived::Difference { of, less }) => format!("{of}_less_{less}"),
            Definition::Derived(Derived::Distance { of }) => format!("distance_{}", of.join("_")),
        })
    }

    pub(crate) fn check(&self, record: RecordKind) -> Result<(), FeatureError> {
        let name = self.full_name();
        match &self.definition {
            Definition::Window(window) => window.check(&name, record),
            Definition::Event(event) => event.check(&name, record),
            Definition::Derived(derived) if derived.inputs().is_empty() => {
                Err(FeatureError::Feature {
                    feature: name,
                    why: "it combines no features",
                })
            }
            Definition::Derived(_) => Ok(()),
        }
    }

    /// Name, type, unit, group and description.
    pub(crate) fn spec(&self) -> FeatureSpec {
        let name = self.full_name();
        let (feature_type, unit, group, description) = match &self.definition {
            Definition::Window(window) => (
                window.measure.feature_type(),
                window.measure.unit(quantity_unit(&window.of)),
                window.group(),
                window.describe(),
            ),
            Definition::Event(event) => (
                event.feature_type(),
                event.unit(),
                event.group(),
                event.describe().to_owned(),
            ),
            Definition::Derived(derived) => {
                let text = match derived {
                    Derived::Ratio { of, over } => format!("`{of}` over `{over}`"),
                    Derived::Difference { of, less } => format!("`{of}` less `{less}`"),
                    Derived::Distance { of } => format!("distance from a profile by {of:?}"),
                };
                (
                    FeatureType::Real,
                    Unit::One,
                    FeatureGroup::UserBehavior,
                    text,
                )
            }
        };
        FeatureSpec::real(name)
            .with_type(feature_type)
            .with_unit(unit)
            .with_group(self.group.unwrap_or(group))
            .with_nullable(true)
            .with_description(self.description.clone().unwrap_or(description))
    }
}
