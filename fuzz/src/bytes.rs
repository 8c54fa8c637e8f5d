//! What inputs are read from, and what no sound source gives: malformed ids, amounts beyond all bounds, times at the
//! ends of the calendar.

use dafu_core::{CoreError, Currency, EntityId, Money, Timestamp, TransactionId};

/// Bytes, taken one after the other; zeros at the end.
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    /// Whether anything is odd at all.
    odd: bool,
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(rest: &'a [u8], odd: bool) -> Self {
        Self { rest, odd }
    }

    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        first
    }

    pub(crate) fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// Whether what comes next is odd: never where nothing is, else one in eight.
    pub(crate) fn is_odd(&mut self) -> bool {
        self.odd && self.byte() % 8 == 7
    }

    /// One of eight ids, or, where things are odd, any text that is one.
    pub(crate) fn id(&mut self, kind: &str) -> EntityId {
        let is_odd = self.is_odd();
        let byte = self.byte();
        let plain = || EntityId::new(format!("{kind}-{}", byte % 8)).expect("a good id");
        if !is_odd {
            return plain();
        }
        let text = odd_text(byte);
        let id = EntityId::new(&text);
        assert_eq!(text.parse::<EntityId>(), id);
        match id {
            Ok(id) => {
                assert_eq!(id.as_str(), text);
                id
            }
            Err(error) => {
                check_refused(&text, &error);
                plain()
            }
        }
    }

    pub(crate) fn odd_transaction_id(&mut self, number: usize) -> TransactionId {
        let text = odd_text(self.byte());
        let id = TransactionId::new(&text);
        assert_eq!(text.parse::<TransactionId>(), id);
        id.unwrap_or_else(|error| {
            check_refused(&text, &error);
            TransactionId::new(format!("t-{number}")).expect("a good id")
        })
    }

    /// Not a number, infinite, huge, tiny, or any number there is.
    pub(crate) fn odd_number(&mut self) -> f64 {
        let (choice, raw) = (self.byte(), self.number());
        let sign = if choice & 64 == 0 { 1.0 } else { -1.0 };
        sign * match choice % 10 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::MAX,
            3 => 0.0,
            4 => f64::MIN_POSITIVE / 2.0,
            // Up to 2^53 minor units and beyond.
            5 => 90_071_992_547_409.92,
            6 => 9_007_199_254_740_994.0,
            // Around the largest number of a feature.
            7 => (1_u64 << (raw % 64)) as f64,
            8 => raw as f64 / 7.0,
            _ => f64::from_bits(raw),
        }
    }

    /// An odd number as money, or where it is none, the most there is.
    pub(crate) fn odd_amount(&mut self, currency: Currency) -> Money {
        let major = self.odd_number();
        match Money::from_major(major, currency) {
            Ok(money) => {
                assert!(major.is_finite());
                money
            }
            Err(CoreError::NotFinite { .. }) => {
                assert!(!major.is_finite());
                Money::from_minor(i64::MAX, currency)
            }
            Err(CoreError::AmountOverflow { .. }) => {
                assert!(major.is_finite() && major.abs() > 1e12);
                Money::from_minor(i64::MIN, currency)
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The ends of the calendar, jumps of the clock, and any instant there is.
    pub(crate) fn odd_time(&mut self, now: i64) -> Timestamp {
        let (choice, raw) = (self.byte(), self.number().cast_signed());
        let (first, last) = (Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
        let day = 86_400_000_000;
        let micros = match choice % 10 {
            0 => first,
            1 => last,
            2 => first.saturating_add(raw % 1000),
            3 => last.saturating_add(raw % 1000),
            4 => 0,
            5 => now.saturating_add(400 * day),
            6 => now.saturating_sub(400 * day),
            7 => now.saturating_add(raw % 1000 * day),
            8 => i64::MAX,
            _ => raw,
        };
        Timestamp::from_micros(micros).unwrap_or_else(|error| {
            assert_eq!(error, CoreError::TimeRange { micros });
            assert!(!(first..=last).contains(&micros));
            Timestamp::from_micros(now).expect("a good time")
        })
    }

    /// The text of a cell: none, plain, odd, or any at all.
    pub(crate) fn text(&mut self, kind: &str) -> Option<String> {
        let choice = self.byte();
        match choice {
            0..16 => None,
            16..160 => Some(format!("{kind}-{}", choice % 8)),
            160..240 => Some(odd_text(self.byte())),
            _ => Some(String::from_utf8_lossy(&self.number().to_le_bytes()).into_owned()),
        }
    }
}

/// Texts that are no id, and those that only just are.
fn odd_text(choice: u8) -> String {
    match choice % 16 {
        0 => String::new(),
        1 => "\0".to_owned(),
        2 => "a\u{7}b".to_owned(),
        3 => "a\u{85}".to_owned(),
        4 => "a\r\nb".to_owned(),
        5 => "x".repeat(4096),
        6 => "x".repeat(257),
        7 => "x".repeat(256),
        8 => "\u{e9}".repeat(128),
        9 => "\u{4e2d}".repeat(86),
        10 => "\u{202e}\u{1f600}\u{feff}".to_owned(),
        11 => "e\u{301}".to_owned(),
        12 => "\u{e9}".to_owned(),
        13 => "4111 1111 1111 1111".to_owned(),
        14 => " u-0 ".to_owned(),
        _ => format!("u-0{}", "\u{10ffff}".repeat(usize::from(choice))),
    }
}

/// An id is refused for a reason that holds, and is not repeated where it may be a card number.
fn check_refused(text: &str, error: &CoreError) {
    match error {
        CoreError::Id { len, control, .. } => {
            assert_eq!(*len, text.len());
            assert_eq!(*control, text.chars().any(char::is_control));
            assert!(*control || text.is_empty() || text.len() > 256);
        }
        CoreError::CardNumber { digits } => {
            assert!(text.chars().filter(char::is_ascii_digit).count() == *digits);
            assert!(!error.to_string().contains("1111"));
        }
        other => panic!("{other}"),
    }
}
