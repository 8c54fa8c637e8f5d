//! What is done with records that are not as they should be.

use std::fmt;

/// What is done with a bad record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Policy {
    /// Reading stops with an error that names the row, the column, the value and the remedy.
    Reject,
    /// The record is left out and kept aside with the reason.
    Quarantine,
    /// The record stays in; what becomes of the value stands at the class.
    Coerce,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reject => "reject",
            Self::Quarantine => "quarantine",
            Self::Coerce => "coerce",
        })
    }
}

/// What can be wrong with a record.
///
/// | class | by default | what [`Policy::Coerce`] does |
/// |---|---|---|
/// | `RaggedRow` | quarantine | missing fields become missing values, surplus fields are left out |
/// | `FieldTooLong` | quarantine | the field is cut to the limit; beyond the limit of the row it is quarantined |
/// | `RowTooLong` | quarantine | nothing sensible: it is quarantined |
/// | `UnclosedQuote` | reject | nothing sensible: it is quarantined |
/// | `NotUtf8` | quarantine | the offending bytes become U+FFFD |
/// | `NulByte` | quarantine | NUL bytes are taken out |
/// | `BadNumber` | quarantine | missing |
/// | `NonFiniteNumber` | quarantine | missing |
/// | `NegativeAmount` | coerce | stays as it is: a reversal |
/// | `AmountOutOfRange` | quarantine | missing |
/// | `AmountPrecision` | coerce | stays as it is; rounded to the minor unit when it becomes money |
/// | `CoordinateOutOfRange` | coerce | missing |
/// | `MissingRequired` | quarantine | stays missing |
/// | `BadTime` | quarantine | missing |
/// | `TimeInGap` | coerce | the time is read with the offset that was valid before the gap |
/// | `TimeTwice` | coerce | the earlier of the two instants |
/// | `BadLabel` | quarantine | no label |
/// | `BadId` | quarantine | missing |
/// | `CardNumber` | reject | a token in its place, made with the key of the parameters |
/// | `DuplicateId` | quarantine | both records stay |
/// | `ConflictingId` | quarantine | both records stay |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BadRecordClass {
    /// More or fewer fields than the header.
    RaggedRow,
    /// A field beyond the limit.
    FieldTooLong,
    /// A record beyond the limit.
    RowTooLong,
    /// A quote was opened and the file ended.
    UnclosedQuote,
    /// Bytes that are not UTF-8 in a text.
    NotUtf8,
    /// A NUL byte in a field that is used.
    NulByte,
    /// No number where one is expected.
    BadNumber,
    /// Infinite, or beyond the range of `f64`.
    NonFiniteNumber,
    /// An amount below zero.
    NegativeAmount,
    /// An amount that has no exact minor units (beyond 2^53).
    AmountOutOfRange,
    /// An amount with more decimal places than its currency.
    AmountPrecision,
    /// A latitude beyond 90 or a longitude beyond 180 degrees.
    CoordinateOutOfRange,
    /// No value in a column that every transaction needs: id, user, merchant, amount or time.
    MissingRequired,
    /// No time where one is expected.
    BadTime,
    /// A time that clocks in the declared zone never showed.
    TimeInGap,
    /// A time that clocks in the declared zone showed twice.
    TimeTwice,
    /// Neither fraud nor legitimate.
    BadLabel,
    /// An id beyond 256 bytes or with control characters.
    BadId,
    /// A payment card number where an id should be.
    CardNumber,
    /// A transaction id for the second time, with the same content.
    DuplicateId,
    /// A transaction id for the second time, with other content.
    ConflictingId,
}

impl BadRecordClass {
    /// All classes.
    pub const ALL: [Self; 21] = [
        Self::RaggedRow,
        Self::FieldTooLong,
        Self::RowTooLong,
        Self::UnclosedQuote,
        Self::NotUtf8,
        Self::NulByte,
        Self::BadNumber,
        Self::NonFiniteNumber,
        Self::NegativeAmount,
        Self::AmountOutOfRange,
        Self::AmountPrecision,
        Self::CoordinateOutOfRange,
        Self::MissingRequired,
        Self::BadTime,
        Self::TimeInGap,
        Self::TimeTwice,
        Self::BadLabel,
        Self::BadId,
        Self::CardNumber,
        Self::DuplicateId,
        Self::ConflictingId,
    ];

