//! Saved preprocessors: core's envelope around a postcard payload, every rule checked again when reading.

use super::model::Preprocessor;
use super::params::Folds;
use super::plan::{self, NOWHERE, NumberPlan, NumberSource, Plan, Plans, Step, TextCode, TextPlan};
use super::report::FitReport;
use crate::FeatureError;
use dafu_core::FeatureSpec;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::table::Storage;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const SCHEMA_VERSION: u16 = 1;
/// Most features of one time column: every [`TimeFeature`](super::params::TimeFeature) once, the cycles as two.
const FEATURES_PER_TIME: usize = 8;
const SECONDS_PER_WEEK: u32 = 604_800;

#[derive(serde::Serialize)]
struct Saved<'a> {
    plans: &'a Plans,
    report: &'a FitReport,
}

#[derive(serde::Deserialize)]
struct Loaded {
    plans: Plans,
    report: FitReport,
}

impl Preprocessor {
    /// The kind in the envelope of saved preprocessors.
    pub const KIND: &'static str = "dafu.preprocessor";

    /// The preprocessor as bytes: the same bytes for the same preprocessor.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Model`] when it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FeatureError> {
        let saved = Saved {
            plans: self.plans(),
            report: self.report(),
        };
        let hash = self.schema().hash();
        Ok(Envelope::encode(Self::KIND, SCHEMA_VERSION, hash, &saved)?)
    }

    /// Reads a preprocessor from bytes of any origin, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::from_bytes_within`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FeatureError> {
        Self::from_bytes_within(bytes, &Limits::default())
    }

    /// Reads a preprocessor from bytes of any origin. Memory stays proportional to the bytes: a feature is made only
    /// after its name was found in the file's report.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Model`] for every way in which bytes are no intact preprocessor within the limits.
    ///
    /// # Complexity
    ///
    /// O(bytes).
    pub fn from_bytes_within(bytes: &[u8], limits: &Limits) -> Result<Self, FeatureError> {
        let envelope = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)?;
        let Loaded { plans, report } = envelope.decode()?;
        let most = usize::try_from(limits.max_features).unwrap_or(usize::MAX);
        check(&plans, most, envelope.payload().len()).map_err(broken)?;
        check_missing(&report).map_err(broken)?;
        let specs = reported_specs(&plans, &report).map_err(broken)?;
        let preprocessor = Self::new(plans, specs, report)?;
        let (expected, got) = (
            envelope.header().schema_hash(),
            preprocessor.schema().hash(),
        );
        if expected != got {
            return Err(ModelError::SchemaHash { expected, got }.into());
        }
        Ok(preprocessor)
    }

    /// Writes the preprocessor to a file.
    ///
    /// # Errors
    ///
    /// [`FeatureError::File`], and as [`Preprocessor::to_bytes`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FeatureError> {
        std::fs::write(path, self.to_bytes()?).map_err(FeatureError::File)
    }

    /// Reads a preprocessor from a file, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`FeatureError::File`], and as [`Preprocessor::from_bytes_within`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FeatureError> {
        let limits = Limits::default();
        let file = File::open(path).map_err(FeatureError::File)?;
        // One byte more than allowed, so that a longer file is seen to be too long without reading it all.
        let mut bytes = Vec::new();
        file.take(limits.max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(FeatureError::File)?;
        Self::from_bytes_within(&bytes, &limits)
    }
}

fn broken(what: &'static str) -> FeatureError {
    FeatureError::Model(ModelError::Payload {
        kind: Preprocessor::KIND.to_owned(),
        what: what.to_owned(),
    })
}

fn ensure(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// `most`: features; `size`: bytes of the payload.
fn check(plans: &Plans, most: usize, size: usize) -> Result<(), &'static str> {
    let clock = plans.clock;
    let day = clock.night_from < 24 && clock.night_until < 24;
    ensure(day, "an hour of the night is past 23")?;
    let offset = (-1080..=1080).contains(&clock.offset_minutes);
    ensure(offset, "the offset from UTC is more than 18 hours")?;
    let folds = (2..=64).contains(&plans.folds.count());
    ensure(folds, "the number of folds is not between 2 and 64")?;
    if let Folds::Time { days, .. } = plans.folds {
        ensure((1..=366).contains(&days), "a fold has no days or too many")?;
    }
    let (mut width, mut time_bytes) = (0_usize, 0_usize);
    for plan in &plans.steps {
        check_plan(plan, plans)?;
        width = width.saturating_add(plan.width());
        ensure(width <= most, "more features than the limit")?;
        if let Step::Time(time) = &plan.step {
            let name = plan::input(&plans.inputs, time.input).map_or(0, |input| input.name.len());
            time_bytes = time_bytes.saturating_add(name.saturating_mul(plan.width()));
        }
    }
    ensure(width > 0, "there is no feature")?;
    // Other features repeat their column in their name, which the report must have in full; time features repeat it
    // only in their description.
    ensure(
        time_bytes <= size.saturating_mul(FEATURES_PER_TIME),
        "too many features of one time column",
    )
}

