use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn registers(hashes: impl IntoIterator<Item = u64>) -> HyperLogLog {
    let mut sketch = HyperLogLog::default();
    for hash in hashes {
        sketch.insert(hash);
    }
    sketch
}

fn sketch(hashes: impl IntoIterator<Item = u64>) -> DistinctSketch {
    let mut sketch = DistinctSketch::default();
    for hash in hashes {
        sketch.insert(hash);
    }
    sketch
}

/// Hashes of the numbers from 0 on, spread in another way than the sketch does.
fn hashes(seed: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| {
        let z = (n ^ seed.rotate_left(32)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
    })
}

/// Mean and root mean square of the relative error over many seeds.
fn errors(count: u64, seeds: u64) -> (f64, f64) {
    let gaps: Vec<f64> = (1..=seeds)
        .map(|seed| registers(hashes(seed, count)).estimate() / count as f64 - 1.0)
        .collect();
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / seeds as f64;
    let square = mean(&mut gaps.iter().map(|gap| gap * gap));
    (mean(&mut gaps.iter().copied()), square.sqrt())
}

#[test]
fn the_standard_error_is_the_stated_one_over_many_seeds() {
    let stated = 1.04 / (REGISTERS as f64).sqrt();
    for (count, seeds) in [
        (100, 400),
        (1000, 400),
        (3000, 400),
        (6000, 400),
        (10_000, 300),
        (100_000, 200),
        (1_000_000, 60),
    ] {
        let (bias, error) = errors(count, seeds);
        // The error of an error from s seeds is about 1 / sqrt(2 s) of it, the bias one of 1 / sqrt(s).
        let slack = 1.0 + 4.0 / (2.0 * seeds as f64).sqrt();
        assert!(error < stated * slack, "{count}: {error}");
        assert!(
            bias.abs() < 4.0 * stated / (seeds as f64).sqrt(),
            "{count}: {bias}"
        );
        if count >= 10_000 {
            assert!(error > stated / slack, "{count}: {error}");
        }
    }
}

#[test]
fn consecutive_and_badly_spread_hashes_are_counted_as_well() {
    for shift in [0, 8, 20, 40] {
        let got = registers((0..50_000).map(|n| n << shift)).estimate();
        assert!((got / 50_000.0 - 1.0).abs() < 4.0 * 0.023, "{shift}: {got}");
    }
    let text =
        (0..50_000_u64).map(|n| dafu_core::StableHasher::hash_bytes(format!("u-{n}").as_bytes()));
    assert!((registers(text).estimate() / 50_000.0 - 1.0).abs() < 4.0 * 0.023);
}

#[test]
fn few_hashes_are_estimated_by_the_closed_form_of_linear_counting() {
    // While every run of zeros is short, sigma makes the estimate nearly m ln(m / empty registers).
    let got = registers(hashes(5, 40));
    let empty: u32 = got.registers.iter().map(|&run| u32::from(run == 0)).sum();
    let linear = REGISTERS as f64 * (REGISTERS as f64 / f64::from(empty)).ln();
    assert!((got.estimate() / linear - 1.0).abs() < 0.01);
    assert!(HyperLogLog::default().estimate().abs() < 1e-300);
}

#[test]
fn a_state_of_equal_registers_has_the_closed_form_of_its_likelihood() {
    // All m registers hold r, 1 to 53: the sum is m 2^-r, so the estimate is m 2^r / (2 ln 2).
    for run in 1..MAX_RUN {
        let state = HyperLogLog::try_from(vec![run; REGISTERS]).unwrap();
        let expected =
            REGISTERS as f64 * 2.0_f64.powi(i32::from(run)) / (2.0 * std::f64::consts::LN_2);
        assert!((state.estimate() / expected - 1.0).abs() < 1e-14, "{run}");
    }
    let full = HyperLogLog::try_from(vec![MAX_RUN; REGISTERS]).unwrap();
    assert!(full.estimate().is_infinite());
}

#[test]
fn sigma_and_tau_equal_their_series() {
    for hundredth in 0..100 {
        let x = f64::from(hundredth) / 100.0;
        let series: f64 = (1..60)
            .map(|k| x.powf(2.0_f64.powi(k)) * 2.0_f64.powi(k - 1))
            .sum();
        assert!(
            (sigma(x) - x - series).abs() < 1e-12 * (1.0 + sigma(x)),
            "{x}"
        );
        let series: f64 = (1..60)
            .map(|k| (1.0 - x.powf(2.0_f64.powi(-k))).powi(2) * 2.0_f64.powi(-k))
            .sum();
        let expected = if hundredth == 0 {
            0.0
        } else {
            (1.0 - x - series) / 3.0
        };
        assert!((tau(x) - expected).abs() < 1e-13, "{x}");
    }
    assert!(sigma(1.0).is_infinite() && tau(1.0).abs() < 1e-300);
}

