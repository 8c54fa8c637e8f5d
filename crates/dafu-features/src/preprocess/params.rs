//! What a preprocessor does with which column.

use crate::FeatureError;
use dafu_core::{FeatureGroup, Role};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in for a missing number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum NumberImpute {
    /// Nothing: the feature is NaN (and nullable), for models that take missing values.
    Keep,
    /// The mean of the numbers seen.
    Mean,
    /// Their median.
    #[default]
    Median,
    /// The number seen most often; the smallest one of several.
    MostFrequent,
    /// This number.
    Constant(f64),
}

/// What stands in for a missing text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TextImpute {
    /// Nothing: missing is a level of its own.
    #[default]
    OwnLevel,
    /// The text seen most often; the first in the alphabet of several.
    MostFrequent,
    /// This text.
    Constant(String),
}

/// When a flag feature `<column>_missing` is added for a column whose missing values are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Indicator {
    /// Never.
    Never,
    /// When training rows miss the value.
    #[default]
    WhenSeen,
    /// Always.
    Always,
}

/// How texts become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Encoding {
    /// One-hot up to [`PreprocessorParams::one_hot_levels`] levels, log frequency above.
    #[default]
    Auto,
    /// A flag for each level. The `max_levels` most frequent levels get one; any others share the flag `(other)`.
    OneHot {
        /// Most levels with a flag of their own, 1 to 65,535.
        max_levels: usize,
    },
    /// The place of the level in the alphabet, then one code for missing and one for unseen.
    Ordinal,
    /// The share of training rows with the level, from 0 (unseen) to 1.
    Frequency,
    /// `ln((count + 1) / (rows + 1))` of the level, at most 0: unseen levels get the least value.
    LogFrequency,
    /// The smoothed fraud rate of the level, `(frauds + m * rate) / (rows + m)` over rows with a known label.
    ///
    /// Source: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes in
    /// Classification and Prediction Problems" (2001), section 3.2, with the m-estimate as the weight.
    Target {
        /// `m`: the weight of the overall rate, in rows.
        smoothing: f64,
    },
    /// Signed hashing into buckets; a missing text is 0 everywhere.
    ///
    /// Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009), section 2; hash and
    /// sign are those of scikit-learn's `FeatureHasher` (`MurmurHash3`, 32 bits, seed 0).
    Hash {
        /// Number of features, 1 to 4,096.
        buckets: u16,
    },
}

/// How real features are scaled. Fitted on the values seen (not the imputed ones), in training rows; later rows may
/// lie outside the range of training.
///
/// Flags, codes, hash buckets and cyclic features stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Scaling {
    /// Not at all: trees do not need it.
    #[default]
    None,
    /// `(x - mean) / standard deviation` (divisor n).
    Standard,
    /// `(x - min) / (max - min)`.
    MinMax,
    /// `(x - median) / (third quartile - first quartile)`.
    Robust,
}

/// Which features the amount gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AmountFeatures {
    /// The amount as it is.
    Raw,
    /// `sign(x) * ln(1 + |x|)`.
    Log,
    /// Both.
    #[default]
    Both,
}

/// A feature of the time of a row, in the declared offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TimeFeature {
    /// `hour`: 0 to 23.
    Hour,
    /// `weekday`: 0 for Monday to 6 for Sunday.
    Weekday,
    /// `weekend`: 1 on Saturday and Sunday.
    Weekend,
    /// `night`: 1 from `night_from` to before `night_until`.
    Night,
    /// `hour_sin` and `hour_cos`: the time of day, to the second, on a circle.
    HourCycle,
    /// `weekday_sin` and `weekday_cos`: the weekday on a circle.
    WeekdayCycle,
}

impl TimeFeature {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Hour,
        Self::Weekday,
        Self::Weekend,
        Self::Night,
        Self::HourCycle,
        Self::WeekdayCycle,
    ];
}

/// What happens to a column of which all training rows have the same value, or none.
///
/// It is asked of number and text columns. The amount and the time stay in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Constants {
    /// It gives no feature; the report says so.
    #[default]
    Drop,
    /// It gives its features all the same. A number column without any value is filled with 0, or with the constant
    /// of [`NumberImpute::Constant`].
    Keep,
}

/// What happens to infinite numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Infinite {
    /// They are an error that names column and record.
    #[default]
    Reject,
    /// They count as missing.
    Missing,
}

