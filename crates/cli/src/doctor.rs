//! `toolrl doctor`: what this program can compute on here, and what would go wrong.

use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use toolrl_policy::{Activations, CudaReport, DeviceChoice, Inspection, Isa, ReferenceCopy, Workload};

use crate::args::DoctorArgs;
use crate::hub;
use crate::inspect::size;
use crate::policy::precision;

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    program: String,
    built_for: Vec<&'static str>,
    /// The device that the choice leads to; none where it cannot be used.
    device: Option<String>,
    cpu: Cpu,
    cuda: CudaReport,
    policy: Option<Room>,
    /// What would go wrong, in the order in which it would.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    model: Option<String>,
    vector_instructions: &'static str,
    cores: usize,
    threads: usize,
    /// Bytes.
    memory: Option<u64>,
    /// Bytes that programs can still have.
    available: Option<u64>,
}

/// What a policy takes, in bytes, and what there is.
#[derive(Debug, Serialize)]
struct Room {
    parameters: u64,
    training: u64,
    sampling: u64,
    available: Option<u64>,
}

/// A table, or one JSON object.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<()> {
    let cuda = CudaReport::probe();
    let mut problems = Vec::new();
    let device = match args.device.open() {
        Ok(place) => Some(place.name),
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    let cpu = Cpu::of_this_machine();
    let on_gpu = device.as_ref().is_some_and(|name| name.starts_with("cuda"));
    let index = if let DeviceChoice::Cuda(index) = args.device { index } else { 0 };
    let gpu = cuda.gpus.get(index).filter(|_| on_gpu);
    let available = gpu.map_or(cpu.available, |gpu| gpu.free.or(Some(gpu.memory)));
    let policy =
        args.policy.as_deref().map(|dir| Room::of(dir, args.bf16, (available, on_gpu))).transpose()?;
    problems.extend(policy.iter().flat_map(Room::problems));
    let findings = Findings {
        program: format!("toolrl {}", env!("CARGO_PKG_VERSION")),
        built_for: built_for(),
        device,
        cpu,
        cuda,
        policy,
        problems,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print!("{}", findings.table());
    }
    match findings.problems.first() {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}

/// The devices that were compiled in.
fn built_for() -> Vec<&'static str> {
    let all = [("cpu", true), ("cuda", cfg!(feature = "cuda")), ("vulkan", cfg!(feature = "wgpu"))];
    all.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect()
}

impl Cpu {
    fn of_this_machine() -> Self {
        Self {
            model: line_of("/proc/cpuinfo", "model name"),
            vector_instructions: Isa::current().name(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            memory: kib_of("/proc/meminfo", "MemTotal"),
            available: kib_of("/proc/meminfo", "MemAvailable"),
        }
    }
}

/// The value of the first line `key: value` of a file of the system's.
fn line_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_owned())
}

/// Such a value in KiB, as bytes.
fn kib_of(path: &str, key: &str) -> Option<u64> {
    let kib: u64 = line_of(path, key)?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

impl Room {
    fn of(dir: &Path, bf16: bool, (available, on_gpu): (Option<u64>, bool)) -> anyhow::Result<Self> {
        let found = Inspection::of(&hub::find(dir)?)?;
        let memory = found.config.memory(&Workload {
            precision: precision(bf16),
            adapters: found.adapter_params(),
            reference: ReferenceCopy::None,
            micro_tokens: 4096,
            activations: Activations::Keep,
            kept_prompts: if on_gpu { 0 } else { 2 << 30 },
            slots: 16,
            prompt_tokens: 1024,
            reply_tokens: 512,
        });
        let (training, sampling) = (memory.training(), memory.sampling());
        Ok(Self { parameters: found.num_params(), training, sampling, available })
    }

    fn problems(&self) -> Vec<String> {
        let available = self.available.unwrap_or(u64::MAX);
        let short = |what: &str, needed: u64, advice: &str| {
            let (needed, there) = (size(needed), size(available));
            format!("{what} the policy takes about {needed} and {there} are there: {advice}")
        };
        if self.sampling > available {
            vec![short("sampling from", self.sampling, "try --bf16, fewer slots or a smaller policy")]
        } else if self.training > available {
            let advice = "try precision=bf16, train.lora.rank=16, train.activations=recompute or fewer train.micro_tokens";
            vec![short("training", self.training, advice)]
        } else {
            Vec::new()
        }
    }
}

impl Findings {
    fn table(&self) -> String {
        let none = || "none".to_owned();
        let version = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), size);
        let (cpu, cuda) = (&self.cpu, &self.cuda);
        let mut rows = vec![
            ("program", format!("{}, built for {}", self.program, self.built_for.join(", "))),
            ("device", self.device.clone().unwrap_or_else(none)),
            ("CPU", cpu.model.clone().unwrap_or_else(|| std::env::consts::ARCH.to_owned())),
            ("", format!("{} cores, {} threads, {}", cpu.cores, cpu.threads, cpu.vector_instructions)),
            ("memory", format!("{}, {} available", bytes(cpu.memory), bytes(cpu.available))),
        ];
        if cuda.built {
            rows.push((
                "NVIDIA driver",
                cuda.driver.map_or_else(none, |v| format!("serves CUDA {}", version(v))),
            ));
            rows.push(("NVRTC", cuda.nvrtc.clone().unwrap_or_else(none)));
            rows.push(("CUDA headers", cuda.headers.clone().unwrap_or_else(none)));
        }
        for (index, gpu) in cuda.gpus.iter().enumerate() {
            let free = gpu.free.map_or_else(String::new, |free| format!(", {} free", size(free)));
            rows.push(("GPU", format!("cuda:{index} {}", gpu.name)));
            rows.push((
                "",
                format!(
                    "{}{free}, compute capability {}, {} multiprocessors",
                    size(gpu.memory),
                    version(gpu.capability),
                    gpu.multiprocessors
                ),
            ));
        }
        if let Some(room) = &self.policy {
            rows.push(("policy", format!("{} parameters", room.parameters)));
            rows.push((
                "",
                format!(
                    "training about {}, sampling about {}, of {}",
                    size(room.training),
                    size(room.sampling),
                    bytes(room.available)
                ),
            ));
        }
        // What keeps a GPU from being used is worth a line even where the CPU is what was asked for.
        let aside = cuda.problems.iter().filter(|p| !self.problems.iter().any(|known| known.contains(*p)));
        rows.extend(aside.map(|problem| ("no GPU", problem.clone())));
        rows.extend(self.problems.iter().map(|problem| ("problem", problem.clone())));
        rows.iter().map(|(name, value)| format!("{name:<15}{value}").trim_end().to_owned() + "\n").collect()
    }
}
