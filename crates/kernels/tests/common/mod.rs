//! Random tensors and their comparison.

use burn::tensor::{Device, Tensor, TensorData};
use toolrl_testing::device;

/// Pseudo-random numbers in [-1, 1), the same on every machine.
pub struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| self.next() as f32 / (1u64 << 30) as f32 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device).require_grad()
    }

    #[allow(dead_code, reason = "not every test needs whole numbers")]
    pub fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
}

#[allow(dead_code, reason = "not every test compares tensors")]
fn values<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().convert::<f32>().try_into_vec().unwrap()
}

#[allow(dead_code, reason = "not every test compares tensors")]
#[track_caller]
pub fn close<const D: usize>(what: &str, fused: Tensor<D>, plain: Tensor<D>, tolerance: f32) {
    assert_eq!(fused.dims(), plain.dims(), "{what}");
    let (a, b) = (values(fused), values(plain));
    let scale = b.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}: element {i} is {a}, the reference's {b}");
    }
}

/// Numbers by the seed, and the device with gradients.
pub fn setup(seed: u64) -> (Numbers, Device) {
    (Numbers(seed), device().autodiff())
}
