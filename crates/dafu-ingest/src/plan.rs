//! Which column means what.

use crate::{IngestError, LabelValues, NumberStyle, TimeFormat};
use dafu_core::Role;
use std::fmt;

/// The reason of a role that a person gave.
pub(crate) const GIVEN: &str = "given by the user";

/// What one column means, and why.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnPlan {
    /// The name in the header.
    pub name: String,
    /// What it means.
    pub role: Role,
    /// How sure that is, 0 to 1; 1 when a person said so.
    pub confidence: f64,
    /// Why, as a sentence.
    pub reason: String,
    /// Why the column is suspected to give the label away. It is left out unless it was named.
    pub leak: Option<String>,
    /// How its numbers are written.
    pub numbers: NumberStyle,
    /// How its times are written.
    pub times: TimeFormat,
    /// Which of its values mean fraud.
    pub labels: LabelValues,
}

/// The three record kinds that have headers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RecordKind {
    /// `transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud`.
    Transaction,
    /// `user_id,timestamp,action_type,device_id,location,amount`.
    BehaviorEvent,
    /// `timestamp,user_id,transaction_count,daily_amount,risk_score`.
    DailySummary,
}

impl RecordKind {
    /// The header, in order.
    pub const fn header(self) -> &'static [&'static str] {
        match self {
            Self::Transaction => &[
                "transaction_id",
                "user_id",
                "amount",
                "merchant_id",
                "timestamp",
                "category",
                "is_fraud",
            ],
            Self::BehaviorEvent => &[
                "user_id",
                "timestamp",
                "action_type",
                "device_id",
                "location",
                "amount",
            ],
            Self::DailySummary => &[
                "timestamp",
                "user_id",
                "transaction_count",
                "daily_amount",
                "risk_score",
            ],
        }
    }
}

/// What the columns of a file mean: found by looking at a sample, changed where a person knows better, and kept with
/// a model so that later files are read the same way.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RolePlan {
    /// The columns in order.
    pub columns: Vec<ColumnPlan>,
    /// Delimiter of a CSV file.
    pub delimiter: u8,
    /// Rows that were looked at.
    pub sample_rows: u64,
    /// What was assumed where the sample left a doubt, as sentences.
    pub assumptions: Vec<String>,
}

impl RolePlan {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&ColumnPlan> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The first column with a role.
    pub fn by_role(&self, role: Role) -> Option<&ColumnPlan> {
        self.columns.iter().find(|column| column.role == role)
    }

    /// The role of a column, `None` for a name that is not there.
    pub fn role(&self, name: &str) -> Option<Role> {
        self.column(name).map(|column| column.role)
    }

    /// Columns that are suspected to give the label away.
    pub fn leaks(&self) -> impl Iterator<Item = &ColumnPlan> {
        self.columns.iter().filter(|column| column.leak.is_some())
    }

    /// Which of the three record kinds the header is: all its names are there, in any order, with or without
    /// others.
    pub fn record_kind(&self) -> Option<RecordKind> {
        let has = |kind: &RecordKind| {
            kind.header()
                .iter()
                .all(|name| self.columns.iter().any(|column| column.name == *name))
        };
        [
            RecordKind::Transaction,
            RecordKind::BehaviorEvent,
            RecordKind::DailySummary,
        ]
        .into_iter()
        .find(has)
    }

    /// Gives a column a role. A column that had it and must be the only one is left out, with the reason.
    ///
    /// # Errors
    ///
    /// [`IngestError::UnknownColumn`].
    pub fn with_role(mut self, name: &str, role: Role) -> Result<Self, IngestError> {
        let Some(index) = self.columns.iter().position(|column| column.name == name) else {
            return Err(self.unknown(name));
        };
        if role.is_unique() {
            for column in &mut self.columns {
                if column.role == role && column.name != name {
                    column.role = Role::Ignore;
                    column.reason = format!("role {role} was given to `{name}`");
                }
            }
        }
        let column = &mut self.columns[index];
        column.role = role;
        column.confidence = 1.0;
        GIVEN.clone_into(&mut column.reason);
        Ok(self)
    }

    /// Leaves out a column, with the reason, unless a person gave it its role.
    pub(crate) fn leave_out(&mut self, name: &str, why: &str) -> bool {
        let Some(column) = self.columns.iter_mut().find(|column| column.name == name) else {
            return false;
        };
        if column.reason == GIVEN || column.role == Role::Ignore {
            return false;
        }
        column.role = Role::Ignore;
        why.clone_into(&mut column.reason);
        column.leak = Some(why.to_owned());
        true
    }

    pub(crate) fn unknown(&self, name: &str) -> IngestError {
        let mut available = String::new();
        for (index, column) in self.columns.iter().enumerate() {
            if available.len() > 200 {
                available.push_str(", ...");
                break;
            }
            if index > 0 {
                available.push_str(", ");
            }
            available.extend(column.name.chars().take(64));
        }
        IngestError::UnknownColumn {
            name: name.chars().take(64).collect(),
            available,
        }
    }

    /// Where each planned column that is used stands in a header.
    pub(crate) fn positions(&self, header: &[String]) -> Result<Vec<Option<usize>>, IngestError> {
        let by_name: std::collections::HashMap<&str, usize> = header
            .iter()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        self.columns
            .iter()
            .map(|column| {
                let position = by_name.get(column.name.as_str()).copied();
                let optional = matches!(column.role, Role::Ignore | Role::Label);
                if position.is_none() && !optional {
                    let mut cut = header.join(", ");
                    if cut.len() > 200 {
                        cut = cut.chars().take(200).collect::<String>() + ", ...";
                    }
                    return Err(IngestError::UnknownColumn {
                        name: column.name.clone(),
                        available: cut,
                    });
                }
                Ok(position.filter(|_| column.role != Role::Ignore))
            })
            .collect()
    }
}

impl fmt::Display for RolePlan {
    /// A table for terminals: column, role, confidence, reason; then the assumptions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .columns
            .iter()
            .map(|column| column.name.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(6, 32);
        writeln!(f, "{:<width$}  {:<18}  sure  why", "column", "role")?;
        for column in &self.columns {
            let name: String = column.name.chars().take(32).collect();
            writeln!(
                f,
                "{name:<width$}  {:<18}  {:>3.0}%  {}",
                column.role,
                column.confidence * 100.0,
                column.reason
            )?;
        }
        for assumption in &self.assumptions {
            writeln!(f, "assumed: {assumption}")?;
        }
        Ok(())
    }
}
