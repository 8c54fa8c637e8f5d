//! The colours: Okabe and Ito (2008), which colour-blind readers can tell apart, and greys.
//!
//! Colour never stands alone: classes differ by line style or shape as well.

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ink {
    /// Red, green, blue as `0xRRGGBB`.
    pub(crate) rgb: u32,
    /// 0 (invisible) to 1.
    pub(crate) opacity: f64,
}

const fn solid(rgb: u32) -> Ink {
    Ink { rgb, opacity: 1.0 }
}

impl Ink {
    /// Relative luminance, 0 for black to 1 for white (WCAG 2.1).
    fn luminance(self) -> f64 {
        let channel = |shift: u32| {
            let value = f64::from((self.rgb >> shift) & 0xff) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    /// The text colour that stands out more on this ground.
    pub(crate) fn text_on(self) -> Self {
        let ground = self.luminance() + 0.05;
        if 1.05 / ground > ground / (TEXT.luminance() + 0.05) {
            WHITE
        } else {
            TEXT
        }
    }

    /// The same colour, see-through.
    pub(crate) const fn faded(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    /// This colour laid over white with an opacity, as a solid colour.
    pub(crate) fn tint(self, opacity: f64) -> Self {
        let channel = |shift: u32| {
            let value = f64::from((self.rgb >> shift) & 0xff);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 255"
            )]
            let mixed = (255.0 - (255.0 - value) * opacity.clamp(0.0, 1.0)).round() as u32;
            mixed << shift
        };
        solid(channel(16) | channel(8) | channel(0))
    }
}

pub(crate) const WHITE: Ink = solid(0xff_ff_ff);
pub(crate) const TEXT: Ink = solid(0x1f_24_28);
pub(crate) const SOFT: Ink = solid(0x57_60_6a);
pub(crate) const AXIS: Ink = solid(0x8c_95_9f);
pub(crate) const GRID: Ink = solid(0xe6_e9_ec);
/// Legitimate rows.
pub(crate) const BLUE: Ink = solid(0x00_72_b2);
/// Fraud.
pub(crate) const VERMILLION: Ink = solid(0xd5_5e_00);
/// Alerts that were none.
pub(crate) const ORANGE: Ink = solid(0xe6_9f_00);
/// Ordinary rows in a scatter.
pub(crate) const SKY: Ink = solid(0x56_b4_e9);
/// Rows without label.
pub(crate) const GREEN: Ink = solid(0x00_9e_73);
/// Warnings: darker than vermillion, so that white text on it can be read.
pub(crate) const WARNING: Ink = solid(0xb0_3a_00);
