//! Where tensors live and are computed: the CPU, or a GPU that this build and this machine have.

#[cfg(feature = "cuda")]
mod cuda;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toolrl_kernels::is_cpu;

use crate::PolicyError;

/// A device as it is asked for: `auto`, `cpu`, `cuda`, `cuda:N` or `vulkan`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first NVIDIA GPU where this build and this machine can use one, the CPU otherwise.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this number, from 0.
    Cuda(usize),
    /// A GPU, or a software one, by Vulkan: for tests.
    Vulkan,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || format!("no device {text:?}: expected auto, cpu, cuda, cuda:N or vulkan");
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "vulkan" => Ok(Self::Vulkan),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                number.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Vulkan => f.write_str("vulkan"),
        }
    }
}

/// A device that is there and can be used.
#[derive(Clone, Debug)]
pub struct Place {
    /// Burn's handle.
    pub device: Device,
    /// What it is, in words that are the same on a machine of the same kind: `cpu`, `cuda NVIDIA H100 80GB HBM3`.
    pub name: String,
}

impl Place {
    /// The CPU.
    pub fn cpu() -> Self {
        Self { device: Device::flex(), name: "cpu".to_owned() }
    }
}

impl DeviceChoice {
    /// Finds the device. Whatever a GPU needs is looked for before burn touches it, because burn's own failure
    /// would be a panic on another thread.
    ///
    /// # Errors
    /// [`PolicyError::Device`] that says what is missing and what to do.
    pub fn open(self) -> Result<Place, PolicyError> {
        match self {
            Self::Cpu => Ok(Place::cpu()),
            Self::Auto => Ok(cuda(0).unwrap_or_else(|_| Place::cpu())),
            Self::Cuda(index) => cuda(index).map_err(|problem| self.unusable(problem)),
            Self::Vulkan => vulkan().map_err(|problem| self.unusable(problem)),
        }
    }

    /// Finds so many devices, the first of them and the others: a GPU, and those of the numbers after it. The CPU, and a
    /// device by Vulkan, stands as often as there should be devices.
    ///
    /// # Errors
    /// Those of [`DeviceChoice::open`], of the first that is not there.
    pub fn open_several(self, count: usize) -> Result<(Place, Vec<Place>), PolicyError> {
        let first = self.open()?;
        let other = |further| match self {
            Self::Cuda(index) => Self::Cuda(index + further).open(),
            Self::Auto if !is_cpu(&first.device) => Self::Cuda(further).open(),
            Self::Auto | Self::Cpu | Self::Vulkan => Ok(first.clone()),
        };
        let others = (1..count).map(other).collect::<Result<_, _>>()?;
        Ok((first, others))
    }

    fn unusable(self, problem: String) -> PolicyError {
        PolicyError::Device { device: self.to_string(), problem }
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Place, String> {
    let report = CudaReport::probe();
    if let Some(problem) = report.problems.first() {
        return Err(problem.clone());
    }
    let Some(gpu) = report.gpus.get(index) else {
        return Err(format!("there are {} NVIDIA GPUs, numbered from 0", report.gpus.len()));
    };
    Ok(Place { device: Device::cuda(index), name: format!("cuda {}", gpu.name) })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<Place, String> {
    Err(NOT_BUILT.to_owned())
}

#[cfg(feature = "wgpu")]
fn vulkan() -> Result<Place, String> {
    Ok(Place { device: Device::wgpu(burn::tensor::DeviceKind::DefaultDevice), name: "vulkan".to_owned() })
}

#[cfg(not(feature = "wgpu"))]
fn vulkan() -> Result<Place, String> {
    Err("this program was built without it; build it with --features wgpu".to_owned())
}

#[cfg(not(feature = "cuda"))]
const NOT_BUILT: &str = "this program was built for the CPU alone; build it with --features cuda";

/// An NVIDIA GPU as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CudaGpu {
    /// Its name.
    pub name: String,
    /// Its memory, in bytes.
    pub memory: u64,
    /// The part of it that is free, in bytes, where the driver's monitor says.
    pub free: Option<u64>,
    /// Its compute capability, as (major, minor).
    pub capability: (u32, u32),
    /// Its multiprocessors.
    pub multiprocessors: u32,
}

/// What of CUDA is on this machine, and what keeps this program from computing with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CudaReport {
    /// Whether this program was built with it.
    pub built: bool,
    /// The newest CUDA that the driver serves, as (major, minor).
    pub driver: Option<(u32, u32)>,
    /// The library that compiles kernels, where it can be loaded.
    pub nvrtc: Option<String>,
    /// The folder of CUDA's headers, which kernels include.
    pub headers: Option<String>,
    /// The GPUs, in the driver's order.
    pub gpus: Vec<CudaGpu>,
    /// What is wrong, the first to be put right first; nothing where a GPU can be used.
    pub problems: Vec<String>,
}

impl CudaReport {
    /// Looks.
    #[cfg(feature = "cuda")]
    pub fn probe() -> Self {
        cuda::probe()
    }

    /// Looks, as far as a program can that was built without CUDA.
    #[cfg(not(feature = "cuda"))]
    pub fn probe() -> Self {
        let found = Path::new("/dev/nvidia0").exists();
        let gpu = if found { "there is an NVIDIA GPU here, and " } else { "" };
        Self { problems: vec![format!("{gpu}{NOT_BUILT}")], ..Self::default() }
    }
}

#[cfg(feature = "cuda")]
fn is_dir(path: &str) -> bool {
    Path::new(path).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_they_are_read() {
        for name in ["auto", "cpu", "cuda", "cuda:3", "vulkan"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda:0".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().unwrap_err().contains("expected auto"), "{wrong}");
        }
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(DeviceChoice::Cpu.open().unwrap().name, "cpu");
        assert!(DeviceChoice::Auto.open().is_ok());
    }

    #[test]
    fn one_cpu_stands_for_several_devices() {
        for (count, others) in [(0, 0), (1, 0), (3, 2)] {
            let (first, found) = DeviceChoice::Cpu.open_several(count).unwrap();
            assert!(found.len() == others && found.iter().chain([&first]).all(|place| is_cpu(&place.device)));
        }
        let message = DeviceChoice::Cuda(1000).open_several(2).unwrap_err().to_string();
        assert!(message.starts_with("cannot compute on cuda:1000: "), "{message}");
    }

    #[test]
    fn a_gpu_that_is_not_there_is_one_line() {
        // Machines of the tests have no thousand GPUs, whatever this is built with.
        let message = DeviceChoice::Cuda(1000).open().unwrap_err().to_string();
        assert!(message.starts_with("cannot compute on cuda:1000: ") && !message.contains('\n'), "{message}");
    }
}
