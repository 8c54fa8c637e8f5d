//! Names, types, units and groups of features.

use crate::{CoreError, FeatureIndex, StableHasher};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

/// What the numbers of a feature stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FeatureType {
    /// A real number.
    Real,
    /// A whole number.
    Integer,
    /// 0 or 1.
    Flag,
    /// A code from 0 for each of these levels, in this order.
    Category {
        /// The levels.
        levels: Vec<Arc<str>>,
    },
}

/// The unit of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Unit {
    /// A pure number.
    #[default]
    One,
    /// How many.
    Count,
    /// A share from 0 to 1.
    Share,
    /// Money in major units.
    Money,
    /// Seconds.
    Second,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Events per hour.
    PerHour,
    /// Kilometres.
    Kilometre,
    /// Kilometres per hour.
    KilometrePerHour,
    /// Degrees of latitude or longitude.
    Degree,
}

impl Unit {
    /// The symbol for axes and messages; empty for pure numbers, counts, shares and money.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::One | Self::Count | Self::Share | Self::Money => "",
            Self::Second => "s",
            Self::Hour => "h",
            Self::Day => "d",
            Self::PerHour => "1/h",
            Self::Kilometre => "km",
            Self::KilometrePerHour => "km/h",
            Self::Degree => "deg",
        }
    }
}

/// The part of the story that a feature tells; explanations are summed by group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FeatureGroup {
    /// How much.
    Amount,
    /// What this user does.
    UserBehavior,
    /// To whom.
    Merchant,
    /// On which device.
    Device,
    /// Where.
    Location,
    /// Connected to whom.
    Network,
    /// When.
    Temporal,
    /// Anything else.
    #[default]
    Other,
}

impl FeatureGroup {
    /// All groups in order.
    pub const ALL: [Self; 8] = [
        Self::Amount,
        Self::UserBehavior,
        Self::Merchant,
        Self::Device,
        Self::Location,
        Self::Network,
        Self::Temporal,
        Self::Other,
    ];

    /// The name: `amount`, `user_behavior`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::UserBehavior => "user_behavior",
            Self::Merchant => "merchant",
            Self::Device => "device",
            Self::Location => "location",
            Self::Network => "network",
            Self::Temporal => "temporal",
            Self::Other => "other",
        }
    }

    /// The key in the explanations of an assessment: `amount_risk`, `user_behavior_risk`, ...
    pub fn risk_name(self) -> String {
        format!("{}_risk", self.name())
    }
}

impl fmt::Display for FeatureGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One feature: a column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FeatureSpec {
    /// The name, unique in its schema.
    pub name: Arc<str>,
    /// What the numbers stand for.
    pub feature_type: FeatureType,
    /// Their unit.
    pub unit: Unit,
    /// The part of the story they tell.
    pub group: FeatureGroup,
    /// Whether NaN (missing) may occur.
    pub nullable: bool,
    /// One sentence for people.
    pub description: String,
}

impl FeatureSpec {
    /// A real, never missing feature without a unit.
    pub fn real(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            feature_type: FeatureType::Real,
            unit: Unit::One,
            group: FeatureGroup::Other,
            nullable: false,
            description: String::new(),
        }
    }

    /// Sets the type.
    #[must_use]
    pub fn with_type(mut self, feature_type: FeatureType) -> Self {
        self.feature_type = feature_type;
        self
    }

    /// Sets the unit.
    #[must_use]
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the group.
    #[must_use]
    pub fn with_group(mut self, group: FeatureGroup) -> Self {
        self.group = group;
        self
    }

    /// Sets whether NaN may occur.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// Identity of a schema: equal when names, types, units and order are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SchemaHash(pub u64);

impl fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The features of a matrix, in column order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Vec<FeatureSpec>", into = "Vec<FeatureSpec>")
)]
pub struct Schema {
    features: Vec<FeatureSpec>,
    by_name: BTreeMap<Arc<str>, usize>,
}

impl Schema {
    /// A schema of uniquely named features.
    ///
    /// # Errors
    ///
    /// [`CoreError::DuplicateFeature`] when a name stands twice.
    pub fn new(features: Vec<FeatureSpec>) -> Result<Self, CoreError> {
        let mut by_name = BTreeMap::new();
        for (second, feature) in features.iter().enumerate() {
            if let Some(first) = by_name.insert(Arc::clone(&feature.name), second) {
                let name = feature.name.to_string();
                return Err(CoreError::DuplicateFeature {
                    name,
                    first,
                    second,
                });
            }
        }
        Ok(Self { features, by_name })
    }

    /// The features in column order.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.features
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// Position of a name. O(log width).
    pub fn position(&self, name: &str) -> Option<FeatureIndex> {
        self.by_name
            .get(name)
            .and_then(|&index| FeatureIndex::new(index).ok())
    }

    /// A feature by position.
    pub fn feature(&self, index: FeatureIndex) -> Option<&FeatureSpec> {
        self.features.get(index.get())
    }

    /// Identity for saved models. Descriptions and groups do not count.
    pub fn hash(&self) -> SchemaHash {
        let mut hasher = StableHasher::default();
        hasher.number(self.features.len() as u64);
        for feature in &self.features {
            hasher
                .text(&feature.name)
                .number(u64::from(feature.nullable));
            hasher.text(&format!("{:?}", feature.unit));
            match &feature.feature_type {
                FeatureType::Category { levels } => {
                    hasher.text("category").number(levels.len() as u64);
                    for level in levels {
                        hasher.text(level);
                    }
                }
                other => {
                    hasher.text(&format!("{other:?}"));
                }
            }
        }
        SchemaHash(hasher.finish())
    }
}

impl TryFrom<Vec<FeatureSpec>> for Schema {
    type Error = CoreError;
    fn try_from(features: Vec<FeatureSpec>) -> Result<Self, CoreError> {
        Self::new(features)
    }
}

impl From<Schema> for Vec<FeatureSpec> {
    fn from(schema: Schema) -> Self {
        schema.features
    }
}
