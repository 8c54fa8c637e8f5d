//! Which inputs events have.

use super::state::MAX_REMEMBERED;
use crate::SequenceError;
use crate::check::{at_most, within};
use crate::network::{MAX_CATEGORIES, MAX_UNITS};
use std::collections::BTreeSet;

/// Most inputs of each kind.
const MAX_INPUTS: usize = MAX_UNITS;
/// Codes that stand for no category: missing, and unseen.
pub(super) const RESERVED: u32 = 2;
const MOST_CLIP: f64 = 1e6;

/// What is done with a number before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Transform {
    /// Nothing.
    #[default]
    Identity,
    /// `sign(x) * ln(1 + |x|)`: for amounts, counts, distances and other numbers of many magnitudes.
    SignedLog,
}

/// How numbers and times are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Numbers {
    /// As scaled numbers, times as two points on a circle: for classifiers.
    #[default]
    Scaled,
    /// As codes of intervals: for models that predict inputs, which then give each interval a probability.
    ///
    /// Numbers and the gap have 15 intervals, half a standard deviation wide (of the transformed number) from 2.5 below the
    /// mean to 4 above, open at both ends; the time of day is its `hour`, the day of the week its `weekday`. There is no
    /// `<name>_missing`: what is missing has a code of its own.
    Intervals,
}

/// A number of the event.
///
/// It is transformed, then `(x - mean) / standard deviation` over the training events that have it (divisor n; 1 for the
/// deviation of a constant), held within the clip. NaN and no value are missing: they are encoded as 0, the mean, and the
/// categorical input `<name>_missing` says so, if training events miss the number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NumericInput {
    /// The field of the record.
    pub name: String,
    /// What is done with it before it is scaled.
    #[cfg_attr(feature = "serde", serde(default))]
    pub transform: Transform,
    /// Whether it is left out where no training event has it, rather than an error. Default false.
    #[cfg_attr(feature = "serde", serde(default))]
    pub optional: bool,
}

impl NumericInput {
    /// A number that is scaled as it is.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            transform: Transform::Identity,
            optional: false,
        }
    }

    /// A number whose signed logarithm is scaled.
    pub fn log(name: impl Into<String>) -> Self {
        Self::new(name).transform(Transform::SignedLog)
    }

    /// Sets what is done with it before it is scaled.
    #[must_use]
    pub fn transform(mut self, transform: Transform) -> Self {
        self.transform = transform;
        self
    }

    /// Sets whether it is left out where no training event has it.
    #[must_use]
    pub fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }
}

/// A text of the event out of a limited set, such as a kind of action or a country.
///
/// Code 0 is a missing text, 1 one that training has rarely or never; then come the categories by falling count, those of
/// one count in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct CategoricalInput {
    /// The field of the record.
    pub name: String,
    /// Most categories with a code of their own, 1 to [`MAX_CATEGORIES`] - 2. Default 1,000.
    #[cfg_attr(feature = "serde", serde(default = "max_categories"))]
    pub max_categories: u32,
    /// Training events that a category needs for a code of its own, at least 1. Default 2.
    ///
    /// With 1, and fewer categories than `max_categories`, no training event has code 1: what a network makes of it is then
    /// left to chance.
    #[cfg_attr(feature = "serde", serde(default = "min_count"))]
    pub min_count: u64,
    /// Numbers that stand for a category in the network, 1 to [`MAX_UNITS`]. Default: of n codes in use
    /// `min(16, n - 1, ceil(4 n^(1/4)))`, which is 4 of 5 codes, 8 of 12, 13 of 100 and 16 from 198 on.
    #[cfg_attr(feature = "serde", serde(default))]
    pub dimension: Option<usize>,
    /// Whether it is left out where no training event has it, rather than an error. Default false.
    #[cfg_attr(feature = "serde", serde(default))]
    pub optional: bool,
}

const fn max_categories() -> u32 {
    1_000
}

const fn min_count() -> u64 {
    2
}

impl CategoricalInput {
    /// A text with the default limits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_categories: max_categories(),
            min_count: min_count(),
            dimension: None,
            optional: false,
        }
    }

    /// Sets the most categories with a code of their own.
    #[must_use]
    pub fn max_categories(mut self, max_categories: u32) -> Self {
        self.max_categories = max_categories;
        self
    }

    /// Sets the training events that a category needs for a code of its own.
    #[must_use]
    pub fn min_count(mut self, min_count: u64) -> Self {
        self.min_count = min_count;
        self
    }

    /// Sets how many numbers stand for a category.
    #[must_use]
    pub fn dimension(mut self, dimension: usize) -> Self {
        self.dimension = Some(dimension);
        self
    }

    /// Sets whether it is left out where no training event has it.
    #[must_use]
    pub fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    fn check(&self) -> Result<(), SequenceError> {
        within(
            "max_categories",
            self.max_categories,
            1,
            MAX_CATEGORIES - RESERVED,
        )
        .and_then(|()| within("min_count", self.min_count, 1, u64::MAX))
        .and_then(|()| within("dimension", self.dimension.unwrap_or(1), 1, MAX_UNITS))
        .map_err(|error| of_input(&self.name, error))
    }
}

