//! Planted flows are found, limits hold and are reported.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, EntityId, Money, Timestamp, TransactionId, Transfer};
use dafu_graph::{Flow, FlowParams, FlowPattern, FlowReport, GraphError, TransferGraph};
use dafu_sim::{FlowKind, FlowWorld, FlowWorldParams};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn transfer(number: usize, (from, to): (u32, u32), second: i64, minor: i64) -> Transfer {
    Transfer {
        transfer_id: TransactionId::new(format!("f{number}")).unwrap(),
        from: EntityId::new(format!("a{from}")).unwrap(),
        to: EntityId::new(format!("a{to}")).unwrap(),
        amount: Money::from_minor(minor, Currency::new("EUR").unwrap()),
        timestamp: Timestamp::from_seconds(second).unwrap(),
    }
}

fn graph(transfers: &[Transfer]) -> TransferGraph {
    TransferGraph::from_transfers(transfers).unwrap()
}

const fn pattern(kind: FlowKind) -> FlowPattern {
    match kind {
        FlowKind::FanOut => FlowPattern::FanOut,
        FlowKind::FanIn => FlowPattern::FanIn,
        FlowKind::GatherScatter => FlowPattern::GatherScatter,
        FlowKind::ScatterGather => FlowPattern::ScatterGather,
        FlowKind::Cycle => FlowPattern::Cycle,
        FlowKind::RandomWalk => FlowPattern::Chain,
        FlowKind::Bipartite => FlowPattern::Bipartite,
        _ => FlowPattern::Stack,
    }
}

/// Places of a flow's transfers in the simulated world.
fn places(flow: &Flow) -> BTreeSet<usize> {
    let ids = flow.transfers.iter();
    ids.map(|id| id.as_str().strip_prefix('f').unwrap().parse().unwrap())
        .collect()
}

fn world(seed: u64) -> FlowWorld {
    FlowWorldParams::default().seed(seed).simulate().unwrap()
}

fn detect(world: &FlowWorld, params: &FlowParams) -> FlowReport {
    let transfers: Vec<Transfer> = world.transfers().collect();
    params.detect(&graph(&transfers)).unwrap()
}

/// Planted patterns of which all transfers lie in one found flow of that pattern, and all planted.
fn recall(world: &FlowWorld, report: &FlowReport) -> (usize, usize) {
    let flows: Vec<(FlowPattern, BTreeSet<usize>)> = report
        .flows
        .iter()
        .map(|flow| (flow.pattern, places(flow)))
        .collect();
    let planted = world.patterns();
    let found = planted.iter().filter(|planted| {
        flows.iter().any(|(found, places)| {
            *found == pattern(planted.kind)
                && planted.transfers.iter().all(|place| places.contains(place))
        })
    });
    (found.count(), planted.len())
}

#[test]
fn every_planted_pattern_is_found() {
    for seed in 100..110 {
        let world = world(seed);
        let report = detect(&world, &FlowParams::default());
        assert!(report.cut.is_empty());
        assert_eq!(recall(&world, &report), (24, 24), "seed {seed}");
    }
}

/// Other sizes, fees and windows, and more honest transfers around them.
#[test]
fn patterns_of_other_sizes_are_found_with_parameters_to_match() {
    let more = |seed| FlowWorldParams::default().patterns_of_each(10).seed(seed);
    let wide = FlowParams::default().window(Duration::from_secs(15 * 86_400));
    let tolerant = FlowParams::default().amount_tolerance(0.25).min_fan(3);
    for (world, params) in [
        (more(200).window_days(0.5), FlowParams::default()),
        (more(201).window_days(14.0), wide),
        (more(202).fee(0.2).smallest(3), tolerant),
        (more(203).transfers_per_account(20.0), FlowParams::default()),
        (
            more(204).smallest(9).largest(20),
            FlowParams::default().max_length(20).min_fan(9),
        ),
    ] {
        let world = world.simulate().unwrap();
        let params = params.work_limit(40_000_000);
        let report = detect(&world, &params);
        assert_eq!(recall(&world, &report), (80, 80), "{:?}", report.cut);
        assert!(
            report
                .cut
                .iter()
                .all(|cut| cut.pattern == FlowPattern::Bipartite && !cut.full)
        );
    }
}

