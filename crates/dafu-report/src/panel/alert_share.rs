//! How many alerts a threshold makes: what a run without labels can choose by.

use crate::ink::{BLUE, ORANGE, SOFT, TEXT};
use crate::number;
use crate::plot::{AxisSpec, Plot, SMALL, Swatch, heading, legend, notice};
use crate::scale::{Scale, Tick};
use crate::scene::{Area, Mark, Scene, Stroke, Text, Weight, fit};
use dafu_core::Evaluation;

pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Alerts by threshold");
    let histogram = &evaluation.histogram;
    let parts = [
        &histogram.legitimate,
        &histogram.fraud,
        &histogram.unlabelled,
    ];
    let bins = parts.iter().map(|part| part.len()).max().unwrap_or(0);
    let count = |bin: usize| {
        let counts = parts.iter().filter_map(|part| part.get(bin));
        counts.fold(0.0, |sum, count| sum + *count as f64)
    };
    let total = (0..bins).map(count).sum::<f64>();
    if total <= 0.0 {
        notice(scene, area, "no rows were judged");
        return;
    }
    let curve = Stroke::solid(BLUE, 2.2);
    let entries = [
        (Swatch::Line(curve), "share of rows at or above".to_owned()),
        (
            Swatch::Mark(Mark::Diamond, 5.5, TEXT),
            "threshold".to_owned(),
        ),
        (
            Swatch::Mark(Mark::Triangle, 5.0, ORANGE),
            "share that training promised".to_owned(),
        ),
    ];
    let expected = evaluation
        .thresholds
        .iter()
        .any(|one| one.expected_alert_share.is_some());
    let used = legend(scene, area, &entries[..if expected { 3 } else { 2 }]);
    let area = area.inset(0.0, used, 0.0, 0.0);
    let least = 1.0 / total;
    let bottom = least.max(1e-7) / 1.5;
    let scale = Scale::log(bottom, 1.0);
    let ticks = scale.ticks(6).into_iter().map(|tick| Tick {
        label: tick
            .label
            .parse()
            .map_or(tick.label.clone(), number::percent),
        ..tick
    });
    let x = AxisSpec::new(Scale::linear(0.0, 1.0), "risk threshold");
    let y = AxisSpec::new(scale, "share of rows alerted (log scale)").with_ticks(ticks.collect());
    let plot = Plot::frame(scene, area, &x, &y);
    let mut above = 0.0;
    let mut points = Vec::with_capacity(bins + 1);
    let stride = bins.div_ceil(400).max(1);
    for bin in (0..bins).rev() {
        above += count(bin);
        if above > 0.0 && bin % stride == 0 {
            points.push(plot.at(bin as f64 / bins as f64, above / total));
        }
    }
    scene.polyline(points, curve);
    draw_thresholds(scene, &plot, evaluation);
}

fn draw_thresholds(scene: &mut Scene, plot: &Plot, evaluation: &Evaluation) {
    let days = evaluation.days.len();
    let mut order = (0..evaluation.thresholds.len()).collect::<Vec<_>>();
    order.sort_by_key(|index| *index != evaluation.chosen);
    let mut labels: Vec<Area> = Vec::new();
    for index in order.into_iter().take(8) {
        let threshold = &evaluation.thresholds[index];
        let at = plot.at(threshold.risk, threshold.alert_share);
        if let Some(expected) = threshold.expected_alert_share {
            let there = plot.at(threshold.risk, expected);
            scene.line(at, there, Stroke::dashed(SOFT, 1.0, 2.0, 2.0));
            scene.marks(Mark::Triangle, vec![there], 5.0, ORANGE);
        }
        scene.marks(Mark::Diamond, vec![at], 5.5, TEXT);
        let chosen = index == evaluation.chosen;
        let weight = if chosen {
            Weight::Bold
        } else {
            Weight::Regular
        };
        let name = fit(&threshold.name, SMALL, weight, 130.0);
        let mut label = format!("{name}: {}", number::percent(threshold.alert_share));
        if days > 1 {
            let daily = number::si(threshold.alerts as f64 / days as f64);
            label = format!("{label}, {daily} a day");
        }
        let text = Text::new(0.0, 0.0, label).size(SMALL);
        let text = if chosen { text.bold() } else { text.ink(SOFT) };
        let room = text.width();
        let right = at.0 + 12.0 + room <= plot.area.right();
        let x = if right {
            at.0 + 12.0
        } else {
            (at.0 - 12.0 - room).max(plot.area.x)
        };
        // Moved up until it stands clear of the labels before it.
        let free = (0..40).map(|step| {
            let lift = f64::from(step / 2 + step % 2) * 8.0;
            at.1 + if step % 2 == 0 { -lift } else { lift }
        });
        let inside = |y: &f64| *y > plot.area.y + 12.0 && *y < plot.area.bottom() - 6.0;
        let spot = free
            .filter(inside)
            .map(|y| Area::new(x, y - 10.0, room, 14.0))
            .find(|spot| {
                labels.iter().all(|other| {
                    spot.right() < other.x
                        || other.right() < spot.x
                        || spot.bottom() <= other.y
                        || other.bottom() <= spot.y
                })
            });
        if let Some(spot) = spot {
            scene.text(Text {
                x,
                y: spot.y + 13.0,
                ..text
            });
            labels.push(spot);
        }
    }
}
