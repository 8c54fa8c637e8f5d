//! Blends as bytes.

use super::{Column, Data, combinations};
use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_ensemble::combine::{
    Blend, ClassifierRegistry, Combiner, MAX_NESTING, Max, MemberScale, RankMap, Stack,
};
use dafu_ensemble::{BoostedTreesParams, Classifier, EnsembleError};
use ndarray::ArrayView2;
use proptest::prelude::*;

const KIND: &str = "test.column";

pub(super) fn to_bytes(column: &Column) -> Result<Vec<u8>, EnsembleError> {
    let payload = [column.place, column.width].map(|n| u8::try_from(n).unwrap());
    Envelope::write(KIND, 1, SchemaHash(0), &payload).map_err(EnsembleError::Envelope)
}

fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Classifier>, EnsembleError> {
    let envelope = Envelope::expect(bytes, KIND, 1, limits).map_err(EnsembleError::Envelope)?;
    let payload = envelope.payload();
    Ok(Box::new(Column {
        width: usize::from(payload[1]),
        ..Column::new(usize::from(payload[0]))
    }))
}

fn registry() -> ClassifierRegistry {
    let mut registry = ClassifierRegistry::default();
    registry.register(KIND, decode);
    registry
}

#[test]
fn saved_blends_answer_the_same_bits() {
    let data = Data::new();
    let answers = |model: &dyn Classifier, rows: ArrayView2<'_, f64>| {
        let mut out = vec![0.0; rows.nrows()];
        model.log_odds_rows(rows, &mut out).unwrap();
        out
    };
    for combination in combinations() {
        let blend = data.params(combination).fit(&data.samples()).unwrap();
        let bytes = blend.to_bytes().unwrap();
        let loaded = Blend::from_bytes(&bytes, &registry()).unwrap();
        assert_eq!(loaded.combiner(), blend.combiner());
        assert_eq!(loaded.idle(), blend.idle());
        let rows = data.rows.view();
        assert_eq!(answers(&loaded, rows), answers(&blend, rows));
        let loaded = registry().load(&bytes).unwrap();
        assert_eq!(answers(&*loaded, rows), answers(&blend, rows));
        assert_eq!(loaded.to_bytes().unwrap(), bytes);
    }
}

/// Made by version 1 of the format; must load for ever.
#[test]
fn the_first_format_still_loads() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/golden/blend-v1.dafu"
    );
    let maps = |scores: Vec<f64>| RankMap::from_knots(scores, vec![0.25, 0.75]).unwrap();
    let scale = MemberScale::Ranks(vec![maps(vec![-1.0, 2.0]), maps(vec![0.0, 0.5])]);
    let stack = Stack::new(scale, vec![0.5, 1.5], -3.0).unwrap();
    let members = vec![
        (
            "fair".to_owned(),
            Box::new(Column::new(1)) as Box<dyn Classifier>,
        ),
        ("nested".to_owned(), Box::new(nested(1))),
    ];
    let idle = vec!["constant".to_owned()];
    let blend = Blend::new(members, Combiner::Stack(stack), idle).unwrap();
    let bytes = std::fs::read(golden).unwrap();
    assert_eq!(blend.to_bytes().unwrap(), bytes);
    let loaded = Blend::from_bytes(&bytes, &registry()).unwrap();
    // Ranks of 0.5 (half way) and 0.25 (the first knot).
    let expected = -3.0 - 1.5 * 3.0_f64.ln();
    assert!((loaded.log_odds_row(&[0.0, 0.5, 9.0]).unwrap() - expected).abs() < 1e-14);
    assert_eq!(loaded.idle(), ["constant"]);
}

fn nested(depth: usize) -> Blend {
    let mut member: Box<dyn Classifier> = Box::new(Column::new(0));
    let around = |member| {
        let max = Combiner::Max(Max::new(MemberScale::LogOdds(1)).unwrap());
        Blend::new(vec![("inner".to_owned(), member)], max, Vec::new()).unwrap()
    };
    for _ in 1..depth {
        member = Box::new(around(member));
    }
    around(member)
}

