//! An isolation forest with nothing but `dafu-iforest` and `ndarray`: fit, thresholds, scores, reasons.
//!
//! Run: `cargo run --release --example embed_iforest`
//!
//! Expected output: `examples/expected/embed_iforest.txt`. The numbers are the same on every machine.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use dafu_iforest::{IsolationForestError, IsolationForestParams, Score};
use ndarray::{Array2, Axis};

const NAMES: [&str; 4] = ["amount", "hour", "km from home", "minutes since last"];

/// Card payments of ordinary customers, and at the end 30 with stolen cards.
fn payments() -> Array2<f64> {
    // A small multiplicative generator: the example needs no crate for that.
    let mut state = 2024_u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let mut rows = Array2::from_shape_simple_fn((5000, 4), || 0.0);
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let bell = uniform() + uniform() + uniform();
        row[0] = (20.0 + 30.0 * bell).round();
        row[1] = 8.0 + (14.0 * uniform()).floor();
        row[2] = (12.0 * uniform() * uniform()).round();
        row[3] = (30.0 + 2000.0 * uniform()).round();
    }
    // Stolen cards: at night, far away, in quick succession, and one of three also spends a lot.
    for (at, mut row) in rows.axis_iter_mut(Axis(0)).rev().take(30).enumerate() {
        row[0] = if at % 3 == 0 {
            400.0 + (600.0 * uniform()).round()
        } else {
            row[0]
        };
        row[1] = (6.0 * uniform()).floor();
        row[2] = 500.0 + (4000.0 * uniform()).round();
        row[3] = (10.0 * uniform()).round();
    }
    rows
}

fn main() -> Result<(), IsolationForestError> {
    let rows = payments();

    // One fit, one threshold for each share of payments that somebody can look at.
    let forest = IsolationForestParams::default()
        .contamination([0.002, 0.006, 0.05])
        .seed(7)
        .fit(rows.view())?;
    println!(
        "{} trees of {} payments each",
        forest.tree_count(),
        forest.sample_size()
    );
    println!("level   score above  flagged of {}", rows.nrows());
    for level in forest.thresholds() {
        println!(
            "{:<7} {:>11.4} {:>8}",
            level.contamination(),
            level.threshold().get(),
            level.flagged()
        );
    }

    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores)?;
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));

    let found = order
        .iter()
        .take(30)
        .filter(|&&at| at >= rows.nrows() - 30)
        .count();
    println!("\n{found} of the 30 stolen cards are among the 30 highest scores");

    println!("\nThe five highest scores, and what raised them most:");
    let mut contributions = [0.0; 4];
    for &at in order.iter().take(5) {
        let row = rows.row(at).to_vec();
        forest.explain_row(&row, &mut contributions)?;
        let mut strongest = 0;
        for feature in 1..NAMES.len() {
            if contributions[feature] > contributions[strongest] {
                strongest = feature;
            }
        }
        println!(
            "payment {at}  score {:.4}  {} = {}",
            scores[at], NAMES[strongest], row[strongest]
        );
    }

    let new = [52.0, 3.0, 2600.0, 5.0];
    let score: Score = forest.score_row(&new)?;
    println!(
        "\nA payment that comes later, {new:?}: score {:.4}",
        score.get()
    );
    for level in forest.thresholds() {
        let verdict = if level.is_anomaly(score) {
            "look at it"
        } else {
            "let it pass"
        };
        println!("at {}: {verdict}", level.contamination());
    }
    Ok(())
}
