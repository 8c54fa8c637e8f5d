//! The events of one entity in order of time, packed.

/// How many columns the events of a ring have besides their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    numbers: usize,
    codes: usize,
    /// Words of an event in a narrow and in a wide ring.
    strides: [usize; 2],
}

impl Shape {
    pub(crate) const fn new(numbers: usize, codes: usize) -> Self {
        Self {
            numbers,
            codes,
            strides: [1 + numbers + codes, 2 * (1 + numbers) + codes],
        }
    }

    #[inline]
    const fn stride(self, wide: bool) -> usize {
        self.strides[wide as usize]
    }
}

const MICROS: i64 = 1_000_000;
/// Numbers of one event at most, so that none has to be put on the heap.
pub(crate) const MOST_NUMBERS: usize = 4;
/// Codes of one event at most.
pub(crate) const MOST_CODES: usize = 16;

/// One event, unpacked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) time: i64,
    pub(crate) numbers: [i64; MOST_NUMBERS],
    pub(crate) codes: [u32; MOST_CODES],
}

impl Entry {
    pub(crate) const fn at(time: i64) -> Self {
        Self {
            time,
            numbers: [0; MOST_NUMBERS],
            codes: [0; MOST_CODES],
        }
    }
}

/// A queue of events. Each has an ordinal that never changes while it is held; ordinals wrap around.
///
/// Times in whole seconds within 136 years of each other, and numbers within 32 bits, take one word each; the first event
/// that does not fit makes the ring wide, with two.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ring {
    words: Box<[u32]>,
    /// Time from which narrow times count, in microseconds.
    base: i64,
    /// Place of the oldest event.
    head: u32,
    len: u32,
    /// Ordinal of the oldest event.
    first: u32,
    /// Events that there is room for: 0 or a power of two. The highest bit tells whether the ring is wide.
    room: u32,
}

const WIDE: u32 = 1 << 31;

impl Ring {
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    const fn wide(&self) -> bool {
        self.room & WIDE != 0
    }

    #[inline]
    const fn room(&self) -> u32 {
        self.room & !WIDE
    }

