//! Reliability diagram: what probabilities say, and how many frauds there were.

use crate::ink::SOFT;
use crate::plot::{AxisSpec, Plot, Swatch, heading, legend, notice, series, series_mark};
use crate::scale::Scale;
use crate::scene::{Area, Scene, Stroke};
use dafu_core::metrics::{Calibration, CalibrationBin, share_interval};

const MARK: f64 = 5.0;
/// Lowest share that an axis begins with.
const LOWEST: f64 = 1e-6;

/// One point a bin, with the interval of its share of frauds. Axes are logarithmic: where frauds are rare, so are high
/// probabilities.
pub(crate) fn draw(scene: &mut Scene, area: Area, calibrations: &[(&str, &Calibration)]) {
    let area = heading(scene, area, "Reliability of probabilities");
    let bins = || {
        let all = calibrations.iter().map(|(_, calibration)| calibration);
        all.flat_map(|calibration| calibration.bins.iter().filter(|bin| is_drawn(bin)))
    };
    let shares = bins().flat_map(|bin| [bin.mean_predicted, bin.observed]);
    let Some(lowest) = shares.filter(|share| *share > 0.0).min_by(f64::total_cmp) else {
        notice(scene, area, "no bin with a probability or a fraud");
        return;
    };
    let right = Stroke::dashed(SOFT, 1.2, 4.0, 4.0);
    let mut entries: Vec<_> = calibrations
        .iter()
        .enumerate()
        .map(|(number, (name, _))| {
            let mark = Swatch::Mark(series_mark(number), MARK, series(number).ink);
            (mark, (*name).to_owned())
        })
        .collect();
    entries.push((Swatch::Line(right), "as many as said".to_owned()));
    let used = legend(scene, area, &entries);
    let area = area.inset(0.0, used, 0.0, 0.0);
    // Whole decades, one at least.
    let lowest = 10_f64.powf(lowest.max(LOWEST).log10().floor()).min(0.1);
    let axis = |label: &str| AxisSpec::new(Scale::log(lowest, 1.0), label);
    let x = axis("mean probability of fraud in the bin");
    let y = axis("share of frauds, with 95 % interval");
    let plot = Plot::frame(scene, area, &x, &y);
    scene.polyline(vec![plot.at(lowest, lowest), plot.at(1.0, 1.0)], right);
    for (number, (_, calibration)) in calibrations.iter().enumerate() {
        let ink = series(number).ink;
        let mut points = Vec::new();
        for bin in calibration.bins.iter().filter(|bin| is_drawn(bin)) {
            let at = |share| plot.at(bin.mean_predicted, share);
            let (low, high) = share_interval(bin.observed, bin.weight);
            scene.line(at(low), at(high), Stroke::solid(ink.faded(0.6), 1.2));
            points.push(at(bin.observed));
        }
        scene.marks(series_mark(number), points, MARK, ink);
    }
}

fn is_drawn(bin: &CalibrationBin) -> bool {
    bin.mean_predicted.is_finite() && bin.observed.is_finite() && bin.weight > 0.0
}
