//! GFLOP/s of the matrix product at the shapes that training and decoding use. A program, not a
//! timed test: `cargo bench -p toolrl-kernels --bench gemm`.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};

fn main() {
    let device = Device::flex();
    println!("{:>24} {:>10} {:>10} {:>10}", "tokens x in x out", "fused", "burn", "ratio");
    for (t, i, o) in [
        (2048usize, 576usize, 1536usize),
        (2048, 1536, 576),
        (512, 512, 512),
        (128, 576, 49152),
        (64, 576, 1536),
        (32, 576, 1536),
        (16, 576, 1536),
        (16, 576, 49152),
        (4, 576, 1536),
        (1, 576, 1536),
    ] {
        let x = Tensor::<2>::random([t, i], Distribution::Default, &device);
        let w = Tensor::<2>::random([o, i], Distribution::Default, &device);
        let flops = 2.0 * (t * i * o) as f64;
        let fused = rate(flops, || drop(toolrl_kernels::linear(x.clone(), w.clone())));
        let burn = rate(flops, || drop(toolrl_kernels::reference::linear(x.clone(), w.clone())));
        println!("{:>24} {fused:>10.1} {burn:>10.1} {:>10.2}", format!("{t} x {i} x {o}"), fused / burn);
    }
}

/// GFLOP/s: the median of seven runs of at least 50 ms each.
fn rate(flops: f64, run: impl Fn()) -> f64 {
    run();
    let mut rates: Vec<f64> = (0..7)
        .map(|_| {
            let (start, mut runs) = (Instant::now(), 0);
            while start.elapsed().as_millis() < 50 {
                run();
                runs += 1;
            }
            flops * f64::from(runs) / start.elapsed().as_secs_f64() / 1e9
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[3]
}
