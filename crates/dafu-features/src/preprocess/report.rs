//! What each column became when fitting, and why.

use dafu_core::Role;
use std::fmt;

/// What one column became.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnReport {
    /// The column; `home_merchant_distance` for the distance made of four columns.
    pub column: String,
    /// Its role.
    pub role: Role,
    /// Training rows without a value.
    pub missing: u64,
    /// Different texts counted at the end (the missing one not among them), for columns that were counted.
    pub levels: Option<u64>,
    /// How much too low a count of a level can be; 0 when all are exact.
    pub level_error: u64,
    /// Names of the features, in column order.
    pub features: Vec<String>,
    /// What was done and why, in sentences.
    pub note: String,
}

/// What a fit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FitReport {
    /// Training rows.
    pub rows: u64,
    /// The columns in table order.
    pub columns: Vec<ColumnReport>,
}

impl FitReport {
    /// Share of training rows without a value in a column, 0 to 1; 0 without rows.
    pub fn missing_share(&self, column: &ColumnReport) -> f64 {
        column.missing as f64 / self.rows.max(1) as f64
    }

    /// What one column became.
    pub fn column(&self, name: &str) -> Option<&ColumnReport> {
        self.columns.iter().find(|column| column.column == name)
    }
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features: usize = self.columns.iter().map(|c| c.features.len()).sum();
        writeln!(f, "{features} features from {} training rows", self.rows)?;
        for column in &self.columns {
            let (name, role) = (&column.column, column.role);
            write!(f, "{name} ({role}")?;
            if column.missing > 0 {
                let share = 100.0 * self.missing_share(column);
                write!(f, ", {share:.2} % missing")?;
            }
            if let Some(levels) = column.levels {
                let about = if column.level_error > 0 {
                    "more than "
                } else {
                    ""
                };
                write!(f, ", {about}{levels} levels")?;
            }
            writeln!(f, "): {}", column.note)?;
        }
        Ok(())
    }
}
