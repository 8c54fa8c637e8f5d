//! The fitted steps, one after the other: which column they read and what they write.

use super::params::{Infinite, TimeFeature};
use super::row::Clock;
use dafu_core::table::Storage;
use dafu_core::{FeatureGroup, FeatureSpec, FeatureType, Role, Unit};
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::Arc;

/// Longest text kept as a level; longer ones are told apart by their hash.
pub(crate) const MAX_LEVEL_BYTES: usize = 256;
/// No feature.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A column of the training tables that some step reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Where it stood in the training tables: looked at first.
    pub(crate) position: u32,
}

impl Input {
    pub(crate) fn storage(&self) -> Storage {
        self.role.storage()
    }
}

/// An input by its place.
pub(crate) fn input(inputs: &[Input], id: u32) -> Option<&Input> {
    usize::try_from(id).ok().and_then(|id| inputs.get(id))
}

/// Where a number comes from; the places are those in the list of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum NumberSource {
    Column(u32),
    Log(u32),
    /// Latitude and longitude of the user, then of the merchant.
    Distance([u32; 4]),
}

impl NumberSource {
    pub(crate) fn inputs(&self) -> &[u32] {
        match self {
            Self::Column(input) | Self::Log(input) => std::slice::from_ref(input),
            Self::Distance(inputs) => inputs,
        }
    }
}

/// `(x - centre) / spread`, never infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Scale {
    pub(crate) centre: f64,
    pub(crate) spread: f64,
}

impl Scale {
    pub(crate) fn apply(self, value: f64) -> f64 {
        // `clamp` keeps NaN.
        ((value - self.centre) / self.spread).clamp(f64::MIN, f64::MAX)
    }
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct NumberPlan {
    pub(crate) source: NumberSource,
    /// What stands in for a missing value, before scaling; `None` keeps NaN.
    pub(crate) fill: Option<f64>,
    pub(crate) scale: Option<Scale>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TimePlan {
    pub(crate) input: u32,
    pub(crate) feature: TimeFeature,
    /// Second of the week that stands in for a missing time.
    pub(crate) fill: u32,
}

/// The levels of a column in the order of the alphabet, looked up by text.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Vec<Box<str>>", into = "Vec<Box<str>>")
)]
pub(crate) struct Levels {
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
}

impl PartialEq for Levels {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Levels {
    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The slot of a text: its place; one past the last for missing, two past for unseen.
    pub(crate) fn slot(&self, text: Option<&str>) -> usize {
        let known = self.names.len();
        let Some(text) = text else { return known };
        let place = if text.len() <= MAX_LEVEL_BYTES {
            self.places.get(text)
        } else {
            self.places.get(level_key(text).as_ref())
        };
        place
            .and_then(|&place| usize::try_from(place).ok())
            .unwrap_or(known + 1)
    }
}

impl TryFrom<Vec<Box<str>>> for Levels {
    type Error = &'static str;
    fn try_from(names: Vec<Box<str>>) -> Result<Self, &'static str> {
        if !names.is_sorted_by(|a, b| a < b) {
            return Err("levels must be in order and different from each other");
        }
        let count = u32::try_from(names.len()).map_err(|_| "too many levels")?;
        let places = names.iter().cloned().zip(0..count).collect();
        Ok(Self { names, places })
    }
}

impl From<Levels> for Vec<Box<str>> {
    fn from(levels: Levels) -> Self {
        levels.names
    }
}

/// A text as a level: itself, or for a long text its beginning and its hash.
pub(crate) fn level_key(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= MAX_LEVEL_BYTES {
        return std::borrow::Cow::Borrowed(text);
    }
    let most = MAX_LEVEL_BYTES - 32;
    // A character has at most four bytes.
    let end = (most - 3..=most)
        .rev()
        .find(|&end| text.is_char_boundary(end));
    let end = end.unwrap_or_default();
    let hash = dafu_core::StableHasher::hash_bytes(text.as_bytes());
    let start = text.get(..end).unwrap_or_default();
    std::borrow::Cow::Owned(format!("{start}...#{hash:016x}"))
}

/// What a code feature stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum CodeKind {
    Ordinal,
    Frequency,
    LogFrequency,
    Target,
}