/// How training rows are dealt into folds for target encoding out of fold.
///
/// The fold depends on the row alone, so that fitting needs one pass and the chunks do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Folds {
    /// By a hash of the transaction id; of the record number in tables without one.
    Row {
        /// Number of folds, 2 to 64.
        folds: u16,
    },
    /// By a hash of the user, so that no user's own rows speak for it; as `Row` in tables without users.
    User {
        /// Number of folds, 2 to 64.
        folds: u16,
    },
    /// By blocks of days since 1970, dealt to the folds in turn; as `Row` in tables without times.
    Time {
        /// Number of folds, 2 to 64.
        folds: u16,
        /// Days in a block, 1 to 366.
        days: u16,
    },
}

impl Default for Folds {
    /// Five folds by row.
    fn default() -> Self {
        Self::Row { folds: 5 }
    }
}

impl Folds {
    /// Number of folds.
    pub const fn count(self) -> u16 {
        match self {
            Self::Row { folds } | Self::User { folds } | Self::Time { folds, .. } => folds,
        }
    }
}

/// Settings for one column, or for all columns with a role. What is `None` is left to the next wider setting: column,
/// then role, then [`PreprocessorParams`].
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ColumnParams {
    /// `Some(true)`: no feature. `Some(false)`: features also for a role that has none by default.
    pub skip: Option<bool>,
    /// What stands in for a missing number.
    pub number_impute: Option<NumberImpute>,
    /// What stands in for a missing text.
    pub text_impute: Option<TextImpute>,
    /// Whether a flag tells that the value was missing.
    pub indicator: Option<Indicator>,
    /// How texts become numbers.
    pub encoding: Option<Encoding>,
    /// How real features are scaled.
    pub scaling: Option<Scaling>,
    /// The part of the story that the features tell.
    pub group: Option<FeatureGroup>,
}

macro_rules! option_setters {
    ($($(#[$doc:meta])* $setter:ident: $field:ident, $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $type) -> Self {
                self.$field = Some($field);
                self
            }
        )*
    };
}

impl ColumnParams {
    option_setters! {
        /// Sets whether the column gives no feature.
        skip: skip, bool;
        /// Sets what stands in for a missing number.
        number_impute: number_impute, NumberImpute;
        /// Sets what stands in for a missing text.
        text_impute: text_impute, TextImpute;
        /// Sets whether a flag tells that the value was missing.
        indicator: indicator, Indicator;
        /// Sets how texts become numbers.
        encoding: encoding, Encoding;
        /// Sets how real features are scaled.
        scaling: scaling, Scaling;
        /// Sets the part of the story that the features tell.
        group: group, FeatureGroup;
    }

    fn or(self, wider: &Self) -> Self {
        Self {
            skip: self.skip.or(wider.skip),
            number_impute: self.number_impute.or(wider.number_impute),
            text_impute: self.text_impute.or_else(|| wider.text_impute.clone()),
            indicator: self.indicator.or(wider.indicator),
            encoding: self.encoding.or(wider.encoding),
            scaling: self.scaling.or(wider.scaling),
            group: self.group.or(wider.group),
        }
    }

    fn check(&self) -> Result<(), FeatureError> {
        if let Some(NumberImpute::Constant(got)) = self.number_impute {
            finite("number_impute", got)?;
        }
        self.encoding.map_or(Ok(()), check_encoding)
    }
}

/// Parameters of a [`Preprocessor`](crate::Preprocessor).
///
/// | role of the column | features by default |
/// |---|---|
/// | amount | the amount and its logarithm |
/// | numeric | the number, the median for missing |
/// | time | hour, weekday, weekend, night |
/// | coordinates | the number; the distance between user and merchant where both are there |
/// | category, country, currency | one-hot up to 12 levels, else log frequency |
/// | user, merchant, card, device, ip, user agent | log frequency |
/// | transaction id, e-mail, label, ignored | none |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PreprocessorParams {
    /// What stands in for a missing number.
    pub number_impute: NumberImpute,
    /// What stands in for a missing text.
    pub text_impute: TextImpute,
    /// Whether a flag tells that a value was missing.
    pub indicator: Indicator,
    /// How categories, countries and currencies become numbers.
    pub encoding: Encoding,
    /// How real features are scaled.
    pub scaling: Scaling,
    /// Which features the amount gives.
    pub amount: AmountFeatures,
    /// Which features the time gives.
    pub time_features: BTreeSet<TimeFeature>,
    /// Minutes to add to UTC for hour and weekday, -1,080 to 1,080.
    pub utc_offset_minutes: i32,
    /// First hour of the night, 0 to 23.
    pub night_from: u8,
    /// First hour after the night, 0 to 23.
    pub night_until: u8,
    /// Whether `home_merchant_distance` is added when all four coordinates are there.
    pub distance: bool,
    /// What happens to constant columns.
    pub constants: Constants,
    /// What happens to infinite numbers.
    pub infinite: Infinite,
    /// Most levels that [`Encoding::Auto`] gives a flag each.
    pub one_hot_levels: usize,
    /// Most levels (or numbers, for the most frequent one) counted in one column, 2 to 16,777,216. Up to so many
    /// different ones the counts are exact; beyond, rare levels are forgotten and the report gives the largest error.
    pub max_levels: usize,
    /// Most numbers of one column kept for median and quartiles, 16 to 16,777,216. Up to so many rows they are exact;
    /// beyond, they are those of a uniform sample of this size.
    pub exact_values: usize,
    /// How training rows are dealt into folds for target encoding.
    pub folds: Folds,
    /// Seed of the sample beyond `exact_values`.
    pub seed: u64,
    /// Settings by role.
    pub roles: BTreeMap<Role, ColumnParams>,
    /// Settings by column name; they win over those by role.
    pub columns: BTreeMap<String, ColumnParams>,
}

