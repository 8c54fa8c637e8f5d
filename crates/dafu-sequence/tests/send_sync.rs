//! Models, analyzers and streams may be shared between threads.

use dafu_sequence::behavior::{BehaviorStream, UserBehaviorAnalyzer};
use dafu_sequence::data::{Events, EventsBuilder, SequenceSet};
use dafu_sequence::encode::{Encoder, EncoderState};
use dafu_sequence::history::{HistoryClassifier, HistoryStream};
use dafu_sequence::native::{
    Attribution, Baseline, NativeBackend, NativeNetwork, StepNetwork, StepScratch,
};
use dafu_sequence::network::{NetworkConfig, Weights};
use dafu_sequence::stream::{StateTable, StreamScorer, StreamSnapshot};
use dafu_sequence::training::TrainingReport;
use dafu_sequence::{
    CheckedSequenceParams, Conformal, NextEventModel, Predictions, SequenceAutoencoder,
    SequenceClassifier, SequenceError, SequenceParams, Surprises,
};

const fn shared<T: Send + Sync>() {}

#[test]
fn what_is_public_is_send_and_sync() {
    shared::<(SequenceClassifier, NextEventModel, SequenceAutoencoder)>();
    shared::<(HistoryClassifier, HistoryStream)>();
    shared::<(UserBehaviorAnalyzer, BehaviorStream)>();
    shared::<(
        StreamScorer<u64>,
        StreamSnapshot<u64>,
        StateTable<String, u64>,
    )>();
    shared::<(NativeBackend, NativeNetwork, StepNetwork, StepScratch)>();
    shared::<(Attribution, Baseline, Predictions, Surprises, Conformal)>();
    shared::<(Events, EventsBuilder, SequenceSet<'_>)>();
    shared::<(Encoder, EncoderState)>();
    shared::<(NetworkConfig, Weights, TrainingReport, SequenceError)>();
    shared::<(SequenceParams, CheckedSequenceParams)>();
    #[cfg(feature = "tch")]
    shared::<dafu_sequence::torch::TorchBackend>();
}
