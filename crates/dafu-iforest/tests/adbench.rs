//! ROC AUC on public data against scikit-learn's, with a few seeds; `benches/peers/run.sh iforest` does it with 30.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use dafu_iforest::IsolationForestParams;
use support::{adbench, auc, read};

const SEEDS: u64 = 4;

#[test]
fn auc_equals_that_of_scikit_learn() {
    let Some(folder) = adbench() else {
        return;
    };
    let mut fixture = csv::Reader::from_reader(include_str!("fixtures/sklearn_auc.csv").as_bytes());
    let (mut files, mut sum, mut expected_sum) = (0.0, 0.0, 0.0);
    for line in fixture.records() {
        let line = line.unwrap();
        let (mean, std): (f64, f64) = (line[1].parse().unwrap(), line[2].parse().unwrap());
        let (rows, labels) = read(&folder.join(format!("{}.csv.gz", &line[0])));
        let mut scores = vec![0.0; rows.nrows()];
        let mut own = 0.0;
        for seed in 0..SEEDS {
            let forest = IsolationForestParams::default()
                .seed(seed)
                .fit(rows.view())
                .unwrap();
            forest.score_rows(rows.view(), &mut scores).unwrap();
            own += auc(&scores, &labels) / SEEDS as f64;
        }
        // Five standard errors of the difference of a mean over 4 and one over 30 seeds.
        let allowed = 5.0 * std * (1.0 / SEEDS as f64 + 1.0 / 30.0).sqrt();
        assert!(
            (own - mean).abs() < allowed,
            "{}: {own} instead of {mean}",
            &line[0]
        );
        files += 1.0;
        sum += own;
        expected_sum += mean;
    }
    assert!(files > 19.0);
    let difference = (sum - expected_sum) / files;
    assert!(
        difference.abs() < 0.005,
        "mean over all files differs by {difference}"
    );
}
