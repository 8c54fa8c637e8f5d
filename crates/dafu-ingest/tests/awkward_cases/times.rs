//! Times of many forms, and hours that clocks skip.

use super::{Case, error, is_bad, rows};
use dafu_ingest::{BadRecordClass as Class, IngestParams, Policy};

pub fn times() -> Vec<Case> {
    let berlin = |p: IngestParams| p.zone("Europe/Berlin".parse().unwrap());
    vec![
        rows("day first", "id,time\n1,13.04.2018 07:05\n2,01.05.2018 00:00\n", 2, 0, &[]).value("time", 1, "2018-05-01T00:00:00Z"),
        rows("month first", "id,time\n1,04/13/2018 07:05\n2,05/01/2018 00:00\n", 2, 0, &[]).value("time", 1, "2018-05-01T00:00:00Z"),
        rows("day or month", "id,time\n1,01/02/2018\n2,03/04/2018\n", 2, 0, &[]).value("time", 0, "2018-02-01T00:00:00Z"),
        rows("day first and month first", "id,time\n1,13/04/2018\n2,14/04/2018\n3,04/15/2018\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("epoch seconds", "id,time\n1,1522540831\n2,1522540832\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31Z"),
        rows("epoch milliseconds", "id,time\n1,1522540831250\n2,1522540832000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250000Z"),
        rows("epoch microseconds", "id,time\n1,1522540831250001\n2,1522540832000000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250001Z"),
        rows("epoch nanoseconds", "id,time\n1,1522540831250001999\n2,1522540832000000000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250001Z"),
        rows("seconds among milliseconds", "id,time\n1,1522540831250\n2,1522540832000\n3,1522540833\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("hour that clocks skipped", "id,time\n1,2018-03-25 02:30:00\n2,2018-03-25 03:30:00\n", 2, 0, &[(Class::TimeInGap, 1)])
            .with(berlin)
            .value("time", 0, "2018-03-25T01:30:00Z"),
        error("hour that clocks skipped, rejected", "id,time\n1,2018-03-25 02:30:00\n", |e| is_bad(e, Class::TimeInGap))
            .with(|p| berlin(p).policy(Class::TimeInGap, Policy::Reject)),
        rows("hour that came twice", "id,time\n1,2018-10-28 02:30:00\n2,2018-10-28 03:30:00\n", 2, 0, &[(Class::TimeTwice, 1)])
            .with(berlin)
            .value("time", 0, "2018-10-28T00:30:00Z"),
        rows("hour that came twice, left out", "id,time\n1,2018-10-28 02:30:00\n2,2018-10-28 03:30:00\n", 1, 1, &[(Class::TimeTwice, 1)])
            .with(|p| berlin(p).policy(Class::TimeTwice, Policy::Quarantine)),
        rows("offsets leave no doubt", "id,time\n1,2018-10-28 02:30:00+01:00\n2,2018-03-25 02:30:00+01:00\n", 2, 0, &[])
            .with(berlin)
            .value("time", 0, "2018-10-28T01:30:00Z"),
        rows("leap second", "id,time\n1,2016-12-31T23:59:59Z\n2,2016-12-31T23:59:60Z\n3,2017-01-01T00:00:00Z\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("years 1 and 9999", "id,time\n1,0001-01-01T00:00:00Z\n2,9999-12-31T23:59:59Z\n", 2, 0, &[])
            .value("time", 0, "0001-01-01T00:00:00Z")
            .value("time", 1, "9999-12-31T23:59:59Z"),
        rows("years 0 and 10000", "id,time\n1,2018-04-01\n2,0000-01-01\n3,10000-01-01\n4,2018-04-02\n5,2018-04-03\n", 3, 2, &[(Class::BadTime, 2)]),
        rows("ends of time that a zone or an offset carries over",
            "id,time\n1,2018-04-01 00:00\n2,2018-04-01 00:00\n3,2018-04-01 00:00\n4,0001-01-01 00:00\n5,9999-12-31 23:59-01:00\n", 3, 2, &[(Class::BadTime, 2)])
            .with(berlin),
        rows("30th of February", "id,time\n1,2018-02-28\n2,2018-02-30\n3,2016-02-29\n4,2018-02-29\n5,2018-03-01\n", 3, 2, &[(Class::BadTime, 2)]),
    ]
}
