//! What the NVIDIA driver says, asked through its own libraries and before burn is.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::Path;

use libloading::{Library, Symbol};

use super::{CudaGpu, CudaReport, is_dir};

/// The driver's names, the first that loads is taken.
const DRIVER: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
/// Its monitor.
const MONITOR: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];
/// The run-time compiler's names: those that the runtime itself tries.
const NVRTC: [&str; 4] = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11"];
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

const MULTIPROCESSORS: c_int = 16;
const CAPABILITY: [c_int; 2] = [75, 76];

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
    report.nvrtc = open(&NVRTC).map(|(_, name)| name.to_owned());
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

fn open(names: &[&'static str]) -> Option<(Library, &'static str)> {
    // SAFETY: these are NVIDIA's libraries, which may be loaded and initialised on any thread.
    names.iter().find_map(|name| unsafe { Library::new(*name) }.ok().map(|library| (library, *name)))
}

/// A function of a library, or a line that says that it has none of that name.
///
/// # Safety
/// `T` should be the function's type.
unsafe fn function<'a, T>(library: &'a Library, name: &str) -> Result<Symbol<'a, T>, String> {
    // SAFETY: the caller's.
    unsafe { library.get(name.as_bytes()) }.map_err(|_| format!("the NVIDIA driver has no {name}"))
}

type Query = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;

/// The CUDA that the driver serves, and its GPUs.
fn ask_driver() -> Result<((u32, u32), Vec<CudaGpu>), String> {
    let (driver, _) = open(&DRIVER)
        .ok_or("there is no NVIDIA driver here (libcuda.so.1 is not found); --device cpu computes without")?;
    // SAFETY: the types are those of the functions in NVIDIA's cuda.h, and pointers are to places of those types.
    unsafe {
        let init: Symbol<unsafe extern "C" fn(c_uint) -> c_int> = function(&driver, "cuInit")?;
        let code = init(0);
        if code != 0 {
            return Err(format!("the NVIDIA driver does not start: cuInit gave error {code}"));
        }
        let version: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int> =
            function(&driver, "cuDriverGetVersion")?;
        let mut number = 0;
        version(&raw mut number);
        let count: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int> = function(&driver, "cuDeviceGetCount")?;
        let mut gpus = 0;
        count(&raw mut gpus);
        let free = free_memory();
        let gpus = (0..gpus).map(|index| ask_gpu(&driver, index, &free)).collect::<Result<_, _>>()?;
        let number = number.unsigned_abs();
        Ok(((number / 1000, number % 1000 / 10), gpus))
    }
}

/// # Safety
/// `driver` should be NVIDIA's, initialised.
unsafe fn ask_gpu(driver: &Library, index: c_int, free: &[(u64, u64)]) -> Result<CudaGpu, String> {
    // SAFETY: as in `ask_driver`.
    unsafe {
        let get: Symbol<Query> = function(driver, "cuDeviceGet")?;
        let name_of: Symbol<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int> =
            function(driver, "cuDeviceGetName")?;
        let memory_of: Symbol<unsafe extern "C" fn(*mut usize, c_int) -> c_int> =
            function(driver, "cuDeviceTotalMem_v2")?;
        let attribute: Symbol<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int> =
            function(driver, "cuDeviceGetAttribute")?;
        let (mut device, mut name, mut memory) = (0, [0 as c_char; 256], 0usize);
        get(&raw mut device, index);
        name_of(name.as_mut_ptr(), 255, device);
        memory_of(&raw mut memory, device);
        let number = |which: c_int| {
            let mut value = 0;
            attribute(&raw mut value, which, device);
            value.unsigned_abs()
        };
        let memory = memory as u64;
        Ok(CudaGpu {
            name: CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned(),
            memory,
            // The monitor may count in another order, or see GPUs that are hidden here: only a single one is sure.
            free: match free {
                [(_, free)] if index == 0 => Some(*free),
                _ => None,
            },
            capability: (number(CAPABILITY[0]), number(CAPABILITY[1])),
            multiprocessors: number(MULTIPROCESSORS),
        })
    }
}

/// nvml.h's memory of a GPU, in bytes.
#[repr(C)]
#[derive(Default)]
struct NvmlMemory {
    total: u64,
    free: u64,
    used: u64,
}

/// Total and free bytes of every GPU that the monitor sees; nothing where there is no monitor.
fn free_memory() -> Vec<(u64, u64)> {
    let Some((monitor, _)) = open(&MONITOR) else { return Vec::new() };
    // SAFETY: the types are those of nvml.h.
    let asked = unsafe {
        (|| {
            let init: Symbol<unsafe extern "C" fn() -> c_int> = function(&monitor, "nvmlInit_v2")?;
            let count: Symbol<unsafe extern "C" fn(*mut c_uint) -> c_int> =
                function(&monitor, "nvmlDeviceGetCount_v2")?;
            let handle: Symbol<unsafe extern "C" fn(c_uint, *mut *mut c_void) -> c_int> =
                function(&monitor, "nvmlDeviceGetHandleByIndex_v2")?;
            let memory: Symbol<unsafe extern "C" fn(*mut c_void, *mut NvmlMemory) -> c_int> =
                function(&monitor, "nvmlDeviceGetMemoryInfo")?;
            let mut gpus = 0;
            if init() != 0 || count(&raw mut gpus) != 0 {
                return Ok::<_, String>(Vec::new());
            }
            let mut all = Vec::new();
            for index in 0..gpus {
                let (mut gpu, mut found) = (std::ptr::null_mut(), NvmlMemory::default());
                if handle(index, &raw mut gpu) == 0 && memory(gpu, &raw mut found) == 0 {
                    all.push((found.total, found.free));
                }
            }
            Ok(all)
        })()
    };
    asked.unwrap_or_default()
}
