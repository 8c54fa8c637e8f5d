//! Rows over the two most telling features.

use crate::ink::{GREEN, Ink, ORANGE, SKY, SOFT, VERMILLION};
use crate::number;
use crate::plot::{AxisSpec, Plot, SMALL, Swatch, heading, legend, notice};
use crate::scale::Scale;
use crate::scene::{Area, Mark, Scene, Text, Weight, fit};
use dafu_core::Label;
use dafu_core::evaluation::{Axis, Scatter, ScatterPoint};

struct Kind {
    name: &'static str,
    mark: Mark,
    size: f64,
    ink: Ink,
    holds: fn(&ScatterPoint) -> bool,
}

/// In paint order: what matters most lies on top.
const KINDS: [Kind; 6] = [
    Kind {
        name: "no alert",
        mark: Mark::Dot,
        size: 1.9,
        ink: SKY,
        holds: |point| !point.alert && point.label == Label::Legitimate,
    },
    Kind {
        name: "no alert, unlabelled",
        mark: Mark::Dot,
        size: 1.9,
        ink: GREEN,
        holds: |point| !point.alert && point.label == Label::Unknown,
    },
    Kind {
        name: "alert, unlabelled",
        mark: Mark::Triangle,
        size: 4.4,
        ink: VERMILLION,
        holds: |point| point.alert && point.label == Label::Unknown,
    },
    Kind {
        name: "false alert",
        mark: Mark::Triangle,
        size: 4.0,
        ink: ORANGE,
        holds: |point| point.alert && point.label == Label::Legitimate,
    },
    Kind {
        name: "fraud caught",
        mark: Mark::Diamond,
        size: 4.6,
        ink: VERMILLION,
        holds: |point| point.alert && point.label == Label::Fraud,
    },
    Kind {
        name: "fraud missed",
        mark: Mark::Cross,
        size: 3.6,
        ink: Ink {
            rgb: 0x00_00_00,
            opacity: 1.0,
        },
        holds: |point| !point.alert && point.label == Label::Fraud,
    },
];

fn label(axis: &Axis, room: f64) -> String {
    let unit = match (axis.unit.as_str(), axis.logarithmic) {
        ("", false) => String::new(),
        ("", true) => " (log scale)".to_owned(),
        (unit, false) => format!(" ({unit})"),
        (unit, true) => format!(" ({unit}, log scale)"),
    };
    let unit = fit(&unit, 12.0, Weight::Regular, room * 0.4);
    let used = crate::scene::width(&unit, 12.0, Weight::Regular);
    fit(&axis.name, 12.0, Weight::Regular, room - used) + &unit
}

pub(crate) fn draw(scene: &mut Scene, area: Area, scatter: &Scatter) {
    let area = heading(scene, area, "Rows over the two most telling features");
    let points = scatter
        .points
        .iter()
        .filter(|point| point.x.is_finite() && point.y.is_finite())
        .collect::<Vec<_>>();
    if points.is_empty() {
        notice(scene, area, "no row has both values");
        return;
    }
    let share = [&scatter.x, &scatter.y].map(|axis| number::percent(axis.importance));
    let note = format!(
        "they make {} (across) and {} (up) of what moves alerts; a sample of {} rows",
        share[0],
        share[1],
        number::count(scatter.points.len() as u64)
    );
    let text = Text::new(area.x, area.y + 8.0, note).size(SMALL).ink(SOFT);
    scene.text(text.fit(area.width));
    let area = area.inset(0.0, 16.0, 0.0, 0.0);
    let kinds = KINDS
        .iter()
        .filter(|kind| points.iter().any(|point| (kind.holds)(point)))
        .collect::<Vec<_>>();
    let entries = kinds
        .iter()
        .map(|kind| {
            (
                Swatch::Mark(kind.mark, kind.size.max(3.0), kind.ink),
                kind.name.to_owned(),
            )
        })
        .collect::<Vec<_>>();
    let used = legend(scene, area, &entries);
    let area = area.inset(0.0, used, 0.0, 0.0);
    let values =
        |of: fn(&ScatterPoint) -> f64| points.iter().map(|point| of(point)).collect::<Vec<_>>();
    let x = Scale::around(&values(|point| point.x), scatter.x.logarithmic);
    let y = Scale::around(&values(|point| point.y), scatter.y.logarithmic);
    let x = AxisSpec::new(x, label(&scatter.x, area.width - 80.0));
    let y = AxisSpec::new(y, label(&scatter.y, area.height - 60.0));
    let plot = Plot::frame(scene, area, &x, &y);
    for kind in kinds {
        let at = points
            .iter()
            .filter(|point| (kind.holds)(point))
            .map(|point| plot.at(point.x, point.y))
            .collect();
        scene.marks(kind.mark, at, kind.size, kind.ink);
    }
}
