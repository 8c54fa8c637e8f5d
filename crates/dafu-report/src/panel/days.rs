//! Alerts and fraud over time.

use crate::ink::{BLUE, GREEN, ORANGE, SKY, VERMILLION};
use crate::number;
use crate::plot::{AxisSpec, Plot, Swatch, heading, legend, notice};
use crate::scale::{Scale, Tick};
use crate::scene::{Area, Mark, Scene, Stroke};
use dafu_core::evaluation::DayReport;
use dafu_core::{Evaluation, Timestamp};

/// Most bars; more days are joined.
const MOST_BARS: i64 = 120;

/// Days joined to one bar.
#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    first: i64,
    alerts: u64,
    frauds: u64,
    caught: u64,
}

fn bars(days: &[DayReport]) -> (Vec<Bar>, i64) {
    let numbers = days.iter().map(|day| day.day.day());
    let (Some(first), Some(last)) = (numbers.clone().min(), numbers.max()) else {
        return (Vec::new(), 1);
    };
    let span = last - first + 1;
    let length = [1, 7, 14, 28, 91, 365, 3650]
        .into_iter()
        .find(|length| span <= MOST_BARS * length)
        .unwrap_or(span / MOST_BARS + 1);
    let mut bars = Vec::<Bar>::new();
    let mut days = days.to_vec();
    days.sort_by_key(|day| day.day);
    for day in days {
        let start = first + (day.day.day() - first) / length * length;
        if bars.last().is_none_or(|bar| bar.first != start) {
            bars.push(Bar {
                first: start,
                ..Bar::default()
            });
        }
        if let Some(bar) = bars.last_mut() {
            bar.alerts = bar.alerts.saturating_add(day.alerts);
            bar.frauds = bar.frauds.saturating_add(day.frauds);
            bar.caught = bar.caught.saturating_add(day.caught);
        }
    }
    (bars, length)
}

fn date(day: i64) -> String {
    let start = Timestamp::from_seconds(day.saturating_mul(86_400));
    start.map_or_else(|_| String::new(), Timestamp::date)
}

pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Alerts over time, at the chosen threshold");
    let (bars, length) = bars(&evaluation.days);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        notice(scene, area, "rows have no times");
        return;
    };
    let labelled = evaluation.labelled > 0;
    let per = match length {
        1 => "per day (UTC)".to_owned(),
        7 => "per week".to_owned(),
        days => format!("per {} days", number::count(days.unsigned_abs())),
    };
    let fraud = Stroke::solid(VERMILLION, 1.6);
    let outline = Stroke::solid(BLUE, 1.0);
    let entries = if labelled {
        vec![
            (
                Swatch::Patch(ORANGE, outline),
                format!("false or unlabelled alerts {per}"),
            ),
            (Swatch::Patch(BLUE, outline), "fraud caught".to_owned()),
            (
                Swatch::Mark(Mark::Dot, 3.4, VERMILLION),
                "all fraud".to_owned(),
            ),
        ]
    } else {
        vec![(
            Swatch::Patch(SKY, Stroke::solid(GREEN, 1.0)),
            format!("alerts {per}"),
        )]
    };
    let used = legend(scene, area, &entries);
    let area = area.inset(0.0, used, 0.0, 0.0);
    let most = bars
        .iter()
        .map(|bar| bar.alerts.max(bar.frauds))
        .max()
        .unwrap_or(0);
    let count = (last.first - first.first) / length + 1;
    let ticks = (0..count).map(|index| Tick {
        at: (index as f64 + 0.5) / count as f64,
        label: date(first.first + index * length),
    });
    let x = AxisSpec::new(Scale::linear(0.0, count as f64), "").with_ticks(ticks.collect());
    let y = AxisSpec::new(
        Scale::linear(0.0, most.max(1) as f64 * 1.05),
        format!("rows {per}"),
    );
    let plot = Plot::frame(scene, area, &x, &y);
    let mut line = Vec::with_capacity(bars.len());
    for bar in &bars {
        let index = ((bar.first - first.first) / length) as f64;
        let (left, right) = (plot.x(index + 0.12), plot.x(index + 0.88));
        let mut block = |from: u64, to: u64, ink| {
            let (bottom, top) = (plot.y(from as f64), plot.y(to as f64));
            if bottom - top > 0.05 {
                scene.fill(Area::new(left, top, right - left, bottom - top), ink);
            }
        };
        if labelled {
            block(0, bar.caught, BLUE);
            block(bar.caught, bar.alerts, ORANGE);
        } else {
            block(0, bar.alerts, SKY);
        }
        line.push(plot.at(index + 0.5, bar.frauds as f64));
    }
    if labelled {
        scene.polyline(line.clone(), fraud);
        scene.marks(Mark::Dot, line, 2.4, VERMILLION);
    }
}
