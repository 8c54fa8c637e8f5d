//! How many different things there are, exactly while they are few.

use crate::FeatureError;

/// log2 of the number of registers.
const PRECISION: u32 = 11;
const REGISTERS: usize = 1 << PRECISION;
/// Bits of a hash that are left for the run of zeros.
const RUN_BITS: u32 = u64::BITS - PRECISION;
/// The largest value of a register: [`RUN_BITS`] and one.
const MAX_RUN: u8 = 54;
/// Hashes kept before registers take over.
const EXACT: usize = 64;

/// An estimate of the number of different hashes from 2,048 registers of one byte.
///
/// The standard error is 2.3 % (`1.04 / sqrt(2048)`) for thousands and more, less for fewer, and there is no bias up to
/// about 1e19. The state depends on the set of hashes only: not on order, repetition, or how sets were merged.
///
/// Hashes need not be spread well: they are mixed once more (by a bijection, so different ones stay different). They
/// must come from a hash function all the same, if somebody could choose the things in order to be miscounted.
///
/// Source: Flajolet, Fusy, Gandouet, Meunier, "`HyperLogLog`: the analysis of a near-optimal cardinality estimation
/// algorithm" (2007), figure 3, for the registers; Ertl, "New cardinality estimation algorithms for `HyperLogLog`
/// sketches" (2017), arXiv:1702.01284, section 4 and algorithm 6, for the estimate; Steele, Lea, Flood, "Fast
/// splittable pseudorandom number generators" (2014), figure 17, `mix64`, for the mixing.
///
/// ```
/// use dafu_features::measure::HyperLogLog;
///
/// let mut visitors = HyperLogLog::default();
/// for hash in 0..100_000 {
///     visitors.insert(hash);
/// }
/// assert!((visitors.estimate() / 100_000.0 - 1.0).abs() < 0.05);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<u8>", into = "Vec<u8>"))]
pub struct HyperLogLog {
    registers: Box<[u8]>,
}

impl Default for HyperLogLog {
    /// Nothing seen yet. Allocates the registers.
    fn default() -> Self {
        Self {
            registers: vec![0; REGISTERS].into_boxed_slice(),
        }
    }
}

impl HyperLogLog {
    /// Adds a hash. O(1).
    pub fn insert(&mut self, hash: u64) {
        let mixed = mix(hash);
        // Registers are chosen by the first bits, which leaves the rest for the run of zeros.
        let index = (mixed >> RUN_BITS) as usize;
        let zeros = (mixed << PRECISION).leading_zeros();
        let run = u8::try_from(zeros + 1).map_or(MAX_RUN, |run| run.min(MAX_RUN));
        if let Some(register) = self.registers.get_mut(index) {
            *register = (*register).max(run);
        }
    }

    /// Adds all hashes of another set. O(registers).
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// Estimated number of different hashes: 0 for none, never NaN, finite but for a state in which every register is
    /// full, which no number of hashes in reach makes. Never falling when hashes are added.
    ///
    /// Complexity: one pass over the registers.
    pub fn estimate(&self) -> f64 {
        let mut counts = [0_u32; MAX_RUN as usize + 1];
        for &register in &self.registers {
            if let Some(count) = counts.get_mut(usize::from(register)) {
                *count += 1;
            }
        }
        let registers = REGISTERS as f64;
        let (zeros, runs) = (counts[0], &counts[1..]);
        let mut sum = 0.0;
        for (place, &count) in runs.iter().enumerate().rev() {
            if place + 1 == usize::from(MAX_RUN) {
                sum = registers * tau(1.0 - f64::from(count) / registers);
            } else {
                sum = 0.5 * (sum + f64::from(count));
            }
        }
        sum += registers * sigma(f64::from(zeros) / registers);
        registers * registers / (2.0 * std::f64::consts::LN_2 * sum)
    }

    /// Whether the state is one that hashes can make: 2,048 registers of 0 to 54. Reading a saved state by serde does
    /// this check.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] for `registers` or the first `register` that is wrong.
    pub fn check(&self) -> Result<(), FeatureError> {
        let whole = |parameter, got: usize, min: usize, max: usize| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
                Err(FeatureError::OutOfRange {
                    parameter,
                    min: signed(min),
                    max: signed(max),
                    got: signed(got),
                })
            }
        };
        whole("registers", self.registers.len(), REGISTERS, REGISTERS)?;
        self.registers
            .iter()
            .try_for_each(|&run| whole("register", usize::from(run), 0, usize::from(MAX_RUN)))
    }
}

impl TryFrom<Vec<u8>> for HyperLogLog {
    type Error = FeatureError;
    fn try_from(registers: Vec<u8>) -> Result<Self, FeatureError> {
        let sketch = Self {
            registers: registers.into_boxed_slice(),
        };
        sketch.check()?;
        Ok(sketch)
    }
}

impl From<HyperLogLog> for Vec<u8> {
    fn from(sketch: HyperLogLog) -> Self {
        sketch.registers.into_vec()
    }
}

