//! What kinds of entities are called.

use dafu_core::EntityKind;

/// One of a kind, several, and a letter for pictures.
pub(crate) const fn kind_words(kind: EntityKind) -> (&'static str, &'static str, char) {
    match kind {
        EntityKind::User => ("user", "users", 'U'),
        EntityKind::Merchant => ("merchant", "merchants", 'M'),
        EntityKind::Card => ("card", "cards", 'C'),
        EntityKind::Device => ("device", "devices", 'D'),
        EntityKind::Ip => ("internet address", "internet addresses", 'I'),
        EntityKind::Email => ("e-mail address", "e-mail addresses", 'E'),
        EntityKind::Category => ("category", "categories", 'G'),
        EntityKind::Country => ("country", "countries", 'L'),
        EntityKind::Account => ("account", "accounts", 'K'),
        EntityKind::Tenant => ("tenant", "tenants", 'T'),
        EntityKind::Address => ("postal address", "postal addresses", 'A'),
        _ => ("thing", "things", 'X'),
    }
}
