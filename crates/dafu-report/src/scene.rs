//! What is drawn, before it becomes SVG or pixels: a list of shapes in paint order.

use crate::advance;
use crate::ink::{Ink, TEXT};

/// A rectangle in scene units, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    pub(crate) const fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    pub(crate) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// The area without margins.
    pub(crate) fn inset(&self, left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self {
            x: self.x + left,
            y: self.y + top,
            width: (self.width - left - right).max(1.0),
            height: (self.height - top - bottom).max(1.0),
        }
    }
}

/// Weight of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// Which part of a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line style.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) ink: Ink,
    pub(crate) width: f64,
    /// Length of dash and gap; `None` for a solid line.
    pub(crate) dash: Option<(f64, f64)>,
}

impl Stroke {
    pub(crate) const fn solid(ink: Ink, width: f64) -> Self {
        Self {
            ink,
            width,
            dash: None,
        }
    }

    pub(crate) const fn dashed(ink: Ink, width: f64, dash: f64, gap: f64) -> Self {
        Self {
            ink,
            width,
            dash: Some((dash, gap)),
        }
    }
}

/// Shape of a point mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A filled circle.
    Dot,
    /// An x made of two strokes.
    Cross,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) x: f64,
    /// Baseline.
    pub(crate) y: f64,
    pub(crate) content: String,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
    pub(crate) ink: Ink,
    /// Turned a quarter to the left around its point: reads upwards.
    pub(crate) upwards: bool,
}

impl Text {
    pub(crate) fn new(x: f64, y: f64, text: impl Into<String>) -> Self {
        Self {
            x,
            y,
            content: clean(&text.into()),
            size: 12.0,
            weight: Weight::Regular,
            anchor: Anchor::Start,
            ink: TEXT,
            upwards: false,
        }
    }

    pub(crate) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub(crate) fn bold(self) -> Self {
        Self {
            weight: Weight::Bold,
            ..self
        }
    }

    pub(crate) fn ink(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }

    pub(crate) fn middle(self) -> Self {
        Self {
            anchor: Anchor::Middle,
            ..self
        }
    }

    pub(crate) fn end(self) -> Self {
        Self {
            anchor: Anchor::End,
            ..self
        }
    }

    pub(crate) fn upwards(self) -> Self {
        Self {
            upwards: true,
            ..self
        }
    }

    /// Cuts the text so that it is at most `room` wide, with an ellipsis where it was cut.
    pub(crate) fn fit(mut self, room: f64) -> Self {
        self.content = fit(&self.content, self.size, self.weight, room);
        self
    }

    pub(crate) fn width(&self) -> f64 {
        width(&self.content, self.size, self.weight)
    }
}

/// One drawn thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Rect {
        area: Area,
        radius: f64,
        fill: Option<Ink>,
        stroke: Option<Stroke>,
    },
    Path {
        points: Vec<(f64, f64)>,
        closed: bool,
        fill: Option<Ink>,
        stroke: Option<Stroke>,
    },
    Marks {
        mark: Mark,
        at: Vec<(f64, f64)>,
        /// Half the width.
        size: f64,
        ink: Ink,
    },
    Text(Text),
}

/// A picture of a fixed size with a white ground.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What the picture shows, for screen readers.
    pub(crate) title: String,
    pub(crate) shapes: Vec<Shape>,
}

