//! What a person is told before training.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{NoProgress, Role};
use dafu_ingest::{BadRecordClass, FileSource, IngestParams, RecommendedMode, Suitability};

fn look(file: &str, params: &IngestParams) -> Suitability {
    let source = FileSource::from_bytes(file, params).unwrap();
    source.suitability(&NoProgress).unwrap()
}

fn params() -> IngestParams {
    IngestParams::default().role("is_fraud", Role::Label)
}

/// A file of `rows` rows, of which every `every`-th is a fraud.
fn file(rows: usize, every: usize) -> String {
    let row = |row: usize| {
        let note = if row.is_multiple_of(10) { "x" } else { "" };
        format!(
            "t{row},{}.5,2018-04-01T00:{:02}:{:02}Z,same,{note},{}\n",
            row % 97,
            row / 60 % 60,
            row % 60,
            u8::from(row.is_multiple_of(every))
        )
    };
    std::iter::once("transaction_id,amount,time,constant,rare,is_fraud\n".to_owned())
        .chain((0..rows).map(row))
        .collect()
}

fn warns(data: &Suitability, text: &str) -> bool {
    let found = data.warnings.iter().any(|warning| warning.contains(text));
    assert!(data.to_string().contains(text) || !found);
    found
}

#[test]
fn counts_what_is_in_the_columns() {
    let data = look(&file(3_000, 20), &params());
    assert_eq!((data.rows, data.duplicates, data.conflicts), (3_000, 0, 0));
    let classes = data.classes.unwrap();
    assert_eq!(
        (classes.fraud, classes.legitimate, classes.unknown),
        (150, 2_850, 0)
    );
    assert!((classes.fraud_share().unwrap() - 0.05).abs() < 1e-12);
    let of = |name: &str| {
        data.columns
            .iter()
            .find(|column| column.name == name)
            .unwrap()
    };
    assert_eq!(of("rare").missing, 2_700);
    assert_eq!(of("amount").cardinality.value(), 97);
    assert_eq!(
        (of("amount").min, of("amount").max),
        (Some(0.5), Some(96.5))
    );
    let constant: Vec<&str> = data.constant_columns().collect();
    assert!(constant.contains(&"constant"), "{constant:?}");
    let times = data.times.unwrap();
    assert_eq!(times.first.to_string(), "2018-04-01T00:00:00Z");
    assert_eq!(times.out_of_order, 0);
    assert_eq!(data.mode, RecommendedMode::Supervised);
    assert!(warns(&data, "`constant` has the same value in all rows"));
    assert!(warns(&data, "`rare` has no value in 90 % of the rows"));
    assert!(!warns(&data, "rows are few"));
}

#[test]
fn says_why_learning_without_labels_is_better() {
    let few = look(&file(900, 100), &params());
    assert_eq!(few.mode, RecommendedMode::Unsupervised);
    assert!(
        few.mode_reason.contains("9 known frauds are too few"),
        "{}",
        few.mode_reason
    );
    assert!(warns(&few, "900 rows are few"));
    let one_class = look(
        &file(900, 1_000_000)
            .replace("t0,0.5", "t0,1.5")
            .replace(",1\n", ",0\n"),
        &params(),
    );
    assert!(
        one_class.mode_reason.contains("one class only"),
        "{}",
        one_class.mode_reason
    );
    let none = look("amount,shop\n1,a\n2,b\n", &IngestParams::default());
    assert!(none.mode_reason.contains("no label column"));
    assert!(warns(&none, "there is no time"));
}

#[test]
fn warns_of_labels_that_look_turned_round_or_resampled() {
    assert!(warns(
        &look(&file(1_200, 3), &params()),
        "the file may be resampled"
    ));
    let turned = params().fraud_values(["0"]);
    assert!(warns(
        &look(&file(1_200, 20), &turned),
        "check that the label is not turned round"
    ));
}

#[test]
fn warns_of_rows_out_of_order_left_out_or_in_conflict() {
    let text = "transaction_id,amount,time\n1,5,2018-04-01T10:00:00Z\n2,6,2018-04-01T09:00:00Z\n\
                2,7,2018-04-01T11:00:00Z\n3,x,2018-04-01T12:00:00Z\n4,8,2018-04-01T13:00:00Z\n4,8,2018-04-01T13:00:00Z\n";
    let data = look(text, &IngestParams::default().role("amount", Role::Amount));
    assert!(warns(&data, "1 rows come before the row above in time"));
    assert!(warns(&data, "% of the rows were quarantined"));
    assert!(warns(
        &data,
        "1 rows repeat a transaction id with other content"
    ));
    assert_eq!((data.duplicates, data.conflicts), (1, 1));
    let report = data.report.as_ref().unwrap();
    assert_eq!(report.count(BadRecordClass::BadNumber), 1);
    let empty = look("transaction_id,amount\n", &IngestParams::default());
    assert!(warns(&empty, "there is no row to learn from"));
}
