//! What learning reads: labels only where they are wanted, the whole history, the past before the later rows.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::{
    EntityKey, Evidence, Feedback, History, Label, Score, Stage, StageError, StageInput, StageSpec,
    StageState, Table, Transaction,
};
use dafu_pipeline::{Detector, EvaluateOptions, Mode, ModelsFile};
use dafu_sim::SimulatorParams;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(300).days(30).seed(5);
    params.simulator().unwrap().collect()
});

fn turned_round() -> Vec<Transaction> {
    let turn = |tx: &Transaction| {
        let label = match tx.is_fraud {
            Label::Fraud => Label::Legitimate,
            _ => Label::Fraud,
        };
        tx.clone().with_label(label)
    };
    HISTORY.iter().map(turn).collect()
}

#[test]
fn unsupervised_learning_reads_no_label() {
    let trainer = Detector::builder()
        .mode(Mode::Unsupervised)
        .build()
        .unwrap();
    let (one, other) = (trainer.fit(&*HISTORY), trainer.fit(&turned_round()));
    let bytes = one.unwrap().to_bytes().unwrap();
    assert_eq!(bytes, other.unwrap().to_bytes().unwrap());
    // Only the labels differ, and supervised learning sees it.
    let trainer = Detector::builder().mode(Mode::Supervised).build().unwrap();
    let (one, other) = (trainer.fit(&*HISTORY), trainer.fit(&turned_round()));
    let bytes = one.unwrap().to_bytes().unwrap();
    assert_ne!(bytes, other.unwrap().to_bytes().unwrap());
}

#[test]
fn auto_mode_counts_the_frauds_of_the_whole_history_not_of_the_sample() {
    let frauds = HISTORY.iter().filter(|tx| tx.is_fraud == Label::Fraud);
    assert!(frauds.count() >= 100);
    let trainer = Detector::builder().sample_rows(500).build().unwrap();
    let detector = trainer.fit(&*HISTORY).unwrap();
    assert_eq!(detector.model().mode(), LearningMode::Supervised);
}

#[test]
fn the_threshold_is_chosen_on_rows_that_the_stages_have_not_seen() {
    static FITS: AtomicUsize = AtomicUsize::new(0);
    /// Knows how many rows it was fitted on.
    #[derive(Debug)]
    struct Counting;
    impl StageSpec for Counting {
        fn name(&self) -> &'static str {
            "amount"
        }
        fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
            FITS.fetch_add(history.dataset.rows(), Ordering::Relaxed);
            Ok(Box::new(Latest))
        }
    }
    let trainer = Detector::builder()
        .stage(Counting)
        .mode(Mode::Supervised)
        .build()
        .unwrap();
    let detector = trainer.fit(&*HISTORY).unwrap();
    let thresholds = detector.model().thresholds();
    let last = thresholds.last().unwrap();
    assert_eq!(last.kind, ThresholdKind::BestFBeta(1.0));
    assert_eq!(last.name, "best F1, held out");
    let rows = HISTORY.len();
    assert_eq!(FITS.load(Ordering::Relaxed), rows + rows / 5 * 4);

    // Two frauds, both early: nothing to choose on later.
    let early: Vec<Transaction> = HISTORY
        .iter()
        .enumerate()
        .map(|(at, tx)| {
            let label = if at < 2 {
                Label::Fraud
            } else {
                Label::Legitimate
            };
            tx.clone().with_label(label)
        })
        .collect();
    let trainer = Detector::builder().mode(Mode::Supervised).build().unwrap();
    let thresholds = trainer.fit(&early).unwrap().model().thresholds();
    assert_eq!(thresholds.last().unwrap().name, "best F1, in-sample");
}

/// Scores an amount against the one before: its answer depends on what it remembers.
#[derive(Debug)]
struct LatestSpec;
#[derive(Debug)]
struct Latest;
#[derive(Debug, Default)]
struct LastAmount(f64);

impl StageSpec for LatestSpec {
    fn name(&self) -> &'static str {
        "amount"
    }
    fn fit_stage(&self, _history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Latest))
    }
}

