//! The frame of a plot: axes, grid, ticks, legend.

use crate::ink::{AXIS, BLUE, GREEN, GRID, Ink, ORANGE, SKY, SOFT, TEXT, VERMILLION};
use crate::scale::{Scale, Tick};
use crate::scene::{Area, Mark, Scene, Stroke, Text, Weight, width};

/// Font size of ticks and notes.
pub(crate) const SMALL: f64 = 11.0;
const TICK_ROOM: f64 = 10.0;

/// An axis: scale, what it measures, and how many ticks it wants.
#[derive(Debug, Clone)]
pub(crate) struct AxisSpec {
    pub(crate) scale: Scale,
    pub(crate) label: String,
    pub(crate) ticks: Option<Vec<Tick>>,
}

impl AxisSpec {
    pub(crate) fn new(scale: Scale, label: impl Into<String>) -> Self {
        Self {
            scale,
            label: label.into(),
            ticks: None,
        }
    }

    pub(crate) fn with_ticks(self, ticks: Vec<Tick>) -> Self {
        Self {
            ticks: Some(ticks),
            ..self
        }
    }
}

/// A plot: places in data values.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) area: Area,
    x: Scale,
    y: Scale,
}

/// As many ticks as stand beside each other; `room` is the length that half a tick takes.
fn spaced(axis: &AxisSpec, length: f64, most: usize, room: impl Fn(&Tick) -> f64) -> Vec<Tick> {
    let clear = |a: &Tick, b: &Tick| (a.at - b.at).abs() * length >= room(a) + room(b);
    if axis.ticks.is_none() && !axis.scale.crowds() {
        let sets = (2..=most).rev().map(|most| axis.scale.ticks(most));
        let fits = |ticks: &Vec<Tick>| ticks.windows(2).all(|pair| clear(&pair[0], &pair[1]));
        if let Some(ticks) = sets.into_iter().find(fits) {
            return ticks;
        }
    }
    let given = axis.ticks.clone();
    let ticks = given.unwrap_or_else(|| axis.scale.ticks(most + 2));
    // Zero stays; then every tick, from zero outwards, that stands clear of those that stay.
    let start = ticks.iter().position(|tick| tick.label == "0").unwrap_or(0);
    let mut kept = Vec::<Tick>::new();
    for tick in ticks[start..].iter().chain(ticks[..start].iter().rev()) {
        if kept.iter().all(|other| clear(other, tick)) {
            kept.push(tick.clone());
        }
    }
    kept
}

fn ticks_across(axis: &AxisSpec, length: f64) -> Vec<Tick> {
    let half = |tick: &Tick| width(&tick.label, SMALL, Weight::Regular) / 2.0 + TICK_ROOM / 2.0;
    spaced(axis, length, 7, half)
}

fn ticks_up(axis: &AxisSpec, length: f64) -> Vec<Tick> {
    spaced(axis, length, 6, |_| 9.0)
}

impl Plot {
    /// Draws grid, ticks and labels inside `area` and leaves the rest for the data.
    pub(crate) fn frame(scene: &mut Scene, area: Area, x: &AxisSpec, y: &AxisSpec) -> Self {
        let bottom = if x.label.is_empty() { 22.0 } else { 40.0 };
        let side = ticks_up(y, area.height - bottom);
        let widest = side
            .iter()
            .map(|tick| width(&tick.label, SMALL, Weight::Regular))
            .fold(0.0, f64::max);
        let left = widest + 8.0 + if y.label.is_empty() { 0.0 } else { 20.0 };
        let inner = area.inset(left, 4.0, 10.0, bottom);
        let plot = Self {
            area: inner,
            x: x.scale,
            y: y.scale,
        };
        for tick in side {
            let at = inner.bottom() - tick.at * inner.height;
            scene.line((inner.x, at), (inner.right(), at), Stroke::solid(GRID, 1.0));
            scene.text(
                Text::new(inner.x - 6.0, at + 4.0, tick.label)
                    .size(SMALL)
                    .ink(SOFT)
                    .end(),
            );
        }
        for tick in ticks_across(x, inner.width) {
            let at = inner.x + tick.at * inner.width;
            let base = inner.bottom();
            scene.line((at, base), (at, base + 4.0), Stroke::solid(AXIS, 1.0));
            let label = Text::new(at, base + 17.0, tick.label).size(SMALL).ink(SOFT);
            scene.text(label.middle());
        }
        let base = inner.bottom();
        scene.line(
            (inner.x, base),
            (inner.right(), base),
            Stroke::solid(AXIS, 1.0),
        );
        let label = Text::new(inner.x + inner.width / 2.0, base + 34.0, &*x.label);
        scene.text(label.fit(inner.width).middle());
        let label = Text::new(area.x + 11.0, inner.y + inner.height / 2.0, &*y.label);
        scene.text(label.fit(inner.height).middle().upwards());
        plot
    }

