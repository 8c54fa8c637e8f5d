//! Detectors over forests of every kind.
#![cfg(feature = "iforest")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::Limits;
use dafu_core::{History, Stage, StageError, StageSpec, Transaction};
use dafu_features::{ColumnParams, Encoding, PreprocessorParams};
use dafu_iforest::{IsolationForest, IsolationForestParams, Scoring, SplitRule};
use dafu_pipeline::{Detector, ForestSpec, Mode, stage_registry};
use dafu_sim::SimulatorParams;
use std::sync::{Arc, LazyLock, Mutex};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(200).days(30).seed(4);
    params.simulator().unwrap().collect()
});

fn checked(params: IsolationForestParams, preprocessor: PreprocessorParams) {
    let trainer = Detector::builder()
        .mode(Mode::Unsupervised)
        .preprocessor(preprocessor)
        .forest(params.trees(20))
        .build()
        .unwrap();
    let (past, new) = HISTORY.split_at(HISTORY.len() * 4 / 5);
    let mut detector = trainer.fit(past).unwrap();
    let bytes = detector.to_bytes().unwrap();
    let mut loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    let mut reasons = 0;
    for transaction in &new[..50] {
        let assessment = detector.score(transaction).unwrap();
        let again = loaded.score(transaction).unwrap();
        assert_eq!(
            assessment.risk_score.get().to_bits(),
            again.risk_score.get().to_bits()
        );
        reasons += assessment.reasons.len();
    }
    assert!(reasons > 0);
}

#[test]
fn a_detector_takes_forests_of_every_kind() {
    for params in [
        IsolationForestParams::recommended(),
        IsolationForestParams::extended(),
        IsolationForestParams::guided(),
        IsolationForestParams::classic().scoring(Scoring::Density),
        IsolationForestParams::classic().rules([SplitRule::sciforest(2).penalize_range(true)]),
    ] {
        checked(params, PreprocessorParams::default());
    }
}

/// A forest that tells which of its columns it takes as categories.
#[derive(Debug)]
struct Telling(ForestSpec, Arc<Mutex<Vec<String>>>);

impl StageSpec for Telling {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let stage = self.0.fit_stage(history)?;
        let forest = IsolationForest::from_bytes(&stage.save()?).unwrap();
        let columns = forest.categorical_columns();
        let name = |column: usize| history.dataset.schema().features()[column].name.to_string();
        *self.1.lock().unwrap() = columns.map(name).collect();
        Ok(stage)
    }
}

#[test]
fn columns_that_the_schema_says_are_categories_are_split_by_category() {
    let ordinal = PreprocessorParams::default().column(
        "category",
        ColumnParams::default().encoding(Encoding::Ordinal),
    );
    checked(IsolationForestParams::recommended(), ordinal.clone());
    for (preprocessor, expected) in [
        (ordinal, vec!["category".to_owned()]),
        (PreprocessorParams::default(), Vec::new()),
    ] {
        let told = Arc::default();
        let spec = ForestSpec::new(IsolationForestParams::classic().trees(5));
        let trainer = Detector::builder()
            .mode(Mode::Unsupervised)
            .preprocessor(preprocessor)
            .stage(Telling(spec, Arc::clone(&told)))
            .build()
            .unwrap();
        trainer.fit(&HISTORY[..]).unwrap();
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
