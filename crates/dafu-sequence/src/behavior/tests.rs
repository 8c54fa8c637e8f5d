//! What analyzers say where their networks have no answer.

use super::{AnomalyParams, BehaviorParams, UserBehaviorAnalyzer};
use crate::network::{Cell, Weights};
use crate::stream::StreamParams;
use crate::{NextEventModel, SequenceError};
use dafu_core::{BehaviorEvent, Timestamp};

fn behavior(users: usize) -> Vec<BehaviorEvent> {
    let event = |number: usize| BehaviorEvent {
        user_id: format!("user-{}", number / 6).parse().unwrap(),
        timestamp: Timestamp::from_seconds(i64::try_from(number * 60).unwrap()).unwrap(),
        action_type: ["login", "purchase"][number % 2].parse().unwrap(),
        device_id: None,
        location: None,
        amount: None,
        extras: std::collections::BTreeMap::new(),
    };
    (0..6 * users).map(event).collect()
}

#[test]
fn weights_that_are_too_large_make_no_history_normal() {
    let records = behavior(40);
    let params = BehaviorParams::default();
    let model = params.model.clone().cell(Cell::Lstm);
    let model = model.hidden_units(4).epochs(1);
    let analyzer = params.model(model).fit(&records, None).unwrap();
    // All units near 1, and all log odds beyond 32 bits.
    let config = analyzer.model().config();
    let weights = analyzer.model().weights();
    let mut numbers = weights.numbers().to_vec();
    for parameter in weights.layout().parameters() {
        let weights = &mut numbers[parameter.range.clone()];
        if parameter.name.contains("head") {
            weights.fill(f32::MAX);
        } else if parameter.name.contains("bias") {
            weights.fill(50.0);
        }
    }
    let weights = Weights::new(config, numbers).unwrap();
    let model = NextEventModel::from_weights(config, &weights).unwrap();
    let (encoder, calibration) = (analyzer.encoder.clone(), analyzer.calibration.clone());
    let broken = UserBehaviorAnalyzer::from_parts(encoder, model, calibration).unwrap();

    let is_named = |error: SequenceError| {
        let what = "surprise";
        assert!(
            matches!(error, SequenceError::NotANumber { what: got, .. } if got == what),
            "{error}"
        );
    };
    let all = AnomalyParams::default().threshold(0.0);
    let found = |analyzer: &UserBehaviorAnalyzer| {
        let found = analyzer.detect_behavioral_anomalies(&records, &all);
        found.map(|anomalies| anomalies.len())
    };
    assert_eq!(found(&analyzer), Ok(40));
    is_named(found(&broken).unwrap_err());
    let mut stream = broken.stream(&StreamParams::default()).unwrap();
    let mut answers = records.iter().map(|record| stream.score(record));
    is_named(answers.find_map(Result::err).unwrap());
}
