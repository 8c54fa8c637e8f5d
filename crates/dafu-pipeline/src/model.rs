//! What fitting learned: immutable and shared.

use crate::PipelineError;
use crate::combination::Combination;
use crate::features::Features;
use crate::inputs::{Inputs, renamed};
use crate::memory::Past;
use crate::records::records;
use dafu_core::evaluation::{Axis, LearningMode, Period, ThresholdKind, ThresholdSpec};
use dafu_core::metrics::Costs;
use dafu_core::{
    Assessment, Bands, Column, Dataset, Evidence, FeatureRow, NoState, Role, Schema, Score,
    StableHasher, Stage, StageInput, StageState, Table, Transaction,
};
use dafu_features::{FeatureEngine, FeatureSet, Preprocessor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

/// A fitted detector without its memory of past events. Immutable; clones of the [`Arc`] around it are cheap.
#[derive(Debug)]
pub struct DetectorModel {
    pub(crate) inputs: Inputs,
    pub(crate) features: Option<Features>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) stages: Vec<Box<dyn Stage>>,
    /// From the scores of the stages to the risk.
    pub(crate) combination: Combination,
    pub(crate) facts: Facts,
    /// What decisions cost, where they decide.
    pub(crate) policy: Option<Costs>,
    /// Rules that decide on what the stages found out.
    #[cfg(feature = "rules")]
    pub(crate) policy_rules: Option<crate::rules::PolicyRules>,
    /// Hash of the saved model.
    pub(crate) hash: u64,
}

/// Plain facts of a fit, saved as they are.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Facts {
    pub(crate) mode: LearningMode,
    pub(crate) levels: Vec<f64>,
    /// The thresholds to judge and which of them decides.
    pub(crate) thresholds: Vec<(String, ThresholdKind, Score, Option<f64>)>,
    pub(crate) chosen: usize,
    pub(crate) bands: Bands,
    pub(crate) trained: Option<Period>,
    pub(crate) population: u64,
    pub(crate) rows: u64,
    /// Median of each feature over the training rows.
    pub(crate) medians: Vec<f64>,
    /// The two most telling features.
    pub(crate) axes: Option<[(u32, Axis); 2]>,
    pub(crate) seed: u64,
    pub(crate) remembered: u64,
}

impl Facts {
    /// Whether decoded facts fit a schema of this width.
    pub(crate) fn is_sound(&self, width: usize) -> bool {
        let axes = self
            .axes
            .iter()
            .flatten()
            .all(|(feature, _)| (*feature as usize) < width);
        !self.thresholds.is_empty()
            && self.chosen < self.thresholds.len()
            && self.medians.len() == width
            && axes
    }

    pub(crate) fn threshold_specs(&self) -> Vec<ThresholdSpec> {
        let spec = |(name, kind, risk, expected): &(String, ThresholdKind, Score, Option<f64>)| {
            ThresholdSpec {
                name: name.clone(),
                kind: *kind,
                risk: *risk,
                expected_alert_share: *expected,
            }
        };
        self.thresholds.iter().map(spec).collect()
    }
}

