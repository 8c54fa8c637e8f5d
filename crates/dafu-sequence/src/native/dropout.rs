//! Dropout: each unit of each lane is left out with one probability, and the others are scaled up for it.
//!
//! Source: Srivastava et al., "Dropout", JMLR 15, 2014, section 4; scaled in training, as everywhere today.

use dafu_core::random::Stream;

const PURPOSE: u64 = 0x5e9_0002;

/// What is left out of one chunk. Drawn anew on the way back instead of being kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    share: f32,
    seed: u64,
    /// Number of the chunk among all of the training.
    chunk: u64,
}

impl Dropout {
    pub(crate) const fn new(share: f32, seed: u64, chunk: u64) -> Self {
        Self { share, seed, chunk }
    }

    /// Multiplies by 0 or by 1 / (1 - share); the same for the same `place` and lengths of rows.
    fn apply<'a>(&self, place: u64, rows: impl Iterator<Item = &'a mut [f32]>) {
        if self.share <= 0.0 {
            return;
        }
        let mut stream = Stream::new(self.seed ^ PURPOSE, self.chunk, place);
        let scale = 1.0 / (1.0 - self.share);
        // Sixteen bits a unit: four units a draw.
        let dropped = f64::from(self.share) * 65_536.0;
        for row in rows {
            for numbers in row.chunks_mut(4) {
                let bits = stream.bits();
                for (at, number) in numbers.iter_mut().enumerate() {
                    let drawn = (bits >> (16 * at)) & 0xffff;
                    *number *= if (drawn as f64) < dropped { 0.0 } else { scale };
                }
            }
        }
    }

    /// What answers at a slot are computed from, or the derivatives by that.
    pub(crate) fn head<'a>(&self, slot: usize, rows: impl Iterator<Item = &'a mut [f32]>) {
        self.apply(slot as u64, rows);
    }

    /// What a layer reads, or the derivatives by that.
    pub(crate) fn inputs<'a>(&self, layer: usize, rows: impl Iterator<Item = &'a mut [f32]>) {
        self.apply((layer as u64) << 32, rows);
    }
}
