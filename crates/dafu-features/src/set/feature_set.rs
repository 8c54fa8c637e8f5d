//! Which features there are, and the rules under which they are computed.

use super::feature::{Definition, Feature};
use super::field::RecordKind;
use super::span::Span;
use super::window_measure::{Measure, Subject};
use crate::FeatureError;
use crate::measure::Calendar;
use dafu_core::{Schema, SchemaHash};
use std::collections::BTreeMap;

/// Version of the text form of a set.
const VERSION: u32 = 1;
/// Most features of a set.
const MOST_FEATURES: usize = 10_000;

/// When the label of an event becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Labels {
    /// By events of their own, [`crate::FeatureEngine::label`]. Labels that stand on records are not read: without label
    /// events no fraud is ever known.
    #[default]
    Events,
    /// Labels stand on the records, for replays of history: each is known this long after its event. Label events are
    /// read as well; of labels that contradict each other, the one that became known last holds.
    AfterDelay(Span),
}

/// What becomes of an event that comes after one with a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LatePolicy {
    /// It reads what was known at its time, takes its place in the history, and later events see it there. Beyond the
    /// bound it is only read.
    #[default]
    Insert,
    /// It is read and not remembered.
    Drop,
    /// It is an error.
    Error,
}

/// How late events may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Lateness {
    /// How far behind the newest event an event may be to be inserted. Memory grows with it: events are kept this much
    /// longer.
    pub bound: Span,
    /// What becomes of late events.
    pub policy: LatePolicy,
}

impl Default for Lateness {
    /// Insert up to an hour late.
    fn default() -> Self {
        Self {
            bound: Span::hours(1),
            policy: LatePolicy::Insert,
        }
    }
}

/// Bounds of what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct StateLimits {
    /// Most events of one entity under one filter; of more, the oldest are dropped and counted. At most 1,048,576.
    pub events_per_entity: u32,
    /// Entities without an event for this long are forgotten, as if they had never been.
    pub ttl: Option<Span>,
    /// Bytes of all entities together, above which those that were used least recently are forgotten and counted.
    pub memory_bytes: Option<u64>,
    /// Transactions remembered by id, for labels and reversals that name an id alone; 0 for none.
    pub remembered_transactions: u32,
}

impl Default for StateLimits {
    /// 4,096 events an entity, no time limit, 1 GiB, no transactions by id.
    fn default() -> Self {
        Self {
            events_per_entity: 4096,
            ttl: None,
            memory_bytes: Some(1 << 30),
            remembered_transactions: 0,
        }
    }
}

/// A set of features: what is computed, from which records, and under which rules.
///
/// Made in Rust, or read from TOML or JSON. [`crate::FeatureEngine`] compiles it.
///
/// ```
/// use dafu_features::{Feature, FeatureSet, Field, Measure, RecordKind, Span, Window};
///
/// # fn main() -> Result<(), dafu_features::FeatureError> {
/// let set = FeatureSet::new(RecordKind::Transaction)
///     .feature(Window::new(Field::User, Measure::Count).within(Span::hours(1)))
///     .feature(Window::new(Field::User, Measure::ZScore).within(Span::days(30)));
/// let names: Vec<_> = set.schema()?.features().iter().map(|spec| spec.name.to_string()).collect();
/// assert_eq!(names, ["user_count_1h", "user_amount_zscore_30d"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct FeatureSet {
    /// Version of the text form: 1.
    pub version: u32,
    /// The records that it reads.
    pub record: RecordKind,
    /// When labels become known.
    pub labels: Labels,
    /// How late events may come.
    pub lateness: Lateness,
    /// How long the id of an event is remembered, so that the same event again counts nothing twice. 0 for not at all.
    pub duplicates_within: Span,
    /// An event that is further ahead of the newest than this is an error: a clock that jumped. `None` takes any. Set it
    /// to days for a stream that never rests: all events after one with a clock ahead of the others are late.
    pub max_jump: Option<Span>,
    /// Bounds of what is remembered.
    pub limits: StateLimits,
    /// Hours, nights and holidays.
    pub calendar: Calendar,
    /// Secret that ids are hashed with; a set that is given to others should not hold the one in use. 0, the default, is
    /// no secret.
    pub key: u64,
    /// The features, in column order.
    pub features: Vec<Feature>,
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self::new(RecordKind::Transaction)
    }
}

impl FeatureSet {
    /// An empty set: events up to an hour late, ids remembered for a day, clocks that jump by more than a year refused,
    /// labels by events of their own. For a history whose records have labels there is [`FeatureSet::labels`].
    pub fn new(record: RecordKind) -> Self {
        Self {
            version: VERSION,
            record,
            labels: Labels::Events,
            lateness: Lateness::default(),
            duplicates_within: Span::days(1),
            max_jump: Some(Span::days(366)),
            limits: StateLimits::default(),
            calendar: Calendar::default(),
            key: 0,
            features: Vec::new(),
        }
    }

    /// Adds a feature.
    #[must_use]
    pub fn feature(mut self, feature: impl Into<Feature>) -> Self {
        self.features.push(feature.into());
        self
    }

    /// Adds features.
    #[must_use]
    pub fn features<F: Into<Feature>>(mut self, features: impl IntoIterator<Item = F>) -> Self {
        self.features.extend(features.into_iter().map(Into::into));
        self
    }