#[test]
fn blends_inside_of_blends_are_loaded_up_to_a_limit() {
    let deep = nested(MAX_NESTING).to_bytes().unwrap();
    assert!(registry().load(&deep).is_ok());
    let deeper = nested(MAX_NESTING + 1).to_bytes().unwrap();
    let mut error = registry().load(&deeper).unwrap_err();
    while let EnsembleError::Member { source, .. } = error {
        error = *source;
    }
    assert!(matches!(
        error,
        EnsembleError::Envelope(ModelError::Payload { .. })
    ));
}

#[test]
fn kinds_without_a_decoder_are_named() {
    let data = Data::new();
    let blend = data
        .params(combinations().remove(0))
        .fit(&data.samples())
        .unwrap();
    let bytes = blend.to_bytes().unwrap();
    match ClassifierRegistry::default().load(&bytes) {
        Err(EnsembleError::Member { name, source }) => {
            assert_eq!(name, "good");
            let known = vec![Blend::KIND.to_owned()];
            let got = KIND.to_owned();
            let unknown = ModelError::UnknownKind { got, known };
            assert_eq!(*source, EnsembleError::Envelope(unknown));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(registry().kinds().collect::<Vec<_>>(), [KIND]);
}

#[derive(Debug)]
struct Foreign;

impl Classifier for Foreign {
    fn width(&self) -> usize {
        1
    }

    fn log_odds_rows(&self, _: ArrayView2<'_, f64>, _: &mut [f64]) -> Result<(), EnsembleError> {
        Ok(())
    }
}

#[test]
fn a_member_without_a_format_is_named() {
    let max = Combiner::Max(Max::new(MemberScale::LogOdds(1)).unwrap());
    let members = vec![("other".to_owned(), Box::new(Foreign) as Box<dyn Classifier>)];
    let blend = Blend::new(members, max, Vec::new()).unwrap();
    match blend.to_bytes() {
        Err(EnsembleError::Member { name, source }) => {
            assert_eq!((name.as_str(), *source), ("other", EnsembleError::NotSaved));
        }
        other => panic!("{other:?}"),
    }
    assert!(BoostedTreesParams::default().check().is_ok());
}

#[test]
fn limits_hold_for_blends() {
    let bytes = nested(1).to_bytes().unwrap();
    let limits = Limits {
        max_bytes: bytes.len() as u64 - 1,
        ..Limits::default()
    };
    let error = ClassifierRegistry::new(limits).load(&bytes).unwrap_err();
    assert!(matches!(
        error,
        EnsembleError::Envelope(ModelError::TooLarge { .. })
    ));
}

#[test]
fn too_many_members_are_refused_before_they_take_memory() {
    let load = |members: u16| {
        let mut payload = vec![
            u8::try_from(members % 128).unwrap() | 128,
            u8::try_from(members / 128).unwrap(),
        ];
        // Empty names and models, log odds, the maximum, nobody idle.
        payload.extend(vec![0; usize::from(2 * members)]);
        payload.extend([0, 4, 0]);
        let bytes = Envelope::write(Blend::KIND, 1, SchemaHash(0), &payload).unwrap();
        Blend::from_bytes(&bytes, &registry()).unwrap_err()
    };
    assert!(matches!(load(256), EnsembleError::Member { .. }));
    let error = load(257);
    assert!(matches!(
        error,
        EnsembleError::Envelope(ModelError::Payload { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn damaged_blends_never_panic(
        which in 0_usize..combinations().len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let data = Data::new();
        let combination = combinations().swap_remove(which);
        let bytes = data.params(combination).fit(&data.samples()).unwrap().to_bytes().unwrap();
        // The checksum would catch all: what is inside is damaged and wrapped again.
        let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
        let mut payload = envelope.payload().to_vec();
        for (at, value) in changes {
            *at.get_mut(&mut payload) = value;
        }
        let wrap = |payload: &[u8]| Envelope::write(Blend::KIND, 1, SchemaHash(0), payload).unwrap();
        for damaged in [&payload[..], &payload[..cut.index(payload.len())]] {
            if let Ok(blend) = Blend::from_bytes(&wrap(damaged), &registry()) {
                let answer = blend.log_odds_row(&[1.0, -1.0, 0.0]);
                prop_assert!(answer.is_err() || answer.unwrap().is_finite());
            }
        }
    }
}