/// A text of the event that names one of many things, such as a device, of which only counts whether this entity had it
/// before: a [`Novelty`](super::Novelty). So it also works for entities and things that training has not seen.
///
/// The same text may be a categorical input too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NoveltyInput {
    /// The field of the record.
    pub name: String,
    /// How many different ones are remembered of an entity, those of the latest events; at least 1. All inputs together:
    /// at most [`MAX_REMEMBERED`]. Default 4.
    #[cfg_attr(feature = "serde", serde(default = "memory"))]
    pub memory: usize,
    /// Whether it is left out where no training event has it, rather than an error. Default false.
    #[cfg_attr(feature = "serde", serde(default))]
    pub optional: bool,
}

const fn memory() -> usize {
    4
}

impl NoveltyInput {
    /// A text of which four are remembered.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            memory: memory(),
            optional: false,
        }
    }

    /// Sets how many are remembered of an entity.
    #[must_use]
    pub fn memory(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// Sets whether it is left out where no training event has it.
    #[must_use]
    pub fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }
}

/// Which inputs events have: parameters of an [`Encoder`](super::Encoder).
///
/// ```
/// use dafu_sequence::encode::{CategoricalInput, EncoderParams, NoveltyInput, NumericInput};
///
/// let params = EncoderParams::default()
///     .numeric(NumericInput::log("amount"))
///     .categorical(CategoricalInput::new("action_type").min_count(2))
///     .novelty(NoveltyInput::new("device_id"));
/// assert!(params.check().is_ok());
/// let wrong = params.numeric(NumericInput::new("amount"));
/// assert_eq!(
///     wrong.check().unwrap_err().to_string(),
///     "two inputs are named `amount`: rename or leave out one of them"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct EncoderParams {
    /// Numbers. Default none.
    pub numeric: Vec<NumericInput>,
    /// Texts with a code for each. Default none.
    pub categorical: Vec<CategoricalInput>,
    /// Texts of which counts whether the entity had them before. Default none.
    pub novelty: Vec<NoveltyInput>,
    /// Whether there is an input `gap`: ln(1 + seconds since the event before of the entity), missing for its first event.
    /// Default true.
    pub gap: bool,
    /// Whether there are inputs `hour_sin` and `hour_cos`: the time of day in UTC, to the second. Default true.
    pub hour: bool,
    /// Whether there are inputs `weekday_sin` and `weekday_cos`: the day of the week in UTC. Default true.
    pub weekday: bool,
    /// Scaled numbers are held within minus this and this, 1 to 1,000,000. Default 8.
    pub clip: f64,
    /// How numbers and times are read. Default [`Numbers::Scaled`].
    pub numbers: Numbers,
}

impl Default for EncoderParams {
    fn default() -> Self {
        Self {
            numeric: Vec::new(),
            categorical: Vec::new(),
            novelty: Vec::new(),
            gap: true,
            hour: true,
            weekday: true,
            clip: 8.0,
            numbers: Numbers::Scaled,
        }
    }
}

/// Parameters that passed [`EncoderParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedEncoderParams(pub(super) EncoderParams);

impl CheckedEncoderParams {
    /// The parameters.
    pub const fn params(&self) -> &EncoderParams {
        &self.0
    }
}

impl EncoderParams {
    /// Adds a number.
    #[must_use]
    pub fn numeric(mut self, input: NumericInput) -> Self {
        self.numeric.push(input);
        self
    }

    /// Adds a text with a code for each category.
    #[must_use]
    pub fn categorical(mut self, input: CategoricalInput) -> Self {
        self.categorical.push(input);
        self
    }

    /// Adds a text of which counts whether the entity had it before.
    #[must_use]
    pub fn novelty(mut self, input: NoveltyInput) -> Self {
        self.novelty.push(input);
        self
    }

    /// Sets whether the time since the event before is an input.
    #[must_use]
    pub fn gap(mut self, gap: bool) -> Self {
        self.gap = gap;
        self
    }

    /// Sets whether the time of day is an input.
    #[must_use]
    pub fn hour(mut self, hour: bool) -> Self {
        self.hour = hour;
        self
    }

