//! From the cells of a row to typed columns: one place for CSV and Parquet.

use crate::card_token::token;
use crate::label::LabelValues;
use crate::number::{parse as parse_number, without_currency_sign};
use crate::params::CheckedIngestParams;
use crate::plan::{ColumnPlan, RecordKind, RolePlan};
use crate::time_format::{TimeFormat, TimeProblem, parse as parse_time, resolve};
use crate::{BadRecordClass, NumberStyle, Policy};
use dafu_core::table::Storage;
use dafu_core::{Currency, Label, Role, Timestamp, is_card_number};
use std::borrow::Cow;
use std::sync::Arc;

/// A value as the file holds it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "parquet"),
    expect(dead_code, reason = "CSV has bytes only")
)]
pub(crate) enum Cell<'a> {
    Missing,
    Bytes(&'a [u8]),
    Number(f64),
    /// From `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// An instant, in microseconds.
    Micros(i64),
    /// A wall-clock time without zone, as the microseconds that it would have in UTC.
    WallMicros(i64),
    Flag(bool),
}

/// A value as the table holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed<'a> {
    Number(f64),
    Time(Option<Timestamp>),
    Label(Label),
    Text(Option<Cow<'a, str>>),
}

impl Typed<'_> {
    pub(crate) const fn missing(storage: Storage) -> Self {
        match storage {
            Storage::Number => Self::Number(f64::NAN),
            Storage::Text => Self::Text(None),
            Storage::Time => Self::Time(None),
            Storage::Label => Self::Label(Label::Unknown),
        }
    }
}

/// Texts that mean a missing number, time or label.
const MISSING: [&str; 13] = [
    "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "NULL", "null", "None", "none", "\\N", "?",
];
/// Texts that mean a missing text. Shorter, since `NA` and `None` may be values.
const MISSING_TEXT: [&str; 3] = ["NULL", "null", "\\N"];

/// Whether a trimmed text means a missing value.
pub(crate) fn is_missing(text: &str, storage: Storage, more: &[String]) -> bool {
    let usual: &[&str] = if storage == Storage::Text {
        &MISSING_TEXT
    } else {
        &MISSING
    };
    text.is_empty() || usual.contains(&text) || more.iter().any(|marker| marker == text)
}

/// Longest id in bytes, as in `dafu_core::EntityId`.
const MAX_ID: usize = 256;
/// From here on minor units are no longer exact in `f64`.
const MAX_MINOR: f64 = 9_007_199_254_740_992.0;

/// A column that is read.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    /// Where it stands in the file; `None` for a label column that this file does not have.
    pub(crate) position: Option<usize>,
    /// Whether a row needs a value in it.
    is_required: bool,
    numbers: NumberStyle,
    times: TimeFormat,
    labels: LabelValues,
}

impl Target {
    fn new(plan: &ColumnPlan, position: Option<usize>, kind: Option<RecordKind>) -> Self {
        let is_required = match plan.role {
            Role::TransactionId | Role::User | Role::Merchant | Role::Time => true,
            // Most acts of a user move no money.
            Role::Amount => kind != Some(RecordKind::BehaviorEvent),
            _ => false,
        };
        Self {
            name: Arc::from(plan.name.as_str()),
            role: plan.role,
            position,
            is_required,
            numbers: plan.numbers,
            times: plan.times,
            labels: plan.labels.clone(),
        }
    }

    /// The columns of a plan that are read, with their places in a file.
    pub(crate) fn all(plan: &RolePlan, positions: &[Option<usize>]) -> Arc<[Self]> {
        let kind = plan.record_kind();
        plan.columns
            .iter()
            .zip(positions)
            .filter(|(column, _)| column.role != Role::Ignore)
            .map(|(column, position)| Self::new(column, *position, kind))
            .collect()
    }

    const fn is_id(&self) -> bool {
        matches!(
            self.role,
            Role::TransactionId
                | Role::User
                | Role::Merchant
                | Role::Card
                | Role::Device
                | Role::Email
        )
    }

    const fn coordinate_limit(&self) -> Option<f64> {
        match self.role {
            Role::UserLatitude | Role::MerchantLatitude => Some(90.0),
            Role::UserLongitude | Role::MerchantLongitude => Some(180.0),
            _ => None,
        }
    }
}

