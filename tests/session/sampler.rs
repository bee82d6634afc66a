//! The sampler: what it may choose, how often, and the same everywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli::generate::{Sampler, SamplerError, Sampling, logprobs};

fn choose(settings: &Sampling, logits: &[f32], recent: &[u32]) -> Result<u32, SamplerError> {
    let mut scratch = vec![0.0; Sampler::scratch(logits.len())];
    Sampler::new(settings.clone())?.choose(logits, recent.iter().copied(), &mut scratch)
}

/// How often each token comes in `draws`.
fn counts(settings: Sampling, logits: &[f32], draws: usize) -> Vec<usize> {
    let mut sampler = Sampler::new(settings).unwrap();
    let mut scratch = vec![0.0; Sampler::scratch(logits.len())];
    let mut counts = vec![0; logits.len()];
    for _ in 0..draws {
        counts[sampler.choose(logits, [], &mut scratch).unwrap() as usize] += 1;
    }
    counts
}

fn warm() -> Sampling {
    Sampling { temperature: 1.0, seed: 7, ..Sampling::default() }
}

#[test]
fn greedy_takes_the_lowest_of_the_best() {
    let greedy = Sampling::default();
    assert_eq!(choose(&greedy, &[1.0, 3.0, 3.0, -1.0], &[]), Ok(1));
    assert_eq!(choose(&greedy, &[f32::NEG_INFINITY, -5.0], &[]), Ok(1));
    assert_eq!(choose(&greedy, &[0.0, f32::INFINITY], &[]), Ok(1));
    assert_eq!(choose(&warm(), &[0.0, f32::INFINITY], &[]), Ok(1));
}

#[test]
fn refused() {
    assert_eq!(choose(&Sampling::default(), &[0.0, f32::NAN], &[]), Err(SamplerError::NotANumber { id: 1 }));
    assert_eq!(choose(&warm(), &[f32::NEG_INFINITY; 3], &[]), Err(SamplerError::NoCandidate));
    assert_eq!(choose(&warm(), &[], &[]), Err(SamplerError::NoCandidate));
    let mut sampler = Sampler::new(warm()).unwrap();
    assert_eq!(
        sampler.choose(&[0.0; 4], [], &mut [0.0; 7]),
        Err(SamplerError::Scratch { len: 7, needed: 8 })
    );
    for wrong in [
        Sampling { temperature: -1.0, ..warm() },
        Sampling { temperature: f32::NAN, ..warm() },
        Sampling { temperature: f32::INFINITY, ..warm() },
        Sampling { top_p: 0.0, ..warm() },
        Sampling { top_p: 1.5, ..warm() },
        Sampling { min_p: -0.1, ..warm() },
        Sampling { min_p: f32::NAN, ..warm() },
        Sampling { repetition_penalty: 0.0, ..warm() },
    ] {
        let error = Sampler::new(wrong).unwrap_err();
        println!("{error}");
        assert!(matches!(error, SamplerError::Setting { .. }));
    }
}

#[test]
fn the_penalty_looks_at_the_last_tokens_once_each() {
    let settings = Sampling { repetition_penalty: 2.0, repetition_last: 2, ..Sampling::default() };
    let logits = [4.0, 3.0, 2.5, -1.0];
    assert_eq!(choose(&settings, &logits, &[]), Ok(0));
    assert_eq!(choose(&settings, &logits, &[0]), Ok(1));
    // Twice halves it once: 2 is still above -1, and below 2.5 of the others.
    assert_eq!(choose(&settings, &logits[..1], &[0, 0]), Ok(0));
    assert_eq!(choose(&settings, &logits, &[0, 1]), Ok(2));
    // The third newest is out of sight.
    assert_eq!(choose(&settings, &logits, &[1, 2, 0]), Ok(0));
    // What is below 0 sinks; an id that is no token does nothing.
    assert_eq!(choose(&settings, &[-1.5, -1.0], &[1, 9]), Ok(0));
}

/// Frequencies against the softmax: 4 standard deviations.
#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.0, 1.0, 2.0, f32::NEG_INFINITY, -1.0];
    for temperature in [0.5, 1.0, 2.0] {
        let draws = 20_000;
        let weights = logits.map(|logit| f64::from(logit / temperature).exp());
        let total: f64 = weights.iter().sum();
        let counts = counts(Sampling { temperature, ..warm() }, &logits, draws);
        for (count, weight) in counts.iter().zip(weights) {
            let p = weight / total;
            let sigma = (p * (1.0 - p) * draws as f64).sqrt();
            let off = (*count as f64 - p * draws as f64).abs();
            assert!(off <= 4.0 * sigma, "{temperature}: {count} of {draws} at {p}");
        }
    }
}

