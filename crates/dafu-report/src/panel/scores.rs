//! Distribution of the risk score by class, with the thresholds.

use crate::ink::{BLUE, GREEN, Ink, SOFT, TEXT, VERMILLION, WHITE};
use crate::number;
use crate::plot::{AxisSpec, Plot, SMALL, Swatch, heading, legend, notice};
use crate::scale::Scale;
use crate::scene::{Area, Scene, Stroke, Text, Weight, fit, width};
use dafu_core::Evaluation;

/// Most bins that a panel shows; more are joined.
const MOST_BINS: usize = 100;
/// Most thresholds that get a label.
const MOST_LABELS: usize = 6;
const LABEL_ROW: f64 = 15.0;

struct Class {
    counts: Vec<u64>,
    name: &'static str,
    stroke: Stroke,
    fill: Ink,
}

/// Joins neighbouring bins, so that at most [`MOST_BINS`] are left; the factor divides the number of bins if it can.
fn joined(counts: &[u64], bins: usize) -> (Vec<u64>, usize) {
    let least = bins.div_ceil(MOST_BINS).max(1);
    let even = (least..=least * 4).find(|factor| bins.is_multiple_of(*factor));
    let factor = even.unwrap_or(least);
    let sums = counts
        .chunks(factor)
        .map(|part| {
            part.iter()
                .fold(0_u64, |sum, count| sum.saturating_add(*count))
        })
        .collect();
    (sums, factor)
}

pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Risk score distribution");
    let histogram = &evaluation.histogram;
    let bins = [
        &histogram.legitimate,
        &histogram.fraud,
        &histogram.unlabelled,
    ]
    .into_iter()
    .map(Vec::len)
    .max()
    .unwrap_or(0);
    let (_, factor) = joined(&[], bins);
    let class = |counts: &[u64], name, stroke: Stroke, opacity| Class {
        counts: joined(counts, bins).0,
        name,
        stroke,
        fill: stroke.ink.faded(opacity),
    };
    let mut classes = vec![
        class(
            &histogram.unlabelled,
            "unlabelled",
            Stroke::solid(GREEN, 1.5),
            0.25,
        ),
        class(
            &histogram.legitimate,
            "legitimate",
            Stroke::solid(BLUE, 1.5),
            0.25,
        ),
        class(
            &histogram.fraud,
            "fraud",
            Stroke::dashed(VERMILLION, 2.0, 5.0, 2.0),
            0.35,
        ),
    ];
    classes.retain(|class| class.counts.iter().any(|count| *count > 0));
    if classes.is_empty() {
        notice(scene, area, "no rows were judged");
        return;
    }
    let total = |class: &Class| {
        let rows = class
            .counts
            .iter()
            .fold(0_u64, |sum, count| sum.saturating_add(*count));
        let name = if evaluation.labelled == 0 {
            "rows"
        } else {
            class.name
        };
        format!("{name} ({})", number::count(rows))
    };
    let entries = classes
        .iter()
        .map(|class| (Swatch::Patch(class.fill, class.stroke), total(class)))
        .collect::<Vec<_>>();
    let used = legend(scene, area, &entries);
    let area = area.inset(0.0, used, 0.0, 0.0);

    let most = classes
        .iter()
        .flat_map(|class| &class.counts)
        .max()
        .copied()
        .unwrap_or(1);
    let top = 10_f64.powi(number::exponent(most as f64)) * 10.0;
    let top = if (most as f64) < top / 4.0 {
        top / 2.0
    } else {
        top
    };
    let x = AxisSpec::new(Scale::linear(0.0, 1.0), "risk score");
    let scale = Scale::log(0.5, top);
    let mut ticks = scale.ticks(6);
    // Half a row is only the foot of the axis.
    ticks.retain(|tick| tick.at > scale.position(0.99));
    let y = AxisSpec::new(scale, "rows per bin (log scale)").with_ticks(ticks);
    let strip = label_rows(evaluation, area) as f64 * LABEL_ROW;
    let plot = Plot::frame(scene, area.inset(0.0, strip, 0.0, 0.0), &x, &y);
    let edge = |index: usize| ((index * factor) as f64 / bins as f64).min(1.0);
    for class in &classes {
        draw_class(scene, &plot, class, edge);
    }
    draw_thresholds(scene, &plot, area.y, evaluation);
}

fn draw_class(scene: &mut Scene, plot: &Plot, class: &Class, edge: impl Fn(usize) -> f64) {
    let base = plot.area.bottom();
    let mut start = 0;
    while start < class.counts.len() {
        let run = class.counts[start..]
            .iter()
            .take_while(|count| **count > 0)
            .count();
        if run == 0 {
            start += 1;
            continue;
        }
        let mut steps = vec![(plot.x(edge(start)), base)];
        for index in start..start + run {
            let y = plot.y(class.counts[index] as f64);
            steps.push((plot.x(edge(index)), y));
            steps.push((plot.x(edge(index + 1)), y));
        }
        steps.push((plot.x(edge(start + run)), base));
        scene.polygon(steps.clone(), class.fill);
        scene.polyline(steps, class.stroke);
        start += run;
    }
}

