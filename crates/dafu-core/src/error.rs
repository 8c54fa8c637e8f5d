//! Errors of the vocabulary types.

/// What can be wrong with a value of the vocabulary.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A number lies outside the interval of its type, or is not finite.
    #[error("{what} must be a finite number from {min} to {max}, got {got}")]
    OutOfRange {
        /// The type or field.
        what: &'static str,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
        /// The value given.
        got: f64,
    },
    /// A number is NaN or infinite.
    #[error("{what} must be finite, got {got}")]
    NotFinite {
        /// The type or field.
        what: &'static str,
        /// The value given.
        got: f64,
    },
    /// An id is empty, too long, or holds control characters.
    #[error("an id must have 1 to {max} bytes and no control characters, got {len} bytes{}", if *.control { " with a control character" } else { "" })]
    Id {
        /// Bytes of the id given.
        len: usize,
        /// Largest allowed length in bytes.
        max: usize,
        /// Whether a control character was found.
        control: bool,
    },
    /// An id looks like a payment card number. The number itself is not repeated here.
    #[error(
        "an id of {digits} digits is a payment card number (issuer range and check digit match): \
         replace it by a token before it gets here"
    )]
    CardNumber {
        /// Digits of the number.
        digits: usize,
    },
    /// A currency code is not three upper-case letters.
    #[error("a currency is three upper-case ASCII letters as in ISO 4217, got {got:?}")]
    Currency {
        /// The text given.
        got: String,
    },
    /// An amount does not fit 64 bits of minor units.
    #[error("amount {got} has too many digits for {currency}")]
    AmountOverflow {
        /// The amount in major units.
        got: f64,
        /// The currency.
        currency: crate::Currency,
    },
    /// Two amounts of different currencies were combined.
    #[error("cannot combine {left} with {right}: convert one of them first")]
    CurrencyMismatch {
        /// Currency of the left amount.
        left: crate::Currency,
        /// Currency of the right amount.
        right: crate::Currency,
    },
    /// A text is not a time that can be read.
    #[error("{got:?} is not an RFC 3339 time such as 2018-04-01T00:00:31Z")]
    Time {
        /// The text given, cut to 64 characters.
        got: String,
    },
    /// A time lies outside the years 1 to 9999.
    #[error("a time must lie in the years 1 to 9999, got {micros} microseconds since 1970")]
    TimeRange {
        /// Microseconds since 1970-01-01T00:00:00Z.
        micros: i64,
    },
    /// A time zone name is unknown.
    #[error(
        "unknown time zone {got:?}: use UTC, an offset such as +02:00, or an IANA name such as Europe/Berlin"
    )]
    Zone {
        /// The text given.
        got: String,
    },
    /// A name stands twice in a schema.
    #[error("feature {name:?} stands twice in the schema, at {first} and {second}")]
    DuplicateFeature {
        /// The name.
        name: String,
        /// Index of the first use.
        first: usize,
        /// Index of the second use.
        second: usize,
    },
    /// Band limits are not increasing.
    #[error("band limits must increase strictly inside 0 to 1, got {medium}, {high}, {critical}")]
    Bands {
        /// Lower limit of medium.
        medium: f64,
        /// Lower limit of high.
        high: f64,
        /// Lower limit of critical.
        critical: f64,
    },
    /// A text names no variant of an enumeration.
    #[error("unknown {what} {got:?}: use one of {allowed}")]
    UnknownName {
        /// What was being read.
        what: &'static str,
        /// The text given.
        got: String,
        /// The allowed names.
        allowed: &'static str,
    },
}
