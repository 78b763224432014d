//! Which device a command computes on.

use burn::tensor::Device;
use toolrl_policy::{DeviceChoice, PolicyError};

/// The device; what it is goes to standard error where it is not the CPU.
pub(crate) fn open(choice: DeviceChoice) -> Result<Device, PolicyError> {
    let place = choice.open()?;
    if place.name != "cpu" {
        tracing::info!("computing on {}", place.name);
    }
    Ok(place.device)
}

/// The overrides of a recipe with the device that was asked for among them.
pub(crate) fn among(overrides: &[String], device: Option<DeviceChoice>) -> Vec<String> {
    let device = device.map(|device| format!("device=\"{device}\""));
    overrides.iter().cloned().chain(device).collect()
}
