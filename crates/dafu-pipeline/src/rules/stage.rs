//! Rules as a stage.

use super::{NamedWindow, RuleRows, names_records};
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{
    EntityId, Evidence, History, RuleRecord, Schema, Stage, StageError, StageInput, StageSpec,
    StageState,
};
use dafu_rules::{Row, RuleEngine, RuleReport, RuleSet};
use serde::{Deserialize, Serialize};

/// Name of the stage and of its evidence.
const NAME: &str = "rules";
const SCHEMA_VERSION: u16 = 1;

/// A set of rules over the features of a detector, and over what records say
/// ([`RuleSchema::transaction`](dafu_rules::RuleSchema::transaction)); a feature of the same name is meant before a field of
/// the record. Features have the values that stages see: what was missing may have been filled in. Where the set has a
/// currency, amounts are those of the record in it, and missing without a rate; sums and means over windows are in the
/// currencies in which they were paid.
///
/// Its score is that of the rules that fired. It learns nothing.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    set: RuleSet,
    windows: Vec<NamedWindow>,
}

impl RuleSpec {
    /// A stage of these rules. For windows in their conditions, add them with
    /// [`DetectorBuilder::rules`](crate::DetectorBuilder::rules).
    pub const fn new(set: RuleSet) -> Self {
        Self {
            set,
            windows: Vec::new(),
        }
    }

    pub(crate) fn with_windows(mut self, windows: Vec<NamedWindow>) -> Self {
        self.windows = windows;
        self
    }
}

impl StageSpec for RuleSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs_records(&self) -> bool {
        names_records(&self.set)
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let schema = history.dataset.schema();
        Ok(Box::new(RuleStage::new(
            self.set.clone(),
            schema,
            self.windows.clone(),
        )?))
    }
}

/// Rules over the features of a detector.
#[derive(Debug, Clone)]
pub struct RuleStage {
    rows: RuleRows,
    set: RuleSet,
    schema: Schema,
    windows: Vec<NamedWindow>,
}

/// Rules as they are saved: the set as JSON, whose text form has defaults and refuses unknown keys, which postcard cannot.
#[derive(Serialize, Deserialize)]
struct SavedRules {
    set: String,
    schema: Schema,
    windows: Vec<NamedWindow>,
}

impl RuleStage {
    /// Kind of the saved stage.
    pub const KIND: &'static str = "dafu.rules";

    fn new(set: RuleSet, schema: &Schema, windows: Vec<NamedWindow>) -> Result<Self, StageError> {
        let rows = RuleRows::new(&set, schema, &[], &windows);
        Ok(Self {
            rows: rows.map_err(|error| StageError::new(NAME, error))?,
            set,
            schema: schema.clone(),
            windows,
        })
    }

    /// Reads saved rules: the decoder for a [`StageRegistry`](dafu_core::StageRegistry).
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound rules within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
        let read = || -> Result<SavedRules, ModelError> {
            let envelope = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)?;
            envelope.decode()
        };
        let saved = read().map_err(|error| StageError::new(NAME, error))?;
        let set = RuleSet::from_saved(&saved.set).map_err(|error| StageError::new(NAME, error))?;
        Ok(Box::new(Self::new(set, &saved.schema, saved.windows)?))
    }

    /// The rules.
    pub const fn rule_set(&self) -> &RuleSet {
        &self.set
    }

    fn fits(&self, input: &StageInput<'_>) -> Result<(), StageError> {
        if input.row.schema().hash() == self.schema.hash() {
            return Ok(());
        }
        let why = "the rules were checked against other features";
        Err(StageError::new(NAME, why))
    }
}

impl Stage for RuleStage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn needs_records(&self) -> bool {
        self.rows.needs_records()
    }

    fn evaluate(
        &self,
        input: &StageInput<'_>,
        _state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        self.fits(input)?;
        let row = input.row.to_slice();
        let said = |engine: &RuleEngine, row: Row<'_>, report: RuleReport| {
            let reasons = if input.explain {
                engine.reasons(row, &report)
            } else {
                Vec::new()
            };
            (report.risk_score, reasons)
        };
        let said = self.rows.evaluate((&row, &[]), input.transaction, said);
        let (score, reasons) = said.map_err(|error| StageError::new(NAME, error))?;
        let name = EntityId::new(NAME).map_err(|error| StageError::new(NAME, error))?;
        let mut evidence = Evidence::from_score(name, score);
        evidence.reasons = reasons;
        Ok(evidence)
    }

    fn rule_record(&self, input: &StageInput<'_>) -> Result<RuleRecord, StageError> {
        let row = input.row.to_slice();
        let record =
            |engine: &RuleEngine, row: Row<'_>, report: RuleReport| engine.record(row, &report);
        let said = self.rows.evaluate((&row, &[]), input.transaction, record);
        said.map_err(|error| StageError::new(NAME, error))
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        let set = self
            .set
            .to_saved()
            .map_err(|error| StageError::new(NAME, error))?;
        let saved = SavedRules {
            set,
            schema: self.schema.clone(),
            windows: self.windows.clone(),
        };
        Envelope::encode(Self::KIND, SCHEMA_VERSION, self.schema.hash(), &saved)
            .map_err(|error| StageError::new(NAME, error))
    }
}
