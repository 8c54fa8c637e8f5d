//! ROC and precision-recall curves, and what the highest scores hold.

use crate::ink::{BLUE, GRID, SOFT, TEXT, VERMILLION};
use crate::number;
use crate::plot::{AxisSpec, Plot, SMALL, heading, notice};
use crate::scale::Scale;
use crate::scene::{Area, Mark, Scene, Stroke, Text};
use dafu_core::Evaluation;
use dafu_core::evaluation::{CurvePoint, RankingReport, TopK};
use dafu_core::metrics::Confusion;

const TABLE_ROW: f64 = 17.0;

/// Both curves side by side, the table of the highest scores under them.
pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Ranking quality");
    let Some(ranking) = &evaluation.ranking else {
        notice(scene, area, "needs labels of both classes");
        return;
    };
    let top = shown(&ranking.top);
    let table = if top.is_empty() {
        0.0
    } else {
        (top.len() + 1) as f64 * TABLE_ROW + 10.0
    };
    let half = (area.width - 20.0) / 2.0;
    let left = Area::new(area.x, area.y, half, area.height - table);
    let right = Area {
        x: area.x + half + 20.0,
        ..left
    };
    roc(scene, left, ranking, chosen(evaluation));
    precision_recall(scene, right, ranking, chosen(evaluation));
    let below = Area::new(
        area.x,
        area.bottom() - table + 10.0,
        area.width,
        table - 10.0,
    );
    draw_table(scene, below, &top);
}

/// The ROC curve alone.
pub(crate) fn draw_roc(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Receiver operating characteristic");
    match &evaluation.ranking {
        Some(ranking) => roc(scene, area, ranking, chosen(evaluation)),
        None => notice(scene, area, "needs labels of both classes"),
    }
}

/// The precision-recall curve alone.
pub(crate) fn draw_precision_recall(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Precision and recall");
    match &evaluation.ranking {
        Some(ranking) => precision_recall(scene, area, ranking, chosen(evaluation)),
        None => notice(scene, area, "needs labels of both classes"),
    }
}

fn chosen(evaluation: &Evaluation) -> Option<&Confusion> {
    evaluation.chosen_threshold()?.confusion.as_ref()
}

fn caption(scene: &mut Scene, area: Area, strong: &str, soft: &str) -> Area {
    let text = Text::new(area.x, area.y + 12.0, strong).size(13.0).bold();
    let used = text.width();
    scene.text(text);
    let note = Text::new(area.x + used + 8.0, area.y + 12.0, soft)
        .size(SMALL)
        .ink(SOFT);
    scene.text(note.fit(area.width - used - 8.0));
    area.inset(0.0, 20.0, 0.0, 0.0)
}

pub(super) fn unit_axis(label: &str) -> AxisSpec {
    AxisSpec::new(Scale::linear(0.0, 1.0), label)
}

/// Points by recall; among those of equal recall the one with the highest threshold comes first.
fn by_recall(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let mut points = points.to_vec();
    points.retain(|point| point.x.is_finite() && point.y.is_finite());
    if let [first, .., last] = points.as_slice()
        && first.x > last.x
    {
        points.reverse();
    }
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

fn roc(scene: &mut Scene, area: Area, ranking: &RankingReport, chosen: Option<&Confusion>) {
    let auc = format!("ROC AUC {}", number::ratio(ranking.roc_auc));
    let area = caption(scene, area, &auc, "chance 0.5");
    let x = unit_axis("false positive rate");
    let plot = Plot::frame(scene, area, &x, &unit_axis("recall (true positive rate)"));
    let chance = vec![plot.at(0.0, 0.0), plot.at(1.0, 1.0)];
    scene.polyline(chance, Stroke::dashed(SOFT, 1.2, 4.0, 4.0));
    let mut points = ranking.roc.clone();
    points.retain(|point| point.x.is_finite() && point.y.is_finite());
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    let line = points
        .iter()
        .map(|point| plot.at(point.x, point.y))
        .collect::<Vec<_>>();
    let mut under = line.clone();
    under.extend([plot.at(1.0, 0.0), plot.at(0.0, 0.0)]);
    scene.polygon(under, BLUE.faded(0.1));
    scene.polyline(line, Stroke::solid(BLUE, 2.2));
    if let Some(confusion) = chosen {
        let at = plot.at(confusion.false_positive_rate(), confusion.recall());
        operating_point(scene, plot.area, at);
    }
}

/// A precision-recall curve in steps, as average precision sums them: between two recalls the precision of the higher one
/// holds. Of points with equal recall, those in between say nothing: the curve goes straight from the first to the last.
pub(super) fn steps(plot: &Plot, points: &[CurvePoint]) -> Vec<(f64, f64)> {
    let points = by_recall(points);
    let mut line = Vec::with_capacity(2 * points.len());
    for (index, point) in points.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).and_then(|before| points.get(before)) {
            line.push(plot.at(before.x, point.y));
        }
        line.push(plot.at(point.x, point.y));
    }
    line
}

