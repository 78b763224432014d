//! Every fused operation on the device against the same on the CPU: values and gradients, from the same numbers.

use burn::tensor::{DType, Device, Tensor, TensorData};
use toolrl_kernels::{
    CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable, add_row, attention, decode_attention, embedding,
    gated_linear, linear, linear_kernels, logprob_entropy, rms_norm, rope, swiglu, write_rows,
};

use super::Context;
use super::report::Row;

/// The largest difference that may be, beside the largest number of the reference: of sums that are rounded once a
/// step in f32 (or, in products, in TF32 with its 11 digits), and in bf16 with its 8.
const TOLERANCES: [(DType, f64); 2] = [(DType::F32, 3e-3), (DType::BF16, 3e-2)];

/// Compares all operations.
pub(super) fn check(context: &Context) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (dtype, tolerance) in TOLERANCES {
        if !context.device().supports_dtype(dtype) {
            rows.push(Row::new(format!("{dtype:?} is not supported"), 0.0, ""));
            continue;
        }
        for case in cases(context.tiny()) {
            let inputs = Numbers::default().all(&case.shapes);
            let reference = results(&case, &inputs, DType::F32, dtype, &Device::flex())?;
            let found = results(&case, &inputs, dtype, dtype, context.device())?;
            let names = std::iter::once("values".to_owned()).chain((1..).map(|i| format!("gradient {i}")));
            for ((what, reference), found) in names.zip(reference).zip(found) {
                let name = format!("{} {dtype:?} {what}", case.name);
                rows.push(Row::difference(name, difference(&reference, &found), tolerance));
            }
        }
        rows.extend(products(context, dtype, tolerance)?);
    }
    Ok(rows)
}

/// Each kernel of products, whichever is taken, and a long inner dimension, which is split.
fn products(context: &Context, dtype: DType, tolerance: f64) -> anyhow::Result<Vec<Row>> {
    let (rows, outputs, inner) = if context.tiny() { (72, 200, 1096) } else { (1027, 1544, 8960) };
    let mut found = Vec::new();
    for rows in [1, rows] {
        let inputs = Numbers::default().all(&[[rows, inner], [outputs, inner]]);
        let on = |device: &Device, stored: DType| -> [Tensor<2>; 2] {
            [0, 1].map(|i| {
                let data = inputs[i].clone().convert_dtype(dtype).convert_dtype(stored);
                Tensor::from_data(data, (device, stored))
            })
        };
        let [x, weight] = on(&Device::flex(), DType::F32);
        let reference = floats(linear(x, weight))?;
        let [x, weight] = on(context.device(), dtype);
        for (kernel, run) in linear_kernels(&x, &weight) {
            let name = format!("product {rows} x {inner} x {outputs} {dtype:?}, {kernel}");
            found.push(Row::difference(name, difference(&reference, &floats(run())?), tolerance));
        }
    }
    Ok(found)
}

type Apply = Box<dyn Fn(&[Tensor<2>]) -> Tensor<2>>;

struct Case {
    name: String,
    /// Of the inputs, all matrices.
    shapes: Vec<[usize; 2]>,
    apply: Apply,
    /// Whether it has gradients.
    trains: bool,
}

fn case(name: &str, shapes: &[[usize; 2]], apply: impl Fn(&[Tensor<2>]) -> Tensor<2> + 'static) -> Case {
    Case { name: name.to_owned(), shapes: shapes.to_vec(), apply: Box::new(apply), trains: true }
}

/// A matrix of one row as a vector.
fn vector(row: &Tensor<2>) -> Tensor<1> {
    let [_, width] = row.dims();
    row.clone().reshape([width])
}

