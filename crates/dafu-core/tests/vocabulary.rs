//! Ids, scores, bands, schema and their serde forms.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{
    Bands, CoreError, Currency, EntityId, FeatureGroup, FeatureSpec, FeatureType, GeoPoint, Label,
    Money, Probability, RawScore, RiskBand, Schema, Score, Timestamp, Transaction, Unit,
};

#[test]
fn ids_refuse_what_breaks_logs_and_card_numbers() {
    assert!(matches!(
        EntityId::new(""),
        Err(CoreError::Id { len: 0, .. })
    ));
    assert!(EntityId::new("x".repeat(257)).is_err());
    assert!(matches!(
        EntityId::new("a\u{1b}[2J"),
        Err(CoreError::Id { control: true, .. })
    ));
    let refused = EntityId::new("4111111111111111").unwrap_err();
    assert!(matches!(refused, CoreError::CardNumber { digits: 16 }));
    assert!(
        !refused.to_string().contains("4111"),
        "the number is not repeated: {refused}"
    );
    assert_eq!(
        EntityId::new("fraud_Stroman, Hudson and Erdman")
            .unwrap()
            .as_str()
            .len(),
        32
    );
}

#[test]
fn numbers_outside_their_interval_are_refused() {
    for bad in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        assert!(
            Score::new(bad).is_err() && Probability::new(bad).is_err(),
            "{bad}"
        );
    }
    assert!(RawScore::new(-1e300).is_ok() && RawScore::new(f64::NAN).is_err());
    assert!(GeoPoint::new(90.1, 0.0).is_err() && GeoPoint::new(0.0, f64::NAN).is_err());
}

#[test]
fn bands_begin_at_their_lower_limit() {
    let bands = Bands::default();
    for (risk, band) in [
        (0.0, RiskBand::Low),
        (0.3, RiskBand::Medium),
        (0.6, RiskBand::High),
        (0.8, RiskBand::Critical),
        (1.0, RiskBand::Critical),
    ] {
        assert_eq!(bands.band(Score::new(risk).unwrap()), band, "{risk}");
    }
    for (medium, high, critical) in [
        (0.0, 0.5, 0.8),
        (0.5, 0.5, 0.8),
        (0.5, 0.6, 1.1),
        (f64::NAN, 0.5, 0.8),
    ] {
        assert!(Bands::new(medium, high, critical).is_err());
    }
}

#[test]
fn a_schema_is_what_its_columns_mean() {
    let schema = |unit, nullable| {
        Schema::new(vec![
            FeatureSpec::real("amount")
                .with_unit(unit)
                .with_nullable(nullable),
            FeatureSpec::real("kind").with_type(FeatureType::Category {
                levels: vec!["a".into()],
            }),
        ])
        .unwrap()
    };
    let base = schema(Unit::Money, false);
    assert_ne!(base.hash(), schema(Unit::Count, false).hash());
    assert_ne!(base.hash(), schema(Unit::Money, true).hash());
    assert_eq!(base.hash(), schema(Unit::Money, false).hash());
    let described = base.features()[0]
        .clone()
        .with_description("x")
        .with_group(FeatureGroup::Amount);
    let again = Schema::new(vec![described, base.features()[1].clone()]).unwrap();
    assert_eq!(base.hash(), again.hash());
    assert_eq!(base.position("kind").unwrap().get(), 1);
    assert!(Schema::new(vec![FeatureSpec::real("a"), FeatureSpec::real("a")]).is_err());
}

#[cfg(feature = "serde")]
mod as_json {
    use super::{Currency, EntityId, Label, Money, Schema, Score, Timestamp, Transaction};

    #[test]
    fn transactions_round_trip() {
        let tx = Transaction::new(
            "t1".parse().unwrap(),
            "u1".parse().unwrap(),
            Money::from_minor(5716, Currency::new("EUR").unwrap()),
            "m1".parse().unwrap(),
            Timestamp::EPOCH,
        )
        .with_label(Label::Fraud);
        let text = serde_json::to_string(&tx).unwrap();
        assert_eq!(serde_json::from_str::<Transaction>(&text).unwrap(), tx);
    }

    #[test]
    fn checks_are_not_bypassed() {
        assert!(serde_json::from_str::<Score>("1.5").is_err());
        assert!(serde_json::from_str::<EntityId>("\"4111111111111111\"").is_err());
        assert!(serde_json::from_str::<Currency>("\"eur\"").is_err());
        assert!(serde_json::from_str::<Timestamp>("9223372036854775807").is_err());
        let twice = r#"[{"name":"a","feature_type":"Real","unit":"One","group":"other","nullable":false,"description":""},
                        {"name":"a","feature_type":"Real","unit":"One","group":"other","nullable":false,"description":""}]"#;
        assert!(
            serde_json::from_str::<Schema>(twice)
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
    }
}
