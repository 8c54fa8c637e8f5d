//! Parameters of reading.

use crate::{BadRecordClass, IngestError, NumberStyle, Policies, Policy};
use dafu_core::Role;
use dafu_core::time::Zone;
use std::collections::BTreeMap;
use std::fmt;

/// Which number comes first in dates such as `01/02/2018`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DateOrder {
    /// What the sample shows; where it shows nothing, the reported assumption is day first.
    #[default]
    Detect,
    /// The day: 1 February.
    DayFirst,
    /// The month: 2 January.
    MonthFirst,
}

/// What is done with columns that are suspected to give the label away and that nobody named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Suspects {
    /// They are left out, with the reason.
    #[default]
    LeaveOut,
    /// They are used and the suspicion is reported: for data where one column may well tell the classes apart, and
    /// for learning without labels.
    Keep,
}

/// Limits that keep memory bounded whatever the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a field, 1 MiB by default.
    pub max_field: usize,
    /// Bytes of a record, 8 MiB by default. At most about twice this is held.
    pub max_row: usize,
    /// Columns, 10,000 by default.
    pub max_columns: usize,
    /// How many times a gzip stream may expand after its first mebibyte, 200 by default.
    pub max_expansion: u32,
    /// Bytes of the file after decompression; no limit by default.
    pub max_bytes: u64,
    /// Transaction ids that are remembered to find duplicates, 3,670,016 by default (about 70 MB when full).
    pub max_ids: usize,
    /// Quarantined records whose text is kept in the report, 100 by default. Counts are complete in any case.
    pub max_quarantine_sample: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_field: 1 << 20,
            max_row: 8 << 20,
            max_columns: 10_000,
            max_expansion: 200,
            max_bytes: u64::MAX,
            max_ids: 3_670_016,
            max_quarantine_sample: 100,
        }
    }
}

/// The secret with which card numbers become tokens. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey(Vec<u8>);

