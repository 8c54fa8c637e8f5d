//! A scene as SVG text.

#![expect(
    clippy::format_push_string,
    reason = "reads better than `write!` with an ignored result; drawing is no hot path"
)]

use crate::ink::Ink;
use crate::scene::{
    Anchor, Area, Mark, Scene, Shape, Stroke, Text, Weight, cross_width, is_measured, printable,
    tenths,
};
use std::fmt::Write;

/// Fonts of about the same widths as the embedded one, which PNG uses.
const FONTS: &str = "Roboto,Inter,'Helvetica Neue',Arial,'Liberation Sans',sans-serif";

/// Escapes text for XML and HTML, in elements and in quoted attributes; what neither can hold becomes a space.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(printable) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate with at most one decimal.
fn number(value: f64) -> String {
    let value = tenths(value);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, tenth) = (value.abs() / 10, value.abs() % 10);
    if tenth == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{tenth}")
    }
}

/// Tenths in the fewest bytes; after another number a sign or a space parts the two.
fn short(value: i64, after_number: bool) -> String {
    let sign = match (value < 0, after_number) {
        (true, _) => "-",
        (false, true) => " ",
        (false, false) => "",
    };
    let (whole, tenth) = (value.abs() / 10, value.abs() % 10);
    match (whole, tenth) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenth) => format!("{sign}.{tenth}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

fn color(ink: Ink) -> String {
    format!("#{:06x}", ink.rgb)
}

fn opacity(ink: Ink) -> String {
    let hundredths = tenths(ink.opacity * 10.0).clamp(0, 100);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn fill(fill: Option<Ink>) -> String {
    match fill {
        None => " fill=\"none\"".to_owned(),
        Some(ink) if ink.opacity < 1.0 => {
            format!(" fill=\"{}\" fill-opacity=\"{}\"", color(ink), opacity(ink))
        }
        Some(ink) => format!(" fill=\"{}\"", color(ink)),
    }
}

fn stroke(stroke: Option<Stroke>) -> String {
    let Some(stroke) = stroke else {
        return String::new();
    };
    let mut out = format!(" stroke=\"{}\"", color(stroke.ink));
    if stroke.ink.opacity < 1.0 {
        out += &format!(" stroke-opacity=\"{}\"", opacity(stroke.ink));
    }
    out += &format!(" stroke-width=\"{}\"", number(stroke.width));
    if let Some((dash, gap)) = stroke.dash {
        out += &format!(" stroke-dasharray=\"{} {}\"", number(dash), number(gap));
    }
    out
}

fn outline(points: &[(f64, f64)], closed: bool) -> String {
    let mut out = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        out.push(if index == 0 { 'M' } else { ' ' });
        out += &number(*x);
        out.push(' ');
        out += &number(*y);
    }
    if closed {
        out.push('z');
    }
    out
}

fn rect(area: &Area, radius: f64) -> String {
    let mut out = format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        number(area.x),
        number(area.y),
        number(area.width),
        number(area.height)
    );
    if radius > 0.0 {
        out += &format!(" rx=\"{}\"", number(radius));
    }
    out
}

fn marks(mark: Mark, at: &[(f64, f64)], size: f64, ink: Ink) -> String {
    let mut path = String::new();
    // One shape for all marks of a kind, in coordinates relative to its first corner: a third of the bytes.
    let (half, side, high) = (number(size), number(2.0 * size), number(1.9 * size));
    let (offset, shape) = match mark {
        Mark::Dot => ((0.0, 0.0), "h0".to_owned()),
        Mark::Cross => (
            (-size, -size),
            format!("l{side} {side}m0-{side}l-{side} {side}"),
        ),
        Mark::Triangle => ((0.0, -1.1 * size), format!("l{half} {high}h-{side}z")),
        Mark::Diamond => (
            (0.0, -size),
            format!("l{half} {half}-{half} {half}-{half}-{half}z"),
        ),
    };
    // Each mark begins relative to the one before it, in whole tenths so that nothing adds up. A closed shape ends
    // where it began; the cross ends at its lower left.
    let end = if mark == Mark::Cross {
        tenths(2.0 * size)
    } else {
        0
    };
    let mut last = (0, 0);
    for &(x, y) in at {
        let (x, y) = (tenths(x + offset.0), tenths(y + offset.1));
        path += &format!(
            "m{}{}{shape}",
            short(x - last.0, false),
            short(y - last.1, true)
        );
        last = (x, y + end);
    }
    match mark {
        // A line of no length with round caps is a dot, and much shorter than a circle element.
        Mark::Dot => {
            let dots = stroke(Some(Stroke::solid(ink, 2.0 * size)));
            format!("<path d=\"{path}\" fill=\"none\" stroke-linecap=\"round\"{dots}/>\n")
        }
        Mark::Cross => {
            let lines = stroke(Some(Stroke::solid(ink, cross_width(size))));
            format!("<path d=\"{path}\" fill=\"none\"{lines}/>\n")
        }
        Mark::Triangle | Mark::Diamond => {
            let rim = "stroke=\"#ffffff\" stroke-width=\"0.5\"";
            format!("<path d=\"{path}\"{} {rim}/>\n", fill(Some(ink)))
        }
    }
}

fn text(text: &Text) -> String {
    let (x, y) = (number(text.x), number(text.y));
    let mut out = format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"",
        number(text.size)
    );
    out += &fill(Some(text.ink));
    if text.weight == Weight::Bold {
        out += " font-weight=\"700\"";
    }
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => out += " text-anchor=\"middle\"",
        Anchor::End => out += " text-anchor=\"end\"",
    }
    // Holds the layout in whatever font the reader has; single signs need no help.
    if text.content.chars().count() > 2 && is_measured(&text.content) {
        let length = number(text.width());
        out += &format!(" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\"");
    }
    if text.upwards {
        out += &format!(" transform=\"rotate(-90 {x} {y})\"");
    }
    out + ">" + &escape(&text.content) + "</text>\n"
}

/// The scene as an SVG document.
pub(crate) fn write(scene: &Scene) -> String {
    let (width, height) = (number(scene.width), number(scene.height));
    let title = escape(&scene.title);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"{FONTS}\">\n<title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    for shape in &scene.shapes {
        out += &match shape {
            Shape::Rect {
                area,
                radius,
                fill: inside,
                stroke: line,
            } => rect(area, *radius) + &fill(*inside) + &stroke(*line) + "/>\n",
            Shape::Path {
                points,
                closed,
                fill: inside,
                stroke: line,
            } => {
                let join = if line.is_some() {
                    " stroke-linejoin=\"round\""
                } else {
                    ""
                };
                let (path, inside) = (outline(points, *closed), fill(*inside));
                format!("<path d=\"{path}\"{inside}{}{join}/>\n", stroke(*line))
            }
            Shape::Marks {
                mark,
                at,
                size,
                ink,
            } => marks(*mark, at, *size, *ink),
            Shape::Text(line) => text(line),
        };
    }
    out + "</svg>\n"
}
