//! Who rates whom how.

mod giver;
mod rev2;

use crate::GraphError;
use crate::error::parameter;
use dafu_core::{EntityId, Timestamp};
pub use giver::GiverRisk;
pub use rev2::{OwnRating, RatingEvidence, Rev2, Rev2Params, Rev2Prior};
use std::collections::HashMap;

/// One rating: the places of who gave it and of what was rated, its value from -1 to 1, its UTC day.
#[derive(Debug, Clone, Copy)]
struct Rating {
    user: u32,
    item: u32,
    value: f64,
    day: i64,
}

/// Ratings that users give to items: products, shops, or other users.
///
/// Users and items have places, from 0 in the order in which they were first seen; somebody who rates and is rated is a user and
/// an item, and what one is says nothing about the other. A user may rate an item several times.
///
/// ```
/// use dafu_core::{EntityId, Timestamp};
/// use dafu_graph::RatingNetwork;
///
/// let mut network = RatingNetwork::new(1.0, 5.0)?;
/// let (ada, mug) = (EntityId::new("ada")?, EntityId::new("mug")?);
/// network.rate(&ada, &mug, 4.0, Timestamp::from_seconds(0)?)?;
/// assert_eq!(network.values().collect::<Vec<_>>(), [0.5]);
/// assert_eq!((network.user(&ada), network.user(&mug), network.item(&mug)), (Some(0), None, Some(0)));
///
/// let wrong = network.rate(&ada, &mug, 6.0, Timestamp::from_seconds(0)?).unwrap_err();
/// assert_eq!(wrong.to_string(), "`rating` must be within the scale, got 6");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RatingNetwork {
    lowest: f64,
    highest: f64,
    users: Names,
    items: Names,
    ratings: Vec<Rating>,
}

/// Ids with their places.
#[derive(Debug, Clone, Default)]
struct Names {
    names: Vec<EntityId>,
    places: HashMap<EntityId, u32>,
}

impl Names {
    /// The place of a name, a new one if need be. There are no more names than ratings.
    fn place(&mut self, name: &EntityId) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.places.insert(name.clone(), place);
        self.names.push(name.clone());
        place
    }

    fn find(&self, name: &EntityId) -> Option<usize> {
        self.places.get(name).map(|place| *place as usize)
    }
}

impl RatingNetwork {
    /// Without ratings; they will lie between `lowest` and `highest`, which become -1 and 1.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for a scale that is not finite or has no length.
    pub fn new(lowest: f64, highest: f64) -> Result<Self, GraphError> {
        let good = lowest.is_finite() && (highest - lowest).is_finite() && highest > lowest;
        parameter("highest", highest, "finite and above `lowest`", good)?;
        Ok(Self {
            lowest,
            highest,
            users: Names::default(),
            items: Names::default(),
            ratings: Vec::new(),
        })
    }

    /// Adds a rating.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for a rating outside the scale, [`GraphError::TooMany`].
    pub fn rate(
        &mut self,
        user: &EntityId,
        item: &EntityId,
        rating: f64,
        at: Timestamp,
    ) -> Result<(), GraphError> {
        let good = rating >= self.lowest && rating <= self.highest;
        parameter("rating", rating, "within the scale", good)?;
        let max = u32::MAX - 1;
        if self.ratings.len() >= max as usize {
            return Err(GraphError::TooMany {
                what: "ratings",
                max,
            });
        }
        let share = (rating - self.lowest) / (self.highest - self.lowest);
        self.ratings.push(Rating {
            user: self.users.place(user),
            item: self.items.place(item),
            value: (2.0 * share - 1.0).clamp(-1.0, 1.0),
            day: at.day(),
        });
        Ok(())
    }

    /// Number of ratings.
    pub const fn len(&self) -> usize {
        self.ratings.len()
    }

    /// Whether there is no rating.
    pub const fn is_empty(&self) -> bool {
        self.ratings.is_empty()
    }

    /// Those who rate, by their places.
    pub fn users(&self) -> &[EntityId] {
        &self.users.names
    }

    /// Those that are rated, by their places.
    pub fn items(&self) -> &[EntityId] {
        &self.items.names
    }

    /// The place of one who rates.
    pub fn user(&self, id: &EntityId) -> Option<usize> {
        self.users.find(id)
    }

    /// The place of one that is rated.
    pub fn item(&self, id: &EntityId) -> Option<usize> {
        self.items.find(id)
    }

    /// Ratings from -1 to 1, in the order in which they came.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> {
        self.ratings.iter().map(|rating| rating.value)
    }

    /// Ratings that each user gave.
    pub fn given(&self) -> Vec<u32> {
        let mut given = vec![0; self.users.names.len()];
        for rating in &self.ratings {
            given[rating.user as usize] += 1;
        }
        given
    }

    /// The mean of the ratings that each item received, -1 to 1.
    pub fn mean_received(&self) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0_f64); self.items.names.len()];
        for rating in &self.ratings {
            let (sum, count) = &mut sums[rating.item as usize];
            *sum += rating.value;
            *count += 1.0;
        }
        sums.iter().map(|(sum, count)| sum / count).collect()
    }

    /// The share of ratings that each user gave which are not at an end of the scale, after one of each more (Laplace): near 1 for
    /// those who weigh their words, near 0 for those who only praise and damn. A behaviour for [`Rev2Params::run_with`].
    pub fn moderation(&self) -> Vec<f64> {
        let mut counts = vec![(1.0, 2.0_f64); self.users.names.len()];
        for rating in &self.ratings {
            let (moderate, all) = &mut counts[rating.user as usize];
            if rating.value.abs() < 1.0 - 1e-12 {
                *moderate += 1.0;
            }
            *all += 1.0;
        }
        counts
            .iter()
            .map(|(moderate, all)| moderate / all)
            .collect()
    }

    /// Ratings by user, then item, with their weight as evidence: `order[..]` are places of ratings.
    fn by_pair(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..).zip(&self.ratings).map(|(place, _)| place).collect();
        order.sort_by_key(|place| {
            let rating = &self.ratings[*place as usize];
            (rating.user, rating.item)
        });
        order
    }
}
