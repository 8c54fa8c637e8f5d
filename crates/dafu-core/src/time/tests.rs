use super::{Civil, Timestamp};
use proptest::prelude::*;

#[test]
fn reads_and_prints_rfc_3339() {
    for (text, back) in [
        ("2018-04-01T00:00:31Z", "2018-04-01T00:00:31Z"),
        ("2018-04-01 00:00:31.5Z", "2018-04-01T00:00:31.500000Z"),
        ("2018-04-01T02:00:31+02:00", "2018-04-01T00:00:31Z"),
        ("0001-01-01T00:00Z", "0001-01-01T00:00:00Z"),
        (
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59.999999Z",
        ),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(
            text.parse::<Timestamp>().unwrap().to_string(),
            back,
            "{text}"
        );
    }
}

#[test]
fn refuses_what_is_no_instant() {
    for text in [
        "",
        "2018-04-01",
        "2018-04-01T00:00:31",
        "2018-02-29T00:00:00Z",
        "2018-04-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "2018-04-01T00:00:31.Z",
        "2018-4-1T00:00:31Z",
        "\u{e9}018-04-01T00:00:31Z",
        "0001-01-01T00:00:00+01:00",
        "2018-04-01T00:00:31+0200",
    ] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
    assert!(Timestamp::from_micros(i64::MAX).is_err());
    assert!(Timestamp::from_micros(i64::MIN).is_err());
    assert!(
        Timestamp::MAX
            .checked_add(std::time::Duration::from_micros(1))
            .is_err()
    );
    assert!(
        Timestamp::MIN
            .checked_sub(std::time::Duration::MAX)
            .is_err()
    );
}

#[test]
fn knows_the_weekday() {
    let sunday: Timestamp = "2018-04-01T12:00:00Z".parse().unwrap();
    assert_eq!((sunday.weekday(), sunday.hour()), (6, 12));
    assert_eq!(Timestamp::EPOCH.weekday(), 3); // a Thursday
}

proptest! {
    #[test]
    fn civil_fields_round_trip(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        let at = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(Timestamp::from_civil(at.civil()).unwrap(), at);
        prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Timestamp>();
        let _ = Civil::parse_prefix(&text);
    }
}

#[cfg(feature = "chrono")]
mod with_chrono {
    use super::super::{Civil, Resolved, Timestamp, Zone};
    use proptest::prelude::*;

    proptest! {
        /// Oracle: chrono's calendar.
        #[test]
        fn equals_chrono(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
            use chrono::{DateTime, Datelike, Timelike, Utc};
            let at = Timestamp::from_micros(micros).unwrap();
            let theirs: DateTime<Utc> = at.into();
            let ours = at.civil();
            prop_assert_eq!(
                (theirs.year(), theirs.month(), theirs.day(), theirs.hour(), theirs.minute(), theirs.second()),
                (ours.year, u32::from(ours.month), u32::from(ours.day), u32::from(ours.hour), u32::from(ours.minute), u32::from(ours.second))
            );
            prop_assert_eq!(theirs.weekday().num_days_from_monday(), u32::from(at.weekday()));
            prop_assert_eq!(Timestamp::try_from(theirs).unwrap(), at);
        }
    }

    #[test]
    fn resolves_daylight_saving_in_berlin() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let at = |month, day, hour, minute| Civil {
            hour,
            minute,
            ..Civil::date(2024, month, day)
        };
        let utc = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            berlin.resolve(at(7, 1, 12, 0)).unwrap(),
            Resolved::One(utc("2024-07-01T10:00:00Z"))
        );
        assert_eq!(
            berlin.resolve(at(3, 31, 2, 30)).unwrap(),
            Resolved::Gap {
                shifted: utc("2024-03-31T01:30:00Z")
            }
        );
        assert_eq!(
            berlin.resolve(at(10, 27, 2, 30)).unwrap(),
            Resolved::Twice {
                earlier: utc("2024-10-27T00:30:00Z"),
                later: utc("2024-10-27T01:30:00Z")
            }
        );
    }

    #[test]
    fn reads_zones() {
        for (text, back) in [
            ("utc", "UTC"),
            ("+02:00", "+02:00"),
            ("America/New_York", "America/New_York"),
        ] {
            assert_eq!(text.parse::<Zone>().unwrap().to_string(), back);
        }
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }
}
