//! LSTM and GRU models over the events of users: trained, scored and streamed in plain Rust.
//!
//! ```
//! use dafu_core::{Currency, Money, Timestamp, Transaction};
//! use dafu_sequence::history::HistoryParams;
//!
//! // A large payment within minutes of a tiny one is a fraud; neither is one by itself.
//! let mut records = Vec::new();
//! for user in 0..60_i64 {
//!     for step in 0..10_i64 {
//!         let fraud = step > 0 && (user + step) % 5 == 0;
//!         let minor = if fraud { 90_000 } else if (user + step) % 5 == 4 { 100 } else { [90_000, 4_000][(step % 2) as usize] };
//!         let at = Timestamp::from_seconds((user + step) / 5 * 100_000 + (user + step) % 5 * if fraud { 0 } else { 20_000 })?;
//!         let amount = Money::from_minor(minor, Currency::NONE);
//!         let id = format!("t-{user}-{step}").parse()?;
//!         let payment = Transaction::new(id, format!("u-{user}").parse()?, amount, "shop".parse()?, at);
//!         records.push(payment.with_label(fraud));
//!     }
//! }
//! let params = HistoryParams::default();
//! let model = params.model.clone().hidden_units(16).batch_size(4).epochs(20).learning_rate(0.01);
//! let classifier = params.model(model).fit(&records)?;
//! let sequences = classifier.predict_fraud_sequences(&records)?;
//! assert!(sequences.iter().all(|one| (one.score.get() > 0.5) == (records[one.record].is_fraud.known() == Some(true))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is there, from records down to numbers:
//!
//! | for | take |
//! |---|---|
//! | fraud in users' histories, with labels | [`history::HistoryClassifier`] |
//! | unusual behaviour, without labels | [`behavior::UserBehaviorAnalyzer`], in batches and as a stream |
//! | records into numbers | [`encode::Encoder`]: scales, categories, time gaps, what is new for a user |
//! | models of events as numbers | [`SequenceClassifier`], [`NextEventModel`], [`SequenceAutoencoder`] |
//! | records one by one | [`history::HistoryStream`], [`behavior::BehaviorStream`]: one step a record, bounded states |
//! | events as numbers one by one | [`stream::StreamScorer`]: a step of about a microsecond |
//! | a state for each user in a store of your own | [`native::StepNetwork`] |
//! | the network itself, on either backend | [`network::Network`] |
//!
//! **Windows or streams.** A network reads the events of a user in order, and its state carries what it has seen. Trained on
//! pieces of histories ([`history::Reading::Stream`], the default) its state goes on for as long as the user does, and a new event
//! costs one step. Trained on windows ([`history::Reading::Windows`]) it judges each event by the last `sequence_length` events, all
//! read again, and makes no stream.
//!
//! **Explanations.** [`history::HistoryClassifier::explain`] splits the log odds over records and inputs (integrated gradients),
//! with their values; anomalies of behaviour name the event and the input that surprised most, with what was expected.
//!
//! **Saving** (feature `serde`). `to_safetensors` and `from_safetensors` of [`history::HistoryClassifier`] and
//! [`behavior::UserBehaviorAnalyzer`] hold all of a model; networks by themselves are `saved::SavedNetwork`. Snapshots of streams are
//! serde types.
//!
//! **Speed.** CPU time on one thread as a share of that of `PyTorch` 2.13, one layer of 64 units, sequences of ten events of 16 numbers
//! (`benches/peers/run.sh sequence`, two cores of a shared server with AVX-512, whose runs differ):
//!
//! | | LSTM | GRU |
//! |---|---|---|
//! | a training epoch in batches of 256 | 0.41 to 0.54 | 0.31 to 0.38 |
//! | answers about 256 sequences | 0.64 | 0.43 |
//! | about one sequence | 0.057 | 0.037 |
//! | one event of a stream, against a cell | 0.014 | 0.014 |
//!
//! An event of one of 100,000 users, state looked up and kept, takes 1.6 us (LSTM) or 1.0 us (GRU) at the median.
//!
//! **Determinism.** The same bits for any number of threads. Machines with other vector instructions differ in the last places.
//!
//! **Missing values and new categories** are encoded, not refused: see [`encode`].
//!
//! When to use another crate: for rows without an order, `dafu-ensemble` (with labels) or `dafu-iforest` (without); for counts and
//! sums over time windows, `dafu-features`. The sequence model is no better than boosted trees over good window features where
//! there are such features; it needs none.
//!
//! | feature | adds |
//! |---|---|
//! | `parallel` | training and batches on the current rayon pool |
//! | `serde` | parameters as configuration, models as safetensors with the names and shapes of `PyTorch` (`saved`) |
//! | `tch` | the backend over libtorch (`torch`), which `LIBTORCH` has to name: `eval "$(scripts/install-libtorch.sh)"` |
//! | `download-libtorch` | the same, with libtorch downloaded while building |
//! | `doc-only` | the same for documentation, without libtorch |
//!
//! Programs with the feature `tch` find libtorch when they run by a path that their own build script puts into them, or by
//! `LD_LIBRARY_PATH`: the page of the module `torch` has the lines. Trainings there with dropout seed the generator of libtorch
//! that the whole process shares.
//!
//! Minimum supported Rust version: 1.89.

pub mod behavior;
mod check;
mod classifier;
mod conformal;
pub mod data;
pub mod encode;
mod error;
pub mod history;
mod input_model;
pub mod native;
pub mod network;
pub mod objective;
mod params;
#[cfg(feature = "serde")]
pub mod saved;
pub mod stream;
mod surprise;
mod threads;
#[cfg(feature = "tch")]
pub mod torch;
pub mod training;

pub use classifier::SequenceClassifier;
pub use conformal::Conformal;
pub use error::SequenceError;
pub use input_model::{NextEventModel, SequenceAutoencoder};
pub use params::{CheckedSequenceParams, MAX_SEQUENCE_LENGTH, SequenceParams};
pub use surprise::{Predictions, Surprises};