/// Found flows, and those of which at least half of the transfers were planted, in any pattern.
fn precision(params: &FlowParams) -> BTreeMap<FlowPattern, (usize, usize)> {
    let mut counts: BTreeMap<FlowPattern, (usize, usize)> = BTreeMap::new();
    for seed in 100..110 {
        let world = world(seed);
        let planted: BTreeSet<usize> = world
            .patterns()
            .into_iter()
            .flat_map(|planted| planted.transfers)
            .collect();
        for flow in detect(&world, params).flows {
            let places = places(&flow);
            let count = counts.entry(flow.pattern).or_default();
            count.0 += 1;
            count.1 += usize::from(2 * places.intersection(&planted).count() >= places.len());
        }
    }
    counts
}

/// Ten worlds of 30,000 honest transfers each. Of found flows, planted were at the default parameters: 434 of 8,333 fan-outs, 431
/// of 3,807 fan-ins (every shop is one), 148 of 151 gather-scatters, 50 of 57 chains, all 422 others. With `min_amount` 500: 445 of
/// 2,445 fan-outs (the rest are wages), 450 of 464 fan-ins, all 622 others.
#[test]
fn honest_transfers_make_fans_and_hardly_anything_else() {
    let share = |(found, right): (usize, usize)| right as f64 / found as f64;
    for (pattern, counts) in precision(&FlowParams::default()) {
        let fan = matches!(pattern, FlowPattern::FanIn | FlowPattern::FanOut);
        assert!(fan || share(counts) > 0.85, "{pattern} {counts:?}");
    }
    for (pattern, counts) in precision(&FlowParams::default().min_amount(500.0)) {
        let wages = pattern == FlowPattern::FanOut;
        assert!(wages || share(counts) > 0.95, "{pattern} {counts:?}");
    }
}

#[test]
fn wages_are_known_by_what_is_paid_again() {
    let (mut right, mut found) = (0, 0);
    for seed in 100..110 {
        let world = world(seed);
        let planted: BTreeSet<usize> = world
            .patterns()
            .into_iter()
            .flat_map(|planted| planted.transfers)
            .collect();
        let report = detect(&world, &FlowParams::default().min_amount(500.0));
        let fans: Vec<&Flow> = report.of(FlowPattern::FanOut).collect();
        // Regular business last.
        assert!(fans.is_sorted_by_key(|fan| fan.regular > 0.5));
        for fan in fans.iter().filter(|fan| fan.regular <= 0.5) {
            found += 1;
            right += usize::from(places(fan).iter().any(|place| planted.contains(place)));
        }
    }
    // All but those that people pay who got no second wage.
    assert!(right > 400 && right * 10 > found * 9, "{right} of {found}");
}

#[test]
fn flows_say_what_they_are() {
    let world = world(100);
    let transfers: Vec<Transfer> = world.transfers().collect();
    let report = FlowParams::default().detect(&graph(&transfers)).unwrap();
    assert!(report.flows.is_sorted_by_key(|flow| flow.pattern));
    for flow in &report.flows {
        let of: Vec<&Transfer> = places(flow)
            .iter()
            .map(|place| &transfers[*place])
            .collect();
        assert!(of.iter().map(|one| &one.transfer_id).eq(&flow.transfers));
        assert!(of.is_sorted_by_key(|one| one.timestamp));
        assert_eq!(flow.first, of[0].timestamp);
        assert_eq!(flow.last, of[of.len() - 1].timestamp);
        let accounts: BTreeSet<&EntityId> =
            of.iter().flat_map(|one| [&one.from, &one.to]).collect();
        assert_eq!(accounts, flow.accounts.iter().collect());
        assert_eq!(accounts.len(), flow.accounts.len());
        assert!((0.0..=1.0).contains(&flow.regular) && flow.arrived.minor() > 0);
        let sum: i64 = of.iter().map(|one| one.amount.minor()).sum();
        match flow.pattern {
            FlowPattern::Cycle | FlowPattern::Chain => {
                assert_eq!(flow.amount, of[0].amount);
                assert_eq!(flow.arrived, of[of.len() - 1].amount);
            }
            FlowPattern::GatherScatter | FlowPattern::ScatterGather => {
                assert_eq!(flow.amount.minor() + flow.arrived.minor(), sum);
            }
            _ => assert_eq!(flow.amount.minor(), sum),
        }
        let amount = format!("{:.2} EUR", flow.amount.major());
        assert!(flow.explanation.contains(&amount), "{}", flow.explanation);
    }
    let cycle = report.of(FlowPattern::Cycle).next().unwrap();
    let start = format!(
        "{:.2} EUR went from {} by ",
        cycle.amount.major(),
        cycle.accounts[0]
    );
    assert!(
        cycle.explanation.starts_with(&start),
        "{}",
        cycle.explanation
    );
}

