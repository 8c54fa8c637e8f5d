//! Rows and amounts by band of risk.

use crate::ink::{BLUE, GRID, Ink, ORANGE, SKY, SOFT, TEXT, VERMILLION};
use crate::number;
use crate::plot::{SMALL, heading, notice};
use crate::scene::{Area, Scene, Stroke, Text};
use dafu_core::{Evaluation, RiskBand};

fn ink(band: RiskBand) -> Ink {
    match band {
        RiskBand::Low => SKY,
        RiskBand::Medium => BLUE,
        RiskBand::High => ORANGE,
        RiskBand::Critical => VERMILLION,
    }
}

pub(crate) fn draw(scene: &mut Scene, area: Area, evaluation: &Evaluation) {
    let area = heading(scene, area, "Rows by band of risk");
    let bands = &evaluation.bands;
    if bands.is_empty() {
        notice(scene, area, "no bands were counted");
        return;
    }
    let total = bands
        .iter()
        .fold(0_u64, |sum, band| sum.saturating_add(band.rows));
    let amounts = bands.iter().filter_map(|band| band.amount).sum::<f64>();
    let note = if bands.iter().any(|band| band.amount.is_some()) {
        "bars from 0 to 100 %: share of rows, and thin below it share of amount"
    } else {
        "bars from 0 to 100 %: share of rows"
    };
    scene.text(Text::new(area.x, area.y + 8.0, note).size(SMALL).ink(SOFT));
    let area = area.inset(0.0, 22.0, 0.0, 8.0);
    let names = 92.0;
    let step = (area.height / bands.len() as f64).min(96.0);
    for (index, band) in bands.iter().enumerate() {
        let y = area.y + index as f64 * step;
        let bar = (step * 0.25).min(22.0);
        let thin = (step * 0.1).min(8.0);
        scene.text(
            Text::new(area.x, y + 13.0, band.band.name())
                .size(13.0)
                .bold(),
        );
        let from = format!("risk from {}", number::si(band.lower));
        scene.text(Text::new(area.x, y + 29.0, from).size(SMALL).ink(SOFT));
        let lane = Area::new(area.x + names, y, area.width - names, bar + thin + 2.0);
        scene.fill(lane, GRID.faded(0.6));
        let ink = ink(band.band);
        let mut stripe = |y: f64, height: f64, share: f64, ink: Ink| {
            let least = if share > 0.0 { 1.5 } else { 0.0 };
            let width = (lane.width * share.clamp(0.0, 1.0)).max(least);
            scene.fill(Area::new(lane.x, y, width, height), ink);
        };
        let share = if total == 0 {
            0.0
        } else {
            band.rows as f64 / total as f64
        };
        stripe(y, bar, share, ink);
        let part = band
            .amount
            .filter(|_| amounts > 0.0)
            .map_or(0.0, |amount| amount / amounts);
        stripe(y + bar + 2.0, thin, part, ink.tint(0.6));
        scene.line(
            (lane.x, y),
            (lane.x, lane.bottom()),
            Stroke::solid(SOFT, 1.0),
        );
        let rows = format!(
            "{} rows ({})",
            number::count(band.rows),
            number::percent(share)
        );
        let text = Text::new(lane.x + 4.0, lane.bottom() + 16.0, rows)
            .size(13.0)
            .bold();
        let mut x = text.x + text.width() + 14.0;
        scene.text(text);
        let mut notes = Vec::new();
        if let Some(amount) = band.amount {
            let amount = number::amount(amount, evaluation.currency.as_deref());
            notes.push(format!("amount {amount} ({})", number::percent(part)));
        }
        if let Some(frauds) = band.frauds {
            notes.push(format!("{} fraud", number::count(frauds)));
        }
        let mut note = Text::new(x, lane.bottom() + 16.0, notes.join(", "))
            .size(12.0)
            .ink(TEXT);
        if x + note.width() > area.right() {
            x = lane.x + 4.0;
            note = Text {
                x,
                y: lane.bottom() + 31.0,
                ..note
            };
        }
        scene.text(note.fit(area.right() - x));
    }
}
