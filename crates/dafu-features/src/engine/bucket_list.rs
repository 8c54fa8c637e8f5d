//! A quantile sketch of a window: counts of buckets, in order.

use crate::measure::{bucket_value, log_bucket};

/// Counts by bucket, in order of the buckets. Few enough to be searched and moved.
#[derive(Debug, Clone, Default)]
pub(crate) struct BucketList {
    buckets: Vec<(i32, u32)>,
    total: u32,
}

impl BucketList {
    pub(crate) fn add(&mut self, number: i64) {
        self.total += 1;
        let bucket = log_bucket(number);
        match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }

    pub(crate) fn remove(&mut self, number: i64) {
        let bucket = log_bucket(number);
        if let Ok(at) = self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            self.total -= 1;
            self.buckets[at].1 -= 1;
            if self.buckets[at].1 == 0 {
                self.buckets.remove(at);
            }
        }
    }

    pub(crate) fn quantile(&self, permille: u16) -> f64 {
        quantile(&self.buckets, u64::from(self.total), permille)
    }

    pub(crate) const fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * 8
    }
}

/// A quantile: the value of the bucket with the number of rank `floor(q (n - 1))`, from 0; NaN without any.
pub(crate) fn quantile(buckets: &[(i32, u32)], total: u64, permille: u16) -> f64 {
    if total == 0 {
        return f64::NAN;
    }
    let rank = u64::from(permille) * (total - 1) / 1000;
    let mut before = 0;
    let mut above = buckets.iter().skip_while(|(_, count)| {
        before += u64::from(*count);
        before <= rank
    });
    above.next().map_or(f64::NAN, |entry| bucket_value(entry.0))
}
