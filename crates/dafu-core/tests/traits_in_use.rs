//! Each narrow trait, implemented once and used through its generic or object-safe face.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{
    Aggregate, Batch, Calibrate, CoreError, Dataset, DatasetError, EntityId, EntityKey, EntityKind,
    Evidence, Explain, FeatureRow, FeatureSpec, Feedback, Fit, History, Label, MemStore, Money,
    NoProgress, NoState, Probability, Progress, RawScore, Schema, Score, ScoreRow, ScoreRows,
    SourceError, Stage, StageError, StageInput, StageRegistry, StageSpec, StageState, StateStore,
    Table, TableSource, Timestamp, Transaction, WindowProvider, WindowRequest,
};
use ndarray::{ArrayView2, array};
use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

/// Learns a mean; scores by the distance from it.
struct MeanParams;

#[derive(Debug, Clone, PartialEq)]
struct Mean {
    mean: f64,
}

impl Fit<Dataset> for MeanParams {
    type Model = Mean;
    type Error = DatasetError;

    fn fit(&self, data: &Dataset) -> Result<Mean, DatasetError> {
        let mean = data
            .values()
            .mean()
            .ok_or(DatasetError::Row { row: 0, rows: 0 })?;
        Ok(Mean { mean })
    }
}

impl ScoreRow for Mean {
    type Error = CoreError;

    fn score_row(&self, row: &[f64]) -> Result<Score, CoreError> {
        let distance: f64 = row.iter().map(|value| (value - self.mean).abs()).sum();
        Score::new(1.0 - (-distance).exp())
    }
}

impl ScoreRows for Mean {
    type Error = CoreError;

    fn score_rows(&self, rows: ArrayView2<'_, f64>, out: &mut [f64]) -> Result<(), CoreError> {
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.score_row(&row.to_vec())?.get();
        }
        Ok(())
    }
}

impl Explain for Mean {
    type Error = CoreError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, CoreError> {
        for (value, out) in row.iter().zip(out) {
            *out = (value - self.mean).abs();
        }
        Ok(0.0)
    }
}

impl Calibrate for Mean {
    type Error = CoreError;

    fn calibrate(&self, score: RawScore) -> Result<Probability, CoreError> {
        Probability::new(1.0 / (1.0 + (-score.get()).exp()))
    }
}

fn dataset() -> Dataset {
    let schema = Arc::new(Schema::new(vec![FeatureSpec::real("amount")]).unwrap());
    Dataset::new(schema, array![[1.0], [2.0], [3.0]]).unwrap()
}

fn transaction(id: &str) -> Transaction {
    Transaction::new(
        id.parse().unwrap(),
        "u".parse().unwrap(),
        Money::from_major(5.0, dafu_core::Currency::NONE).unwrap(),
        "m".parse().unwrap(),
        Timestamp::EPOCH,
    )
}

#[test]
fn an_algorithm_fits_scores_explains_and_calibrates() {
    let data = dataset();
    let model = MeanParams.fit(&data).unwrap();
    let mut batch = [0.0; 3];
    model.score_rows(data.values(), &mut batch).unwrap();
    for (row, &score) in batch.iter().enumerate() {
        let alone = model
            .score_row(data.row(row).unwrap().as_slice().unwrap())
            .unwrap();
        assert_eq!(alone.get().to_bits(), score.to_bits());
    }
    let mut contributions = [0.0];
    let baseline = model.explain_row(&[3.0], &mut contributions).unwrap();
    assert_eq!((baseline, contributions), (0.0, [1.0]));
    let low = model.calibrate(RawScore::new(-1.0).unwrap()).unwrap();
    let high = model.calibrate(RawScore::new(1.0).unwrap()).unwrap();
    assert!(low < high);
}

/// The same as a stage that also counts the events of each user.
#[derive(Debug)]
struct MeanStageSpec;

#[derive(Debug)]
struct MeanStage(Mean);

#[derive(Debug, Default)]
struct Seen {
    users: Vec<EntityId>,
}

impl StageSpec for MeanStageSpec {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        history.progress.report("mean", 0, Some(1));
        let model = MeanParams
            .fit(history.dataset)
            .map_err(|e| StageError::new("mean", e))?;
        Ok(Box::new(MeanStage(model)))
    }
}

