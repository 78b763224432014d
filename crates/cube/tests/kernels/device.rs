//! The devices that tests run on, numbers to run with, and how near a result must be.

use std::sync::{LazyLock, Mutex, PoisonError};

use cubecl::Device;
use cubecl::ir::features::TypeUsage;
use cubecl::prelude::*;
use half::{bf16, f16};
use toolrl_cube::{Buffer, Dtype};

/// A client of each device, with the storages that it can hold.
static DEVICES: LazyLock<Vec<(Client, Vec<Dtype>)>> = LazyLock::new(|| {
    let devices: Vec<_> = Device::enumerate_all().iter().map(|d| with_storages(d.client())).collect();
    if devices.is_empty() {
        assert!(
            std::env::var("TOOLRL_REQUIRE_VULKAN").as_deref() != Ok("1"),
            "no Vulkan adapter, and TOOLRL_REQUIRE_VULKAN asks for one"
        );
        eprintln!("skipped: no GPU and no software Vulkan driver (Debian: mesa-vulkan-drivers)");
    }
    devices
});

fn with_storages(client: Client) -> (Client, Vec<Dtype>) {
    let mut storages = vec![Dtype::F32];
    let needed = TypeUsage::Buffer | TypeUsage::Conversion;
    for (dtype, uses) in
        [(Dtype::F16, f16::supported_uses(&client)), (Dtype::Bf16, bf16::supported_uses(&client))]
    {
        if uses.is_superset(needed) {
            storages.push(dtype);
        }
    }
    eprintln!("{}: {storages:?}", client.name());
    (client, storages)
}

/// CUDA records what a test enqueues only while no other test uses the device.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs a check on every device with every storage that it has.
pub fn everywhere(check: impl Fn(&Client, Dtype)) {
    for (client, storages) in DEVICES.iter() {
        let is_cuda = client.name().starts_with("cuda");
        let _alone = is_cuda.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
        storages.iter().for_each(|&dtype| check(client, dtype));
    }
}

/// `n` numbers between -1 and 1, as the storage holds them.
pub fn numbers(rng: &mut fastrand::Rng, n: usize, dtype: Dtype) -> Vec<f32> {
    (0..n).map(|_| rounded(rng.f32() * 2.0 - 1.0, dtype)).collect()
}

/// A number as the storage holds it.
pub fn rounded(value: f32, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F32 => value,
        Dtype::F16 => f16::from_f32(value).to_f32(),
        Dtype::Bf16 => bf16::from_f32(value).to_f32(),
    }
}

/// A buffer on the device.
pub fn put(client: &Client, values: &[f32], dtype: Dtype) -> Buffer {
    Buffer::from_slice(client, values, dtype)
}

/// Half the distance of two numbers next to 1 in a storage: the relative error of rounding to it.
fn unit(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => f64::from(f32::EPSILON) / 2.0,
        Dtype::F16 => 2f64.powi(-11),
        Dtype::Bf16 => 2f64.powi(-8),
    }
}

/// Holds a buffer against a reference. The error of a number may be the rounding to its storage, twice over, and
/// `terms` roundings in f32 of a number as large as the largest of the reference, or of 1, the size of what goes in,
/// where all are smaller: sums of so many terms.
pub fn assert_close(what: &str, client: &Client, found: &Buffer, expected: &[f64], terms: usize) {
    let values = found.read(client).unwrap();
    assert_eq!(values.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f64, |top, e| top.max(e.abs()));
    let of_sum = largest * unit(Dtype::F32) * terms as f64;
    for (i, (&f, &e)) in values.iter().zip(expected).enumerate() {
        let allowed = 2.0 * unit(found.dtype()) * e.abs() + of_sum;
        let error = (f64::from(f) - e).abs();
        assert!(
            error <= allowed,
            "{what}[{i}]: {f} for {e}, {error:e} over {allowed:e} ({:?})",
            found.dtype()
        );
    }
}

/// The numbers in double precision.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