impl Stage for Latest {
    fn name(&self) -> &'static str {
        "amount"
    }
    fn kind(&self) -> &'static str {
        "test.latest"
    }
    fn evaluate(
        &self,
        input: &StageInput<'_>,
        state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        let last = state.as_any().downcast_ref::<LastAmount>().unwrap().0;
        let amount = input.row.get("amount").unwrap_or_default();
        let ratio = (amount - last).abs() / (amount.abs() + last.abs() + 1.0);
        Ok(Evidence::from_score(
            "amount".parse().unwrap(),
            Score::new(ratio).unwrap(),
        ))
    }
    fn new_state(&self) -> Box<dyn StageState> {
        Box::new(LastAmount::default())
    }
    fn save(&self) -> Result<Vec<u8>, StageError> {
        dafu_core::model::Envelope::write(self.kind(), 1, dafu_core::SchemaHash(0), &[])
            .map_err(|error| StageError::new("amount", error))
    }
}

impl StageState for LastAmount {
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError> {
        self.0 = input.row.get("amount").unwrap_or_default();
        Ok(())
    }
    fn feedback(&mut self, _feedback: &Feedback) -> Result<(), StageError> {
        Ok(())
    }
    fn forget(&mut self, _entity: &EntityKey) -> bool {
        false
    }
    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        Ok(self.0.to_le_bytes().to_vec())
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        let bytes = snapshot
            .try_into()
            .map_err(|error| StageError::new("amount", error))?;
        self.0 = f64::from_le_bytes(bytes);
        Ok(())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_stage_with_a_memory_answers_alike_event_by_event_and_chunk_by_chunk() {
    let trainer = Detector::builder().stage(LatestSpec).build().unwrap();
    let fitted = trainer.fit(&*HISTORY).unwrap();
    // Rows of a table begin without the memory, which cannot be copied.
    let mut detector = Detector::from_model(Arc::clone(fitted.model()));
    let judged = &HISTORY[..500];
    let table = Table::from_transactions(judged);
    let chunked = |size: usize| {
        let rows: Vec<usize> = (0..judged.len()).collect();
        let parts: Vec<Table> = rows.chunks(size).map(|rows| table.select(rows)).collect();
        let mut risks = Vec::new();
        let take = &mut |_: &Table, scores: &[Score]| {
            risks.extend(scores.iter().map(|score| score.get()));
            Ok(())
        };
        let options = EvaluateOptions::default();
        detector
            .evaluate_with(&Parts(parts), &options, take)
            .unwrap();
        risks
    };
    let (whole, parts) = (chunked(500), chunked(7));
    assert_eq!(whole, parts);
    let streamed: Vec<f64> = judged
        .iter()
        .map(|tx| detector.score(tx).unwrap().risk_score.get())
        .collect();
    assert_eq!(whole, streamed);
    let different: BTreeSet<u64> = whole.iter().map(|risk| risk.to_bits()).collect();
    assert!(different.len() > 100);
}

/// A source of several tables.
struct Parts(Vec<Table>);

impl dafu_core::TableSource for Parts {
    fn chunks(&self) -> Result<dafu_core::table::Chunks<'_>, dafu_core::SourceError> {
        let tables = self.0.iter();
        Ok(Box::new(
            tables.map(|table| Ok(std::borrow::Cow::Borrowed(table))),
        ))
    }
}

#[test]
fn a_stage_that_was_added_answers_for_its_block_of_models_json() {
    #[derive(Debug)]
    struct Lstm;
    impl StageSpec for Lstm {
        fn name(&self) -> &'static str {
            "lstm"
        }
        fn fit_stage(&self, _history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
            Ok(Box::new(Latest))
        }
    }
    let build = |text: &str| {
        let file = ModelsFile::parse(text).unwrap();
        Detector::builder().stage(Lstm).models(file).build()
    };
    assert!(build(r#"{"lstm": {"epochs": 3}}"#).is_ok());
    let both = build(r#"{"lstm": {}, "isolation_forest": {"n_estimators": 7}}"#).unwrap();
    assert!(format!("{both:?}").contains("trees: 7"));
    let trees = build(r#"{"xgboost": {}}"#);
    if cfg!(feature = "ensemble") {
        assert!(format!("{:?}", trees.unwrap()).contains("boosted_trees"));
    } else {
        assert!(trees.unwrap_err().to_string().contains("xgboost"));
    }
}
