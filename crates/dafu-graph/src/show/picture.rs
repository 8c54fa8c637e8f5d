//! A ring as a picture.

use super::export::xml;
use super::kind_words;
use crate::FraudRing;
use dafu_core::EntityKind;
use std::f64::consts::TAU;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const CENTRE: (f64, f64) = (250.0, 270.0);
const OUTER: f64 = 170.0;
const INNER: f64 = 92.0;
/// Things that a picture names at its side, and members whose names fit around the circle, at most.
const NAMED: usize = 24;
const NAMED_MEMBERS: usize = 40;
/// Characters of a member's name: between the circle and the left border is room for ten of the usual width.
const NAME: usize = 10;
const TEXT: &str = "#24292f";
const FAINT: &str = "#57606a";
const FRAUD: &str = "#d55e00";

/// Colours that people with any colour vision tell apart.
///
/// Source: Okabe and Ito, "Color Universal Design" (2008).
const fn colour(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Card => "#0072b2",
        EntityKind::Device => "#009e73",
        EntityKind::Ip => "#cc79a7",
        EntityKind::Address => "#e69f00",
        EntityKind::Email => "#56b4e9",
        _ => "#999999",
    }
}

impl FraudRing {
    /// The ring as an SVG picture: members around, what they share inside, and a line for each use. Members who are known to be
    /// fraud are filled. The same ring gives the same bytes.
    pub fn to_svg(&self) -> String {
        let around = |place: usize, of: usize, radius: f64| {
            let angle = TAU * (place as f64 / of.max(1) as f64) - TAU / 4.0;
            (
                CENTRE.0 + radius * angle.cos(),
                CENTRE.1 + radius * angle.sin(),
            )
        };
        let members: Vec<(f64, f64)> = (0..self.members.len())
            .map(|place| around(place, self.members.len(), OUTER))
            .collect();
        let places = self.thing_places();
        let things: Vec<(f64, f64)> = places
            .iter()
            .map(|place| around(*place, self.shared.len(), INNER))
            .collect();
        let rows = self.shared.len().min(NAMED) + 4;
        let height = (CENTRE.1 + OUTER + 90.0).max(90.0 + 20.0 * rows as f64);
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="system-ui, sans-serif" role="img">"#
        );
        let _ = writeln!(
            svg,
            "<title>Ring {}: {}</title>",
            xml(&self.id),
            xml(&self.explanation)
        );
        let _ = writeln!(
            svg,
            r##"<rect width="{WIDTH}" height="{height:.0}" fill="#ffffff"/>"##
        );
        let heading = format!(
            "{} accounts, {} things in common",
            self.members.len(),
            self.shared.len()
        );
        words(&mut svg, (24.0, 30.0), (15.0, TEXT), "start", &heading);
        let dates = format!(
            "{} to {}, {} payments, score {:.2}",
            self.first_seen.date(),
            self.last_seen.date(),
            self.payments,
            self.score
        );
        words(&mut svg, (24.0, 50.0), (12.0, FAINT), "start", &dates);
        for (thing, at) in self.shared.iter().zip(&things) {
            for member in &thing.used_by {
                let from = members[*member];
                let _ = writeln!(
                    svg,
                    r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{}" stroke-opacity="0.45" stroke-width="1.4"/>"#,
                    from.0,
                    from.1,
                    at.0,
                    at.1,
                    colour(thing.entity.kind)
                );
            }
        }
        self.draw_members(&mut svg, &members);
        self.draw_things(&mut svg, &things);
        svg.push_str("</svg>\n");
        svg
    }

    /// Places of things on their circle: each near the members who use it.
    fn thing_places(&self) -> Vec<usize> {
        let angle = |thing: &crate::SharedEntity| {
            let of = self.members.len() as f64;
            let sums = thing.used_by.iter().fold((0.0, 0.0), |sums, member| {
                let angle = TAU * (*member as f64 / of);
                (sums.0 + angle.cos(), sums.1 + angle.sin())
            });
            let angle = sums.1.atan2(sums.0);
            if angle < 0.0 { angle + TAU } else { angle }
        };
        let angles: Vec<f64> = self.shared.iter().map(angle).collect();
        let mut order: Vec<usize> = (0..self.shared.len()).collect();
        order.sort_by(|one, two| angles[*one].total_cmp(&angles[*two]).then(one.cmp(two)));
        let mut places = vec![0; order.len()];
        for (place, thing) in order.into_iter().enumerate() {
            places[thing] = place;
        }
        places
    }

    fn draw_members(&self, svg: &mut String, members: &[(f64, f64)]) {
        for (key, at) in self.members.iter().zip(members) {
            let known = self.known_fraud.contains(key);
            let fill = if known { FRAUD } else { "#ffffff" };
            let _ = writeln!(
                svg,
                r#"<circle cx="{:.1}" cy="{:.1}" r="7" fill="{fill}" stroke="{TEXT}" stroke-width="1.5"><title>{}</title></circle>"#,
                at.0,
                at.1,
                xml(key.id.as_str())
            );
            if members.len() > NAMED_MEMBERS {
                continue;
            }
            let (x, y) = (at.0 - CENTRE.0, at.1 - CENTRE.1);
            let (anchor, shift) = if x.abs() < 12.0 {
                ("middle", 0.0)
            } else if x > 0.0 {
                ("start", 12.0)
            } else {
                ("end", -12.0)
            };
            let down = if x.abs() < 12.0 {
                y.signum() * 18.0
            } else {
                0.0
            };
            words(
                svg,
                (at.0 + shift, at.1 + down + 4.0),
                (11.0, TEXT),
                anchor,
                &short(key.id.as_str(), NAME),
            );
        }
    }

    fn draw_things(&self, svg: &mut String, things: &[(f64, f64)]) {
        let left = 520.0;
        let mut y = 90.0;
        words(
            svg,
            (left, y),
            (12.0, FAINT),
            "start",
            "shared by members (all users)",
        );
        let mut numbers = std::collections::BTreeMap::new();
        for (place, (thing, at)) in self.shared.iter().zip(things).enumerate() {
            let (_, _, letter) = kind_words(thing.entity.kind);
            let number = numbers.entry(letter).or_insert(0);
            *number += 1;
            let name = format!("{letter}{number}");
            let fill = colour(thing.entity.kind);
            let _ = writeln!(
                svg,
                r#"<rect x="{:.1}" y="{:.1}" width="22" height="16" rx="3" fill="{fill}"/>"#,
                at.0 - 11.0,
                at.1 - 8.0
            );
            words(svg, (at.0, at.1 + 4.0), (10.0, "#ffffff"), "middle", &name);
            if place >= NAMED {
                continue;
            }
            y += 20.0;
            let _ = writeln!(
                svg,
                r#"<rect x="{left}" y="{:.1}" width="22" height="14" rx="3" fill="{fill}"/>"#,
                y - 11.0
            );
            words(svg, (left + 11.0, y), (10.0, "#ffffff"), "middle", &name);
            let text = format!(
                "{}  {} ({})",
                short(thing.entity.id.as_str(), 18),
                thing.used_by.len(),
                thing.users
            );
            words(svg, (left + 30.0, y), (11.0, TEXT), "start", &text);
        }
        if self.shared.len() > NAMED {
            y += 20.0;
            let more = format!("and {} more", self.shared.len() - NAMED);
            words(svg, (left + 30.0, y), (11.0, FAINT), "start", &more);
        }
        if !self.known_fraud.is_empty() {
            y += 26.0;
            let _ = writeln!(
                svg,
                r#"<circle cx="{:.1}" cy="{:.1}" r="6" fill="{FRAUD}" stroke="{TEXT}" stroke-width="1.5"/>"#,
                left + 11.0,
                y - 4.0
            );
            words(
                svg,
                (left + 30.0, y),
                (11.0, TEXT),
                "start",
                "known to be fraud",
            );
        }
    }
}

fn words(svg: &mut String, at: (f64, f64), (size, colour): (f64, &str), anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        r#"<text x="{:.1}" y="{:.1}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{}</text>"#,
        at.0,
        at.1,
        xml(text)
    );
}

/// The beginning of a long id.
fn short(id: &str, most: usize) -> String {
    if id.chars().count() <= most {
        return id.to_owned();
    }
    let mut short: String = id.chars().take(most - 2).collect();
    short.push_str("..");
    short
}