impl Default for PreprocessorParams {
    fn default() -> Self {
        Self {
            number_impute: NumberImpute::default(),
            text_impute: TextImpute::default(),
            indicator: Indicator::default(),
            encoding: Encoding::default(),
            scaling: Scaling::default(),
            amount: AmountFeatures::default(),
            time_features: BTreeSet::from([
                TimeFeature::Hour,
                TimeFeature::Weekday,
                TimeFeature::Weekend,
                TimeFeature::Night,
            ]),
            utc_offset_minutes: 0,
            night_from: 22,
            night_until: 6,
            distance: true,
            constants: Constants::default(),
            infinite: Infinite::default(),
            one_hot_levels: 12,
            max_levels: 1 << 17,
            exact_values: 1 << 18,
            folds: Folds::default(),
            seed: 1,
            roles: BTreeMap::new(),
            columns: BTreeMap::new(),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident: $field:ident, $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*
    };
}

impl PreprocessorParams {
    setters! {
        /// Sets what stands in for a missing number.
        number_impute: number_impute, NumberImpute;
        /// Sets what stands in for a missing text.
        text_impute: text_impute, TextImpute;
        /// Sets whether a flag tells that a value was missing.
        indicator: indicator, Indicator;
        /// Sets how categories, countries and currencies become numbers.
        encoding: encoding, Encoding;
        /// Sets how real features are scaled.
        scaling: scaling, Scaling;
        /// Sets which features the amount gives.
        amount: amount, AmountFeatures;
        /// Sets the minutes to add to UTC for hour and weekday.
        utc_offset_minutes: utc_offset_minutes, i32;
        /// Sets whether the distance between user and merchant is added.
        distance: distance, bool;
        /// Sets what happens to constant columns.
        constants: constants, Constants;
        /// Sets what happens to infinite numbers.
        infinite: infinite, Infinite;
        /// Sets the most levels that [`Encoding::Auto`] gives a flag each.
        one_hot_levels: one_hot_levels, usize;
        /// Sets the most levels counted in one column.
        max_levels: max_levels, usize;
        /// Sets the most numbers of one column kept for median and quartiles.
        exact_values: exact_values, usize;
        /// Sets how training rows are dealt into folds.
        folds: folds, Folds;
        /// Sets the seed of the sample beyond `exact_values`.
        seed: seed, u64;
    }

    /// Sets which features the time gives.
    #[must_use]
    pub fn time_features(mut self, features: impl IntoIterator<Item = TimeFeature>) -> Self {
        self.time_features = features.into_iter().collect();
        self
    }

    /// Sets first hour of the night and first hour after it.
    #[must_use]
    pub fn night(mut self, from: u8, until: u8) -> Self {
        (self.night_from, self.night_until) = (from, until);
        self
    }

    /// Sets what holds for the columns with a role.
    #[must_use]
    pub fn role(mut self, role: Role, settings: ColumnParams) -> Self {
        self.roles.insert(role, settings);
        self
    }

