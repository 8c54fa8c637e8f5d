//! Decision tables as files.

use super::{DecisionTable, TableValue};
use crate::RuleError;
use crate::file::{check_version, from_json, from_toml, to_json, to_toml, written};

impl DecisionTable {
    /// Reads a table from JSON.
    ///
    /// ```
    /// use dafu_core::Unit;
    /// use dafu_rules::{DecisionTable, Row, RuleSchema, Variable};
    ///
    /// let table = DecisionTable::from_json(r#"{
    ///     "name": "fees",
    ///     "hit_policy": "collect",
    ///     "inputs": ["amount", "country"],
    ///     "outputs": ["fee"],
    ///     "rows": [
    ///         {"cells": ["> 100", "-"], "outputs": [0.5]},
    ///         {"cells": ["-", "not 'DE'"], "outputs": [2]}
    ///     ]
    /// }"#)?;
    /// assert_eq!(DecisionTable::from_toml(&table.to_toml()?)?, table);
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money), Variable::text("country")])?;
    /// let compiled = table.compile(&schema)?;
    /// let answer = compiled.decide(Row { numbers: &[250.0], texts: &[Some("FR")] })?;
    /// assert_eq!(answer.sum("fee"), Some(2.5));
    ///
    /// let mistake = DecisionTable::from_json("{\n  \"policy\": \"first\"\n}").unwrap_err().to_string();
    /// assert!(mistake.starts_with("line 2, column 10: unknown field `policy`"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] with line and column for anything else, unknown keys included, and for more than 4 MiB or a
    /// newer version. Cells are checked by [`compile`](Self::compile).
    pub fn from_json(text: &str) -> Result<Self, RuleError> {
        from_json(text).and_then(checked)
    }

    /// Reads a table from TOML.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), where there is an example.
    pub fn from_toml(text: &str) -> Result<Self, RuleError> {
        from_toml(text).and_then(checked)
    }

    /// Writes the table as JSON that [`from_json`](Self::from_json) reads back.
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] for an output that is no finite number.
    pub fn to_json(&self) -> Result<String, RuleError> {
        self.check_numbers()?;
        to_json(self)
    }

    /// Writes the table as TOML that [`from_toml`](Self::from_toml) reads back.
    ///
    /// # Errors
    ///
    /// As [`to_json`](Self::to_json).
    pub fn to_toml(&self) -> Result<String, RuleError> {
        self.check_numbers()?;
        to_toml(self)
    }

    /// JSON would write `null` for them.
    fn check_numbers(&self) -> Result<(), RuleError> {
        for (place, row) in self.rows.iter().enumerate() {
            let numbers = row.outputs.iter().filter_map(TableValue::as_number);
            if let Some(number) = numbers.into_iter().find(|number| !number.is_finite()) {
                let row = place + 1;
                return Err(written(format!(
                    "row {row}: outputs are finite, got {number}"
                )));
            }
        }
        Ok(())
    }
}

fn checked(table: DecisionTable) -> Result<DecisionTable, RuleError> {
    check_version(table.version).map(|()| table)
}