    /// Sets when labels become known.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Sets how late events may come.
    #[must_use]
    pub fn lateness(mut self, bound: Span, policy: LatePolicy) -> Self {
        self.lateness = Lateness { bound, policy };
        self
    }

    /// Sets how long ids are remembered.
    #[must_use]
    pub fn duplicates_within(mut self, within: Span) -> Self {
        self.duplicates_within = within;
        self
    }

    /// Sets how far ahead of the newest an event may be; `None` takes any.
    #[must_use]
    pub fn max_jump(mut self, most: Option<Span>) -> Self {
        self.max_jump = most;
        self
    }

    /// Sets the bounds of what is remembered.
    #[must_use]
    pub fn limits(mut self, limits: StateLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets hours, nights and holidays.
    #[must_use]
    pub fn calendar(mut self, calendar: Calendar) -> Self {
        self.calendar = calendar;
        self
    }

    /// Sets the secret that ids are hashed with.
    #[must_use]
    pub fn key(mut self, key: u64) -> Self {
        self.key = key;
        self
    }

    /// The set without features that read labels.
    #[must_use]
    pub fn without_labels(mut self) -> Self {
        let reads = |feature: &Feature| match &feature.definition {
            Definition::Window(window) => window.measure.subject() == Subject::Labels,
            _ => false,
        };
        let mut gone: Vec<String> = Vec::new();
        self.features.retain(|feature| {
            let derived = match &feature.definition {
                Definition::Derived(derived) => derived
                    .inputs()
                    .iter()
                    .any(|input| gone.iter().any(|name| name == input)),
                _ => false,
            };
            let keep = !derived && !reads(feature);
            if !keep {
                gone.push(feature.full_name());
            }
            keep
        });
        self
    }

    /// Names, types, units, groups and descriptions of the features.
    ///
    /// # Errors
    ///
    /// As [`FeatureSet::check`].
    pub fn schema(&self) -> Result<Schema, FeatureError> {
        let specs = self.features.iter().map(Feature::spec);
        Ok(Schema::new(specs.collect())?)
    }

    /// Checks all rules of the set together.
    ///
    /// # Errors
    ///
    /// [`FeatureError`] that names the feature and what is wrong with it.
    pub fn check(&self) -> Result<(), FeatureError> {
        if self.version != VERSION {
            return Err(FeatureError::OutOfRange {
                parameter: "version",
                min: i64::from(VERSION),
                max: i64::from(VERSION),
                got: i64::from(self.version),
            });
        }
        if self.features.is_empty() {
            return Err(FeatureError::EmptySet);
        }
        let count = self.features.len();
        let range = |parameter, min, max, got| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                Err(FeatureError::OutOfRange {
                    parameter,
                    min,
                    max,
                    got,
                })
            }
        };
        let most = i64::try_from(MOST_FEATURES).unwrap_or(i64::MAX);
        range(
            "features",
            1,
            most,
            i64::try_from(count).unwrap_or(i64::MAX),
        )?;
        let events = i64::from(self.limits.events_per_entity);
        range("events_per_entity", 1, 1 << 20, events)?;
        self.calendar.check()?;
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (place, feature) in self.features.iter().enumerate() {
            feature.check(self.record)?;
            if let Definition::Derived(derived) = &feature.definition {
                for input in derived.inputs() {
                    if !places.contains_key(input) {
                        return Err(FeatureError::UnknownFeature {
                            feature: feature.full_name(),
                            input: input.to_owned(),
                        });
                    }
                }
            }
            if places.insert(feature.full_name(), place).is_some() {
                return Err(FeatureError::Feature {
                    feature: feature.full_name(),
                    why: "another has this name: name one by `Feature::from(..).named(..)`, `name` in a text",
                });
            }
        }
        self.check_tiles()?;
        self.check_labels()?;
        self.schema().map(|_| ())
    }

    /// Tiles are kept for late events, too: not for so late ones that there would be no end of tiles.
    fn check_tiles(&self) -> Result<(), FeatureError> {
        for feature in &self.features {
            let Definition::Window(window) = &feature.definition else {
                continue;
            };
            let (Some(tiles), Some(within)) = (window.tiles, window.within) else {
                continue;
            };
            let length = within.as_micros() / i64::from(tiles).max(1);
            if self.lateness.bound.as_micros() / length.max(1) > 1024 {
                return Err(FeatureError::Feature {
                    feature: feature.full_name(),
                    why: "its tiles are shorter than a 1024th of the bound for late events",
                });
            }
        }
        Ok(())
    }

    fn check_labels(&self) -> Result<(), FeatureError> {
        let Labels::AfterDelay(known_after) = self.labels else {
            return Ok(());
        };
        for feature in &self.features {
            let Definition::Window(window) = &feature.definition else {
                continue;
            };
            let rate = matches!(
                window.measure,
                Measure::FraudRate { .. }
                    | Measure::FraudRateQuantile { .. }
                    | Measure::FraudTrend { .. }
                    | Measure::LastLabel { .. }
            );
            if rate && window.delay < known_after {
                return Err(FeatureError::UnknownLabels {
                    feature: feature.full_name(),
                    delay: window.delay,
                    known_after,
                });
            }
        }
        Ok(())
    }

    /// Identity of the set: of its features and everything that changes their numbers.
    pub(crate) fn hash(&self) -> SchemaHash {
        SchemaHash(dafu_core::StableHasher::hash_bytes(
            format!("{self:?}").as_bytes(),
        ))
    }
}
