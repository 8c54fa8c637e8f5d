//! Precision-recall curves of several models.

use super::curves::{steps, unit_axis};
use crate::ink::SOFT;
use crate::number;
use crate::plot::{Plot, Swatch, heading, legend, notice, series};
use crate::scene::{Area, Scene, Stroke};
use dafu_core::evaluation::CurvePoint;
use dafu_core::metrics::PrecisionRecallCurve;

/// One curve a model, and the precision of alerts at random.
pub(crate) fn draw(
    scene: &mut Scene,
    area: Area,
    curves: &[(&str, &PrecisionRecallCurve)],
    prevalence: f64,
) {
    let area = heading(scene, area, "Precision and recall");
    if curves.is_empty() {
        notice(scene, area, "no model was judged");
        return;
    }
    let chance = Stroke::dashed(SOFT, 1.2, 4.0, 4.0);
    let mut entries: Vec<_> = curves
        .iter()
        .enumerate()
        .map(|(number, (name, _))| (Swatch::Line(series(number)), (*name).to_owned()))
        .collect();
    let at_random = format!("chance {}", number::ratio(prevalence));
    entries.push((Swatch::Line(chance), at_random));
    let used = legend(scene, area, &entries);
    let area = area.inset(0.0, used, 0.0, 0.0);
    let plot = Plot::frame(scene, area, &unit_axis("recall"), &unit_axis("precision"));
    let base = vec![plot.at(0.0, prevalence), plot.at(1.0, prevalence)];
    scene.polyline(base, chance);
    // The first stands on top.
    for (number, (_, curve)) in curves.iter().enumerate().rev() {
        let places = curve.recall.iter().zip(&curve.precision);
        let points: Vec<CurvePoint> = places.map(|(&x, &y)| CurvePoint { x, y }).collect();
        scene.polyline(steps(&plot, &points), series(number));
    }
}
