//! Small drawings as SVG text: lines, boxes, marks and words on a white ground.

use std::fmt::Write;

/// Dark text.
pub const TEXT: &str = "#1f2428";
/// Text beside it, axes.
pub const FAINT: &str = "#57606a";
/// Grid.
pub const GRID: &str = "#e6e9ec";
/// The colours of dafu-report (Okabe and Ito 2008), which colour-blind readers can tell apart.
pub const BLUE: &str = "#0072b2";
/// Frauds.
pub const RED: &str = "#d55e00";
/// Windows that are shifted.
pub const GREEN: &str = "#009e73";

const FONTS: &str = "Roboto,Inter,'Helvetica Neue',Arial,'Liberation Sans',sans-serif";

/// How a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// A drawing; coordinates in pixels from the upper left corner.
#[derive(Debug)]
pub struct Drawing {
    text: String,
}

impl Drawing {
    /// An empty drawing on white. The title is read out to those who cannot see it.
    pub fn new(title: &str, width: f64, height: f64) -> Self {
        let (title, width, height) = (escape(title), short(width), short(height));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-label=\"{title}\" font-family=\"{FONTS}\">\n\
             <title>{title}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        Self { text }
    }

    /// A line through points; dashed where `dash` is not empty.
    pub fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64, dash: &str) {
        let dash = match dash {
            "" => String::new(),
            dash => format!(" stroke-dasharray=\"{dash}\""),
        };
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{},{}", short(*x), short(*y)))
            .collect();
        self.push(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"{dash}/>",
            points.join(" "),
            short(width)
        ));
    }

    /// A filled box between two corners.
    pub fn area(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, opacity: f64) {
        self.push(&format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>",
            short(from.0),
            short(from.1),
            short(to.0 - from.0),
            short(to.1 - from.1)
        ));
    }

    /// A filled dot.
    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        let (x, y, radius) = (short(x), short(y), short(radius));
        self.push(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\"/>"
        ));
    }

    /// Many filled dots of a diameter.
    pub fn dots(&mut self, centres: &[(f64, f64)], diameter: f64, colour: &str) {
        let places = centres.iter();
        // A line of no length with round ends is a dot.
        let path: String = places
            .map(|(x, y)| format!("M{} {}h0", short(*x), short(*y)))
            .collect();
        self.push(&format!(
            "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{}\" stroke-linecap=\"round\"/>",
            short(diameter)
        ));
    }

    /// Many filled boxes of one height: left upper corner and width of each.
    pub fn bars(&mut self, bars: &[((f64, f64), f64)], height: f64, colour: &str) {
        let height = short(height);
        let path: String = bars
            .iter()
            .map(|((x, y), width)| {
                let width = short(*width);
                format!("M{} {}h{width}v{height}h-{width}z", short(*x), short(*y))
            })
            .collect();
        self.push(&format!(
            "<path d=\"{path}\" fill=\"{colour}\" shape-rendering=\"crispEdges\"/>"
        ));
    }

    /// A ring.
    pub fn ring(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        let (x, y, radius) = (short(x), short(y), short(radius));
        self.push(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"#ffffff\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        ));
    }

    /// A cross, for frauds: another shape as well as another colour.
    pub fn cross(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        let [left, right] = [short(x - radius), short(x + radius)];
        let [top, bottom] = [short(y - radius), short(y + radius)];
        self.push(&format!(
            "<path d=\"M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}\" stroke=\"{colour}\" \
             stroke-width=\"2.5\" stroke-linecap=\"round\"/>"
        ));
    }

    /// Words of a size and colour.
    pub fn words(&mut self, at: (f64, f64), ink: (f64, &str), anchor: Anchor, text: &str) {
        self.any_words(at, ink, (anchor, ""), text);
    }

    /// Words in bold.
    pub fn heading(&mut self, at: (f64, f64), ink: (f64, &str), text: &str) {
        self.any_words(at, ink, (Anchor::Start, " font-weight=\"700\""), text);
    }

    fn any_words(
        &mut self,
        (x, y): (f64, f64),
        (size, colour): (f64, &str),
        (anchor, more): (Anchor, &str),
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.push(&format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{colour}\"{anchor}{more}>{}</text>",
            short(x),
            short(y),
            short(size),
            escape(text)
        ));
    }

    fn push(&mut self, element: &str) {
        self.text += element;
        self.text += "\n";
    }

    /// The SVG file.
    pub fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

/// At most one digit behind the point, the same on every machine.
fn short(value: f64) -> String {
    let mut text = String::new();
    let rounded = (value * 10.0).round() / 10.0;
    // Writing to a string cannot fail.
    let _ = write!(text, "{}", if rounded == 0.0 { 0.0 } else { rounded });
    text
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Anchor, BLUE, Drawing};

    #[test]
    fn words_are_escaped_and_numbers_short() {
        let mut drawing = Drawing::new("a < b", 100.0, 50.25);
        drawing.words((1.0, 2.04), (12.0, BLUE), Anchor::End, "\"x\" & y");
        let svg = drawing.finish();
        assert!(svg.contains("<title>a &lt; b</title>") && svg.contains("height=\"50.3\""));
        let words = "<text x=\"1\" y=\"2\" font-size=\"12\" fill=\"#0072b2\" text-anchor=\"end\">&quot;x&quot; &amp; y<";
        assert!(svg.contains(words), "{svg}");
    }

    #[test]
    fn many_dots_and_bars_are_one_path_each() {
        let mut drawing = Drawing::new("t", 10.0, 10.0);
        drawing.dots(&[(1.0, 2.0), (3.25, 4.0)], 1.6, BLUE);
        drawing.bars(&[((0.0, 4.0), 8.0)], 4.0, BLUE);
        let svg = drawing.finish();
        assert!(
            svg.contains("d=\"M1 2h0M3.3 4h0\" stroke=\"#0072b2\""),
            "{svg}"
        );
        assert!(svg.contains("d=\"M0 4h8v4h-8z\" fill=\"#0072b2\""), "{svg}");
    }
}
