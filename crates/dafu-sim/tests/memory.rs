//! Memory held by a running simulation; alone in its file, since the allocator counts the whole process.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_sim::{ScenarioRates, SimulatorParams};
use dafu_testkit::CountingAllocator;
use dafu_testkit::memory::peak_bytes;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn memory_does_not_grow_with_the_number_of_days() {
    // Ten times the usual fraud, so that what campaigns leave behind would show.
    let rates = ScenarioRates::default().scaled(10.0);
    let params = SimulatorParams::default()
        .users(400)
        .merchants(300)
        .rates(rates)
        .seed(5);
    let run = |days| {
        peak_bytes(&ALLOCATOR, || {
            params.clone().days(days).simulator().unwrap().count()
        })
    };
    let (few, short) = run(60);
    let (many, long) = run(1_200);
    assert!(
        many > 19 * few,
        "{many} transactions in 1,200 days, {few} in 60"
    );
    // The buffers of a day double in size when a day is busier than all before: at most once here.
    assert!(
        short > 100_000 && long < 2 * short,
        "{long} bytes for 1,200 days, {short} for 60"
    );
}