fn cases(tiny: bool) -> Vec<Case> {
    // Odd sizes too: the last vector, tile or block of a kernel is where it errs.
    let (tokens, width) = if tiny { (37, 48) } else { (1027, 1536) };
    let inner = 3 * width + 8;
    let ids = Ids::new((0..tokens as u32).map(|i| i * 7 % 50).collect());
    let mut cases = vec![
        case("linear", &[[tokens, width], [inner, width]], |x| linear(x[0].clone(), x[1].clone())),
        case("linear of one row", &[[1, width], [inner, width]], |x| linear(x[0].clone(), x[1].clone())),
        case("rms_norm", &[[tokens, width], [1, width]], |x| rms_norm(x[0].clone(), vector(&x[1]), 1e-6)),
        case("rms_norm of heads", &[[tokens, width], [1, width / 3]], |x| {
            rms_norm(x[0].clone(), vector(&x[1]), 1e-6)
        }),
        case("swiglu", &[[tokens, inner], [tokens, inner]], |x| swiglu(x[0].clone(), x[1].clone())),
        case("add_row", &[[tokens, width], [1, width]], |x| add_row(x[0].clone(), vector(&x[1]))),
        case("embedding", &[[50, width]], move |x| embedding(x[0].clone(), ids.clone())),
        rotation(tokens, width),
        head(tokens, width, if tiny { 130 } else { 32_003 }),
    ];
    let layouts =
        [("one sequence", packing(&[], tokens)), ("shared prompts", packing(&[5, 1, 19], tokens / 4))];
    for heads in [Heads { query: 6, kv: 2, dim: 64 }, Heads { query: 4, kv: 4, dim: 128 }] {
        for (name, packing) in &layouts {
            cases.push(attends(name, packing.clone(), heads));
        }
        cases.push(decodes(heads, if tiny { 20 } else { 600 }));
    }
    cases.push(writes(width));
    for rows in [1, 40] {
        let name = format!("gated_linear of {rows} rows");
        let gated = case(&name, &[[rows, width], [inner, width], [inner, width]], |x| {
            gated_linear(x[0].clone(), x[1].clone(), x[2].clone())
        });
        cases.push(Case { trains: false, ..gated });
    }
    cases
}

fn rotation(tokens: usize, width: usize) -> Case {
    let frequencies: Vec<f32> = (0..8).map(|i| 10_000f32.powf(-(i as f32) / 8.0)).collect();
    let positions: Vec<usize> = (0..tokens).map(|i| i * 3 % 1000).collect();
    let table = Mirrored::new(RopeTable::new(&positions, &frequencies));
    case("rope", &[[tokens, width]], move |x| rope(x[0].clone(), table.clone(), width / 16))
}

fn head(tokens: usize, width: usize, vocabulary: usize) -> Case {
    let targets = Ids::new((0..tokens as u32).map(|i| i * 131 % vocabulary as u32).collect());
    case("logprob_entropy", &[[tokens, width], [vocabulary, width]], move |x| {
        // Logits of a few units, as a model has.
        logprob_entropy(x[0].clone() * 0.5, x[1].clone() * 0.2, targets.clone(), 0.9)
    })
}

/// Two prompts of `prompt` tokens with such replies each, or one sequence where there are none.
fn packing(replies: &[usize], prompt: usize) -> Mirrored<Packing> {
    if replies.is_empty() {
        return Packing::single(prompt).into();
    }
    let mut packing = Packing::new();
    for prompt in [prompt, 3] {
        let prompt = packing.push(prompt, None);
        for &reply in replies {
            packing.push(reply, Some(prompt));
        }
    }
    packing.into()
}

fn attends(layout: &str, packing: Mirrored<Packing>, heads: Heads) -> Case {
    let (tokens, query, kv) = (packing.tokens(), heads.query * heads.dim, heads.kv * heads.dim);
    let name = format!("attention, {layout}, heads of {}", heads.dim);
    case(&name, &[[tokens, query], [tokens, kv], [tokens, kv]], move |x| {
        attention(x[0].clone() * 2.0, x[1].clone(), x[2].clone(), packing.clone(), heads)
    })
}