/// Turns cells into values, with the policies of the parameters.
#[derive(Debug)]
pub(crate) struct Converter<'p> {
    params: &'p CheckedIngestParams,
    /// What was coerced in the row at hand: class and target.
    pub(crate) coerced: Vec<(BadRecordClass, usize)>,
}

impl<'p> Converter<'p> {
    pub(crate) const fn new(params: &'p CheckedIngestParams) -> Self {
        Self {
            params,
            coerced: Vec::new(),
        }
    }

    /// `Ok` when the class is coerced.
    fn coerce(&mut self, class: BadRecordClass, index: usize) -> Result<(), BadRecordClass> {
        if self.params.params().policies.of(class) == Policy::Coerce {
            self.coerced.push((class, index));
            Ok(())
        } else {
            Err(class)
        }
    }

    /// The value of a cell, or the class of what is wrong with it when that is not coerced.
    ///
    /// `currency` is that of the row, for the decimal places of amounts.
    pub(crate) fn convert<'a>(
        &mut self,
        target: &Target,
        index: usize,
        cell: Cell<'a>,
        currency: Currency,
    ) -> Result<Typed<'a>, BadRecordClass> {
        let storage = target.role.storage();
        let typed = match cell {
            Cell::Missing => Typed::missing(storage),
            Cell::Bytes(bytes) => {
                let text = self.text(bytes, index)?;
                let trimmed = trim(text);
                if is_missing(&trimmed, storage, &self.params.params().missing) {
                    Typed::missing(storage)
                } else {
                    self.read_text(target, index, trimmed, currency)?
                }
            }
            other => self.read_typed(target, index, other, currency)?,
        };
        let missing = match &typed {
            Typed::Number(number) => number.is_nan(),
            Typed::Time(time) => time.is_none(),
            Typed::Text(text) => text.is_none(),
            Typed::Label(_) => false,
        };
        // What was coerced to a missing value has been counted as what it was.
        let counted = self.coerced.last().is_some_and(|&(_, last)| last == index);
        if missing && target.is_required && !counted {
            self.coerce(BadRecordClass::MissingRequired, index)?;
        }
        Ok(typed)
    }

    fn text<'a>(&mut self, bytes: &'a [u8], index: usize) -> Result<Cow<'a, str>, BadRecordClass> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.coerce(BadRecordClass::NotUtf8, index)?;
        }
        if bytes.contains(&0) {
            self.coerce(BadRecordClass::NulByte, index)?;
            return Ok(Cow::Owned(text.replace('\0', "")));
        }
        Ok(text)
    }

    fn read_text<'a>(
        &mut self,
        target: &Target,
        index: usize,
        text: Cow<'a, str>,
        currency: Currency,
    ) -> Result<Typed<'a>, BadRecordClass> {
        match target.role.storage() {
            Storage::Number => {
                let plain = without_currency_sign(&text);
                if let Some(number) = parse_number(plain, target.numbers) {
                    self.number(target, index, (number.value, number.decimals), currency)
                } else {
                    self.coerce(BadRecordClass::BadNumber, index)?;
                    Ok(Typed::Number(f64::NAN))
                }
            }
            Storage::Time => {
                let read = parse_time(&text, target.times, self.params.params().zone);
                self.time(read, index)
            }
            Storage::Label => {
                if let Some(label) = target.labels.parse(&text) {
                    Ok(Typed::Label(label))
                } else {
                    self.coerce(BadRecordClass::BadLabel, index)?;
                    Ok(Typed::Label(Label::Unknown))
                }
            }
            Storage::Text => self.id(target, text, index),
        }
    }

    fn number<'a>(
        &mut self,
        target: &Target,
        index: usize,
        (value, decimals): (f64, u32),
        currency: Currency,
    ) -> Result<Typed<'a>, BadRecordClass> {
        if !value.is_finite() {
            self.coerce(BadRecordClass::NonFiniteNumber, index)?;
            return Ok(Typed::Number(f64::NAN));
        }
        if target.role == Role::Amount {
            if (value * currency.minor_per_major() as f64).abs() > MAX_MINOR {
                self.coerce(BadRecordClass::AmountOutOfRange, index)?;
                return Ok(Typed::Number(f64::NAN));
            }
            if value < 0.0 {
                self.coerce(BadRecordClass::NegativeAmount, index)?;
            }
            if decimals > currency.decimals() {
                self.coerce(BadRecordClass::AmountPrecision, index)?;
            }
        } else if let Some(limit) = target.coordinate_limit()
            && value.abs() > limit
        {
            self.coerce(BadRecordClass::CoordinateOutOfRange, index)?;
            return Ok(Typed::Number(f64::NAN));
        }
        Ok(Typed::Number(value))
    }

    fn time<'a>(
        &mut self,
        read: Result<Timestamp, TimeProblem>,
        index: usize,
    ) -> Result<Typed<'a>, BadRecordClass> {
        let (class, instead) = match read {
            Ok(at) => return Ok(Typed::Time(Some(at))),
            Err(TimeProblem::Bad) => (BadRecordClass::BadTime, None),
            Err(TimeProblem::Gap(shifted)) => (BadRecordClass::TimeInGap, Some(shifted)),
            Err(TimeProblem::Twice(earlier)) => (BadRecordClass::TimeTwice, Some(earlier)),
        };
        self.coerce(class, index)?;
        Ok(Typed::Time(instead))
    }

    fn id<'a>(
        &mut self,
        target: &Target,
        text: Cow<'a, str>,
        index: usize,
    ) -> Result<Typed<'a>, BadRecordClass> {
        if target.is_id() && (text.len() > MAX_ID || text.chars().any(char::is_control)) {
            self.coerce(BadRecordClass::BadId, index)?;
            return Ok(Typed::Text(None));
        }
        if is_card_number(&text) {
            self.coerce(BadRecordClass::CardNumber, index)?;
            // The parameters have a key when card numbers are coerced.
            let key = self.params.params().token_key.as_ref();
            return Ok(Typed::Text(key.map(|key| Cow::Owned(token(&text, key)))));
        }
        Ok(Typed::Text(Some(text)))
    }

    fn read_typed<'a>(
        &mut self,
        target: &Target,
        index: usize,
        cell: Cell<'a>,
        currency: Currency,
    ) -> Result<Typed<'a>, BadRecordClass> {
        use dafu_core::time::Civil;
        let zone = self.params.params().zone;
        let wall = |micros: i64| -> Result<Timestamp, TimeProblem> {
            let civil: Civil = Timestamp::from_micros(micros)
                .map_err(|_| TimeProblem::Bad)?
                .civil();
            resolve(civil, zone)
        };
        match (target.role.storage(), cell) {
            (Storage::Number, Cell::Number(value)) if value.is_nan() => Ok(Typed::Number(value)),
            (Storage::Number, Cell::Number(value)) => {
                let decimals = if target.role == Role::Amount {
                    crate::number::parse(&value.to_string(), NumberStyle::Point)
                        .map_or(0, |number| number.decimals)
                } else {
                    0
                };
                self.number(target, index, (value, decimals), currency)
            }
            (Storage::Number, Cell::Integer(value)) => {
                self.number(target, index, (value as f64, 0), currency)
            }
            (Storage::Number, Cell::Flag(flag)) => Ok(Typed::Number(f64::from(u8::from(flag)))),
            (Storage::Label, Cell::Flag(flag)) => Ok(Typed::Label(Label::from(flag))),
            (Storage::Time, Cell::Micros(micros)) => self.time(
                Timestamp::from_micros(micros).map_err(|_| TimeProblem::Bad),
                index,
            ),
            (Storage::Time, Cell::WallMicros(micros)) => self.time(wall(micros), index),
            (_, Cell::Missing | Cell::Bytes(_)) => Ok(Typed::missing(target.role.storage())),
            (_, other) => {
                // A text column, an epoch time or a label in numbers: the text that CSV would hold.
                let text = match other {
                    Cell::Number(value) if value.is_nan() => {
                        return Ok(Typed::missing(target.role.storage()));
                    }
                    Cell::Number(value) => value.to_string(),
                    Cell::Integer(value) => value.to_string(),
                    Cell::Flag(flag) => flag.to_string(),
                    Cell::Micros(micros) | Cell::WallMicros(micros) => {
                        Timestamp::from_micros(micros)
                            .map_or_else(|_| micros.to_string(), |at| at.to_string())
                    }
                    Cell::Missing | Cell::Bytes(_) => String::new(),
                };
                self.read_text(target, index, Cow::Owned(text), currency)
            }
        }
    }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}