impl Stage for MeanStage {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn kind(&self) -> &'static str {
        "test.mean"
    }

    fn evaluate(
        &self,
        input: &StageInput<'_>,
        state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        let seen = state
            .as_any()
            .downcast_ref::<Seen>()
            .map_or(0, |seen| seen.users.len());
        let distance = (input.row.get("amount").unwrap_or(f64::NAN) - self.0.mean).abs();
        let score = Score::new(distance / (1.0 + distance + seen as f64))
            .map_err(|e| StageError::new("mean", e))?;
        Ok(Evidence::from_score("mean".parse().unwrap(), score))
    }

    fn new_state(&self) -> Box<dyn StageState> {
        Box::new(Seen::default())
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        Envelope::write(
            self.kind(),
            1,
            dafu_core::SchemaHash(0),
            &self.0.mean.to_le_bytes(),
        )
        .map_err(|e| StageError::new("mean", e))
    }
}

impl StageState for Seen {
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError> {
        self.users
            .extend(input.transaction.map(|tx| tx.user_id.clone()));
        Ok(())
    }

    fn feedback(&mut self, _feedback: &Feedback) -> Result<(), StageError> {
        Ok(())
    }

    fn forget(&mut self, entity: &EntityKey) -> bool {
        let before = self.users.len();
        self.users.retain(|user| *user != entity.id);
        before > self.users.len()
    }

    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        let users: Vec<&str> = self.users.iter().map(EntityId::as_str).collect();
        Ok(users.join("\n").into_bytes())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        let text = std::str::from_utf8(snapshot).map_err(|e| StageError::new("mean", e))?;
        let users: Result<_, _> = text.lines().map(EntityId::new).collect();
        self.users = users.map_err(|e| StageError::new("mean", e))?;
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn decode_mean(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
    let envelope =
        Envelope::expect(bytes, "test.mean", 1, limits).map_err(|e| StageError::new("mean", e))?;
    let payload: [u8; 8] = envelope
        .payload()
        .try_into()
        .map_err(|e| StageError::new("mean", format!("{e}")))?;
    Ok(Box::new(MeanStage(Mean {
        mean: f64::from_le_bytes(payload),
    })))
}

#[test]
fn a_stage_fits_evaluates_remembers_and_loads_through_the_registry() {
    let data = dataset();
    let steps = RefCell::new(Vec::new());
    let progress = |step: &str, done, total| {
        steps.borrow_mut().push((step.to_owned(), done, total));
    };
    let history = History {
        dataset: &data,
        transactions: None,
        population: 3,
        seed: 1,
        progress: &progress,
    };
    let spec: Box<dyn StageSpec> = Box::new(MeanStageSpec);
    let stage = spec.fit_stage(&history).unwrap();
    assert_eq!(steps.borrow()[0], ("mean".to_owned(), 0, Some(1)));

    let tx = transaction("t1");
    let schema = Arc::clone(data.schema());
    let row = FeatureRow::new(&schema, &[5.0]).unwrap();
    let input = StageInput {
        row,
        transaction: Some(&tx),
        explain: false,
    };
    let mut state = stage.new_state();
    let first = stage.evaluate(&input, &*state).unwrap().score;
    state.record(&input).unwrap();
    let second = stage.evaluate(&input, &*state).unwrap().score;
    assert!(second < first, "the state counts");

    let mut restored = stage.new_state();
    restored.restore(&state.snapshot().unwrap()).unwrap();
    assert_eq!(stage.evaluate(&input, &*restored).unwrap().score, second);
    let user = EntityKey {
        kind: EntityKind::User,
        id: tx.user_id.clone(),
    };
    assert!(restored.forget(&user) && !restored.forget(&user));
    assert_eq!(stage.evaluate(&input, &*restored).unwrap().score, first);

    let mut registry = StageRegistry::new(Limits::default());
    let bytes = stage.save().unwrap();
    let unknown = registry.load(&bytes).unwrap_err();
    let source = unknown.source.downcast_ref::<ModelError>().unwrap();
    assert!(
        matches!(source, ModelError::UnknownKind { .. }),
        "{unknown}"
    );
    registry.register("test.mean", decode_mean);
    assert_eq!(registry.kinds().collect::<Vec<_>>(), ["test.mean"]);
    let loaded = registry.load(&bytes).unwrap();
    let fresh = loaded.new_state();
    assert_eq!(loaded.evaluate(&input, &*fresh).unwrap().score, first);
    assert!(registry.load(&bytes[..20]).is_err());
}

#[test]
fn a_stage_without_memory_takes_no_snapshot() {
    let mut state = NoState;
    assert!(state.snapshot().unwrap().is_empty());
    assert!(state.restore(&[]).is_ok());
    assert!(state.restore(&[1]).is_err());
}

#[test]
fn a_store_applies_batches_and_scans_in_order() {
    let mut store = MemStore::default();
    store
        .apply(
            &Batch::default()
                .put("a/2", "two")
                .put("a/1", "one")
                .put("b", "x"),
        )
        .unwrap();
    store
        .apply(
            &Batch::default()
                .remove("b")
                .put("a/3", "three")
                .remove("a/3"),
        )
        .unwrap();
    assert_eq!(store.value(b"a/1").unwrap().unwrap(), b"one");
    assert_eq!(store.value(b"b").unwrap(), None);
    let mut keys = Vec::new();
    store
        .scan(b"a/", &mut |key, _| {
            keys.push(String::from_utf8_lossy(key).into_owned());
            true
        })
        .unwrap();
    assert_eq!(keys, ["a/1", "a/2"]);
}

/// Answers every request with the number of slots prepared.
#[derive(Default)]
struct Slots(Vec<WindowRequest>);

impl WindowProvider for Slots {
    type Error = DatasetError;