fn precision_recall(
    scene: &mut Scene,
    area: Area,
    ranking: &RankingReport,
    chosen: Option<&Confusion>,
) {
    let precision = format!(
        "Average precision {}",
        number::ratio(ranking.average_precision)
    );
    let chance = format!("chance {}", number::ratio(ranking.prevalence));
    let area = caption(scene, area, &precision, &chance);
    let plot = Plot::frame(scene, area, &unit_axis("recall"), &unit_axis("precision"));
    let base = vec![
        plot.at(0.0, ranking.prevalence),
        plot.at(1.0, ranking.prevalence),
    ];
    scene.polyline(base, Stroke::dashed(SOFT, 1.2, 4.0, 4.0));
    let line = steps(&plot, &ranking.precision_recall);
    let mut under = line.clone();
    under.extend([plot.at(1.0, 0.0), plot.at(0.0, 0.0)]);
    scene.polygon(under, VERMILLION.faded(0.1));
    scene.polyline(line, Stroke::solid(VERMILLION, 2.2));
    if let Some(confusion) = chosen.filter(|confusion| confusion.alerts() > 0.0) {
        let at = plot.at(confusion.recall(), confusion.precision());
        operating_point(scene, plot.area, at);
    }
}

/// Marks the chosen threshold on a curve.
fn operating_point(scene: &mut Scene, area: Area, (x, y): (f64, f64)) {
    scene.marks(Mark::Diamond, vec![(x, y)], 6.0, TEXT);
    let text = Text::new(0.0, 0.0, "chosen threshold").size(SMALL);
    let room = text.width();
    let left = x + 10.0 + room > area.right();
    let x = if left { x - 10.0 - room } else { x + 10.0 };
    let y = if y + 18.0 > area.bottom() {
        y - 8.0
    } else {
        y + 14.0
    };
    scene.text(Text {
        x: x.max(area.x),
        y,
        ..text
    });
}

/// At most four rows of the table: the smallest budgets say most about daily work.
fn shown(top: &[TopK]) -> Vec<TopK> {
    top.iter().take(4).copied().collect()
}

fn draw_table(scene: &mut Scene, area: Area, top: &[TopK]) {
    if top.is_empty() {
        return;
    }
    let columns = [0.0, 0.34, 0.56, 0.78, 1.0].map(|share| area.x + share * area.width);
    let ends = [columns[2], columns[3], columns[4]].map(|x| x - 10.0);
    let mut y = area.y + 11.0;
    scene.text(
        Text::new(columns[0], y, "looking at the")
            .size(SMALL)
            .ink(SOFT),
    );
    for (x, name) in ends.into_iter().zip(["precision", "recall", "lift"]) {
        scene.text(Text::new(x, y, name).size(SMALL).ink(SOFT).end());
    }
    for row in top {
        let line = Stroke::solid(GRID, 1.0);
        scene.line((area.x, y + 5.0), (ends[2], y + 5.0), line);
        y += TABLE_ROW;
        let budget = format!("{} highest scores", number::count(row.k));
        scene.text(Text::new(columns[0], y, budget).size(SMALL));
        let values = [
            number::percent(row.precision),
            number::percent(row.recall),
            number::factor(row.lift),
        ];
        for (x, value) in ends.into_iter().zip(values) {
            scene.text(Text::new(x, y, value).size(SMALL).end());
        }
    }
}
