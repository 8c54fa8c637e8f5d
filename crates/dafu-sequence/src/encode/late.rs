//! Events that come after later ones.

use super::{Encoder, EncoderState, Record};
use crate::SequenceError;

impl Encoder {
    /// As [`encode_record`](Self::encode_record), for a record that is earlier than the newest one of its entity: it is read
    /// as if it came at the same time as that (no gap), and the newest time stays.
    ///
    /// # Errors
    ///
    /// As [`encode_record`](Self::encode_record), but for its time.
    pub fn encode_late<R: Record + ?Sized>(
        &self,
        state: &mut EncoderState,
        record: &R,
        numeric: &mut Vec<f32>,
        codes: &mut Vec<u32>,
    ) -> Result<(), SequenceError> {
        let Some(newest) = state.previous().filter(|newest| *newest > record.time()) else {
            return self.encode_record(state, record, numeric, codes);
        };
        let mut moved = *state;
        moved.advance(record.time());
        self.encode_record(&mut moved, record, numeric, codes)?;
        moved.advance(newest);
        *state = moved;
        Ok(())
    }
}