    fn prepare(&mut self, request: &WindowRequest) -> Result<usize, DatasetError> {
        self.0.push(request.clone());
        Ok(self.0.len() - 1)
    }

    fn window(
        &self,
        slot: usize,
        event: &Transaction,
        _row: Option<&FeatureRow<'_>>,
    ) -> Result<Option<f64>, DatasetError> {
        let request = self.0.get(slot).ok_or(DatasetError::Row {
            row: slot,
            rows: self.0.len(),
        })?;
        let known = request.by != EntityKind::Card || event.card.is_some();
        Ok(known.then_some(self.0.len() as f64))
    }
}

#[test]
fn windows_are_prepared_once_and_asked_by_slot() {
    let request = |by| WindowRequest {
        aggregate: Aggregate::Count,
        by,
        within: Duration::from_secs(3600),
        include_self: true,
        status: None,
    };
    let mut provider = Slots::default();
    let user = provider.prepare(&request(EntityKind::User)).unwrap();
    let card = provider.prepare(&request(EntityKind::Card)).unwrap();
    let tx = transaction("t");
    assert_eq!(provider.window(user, &tx, None).unwrap(), Some(2.0));
    assert_eq!(provider.window(card, &tx, None).unwrap(), None);
    assert!(provider.window(9, &tx, None).is_err());
}

/// A source that fails after its first chunk.
struct Broken(Table);

impl TableSource for Broken {
    fn chunks(&self) -> Result<dafu_core::table::Chunks<'_>, SourceError> {
        let good = Ok(std::borrow::Cow::Borrowed(&self.0));
        let bad = Err(SourceError::new(CoreError::TimeRange { micros: i64::MAX }));
        Ok(Box::new([good, bad].into_iter()))
    }
}

#[test]
fn a_source_keeps_the_type_of_its_error() {
    let table = Table::from_transactions(&[transaction("t1")]);
    let source = Broken(table.clone());
    let mut chunks = source.chunks().unwrap();
    assert_eq!(*chunks.next().unwrap().unwrap(), table);
    let error = chunks.next().unwrap().unwrap_err();
    assert!(error.source.downcast_ref::<CoreError>().is_some());
    assert_eq!(source.rows_hint(), None);
    NoProgress.report("read", 1, None);
}

#[test]
fn labels_travel_with_their_rows() {
    let data = dataset();
    let labels = vec![Label::Fraud, Label::Legitimate, Label::Unknown];
    assert!(data.clone().with_labels(labels[..2].to_vec()).is_err());
    assert!(data.clone().with_weights(vec![1.0, -1.0, 0.0]).is_err());
    let data = data
        .with_labels(labels.clone())
        .and_then(|d| d.with_weights(vec![1.0, 0.0, 2.0]))
        .and_then(|d| d.with_times(vec![Timestamp::EPOCH; 3]))
        .and_then(|d| d.with_groups(vec![0, 1, 0]))
        .unwrap();
    assert_eq!(data.labels().unwrap(), labels);
    assert_eq!(
        (data.groups().unwrap()[1], data.times().unwrap().len()),
        (1, 3)
    );
    assert!(data.row(3).is_err());
}