    /// Whether the next event needs more room.
    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.len == self.room()
    }

    /// Ordinal of the oldest event.
    pub(crate) const fn first(&self) -> u32 {
        self.first
    }

    /// Ordinal after that of the newest event.
    pub(crate) const fn end(&self) -> u32 {
        self.first.wrapping_add(self.len)
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.words.len() * 4
    }

    #[inline]
    fn at(&self, shape: Shape, ordinal: u32) -> usize {
        let place =
            self.head.wrapping_add(ordinal.wrapping_sub(self.first)) & self.room().wrapping_sub(1);
        place as usize * shape.stride(self.wide())
    }

    /// Reads a word of the place of an event.
    #[inline]
    pub(crate) fn touch(&self, shape: Shape, ordinal: u32) -> u32 {
        self.words
            .get(self.at(shape, ordinal))
            .copied()
            .unwrap_or_default()
    }

    #[inline]
    pub(crate) fn time(&self, shape: Shape, ordinal: u32) -> i64 {
        let at = self.at(shape, ordinal);
        if self.wide() {
            join(self.words[at], self.words[at + 1])
        } else {
            self.base + i64::from(self.words[at]) * MICROS
        }
    }

    #[inline]
    pub(crate) fn number(&self, shape: Shape, ordinal: u32, column: usize) -> i64 {
        let at = self.at(shape, ordinal);
        if self.wide() {
            join(
                self.words[at + 2 + 2 * column],
                self.words[at + 3 + 2 * column],
            )
        } else {
            i64::from(self.words[at + 1 + column].cast_signed())
        }
    }

    #[inline]
    pub(crate) fn code(&self, shape: Shape, ordinal: u32, column: usize) -> u32 {
        let at = self.at(shape, ordinal) + shape.stride(self.wide()) - shape.codes;
        self.words[at + column]
    }

    /// Time of the newest event.
    pub(crate) fn newest(&self, shape: Shape) -> Option<i64> {
        (self.len > 0).then(|| self.time(shape, self.end().wrapping_sub(1)))
    }

    pub(crate) fn entry(&self, shape: Shape, ordinal: u32) -> Entry {
        let mut entry = Entry::at(self.time(shape, ordinal));
        for column in 0..shape.numbers {
            entry.numbers[column] = self.number(shape, ordinal, column);
        }
        for column in 0..shape.codes {
            entry.codes[column] = self.code(shape, ordinal, column);
        }
        entry
    }

    pub(crate) fn entries(&self, shape: Shape) -> impl Iterator<Item = Entry> + '_ {
        (0..self.len).map(move |place| self.entry(shape, self.first.wrapping_add(place)))
    }

    /// Forgets the oldest event.
    #[inline]
    pub(crate) const fn pop(&mut self) {
        if self.len > 0 {
            self.head = self.head.wrapping_add(1) & self.room().wrapping_sub(1);
            self.first = self.first.wrapping_add(1);
            self.len -= 1;
        }
    }

    /// Gives an empty ring's next event the ordinal that it would have if some events had come and gone before.
    pub(crate) const fn skip(&mut self, events: u32) {
        if self.len == 0 {
            self.first = self.first.wrapping_add(events);
        }
    }

    /// Adds an event at the end.
    #[inline]
    pub(crate) fn push(&mut self, shape: Shape, entry: &Entry) {
        if self.len == 0 {
            self.base = entry.time.div_euclid(MICROS) * MICROS;
        }
        if !self.wide() && !self.fits(shape, entry) {
            self.rebuild(shape, self.room(), true);
        }
        if self.is_full() {
            self.rebuild(shape, (self.room() * 2).max(2), self.wide());
        }
        self.len += 1;
        self.write(shape, self.end().wrapping_sub(1), entry);
    }

    /// Adds an event at the end, if it fits the ring as it is; returns its ordinal.
    #[inline]
    pub(crate) fn push_narrow(
        &mut self,
        shape: Shape,
        time: i64,
        numbers: impl Iterator<Item = i64>,
        codes: impl Iterator<Item = u32>,
    ) -> Option<u32> {
        if self.len == 0 || self.is_full() || self.wide() {
            return None;
        }
        let offset = time - self.base;
        if offset % MICROS != 0 {
            return None;
        }
        let own = self.end();
        let at = self.at(shape, own);
        let (first, codes_to) =
            self.words[at..at + shape.stride(false)].split_at_mut(1 + shape.numbers);
        let (seconds, numbers_to) = first.split_first_mut()?;
        *seconds = u32::try_from(offset / MICROS).ok()?;
        for (to, number) in numbers_to.iter_mut().zip(numbers) {
            *to = i32::try_from(number).ok()?.cast_unsigned();
        }
        for (to, code) in codes_to.iter_mut().zip(codes) {
            *to = code;
        }
        self.len += 1;
        Some(own)
    }

    /// Adds events at the end, without codes; returns how many fit the ring as it is, but for its room.
    ///
    /// `number` gives a number of the event at a place.
    pub(crate) fn extend_narrow(
        &mut self,
        shape: Shape,
        times: &[i64],
        number: impl Fn(usize, usize) -> i64,
    ) -> usize {
        if times.is_empty() || self.wide() {
            return 0;
        }
        if self.len == 0 {
            self.base = times[0].div_euclid(MICROS) * MICROS;
        }
        let wanted = self.len as usize + times.len();
        let room = u32::try_from(wanted.next_power_of_two().max(2)).unwrap_or(0);
        if room > self.room() {
            self.rebuild(shape, room, false);
        }
        let (mask, stride) = (self.room().wrapping_sub(1), shape.stride(false));
        for (done, &time) in times.iter().enumerate() {
            let offset = time - self.base;
            let Ok(seconds) = u32::try_from(offset / MICROS) else {
                return done;
            };
            if offset % MICROS != 0 {
                return done;
            }
            let place = self.head.wrapping_add(self.len) & mask;
            let words = &mut self.words[place as usize * stride..][..stride];
            words[0] = seconds;
            for (column, to) in words[1..].iter_mut().enumerate() {
                let Ok(number) = i32::try_from(number(column, done)) else {
                    return done;
                };
                *to = number.cast_unsigned();
            }
            self.len += 1;
        }
        times.len()
    }

    /// The events of a narrow ring, to be looked at one after the other.
    #[inline]
    pub(crate) fn narrow(&self, shape: Shape) -> Option<Narrow<'_>> {
        let narrow = Narrow {
            words: &self.words,
            base: self.base,
            shift: self.head.wrapping_sub(self.first),
            mask: self.room().wrapping_sub(1),
            stride: shape.stride(false),
        };
        (!self.wide()).then_some(narrow)
    }

    fn fits(&self, shape: Shape, entry: &Entry) -> bool {
        let offset = entry.time - self.base;
        let numbers = &entry.numbers[..shape.numbers];
        offset % MICROS == 0
            && u32::try_from(offset / MICROS).is_ok()
            && numbers.iter().all(|&number| i32::try_from(number).is_ok())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "narrow rings hold what fits"
    )]
    fn write(&mut self, shape: Shape, ordinal: u32, entry: &Entry) {
        let at = self.at(shape, ordinal);
        let codes_at = at + shape.stride(self.wide()) - shape.codes;
        if self.wide() {
            let numbers = entry.numbers[..shape.numbers].iter();
            for (place, number) in std::iter::once(&entry.time).chain(numbers).enumerate() {
                let bits = number.cast_unsigned();
                self.words[at + 2 * place] = bits as u32;
                self.words[at + 2 * place + 1] = (bits >> 32) as u32;
            }
        } else {
            self.words[at] = ((entry.time - self.base) / MICROS) as u32;
            for (place, number) in entry.numbers[..shape.numbers].iter().enumerate() {
                self.words[at + 1 + place] = *number as u32;
            }
        }
        self.words[codes_at..codes_at + shape.codes].copy_from_slice(&entry.codes[..shape.codes]);
    }

    /// The same events, with the same ordinals, in new words.
    fn rebuild(&mut self, shape: Shape, room: u32, wide: bool) {
        let mut ring = Self {
            words: vec![0; room as usize * shape.stride(wide)].into(),
            base: self.base,
            head: 0,
            len: self.len,
            first: self.first,
            room: if wide { room | WIDE } else { room },
        };
        for place in 0..self.len {
            let ordinal = self.first.wrapping_add(place);
            ring.write(shape, ordinal, &self.entry(shape, ordinal));
        }
        *self = ring;
    }
}

