//! R9: a thousand witnesses who lose the stream at one moment. The clients' own back-off, over a clock that is only a
//! number.

/// The page's back-off, as it is.
#[path = "../../../../src/transport/backoff.rs"]
mod backoff;

use backoff::Backoff;
use fastrand::Rng;

const CLIENTS: usize = 1_000;
const SEEDS: u64 = 50;
/// Everybody had been connected for long.
const HELD_MILLIS: f64 = 600_000.0;

/// Moments of all attempts, and those at which clients were back, in milliseconds since the cut.
#[derive(Default)]
struct Crowd {
    attempts: Vec<u32>,
    returns: Vec<u32>,
}

/// The stream is away for `outage_millis`; whoever asks meanwhile is refused at once.
fn cut(seed: u64, outage_millis: u32, jitter: bool) -> Crowd {
    let mut rng = Rng::with_seed(seed);
    let mut crowd = Crowd::default();
    for _ in 0..CLIENTS {
        let (mut backoff, mut held, mut now) = (Backoff::default(), HELD_MILLIS, 0);
        loop {
            now += backoff.next_millis(held, if jitter { rng.f64() } else { 1.0 });
            held = 0.0;
            crowd.attempts.push(now);
            if now >= outage_millis {
                crowd.returns.push(now);
                break;
            }
        }
        assert!(backoff.failures() > 0);
    }
    crowd
}

/// The most in any window of so many milliseconds.
fn peak(moments: &[u32], window_millis: u32) -> usize {
    let mut moments = moments.to_vec();
    moments.sort_unstable();
    let mut first = 0;
    (0..moments.len())
        .map(|last| {
            while moments[last] - moments[first] >= window_millis {
                first += 1;
            }
            last - first + 1
        })
        .max()
        .unwrap_or_default()
}

fn share(moments: &[u32], percent: usize) -> u32 {
    let mut moments = moments.to_vec();
    moments.sort_unstable();
    moments[(moments.len() - 1) * percent / 100]
}

#[test]
fn a_thousand_who_are_cut_at_once_do_not_come_back_at_once() {
    println!("outage  peak returns/s  peak attempts/s  in 100 ms  back p50  p99 (after the stream, ms)");
    for (outage_millis, most) in [(0, CLIENTS), (2_000, 700), (5_000, 450), (30_000, 250), (300_000, 250)] {
        let mut worst = (0, 0, 0);
        let mut waits = Vec::new();
        for seed in 0..SEEDS {
            let crowd = cut(seed, outage_millis, true);
            assert_eq!(crowd.returns.len(), CLIENTS, "everybody comes back");
            // The first wait is at most half a second: it is the second that a short cut is felt in.
            let steady: Vec<u32> = crowd.attempts.iter().copied().filter(|moment| *moment >= outage_millis).collect();
            worst.0 = worst.0.max(peak(&crowd.returns, 1_000));
            worst.1 = worst.1.max(peak(&crowd.attempts, 1_000));
            worst.2 = worst.2.max(peak(&steady, 100));
            waits.extend(crowd.returns.iter().map(|moment| moment - outage_millis));
        }
        let (returns, attempts, burst) = worst;
        println!(
            "{outage_millis:6}  {returns:14}  {attempts:15}  {burst:9}  {:8}  {}",
            share(&waits, 50),
            share(&waits, 99)
        );
        assert!(returns <= most, "{returns} a second after an outage of {outage_millis} ms");
        assert!(burst <= CLIENTS / 3, "{burst} within 100 ms after an outage of {outage_millis} ms");
        assert!(waits.iter().all(|wait| *wait <= 15_000), "nobody waits longer than the cap");
    }
}

#[test]
fn without_jitter_they_would() {
    assert_eq!(peak(&cut(0, 5_000, false).returns, 100), CLIENTS);
}