    /// Sets what holds for one column.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, settings: ColumnParams) -> Self {
        self.columns.insert(name.into(), settings);
        self
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] and [`FeatureError::NotUsable`] with the name of the parameter.
    pub fn check(&self) -> Result<CheckedPreprocessorParams, FeatureError> {
        let whole = |parameter, got: i64, min, max| {
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
        let count = |got: usize| i64::try_from(got).unwrap_or(i64::MAX);
        let offset = i64::from(self.utc_offset_minutes);
        whole("utc_offset_minutes", offset, -1080, 1080)?;
        whole("night_from", i64::from(self.night_from), 0, 23)?;
        whole("night_until", i64::from(self.night_until), 0, 23)?;
        whole("one_hot_levels", count(self.one_hot_levels), 0, 65_535)?;
        whole("max_levels", count(self.max_levels), 2, 1 << 24)?;
        whole("exact_values", count(self.exact_values), 16, 1 << 24)?;
        whole("folds", i64::from(self.folds.count()), 2, 64)?;
        if let Folds::Time { days, .. } = self.folds {
            whole("days", i64::from(days), 1, 366)?;
        }
        if let NumberImpute::Constant(got) = self.number_impute {
            finite("number_impute", got)?;
        }
        check_encoding(self.encoding)?;
        for settings in self.roles.values().chain(self.columns.values()) {
            settings.check()?;
        }
        Ok(CheckedPreprocessorParams(self.clone()))
    }

    /// What holds for a column, from the narrowest setting to the widest.
    pub(crate) fn settings(&self, name: &str, role: Role) -> Settings {
        let none = ColumnParams::default();
        let asked = self.columns.get(name).cloned().unwrap_or_default();
        let asked = asked.or(self.roles.get(&role).unwrap_or(&none));
        let silent = matches!(role, Role::TransactionId | Role::Email);
        let is_id = matches!(
            role,
            Role::TransactionId
                | Role::Email
                | Role::User
                | Role::Merchant
                | Role::Card
                | Role::Device
                | Role::Ip
                | Role::UserAgent
        );
        let general = if is_id {
            Encoding::LogFrequency
        } else {
            self.encoding
        };
        // An encoding asked for by name or role is a wish for a feature.
        let skip = asked.skip.unwrap_or(silent && asked.encoding.is_none());
        Settings {
            skip: skip || matches!(role, Role::Ignore | Role::Label),
            number_impute: asked.number_impute.unwrap_or(self.number_impute),
            text_impute: asked
                .text_impute
                .unwrap_or_else(|| self.text_impute.clone()),
            indicator: asked.indicator.unwrap_or(self.indicator),
            encoding: asked.encoding.unwrap_or(general),
            scaling: asked.scaling.unwrap_or(self.scaling),
            group: asked.group.unwrap_or_else(|| default_group(name, role)),
        }
    }
}

/// Parameters that passed [`PreprocessorParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedPreprocessorParams(PreprocessorParams);

impl CheckedPreprocessorParams {
    /// The parameters.
    pub fn params(&self) -> &PreprocessorParams {
        &self.0
    }
}

/// What holds for one column.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) skip: bool,
    pub(crate) number_impute: NumberImpute,
    pub(crate) text_impute: TextImpute,
    pub(crate) indicator: Indicator,
    pub(crate) encoding: Encoding,
    pub(crate) scaling: Scaling,
    pub(crate) group: FeatureGroup,
}

fn finite(parameter: &'static str, got: f64) -> Result<(), FeatureError> {
    if got.is_finite() {
        Ok(())
    } else {
        Err(FeatureError::NotUsable {
            parameter,
            rule: "finite",
            got,
        })
    }
}

fn check_encoding(encoding: Encoding) -> Result<(), FeatureError> {
    let at_least_one = |parameter, got: usize| {
        if (1..=65_535).contains(&got) {
            Ok(())
        } else {
            Err(FeatureError::OutOfRange {
                parameter,
                min: 1,
                max: 65_535,
                got: i64::try_from(got).unwrap_or(i64::MAX),
            })
        }
    };
    match encoding {
        Encoding::OneHot { max_levels } => at_least_one("max_levels", max_levels),
        Encoding::Hash { buckets } if !(1..=4096).contains(&buckets) => {
            Err(FeatureError::OutOfRange {
                parameter: "buckets",
                min: 1,
                max: 4096,
                got: i64::from(buckets),
            })
        }
        Encoding::Target { smoothing } if !(smoothing.is_finite() && smoothing >= 0.0) => {
            Err(FeatureError::NotUsable {
                parameter: "smoothing",
                rule: "finite and at least 0",
                got: smoothing,
            })
        }
        _ => Ok(()),
    }
}

fn default_group(name: &str, role: Role) -> FeatureGroup {
    match role {
        Role::Amount | Role::Currency => FeatureGroup::Amount,
        Role::User | Role::Card | Role::Email => FeatureGroup::UserBehavior,
        Role::Merchant => FeatureGroup::Merchant,
        Role::Device | Role::Ip | Role::UserAgent => FeatureGroup::Device,
        Role::Time => FeatureGroup::Temporal,
        Role::Country
        | Role::UserLatitude
        | Role::UserLongitude
        | Role::MerchantLatitude
        | Role::MerchantLongitude => FeatureGroup::Location,
        Role::Category => {
            let name = name.to_ascii_lowercase();
            let of_merchant = ["categ", "merchant", "mcc"]
                .iter()
                .any(|part| name.contains(part));
            if of_merchant {
                FeatureGroup::Merchant
            } else {
                FeatureGroup::Other
            }
        }
        _ => FeatureGroup::Other,
    }
}