#[test]
fn the_order_of_transfers_changes_nothing() {
    let world = world(3);
    let mut transfers: Vec<Transfer> = world.transfers().collect();
    let before = FlowParams::default().detect(&graph(&transfers)).unwrap();
    transfers.reverse();
    let after = FlowParams::default().detect(&graph(&transfers)).unwrap();
    assert_eq!(before, after);
    assert!(before.flows.len() > 100);
}

#[test]
fn self_transfers_and_reversals_are_left_out_and_counted() {
    let transfers = [
        transfer(0, (1, 2), 0, 100),
        transfer(1, (2, 2), 1, 100),
        transfer(2, (2, 1), 2, -100),
        transfer(3, (2, 1), 3, 0),
        transfer(4, (2, 1), 3, 100),
    ];
    let graph = graph(&transfers);
    assert_eq!((graph.transfer_count(), graph.account_count()), (2, 2));
    assert_eq!((graph.self_transfers(), graph.not_positive()), (1, 2));
    let cycles = FlowParams::default().cycles(&graph).unwrap();
    let ids: Vec<&str> = cycles
        .iter()
        .flatten()
        .map(|one| graph.id(*one).as_str())
        .collect();
    assert_eq!(ids, ["f0", "f4"]);
}

#[test]
fn graphs_may_be_empty_or_have_one_transfer() {
    for transfers in [&[][..], &[transfer(0, (1, 2), 0, 100)]] {
        let graph = graph(transfers);
        let report = FlowParams::default().detect(&graph).unwrap();
        assert!(report.flows.is_empty() && report.cut.is_empty());
        assert!(FlowParams::default().cycles(&graph).unwrap().is_empty());
    }
}

#[test]
fn wrong_parameters_and_several_currencies_are_named() {
    let params = FlowParams::default;
    for (wrong, name) in [
        (params().amount_tolerance(1.5), "amount_tolerance"),
        (params().sum_tolerance(f64::NAN), "sum_tolerance"),
        (params().min_fan(1), "min_fan"),
        (params().min_length(1), "min_length"),
        (params().max_length(33), "max_length"),
        (params().min_amount(f64::INFINITY), "min_amount"),
        (params().work_limit(0), "work_limit"),
    ] {
        let error = wrong.detect(&graph(&[])).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`{name}` must be ")),
            "{error}"
        );
        assert!(wrong.cycles(&graph(&[])).is_err());
    }
    let mut other = transfer(1, (1, 2), 0, 100);
    other.amount = Money::from_minor(100, Currency::new("USD").unwrap());
    let error = TransferGraph::from_transfers(&[transfer(0, (1, 2), 0, 100), other]).unwrap_err();
    assert!(matches!(error, GraphError::Currencies { .. }));
    assert_eq!(
        error.to_string(),
        "all transfers must be of one currency, got USD after EUR; convert them first"
    );
}

/// Everything is searched, or what was not is said; no more work than allowed.
fn bounded(transfers: &[Transfer], params: &FlowParams, cut: &[FlowPattern]) -> FlowReport {
    let graph = graph(transfers);
    let mut work = 0;
    let mut flows = Vec::new();
    let mut cuts = Vec::new();
    for pattern in FlowPattern::ALL {
        let report = params.clone().patterns([pattern]).detect(&graph).unwrap();
        assert!(report.work <= params.work_limit);
        assert_eq!(
            !report.cut.is_empty(),
            cut.contains(&pattern),
            "{pattern} {:?}",
            report.cut
        );
        for cut in &report.cut {
            assert_eq!((cut.pattern, cut.unsearched, cut.full), (pattern, 0, false));
            assert!(cut.cut > 0 && cut.accounts.len() == cut.cut.min(10));
        }
        work += report.work;
        flows.extend(report.flows);
        cuts.extend(report.cut);
    }
    let all = params.detect(&graph).unwrap();
    assert_eq!((&all.flows, &all.cut, all.work), (&flows, &cuts, work));
    all
}

