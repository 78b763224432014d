//! A small layer: known rows against computed ones, gradients against differences of a sum, bf16 against f32.

use super::super::element::{narrow, widen};
use super::super::numbers::Floats;
use super::*;

fn numbers(n: usize, seed: usize, size: f32) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).map(|x| x * size).collect()
}

const HEADS: Heads = Heads { query: 4, kv: 2, dim: 8 };
const HIDDEN: usize = 24;
const INNER: usize = 40;

fn parameters() -> Parameters<Vec<f32>> {
    let (wide, narrow) = (HEADS.query * HEADS.dim, HEADS.kv * HEADS.dim);
    let matrix = |outputs: usize, inputs: usize, seed| numbers(outputs * inputs, seed, 0.4);
    let norm = |seed| numbers(HIDDEN, seed, 0.3).into_iter().map(|x| 1.0 + x).collect();
    Parameters {
        attention_norm: norm(1),
        q: matrix(wide, HIDDEN, 2),
        k: matrix(narrow, HIDDEN, 3),
        v: matrix(narrow, HIDDEN, 4),
        biases: Some([wide, narrow, narrow].map(|n| numbers(n, 5, 0.2))),
        o: matrix(HIDDEN, wide, 6),
        mlp_norm: norm(7),
        gate: matrix(INNER, HIDDEN, 8),
        up: matrix(INNER, HIDDEN, 9),
        down: matrix(HIDDEN, INNER, 10),
    }
}

/// Two groups: prompts of 50 and 45 tokens, each with two replies.
fn packing() -> Packing {
    let mut packing = Packing::new();
    for prompt in [50, 45] {
        let prompt = packing.push(prompt, None);
        packing.push(9, Some(prompt));
        packing.push(0, Some(prompt));
    }
    packing
}

fn table(positions: &[usize]) -> RopeTable {
    RopeTable::new(positions, &[1.0, 0.3, 0.1, 0.03])
}

fn all(of: &Parameters<Numbers>, x: Numbers, rows: Option<&[u32]>) -> (Activations, Numbers) {
    let (packing, table) = (packing(), table(&packing().positions()));
    let batch = Batch { packing: &packing, table: &table, rows, heads: HEADS, eps: 1e-5 };
    forward(x, &of.map(Numbers::floats), batch, (Vec::new(), &table))
}

/// Some rows of a matrix that has `tokens`.
fn cut(all: &Numbers, tokens: usize, rows: Range<usize>) -> Numbers {
    let width = all.len() / tokens;
    Numbers::concat(&[all.floats().of(rows.start * width..rows.end * width)])
}

fn cut_all(of: &Activations, rows: Range<usize>) -> Activations {
    let tokens = of.x.len() / HIDDEN;
    let [x, q, k, v, attended, log_sum, middle, gate, up] =
        of.all().map(|all| cut(all, tokens, rows.clone()));
    Activations { x, q, k, v, attended, log_sum, middle, gate, up }
}

fn stored(values: Vec<f32>, as_bf16: bool) -> Numbers {
    if as_bf16 { narrow(&values).into() } else { values.into() }
}

#[test]
fn what_is_known_changes_no_bit() {
    for (as_bf16, rows) in [false, true].into_iter().flat_map(|stored| [(stored, false), (stored, true)]) {
        let (of, packing) = (parameters().map(|of| stored(of.clone(), as_bf16)), packing());
        let x = stored(numbers(packing.tokens() * HIDDEN, 11, 1.0), as_bf16);
        let rows = rows.then_some(&[3, 49, 49, 52, 112][..]);
        let tokens = packing.tokens();
        let (whole, y) = all(&of, x.clone(), rows);
        let mut runs = Vec::new();
        for (first, len) in [(0, 50), (59, 45)] {
            let mut prompt = Packing::new();
            prompt.push(len, None);
            // Beside another segment, so that there are as many rows as take products of many.
            prompt.push(45, None);
            let table = table(&prompt.positions());
            let batch = Batch { packing: &prompt, table: &table, rows: None, heads: HEADS, eps: 1e-5 };
            let other = stored(numbers(45 * HIDDEN, 12, 1.0), as_bf16);
            let own = Numbers::concat(&[cut(&x, tokens, first..first + len).floats(), other.floats()]);
            let (activations, _) = forward(own, &of.map(Numbers::floats), batch, (Vec::new(), &table));
            runs.push(Run { rows: first..first + len, activations: cut_all(&activations, 0..len) });
        }
        let new = |of: &Numbers| {
            let [first, second] = [50..59, 104..113].map(|rows| cut(of, tokens, rows));
            Numbers::concat(&[first.floats(), second.floats()])
        };
        let positions = packing.positions();
        let own_positions = [&positions[50..59], &positions[104..113]].concat();
        let (table, own_table) = (table(&positions), table(&own_positions));
        let batch = Batch { packing: &packing, table: &table, rows, heads: HEADS, eps: 1e-5 };
        let (joined, y_new) = forward(new(&x), &of.map(Numbers::floats), batch, (runs, &own_table));
        assert_eq!(y_new, if rows.is_some() { y } else { new(&y) });
        for (a, b) in whole.all().into_iter().zip(joined.all()) {
            assert_eq!(a, b);
        }
    }
}

