//! A scene as PNG: tiny-skia for the shapes, the embedded font for the texts.

use crate::error::ReportError;
use crate::ink::{Ink, WHITE};
use crate::scene::{
    Anchor, Mark, Scene, Shape, Stroke, Text, Weight, cross_width, diamond, triangle,
};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, StrokeDash,
    Transform,
};
use ttf_parser::{Face, OutlineBuilder};

/// Roboto, cut down to Latin letters; see `font/`.
const REGULAR: &[u8] = include_bytes!("../font/Roboto-Regular-subset.ttf");
const BOLD: &[u8] = include_bytes!("../font/Roboto-Bold-subset.ttf");
/// Largest picture in pixels: 256 MiB of memory.
const MAX_PIXELS: f64 = 64.0 * 1024.0 * 1024.0;

fn single(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "scene coordinates")]
    let single = value.clamp(-1e6, 1e6) as f32;
    single
}

fn paint(ink: Ink) -> Paint<'static> {
    let [_, red, green, blue] = ink.rgb.to_be_bytes();
    let [red, green, blue] = [red, green, blue].map(|channel| f32::from(channel) / 255.0);
    let mut paint = Paint {
        anti_alias: true,
        ..Paint::default()
    };
    if let Some(color) = Color::from_rgba(red, green, blue, single(ink.opacity.clamp(0.0, 1.0))) {
        paint.set_color(color);
    }
    paint
}

struct Canvas {
    pixmap: Pixmap,
    transform: Transform,
    regular: Face<'static>,
    bold: Face<'static>,
}

/// Turns a font's outline into a path; font units, y upwards.
struct Glyphs {
    builder: PathBuilder,
    x: f32,
}

impl OutlineBuilder for Glyphs {
    fn move_to(&mut self, x: f32, y: f32) {
        self.builder.move_to(self.x + x, -y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.builder.line_to(self.x + x, -y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.builder.quad_to(self.x + x1, -y1, self.x + x, -y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let at = self.x;
        self.builder
            .cubic_to(at + x1, -y1, at + x2, -y2, at + x, -y);
    }
    fn close(&mut self) {
        self.builder.close();
    }
}

impl Canvas {
    fn fill(&mut self, path: Option<Path>, ink: Ink) {
        if let Some(path) = path {
            let rule = FillRule::Winding;
            self.pixmap
                .fill_path(&path, &paint(ink), rule, self.transform, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, stroke: Stroke, cap: LineCap) {
        if let Some(path) = path {
            let style = tiny_skia::Stroke {
                width: single(stroke.width),
                line_cap: cap,
                line_join: LineJoin::Round,
                dash: stroke
                    .dash
                    .and_then(|(dash, gap)| StrokeDash::new(vec![single(dash), single(gap)], 0.0)),
                ..tiny_skia::Stroke::default()
            };
            self.pixmap
                .stroke_path(&path, &paint(stroke.ink), &style, self.transform, None);
        }
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Rect {
                area,
                radius,
                fill,
                stroke,
            } => {
                let path = rounded_rect(
                    [area.x, area.y, area.right(), area.bottom()].map(single),
                    single(*radius),
                );
                self.both(path.as_ref(), *fill, *stroke);
            }
            Shape::Path {
                points,
                closed,
                fill,
                stroke,
            } => {
                let mut builder = PathBuilder::new();
                outline(&mut builder, points, *closed);
                let path = builder.finish();
                self.both(path.as_ref(), *fill, *stroke);
            }
            Shape::Marks {
                mark,
                at,
                size,
                ink,
            } => self.marks(*mark, at, *size, *ink),
            Shape::Text(text) => self.text(text),
        }
    }

    fn both(&mut self, path: Option<&Path>, fill: Option<Ink>, stroke: Option<Stroke>) {
        if let Some(ink) = fill {
            self.fill(path.cloned(), ink);
        }
        if let Some(stroke) = stroke {
            self.stroke(path.cloned(), stroke, LineCap::Butt);
        }
    }

    fn marks(&mut self, mark: Mark, at: &[(f64, f64)], size: f64, ink: Ink) {
        let mut builder = PathBuilder::new();
        for &(x, y) in at {
            match mark {
                Mark::Dot => builder.push_circle(single(x), single(y), single(size)),
                Mark::Cross => {
                    let [left, right] = [x - size, x + size];
                    outline(&mut builder, &[(left, y - size), (right, y + size)], false);
                    outline(&mut builder, &[(right, y - size), (left, y + size)], false);
                }
                Mark::Triangle => outline(&mut builder, &triangle((x, y), size), true),
                Mark::Diamond => outline(&mut builder, &diamond((x, y), size), true),
            }
        }
        let path = builder.finish();
        match mark {
            Mark::Dot => self.fill(path, ink),
            Mark::Cross => {
                self.stroke(path, Stroke::solid(ink, cross_width(size)), LineCap::Butt);
            }
            Mark::Triangle | Mark::Diamond => {
                self.both(path.as_ref(), Some(ink), Some(Stroke::solid(WHITE, 0.5)));
            }
        }
    }

    fn text(&mut self, text: &Text) {
        let face = match text.weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        };
        let mut glyphs = Glyphs {
            builder: PathBuilder::new(),
            x: 0.0,
        };
        for c in text.content.chars() {
            let glyph = face.glyph_index(c).unwrap_or_default();
            face.outline_glyph(glyph, &mut glyphs);
            glyphs.x += f32::from(face.glyph_hor_advance(glyph).unwrap_or_default());
        }
        let scale = single(text.size) / f32::from(face.units_per_em());
        let shift = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -0.5 * glyphs.x * scale,
            Anchor::End => -glyphs.x * scale,
        };
        let turn = if text.upwards { -90.0 } else { 0.0 };
        let place = Transform::from_scale(scale, scale)
            .post_translate(shift, 0.0)
            .post_rotate(turn)
            .post_translate(single(text.x), single(text.y));
        let path = glyphs
            .builder
            .finish()
            .and_then(|path| path.transform(place));
        self.fill(path, text.ink);
    }
}

fn outline(builder: &mut PathBuilder, points: &[(f64, f64)], closed: bool) {
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(single(*x), single(*y));
        } else {
            builder.line_to(single(*x), single(*y));
        }
    }
    if closed {
        builder.close();
    }
}

