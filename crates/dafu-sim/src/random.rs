//! Random streams whose bits are fixed for ever: seeding and conversions are written down here.

use dafu_core::portable::{exp, ln};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// What a stream is for; part of the hash that seeds it, so that no two uses share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Merchant = 1,
    User = 2,
    Household = 3,
    Payments = 4,
    Starts = 5,
    Campaign = 6,
    Outlier = 7,
    Stolen = 8,
    Ring = 9,
    Trip = 10,
    Phone = 11,
    Tablet = 12,
    HomeAddress = 13,
    Hotel = 14,
    Labelled = 15,
    LabelDelay = 16,
    Sessions = 17,
    Home = 18,
    Office = 19,
    PassedOn = 20,
    NetworkUser = 21,
    NetworkRing = 22,
    NetworkLabel = 23,
    NetworkName = 24,
    FlowHonest = 25,
    FlowPattern = 26,
}

/// The finaliser of `SplitMix64`, a bijection of u64 with good avalanche.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.
const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One number for (seed, purpose, entity, time): every part is hashed in turn, so neighbours share nothing.
pub(crate) const fn key(seed: u64, purpose: Purpose, entity: u64, time: i64) -> u64 {
    mix(mix(mix(mix(seed) ^ purpose as u64) ^ entity) ^ time.cast_unsigned())
}

/// Uniform in [0, 1) from 64 random bits: the upper 53 times 2^-53.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// One stream of xoshiro256++.
///
/// Source: Blackman, Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4), 2021.
#[derive(Debug, Clone)]
pub(crate) struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of (seed, purpose, entity, time).
    pub(crate) fn new(seed: u64, purpose: Purpose, entity: u64, time: i64) -> Self {
        let mut state = key(seed, purpose, entity, time);
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            state = mix(state);
            word.copy_from_slice(&state.to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(bytes))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n` by the upper half of a product; 0 for `n` = 0. The bias is at most n / 2^32.
    ///
    /// Source: Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019, without rejection.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        u32::try_from(((self.bits() >> 32) * u64::from(n)) >> 32).unwrap_or(0)
    }

    /// Uniform in `low..=high`.
    pub(crate) fn within(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// Standard normal by the polar method.
    ///
    /// Source: Marsaglia, Bray, "A Convenient Method for Generating Normal Variables", SIAM Review 6(3), 1964.
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if square < 1.0 && square > 1e-300 {
                return x * (-2.0 * ln(square) / square).sqrt();
            }
        }
    }

    /// Exponential with mean 1: at most 37.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(1.0 - self.unit())
    }

    /// Poisson by counting uniforms until their product falls below e^-mean, in parts of at most 16.
    ///
    /// Source: Knuth, The Art of Computer Programming, volume 2, section 3.4.1.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let mut count = 0;
        let mut left = mean;
        while left > 0.0 {
            let part = left.min(16.0);
            left -= part;
            let limit = exp(-part);
            let mut product = self.unit();
            while product > limit {
                count += 1;
                product *= self.unit();
            }
        }
        count
    }

    /// Position in cumulative weights that end at (about) 1.
    pub(crate) fn pick(&mut self, cumulative: &[f32]) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
        let at = self.unit() as f32;
        let last = cumulative.len().saturating_sub(1);
        cumulative[..last].iter().filter(|&&end| end <= at).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Stream};

    fn moments(draw: impl Fn(&mut Stream) -> f64) -> (f64, f64) {
        let mut stream = Stream::new(5, Purpose::User, 1, 2);
        let n = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw(&mut stream);
            assert!(x.is_finite());
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        // Five standard errors of mean and variance at 200,000 draws.
        let near = |(mean, variance): (f64, f64), m: f64, v: f64, kurtosis: f64| {
            let n = 200_000.0_f64;
            assert!(
                (mean - m).abs() < 5.0 * (v / n).sqrt(),
                "mean {mean}, expected {m}"
            );
            let error = 5.0 * v * ((kurtosis - 1.0) / n).sqrt();
            assert!(
                (variance - v).abs() < error,
                "variance {variance}, expected {v}"
            );
        };
        near(moments(Stream::unit), 0.5, 1.0 / 12.0, 1.8);
        near(moments(Stream::normal), 0.0, 1.0, 3.0);
        near(moments(Stream::exponential), 1.0, 1.0, 9.0);
        near(
            moments(|s| f64::from(s.poisson(0.7))),
            0.7,
            0.7,
            3.0 + 1.0 / 0.7,
        );
        near(moments(|s| f64::from(s.poisson(40.0))), 40.0, 40.0, 3.025);
        near(moments(|s| f64::from(s.below(10))), 4.5, 8.25, 1.78);
    }

    #[test]
    fn neighbouring_streams_share_no_word() {
        let mut words: Vec<u64> = (0..1_000)
            .flat_map(|i| {
                let mut a = Stream::new(i, Purpose::User, 0, 0);
                let mut b = Stream::new(0, Purpose::User, i + 1, 0);
                let mut c = Stream::new(0, Purpose::User, 0, i64::try_from(i).unwrap() + 1);
                [a.bits(), b.bits(), c.bits()]
            })
            .collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 3_000);
    }
}
