//! Blends as bytes. Members are envelopes of their own inside of the blend's.

use super::combiner::{Combiner, MAX_MEMBERS, MemberScale};
use super::model::Blend;
use super::noisy_or::{Max, NoisyOr};
use super::rank_map::RankMap;
use super::registry::{ClassifierRegistry, MAX_NESTING};
use super::stack::Stack;
use super::vote::{Vote, VoteKind};
use crate::{Classifier, EnsembleError};
use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, ModelError};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// Layout of the payload, counted up with every change.
const SCHEMA_VERSION: u16 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct SavedBlend {
    #[serde(deserialize_with = "few")]
    members: Vec<SavedMember>,
    scale: SavedScale,
    rule: SavedRule,
    #[serde(deserialize_with = "few")]
    idle: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedMember {
    name: String,
    model: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
enum SavedScale {
    LogOdds,
    Ranks(#[serde(deserialize_with = "few")] Vec<SavedMap>),
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedMap {
    scores: Vec<f64>,
    ranks: Vec<f64>,
}

/// Apart from [`Combiner`] and [`VoteKind`], so that their order can never change what a file says.
#[derive(Debug, Serialize, Deserialize)]
enum SavedRule {
    MeanProbability { weights: Vec<f64> },
    MeanLogOdds { weights: Vec<f64> },
    MeanRank { weights: Vec<f64> },
    NoisyOr { strengths: Vec<f64>, leak: f64 },
    Max,
    Stack { weights: Vec<f64>, intercept: f64 },
}

/// As many as there may be members. More are refused before they take memory: an empty one takes a few bytes in a file, and
/// many times that here.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX_MEMBERS} members")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while let Some(next) = from.next_element()? {
                if read.len() == MAX_MEMBERS {
                    return Err(A::Error::invalid_length(read.len() + 1, &self));
                }
                read.push(next);
            }
            Ok(read)
        }
    }

    from.deserialize_seq(Few(PhantomData))
}

impl From<&MemberScale> for SavedScale {
    fn from(scale: &MemberScale) -> Self {
        match scale {
            MemberScale::LogOdds(_) => Self::LogOdds,
            MemberScale::Ranks(maps) => {
                let saved = maps.iter().map(|map| SavedMap {
                    scores: map.scores().to_vec(),
                    ranks: map.ranks().to_vec(),
                });
                Self::Ranks(saved.collect())
            }
        }
    }
}

impl SavedScale {
    fn restore(self, members: usize) -> Result<MemberScale, EnsembleError> {
        match self {
            Self::LogOdds => Ok(MemberScale::LogOdds(members)),
            Self::Ranks(maps) => {
                let maps = maps.into_iter();
                let maps = maps.map(|map| RankMap::from_knots(map.scores, map.ranks));
                Ok(MemberScale::Ranks(maps.collect::<Result<_, _>>()?))
            }
        }
    }
}

impl From<&Combiner> for SavedRule {
    fn from(combiner: &Combiner) -> Self {
        match combiner {
            Combiner::Vote(vote) => {
                let weights = vote.weights().to_vec();
                match vote.kind() {
                    VoteKind::Probability => Self::MeanProbability { weights },
                    VoteKind::LogOdds => Self::MeanLogOdds { weights },
                    VoteKind::Rank => Self::MeanRank { weights },
                }
            }
            Combiner::NoisyOr(or) => Self::NoisyOr {
                strengths: or.strengths().to_vec(),
                leak: or.leak(),
            },
            Combiner::Max(_) => Self::Max,
            Combiner::Stack(stack) => Self::Stack {
                weights: stack.weights().to_vec(),
                intercept: stack.intercept(),
            },
        }
    }
}

impl SavedRule {
    fn restore(self, scale: MemberScale) -> Result<Combiner, EnsembleError> {
        let vote = |kind, weights| Vote::restore(kind, scale.clone(), weights).map(Combiner::Vote);
        match self {
            Self::MeanProbability { weights } => vote(VoteKind::Probability, weights),
            Self::MeanLogOdds { weights } => vote(VoteKind::LogOdds, weights),
            Self::MeanRank { weights } => vote(VoteKind::Rank, weights),
            Self::NoisyOr { strengths, leak } => {
                NoisyOr::new(scale, &strengths, leak).map(Combiner::NoisyOr)
            }
            Self::Max => Max::new(scale).map(Combiner::Max),
            Self::Stack { weights, intercept } => {
                Stack::new(scale, weights, intercept).map(Combiner::Stack)
            }
        }
    }
}

impl Blend {
    /// Kind of the saved model in its envelope.
    pub const KIND: &'static str = "dafu.blend";

    /// Reads a blend, its members with the decoders of the registry, within its limits and trusting nothing in the bytes.
    ///
    /// # Errors
    ///
    /// As [`ClassifierRegistry::load`], and for a blend that is not sound.
    ///
    /// # Complexity
    ///
    /// O(bytes) and what the members' decoders take; blends inside of blends are copied once for each level, at most
    /// [`MAX_NESTING`] times.
    pub fn from_bytes(bytes: &[u8], registry: &ClassifierRegistry) -> Result<Self, EnsembleError> {
        Self::load_within(bytes, registry, 0)
    }

    /// The blend as bytes, its members inside.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Member`] for a member that has no format.
    ///
    /// # Complexity
    ///
    /// O(bytes).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        let members = self.members().map(|(name, model)| {
            Ok(SavedMember {
                name: name.to_owned(),
                model: model.to_bytes().map_err(|source| of_member(name, source))?,
            })
        });
        let saved = SavedBlend {
            members: members.collect::<Result<_, EnsembleError>>()?,
            scale: SavedScale::from(self.combiner().scale()),
            rule: SavedRule::from(self.combiner()),
            idle: self.idle().to_vec(),
        };
        Envelope::encode(Self::KIND, SCHEMA_VERSION, SchemaHash(0), &saved)
            .map_err(EnsembleError::Envelope)
    }

    pub(super) fn load_within(
        bytes: &[u8],
        registry: &ClassifierRegistry,
        depth: usize,
    ) -> Result<Self, EnsembleError> {
        if depth >= MAX_NESTING {
            return Err(damaged(format!(
                "more than {MAX_NESTING} blends inside of each other"
            )));
        }
        let limits = registry.limits();
        let saved: SavedBlend = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)
            .and_then(|envelope| envelope.decode())
            .map_err(EnsembleError::Envelope)?;
        let count = saved.members.len();
        let combiner = saved.rule.restore(saved.scale.restore(count)?)?;
        let members = saved
            .members
            .into_iter()
            .map(|SavedMember { name, model }| {
                let model = registry.load_within(&model, depth + 1);
                match model {
                    Ok(model) => Ok((name, model)),
                    Err(source) => Err(of_member(&name, source)),
                }
            });
        let members: Vec<(String, Box<dyn Classifier>)> = members.collect::<Result<_, _>>()?;
        Self::new(members, combiner, saved.idle)
    }
}

fn of_member(name: &str, source: EnsembleError) -> EnsembleError {
    EnsembleError::Member {
        name: name.to_owned(),
        source: Box::new(source),
    }
}

fn damaged(what: String) -> EnsembleError {
    EnsembleError::Envelope(ModelError::Payload {
        kind: Blend::KIND.to_owned(),
        what,
    })
}