    /// Where a horizontal value stands.
    pub(crate) fn x(&self, value: f64) -> f64 {
        self.area.x + self.x.position(value) * self.area.width
    }

    /// Where a vertical value stands.
    pub(crate) fn y(&self, value: f64) -> f64 {
        self.area.bottom() - self.y.position(value) * self.area.height
    }

    /// Where a point stands.
    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x(x), self.y(y))
    }
}

/// What stands before an entry of a legend.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Swatch {
    /// A filled patch under a line.
    Patch(Ink, Stroke),
    /// A line.
    Line(Stroke),
    /// A point mark.
    Mark(Mark, f64, Ink),
}

/// The line of one of several models: colour and dashes.
pub(crate) fn series(number: usize) -> Stroke {
    const INKS: [Ink; 6] = [VERMILLION, BLUE, GREEN, ORANGE, SKY, TEXT];
    const DASHES: [Option<(f64, f64)>; 5] = [
        None,
        Some((9.0, 3.0)),
        Some((2.5, 2.5)),
        Some((9.0, 3.0)),
        Some((5.0, 5.0)),
    ];
    Stroke {
        ink: INKS[number % INKS.len()],
        width: if number == 0 { 2.4 } else { 1.6 },
        dash: DASHES[number % DASHES.len()],
    }
}

/// The mark of one of several models.
pub(crate) fn series_mark(number: usize) -> Mark {
    const MARKS: [Mark; 4] = [Mark::Dot, Mark::Triangle, Mark::Diamond, Mark::Cross];
    MARKS[number % MARKS.len()]
}

/// Height of a row of a legend.
pub(crate) const LEGEND_ROW: f64 = 18.0;

/// Draws entries from left to right, wrapped to the width, and says how high they became.
pub(crate) fn legend(scene: &mut Scene, area: Area, entries: &[(Swatch, String)]) -> f64 {
    let (mut x, mut y) = (area.x, area.y + 12.0);
    for (swatch, label) in entries {
        let text = Text::new(0.0, 0.0, &**label).size(SMALL).ink(TEXT);
        let text = text.fit(area.width - 24.0);
        let needed = 24.0 + text.width();
        if x > area.x && x + needed > area.right() {
            x = area.x;
            y += LEGEND_ROW;
        }
        let middle = y - 4.0;
        match *swatch {
            Swatch::Patch(fill, stroke) => {
                scene.fill(Area::new(x, middle - 4.0, 18.0, 9.0), fill);
                scene.line((x, middle - 4.0), (x + 18.0, middle - 4.0), stroke);
            }
            Swatch::Line(stroke) => scene.line((x, middle), (x + 18.0, middle), stroke),
            Swatch::Mark(mark, size, ink) => scene.marks(mark, vec![(x + 9.0, middle)], size, ink),
        }
        scene.text(Text {
            x: x + 24.0,
            y,
            ..text
        });
        x += needed + 18.0;
    }
    if entries.is_empty() {
        0.0
    } else {
        y - area.y + 8.0
    }
}

/// The heading of a panel; gives the area under it.
pub(crate) fn heading(scene: &mut Scene, area: Area, title: &str) -> Area {
    let text = Text::new(area.x, area.y + 14.0, title).size(15.0).bold();
    scene.text(text.fit(area.width));
    area.inset(0.0, 24.0, 0.0, 0.0)
}

/// A grey sentence in the middle of an area, where there is nothing to draw.
pub(crate) fn notice(scene: &mut Scene, area: Area, sentence: &str) {
    let at = (area.x + area.width / 2.0, area.y + area.height / 2.0);
    let text = Text::new(at.0, at.1, sentence).ink(SOFT).middle();
    scene.text(text.fit(area.width));
}
