//! The confusion matrix at the chosen threshold.

use crate::ink::{BLUE, Ink, SOFT, VERMILLION};
use crate::number;
use crate::plot::{SMALL, heading, notice};
use crate::scene::{Area, Scene, Text, Weight, fit};
use dafu_core::Evaluation;
use dafu_core::metrics::Confusion;

pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let chosen = evaluation.chosen_threshold();
    let name = chosen.map_or("no threshold", |threshold| &threshold.name);
    let name = fit(name, 15.0, Weight::Bold, area.width - 190.0);
    let area = heading(scene, area, &format!("Confusion matrix at {name}"));
    let Some((threshold, confusion)) = chosen.and_then(|threshold| {
        threshold
            .confusion
            .as_ref()
            .map(|counts| (threshold, counts))
    }) else {
        notice(scene, area, "needs labels");
        return;
    };
    let risk = number::ratio(threshold.risk);
    let kind = if evaluation.labelled < evaluation.rows {
        "labelled rows"
    } else {
        "rows"
    };
    let note = format!(
        "{} {kind}; alert from risk {risk} on",
        number::weight(confusion.total())
    );
    scene.text(Text::new(area.x, area.y + 8.0, note).size(SMALL).ink(SOFT));
    let area = area.inset(0.0, 22.0, 0.0, 8.0);
    let side = 130.0;
    cells(scene, area.inset(0.0, 0.0, side + 14.0, 24.0), confusion);
    metrics(
        scene,
        Area::new(area.right() - side, area.y, side, area.height),
        confusion,
    );
    let mut amounts = Vec::new();
    let currency = evaluation.currency.as_deref();
    if let Some(amount) = threshold.amount_alerted {
        amounts.push(format!(
            "amount in alerts {}",
            number::amount(amount, currency)
        ));
    }
    if let Some(amount) = threshold.fraud_amount_caught {
        amounts.push(format!("of it fraud {}", number::amount(amount, currency)));
    }
    let text = Text::new(area.x, area.bottom(), amounts.join(", "))
        .size(SMALL)
        .ink(SOFT);
    scene.text(text.fit(area.width));
}

fn cells(scene: &mut Scene, area: Area, confusion: &Confusion) {
    let head = 22.0;
    let names = 76.0;
    let gap = 4.0;
    let (width, height) = (
        (area.width - names - gap) / 2.0,
        (area.height - head - gap) / 2.0,
    );
    let rows = [
        (
            "fraud",
            confusion.positives(),
            [
                ("caught", confusion.true_positives, BLUE),
                ("missed", confusion.false_negatives, VERMILLION),
            ],
        ),
        (
            "legitimate",
            confusion.negatives(),
            [
                ("false alerts", confusion.false_positives, VERMILLION),
                ("let through", confusion.true_negatives, BLUE),
            ],
        ),
    ];
    for (column, title) in ["alert", "no alert"].into_iter().enumerate() {
        let x = area.x + names + column as f64 * (width + gap) + width / 2.0;
        scene.text(Text::new(x, area.y + 13.0, title).bold().middle());
    }
    for (row, (name, total, cells)) in rows.into_iter().enumerate() {
        let y = area.y + head + row as f64 * (height + gap);
        let middle = y + height / 2.0;
        scene.text(Text::new(area.x, middle, name).bold());
        let total_text = Text::new(area.x, middle + 16.0, number::weight(total)).size(SMALL);
        scene.text(total_text.ink(SOFT));
        for (column, (what, count, ink)) in cells.into_iter().enumerate() {
            let x = area.x + names + column as f64 * (width + gap);
            let share = if total > 0.0 { count / total } else { 0.0 };
            cell(
                scene,
                Area::new(x, y, width, height),
                (what, count, share),
                ink,
            );
        }
    }
}

fn cell(scene: &mut Scene, area: Area, (what, count, share): (&str, f64, f64), ink: Ink) {
    // The share decides the shade.
    let ground = ink.tint(0.08 + 0.92 * share.clamp(0.0, 1.0));
    scene.rounded(area, 4.0, ground);
    let ink = ground.text_on();
    let x = area.x + area.width / 2.0;
    let y = area.y + area.height / 2.0;
    let count = Text::new(x, y - 4.0, number::weight(count))
        .size(24.0)
        .bold()
        .ink(ink);
    let count = if count.width() > area.width - 12.0 {
        count.size(17.0)
    } else {
        count
    };
    scene.text(count.middle());
    let share = format!("{} of row", number::percent(share));
    scene.text(Text::new(x, y + 18.0, share).size(13.0).ink(ink).middle());
    scene.text(Text::new(x, y + 36.0, what).size(SMALL).ink(ink).middle());
}

fn metrics(scene: &mut Scene, area: Area, confusion: &Confusion) {
    let per_fraud = confusion.false_alerts_per_fraud();
    let rows = [
        ("precision", number::percent(confusion.precision())),
        ("recall", number::percent(confusion.recall())),
        ("F1", number::ratio(confusion.f1())),
        ("MCC", number::ratio(confusion.mcc())),
        (
            "false alerts per fraud",
            if per_fraud.is_finite() {
                number::factor(per_fraud)
            } else {
                "-".to_owned()
            },
        ),
    ];
    let step = 46.0_f64.min(area.height / rows.len() as f64);
    for (index, (name, value)) in rows.into_iter().enumerate() {
        let y = area.y + 12.0 + index as f64 * step;
        let name = Text::new(area.x, y, name).size(SMALL).ink(SOFT);
        scene.text(name.fit(area.width));
        scene.text(Text::new(area.x, y + 20.0, value).size(18.0).bold());
    }
}