/// With the same weights and inputs, which bf16 has exactly: no further apart than roundings in between make them.
#[test]
fn bf16_is_near_f32() {
    let near = parameters().map(|of| narrow(of));
    let (packing, rows) = (packing(), [3, 49, 49, 52, 80, 112]);
    let table = table(&packing.positions());
    let x = narrow(&numbers(packing.tokens() * HIDDEN, 11, 1.0));
    let apart = |a: &[f32], b: &[f32]| {
        let squares =
            |of: &mut dyn Iterator<Item = f32>| of.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        squares(&mut a.iter().zip(b).map(|(a, b)| a - b)) / squares(&mut b.iter().copied())
    };
    for rows in [None, Some(&rows[..])] {
        let batch = Batch { packing: &packing, table: &table, rows, heads: HEADS, eps: 1e-5 };
        let [(y, by), (y_wide, by_wide)] = [true, false].map(|as_bf16| {
            let of = near.map(|of| stored(widen(of), as_bf16));
            let (kept, y) = all(&of, stored(widen(&x), as_bf16), rows);
            let mut sums = of.map(|_| Vec::new());
            let direction = numbers(y.len(), 13, 1.0);
            let by_x = backward(kept, direction, &of.map(Numbers::floats), &mut sums, batch);
            (y.wide(), [sums.all().into_iter().cloned().collect(), vec![by_x]].concat())
        });
        assert!(apart(&y, &y_wide) < 0.02, "{}", apart(&y, &y_wide));
        for (i, (by, by_wide)) in by.iter().zip(&by_wide).enumerate() {
            assert!(apart(by, by_wide) < 0.05, "{i}: {}", apart(by, by_wide));
        }
    }
}

/// The derivative of `sum(y * direction)` along a change of each parameter and of the input.
#[test]
fn gradients_are_those_of_differences() {
    let (of, packing) = (parameters(), packing());
    let table = table(&packing.positions());
    let x = numbers(packing.tokens() * HIDDEN, 11, 1.0);
    let rows: Vec<u32> = vec![3, 49, 49, 52, 80, 112];
    for rows in [None, Some(&rows[..])] {
        let batch = Batch { packing: &packing, table: &table, rows, heads: HEADS, eps: 1e-5 };
        let whole = |of: &Parameters<Vec<f32>>, x: &[f32]| {
            all(&of.map(|of| of.clone().into()), x.to_vec().into(), rows)
        };
        let (kept, y) = whole(&of, &x);
        let direction = numbers(y.len(), 13, 1.0);
        let mut sums = of.map(|_| Vec::new());
        let slices = of.map(|of| Floats::F32(of));
        let by_x = backward(kept.clone(), direction.clone(), &slices, &mut sums, batch);
        let once = sums.clone();
        backward(kept, direction.clone(), &slices, &mut sums, batch);
        let loss = |of: &Parameters<Vec<f32>>, x: &[f32]| -> f64 {
            let (_, y) = whole(of, x);
            y.wide().iter().zip(&direction).map(|(&y, &d)| f64::from(y) * f64::from(d)).sum()
        };
        let check = |what: usize, by: &[f32], up: f64, down: f64, change: &[f32], step: f64| {
            let expected = (up - down) / (2.0 * step);
            let got: f64 = by.iter().zip(change).map(|(&g, &c)| f64::from(g) * f64::from(c)).sum();
            let size: f64 = by.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            assert!((got - expected).abs() < 2e-3 * (1.0 + size), "{what}: {got}, not {expected} of {size}");
        };
        let step = 1e-3;
        let moved = |of: &[f32], change: &[f32], by: f32| -> Vec<f32> {
            of.iter().zip(change).map(|(x, c)| x + by * c).collect()
        };
        for i in 0..12 {
            let change = numbers(of.all()[i].len(), 17 + i, 1.0);
            let at = |by: f32| {
                let mut place = 0..;
                let other =
                    of.map(|p| if place.next() == Some(i) { moved(p, &change, by) } else { p.clone() });
                loss(&other, &x)
            };
            check(i, once.all()[i], at(step as f32), at(-step as f32), &change, step);
            for (twice, once) in sums.all()[i].iter().zip(once.all()[i]) {
                assert!((twice - 2.0 * once).abs() < 1e-4 * (1.0 + once.abs()), "{i}: {twice}, twice {once}");
            }
        }
        let change = numbers(x.len(), 31, 1.0);
        let at = |by: f32| loss(&of, &moved(&x, &change, by));
        check(12, &by_x, at(step as f32), at(-step as f32), &change, step);
    }
}
