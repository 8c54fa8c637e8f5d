//! One answer from several members.
//!
//! [`BlendParams`] learns members and how to combine them, and gives a [`Blend`]. Its parts can be used alone:
//! [`MemberScores`] holds what members said of rows that they had not seen, [`Combination::fit`] makes a [`Combiner`] of it.
//!
//! | way | needs | answers |
//! |---|---|---|
//! | [`Vote`] on log odds or probabilities | members that speak of probabilities | log odds as calibrated as the members |
//! | [`Vote`] on ranks | nothing: scores of any nature | an order |
//! | the same with [`VoteWeights::Gain`] or [`VoteWeights::Greedy`] | labels of some weeks | as above, without idle members |
//! | [`Stack`] | labels of some weeks | calibrated log odds |
//! | [`NoisyOr`], [`Max`] | no labels | one suspicious member is enough |

mod blend;
mod combiner;
mod greedy;
mod model;
mod noisy_or;
mod out_of_fold;
mod quadratic;
mod rank_map;
#[cfg(feature = "serde")]
mod registry;
#[cfg(feature = "serde")]
mod saved;
mod stack;
mod vote;

pub use blend::{BlendFolds, BlendParams, Combination, VoteWeights};
pub use combiner::{Combiner, MAX_MEMBERS, MemberScale};
pub use greedy::{GreedyParams, GreedySelection, MAX_BAGS, MAX_ROUNDS, greedy_selection};
pub use model::{Blend, MemberPart};
pub use noisy_or::{Max, NoisyOr};
pub use out_of_fold::{MemberScores, WeekScores};
pub use rank_map::{MAX_KNOTS, RankMap};
#[cfg(feature = "serde")]
pub use registry::{ClassifierDecoder, ClassifierRegistry, MAX_NESTING};
pub use stack::{Stack, StackParams};
pub use vote::{Vote, VoteKind, weights_by_gain};
