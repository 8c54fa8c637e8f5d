//! Random points of a space.

use super::space::{Dimension, Point, Space, Value};
use crate::EnsembleError;
use dafu_core::random::Stream;

/// What the random stream is for.
const POINTS: u64 = 101;

impl Space {
    /// The random point of this number: the same for the same seed, whatever else is drawn.
    ///
    /// # Errors
    ///
    /// As [`Space::check`].
    pub fn draw(&self, seed: u64, number: u64) -> Result<Point, EnsembleError> {
        self.check()?;
        let mut stream = Stream::new(seed, POINTS, number);
        let drawn = self.dimensions.iter();
        Ok(drawn
            .map(|(name, dimension)| (name.clone(), dimension.draw(&mut stream)))
            .collect())
    }
}

impl Dimension {
    fn draw(&self, stream: &mut Stream) -> Value {
        match self {
            Self::Choice(values) => {
                let chosen = values.get(stream.index_below(values.len()));
                chosen.cloned().unwrap_or(Value::Integer(0))
            }
            Self::Uniform { low, high } => {
                Value::Number((low + stream.unit() * (high - low)).clamp(*low, *high))
            }
            Self::LogUniform { low, high } => Value::Number(log_uniform(*low, *high, stream)),
            Self::Integers { low, high } => {
                // All 2^64 of them have no count in 64 bits: the last one is then never drawn.
                let count = high.abs_diff(*low).saturating_add(1);
                Value::Integer(low.saturating_add_unsigned(stream.below(count)))
            }
            Self::LogIntegers { low, high } => {
                let drawn = log_uniform(*low as f64, *high as f64 + 1.0, stream);
                Value::Integer(floor(drawn).clamp(*low, *high))
            }
        }
    }
}

fn log_uniform(low: f64, high: f64, stream: &mut Stream) -> f64 {
    let (first, last) = (low.ln(), high.ln());
    (first + stream.unit() * (last - first))
        .exp()
        .clamp(low, high)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded down, and cut at the limits of i64"
)]
const fn floor(number: f64) -> i64 {
    number as i64
}
