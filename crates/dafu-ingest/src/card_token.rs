//! Tokens in place of card numbers, and card numbers out of what people read.

use crate::TokenKey;
use dafu_core::is_card_number;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `tok_` and the first 16 bytes of HMAC-SHA256 over the digits, in hexadecimal: the same number gives the same
/// token under the same key, spaces and hyphens aside.
///
/// Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
pub(crate) fn token(number: &str, key: &TokenKey) -> String {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::from("tok_");
    };
    mac.update(&digits);
    let tag = mac.finalize().into_bytes();
    let mut token = String::from("tok_");
    for byte in &tag[..16] {
        for half in [byte >> 4, byte & 15] {
            token.push(char::from(b"0123456789abcdef"[usize::from(half)]));
        }
    }
    token
}

/// What stands in place of a card number in messages and in the quarantine.
pub(crate) const REDACTED: &[u8] = b"[card number]";

/// Bytes of the longest card number: 19 digits with 18 signs between them.
const LONGEST: usize = 37;

/// The bytes with card numbers taken out: those that begin where no digit stands before them, since long ids would
/// otherwise be full of them.
pub(crate) fn redact(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if !first.is_ascii_digit() {
            out.push(first);
            rest = &rest[1..];
        } else if let Some(length) = leading_card_number(rest) {
            out.extend_from_slice(REDACTED);
            rest = &rest[length..];
        } else {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            let (run, after) = rest.split_at(digits.count());
            out.extend_from_slice(run);
            rest = after;
        }
    }
    out
}

/// Length of the longest card number at the beginning, single spaces or hyphens between its digits.
fn leading_card_number(bytes: &[u8]) -> Option<usize> {
    let text = &bytes[..bytes.len().min(LONGEST)];
    let is_part = |at: usize| {
        text[at].is_ascii_digit()
            || matches!(text[at], b' ' | b'-') && text[at - 1].is_ascii_digit()
    };
    let run = (1..text.len())
        .find(|&at| !is_part(at))
        .unwrap_or(text.len());
    (13..=run).rev().find(|&length| {
        text[length - 1].is_ascii_digit()
            && std::str::from_utf8(&text[..length]).is_ok_and(is_card_number)
    })
}

/// A value for a message: card numbers taken out, cut to 80 characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(400)];
    let text = redact(cut);
    let text = String::from_utf8_lossy(&text);
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() || cut.len() < bytes.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{redact, shown, token};
    use crate::TokenKey;

    #[test]
    fn tokens_do_not_depend_on_spaces_but_on_the_key() {
        let key = TokenKey::new(*b"0123456789abcdef").unwrap();
        let other = TokenKey::new(*b"0123456789abcdeF").unwrap();
        let plain = token("4111111111111111", &key);
        assert_eq!(plain, token("4111 1111 1111 1111", &key));
        assert_ne!(plain, token("4111111111111111", &other));
        assert_eq!(plain.len(), 4 + 32);
        assert!(TokenKey::new(*b"short").is_err());
    }

    #[test]
    fn equals_hmac_sha256_of_another_implementation() {
        // python3 -c "import hmac; print(hmac.new(b'0123456789abcdef', b'4111111111111111', 'sha256').hexdigest()[:32])"
        let key = TokenKey::new(*b"0123456789abcdef").unwrap();
        assert_eq!(
            token("4111111111111111", &key),
            "tok_6ab68ca2a9a5093ababdf00856c5692b"
        );
    }

    #[test]
    fn card_numbers_are_taken_out_wherever_they_stand() {
        for (text, expected) in [
            ("4111111111111111", "[card number]"),
            ("a,4111-1111-1111-1111,b", "a,[card number],b"),
            ("4111111111111111 12", "[card number] 12"),
            ("4111111111111112", "4111111111111112"),
            ("2018-04-01 00:00:31", "2018-04-01 00:00:31"),
            ("4111 1111 1111 1111 12 3", "[card number] 12 3"),
            ("x4111111111111111y", "x[card number]y"),
            ("4111--1111-1111-1111-1", "4111--1111-1111-1111-1"),
            ("94111111111111111", "94111111111111111"),
            ("1 2 4111111111111111", "1 2 [card number]"),
        ] {
            assert_eq!(redact(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(shown(&[b'x'; 100]).len(), 83);
    }
}