    /// What it is, as a phrase: `ragged row`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RaggedRow => "ragged row",
            Self::FieldTooLong => "field too long",
            Self::RowTooLong => "row too long",
            Self::UnclosedQuote => "quote not closed",
            Self::NotUtf8 => "not UTF-8",
            Self::NulByte => "NUL byte",
            Self::BadNumber => "not a number",
            Self::NonFiniteNumber => "number not finite",
            Self::NegativeAmount => "negative amount",
            Self::AmountOutOfRange => "amount out of range",
            Self::AmountPrecision => "amount with too many decimals",
            Self::CoordinateOutOfRange => "coordinate out of range",
            Self::MissingRequired => "required value missing",
            Self::BadTime => "not a time",
            Self::TimeInGap => "time that clocks skipped",
            Self::TimeTwice => "time that came twice",
            Self::BadLabel => "not a label",
            Self::BadId => "not an id",
            Self::CardNumber => "card number",
            Self::DuplicateId => "duplicate id, same content",
            Self::ConflictingId => "duplicate id, other content",
        }
    }

    /// What a person can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RaggedRow => "check the delimiter and the quoting of this row",
            Self::FieldTooLong | Self::RowTooLong => {
                "look for a quote that is not closed, or raise the limit"
            }
            Self::UnclosedQuote => "close the quote, or write it twice inside a quoted field",
            Self::NotUtf8 => "convert the file to UTF-8",
            Self::NulByte => "take the NUL bytes out, or convert the file to UTF-8",
            Self::BadNumber => "correct the value, or give the column another role",
            Self::NonFiniteNumber => "leave the field empty when the number is not known",
            Self::NegativeAmount => "reversals may be negative; anything else should not",
            Self::AmountOutOfRange => "correct the amount, or give the column the role numeric",
            Self::AmountPrecision => "check that the amount is in major units of its currency",
            Self::CoordinateOutOfRange => "check that latitude and longitude are not exchanged",
            Self::MissingRequired => {
                "fill the value in, or give the column the role numeric, category or ignore"
            }
            Self::BadTime => "write times as 2018-04-01T00:00:31Z, all in one format",
            Self::TimeInGap | Self::TimeTwice => {
                "write times with their offset, or declare the zone they are in"
            }
            Self::BadLabel => {
                "use 1 for fraud, 0 for legitimate and nothing for unknown, or name the values of fraud"
            }
            Self::BadId => "use ids of at most 256 bytes without control characters",
            Self::CardNumber => {
                "replace it by a token, let it be replaced (policy coerce and a token key), or give the column the \
                 role ignore"
            }
            Self::DuplicateId => "take the repeated record out",
            Self::ConflictingId => {
                "find out which of the two records is right, or give them ids of their own"
            }
        }
    }

    /// The policy where none is set; see the table above.
    pub const fn default_policy(self) -> Policy {
        match self {
            Self::UnclosedQuote | Self::CardNumber => Policy::Reject,
            Self::NegativeAmount
            | Self::AmountPrecision
            | Self::CoordinateOutOfRange
            | Self::TimeInGap
            | Self::TimeTwice => Policy::Coerce,
            _ => Policy::Quarantine,
        }
    }
}

impl fmt::Display for BadRecordClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One policy for each class of bad records.
///
/// ```
/// use dafu_ingest::{BadRecordClass, Policies, Policy};
///
/// let policies = Policies::default().with(BadRecordClass::BadNumber, Policy::Coerce);
/// assert_eq!(policies.of(BadRecordClass::BadNumber), Policy::Coerce);
/// assert_eq!(policies.of(BadRecordClass::CardNumber), Policy::Reject);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies([Policy; BadRecordClass::ALL.len()]);

impl Default for Policies {
    fn default() -> Self {
        Self(BadRecordClass::ALL.map(BadRecordClass::default_policy))
    }
}

impl Policies {
    /// The same policy for every class; card numbers are refused all the same unless set with [`Self::with`].
    pub fn all(policy: Policy) -> Self {
        Self([policy; BadRecordClass::ALL.len()]).with(BadRecordClass::CardNumber, Policy::Reject)
    }

    /// Sets the policy of a class.
    #[must_use]
    pub fn with(mut self, class: BadRecordClass, policy: Policy) -> Self {
        self.0[class as usize] = policy;
        self
    }

    /// The policy of a class.
    pub const fn of(&self, class: BadRecordClass) -> Policy {
        self.0[class as usize]
    }
}