#[test]
fn a_hub_of_a_million_transfers_is_searched_within_the_limit() {
    // It pays half a million accounts, and each of them pays it back a second later.
    let hub = (0..500_000_usize).flat_map(|turn| {
        let account = u32::try_from(turn).unwrap() + 1;
        let second = i64::from(account) * 2;
        [
            transfer(2 * turn, (0, account), second, 1_000),
            transfer(2 * turn + 1, (account, 0), second + 1, 990),
        ]
    });
    let mut transfers: Vec<Transfer> = hub.collect();
    let params = FlowParams::default().work_limit(100_000_000);
    let report = bounded(
        &transfers,
        &params,
        &[FlowPattern::GatherScatter, FlowPattern::Chain],
    );
    assert_eq!(report.of(FlowPattern::FanIn).count(), 1);
    assert_eq!(
        report
            .of(FlowPattern::FanOut)
            .next()
            .unwrap()
            .transfers
            .len(),
        500_000
    );
    let names: Vec<&str> = report.cut[0]
        .accounts
        .iter()
        .map(EntityId::as_str)
        .collect();
    assert_eq!((names, report.cut[0].cut), (vec!["a0"], 1));
    // Cycles elsewhere are found all the same: a hub does not use up all work.
    for turn in 0..4_u32 {
        let ends = (600_000 + turn, 600_001 + turn);
        let second = 999_000 + i64::from(turn);
        transfers.push(transfer(transfers.len(), ends, second, 500));
    }
    let chains = params.patterns([FlowPattern::Chain]);
    let chains = chains.detect(&graph(&transfers)).unwrap();
    assert!(
        chains
            .flows
            .iter()
            .any(|flow| flow.amount.minor() == 500 && flow.accounts.len() == 5)
    );
}

#[test]
fn complete_graphs_are_cut_off_and_say_so() {
    let mut transfers = Vec::new();
    for from in 0..60_u32 {
        for to in (0..60).filter(|to| *to != from) {
            let second = i64::from((from * 37 + to * 101) % 4_001);
            transfers.push(transfer(transfers.len(), (from, to), second, 1_000));
        }
    }
    let params = FlowParams::default()
        .work_limit(3_000_000)
        .max_flows(1_000_000)
        .window(Duration::from_secs(1_500));
    let cut = [
        FlowPattern::Cycle,
        FlowPattern::Chain,
        FlowPattern::Bipartite,
        FlowPattern::Stack,
    ];
    let report = bounded(&transfers, &params, &cut);
    // All the same, the whole is reported.
    for pattern in [FlowPattern::Bipartite, FlowPattern::Stack] {
        assert_eq!(report.of(pattern).next().unwrap().accounts.len(), 60);
    }
    let cycles = params.cycles(&graph(&transfers)).unwrap();
    assert!(cycles.cut.is_some() && cycles.len() > 1_000 && cycles.work <= params.work_limit);
    // Memory: what is kept counts as work.
    let kept: usize = cycles.iter().map(<[_]>::len).sum();
    assert!(kept as u64 * 16 <= params.work_limit);
    let full = params.max_flows(5).patterns([FlowPattern::Cycle]);
    let full = full.detect(&graph(&transfers)).unwrap();
    assert!(full.cut[0].full && full.flows.len() == 5);
}

#[test]
fn transfers_of_one_moment_follow_each_other_nowhere() {
    let transfers: Vec<Transfer> = (0..100_000_u32)
        .map(|turn| {
            let ends = (turn % 300, (turn * 7 + turn / 300) % 299);
            transfer(turn as usize, ends, 5, 1_000)
        })
        .collect();
    let report = bounded(&transfers, &FlowParams::default(), &[]);
    for pattern in [
        FlowPattern::Cycle,
        FlowPattern::Chain,
        FlowPattern::GatherScatter,
        FlowPattern::ScatterGather,
        FlowPattern::Stack,
    ] {
        assert_eq!(report.of(pattern).count(), 0, "{pattern}");
    }
    assert_eq!(report.of(FlowPattern::Bipartite).count(), 1);
}

#[test]
fn thousands_of_transfers_between_two_accounts_are_bounded() {
    let transfers: Vec<Transfer> = (0..40_000_u32)
        .map(|turn| {
            let ends = if turn % 2 == 0 { (0, 1) } else { (1, 0) };
            transfer(turn as usize, ends, turn.into(), 1_000)
        })
        .collect();
    let params = FlowParams::default()
        .min_length(2)
        .work_limit(5_000_000)
        .max_flows(1_000_000);
    let report = bounded(
        &transfers,
        &params,
        &[FlowPattern::Cycle, FlowPattern::Chain],
    );
    assert!(report.cut[0].cut > 0);
    assert!(
        report
            .flows
            .iter()
            .all(|flow| flow.pattern == FlowPattern::Cycle)
    );
}