/// The events of a narrow ring.
#[derive(Debug)]
pub(crate) struct Narrow<'a> {
    words: &'a [u32],
    base: i64,
    /// Place of an event less its ordinal.
    shift: u32,
    mask: u32,
    stride: usize,
}

impl Narrow<'_> {
    #[inline]
    const fn at(&self, ordinal: u32) -> usize {
        (ordinal.wrapping_add(self.shift) & self.mask) as usize * self.stride
    }

    #[inline]
    pub(crate) fn time(&self, ordinal: u32) -> i64 {
        self.base + i64::from(self.words[self.at(ordinal)]) * MICROS
    }

    #[inline]
    pub(crate) fn number(&self, ordinal: u32, column: usize) -> i64 {
        i64::from(self.words[self.at(ordinal) + 1 + column].cast_signed())
    }
}

#[inline]
fn join(low: u32, high: u32) -> i64 {
    (u64::from(low) | u64::from(high) << 32).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Ring, Shape};
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    fn values() -> impl Strategy<Value = i64> {
        prop_oneof![4 => -1000_i64..1000, 1 => any::<i32>().prop_map(i64::from), 1 => any::<i64>()]
    }

    fn gaps() -> impl Strategy<Value = i64> {
        prop_oneof![4 => (0_i64..100).prop_map(|s| s * 1_000_000), 1 => 0_i64..5_000_000, 1 => Just(1 << 55)]
    }

    proptest! {
        #[test]
        fn holds_what_a_queue_holds(
            steps in vec((gaps(), values(), any::<u32>(), 0_u8..4), 0..200),
            start in prop_oneof![Just(0_i64), Just(-62_135_596_800_000_000), Just(1_700_000_000_123_456)],
        ) {
            let shape = Shape::new(1, 2);
            let mut ring = Ring { first: u32::MAX - 20, ..Ring::default() };
            let mut queue = std::collections::VecDeque::new();
            let mut now = start;
            for (gap, number, code, pops) in steps {
                now = now.saturating_add(gap).min(1 << 60);
                let mut entry = Entry::at(now);
                entry.numbers[0] = number;
                entry.codes[1] = code;
                ring.push(shape, &entry);
                queue.push_back((now, number, code));
                for _ in 0..pops.saturating_sub(2) {
                    ring.pop();
                    queue.pop_front();
                }
                let held: Vec<_> = ring.entries(shape).map(|e| (e.time, e.numbers[0], e.codes[1])).collect();
                prop_assert_eq!(held, Vec::from(queue.clone()));
                prop_assert_eq!(ring.newest(shape), queue.back().map(|event| event.0));
            }
        }
    }
}
