//! Stages that need the records behind the rows.
#![cfg(feature = "records")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::{
    Evidence, History, Score, Stage, StageError, StageInput, StageSpec, StageState, Table,
    Transaction,
};
use dafu_pipeline::{Detector, Mode};
use dafu_sim::SimulatorParams;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(300).days(30).seed(5);
    params.simulator().unwrap().collect()
});

/// Scores a merchant that the first records did not have: needs the record, not the features.
#[derive(Debug)]
struct MerchantSpec;
#[derive(Debug)]
struct MerchantStage {
    known: BTreeSet<String>,
}

impl StageSpec for MerchantSpec {
    fn name(&self) -> &'static str {
        "merchant"
    }
    fn needs_records(&self) -> bool {
        true
    }
    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let records = history.transactions.unwrap();
        assert_eq!(records.len(), history.dataset.rows());
        for (row, tx) in records.iter().enumerate() {
            // The record is the one behind the row.
            let amount = history.dataset.row(row).unwrap().get("amount").unwrap();
            assert_eq!(tx.amount.major(), amount);
        }
        let known = records
            .iter()
            .take(200)
            .map(|tx| tx.merchant_id.to_string());
        Ok(Box::new(MerchantStage {
            known: known.collect(),
        }))
    }
}

impl Stage for MerchantStage {
    fn name(&self) -> &'static str {
        "merchant"
    }
    fn kind(&self) -> &'static str {
        "test.merchant"
    }
    fn needs_records(&self) -> bool {
        true
    }
    fn evaluate(&self, input: &StageInput<'_>, _: &dyn StageState) -> Result<Evidence, StageError> {
        let merchant = input.transaction.unwrap().merchant_id.as_str();
        let score = if self.known.contains(merchant) {
            0.1
        } else {
            0.9
        };
        Ok(Evidence::from_score(
            "merchant".parse().unwrap(),
            Score::new(score).unwrap(),
        ))
    }
    fn save(&self) -> Result<Vec<u8>, StageError> {
        dafu_core::model::Envelope::write(self.kind(), 1, dafu_core::SchemaHash(0), &[])
            .map_err(|error| StageError::new("merchant", error))
    }
}

#[test]
fn a_stage_that_needs_records_has_them_while_fitting_in_tables_and_alone() {
    for mode in [Mode::Unsupervised, Mode::Supervised] {
        // A sample of the history, so that rows and records move together.
        let builder = Detector::builder().stage(MerchantSpec).mode(mode);
        let trainer = builder.sample_rows(3_000).build().unwrap();
        let mut detector = trainer.fit(&*HISTORY).unwrap();
        let judged = &HISTORY[..300];
        let table = Table::from_transactions(judged);
        let risks = detector.score_table(&table).unwrap();
        let rows: Vec<usize> = (0..judged.len()).collect();
        let assessed = detector.assess_table(&table, &rows).unwrap();
        for ((tx, risk), assessment) in judged.iter().zip(risks).zip(assessed) {
            assert_eq!(detector.score(tx).unwrap().risk_score, risk);
            assert_eq!(assessment.risk_score, risk);
        }
        assert!(detector.evaluate(judged).unwrap().rows == 300);
    }
}

#[test]
fn a_history_without_records_is_an_error_where_they_are_needed() {
    let table = Table::from_transactions(&HISTORY[..100]);
    let columns = table
        .columns()
        .iter()
        .filter(|column| &*column.name != "merchant_id");
    let table = Table::new(columns.cloned().collect(), table.row_numbers().to_vec()).unwrap();
    let trainer = Detector::builder().stage(MerchantSpec).build().unwrap();
    let error = trainer.fit(&table).unwrap_err().to_string();
    assert!(error.contains("merchant"), "{error}");
}
