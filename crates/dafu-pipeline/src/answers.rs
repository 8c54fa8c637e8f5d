//! The answers given lately, so that a repeated transaction gets the same one.

use dafu_core::{
    Assessment, EntityId, EntityKey, EntityKind, StableHasher, Transaction, TransactionId,
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::hash::Hasher;
use std::net::IpAddr;

/// One answer, saved as it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Of the transaction.
    pub(crate) content_hash: u64,
    /// Hashes of the entities that the transaction names, by which it is found when one is to be forgotten.
    entities: Vec<u64>,
    pub(crate) assessment: Assessment,
}

/// A bounded memory of answers by transaction id; the oldest go first.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_id: HashMap<TransactionId, Answer>,
    order: VecDeque<TransactionId>,
    capacity: usize,
}

impl Answers {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    pub(crate) fn find(&self, id: &TransactionId) -> Option<&Answer> {
        self.by_id.get(id)
    }

    pub(crate) fn remember(&mut self, transaction: &Transaction, assessment: &Assessment) {
        if self.capacity == 0 {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.push(Answer {
            content_hash: transaction.content_hash(),
            entities: entities(transaction),
            assessment: assessment.clone(),
        });
    }

    /// Whether it is the first of its transaction.
    fn push(&mut self, answer: Answer) -> bool {
        let id = answer.assessment.transaction_id.clone();
        self.order.push_back(id.clone());
        self.by_id.insert(id, answer).is_none()
    }

    /// The oldest first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Answer> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Takes answers, the oldest first, from a file: whether they are no more than fit in, each of another transaction.
    pub(crate) fn fill(&mut self, answers: Vec<Answer>) -> bool {
        self.order.len() + answers.len() <= self.capacity
            && answers.into_iter().all(|answer| self.push(answer))
    }

    /// Forgets the answers to transactions that name an entity. Returns whether there were any.
    pub(crate) fn forget(&mut self, entity: &EntityKey) -> bool {
        let hash = match entity.id.as_str().parse() {
            Ok(ip) if entity.kind == EntityKind::Ip => ip_hash(ip),
            _ => id_hash(entity.kind, &entity.id),
        };
        let before = self.order.len();
        self.by_id
            .retain(|_, answer| !answer.entities.contains(&hash));
        self.order.retain(|id| self.by_id.contains_key(id));
        self.order.len() < before
    }
}

fn entities(transaction: &Transaction) -> Vec<u64> {
    let Transaction {
        user_id,
        merchant_id,
        category,
        card,
        device,
        country,
        email,
        tenant,
        ..
    } = transaction;
    let ids = [
        (EntityKind::User, Some(user_id)),
        (EntityKind::Merchant, Some(merchant_id)),
        (EntityKind::Category, category.as_ref()),
        (EntityKind::Card, card.as_ref()),
        (EntityKind::Device, device.as_ref()),
        (EntityKind::Country, country.as_ref()),
        (EntityKind::Email, email.as_ref()),
        (EntityKind::Tenant, tenant.as_ref()),
    ];
    let ids = ids.into_iter();
    let hashes = ids.filter_map(|(kind, id)| Some(id_hash(kind, id?)));
    hashes.chain(transaction.ip.map(ip_hash)).collect()
}

fn id_hash(kind: EntityKind, id: &EntityId) -> u64 {
    hash(kind, id.as_str().as_bytes())
}

/// An address has several texts, and one that was mapped is the one that it is of.
fn ip_hash(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => hash(EntityKind::Ip, &ip.octets()),
        IpAddr::V6(ip) => hash(EntityKind::Ip, &ip.octets()),
    }
}

fn hash(kind: EntityKind, id: &[u8]) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.number(kind as u64).write(id);
    hasher.finish()
}
