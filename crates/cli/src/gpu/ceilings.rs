//! What the device can do: products as large as a model's, and copies.

use burn::tensor::{DType, Distribution, Tensor};
use toolrl_kernels::{linear, linear_kernels};

use super::Context;
use super::report::Row;

/// Measures products and copies.
pub(super) fn measure(context: &Context) -> anyhow::Result<Vec<Row>> {
    let dtype = if context.device().supports_dtype(DType::BF16) { DType::BF16 } else { DType::F32 };
    // Tokens, inputs, outputs: a square one, then those of Qwen2.5-1.5B's layers and head, and one of decoding.
    let products: &[[usize; 3]] = if context.tiny() {
        &[[64, 64, 64], [16, 64, 192]]
    } else {
        &[
            [8192, 8192, 8192],
            [8192, 1536, 1536],
            [8192, 1536, 8960],
            [8192, 8960, 1536],
            [4096, 1536, 151_936],
            [64, 1536, 8960],
        ]
    };
    let mut rows = Vec::new();
    for &[tokens, inputs, outputs] in products {
        let x = random([tokens, inputs], dtype, context);
        let weight = random([outputs, inputs], dtype, context);
        let flops = 2.0 * tokens as f64 * inputs as f64 * outputs as f64;
        let runs = if context.tiny() { 3 } else { ((2e13 / flops) as usize).clamp(5, 100) };
        let name = format!("product {tokens} x {inputs} x {outputs} {dtype:?}");
        let mut kernels = linear_kernels(&x, &weight);
        if kernels.is_empty() {
            let product = move || linear(x.clone(), weight.clone());
            kernels.push(("the CPU's".to_owned(), Box::new(product)));
        }
        for (kernel, run) in kernels {
            let seconds = context.seconds(3, runs, || {
                let _product = run();
                Ok(())
            })?;
            let peak = context.peak.map(|peak| peak.flops / 1e12);
            rows.push(
                Row::new(format!("{name}, {kernel}"), flops / seconds / 1e12, "TFLOP/s").beside("peak", peak),
            );
        }
    }
    rows.push(copy(context)?);
    Ok(rows)
}

/// Reads a tensor and writes another: x + 1.
fn copy(context: &Context) -> anyhow::Result<Row> {
    let numbers = if context.tiny() { 1 << 20 } else { 1 << 28 };
    let x = Tensor::<1>::zeros([numbers], (context.device(), DType::F32));
    let seconds = context.seconds(3, 20, || {
        let _sum = x.clone() + 1.0;
        Ok(())
    })?;
    let moved = 2.0 * 4.0 * numbers as f64 / seconds;
    let peak = context.peak.map(|peak| peak.bytes / 1e12);
    Ok(Row::new("copy, bytes read and written", moved / 1e12, "TB/s").beside("peak", peak))
}

fn random(shape: [usize; 2], dtype: DType, context: &Context) -> Tensor<2> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), (context.device(), dtype))
}
