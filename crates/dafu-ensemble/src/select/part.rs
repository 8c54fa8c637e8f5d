//! Some rows of samples.

use crate::{EnsembleError, Samples};
use ndarray::{ArrayView2, Axis, CowArray, Ix2, Slice};
use std::borrow::Cow;

/// Some rows of samples, borrowed where they lie one after the other.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    rows: CowArray<'a, f64, Ix2>,
    frauds: Cow<'a, [bool]>,
    weights: Option<Cow<'a, [f64]>>,
    blocks: Option<Cow<'a, [u32]>>,
}

impl<'a> Part<'a> {
    /// The rows of these numbers, all of which there are.
    pub(crate) fn new(samples: &Samples<'a>, numbers: &[usize]) -> Self {
        let mut rows: ArrayView2<'a, f64> = samples.rows();
        let block = numbers.first().map(|first| *first..first + numbers.len());
        let block = block.filter(|block| block.clone().eq(numbers.iter().copied()));
        Self {
            rows: match &block {
                Some(block) => {
                    rows.slice_axis_inplace(Axis(0), Slice::from(block.clone()));
                    CowArray::from(rows)
                }
                None => CowArray::from(rows.select(Axis(0), numbers)),
            },
            frauds: pick(samples.frauds(), numbers, block.as_ref()),
            weights: samples
                .weights()
                .map(|weights| pick(weights, numbers, block.as_ref())),
            blocks: samples
                .blocks()
                .map(|blocks| pick(blocks, numbers, block.as_ref())),
        }
    }

    pub(crate) fn rows(&self) -> ArrayView2<'_, f64> {
        self.rows.view()
    }

    pub(crate) fn frauds(&self) -> &[bool] {
        &self.frauds
    }

    pub(crate) fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    pub(crate) fn samples(&self) -> Result<Samples<'_>, EnsembleError> {
        let mut samples = Samples::new(self.rows.view(), &self.frauds)?;
        if let Some(weights) = &self.weights {
            samples = samples.with_weights(weights)?;
        }
        if let Some(blocks) = &self.blocks {
            samples = samples.with_blocks(blocks)?;
        }
        Ok(samples)
    }
}

fn pick<'a, T: Copy>(
    values: &'a [T],
    numbers: &[usize],
    block: Option<&std::ops::Range<usize>>,
) -> Cow<'a, [T]> {
    match block {
        Some(block) => Cow::Borrowed(&values[block.clone()]),
        None => Cow::Owned(numbers.iter().map(|number| values[*number]).collect()),
    }
}
