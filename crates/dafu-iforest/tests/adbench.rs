//! ROC AUC on public data against scikit-learn's, with a few seeds; `benches/peers/run.sh iforest` does it with 30.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::IsolationForestParams;
use flate2::read::MultiGzDecoder;
use ndarray::Array2;
use std::fs::File;
use std::path::Path;

const SEEDS: u64 = 4;

fn read(path: &Path) -> (Array2<f64>, Vec<bool>) {
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(File::open(path).unwrap()));
    let columns = reader.headers().unwrap().len() - 1;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).unwrap() {
        values.extend(
            record
                .iter()
                .take(columns)
                .map(|field| field.parse::<f64>().unwrap()),
        );
        labels.push(&record[columns] == "1");
    }
    (
        Array2::from_shape_vec((labels.len(), columns), values).unwrap(),
        labels,
    )
}

/// The share of (anomaly, ordinary) pairs in the right order, ties one half.
fn auc(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let anomalies = tied.iter().filter(|&&at| labels[at]).count() as f64;
        let ordinary = tied.len() as f64 - anomalies;
        pairs += anomalies * (below + ordinary / 2.0);
        below += ordinary;
    }
    let anomalies = labels.iter().filter(|&&label| label).count() as f64;
    pairs / (anomalies * (labels.len() as f64 - anomalies))
}

#[test]
fn auc_equals_that_of_scikit_learn() {
    let Some(folder) = std::env::var_os("DAFU_DATA") else {
        println!("skipped: DAFU_DATA is not set");
        return;
    };
    let folder = Path::new(&folder).join("adbench");
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
