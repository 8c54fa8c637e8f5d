//! Results survive JSON, the threshold of infinity included.
#![cfg(feature = "serde")]

use dafu_core::metrics::{Costs, CurvePoints, Ranking, RocCurve, ThresholdChoice, ThresholdGoal};

#[test]
fn results_survive_json() {
    let labels = [true, false, true, false];
    let ranking = Ranking::new(&labels, &[0.9, 0.8, 0.3, 0.1], None).unwrap();

    let roc = ranking.roc_curve(CurvePoints::All).unwrap();
    let json = serde_json::to_string(&roc).unwrap();
    assert!(json.contains("\"thresholds\":[null,0.9,"));
    assert_eq!(serde_json::from_str::<RocCurve>(&json).unwrap(), roc);

    let goal = ThresholdGoal::MinCost(Costs::default().false_positive(100.0).true_positive(3.0));
    let json = serde_json::to_string(&goal).unwrap();
    assert_eq!(serde_json::from_str::<ThresholdGoal>(&json).unwrap(), goal);

    let choice = ranking.best_threshold(&goal).unwrap();
    assert!(choice.threshold.is_infinite());
    let json = serde_json::to_string(&choice).unwrap();
    assert_eq!(
        serde_json::from_str::<ThresholdChoice>(&json).unwrap(),
        choice
    );
}
