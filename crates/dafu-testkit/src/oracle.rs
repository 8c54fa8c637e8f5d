//! Metrics computed from their definitions, slowly.

/// Area under the ROC curve by counting pairs: the share of (fraud, honest) pairs in which the fraud has the
/// higher score, ties counting one half. `None` unless both classes are there.
///
/// # Panics
///
/// For NaN, and for inputs of unequal length.
///
/// # Complexity
///
/// O(n^2).
///
/// Source: J. A. Hanley, B. J. `McNeil`, "The Meaning and Use of the Area under a ROC Curve", Radiology 143, 1982.
pub fn auc_by_pairs(scores: &[f64], labels: &[bool]) -> Option<f64> {
    weighted_auc_by_pairs(scores, labels, &vec![1.0; scores.len()])
}

/// As [`auc_by_pairs`], a pair counting the product of its weights. `None` when a class has no weight.
///
/// # Panics
///
/// For NaN, and for inputs of unequal length.
///
/// # Complexity
///
/// O(n^2).
pub fn weighted_auc_by_pairs(scores: &[f64], labels: &[bool], weights: &[f64]) -> Option<f64> {
    check(scores, labels, weights);
    let (mut won, mut all) = (0.0, 0.0);
    for fraud in (0..scores.len()).filter(|&row| labels[row]) {
        for honest in (0..scores.len()).filter(|&row| !labels[row]) {
            let pair = weights[fraud] * weights[honest];
            all += pair;
            if scores[fraud] > scores[honest] {
                won += pair;
            } else if scores[fraud] >= scores[honest] {
                won += pair / 2.0;
            }
        }
    }
    (all > 0.0).then_some(won / all)
}

/// Average precision: the sum over distinct thresholds t, from high to low, of precision(score >= t) times the
/// recall gained at t, each counted anew from all rows. Ties share one threshold, as in scikit-learn.
/// `None` without a fraud.
///
/// # Panics
///
/// For NaN, and for inputs of unequal length.
///
/// # Complexity
///
/// O(n^2).
pub fn naive_average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    naive_weighted_average_precision(scores, labels, &vec![1.0; scores.len()])
}

/// As [`naive_average_precision`], rows counting their weights. `None` when no fraud has weight.
///
/// # Panics
///
/// For NaN, and for inputs of unequal length.
///
/// # Complexity
///
/// O(n^2).
pub fn naive_weighted_average_precision(
    scores: &[f64],
    labels: &[bool],
    weights: &[f64],
) -> Option<f64> {
    check(scores, labels, weights);
    let weight_of = |keep: &dyn Fn(usize) -> bool| -> f64 {
        (0..scores.len())
            .filter(|&row| keep(row))
            .map(|row| weights[row])
            .sum()
    };
    let frauds = weight_of(&|row| labels[row]);
    if frauds <= 0.0 {
        return None;
    }
    let mut thresholds = scores.to_vec();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup_by(|a, b| *a >= *b && *b >= *a);
    let (mut sum, mut recall_before) = (0.0, 0.0);
    for threshold in thresholds {
        let flagged = weight_of(&|row| scores[row] >= threshold);
        let hits = weight_of(&|row| scores[row] >= threshold && labels[row]);
        let recall = hits / frauds;
        if flagged > 0.0 {
            sum += (recall - recall_before) * (hits / flagged);
        }
        recall_before = recall;
    }
    Some(sum)
}

fn check(scores: &[f64], labels: &[bool], weights: &[f64]) {
    assert_eq!(scores.len(), labels.len(), "one label a score");
    assert_eq!(scores.len(), weights.len(), "one weight a score");
    assert!(
        !scores.iter().chain(weights).any(|x| x.is_nan()),
        "NaN has no rank"
    );
}