    /// Sets whether the day of the week is an input.
    #[must_use]
    pub fn weekday(mut self, weekday: bool) -> Self {
        self.weekday = weekday;
        self
    }

    /// Sets what scaled numbers are held within.
    #[must_use]
    pub fn clip(mut self, clip: f64) -> Self {
        self.clip = clip;
        self
    }

    /// Sets how numbers and times are read.
    #[must_use]
    pub fn numbers(mut self, numbers: Numbers) -> Self {
        self.numbers = numbers;
        self
    }

    /// The fields that are read as numbers, in the order of [`RawEvent::numbers`](super::RawEvent::numbers).
    pub fn number_fields(&self) -> impl ExactSizeIterator<Item = &str> {
        self.numeric.iter().map(|input| &*input.name)
    }

    /// The fields that are read as texts, in the order of [`RawEvent::texts`](super::RawEvent::texts): categorical inputs,
    /// then those of novelty.
    pub fn text_fields(&self) -> impl Iterator<Item = &str> {
        let categorical = self.categorical.iter().map(|input| &*input.name);
        categorical.chain(self.novelty.iter().map(|input| &*input.name))
    }

    /// Numbers and texts that are read of an event.
    pub(super) fn fields(&self) -> (usize, usize) {
        let texts = self.categorical.len() + self.novelty.len();
        (self.numeric.len(), texts)
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`Parameter`](SequenceError::Parameter), [`InputParameter`](SequenceError::InputParameter),
    /// [`UnnamedInput`](SequenceError::UnnamedInput), and [`InputName`](SequenceError::InputName) for inputs of one name,
    /// also with those that the encoder adds.
    pub fn check(&self) -> Result<CheckedEncoderParams, SequenceError> {
        within("clip", self.clip, 1.0, MOST_CLIP)?;
        at_most("numeric inputs", self.numeric.len(), MAX_INPUTS)?;
        at_most("categorical inputs", self.categorical.len(), MAX_INPUTS)?;
        at_most("novelty inputs", self.novelty.len(), MAX_REMEMBERED)?;
        for input in &self.categorical {
            input.check()?;
        }
        for input in &self.novelty {
            within("memory", input.memory, 1, MAX_REMEMBERED)
                .map_err(|error| of_input(&input.name, error))?;
        }
        let remembered = self.novelty.iter().map(|input| input.memory).sum();
        at_most(
            "memory of all novelty inputs together",
            remembered,
            MAX_REMEMBERED,
        )?;
        self.check_names()?;
        Ok(CheckedEncoderParams(self.clone()))
    }

    /// All names that the inputs of a network may get.
    fn check_names(&self) -> Result<(), SequenceError> {
        let mut fields = self.number_fields().chain(self.text_fields());
        if fields.any(str::is_empty) {
            return Err(SequenceError::UnnamedInput);
        }
        let categorical = self.categorical.iter().map(|input| input.name.clone());
        let novelty = self.novelty.iter().map(|input| novelty_name(&input.name));
        let names = self.number_fields().map(str::to_owned).chain(categorical);
        let names = names.chain(self.number_fields().map(missing_name));
        let names = names.chain(novelty);
        let names = names.chain(self.time_names().map(str::to_owned));
        let mut seen = BTreeSet::new();
        for name in names.chain(self.gap.then(|| missing_name("gap"))) {
            if let Some(name) = seen.replace(name) {
                return Err(SequenceError::InputName { name });
            }
        }
        Ok(())
    }

    /// Inputs made from the time, in their order.
    pub(super) fn time_names(&self) -> impl Iterator<Item = &'static str> {
        let names =
            |used: bool, interval, numbers: &'static [&'static str]| match (used, self.numbers) {
                (false, _) => &[][..],
                (true, Numbers::Intervals) => interval,
                (true, Numbers::Scaled) => numbers,
            };
        let gap = names(self.gap, &["gap"], &["gap"]);
        let hour = names(self.hour, &["hour"], &["hour_sin", "hour_cos"]);
        let weekday = names(self.weekday, &["weekday"], &["weekday_sin", "weekday_cos"]);
        [gap, hour, weekday].into_iter().flatten().copied()
    }
}

pub(super) fn missing_name(name: &str) -> String {
    format!("{name}_missing")
}

pub(super) fn novelty_name(name: &str) -> String {
    format!("{name}_novelty")
}

/// The parameter of one input.
fn of_input(input: &str, error: SequenceError) -> SequenceError {
    match error {
        SequenceError::Parameter {
            name,
            expected,
            got,
        } => SequenceError::InputParameter {
            input: input.to_owned(),
            name,
            expected,
            got,
        },
        other => other,
    }
}
