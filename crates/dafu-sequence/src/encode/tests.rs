//! Private parts.

use super::scale::{Moments, Scale};
use super::vocabulary::{Counts, Vocabulary};
use super::{
    CategoricalInput, CheckedEncoderParams, Encoder, EncoderFit, EncoderParams, EncoderState,
    EventsEncoder, Histories, Novelty, Transform,
};
use crate::network::Embedding;
use dafu_core::Transaction;
use std::sync::Arc;

#[test]
fn more_categories_get_more_dimensions_up_to_sixteen() {
    let got = [1, 2, 3, 5, 12, 100, 197, 198, 1 << 20, u32::MAX].map(Embedding::default_dimension);
    assert_eq!(got, [1, 1, 2, 4, 8, 13, 15, 16, 16, 16]);
    for codes in 2..5_000_u32 {
        let expected = (4.0 * f64::from(codes).powf(0.25) - 1e-9).ceil();
        let expected = expected.min(16.0).min(f64::from(codes) - 1.0);
        assert_eq!(
            Embedding::default_dimension(codes) as f64,
            expected,
            "{codes}"
        );
    }
}

#[test]
fn moments_are_those_of_two_passes() {
    let numbers = [3.0, -1.5, 1e6, 0.25, 7.0];
    let mut moments = Moments::default();
    for number in numbers {
        moments.push(Some(number));
    }
    let mean = numbers.iter().sum::<f64>() / 5.0;
    let squares = numbers.iter().map(|number| (number - mean).powi(2));
    let deviation = (squares.sum::<f64>() / 5.0).sqrt();
    let scale = moments.scale();
    // Relative: two orders of the same sums.
    assert!((scale.mean - mean).abs() < 1e-12 * mean);
    assert!((scale.deviation - deviation).abs() < 1e-12 * deviation);
    assert!(!scale.missing);
}

#[test]
fn constants_and_nothing_get_the_deviation_one() {
    let mut moments = Moments::default();
    assert!(moments.is_empty());
    moments.push(None);
    let nothing = Scale {
        mean: 0.0,
        deviation: 1.0,
        missing: true,
    };
    assert_eq!(moments.scale(), nothing);
    for _ in 0..1_000 {
        moments.push(Some(0.1));
    }
    assert_eq!(
        moments.scale(),
        Scale {
            mean: 0.1,
            ..nothing
        }
    );
}

#[test]
fn numbers_out_of_range_make_no_usable_scale() {
    let mut moments = Moments::default();
    moments.push(Some(f64::MAX));
    moments.push(Some(-f64::MAX));
    assert!(!moments.scale().is_usable());
}

#[test]
fn encoded_numbers_stay_within_the_clip_whatever_the_scale() {
    for (mean, deviation) in [(0.0, 1.0), (f64::MAX, 5e-324), (-f64::MAX, f64::MAX)] {
        let scale = Scale {
            mean,
            deviation,
            missing: false,
        };
        assert!(scale.is_usable());
        for number in [0.0, -0.0, f64::MAX, -f64::MAX, 5e-324] {
            assert!(
                scale.encode(number, 8.0).abs() <= 8.0,
                "{number} of {scale:?}"
            );
        }
    }
}

#[test]
fn transforms_come_back() {
    for number in [0.0, 0.01, 1.0, -950.0, 1e9, -1e15] {
        assert_eq!(Transform::Identity.invert(number), number);
        let log = Transform::SignedLog.apply(number);
        assert!((log.abs() - number.abs().ln_1p()).abs() < 1e-14 * log.abs().max(1.0));
        let back = Transform::SignedLog.invert(log);
        // The last digits of a logarithm of 35 weigh as much as 1e-14 of the number.
        assert!((back - number).abs() <= 1e-13 * number.abs(), "{number}");
    }
}

#[test]
fn categories_come_by_falling_count_then_by_text() {
    let mut counts = Counts::default();
    for text in ["b", "c", "a", "c", "b", "a", "c", "rare", "d", "d"] {
        counts.push(text);
    }
    let names = |input: &CategoricalInput| {
        let names = counts.clone().names(input);
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let input = CategoricalInput::new("x").min_count(2);
    assert_eq!(names(&input), ["c", "a", "b", "d"]);
    assert_eq!(names(&input.max_categories(2)), ["c", "a"]);
}

#[test]
fn vocabularies_know_missing_and_unseen_texts() {
    let names = |names: &[&str]| names.iter().copied().map(Arc::from).collect();
    let vocabulary = Vocabulary::new(names(&["login", "missing"])).unwrap();
    let codes = [None, Some("else"), Some("login"), Some("missing")];
    assert_eq!(codes.map(|text| vocabulary.code(text)), [0, 1, 2, 3]);
    let texts = [0, 1, 2, 3, 4, u32::MAX].map(|code| vocabulary.name(code));
    let expected = ["missing", "unseen", "login", "missing"].map(Some);
    assert_eq!(texts[..4], expected);
    assert_eq!(texts[4..], [None, None]);
    assert_eq!(vocabulary.codes(), 4);
    assert_eq!(Vocabulary::new(names(&["a", "b", "a"])), None);
}

#[test]
fn states_tell_new_texts_from_known_ones() {
    use Novelty::{First, Known, Missing, New, Same};
    let mut state = EncoderState::default();
    let steps = [
        (None, Missing),
        (Some("a"), First),
        (Some("a"), Same),
        (Some("b"), New),
        (None, Missing),
        (Some("b"), Same),
        (Some("a"), Known),
        (Some("c"), New),
        // Of the two remembered ones, "b" is the older, and gone.
        (Some("b"), New),
        (Some("c"), Known),
    ];
    for (step, (text, expected)) in steps.into_iter().enumerate() {
        assert_eq!(state.observe(3, 2, text), expected, "step {step}");
    }
    // Other places are other inputs.
    assert_eq!(state.observe(0, 3, Some("c")), First);
    assert_eq!(state.observe(5, 1, Some("c")), First);
}

#[test]
fn novelties_are_their_places() {
    for (place, novelty) in (0..).zip(Novelty::ALL) {
        assert_eq!(novelty.code(), place);
    }
}

#[test]
fn states_are_small() {
    assert!(size_of::<EncoderState>() <= 80);
}

#[test]
fn everything_is_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<EncoderParams>();
    check::<CheckedEncoderParams>();
    check::<EncoderFit>();
    check::<Encoder>();
    check::<EncoderState>();
    check::<EventsEncoder<'_>>();
    check::<Histories<'_, Transaction>>();
}