impl Scene {
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        Self {
            width,
            height,
            title: clean(title),
            shapes: Vec::new(),
        }
    }

    pub(crate) fn fill(&mut self, area: Area, ink: Ink) {
        self.shapes.push(Shape::Rect {
            area,
            radius: 0.0,
            fill: Some(ink),
            stroke: None,
        });
    }

    pub(crate) fn rounded(&mut self, area: Area, radius: f64, ink: Ink) {
        self.shapes.push(Shape::Rect {
            area,
            radius,
            fill: Some(ink),
            stroke: None,
        });
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.polyline(vec![from, to], stroke);
    }

    pub(crate) fn polyline(&mut self, points: Vec<(f64, f64)>, stroke: Stroke) {
        self.path(points, false, None, Some(stroke));
    }

    pub(crate) fn polygon(&mut self, points: Vec<(f64, f64)>, fill: Ink) {
        self.path(points, true, Some(fill), None);
    }

    fn path(
        &mut self,
        mut points: Vec<(f64, f64)>,
        closed: bool,
        fill: Option<Ink>,
        stroke: Option<Stroke>,
    ) {
        points.retain(|(x, y)| x.is_finite() && y.is_finite());
        // Points that fall on the same tenth of a unit cannot be told apart.
        points.dedup_by_key(|point| rounded(*point));
        if points.len() > 1 {
            self.shapes.push(Shape::Path {
                points,
                closed,
                fill,
                stroke,
            });
        }
    }

    /// Marks of one kind; those that fall on the same spot are drawn once.
    pub(crate) fn marks(&mut self, mark: Mark, mut at: Vec<(f64, f64)>, size: f64, ink: Ink) {
        at.retain(|(x, y)| x.is_finite() && y.is_finite());
        at.sort_by_key(|point| rounded(*point));
        at.dedup_by_key(|point| rounded(*point));
        if !at.is_empty() {
            self.shapes.push(Shape::Marks {
                mark,
                at,
                size,
                ink,
            });
        }
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.content.is_empty() {
            self.shapes.push(Shape::Text(text));
        }
    }
}

/// A coordinate in tenths.
pub(crate) fn tenths(value: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    let tenths = (value.clamp(-1e6, 1e6) * 10.0).round() as i64;
    tenths
}

fn rounded((x, y): (f64, f64)) -> (i64, i64) {
    (tenths(x), tenths(y))
}

/// The corners of a triangle around a point.
#[cfg(feature = "png")]
pub(crate) fn triangle((x, y): (f64, f64), size: f64) -> [(f64, f64); 3] {
    [
        (x, y - size * 1.1),
        (x + size, y + size * 0.8),
        (x - size, y + size * 0.8),
    ]
}

/// The corners of a diamond around a point.
#[cfg(feature = "png")]
pub(crate) fn diamond((x, y): (f64, f64), size: f64) -> [(f64, f64); 4] {
    [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
}

/// Stroke width of a cross of a given size.
pub(crate) fn cross_width(size: f64) -> f64 {
    size * 0.45
}

/// A space for what no drawing and no XML file can hold: control characters and noncharacters.
pub(crate) fn printable(c: char) -> char {
    if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') {
        ' '
    } else {
        c
    }
}

fn clean(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// Whether the table of widths knows every letter of a text, and no run of spaces shrinks to one.
pub(crate) fn is_measured(text: &str) -> bool {
    let known = |c: char| {
        let index = (c as usize).checked_sub(0x20);
        let width = index.and_then(|index| advance::REGULAR.get(index));
        width.is_some_and(|width| *width > 0)
    };
    text.chars().all(known) && !text.contains("  ") && text.trim() == text
}

/// Width of a text in scene units.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let table = match weight {
        Weight::Regular => &advance::REGULAR,
        Weight::Bold => &advance::BOLD,
    };
    let thousandths = |c: char| {
        let index = (c as usize).checked_sub(0x20);
        let known = index.and_then(|index| table.get(index)).copied();
        match known {
            Some(width) if width > 0 => f64::from(width),
            // Other alphabets: about the width of a capital; East Asian signs are square.
            _ if c as u32 >= 0x1100 => 1000.0,
            _ => 640.0,
        }
    };
    text.chars().map(thousandths).sum::<f64>() * size / 1000.0
}

/// The text, cut to a width.
pub(crate) fn fit(text: &str, size: f64, weight: Weight, room: f64) -> String {
    if width(text, size, weight) <= room {
        return text.to_owned();
    }
    let dots = "...";
    let room = room - width(dots, size, weight);
    let mut used = 0.0;
    let mut out = String::new();
    let mut buffer = [0; 4];
    for c in text.chars() {
        used += width(c.encode_utf8(&mut buffer), size, weight);
        if used > room {
            break;
        }
        out.push(c);
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    out.push_str(dots);
    out
}
