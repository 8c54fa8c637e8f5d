//! Recognising payment card numbers, so that they stay out.

/// Whether a text is a payment card number: 13 to 19 digits (spaces and hyphens aside), an issuer range of one
/// of the large schemes with a length that this scheme uses, and a matching check digit.
///
/// The issuer ranges keep ordinary numeric ids apart: one random number in ten has a matching check digit, but
/// few of them also fall into a scheme's range and length.
///
/// Source: ISO/IEC 7812-1:2017 (numbering, annex B for the check digit of Luhn, 1960).
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    let mut digits = [0_u8; 19];
    let mut count = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' if count < digits.len() => {
                digits[count] = byte - b'0';
                count += 1;
            }
            b' ' | b'-' if count > 0 => {}
            _ => return false,
        }
    }
    let digits = &digits[..count];
    count >= 13 && issuer_uses_length(digits) && luhn(digits)
}

fn issuer_uses_length(digits: &[u8]) -> bool {
    let prefix = |places: usize| {
        digits[..places]
            .iter()
            .fold(0_u32, |n, &d| n * 10 + u32::from(d))
    };
    let length = digits.len();
    match prefix(4) {
        4000..=4999 => matches!(length, 13 | 16 | 19), // Visa
        5100..=5599 | 2221..=2720 => length == 16,     // Mastercard
        3400..=3499 | 3700..=3799 => length == 15,     // American Express
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&length), // Diners Club
        // JCB, Discover, UnionPay
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 | 8100..=8199 => (16..=19).contains(&length),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true, // Maestro
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let doubled = u32::from(digit) * if place % 2 == 1 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::is_card_number;

    #[test]
    fn finds_the_schemes_published_test_numbers() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "2223003122003222",
            "378282246310005",
            "6011111111111117",
            "3530111333300000",
            "36227206271667",
            "4222222222222",
        ] {
            assert!(is_card_number(number), "{number}");
        }
    }

    #[test]
    fn leaves_ordinary_ids_alone() {
        for id in [
            "",
            "4961",
            "t0000000",
            "4111111111111112",
            "1234567890123456",
            "1522540800000000",
            "-1",
            "4111111111111111x",
            "99999999999999999999999",
        ] {
            assert!(!is_card_number(id), "{id}");
        }
    }
}
