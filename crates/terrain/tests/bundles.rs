//! What a person sees of bundles: the count in the key adds up, and no flow is dropped.

use monkeytown_terrain::bundle;
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_flow_is_drawn_or_in_one_bundle(
        flows in prop::collection::vec((0_u32..40, 0_u32..40, 0_u8..4), 0..600),
        drawn_max in 0_usize..80,
    ) {
        let bundling = bundle(&flows, drawn_max);
        let members = bundling.bundles.iter().flat_map(|bundle| &bundle.members);
        let mut all: Vec<usize> = bundling.drawn.iter().chain(members).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..flows.len()).collect::<Vec<_>>());
        prop_assert_eq!(bundling.drawn.len(), flows.len().min(drawn_max));
        prop_assert!(bundling.bundles.len() <= 10);
    }

    #[test]
    fn a_bundle_says_what_its_flows_have_in_common(
        flows in prop::collection::vec((0_u32..40, 0_u32..40, 0_u8..4), 0..600),
    ) {
        for bundle in bundle(&flows, 10).bundles {
            let members: Vec<_> = bundle.members.iter().map(|member| flows[*member]).collect();
            prop_assert!(!members.is_empty());
            prop_assert_eq!(bundle.source.is_some(), members.iter().all(|flow| flow.0 == members[0].0));
            prop_assert_eq!(bundle.target.is_some(), members.iter().all(|flow| flow.1 == members[0].1));
            prop_assert!(bundle.source.is_none_or(|source| source == members[0].0));
            prop_assert!(bundle.target.is_none_or(|target| target == members[0].1));
            let count = |kind: u8| members.iter().filter(|flow| flow.2 == kind).count();
            prop_assert!((0..4).all(|kind| count(kind) <= count(bundle.kind)));
        }
    }

    #[test]
    fn few_busy_pairs_have_a_bundle_each_in_the_order_of_who_they_join(
        pairs in prop::collection::btree_map((0_u32..3, 4_u32..7), 3_usize..20, 0..9),
    ) {
        let flows: Vec<_> = pairs.iter().flat_map(|(pair, count)| vec![(pair.0, pair.1, 0); *count]).collect();
        let bundles = bundle(&flows, 0).bundles;
        let joined: Vec<_> =
            bundles.iter().map(|bundle| ((bundle.source, bundle.target), bundle.members.len())).collect();
        let expected: Vec<_> = pairs.into_iter().map(|((a, b), count)| ((Some(a), Some(b)), count)).collect();
        prop_assert_eq!(joined, expected);
    }

    #[test]
    fn what_a_source_sends_here_and_there_is_one_bundle(targets in prop::collection::btree_set(10_u32..200, 3..40)) {
        let flows: Vec<_> = targets.iter().map(|target| (1, *target, 0)).collect();
        let bundles = bundle(&flows, 0).bundles;
        prop_assert_eq!(bundles.len(), 1);
        prop_assert_eq!((bundles[0].source, bundles[0].target), (Some(1), None));
    }
}

#[test]
fn the_smallest_bundles_are_gathered_by_source_and_the_largest_keep_their_target() {
    // Five pairs of twenty flows, seven of five, and thirty single flows that two agents send.
    let mut flows: Vec<(u32, u32, u8)> = (0..100).map(|index| (index % 5, 100, 1)).collect();
    flows.extend((0..35).map(|index| (20 + index % 7, 100, 1)));
    flows.extend((0..30).map(|index| (50 + index % 2, 200 + index, 2)));
    let bundles = bundle(&flows, 0).bundles;
    assert_eq!(bundles.iter().filter(|bundle| bundle.target == Some(100) && bundle.members.len() == 20).count(), 5);
    for source in [50, 51] {
        let gathered: usize =
            bundles.iter().filter(|bundle| bundle.source == Some(source)).map(|bundle| bundle.members.len()).sum();
        assert_eq!(gathered, 15);
    }
    assert!(bundles.len() <= 10);
}
