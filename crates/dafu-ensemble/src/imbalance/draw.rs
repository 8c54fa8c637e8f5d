//! Rows of bags.

use crate::Samples;
use dafu_core::random::{FloydSampler, Stream};

/// What random streams are for.
const BAG: u64 = 11;

/// Rows that bags are drawn from; those of weight 0 are left out.
pub(super) struct Pool {
    frauds: Vec<usize>,
    /// Honest rows of each block, and how many of them a bag takes.
    blocks: Vec<(Vec<usize>, usize)>,
}

impl Pool {
    pub(super) fn new(samples: &Samples<'_>, ratio: f64) -> Self {
        let (mut frauds, mut honest) = (Vec::new(), Vec::new());
        for (row, fraud) in samples.frauds().iter().enumerate() {
            if samples.weight(row) > 0.0 {
                if *fraud { &mut frauds } else { &mut honest }.push(row);
            }
        }
        honest.sort_by_key(|row| (samples.block(*row), *row));
        let of_blocks: Vec<Vec<usize>> = honest
            .chunk_by(|one, two| samples.block(*one) == samples.block(*two))
            .map(<[usize]>::to_vec)
            .collect();
        let wanted = (frauds.len() as f64 * ratio).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 1, and a float becomes at most the largest number"
        )]
        let wanted = (wanted.max(1.0) as usize).min(honest.len());
        let sizes: Vec<usize> = of_blocks.iter().map(Vec::len).collect();
        let shares = share_out(wanted, &sizes);
        Self {
            frauds,
            blocks: of_blocks.into_iter().zip(shares).collect(),
        }
    }

    /// Rows of a bag, in order: all frauds, and honest ones without replacement.
    pub(super) fn bag(&self, seed: u64, bag: u64) -> Vec<usize> {
        let mut stream = Stream::new(seed, BAG, bag);
        let mut rows = self.frauds.clone();
        let (mut sampler, mut drawn) = (FloydSampler::default(), Vec::new());
        for (honest, wanted) in &self.blocks {
            sampler.draw(honest.len(), *wanted, &mut stream, &mut drawn);
            rows.extend(drawn.iter().map(|place| honest[*place]));
        }
        rows.sort_unstable();
        rows
    }
}

/// `wanted` things shared out in proportion to sizes, by largest remainders; at most the sum of sizes.
fn share_out(wanted: usize, sizes: &[usize]) -> Vec<usize> {
    let all = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: &usize| *size as u128 * wanted as u128;
    let whole = |size: &usize| usize::try_from(exact(size) / all).unwrap_or(*size);
    let mut shares: Vec<usize> = sizes.iter().map(whole).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // The first of equal remainders first: a stable sort.
    order.sort_by_key(|place| std::cmp::Reverse(exact(&sizes[*place]) % all));
    let missing = wanted - shares.iter().sum::<usize>();
    for place in order.into_iter().take(missing) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Pool, share_out};
    use crate::Samples;
    use ndarray::Array2;
    use proptest::prelude::*;

    #[test]
    fn shares_are_those_of_the_largest_remainders() {
        assert_eq!(share_out(10, &[53, 24, 23]), [5, 3, 2]);
        assert_eq!(share_out(1, &[5, 5]), [1, 0]);
        assert_eq!(share_out(0, &[5, 5]), [0, 0]);
        assert_eq!(share_out(7, &[3, 4]), [3, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn shares_are_proportional_within_one(sizes in prop::collection::vec(0_usize..100, 1..20), part in 0.0_f64..=1.0) {
            let all: usize = sizes.iter().sum();
            let wanted = (0..=all).take_while(|count| *count as f64 <= part * all as f64).last().unwrap_or(0);
            let shares = share_out(wanted, &sizes);
            prop_assert_eq!(shares.iter().sum::<usize>(), wanted);
            for (share, size) in shares.iter().zip(&sizes) {
                prop_assert!(share <= size);
                let exact = *size as f64 * wanted as f64 / all.max(1) as f64;
                prop_assert!((*share as f64 - exact).abs() < 1.0 + 1e-9);
            }
        }

        #[test]
        fn bags_have_all_frauds_and_each_block_its_share(labels in prop::collection::vec((0_u32..4, 0_u8..10, 0_u8..5), 1..80), ratio in 0.2_f64..4.0, seed in 0_u64..50) {
            let frauds: Vec<bool> = labels.iter().map(|(_, label, _)| *label == 0).collect();
            let weights: Vec<f64> = labels.iter().map(|(_, _, weight)| f64::from(*weight)).collect();
            let blocks: Vec<u32> = labels.iter().map(|(block, ..)| *block).collect();
            let rows = Array2::zeros((labels.len(), 1));
            let samples = Samples::new(rows.view(), &frauds).unwrap().with_weights(&weights).unwrap();
            let samples = samples.with_blocks(&blocks).unwrap();
            let bag = Pool::new(&samples, ratio).bag(seed, 3);
            prop_assert!(bag.windows(2).all(|pair| pair[0] < pair[1]), "rows twice or out of order");
            prop_assert!(bag.iter().all(|row| weights[*row] > 0.0));
            let counted = |of: &[usize], block: u32| of.iter().filter(|row| !frauds[**row] && blocks[**row] == block).count();
            let all: Vec<usize> = (0..labels.len()).filter(|row| weights[*row] > 0.0).collect();
            let count = |rows: &[usize]| rows.iter().filter(|row| frauds[**row]).count();
            prop_assert_eq!(count(&bag), count(&all));
            let (honest, kept) = (all.len() - count(&all), bag.len() - count(&bag));
            let wanted = (count(&all) as f64 * ratio).round().max(1.0);
            prop_assert!((kept as f64 - wanted.min(honest as f64)).abs() < 1e-9);
            for block in 0..4 {
                let exact = counted(&all, block) as f64 * kept as f64 / honest.max(1) as f64;
                prop_assert!((counted(&bag, block) as f64 - exact).abs() < 1.0 + 1e-9);
            }
        }
    }

    #[test]
    fn bags_of_one_ensemble_differ_and_cover_the_rows() {
        let rows = Array2::zeros((100, 1));
        let frauds: Vec<bool> = (0..100).map(|row| row < 20).collect();
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let pool = Pool::new(&samples, 1.0);
        let mut seen = [0_usize; 100];
        for bag in 0..400 {
            for row in pool.bag(1, bag) {
                seen[row] += 1;
            }
        }
        assert!(seen[..20].iter().all(|count| *count == 400));
        // Each honest row is in a quarter of the bags: binomial with deviation 8.7, five of them.
        assert!(
            seen[20..].iter().all(|count| count.abs_diff(100) < 44),
            "{seen:?}"
        );
    }
}