fn decodes(heads: Heads, prompt: usize) -> Case {
    let spans = [(0, 0, 7), (0, 20, 1), (0, 40, 13), (1, 60, 0)].map(|(group, own, len)| CacheSpans {
        prefix: if group == 0 { (100, prompt) } else { (90, 1) },
        own: (own, len),
    });
    let (spans, query, kv) = (Mirrored::new(spans.to_vec()), heads.query * heads.dim, heads.kv * heads.dim);
    let name = format!("decode_attention, heads of {}", heads.dim);
    let shapes = [[4, query], [100 + prompt, kv], [100 + prompt, kv]];
    let apply = move |x: &[Tensor<2>]| {
        decode_attention(x[0].clone() * 2.0, x[1].clone(), x[2].clone(), spans.clone(), heads)
    };
    Case { trains: false, ..case(&name, &shapes, apply) }
}

fn writes(width: usize) -> Case {
    let at = Ids::new(vec![7, 0, 59]);
    let apply = move |x: &[Tensor<2>]| write_rows(x[0].clone(), x[1].clone(), at.clone());
    Case { trains: false, ..case("write_rows", &[[60, width], [3, width]], apply) }
}

/// Pseudo-random numbers in [-1, 1), the same on every machine.
struct Numbers(u64);

impl Default for Numbers {
    fn default() -> Self {
        Self(1)
    }
}

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f32 / (1u64 << 30) as f32 - 1.0
    }

    fn all(mut self, shapes: &[[usize; 2]]) -> Vec<TensorData> {
        let matrix = |shape: &[usize; 2]| {
            TensorData::new((0..shape[0] * shape[1]).map(|_| self.next()).collect(), *shape)
        };
        shapes.iter().map(matrix).collect()
    }
}

/// The result in `dtype` on the device, of inputs that `rounded` can hold; then the gradients of its sum, weighted by
/// numbers, by each input.
fn results(
    case: &Case,
    inputs: &[TensorData],
    dtype: DType,
    rounded: DType,
    device: &Device,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let device = if case.trains { device.clone().autodiff() } else { device.clone() };
    let input = |data: &TensorData| {
        let data = data.clone().convert_dtype(rounded).convert_dtype(dtype);
        let tensor = Tensor::<2>::from_data(data, (&device, dtype));
        if case.trains { tensor.require_grad() } else { tensor }
    };
    let inputs: Vec<Tensor<2>> = inputs.iter().map(input).collect();
    let out = (case.apply)(&inputs);
    let mut all = vec![floats(out.clone())?];
    if case.trains {
        let direction = Numbers(2).all(&[out.dims()]).remove(0);
        let direction = Tensor::<2>::from_data(direction.convert_dtype(out.dtype()), (&device, out.dtype()));
        let grads = (out * direction).sum().backward();
        for input in &inputs {
            let grad = input.grad(&grads).ok_or_else(|| anyhow::anyhow!("{}: no gradient", case.name))?;
            all.push(floats(grad)?);
        }
    }
    Ok(all)
}

pub(super) fn floats(t: Tensor<2>) -> anyhow::Result<Vec<f32>> {
    t.into_data().try_into_vec_as::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))
}

/// The largest difference, in parts of the reference's largest number; infinite where the sizes differ.
pub(super) fn difference(reference: &[f32], found: &[f32]) -> f64 {
    if reference.len() != found.len() {
        return f64::INFINITY;
    }
    let largest = reference.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    let worst = reference.iter().zip(found).map(|(a, b)| (a - b).abs());
    // A NaN would be lost in `max`.
    worst.fold(0.0f64, |m, d| if m.is_nan() || d.is_nan() { f64::NAN } else { m.max(f64::from(d / largest)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_to_the_largest_and_keep_nan() {
        assert_eq!(difference(&[4.0, 1.0], &[4.0, 3.0]), 0.5);
        assert!(difference(&[1.0, 1.0], &[f32::NAN, 1.0]).is_nan());
        assert_eq!(difference(&[1.0], &[]), f64::INFINITY);
    }
}