#[test]
fn top_k_top_p_and_min_p_narrow() {
    // Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625 in another order.
    let logits = [0.0625f32, 0.5, 0.125, 0.0625, 0.25].map(f32::ln);
    let kept = |settings: Sampling| {
        let counts = counts(settings, &logits, 3000);
        counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(kept(warm()), [0, 1, 2, 3, 4]);
    assert_eq!(kept(Sampling { top_k: 1, ..warm() }), [1]);
    assert_eq!(kept(Sampling { top_k: 3, ..warm() }), [1, 2, 4]);
    // Of equal ones the lower id comes first.
    assert_eq!(kept(Sampling { top_k: 4, ..warm() }), [0, 1, 2, 4]);
    assert_eq!(kept(Sampling { top_k: 99, ..warm() }), [0, 1, 2, 3, 4]);
    assert_eq!(kept(Sampling { top_p: 0.4, ..warm() }), [1]);
    assert_eq!(kept(Sampling { top_p: 0.6, ..warm() }), [1, 4]);
    assert_eq!(kept(Sampling { top_p: 0.9, ..warm() }), [0, 1, 2, 4]);
    assert_eq!(kept(Sampling { min_p: 0.4, ..warm() }), [1, 4]);
    assert_eq!(kept(Sampling { min_p: 1.0, ..warm() }), [1]);
    // After top-k 2 the best has 2/3 of what is left.
    assert_eq!(kept(Sampling { top_k: 2, top_p: 0.6, ..warm() }), [1]);
    assert_eq!(kept(Sampling { top_k: 3, top_p: 0.9, min_p: 0.3, ..warm() }), [1, 4]);
}

#[test]
fn narrowing_does_not_disturb_the_shares() {
    let logits = [0.0f32, 1.0, 2.0, 3.0];
    let counts = counts(Sampling { top_k: 2, ..warm() }, &logits, 20_000);
    let expected = 20_000.0 * f64::exp(1.0) / (1.0 + f64::exp(1.0));
    assert_eq!(counts[..2], [0, 0]);
    assert!((counts[3] as f64 - expected).abs() < 4.0 * 63.0, "{counts:?}");
}

/// A fixed sequence: it must be the same on every machine and in every version.
#[test]
fn a_seed_is_a_sequence() {
    let logits: Vec<f32> = (0..1000u32).map(|i| (i * 7919 % 1000) as f32 / 125.0 - 4.0).collect();
    let draw = |seed| {
        let settings = Sampling { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.02, seed, ..warm() };
        let mut sampler = Sampler::new(settings).unwrap();
        let mut scratch = vec![0.0; 2000];
        [(); 8].map(|()| sampler.choose(&logits, [], &mut scratch).unwrap())
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_eq!(draw(1), SEED_ONE);
}

const SEED_ONE: [u32; 8] = [62, 630, 741, 25, 605, 852, 778, 309];

#[test]
fn extreme_temperatures() {
    let logits = [1.0, 2.0, 1.5];
    assert_eq!(counts(Sampling { temperature: 1e-38, ..warm() }, &logits, 50), [0, 50, 0]);
    let hot = counts(Sampling { temperature: 1e30, ..warm() }, &logits, 3000);
    assert!(hot.iter().all(|count| (800..1200).contains(count)), "{hot:?}");
}

#[test]
fn logprobs_are_of_the_logits() {
    let logits = [0.0f32, 3.0, 1.0, 3.0, f32::NEG_INFINITY];
    let mut scratch = [0.0; 10];
    let mut out = [(9, 0.0); 6];
    assert_eq!(logprobs(&logits, &mut scratch, &mut out), Ok(5));
    let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
    assert_eq!(out.map(|(id, _)| id), [1, 3, 2, 0, 4, 9]);
    for (id, logprob) in &out[..4] {
        let expected = f64::from(logits[*id as usize]) - total.ln();
        assert!((f64::from(*logprob) - expected).abs() < 1e-6, "{id}");
    }
    assert_eq!(out[4].1, f32::NEG_INFINITY);
    assert_eq!(logprobs(&logits, &mut scratch, &mut []), Ok(0));
}
