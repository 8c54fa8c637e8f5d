//! The numbers that are learned.

use super::{Cell, Layout, NetworkConfig};
use crate::SequenceError;
use dafu_core::random::Stream;

/// Purpose of the stream of first weights.
const FIRST_WEIGHTS: u64 = 0x5e9_0001;

/// The weights of a network, in the order of its [`Layout`].
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    layout: Layout,
    numbers: Vec<f32>,
}

impl Weights {
    /// Weights from all their numbers.
    ///
    /// # Errors
    ///
    /// When they are more or fewer than the network has, or one is not finite.
    pub fn new(config: &NetworkConfig, numbers: Vec<f32>) -> Result<Self, SequenceError> {
        config.check()?;
        let layout = Layout::new(config);
        if numbers.len() != layout.len() {
            return Err(SequenceError::Weights {
                what: format!("expected {} numbers, got {}", layout.len(), numbers.len()),
            });
        }
        let weights = Self { layout, numbers };
        weights.check()?;
        Ok(weights)
    }

    /// Checks that all numbers are finite, as those of training that diverged are not.
    pub(crate) fn check(&self) -> Result<(), SequenceError> {
        for parameter in self.layout.parameters() {
            let tensor = &self.numbers[parameter.range.clone()];
            if let Some(at) = tensor.iter().position(|number| !number.is_finite()) {
                return Err(SequenceError::Weights {
                    what: format!("number {at} of `{}` is {}", parameter.name, tensor[at]),
                });
            }
        }
        Ok(())
    }

    /// First weights as `PyTorch` draws them: uniform within 1/sqrt(units), or 1/sqrt(inputs) for what is not recurrent,
    /// standard normal for embeddings; with a forget gate that is open at first.
    ///
    /// Source: the open gate: Jozefowicz, Zaremba, Sutskever, "An Empirical Exploration of Recurrent Network
    /// Architectures", ICML 2015, section 4.
    ///
    /// # Errors
    ///
    /// When the configuration is out of range.
    pub fn first(config: &NetworkConfig, seed: u64) -> Result<Self, SequenceError> {
        config.check()?;
        let layout = Layout::new(config);
        let mut numbers = vec![0.0; layout.len()];
        for (at, parameter) in layout.parameters().iter().enumerate() {
            let mut stream = Stream::new(seed, FIRST_WEIGHTS, at as u64);
            let inputs = if parameter.name.starts_with("head") {
                config.features()
            } else {
                config.hidden_units
            };
            let most = 1.0 / (inputs as f64).sqrt();
            let embedding = parameter.name.starts_with("embeddings");
            for number in &mut numbers[parameter.range.clone()] {
                let drawn = if embedding {
                    stream.normal()
                } else {
                    most * (2.0 * stream.unit() - 1.0)
                };
                *number = narrow(drawn);
            }
        }
        if config.cell == Cell::Lstm {
            let units = config.hidden_units;
            for layer in layout.encoder.iter().chain(&layout.decoder) {
                for (bias, number) in [(&layer.bias_ih, 1.0), (&layer.bias_hh, 0.0)] {
                    numbers[bias.start + units..bias.start + 2 * units].fill(number);
                }
            }
        }
        Ok(Self { layout, numbers })
    }

    /// Where each tensor lies.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All numbers.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// All numbers, to be changed.
    pub(crate) fn numbers_mut(&mut self) -> &mut [f32] {
        &mut self.numbers
    }

    /// The numbers of a tensor, by rows; `None` where there is none of that name.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        let parameters = self.layout.parameters().iter();
        let mut named = parameters.filter(|parameter| parameter.name == name);
        named
            .next()
            .map(|parameter| &self.numbers[parameter.range.clone()])
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "first weights are rounded to the precision of training"
)]
const fn narrow(number: f64) -> f32 {
    number as f32
}