fn check_plan(plan: &Plan, plans: &Plans) -> Result<(), &'static str> {
    let holds = |id: u32, storage: Storage| {
        plan::input(&plans.inputs, id).is_some_and(|input| input.storage() == storage)
    };
    match &plan.step {
        Step::Number(plan) => {
            let numbers = plan.source.inputs().iter();
            let numbers = numbers.copied().all(|id| holds(id, Storage::Number));
            ensure(numbers, "a number step reads no number column")?;
            check_number(plan)
        }
        Step::Missing(id) => ensure(
            plan::input(&plans.inputs, *id).is_some(),
            "a flag reads no column",
        ),
        Step::Time(plan) => {
            ensure(
                holds(plan.input, Storage::Time),
                "a time step reads no time column",
            )?;
            ensure(plan.fill < SECONDS_PER_WEEK, "a second past the week")
        }
        Step::Text(plan) => {
            ensure(
                holds(plan.input, Storage::Text),
                "a text step reads no text column",
            )?;
            check_text(plan, usize::from(plans.folds.count()))
        }
    }
}

fn check_number(plan: &NumberPlan) -> Result<(), &'static str> {
    if let NumberSource::Distance(ids) = plan.source {
        let different = (1..4).all(|at| !ids[..at].contains(&ids[at]));
        ensure(different, "a distance reads a column twice")?;
    }
    ensure(
        plan.fill.is_none_or(f64::is_finite),
        "an imputed value is not finite",
    )?;
    let scale = plan.scale.is_none_or(|scale| {
        scale.centre.is_finite() && scale.spread.is_finite() && scale.spread >= f64::MIN_POSITIVE
    });
    ensure(scale, "a scale is not finite and above 0")
}

fn check_text(plan: &TextPlan, fold_count: usize) -> Result<(), &'static str> {
    let levels = plan.levels.len();
    match &plan.code {
        TextCode::OneHot {
            other,
            own_missing,
            missing,
            unseen,
        } => {
            let width = levels + usize::from(*other) + usize::from(*own_missing);
            let inside = |place: u32| {
                place == NOWHERE || usize::try_from(place).is_ok_and(|place| place < width)
            };
            ensure(width > 0, "a column without levels")?;
            ensure(
                inside(*missing) && inside(*unseen),
                "a flag past the last of its column",
            )
        }
        TextCode::Value { values, folds, .. } => {
            let fits = |values: &Vec<f64>| {
                values.len() == levels + 2 && values.iter().all(|value| value.is_finite())
            };
            let count = folds.is_empty() || folds.len() == fold_count;
            ensure(count, "values for another number of folds")?;
            ensure(
                fits(values) && folds.iter().all(fits),
                "not one finite value for each level",
            )
        }
        TextCode::Hash { buckets, .. } => {
            let fits = (1..=4096).contains(buckets) && levels == 0;
            ensure(
                fits,
                "a hash without buckets, with too many, or with levels",
            )
        }
    }
}

/// The features, which the report must name in this order. A width of few bytes, such as that of a hash, gives many
/// features: the first that the report does not name ends it, so that they are at most as many as names in the file.
fn reported_specs(plans: &Plans, report: &FitReport) -> Result<Vec<FeatureSpec>, &'static str> {
    const DIFFER: &str = "report and features differ";
    let mut reported = report.columns.iter().flat_map(|column| &column.features);
    let mut specs = Vec::new();
    for (_, spec) in plans.specs() {
        let named = reported.next().is_some_and(|name| **name == *spec.name);
        ensure(named, DIFFER)?;
        specs.push(spec);
    }
    ensure(reported.next().is_none(), DIFFER)?;
    Ok(specs)
}

fn check_missing(report: &FitReport) -> Result<(), &'static str> {
    let mut columns = report.columns.iter();
    let counted = columns.all(|column| column.missing <= report.rows);
    ensure(counted, "more missing values than rows")
}