#[test]
fn the_first_run_bits_and_the_longest_run_are_reached() {
    // Undo the mixing, to hit chosen registers with chosen runs.
    fn unmix(mixed: u64) -> u64 {
        let unshift = |z: u64, by: u32| {
            let mut out = z;
            for _ in 0..3 {
                out = z ^ (out >> by);
            }
            out
        };
        let inverse = |odd: u64| {
            let mut x = odd;
            for _ in 0..6 {
                x = x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)));
            }
            x
        };
        let mut z = unshift(mixed, 31);
        z = unshift(z.wrapping_mul(inverse(0x94d0_49bb_1331_11eb)), 27);
        z = unshift(z.wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9)), 30);
        z.wrapping_sub(0x9e37_79b9_7f4a_7c15)
    }
    for (mixed, register, run) in [
        (0, 0, 54),
        (1, 0, 53),
        (1 << 52, 0, 1),
        (1 << 53, 1, 54),
        (u64::MAX, 2047, 1),
        ((1 << 63) | 2, 1024, 52),
    ] {
        assert_eq!(mix(unmix(mixed)), mixed);
        let one = registers([unmix(mixed)]);
        assert_eq!(one.registers[register], run, "{mixed:x}");
        assert!(one.check().is_ok() && one.estimate() > 0.9 && one.estimate() < 1.1);
    }
}

#[test]
fn exact_up_to_64_and_estimated_from_65_on() {
    let mut got = DistinctSketch::default();
    let mut last = 0.0;
    for (count, hash) in (1..).zip(hashes(9, 2000)) {
        got.insert(hash);
        got.insert(hash);
        assert_eq!(got.is_exact(), count <= 64);
        if count <= 64 {
            assert!((got.estimate() - f64::from(count)).abs() < 1e-300);
        } else {
            assert!(got.estimate() >= 65.0);
            assert!(
                (got.estimate() / f64::from(count) - 1.0).abs() < 0.1,
                "{count}"
            );
        }
        assert!(got.estimate() >= last);
        last = got.estimate();
        assert!(got.check().is_ok());
    }
    assert_eq!(got.heap_bytes(), 2048);
}

#[test]
fn check_refuses_states_that_no_hashes_make() {
    let refused = |state: State| DistinctSketch::try_from(state).unwrap_err().to_string();
    assert!(refused(State::Exact(vec![3, 3])).contains("rising order"));
    assert!(refused(State::Exact(vec![4, 3])).contains("rising order"));
    assert!(refused(State::Exact((0..65).collect())).contains("between 0 and 64, got 65"));
    for wrong in [vec![], vec![0; 2047], vec![0; 2049], vec![55; 2048]] {
        assert!(HyperLogLog::try_from(wrong.clone()).is_err());
        let inside = State::Registers(HyperLogLog {
            registers: wrong.into(),
        });
        assert!(DistinctSketch::try_from(inside).is_err());
    }
    assert!(DistinctSketch::try_from(State::Exact((0..64).collect())).is_ok());
}

#[cfg(feature = "serde")]
#[test]
fn serde_gives_the_same_state_and_refuses_broken_ones() {
    for count in [0, 1, 64, 65, 3000] {
        let one = sketch(hashes(3, count));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<DistinctSketch>(&text).unwrap(), one);
    }
    for broken in [
        r#"{"exact":[2,1]}"#,
        r#"{"registers":[1,2]}"#,
        r#"{"other":[]}"#,
    ] {
        assert!(
            serde_json::from_str::<DistinctSketch>(broken).is_err(),
            "{broken}"
        );
    }
    assert!(serde_json::from_str::<HyperLogLog>("[0]").is_err());
}

fn many() -> impl Strategy<Value = Vec<u64>> {
    // Few different ones, about 64, and many; small numbers and any.
    prop_oneof![
        proptest::collection::vec(0..90_u64, 0..200),
        proptest::collection::vec(any::<u64>(), 0..80),
        proptest::collection::vec(any::<u64>(), 0..400),
    ]
}

proptest! {
    #[test]
    fn state_and_estimate_depend_on_the_set_only(
        all in many(),
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let whole = sketch(all.iter().copied());
        prop_assert!(whole.check().is_ok());

        let sorted: BTreeSet<u64> = all.iter().copied().collect();
        prop_assert_eq!(whole.is_exact(), sorted.len() <= 64);
        prop_assert_eq!(&sketch(sorted.iter().rev().copied()), &whole);
        let mut mixed = all.clone();
        mixed.sort_by_key(|hash| mix(hash ^ seed));
        prop_assert_eq!(&sketch(mixed), &whole);

        let (left, right) = all.split_at(cut.index(all.len() + 1));
        let (left, right) = (sketch(left.iter().copied()), sketch(right.iter().copied()));
        let (mut forward, mut backward) = (left.clone(), right.clone());
        forward.merge(&right);
        backward.merge(&left);
        prop_assert_eq!(&forward, &whole);
        prop_assert_eq!(&backward, &whole);
        prop_assert!(whole.estimate() >= left.estimate().max(right.estimate()));
    }
}