/// How a text becomes numbers.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum TextCode {
    /// Flags: one per level, then `(other)` and `(missing)` where they exist. Feature of a missing and of an unseen
    /// text, [`NOWHERE`] for none.
    OneHot {
        other: bool,
        own_missing: bool,
        missing: u32,
        unseen: u32,
    },
    /// One number per slot; per fold and slot for training rows, where they differ.
    Value {
        kind: CodeKind,
        values: Vec<f64>,
        folds: Vec<Vec<f64>>,
    },
    Hash {
        buckets: u16,
        /// Stands in for a missing text.
        fill: Option<Box<str>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TextPlan {
    pub(crate) input: u32,
    pub(crate) levels: Levels,
    pub(crate) code: TextCode,
}

impl TextPlan {
    fn one_hot_labels(&self, other: bool, own_missing: bool) -> impl Iterator<Item = &str> {
        let names = self.levels.names().iter().map(|name| &**name);
        let other = other.then_some("(other)");
        let missing = own_missing.then_some("(missing)");
        names.chain(other).chain(missing)
    }
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Step {
    Number(NumberPlan),
    /// 1 where the value is missing.
    Missing(u32),
    Time(TimePlan),
    /// Boxed: by far the largest, and in a file a step can be three bytes.
    Text(Box<TextPlan>),
}

/// A step with the group of its features.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Plan {
    pub(crate) step: Step,
    pub(crate) group: FeatureGroup,
}

impl Plan {
    /// Number of features.
    pub(crate) fn width(&self) -> usize {
        match &self.step {
            Step::Number(_) | Step::Missing(_) => 1,
            Step::Time(plan) => match plan.feature {
                TimeFeature::HourCycle | TimeFeature::WeekdayCycle => 2,
                _ => 1,
            },
            Step::Text(plan) => match &plan.code {
                TextCode::OneHot {
                    other, own_missing, ..
                } => plan.levels.len() + usize::from(*other) + usize::from(*own_missing),
                TextCode::Value { .. } => 1,
                TextCode::Hash { buckets, .. } => usize::from(*buckets),
            },
        }
    }

    /// The features, named from the columns that they are made of; each is made when it is asked for.
    fn specs<'a>(
        &'a self,
        inputs: &'a [Input],
        clock: Clock,
    ) -> impl Iterator<Item = FeatureSpec> + 'a {
        let name = |id: u32| input(inputs, id).map_or("", |input| input.name.as_str());
        let specs: Specs<'a> = match &self.step {
            Step::Number(plan) => Box::new(iter::once(number_spec(plan, inputs, &name))),
            Step::Missing(id) => {
                let name = name(*id);
                let spec = flag(format!("{name}_missing"))
                    .with_description(format!("1 where `{name}` is missing"));
                Box::new(iter::once(spec))
            }
            Step::Time(plan) => Box::new(time_specs(plan, name(plan.input), clock).into_iter()),
            Step::Text(plan) => text_specs(plan, name(plan.input)),
        };
        specs.map(|spec| spec.with_group(self.group))
    }
}

/// Features that are made one by one.
type Specs<'a> = Box<dyn Iterator<Item = FeatureSpec> + 'a>;

fn flag(name: String) -> FeatureSpec {
    FeatureSpec::real(name).with_type(FeatureType::Flag)
}

fn number_spec<'a>(
    plan: &NumberPlan,
    inputs: &[Input],
    name: &impl Fn(u32) -> &'a str,
) -> FeatureSpec {
    let scaled = if plan.scale.is_some() { ", scaled" } else { "" };
    let (spec, unit) = match &plan.source {
        NumberSource::Column(id) => {
            let unit = match input(inputs, *id).map(|input| input.role) {
                Some(Role::Amount) => Unit::Money,
                Some(
                    Role::UserLatitude
                    | Role::UserLongitude
                    | Role::MerchantLatitude
                    | Role::MerchantLongitude,
                ) => Unit::Degree,
                _ => Unit::One,
            };
            let name = name(*id);
            let spec = FeatureSpec::real(name).with_description(format!("`{name}`{scaled}"));
            (spec, unit)
        }
        NumberSource::Log(input) => {
            let name = name(*input);
            let spec = FeatureSpec::real(format!("log_{name}")).with_description(format!(
                "natural logarithm of 1 + `{name}`, with the sign of `{name}`{scaled}"
            ));
            (spec, Unit::One)
        }
        NumberSource::Distance(_) => (
            FeatureSpec::real("home_merchant_distance").with_description(format!(
                "great-circle distance between user and merchant{scaled}"
            )),
            Unit::Kilometre,
        ),
    };
    spec.with_unit(if plan.scale.is_some() {
        Unit::One
    } else {
        unit
    })
    .with_nullable(plan.fill.is_none())
}

