//! From records to what networks read: numbers of one scale, codes of categories, and nothing from the future.
//!
//! An [`Encoder`] is fitted on the events before a boundary and encodes any event from the event itself and an
//! [`EncoderState`]: what it has to know of the events before it of the same entity. One function does that for histories
//! ([`Histories::encode`]) and for streams ([`Encoder::encode_record`]), so that both give the same bits.
//!
//! | input | from | the network sees |
//! |---|---|---|
//! | [`NumericInput`] | a number | the number, scaled; 0 where it is missing |
//! | `<name>_missing` | a number that training misses at times | 0 or 1, as a category |
//! | `gap` | the time since the event before | the logarithm of the seconds, scaled; with `gap_missing` |
//! | `hour_sin`, `hour_cos`, `weekday_sin`, `weekday_cos` | the time in UTC | two points on a circle |
//! | [`CategoricalInput`] | a text | its code: 0 missing, 1 rare or never seen, then by falling count |
//! | numbers, `gap`, `hour`, `weekday` with [`Numbers::Intervals`] | as above | the code of an interval, 0 where it is missing |
//! | `<name>_novelty` ([`NoveltyInput`]) | a text, and the last ones of the entity | a [`Novelty`]: the same as before, known, new |
//!
//! Whether something is missing or new is a category and not a number of 0 or 1, so that networks that predict events give
//! it a probability: a normal distribution about a number that is nearly always 0 would take the first 1 for a miracle. For the
//! same reason such networks do better with [`Numbers::Intervals`]: amounts, gaps and times of day often have two humps,
//! and a probability for each interval fits any shape.
//!
//! ```
//! use dafu_core::{BehaviorEvent, Timestamp};
//! use dafu_sequence::encode::{EncoderParams, EncoderState, Histories};
//! # use std::collections::BTreeMap;
//!
//! let login = |user: &str, day: i64, device: &str| -> Result<BehaviorEvent, dafu_core::CoreError> {
//!     Ok(BehaviorEvent {
//!         user_id: user.parse()?,
//!         timestamp: Timestamp::from_seconds(day * 86_400)?,
//!         action_type: "login".parse()?,
//!         device_id: Some(device.parse()?),
//!         location: None,
//!         amount: None,
//!         extras: BTreeMap::new(),
//!     })
//! };
//! let records = [login("ada", 0, "phone")?, login("bob", 0, "pc")?, login("ada", 1, "phone")?];
//! let histories = Histories::new(&records);
//! let encoder = EncoderParams::behavior().fit(&histories, None)?;
//! let events = histories.encode(&encoder)?;
//! assert_eq!((events.entities(), events.len()), (2, 3));
//! // Ada's second record is the second event.
//! assert_eq!(histories.event(2), Some(1));
//!
//! // In a stream, one state an entity.
//! let (mut state, mut numeric, mut codes) = (EncoderState::default(), Vec::new(), Vec::new());
//! encoder.encode_record(&mut state, &records[0], &mut numeric, &mut codes)?;
//! encoder.encode_record(&mut state, &records[2], &mut numeric, &mut codes)?;
//! assert_eq!((&*numeric, &*codes), (events.numbers(1).numeric, events.numbers(1).codes));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod describe;
mod encoder;
mod fit;
mod histories;
mod intervals;
mod late;
mod layout;
mod params;
mod preset;
mod record;
#[cfg(feature = "serde")]
mod saved;
mod scale;
mod state;
mod vocabulary;

pub use batch::EventsEncoder;
pub use encoder::Encoder;
pub use fit::EncoderFit;
pub use histories::Histories;
pub use layout::InputKind;
pub use params::{
    CategoricalInput, CheckedEncoderParams, EncoderParams, NoveltyInput, Numbers, NumericInput,
    Transform,
};
pub use record::{RawEvent, Record};
pub use state::{EncoderState, MAX_REMEMBERED, Novelty};

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "tests; exact by construction")]
mod tests;