impl TokenKey {
    /// A key of at least 16 bytes.
    ///
    /// # Errors
    ///
    /// [`IngestError::Param`] for fewer bytes.
    pub fn new(key: impl Into<Vec<u8>>) -> Result<Self, IngestError> {
        let key = key.into();
        if key.len() < 16 {
            return Err(IngestError::Param {
                name: "token_key",
                expected: "at least 16 bytes",
                got: key.len().to_string(),
            });
        }
        Ok(Self(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// Parameters of reading CSV and Parquet files.
///
/// ```
/// use dafu_core::Role;
/// use dafu_ingest::{BadRecordClass, IngestParams, Policy};
///
/// # fn main() -> Result<(), dafu_ingest::IngestError> {
/// let params = IngestParams::default()
///     .role("terminal", Role::Merchant)
///     .policy(BadRecordClass::BadNumber, Policy::Coerce)
///     .chunk_rows(4096);
/// params.check()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct IngestParams {
    /// Delimiter of CSV files; `None` finds it among comma, semicolon, tab and bar.
    pub delimiter: Option<u8>,
    /// Whether the first row of a CSV file names the columns. Without names they are `column_1`, `column_2`, ...
    pub header: bool,
    /// How numbers are written; `None` finds it for each column.
    pub number_style: Option<NumberStyle>,
    /// The zone of times that carry none; UTC by default.
    pub zone: Zone,
    /// Which number comes first in dates that could be read both ways.
    pub date_order: DateOrder,
    /// Roles by column name; they win over what is detected.
    pub roles: BTreeMap<String, Role>,
    /// Label values that mean fraud; empty means the usual ones (1, true, yes, fraud, ...). All other values then
    /// mean legitimate, empty ones no label.
    pub fraud_values: Vec<String>,
    /// Further texts that mean a missing value.
    pub missing: Vec<String>,
    /// What is done with columns that are suspected to give the label away.
    pub suspects: Suspects,
    /// What is done with bad records.
    pub policies: Policies,
    /// Limits that keep memory bounded.
    pub limits: Limits,
    /// The key for tokens in place of card numbers.
    pub token_key: Option<TokenKey>,
    /// Rows that are looked at to find delimiter, roles and formats, 50,000 by default (and at most 16 MiB).
    pub sample_rows: usize,
    /// Rows of a chunk, 16,384 by default; wide tables get shorter chunks.
    pub chunk_rows: usize,
}

impl Default for IngestParams {
    fn default() -> Self {
        Self {
            delimiter: None,
            header: true,
            number_style: None,
            zone: Zone::Utc,
            date_order: DateOrder::Detect,
            roles: BTreeMap::new(),
            fraud_values: Vec::new(),
            missing: Vec::new(),
            suspects: Suspects::LeaveOut,
            policies: Policies::default(),
            limits: Limits::default(),
            token_key: None,
            sample_rows: 50_000,
            chunk_rows: 16_384,
        }
    }
}

impl IngestParams {
    /// Sets the delimiter.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Says whether the first row names the columns.
    #[must_use]
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Sets how numbers are written.
    #[must_use]
    pub fn number_style(mut self, style: NumberStyle) -> Self {
        self.number_style = Some(style);
        self
    }

    /// Sets the zone of times that carry none.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Sets which number comes first in dates.
    #[must_use]
    pub fn date_order(mut self, order: DateOrder) -> Self {
        self.date_order = order;
        self
    }

    /// Gives a column a role.
    #[must_use]
    pub fn role(mut self, column: &str, role: Role) -> Self {
        self.roles.insert(column.to_owned(), role);
        self
    }

    /// Sets the label values that mean fraud.
    #[must_use]
    pub fn fraud_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.fraud_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets further texts that mean a missing value.
    #[must_use]
    pub fn missing<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.missing = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what is done with columns that are suspected to give the label away.
    #[must_use]
    pub fn suspects(mut self, suspects: Suspects) -> Self {
        self.suspects = suspects;
        self
    }

    /// Sets the policy of a class of bad records.
    #[must_use]
    pub fn policy(mut self, class: BadRecordClass, policy: Policy) -> Self {
        self.policies = self.policies.with(class, policy);
        self
    }

    /// Sets all policies.
    #[must_use]
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the key for tokens in place of card numbers.
    #[must_use]
    pub fn token_key(mut self, key: TokenKey) -> Self {
        self.token_key = Some(key);
        self
    }

    /// Sets how many rows are looked at to find roles and formats.
    #[must_use]
    pub fn sample_rows(mut self, rows: usize) -> Self {
        self.sample_rows = rows;
        self
    }

    /// Sets the rows of a chunk.
    #[must_use]
    pub fn chunk_rows(mut self, rows: usize) -> Self {
        self.chunk_rows = rows;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// [`IngestError::Param`] with the parameter, [`IngestError::RoleTwice`] when two columns get a role that only
    /// one may have.
    pub fn check(&self) -> Result<CheckedIngestParams, IngestError> {
        let wrong = |name, expected, got: String| {
            Err(IngestError::Param {
                name,
                expected,
                got,
            })
        };
        if let Some(delimiter) = self.delimiter
            && (delimiter.is_ascii_alphanumeric()
                || !delimiter.is_ascii()
                || matches!(delimiter, b'"' | b'\r' | b'\n' | 0))
        {
            return wrong(
                "delimiter",
                "an ASCII character that is no letter, digit, quote, NUL or line end",
                format!("byte {delimiter}"),
            );
        }
        let limits = &self.limits;
        for (name, got) in [
            ("max_field", limits.max_field),
            ("max_row", limits.max_row),
            ("max_columns", limits.max_columns),
            ("max_expansion", limits.max_expansion as usize),
            ("sample_rows", self.sample_rows),
            ("chunk_rows", self.chunk_rows),
        ] {
            if got == 0 {
                return wrong(name, "at least 1", got.to_string());
            }
        }
        if limits.max_field > limits.max_row {
            return wrong(
                "max_field",
                "at most `max_row`",
                limits.max_field.to_string(),
            );
        }
        let coerces = self.policies.of(BadRecordClass::CardNumber) == Policy::Coerce;
        if coerces && self.token_key.is_none() {
            return wrong(
                "token_key",
                "set when card numbers are coerced, since a token is made with a key",
                "nothing".to_owned(),
            );
        }
        let mut taken: BTreeMap<Role, &str> = BTreeMap::new();
        for (name, &role) in self.roles.iter().filter(|(_, role)| role.is_unique()) {
            if let Some(first) = taken.insert(role, name) {
                return Err(IngestError::RoleTwice {
                    role,
                    first: first.to_owned(),
                    second: name.clone(),
                });
            }
        }
        Ok(CheckedIngestParams(self.clone()))
    }
}

/// Parameters that have been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedIngestParams(IngestParams);

impl CheckedIngestParams {
    /// The parameters.
    pub const fn params(&self) -> &IngestParams {
        &self.0
    }
}