impl DetectorModel {
    /// The features that the stages see.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.inputs.schema
    }

    /// How columns become features, with the report of what each column became. The columns of a set of features are
    /// called `set.` and the name of the feature there; in [`DetectorModel::schema`] they have their own names.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.inputs.preprocessor
    }

    /// The set of features of past events, where the detector has one, as it is used: without features that read
    /// labels after unsupervised learning.
    pub fn features(&self) -> Option<&FeatureSet> {
        self.features.as_ref().map(Features::set)
    }

    /// The stages.
    pub fn stages(&self) -> impl Iterator<Item = &dyn Stage> {
        self.stages.iter().map(|stage| &**stage)
    }

    /// How the detector learned.
    pub fn mode(&self) -> LearningMode {
        self.facts.mode
    }

    /// The thresholds, in the order in which they were asked for.
    pub fn thresholds(&self) -> Vec<ThresholdSpec> {
        self.facts.threshold_specs()
    }

    /// The risk from which on a row is an alert.
    pub fn threshold(&self) -> Score {
        self.facts
            .thresholds
            .get(self.facts.chosen)
            .map_or(Score::ONE, |(_, _, risk, _)| *risk)
    }

    /// Share of rows like the training rows that reach a risk above 0.
    pub fn expected_alert_share(&self, risk: f64) -> f64 {
        self.combination.expected_share(risk)
    }

    /// What decisions cost, where they are made by costs and amounts.
    pub const fn policy(&self) -> Option<&Costs> {
        self.policy.as_ref()
    }

    /// Where the bands of risk begin.
    pub fn bands(&self) -> &Bands {
        &self.facts.bands
    }

    /// Time span of the training rows, where they have times.
    pub fn trained(&self) -> Option<Period> {
        self.facts.trained
    }

    /// Rows of the history that were learned from, those that only filled the memory of features aside; and rows that
    /// the stages were fitted on, which are a sample of them.
    pub fn training_rows(&self) -> (u64, u64) {
        (self.facts.population, self.facts.rows)
    }

    /// The seed of everything random.
    pub fn seed(&self) -> u64 {
        self.facts.seed
    }

    /// Content hash of the model: equal models answer equally. Of a stage that has no saved form only the name counts.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The risk of every row of a table, in order; stages with a memory, and features of past events, begin without
    /// one, so that rows know of the rows before them in the table alone.
    ///
    /// # Errors
    ///
    /// When a column is missing or holds a value that the preprocessor or the set of features does not take, or a
    /// stage fails.
    ///
    /// # Complexity
    ///
    /// O(rows x features) for the features, plus what the stages cost.
    pub fn score_table(&self, table: &Table) -> Result<Vec<Score>, PipelineError> {
        self.score_table_from(table, &Past::default())
    }

    /// As [`DetectorModel::score_table`], going on from a copy of a memory.
    pub(crate) fn score_table_from(
        &self,
        table: &Table,
        past: &Past<'_>,
    ) -> Result<Vec<Score>, PipelineError> {
        let tagged = with_roles(table, &self.roles)?;
        let (mut engine, mut states) = past.begin(self, &tagged);
        let features = self.rows(&tagged, engine.as_mut())?;
        self.score_dataset(&features, self.records(&tagged)?.as_deref(), &mut states)
    }

    /// Whether a stage remembers events.
    pub(crate) fn remembers(&self) -> bool {
        let mut states = self.stages.iter().map(|stage| stage.new_state());
        states.any(|state| !state.as_any().is::<NoState>())
    }

    /// Whether rows are taken in order of time: they all have one, and something remembers the rows before.
    pub(crate) fn sorts(&self) -> bool {
        let mut stages = self.stages.iter();
        self.features.is_some() || stages.any(|stage| stage.needs_records()) && self.remembers()
    }

    /// The rows of a table as the stages see them; the engine takes the events.
    pub(crate) fn rows(
        &self,
        table: &Table,
        engine: Option<&mut FeatureEngine>,
    ) -> Result<Dataset, PipelineError> {
        let (Some(features), Some(engine)) = (&self.features, engine) else {
            return Ok(self.inputs.preprocessor.transform(table)?);
        };
        features.require(table)?;
        let found = engine.observe_table(table)?;
        let joined = features.join(table, found.values())?;
        let dataset = self.inputs.preprocessor.transform(&joined)?;
        renamed(&dataset, &self.inputs.schema)
    }

    /// Whether an event can become features whatever the set gives: tried before the set takes note of it, so that a
    /// record that cannot be scored leaves no trace. Gives the columns of the source.
    pub(crate) fn source_table(&self, transaction: &Transaction) -> Result<Table, PipelineError> {
        let table = self.inputs.source_table(transaction);
        let mut numbers = table.columns().iter().filter_map(Column::numbers);
        if let Some(features) = &self.features
            && numbers.any(|numbers| numbers.iter().any(|number| number.is_infinite()))
        {
            let width = features.set().features.len();
            self.inputs.row(&table, Some(&vec![f64::NAN; width]))?;
        }
        Ok(table)
    }

    /// The features of an event from the columns of the source and the features of the set.
    pub(crate) fn row(
        &self,
        source: &Table,
        of_set: Option<&[f64]>,
    ) -> Result<Vec<f64>, PipelineError> {
        self.inputs.row(source, of_set)
    }

    /// The risk of every row, given what the stages remember; the rows are recorded.
    pub(crate) fn score_dataset(
        &self,
        dataset: &Dataset,
        records: Option<&[Transaction]>,
        states: &mut [Box<dyn StageState>],
    ) -> Result<Vec<Score>, PipelineError> {
        let scores = stage_scores(&self.stages, states, dataset, records)?;
        let statistic = self.combination.statistic(&scores);
        let risk = |value| self.combination.risk(value);
        Ok(statistic.into_iter().map(risk).collect())
    }

    /// The records behind the rows of a table, where a stage needs them.
    pub(crate) fn records(&self, table: &Table) -> Result<Option<Vec<Transaction>>, PipelineError> {
        let needed = self.stages.iter().any(|stage| stage.needs_records());
        #[cfg(feature = "rules")]
        let needed = needed
            || self
                .policy_rules
                .as_ref()
                .is_some_and(crate::rules::PolicyRules::needs_records);
        needed.then(|| records(table)).transpose()
    }

    /// What every stage says of one row, and the risk that follows.
    pub(crate) fn evaluate(
        &self,
        row: &[f64],
        transaction: Option<&Transaction>,
        states: &[Box<dyn StageState>],
    ) -> Result<(Vec<Evidence>, Score), PipelineError> {
        let row = FeatureRow::new(self.schema(), row)?;
        let input = StageInput {
            row,
            transaction,
            explain: true,
        };
        let mut evidence = Vec::with_capacity(self.stages.len());
        for (stage, state) in self.stages.iter().zip(states) {
            evidence.push(stage.evaluate(&input, &**state)?);
        }
        let scores: Vec<Vec<f64>> = evidence
            .iter()
            .map(|found| vec![found.score.get()])
            .collect();
        let statistic = self.combination.statistic(&scores);
        let statistic = statistic.first().copied().unwrap_or_default();
        Ok((evidence, self.combination.risk(statistic)))
    }

    /// Rules of stages and of the policy: what became of them, and what they decide.
    pub(crate) fn apply_rules(
        &self,
        assessment: &mut Assessment,
        values: &[f64],
        transaction: Option<&Transaction>,
    ) -> Result<(), PipelineError> {
        let input = StageInput {
            row: FeatureRow::new(self.schema(), values)?,
            transaction,
            explain: false,
        };
        let mut hashes = Vec::new();
        for stage in &self.stages {
            let record = stage.rule_record(&input)?;
            assessment.rules.extend(record.outcomes);
            assessment.missing.extend(record.missing);
            hashes.extend(record.rule_set_hash);
        }
        #[cfg(feature = "rules")]
        if let Some(rules) = &self.policy_rules {
            hashes.extend(rules.decide(assessment, values, transaction)?);
        }
        assessment.rule_set_hash = match hashes.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => {
                let mut hasher = StableHasher::default();
                for hash in several {
                    hasher.number(*hash);
                }
                Some(hasher.finish())
            }
        };
        Ok(())
    }

    /// As [`DetectorModel::evaluate`], of some rows in the order given; all are recorded, each after it was judged.
    pub(crate) fn evaluate_rows(
        &self,
        dataset: &Dataset,
        records: Option<&[Transaction]>,
        states: &mut [Box<dyn StageState>],
        rows: &[usize],
    ) -> Result<Vec<(Vec<Evidence>, Score)>, PipelineError> {
        let mut wanted: Vec<(usize, usize)> = rows.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let mut wanted = wanted.into_iter().peekable();
        let mut found = vec![None; rows.len()];
        let last = rows.iter().max().map_or(0, |last| last + 1);
        for row in 0..last {
            let values = dataset.row(row)?;
            let transaction = records.and_then(|records| records.get(row));
            while let Some((_, place)) = wanted.next_if(|(other, _)| *other == row) {
                let judged = self.evaluate(&values.to_slice(), transaction, states)?;
                found[place] = Some(judged);
            }
            let input = StageInput {
                row: values,
                transaction,
                explain: false,
            };
            for state in &mut *states {
                state.record(&input)?;
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Empty states, one a stage.
    pub(crate) fn new_states(&self) -> Vec<Box<dyn StageState>> {
        new_states(&self.stages)
    }
}

/// Empty states, one a stage.
pub(crate) fn new_states(stages: &[Box<dyn Stage>]) -> Vec<Box<dyn StageState>> {
    stages.iter().map(|stage| stage.new_state()).collect()
}

/// The scores of each stage for each row; the rows are recorded in the states.
pub(crate) fn stage_scores(
    stages: &[Box<dyn Stage>],
    states: &mut [Box<dyn StageState>],
    dataset: &Dataset,
    records: Option<&[Transaction]>,
) -> Result<Vec<Vec<f64>>, PipelineError> {
    stages
        .iter()
        .zip(states)
        .map(|(stage, state)| one_stage_scores(&**stage, &mut **state, dataset, records))
        .collect()
}

fn one_stage_scores(
    stage: &dyn Stage,
    state: &mut dyn StageState,
    dataset: &Dataset,
    records: Option<&[Transaction]>,
) -> Result<Vec<f64>, PipelineError> {
    let mut scores = vec![0.0; dataset.rows()];
    if let Some(scored) = stage.score_dataset(dataset, &mut scores) {
        scored?;
        return Ok(scores);
    }
    for (row, score) in scores.iter_mut().enumerate() {
        let input = StageInput {
            row: dataset.row(row)?,
            transaction: records.and_then(|records| records.get(row)),
            explain: false,
        };
        *score = stage.evaluate(&input, state)?.score.get();
        state.record(&input)?;
    }
    Ok(scores)
}

/// The table with the roles that the user gave to columns.
pub(crate) fn with_roles<'t>(
    table: &'t Table,
    roles: &BTreeMap<String, Role>,
) -> Result<Cow<'t, Table>, PipelineError> {
    if roles.is_empty() {
        return Ok(Cow::Borrowed(table));
    }
    for (column, &role) in roles {
        let known = || {
            table
                .columns()
                .iter()
                .map(|column| column.name.to_string())
                .collect()
        };
        let found = table
            .column(column)
            .ok_or_else(|| PipelineError::UnknownColumn {
                column: column.clone(),
                role,
                known: known(),
            })?;
        let (expected, got) = (role.storage(), found.data.storage());
        if role != Role::Ignore && expected != got {
            return Err(PipelineError::RoleStorage {
                column: column.clone(),
                role,
                expected,
                got,
            });
        }
    }
    let columns = table
        .columns()
        .iter()
        .map(|column| Column {
            role: roles.get(&*column.name).copied().unwrap_or(column.role),
            ..column.clone()
        })
        .collect();
    Ok(Cow::Owned(Table::new(
        columns,
        table.row_numbers().to_vec(),
    )?))
}
