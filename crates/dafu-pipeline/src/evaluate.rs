//! Judging a source, chunk by chunk.

use crate::PipelineError;
use crate::memory::{Past, Running};
use crate::model::{DetectorModel, with_roles};
use crate::tagged::Tagged;
use dafu_core::evaluation::{EvaluationBuilder, EvaluationSpec, Observation, Scope};
use dafu_core::table::TextColumn;
use dafu_core::{
    Dataset, Evaluation, NoProgress, Progress, Role, Score, SourceError, StableHasher, Table,
    TableSource,
};
use dafu_features::{TimeSortParams, TimeSorted};
use std::cell::Cell;

/// Takes every scored chunk: the table and one risk a row.
pub type Sink<'a> = dyn FnMut(&Table, &[Score]) -> Result<(), SourceError> + 'a;

/// Whether the judged rows were trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Judged {
    /// Told by event times: in-sample when a row is no later than the end of training, or without times.
    #[default]
    ByTime,
    /// They were.
    InSample,
    /// They were not.
    HeldOut,
}

/// How to judge.
#[derive(Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// Whether the judged rows were trained on.
    pub judged: Judged,
    /// Labelled rows whose scores are kept one by one; curves come from a million bins above it. Default
    /// 1,000,000: 29 MB.
    pub exact_rows: usize,
    /// Told how far judging has come.
    pub progress: &'a dyn Progress,
}

impl std::fmt::Debug for EvaluateOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvaluateOptions")
            .field("judged", &self.judged)
            .field("exact_rows", &self.exact_rows)
            .finish_non_exhaustive()
    }
}

impl Default for EvaluateOptions<'_> {
    fn default() -> Self {
        Self {
            judged: Judged::ByTime,
            exact_rows: 1_000_000,
            progress: &NoProgress,
        }
    }
}

/// One currency for all amounts, or sums that mean nothing.
#[derive(Default)]
enum Currency {
    #[default]
    None,
    One(String),
    Several,
}

impl Currency {
    fn see(&mut self, table: &Table) {
        let texts = table
            .by_role(Role::Currency)
            .and_then(|column| column.texts());
        for code in texts.into_iter().flat_map(TextColumn::iter).flatten() {
            match self {
                Self::None => *self = Self::One(code.to_owned()),
                Self::One(known) if known != code => *self = Self::Several,
                _ => {}
            }
        }
    }
}

/// Features of past events, and stages, begin with a copy of a memory.
pub(crate) fn evaluate(
    model: &DetectorModel,
    past: &Past<'_>,
    source: &dyn TableSource,
    options: &EvaluateOptions<'_>,
    sink: &mut Sink<'_>,
) -> Result<Evaluation, PipelineError> {
    let facts = &model.facts;
    let axes = facts.axes.as_ref();
    let mut builder = EvaluationBuilder::new(EvaluationSpec {
        mode: facts.mode,
        scope: Scope {
            in_sample: false,
            judged: None,
            trained: facts.trained,
            training_population: facts.population,
            training_rows: facts.rows,
        },
        thresholds: facts.threshold_specs(),
        chosen: facts.chosen,
        bands: facts.bands,
        axes: axes.map(|[(_, x), (_, y)]| (x.clone(), y.clone())),
        currency: None,
        exact_rows: options.exact_rows,
    });
    let columns = axes.map(|[(x, _), (y, _)]| (*x as usize, *y as usize));
    let (tagged, sorted);
    let source: &dyn TableSource = if model.sorts() {
        tagged = Tagged {
            source,
            roles: &model.roles,
            without_labels: false,
            labelled: Cell::default(),
        };
        if let Some(features) = &model.features {
            features.require_of(&tagged)?;
        }
        sorted = TimeSorted::new(&tagged, &TimeSortParams::default())?;
        &sorted
    } else {
        source
    };
    let (mut done, total) = (0, source.rows_hint());
    let mut currency = Currency::default();
    let mut memory: Option<Running> = None;
    for table in source.chunks()? {
        let table = table?;
        let tagged = with_roles(&table, &model.roles)?;
        let (engine, states) = memory.get_or_insert_with(|| past.begin(model, &tagged));
        let features = model.rows(&tagged, engine.as_mut())?;
        let scores = model.score_dataset(&features, model.records(&tagged)?.as_deref(), states)?;
        currency.see(&tagged);
        observe(&mut builder, &tagged, &features, &scores, columns)?;
        sink(&tagged, &scores)?;
        done += table.rows() as u64;
        options.progress.report("score rows", done, total);
    }
    let mut evaluation = builder.finish()?;
    evaluation.scope.in_sample = match (options.judged, evaluation.scope.judged, facts.trained) {
        (Judged::HeldOut, _, _) => false,
        (Judged::ByTime, Some(judged), Some(trained)) => judged.from <= trained.until,
        _ => true,
    };
    match currency {
        Currency::None => {}
        Currency::One(code) => evaluation.currency = Some(code),
        Currency::Several => drop_amounts(&mut evaluation),
    }
    Ok(evaluation)
}

fn observe(
    builder: &mut EvaluationBuilder,
    table: &Table,
    features: &Dataset,
    scores: &[Score],
    axes: Option<(usize, usize)>,
) -> Result<(), PipelineError> {
    let labels = table
        .by_role(Role::Label)
        .and_then(|column| column.labels());
    let amounts = table
        .by_role(Role::Amount)
        .and_then(|column| column.numbers());
    let times = table.by_role(Role::Time).and_then(|column| column.times());
    let users = table.by_role(Role::User).and_then(|column| column.texts());
    let values = features.values();
    for (row, &risk) in scores.iter().enumerate() {
        builder.push(&Observation {
            risk,
            label: labels.map_or_else(Default::default, |labels| labels[row]),
            amount: amounts.map(|amounts| amounts[row]),
            time: times.and_then(|times| times[row]),
            user: users
                .and_then(|users| users.at(row))
                .map(|user| StableHasher::hash_bytes(user.as_bytes())),
            axes: axes.map(|(x, y)| (values[[row, x]], values[[row, y]])),
        })?;
    }
    Ok(())
}

/// Sums over several currencies mean nothing: better none.
fn drop_amounts(evaluation: &mut Evaluation) {
    evaluation.amount = None;
    for threshold in &mut evaluation.thresholds {
        threshold.amount_alerted = None;
        threshold.fraud_amount_caught = None;
    }
    for band in &mut evaluation.bands {
        band.amount = None;
    }
}