fn time_specs(plan: &TimePlan, name: &str, clock: Clock) -> Vec<FeatureSpec> {
    let zone = match clock.offset_minutes {
        0 => "UTC".to_owned(),
        minutes => format!("UTC{:+}:{:02}", minutes / 60, (minutes % 60).abs()),
    };
    let whole = |name: &str| FeatureSpec::real(name).with_type(FeatureType::Integer);
    let cycle = |of: &str, text: &str| {
        ["sin", "cos"]
            .into_iter()
            .map(|part| {
                FeatureSpec::real(format!("{of}_{part}")).with_description(format!(
                    "{part} of {text} of `{name}` on a circle, in {zone}"
                ))
            })
            .collect()
    };
    match plan.feature {
        TimeFeature::Hour => vec![
            whole("hour")
                .with_unit(Unit::Hour)
                .with_description(format!("hour of `{name}`, 0 to 23, in {zone}")),
        ],
        TimeFeature::Weekday => vec![whole("weekday").with_description(format!(
            "weekday of `{name}`, 0 for Monday to 6 for Sunday, in {zone}"
        ))],
        TimeFeature::Weekend => vec![flag("weekend".to_owned()).with_description(format!(
            "1 where `{name}` is a Saturday or Sunday, in {zone}"
        ))],
        TimeFeature::Night => vec![flag("night".to_owned()).with_description(format!(
            "1 where `{name}` is from {:02}:00 to before {:02}:00, in {zone}",
            clock.night_from, clock.night_until
        ))],
        TimeFeature::HourCycle => cycle("hour", "the time of day"),
        TimeFeature::WeekdayCycle => cycle("weekday", "the weekday"),
    }
}

fn text_specs<'a>(plan: &'a TextPlan, name: &'a str) -> Specs<'a> {
    match &plan.code {
        TextCode::OneHot {
            other, own_missing, ..
        } => {
            let labels = plan.one_hot_labels(*other, *own_missing);
            Box::new(labels.map(move |label| {
                flag(format!("{name}={label}"))
                    .with_description(format!("1 where `{name}` is {label:?}"))
            }))
        }
        TextCode::Value { kind, .. } => Box::new(iter::once(match kind {
            CodeKind::Ordinal => {
                let further = ["(missing)", "(unseen)"].map(Arc::from);
                let names = plan.levels.names().iter().map(|level| Arc::from(&**level));
                let levels = names.chain(further).collect();
                FeatureSpec::real(name)
                    .with_type(FeatureType::Category { levels })
                    .with_description(format!("place of `{name}` in the alphabet"))
            }
            CodeKind::Frequency => FeatureSpec::real(format!("{name}_frequency"))
                .with_unit(Unit::Share)
                .with_description(format!("share of training rows with this `{name}`")),
            CodeKind::LogFrequency => FeatureSpec::real(format!("{name}_log_frequency"))
                .with_description(format!(
                    "natural logarithm of the share of training rows with this `{name}`"
                )),
            CodeKind::Target => FeatureSpec::real(format!("{name}_fraud_rate"))
                .with_unit(Unit::Share)
                .with_description(format!(
                    "smoothed fraud rate of training rows with this `{name}`"
                )),
        })),
        TextCode::Hash { buckets, .. } => Box::new((0..*buckets).map(move |bucket| {
            FeatureSpec::real(format!("{name}_hash_{bucket}"))
                .with_description(format!("signed hash of `{name}`, bucket {bucket}"))
        })),
    }
}

/// Everything that was learned.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Plans {
    pub(crate) inputs: Vec<Input>,
    pub(crate) steps: Vec<Plan>,
    pub(crate) clock: Clock,
    pub(crate) infinite: Infinite,
    pub(crate) folds: super::params::Folds,
}

impl Plans {
    /// The features, each with the place of its step. A name that is taken gets `_2`, `_3`, ...
    ///
    /// A feature is made when it is asked for: who reads a file stops at the first one that the file does not name.
    pub(crate) fn specs(&self) -> impl Iterator<Item = (usize, FeatureSpec)> {
        // Names taken, with the last number given to each.
        let mut taken: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let unique = move |(step, mut spec): (usize, FeatureSpec)| {
            while let Some(last) = taken.get_mut(&spec.name) {
                *last += 1;
                let name = format!("{}_{last}", spec.name);
                if !taken.contains_key(name.as_str()) {
                    spec.name = Arc::from(name);
                }
            }
            taken.insert(Arc::clone(&spec.name), 1);
            (step, spec)
        };
        let steps = self.steps.iter().enumerate();
        let specs = steps.flat_map(|(step, plan)| {
            let specs = plan.specs(&self.inputs, self.clock);
            specs.map(move |spec| (step, spec))
        });
        specs.map(unique)
    }
}