/// A threshold with its label.
struct Line {
    x: f64,
    label: String,
    chosen: bool,
    row: usize,
}

fn lines(evaluation: &Evaluation, x: impl Fn(f64) -> f64) -> Vec<Line> {
    let mut order = (0..evaluation.thresholds.len()).collect::<Vec<_>>();
    order.sort_by_key(|index| *index != evaluation.chosen);
    order.truncate(MOST_LABELS);
    let mut lines = order
        .into_iter()
        .filter_map(|index| {
            let threshold = evaluation.thresholds.get(index)?;
            let name = fit(&threshold.name, SMALL, Weight::Bold, 150.0);
            Some(Line {
                x: x(threshold.risk),
                label: format!("{name}: {}", number::ratio(threshold.risk)),
                chosen: index == evaluation.chosen,
                row: 0,
            })
        })
        .collect::<Vec<_>>();
    lines.sort_by(|a, b| a.x.total_cmp(&b.x));
    lines
}

/// Rows of labels that the thresholds need above the plot.
fn label_rows(evaluation: &Evaluation, area: Area) -> usize {
    // The plot is not there yet; its final width differs by little and never by a row more than thresholds.
    let plot = area.inset(60.0, 0.0, 10.0, 0.0);
    let mut lines = lines(evaluation, |risk| {
        plot.x + risk.clamp(0.0, 1.0) * plot.width
    });
    place(&mut lines, plot);
    lines.iter().map(|line| line.row + 1).max().unwrap_or(0)
}

fn label_width(line: &Line) -> f64 {
    width(&line.label, SMALL, Weight::Bold) + 10.0
}

/// Whether the labels stand to the left of their lines: where the plot has more room.
fn leftwards(lines: &[Line], plot: Area) -> bool {
    let outside = |left: bool| {
        let over = |line: &Line| {
            let room = if left {
                line.x - plot.x
            } else {
                plot.right() - line.x
            };
            (label_width(line) - room).max(0.0)
        };
        lines.iter().map(over).sum::<f64>()
    };
    outside(true) < outside(false)
}

/// Gives each label the lowest row in which it crosses no other label and no other line. Lines reach up to their
/// labels; labels on the left of their lines are placed from the left, so that a label never meets a higher line.
fn place(lines: &mut [Line], plot: Area) {
    let left = leftwards(lines, plot);
    let count = lines.len();
    for step in 0..count {
        let index = if left { step } else { count - 1 - step };
        let reach = label_width(&lines[index]);
        let here = lines[index].x;
        let placed = if left { 0..index } else { index + 1..count };
        let blocked = lines[placed]
            .iter()
            .filter(|other| (other.x - here).abs() <= reach)
            .map(|other| other.row + 1)
            .max();
        lines[index].row = blocked.unwrap_or(0);
    }
}

fn draw_thresholds(scene: &mut Scene, plot: &Plot, top: f64, evaluation: &Evaluation) {
    let area = plot.area;
    for threshold in &evaluation.thresholds {
        let x = plot.x(threshold.risk);
        let line = Stroke::dashed(SOFT, 1.0, 2.0, 3.0);
        scene.line((x, area.y), (x, area.bottom()), line);
    }
    let mut lines = lines(evaluation, |risk| plot.x(risk));
    place(&mut lines, area);
    let left = leftwards(&lines, area);
    // Plain ones first, so that the chosen one lies on top.
    lines.sort_by_key(|line| line.chosen);
    let ground = |row: usize| (area.y - 4.0 - row as f64 * LABEL_ROW).max(top + SMALL);
    for line in &lines {
        let (from, to) = ((line.x, ground(line.row) - 10.0), (line.x, area.bottom()));
        let stroke = if line.chosen {
            Stroke::solid(TEXT, 1.6)
        } else {
            Stroke::dashed(SOFT, 1.2, 4.0, 3.0)
        };
        scene.line(from, to, stroke);
    }
    for line in &lines {
        let room = label_width(line) - 10.0;
        let start = if left {
            line.x - 5.0 - room
        } else {
            line.x + 5.0
        };
        let start = start.min(area.right() - room).max(area.x);
        let y = ground(line.row);
        scene.fill(Area::new(start - 1.0, y - 10.0, room + 2.0, 13.0), WHITE);
        let text = Text::new(start, y, &*line.label).size(SMALL);
        scene.text(if line.chosen {
            text.bold()
        } else {
            text.ink(SOFT)
        });
    }
}
