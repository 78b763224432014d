//! What the NVIDIA driver says, asked through its own libraries and before burn is.

use std::path::Path;

use cudarc::driver::result::{self, DriverError, device};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};
use libloading::Library;
use nvml_wrapper::Nvml;

use super::{CudaGpu, CudaReport, is_dir};

/// Headers that kernels include, one of each package that the toolkit is split into. From CUDA 13 on, those of the C++
/// library are in a folder of their own.
const HEADERS: [&[&str]; 5] = [
    &["cuda_bf16.h"],
    &["mma.h"],
    &["crt/mma.h"],
    &["cooperative_groups.h"],
    &["nv/target", "cccl/nv/target"],
];
/// The oldest CUDA that the driver should serve: the first with all instructions of Hopper.
const OLDEST: (u32, u32) = (12, 0);
/// The first compute capability with bf16 tensor cores.
const BF16: (u32, u32) = (8, 0);

/// Asks for everything, and goes on where something is missing.
pub(super) fn probe() -> CudaReport {
    let mut report = CudaReport { built: true, ..CudaReport::default() };
    match ask_driver() {
        Ok((version, gpus)) => {
            report.driver = Some(version);
            report.gpus = gpus;
        }
        Err(problem) => report.problems.push(problem),
    }
    if let Some(version) = report.driver.filter(|version| *version < OLDEST) {
        let (major, minor) = OLDEST;
        report.problems.push(format!(
            "the NVIDIA driver serves CUDA {}.{}; install one that serves {major}.{minor} or newer",
            version.0, version.1
        ));
    }
    if report.driver.is_some() && report.gpus.is_empty() {
        report.problems.push("the NVIDIA driver is here and shows no GPU".to_owned());
    }
    for gpu in report.gpus.iter().filter(|gpu| gpu.capability < BF16) {
        let (major, minor) = gpu.capability;
        report.problems.push(format!("{} has compute capability {major}.{minor}; 8.0 is needed", gpu.name));
    }
    // SAFETY: NVIDIA's library may be loaded on any thread.
    let loads = |name: &String| unsafe { Library::new(name) }.is_ok();
    report.nvrtc = cudarc::get_lib_name_candidates("nvrtc").into_iter().find(loads);
    if report.nvrtc.is_none() {
        report.problems.push(
            "libnvrtc is not found: install the CUDA toolkit, and name its lib64 folder in LD_LIBRARY_PATH"
                .to_owned(),
        );
    }
    let headers = toolrl_kernels::cuda_headers().and_then(|path| Some(path.to_str()?.to_owned()));
    report.headers = headers.filter(|path| is_dir(path));
    match &report.headers {
        Some(folder) => {
            let is_there = |header: &&str| Path::new(folder).join(header).is_file();
            let missing = HEADERS.iter().filter(|places| !places.iter().any(is_there));
            report.problems.extend(missing.map(|places| {
                let names = places.join(" nor ");
                format!("{folder} has no {names}, which kernels include: install all of the CUDA toolkit's headers")
            }));
        }
        None => report.problems.push(
            "CUDA's headers are not found: install the CUDA toolkit, or name its folder in CUDA_PATH"
                .to_owned(),
        ),
    }
    report
}

/// The CUDA that the driver serves, and its GPUs.
fn ask_driver() -> Result<((u32, u32), Vec<CudaGpu>), String> {
    // SAFETY: as above. Where it is not there, every other call would panic.
    if !unsafe { sys::is_culib_present() } {
        return Err(
            "there is no NVIDIA driver here (libcuda.so.1 is not found); --device cpu computes without"
                .into(),
        );
    }
    result::init()
        .map_err(|error| format!("the NVIDIA driver does not start: cuInit gave error {}", error.0 as u32))?;
    let mut version = 0;
    // SAFETY: the pointer is to a place of its type.
    unsafe { sys::cuDriverGetVersion(&raw mut version) };
    let version = version.unsigned_abs();
    let free = free_memory();
    let gpus = device::get_count().and_then(|gpus| (0..gpus).map(|index| ask_gpu(index, &free)).collect());
    let gpus =
        gpus.map_err(|error| format!("the NVIDIA driver does not tell its GPUs: error {}", error.0 as u32))?;
    Ok(((version / 1000, version % 1000 / 10), gpus))
}

fn ask_gpu(index: i32, free: &[u64]) -> Result<CudaGpu, DriverError> {
    let gpu = device::get(index)?;
    // SAFETY: the driver gave the device.
    let number = |which| unsafe { device::get_attribute(gpu, which) }.map(i32::unsigned_abs);
    Ok(CudaGpu {
        name: device::get_name(gpu)?,
        // SAFETY: as above.
        memory: unsafe { device::total_mem(gpu) }? as u64,
        // The monitor may count in another order, or see GPUs that are hidden here: only a single one is sure.
        free: match free {
            [free] if index == 0 => Some(*free),
            _ => None,
        },
        capability: (
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
    })
}

/// Free bytes of every GPU that the driver's monitor sees; nothing where there is no monitor.
fn free_memory() -> Vec<u64> {
    let Ok(monitor) = Nvml::init() else { return Vec::new() };
    let free = |index| Some(monitor.device_by_index(index).ok()?.memory_info().ok()?.free);
    (0..monitor.device_count().unwrap_or(0)).filter_map(free).collect()
}
