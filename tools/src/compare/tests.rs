//! The arithmetic against sums written out, and against what must hold whatever the numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Answers, Distribution, Position, Rows, Side};

/// Probabilities by the definition, in no clever way.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
    logits.iter().map(|x| f64::from(*x).exp() / sum).collect()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} {expected}");
}

const A: [f32; 5] = [1.5, -2.0, 0.25, 3.0, 2.875];
const B: [f32; 5] = [1.25, -1.0, 0.5, 2.5, 3.0];

#[test]
fn a_position_is_what_the_formulas_say() {
    let (p, q) = (softmax(&A), softmax(&B));
    let found = Position::new(&A, &B, 2).unwrap();
    near(found.nll[0], -p[2].ln());
    near(found.nll[1], -q[2].ln());
    near(found.kl, p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum());
    assert!(!found.same && Position::new(&A, &A, 2).unwrap().same);
    // Large logits overflow no exponential, and a constant added to all changes nothing.
    let far: Vec<f32> = A.iter().map(|x| x + 4096.0).collect();
    let moved = Position::new(&far, &B, 2).unwrap();
    near(moved.kl, found.kl);
    near(moved.nll[0], found.nll[0]);
    // Equal logits: the lower id.
    assert!(Position::new(&[1.0, 1.0], &[2.0, 0.0], 0).unwrap().same);
    assert!(!Position::new(&[1.0, 1.0], &[0.0, 2.0], 0).unwrap().same);
}

#[test]
fn a_model_is_at_no_distance_from_itself() {
    let same = Position::new(&A, &A, 4).unwrap();
    assert_eq!((same.kl, same.nll[0]), (0.0, same.nll[1]));
    let all = Distribution::of(&[same; 7]).unwrap();
    assert_eq!(
        (all.kl.mean, all.kl.error, all.kl_max, all.top_1, all.delta_p),
        (0.0, Some(0.0), 0.0, 1.0, 0.0)
    );
    assert_eq!((all.ratio.mean, all.perplexity[0]), (1.0, all.perplexity[1]));
    let mut rows = Rows::default();
    rows.add(&A, &A, 5).unwrap();
    assert_eq!((rows.cosine(), rows.cosine_min, rows.relative(), rows.overall()), (1.0, 1.0, 0.0, 0.0));
}

#[test]
fn what_is_no_number_is_refused_and_named() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut damaged = B;
        damaged[1] = wrong;
        assert_eq!(Position::new(&damaged, &B, 0), Err(Side::A));
        assert_eq!(Position::new(&A, &damaged, 0), Err(Side::B));
        assert_eq!(Rows::default().add(&A, &damaged, 5), Err(Side::B));
    }
    // A token that has no logit.
    assert_eq!(Position::new(&A, &B, 5), Err(Side::A));
    assert_eq!(Distribution::of(&[]), None);
}

#[test]
fn means_errors_and_percentiles() {
    let at = |kl: f64| Position { nll: [1.0, 1.0 + kl], kl, same: kl < 2.0 };
    let positions: Vec<Position> = [3.0, 0.0, 1.0, 2.0].map(at).to_vec();
    let all = Distribution::of(&positions).unwrap();
    near(all.kl.mean, 1.5);
    // The variance of 0, 1, 2, 3 is 5/3; of their mean it is a quarter of that.
    near(all.kl.error.unwrap(), (5.0f64 / 12.0).sqrt());
    near(all.kl_99, 2.97);
    assert_eq!((all.kl_max, all.top_1, all.positions), (3.0, 0.5, 4));
    near(all.perplexity[0], 1.0f64.exp());
    near(all.ratio.mean, 1.5f64.exp());
    let delta = |kl: f64| ((-1.0 - kl).exp() - (-1.0f64).exp()).powi(2);
    near(all.delta_p, ((delta(0.0) + delta(1.0) + delta(2.0) + delta(3.0)) / 4.0).sqrt());
    assert_eq!(Distribution::of(&positions[..1]).unwrap().kl.error, None);
}

#[test]
fn rows_by_hand() {
    let mut rows = Rows::default();
    rows.add(&[3.0, 4.0, 0.0, 0.0], &[4.0, 3.0, 0.0, 0.0], 2).unwrap();
    near(rows.cosine_min, 24.0 / 25.0);
    near(rows.cosine(), (24.0 / 25.0 + 1.0) / 2.0);
    near(rows.relative_max, 2.0f64.sqrt() / 5.0);
    // Zero against something.
    rows.add(&[0.0, 0.0], &[0.0, 7.0], 2).unwrap();
    assert_eq!((rows.images, rows.rows, rows.cosine_min, rows.relative_max), (2, 3, 0.0, 1.0));
    near(rows.overall(), (51.0f64 / 25.0).sqrt());
}

#[test]
fn answers_agree_until_they_differ() {
    let mut answers = Answers::default();
    answers.add(&[1, 2, 3, 4], &[1, 2, 9, 4]);
    answers.add(&[1, 2], &[1, 2]);
    answers.add(&[1, 2], &[1, 2, 3, 4]);
    answers.add(&[], &[]);
    near(answers.prefix(), (0.5 + 1.0 + 0.5 + 1.0) / 4.0);
    near(answers.identical(), 0.5);
}