fn rounded_rect([left, top, right, bottom]: [f32; 4], radius: f32) -> Option<Path> {
    let rect = Rect::from_ltrb(left, top, right, bottom)?;
    if radius <= 0.0 {
        return Some(PathBuilder::from_rect(rect));
    }
    let radius = radius.min(rect.width() / 2.0).min(rect.height() / 2.0);
    let mut path = PathBuilder::new();
    path.move_to(left + radius, top);
    path.line_to(right - radius, top);
    path.quad_to(right, top, right, top + radius);
    path.line_to(right, bottom - radius);
    path.quad_to(right, bottom, right - radius, bottom);
    path.line_to(left + radius, bottom);
    path.quad_to(left, bottom, left, bottom - radius);
    path.line_to(left, top + radius);
    path.quad_to(left, top, left + radius, top);
    path.close();
    path.finish()
}

/// The scene as a PNG file, `scale` pixels for one scene unit.
pub(crate) fn write(scene: &Scene, scale: f64) -> Result<Vec<u8>, ReportError> {
    let (width, height) = (scene.width * scale, scene.height * scale);
    let fits = scale.is_finite() && width >= 1.0 && height >= 1.0 && width * height <= MAX_PIXELS;
    if !fits {
        return Err(ReportError::Scale { got: scale });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    let pixmap = Pixmap::new(width.round() as u32, height.round() as u32);
    let mut pixmap = pixmap.ok_or(ReportError::Scale { got: scale })?;
    pixmap.fill(Color::WHITE);
    let face = |bytes| Face::parse(bytes, 0).map_err(|source| ReportError::Font { source });
    let mut canvas = Canvas {
        pixmap,
        transform: Transform::from_scale(single(scale), single(scale)),
        regular: face(REGULAR)?,
        bold: face(BOLD)?,
    };
    for shape in &scene.shapes {
        canvas.shape(shape);
    }
    encode(&canvas.pixmap).map_err(|source| ReportError::Png { source })
}

/// Eight bits a channel; nothing shines through a white ground, so there is no alpha channel.
fn encode(pixmap: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let pixels = pixmap.data().as_chunks::<4>().0;
    let data = pixels
        .iter()
        .flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&data.collect::<Vec<_>>())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advance;

    #[test]
    fn the_table_of_widths_agrees_with_the_font() {
        for (bytes, table) in [(REGULAR, advance::REGULAR), (BOLD, advance::BOLD)] {
            let face = Face::parse(bytes, 0).unwrap();
            for (index, width) in table.into_iter().enumerate() {
                let c = char::from_u32(u32::try_from(index).unwrap() + 0x20).unwrap();
                let glyph = face.glyph_index(c);
                let advance = glyph.and_then(|glyph| face.glyph_hor_advance(glyph));
                let units = f64::from(face.units_per_em());
                let expected = f64::from(advance.unwrap_or(0)) * 1000.0 / units;
                assert!((expected - f64::from(width)).abs() <= 0.5, "{c:?}");
            }
        }
    }

    #[test]
    fn rejects_scales_that_make_no_picture() {
        let scene = Scene::new(100.0, 100.0, "");
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            let result = write(&scene, scale);
            assert!(matches!(result, Err(ReportError::Scale { .. })), "{scale}");
        }
        assert!(write(&scene, 1.0).is_ok());
    }
}
