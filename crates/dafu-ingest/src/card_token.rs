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

/// The bytes with card numbers taken out, wherever they stand.
pub(crate) fn redact(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if !first.is_ascii_digit() {
            out.push(first);
            rest = &rest[1..];
            continue;
        }
        // The longest run of digits, with single spaces or hyphens between them.
        let mut run = 1;
        while let Some(&byte) = rest.get(run) {
            let between =
                matches!(byte, b' ' | b'-') && rest.get(run + 1).is_some_and(u8::is_ascii_digit);
            if !(byte.is_ascii_digit() || between) {
                break;
            }
            run += 1;
        }
        let digits = rest[..run]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        // The longest beginning of the run that is a card number: 19 digits have at most 18 signs between them.
        let number = (13..=run.min(37)).rev().find(|&length| {
            rest[length - 1].is_ascii_digit()
                && std::str::from_utf8(&rest[..length]).is_ok_and(is_card_number)
        });
        if let Some(length) = number {
            out.extend_from_slice(REDACTED);
            rest = &rest[length..];
        } else {
            out.extend_from_slice(&rest[..digits]);
            rest = &rest[digits..];
        }
    }
    out
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
        ] {
            assert_eq!(redact(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(shown(&[b'x'; 100]).len(), 83);
    }
}
