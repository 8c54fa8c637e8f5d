//! Gauss and Legendre's rules for integrals from 0 to 1.

/// Points and weights; the points ascend, strictly between 0 and 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    pub(super) points: Vec<f64>,
    pub(super) weights: Vec<f64>,
}

/// Points that integrate every game of so many players.
///
/// Half as many points as players are exact. From 64 players on, 4 sqrt(players) are exact to 1e-13 of the largest
/// value: a game is a mean, for each size of coalitions, of Bernstein polynomials, and those are that smooth.
pub(super) fn points_for(players: usize) -> usize {
    players.div_ceil(2).min(4 * (players.isqrt() + 1))
}

impl Rule {
    /// The rule of `count` points, exact for polynomials of degree 2 `count` - 1.
    ///
    /// Newton's method on Legendre's polynomial. Nothing but basic arithmetic: the same bits on every platform.
    pub(super) fn new(count: usize) -> Self {
        let mut rule = Self {
            points: vec![0.5; count],
            weights: vec![1.0; count],
        };
        let all = count as f64;
        for at in 0..count.div_ceil(2) {
            // From the largest root down to the middle.
            let mut x = cosine(std::f64::consts::PI * (at as f64 + 0.75) / (all + 0.5));
            let mut slope = 1.0;
            for _ in 0..8 {
                let (value, before) = legendre(count, x);
                slope = all * (before - x * value) / ((1.0 - x) * (1.0 + x));
                x -= value / slope;
            }
            if count % 2 == 1 && at == count / 2 {
                x = 0.0;
                slope = all * legendre(count, x).1;
            }
            let weight = 1.0 / ((1.0 - x) * (1.0 + x) * slope * slope);
            for (place, point) in [(at, 0.5 - 0.5 * x), (count - 1 - at, 0.5 + 0.5 * x)] {
                rule.points[place] = point;
                rule.weights[place] = weight;
            }
        }
        rule
    }
}

/// Legendre's polynomials of degree `count` and `count` - 1.
fn legendre(count: usize, x: f64) -> (f64, f64) {
    let (mut value, mut before) = (1.0, 0.0);
    for degree in 0..count {
        let degree = degree as f64;
        let next = ((2.0 * degree + 1.0) * x * value - degree * before) / (degree + 1.0);
        (value, before) = (next, value);
    }
    (value, before)
}

/// The cosine of an angle from 0 to pi / 2, good enough to begin with.
fn cosine(angle: f64) -> f64 {
    let square = angle * angle;
    let (mut sum, mut term) = (1.0, 1.0);
    for step in 1..12_u8 {
        let twice = f64::from(2 * step);
        term *= -square / (twice * (twice - 1.0));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{Rule, points_for};

    #[test]
    fn powers_are_integrated_up_to_twice_the_points() {
        for count in [1, 2, 3, 4, 5, 8, 13, 32, 64, 101] {
            let rule = Rule::new(count);
            assert!(rule.points.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(rule.points[0] > 0.0 && rule.points[count - 1] < 1.0);
            for degree in [0, 1, count, 2 * count - 1] {
                let power = |t: f64| t.powi(i32::try_from(degree).unwrap_or(0));
                let points = rule.points.iter().zip(&rule.weights);
                let sum: f64 = points.map(|(&t, &weight)| weight * power(t)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-13, "{count} {degree}: {sum}");
            }
        }
    }

    #[test]
    fn few_points_are_enough_for_many_players() {
        for players in [2, 3, 10, 63, 64, 65, 100, 128, 255, 400, 1000, 3000] {
            let rule = Rule::new(points_for(players));
            // What a player gets is of one degree less. All Bernstein polynomials of that degree together, each by
            // the ratio of one to the next.
            let degree = players - 1;
            let mut sums = vec![0.0; players];
            for (&t, &weight) in rule.points.iter().zip(&rule.weights) {
                let mut logarithm = degree as f64 * (1.0 - t).ln();
                for (place, sum) in sums.iter_mut().enumerate() {
                    *sum += weight * logarithm.exp();
                    let (done, left) = (place as f64 + 1.0, (degree - place) as f64);
                    logarithm += (left / done).ln() + (t / (1.0 - t)).ln();
                }
            }
            let exact = 1.0 / players as f64;
            let off: f64 = sums.iter().map(|sum| (sum - exact).abs()).sum();
            // The logarithms alone are off by 1e-13 times their size.
            assert!(off < 1e-12, "{players}: {off}");
        }
    }
}