/// A bijection in which every bit of the input moves about half of the bits. Steele, Lea, Flood (2014), with the
/// increment, so that 0 does not stay 0.
const fn mix(hash: u64) -> u64 {
    let mut z = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `x + sum x^(2^k) 2^(k-1)`, infinite for 1. Ertl (2017), algorithm 6.
#[expect(
    clippy::float_cmp,
    reason = "until no bit changes; 1 is a count divided by itself"
)]
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// `(1 - x - sum (1 - x^(2^-k))^2 2^-k) / 3`. Ertl (2017), algorithm 6.
#[expect(clippy::float_cmp, reason = "until no bit changes; 0 and 1 are exact")]
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

/// The number of different hashes: exact up to 64, then the estimate of a [`HyperLogLog`].
///
/// The state depends on the set of hashes only: not on order, repetition, or how sets were merged. Up to 64 hashes take
/// 8 bytes each, more take 2,048 bytes together. Nothing can be removed.
///
/// ```
/// use dafu_features::measure::DistinctSketch;
///
/// let mut users = DistinctSketch::default();
/// for hash in [7, 3, 7, 5] {
///     users.insert(hash);
/// }
/// assert!(users.is_exact());
/// assert_eq!(users.estimate(), 3.0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "State", into = "State"))]
pub struct DistinctSketch(State);

/// What is kept. Checked by [`DistinctSketch::check`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum State {
    /// At most 64 hashes in rising order.
    Exact(Vec<u64>),
    /// More.
    Registers(HyperLogLog),
}

impl Default for State {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl DistinctSketch {
    /// Adds a hash.
    ///
    /// Complexity: O(64) while exact, with an allocation when the list grows or gives way to registers; then O(1).
    pub fn insert(&mut self, hash: u64) {
        match &mut self.0 {
            State::Registers(registers) => registers.insert(hash),
            State::Exact(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else {
                    return;
                };
                if hashes.len() < EXACT {
                    hashes.insert(place, hash);
                } else {
                    let mut registers = HyperLogLog::default();
                    for &kept in hashes.iter() {
                        registers.insert(kept);
                    }
                    registers.insert(hash);
                    self.0 = State::Registers(registers);
                }
            }
        }
    }

    /// Adds all hashes of another set. Allocates as [`insert`](Self::insert) does.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (State::Registers(mine), State::Registers(theirs)) => mine.merge(theirs),
            (_, State::Exact(hashes)) => {
                for &hash in hashes {
                    self.insert(hash);
                }
            }
            (State::Exact(hashes), State::Registers(theirs)) => {
                let mut registers = theirs.clone();
                for &hash in hashes.iter() {
                    registers.insert(hash);
                }
                self.0 = State::Registers(registers);
            }
        }
    }

    /// Number of different hashes: whole and exact up to 64; above, an estimate with a standard error of at most 2.3 %
    /// which is never below 65, since so many are known. Never falling when hashes are added.
    ///
    /// Complexity: O(1) while exact, then one pass over the registers.
    pub fn estimate(&self) -> f64 {
        match &self.0 {
            State::Exact(hashes) => hashes.len() as f64,
            State::Registers(registers) => registers.estimate().max(EXACT as f64 + 1.0),
        }
    }

    /// Whether [`estimate`](Self::estimate) is exact.
    pub const fn is_exact(&self) -> bool {
        matches!(self.0, State::Exact(_))
    }

    /// Bytes held outside the value itself.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            State::Exact(hashes) => hashes.capacity() * size_of::<u64>(),
            State::Registers(_) => REGISTERS,
        }
    }

    /// Whether the state is one that hashes can make. Reading a saved state by serde does this check. The registers are
    /// only checked one by one: whether more than 64 hashes made them cannot be told.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] for more than 64 hashes or wrong registers, [`FeatureError::NotUsable`] for hashes
    /// that are not in rising order.
    pub fn check(&self) -> Result<(), FeatureError> {
        let hashes = match &self.0 {
            State::Registers(registers) => return registers.check(),
            State::Exact(hashes) => hashes,
        };
        if hashes.len() > EXACT {
            return Err(FeatureError::OutOfRange {
                parameter: "hashes",
                min: 0,
                max: i64::try_from(EXACT).unwrap_or(i64::MAX),
                got: i64::try_from(hashes.len()).unwrap_or(i64::MAX),
            });
        }
        match hashes.windows(2).find(|pair| pair[0] >= pair[1]) {
            None => Ok(()),
            Some(pair) => Err(FeatureError::NotUsable {
                parameter: "hashes",
                rule: "in rising order",
                got: pair[1] as f64,
            }),
        }
    }
}

impl TryFrom<State> for DistinctSketch {
    type Error = FeatureError;
    fn try_from(state: State) -> Result<Self, FeatureError> {
        let sketch = Self(state);
        sketch.check()?;
        Ok(sketch)
    }
}

impl From<DistinctSketch> for State {
    fn from(sketch: DistinctSketch) -> Self {
        sketch.0
    }
}

#[cfg(test)]
mod tests;
