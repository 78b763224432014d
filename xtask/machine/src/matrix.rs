//! Tensor cores: products of small matrices by a warp or four. Where each number of a fragment lies is PTX ISA 9.0's
//! ("Matrix multiply-accumulate operation"), but for `wmma`, whose fragments only its own instructions read.

use half::{bf16, f16};

use crate::block::Memory;
use crate::copies::Pending;
use crate::instruction::{Instruction, Space};
use crate::memory::read;
use crate::{LANES, Lanes, MachineError};

/// An instruction of tensor cores.
pub(crate) enum Matrix {
    /// `mma.m16n8kK`.
    Mma {
        k: usize,
        bf16: bool,
    },
    /// `ldmatrix`, so many matrices of 8 x 8.
    Load {
        matrices: usize,
        transposed: bool,
    },
    Store {
        matrices: usize,
        transposed: bool,
    },
    /// `wmma.load`, of so many rows and columns; stored by rows or by columns.
    WmmaLoad {
        shape: [usize; 2],
        rows: bool,
        space: Space,
        bytes: usize,
    },
    WmmaStore {
        shape: [usize; 2],
        rows: bool,
        space: Space,
    },
    /// The operands lie in registers alike, however they were stored.
    WmmaMma {
        shape: [usize; 3],
        numbers: Numbers,
    },
    /// `wgmma.mma_async`, 64 x n x 16.
    Group {
        n: usize,
        bf16: bool,
    },
    GroupFence,
    GroupCommit,
    GroupWait,
}

/// What the operands of `wmma` are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    F16,
    Bf16,
    /// f32 of which 10 bits of the fraction count.
    Tf32,
}

impl Numbers {
    fn bytes(self) -> usize {
        if self == Self::Tf32 { 4 } else { 2 }
    }

    /// Registers of a fragment of so many numbers; those in f16 are given twice, of which the first count here.
    fn registers(self, count: usize) -> usize {
        if self == Self::F16 { 8 } else { (count * self.bytes()).div_ceil(4 * LANES) }
    }

    /// The `i`th number of a fragment.
    fn number(self, registers: &[Lanes], fragment: &[usize], i: usize) -> f32 {
        let (lane, part) = (i % LANES, i / LANES);
        match self {
            Self::Tf32 => float(registers[fragment[part]][lane] & !0x1FFF),
            _ => half_of(registers[fragment[part / 2]][lane], part % 2, self == Self::Bf16),
        }
    }
}

/// A product of four warps that was begun: what it needs when it takes place.
pub(crate) struct Begun {
    registers: Vec<u32>,
    a: u64,
    b: u64,
    columns: [bool; 2],
    keeps: bool,
    n: usize,
    bf16: bool,
}

pub(crate) fn parse(op: &str, mods: &[&str]) -> Option<Matrix> {
    let has = |name: &str| mods.contains(&name);
    let space = if mods.iter().any(|m| m.starts_with("shared")) { Space::Shared } else { Space::Generic };
    let shape = mods.iter().find_map(|m| shape(m));
    let matrices = || mods.iter().find_map(|m| m.strip_prefix('x')?.parse().ok());
    let bf16 = has("bf16");
    Some(match op {
        "ldmatrix" if has("m8n8") => Matrix::Load { matrices: matrices()?, transposed: has("trans") },
        "stmatrix" if has("m8n8") => Matrix::Store { matrices: matrices()?, transposed: has("trans") },
        "mma" if has("row") && has("col") && (bf16 || has("f16")) => match shape? {
            [16, 8, k @ (8 | 16)] => Matrix::Mma { k, bf16 },
            _ => return None,
        },
        "wgmma" => match *mods.first()? {
            "fence" => Matrix::GroupFence,
            "commit_group" => Matrix::GroupCommit,
            "wait_group" => Matrix::GroupWait,
            "mma_async" => match shape? {
                [64, n, 16] => Matrix::Group { n, bf16 },
                _ => return None,
            },
            _ => return None,
        },
        "wmma" => {
            let [m, n, k] = shape?;
            let numbers = match (bf16, has("tf32")) {
                (true, _) => Numbers::Bf16,
                (_, true) => Numbers::Tf32,
                _ => Numbers::F16,
            };
            let rows = mods.iter().find(|m| matches!(**m, "row" | "col")) == Some(&"row");
            match (*mods.first()?, *mods.get(1)?) {
                ("load", "a") => Matrix::WmmaLoad { shape: [m, k], rows, space, bytes: numbers.bytes() },
                ("load", "b") => Matrix::WmmaLoad { shape: [k, n], rows, space, bytes: numbers.bytes() },
                ("load", "c") => Matrix::WmmaLoad { shape: [m, n], rows, space, bytes: 4 },
                ("store", _) => Matrix::WmmaStore { shape: [m, n], rows, space },
                ("mma", _) => Matrix::WmmaMma { shape: [m, n, k], numbers },
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// `m16n8k16` as three numbers.
fn shape(word: &str) -> Option<[usize; 3]> {
    let (m, rest) = word.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some([m.parse().ok()?, n.parse().ok()?, k.parse().ok()?])
}

/// A half of a register as a number.
fn half_of(bits: u64, index: usize, is_bf16: bool) -> f32 {
    let bits = (bits >> (16 * index)) as u16;
    if is_bf16 { bf16::from_bits(bits).to_f32() } else { f16::from_bits(bits).to_f32() }
}

fn float(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

/// Runs what a whole warp does.
pub(crate) fn run(
    matrix: &Matrix,
    instruction: &Instruction,
    registers: &mut [Lanes],
    memory: &Memory<'_>,
    begun: &mut Pending<Begun>,
) -> Result<(), MachineError> {
    let to: Vec<usize> = instruction.to.iter().map(|&r| r as usize).collect();
    let from: Vec<usize> = instruction.from.iter().map(|o| o.register as usize).collect();
    let address = |registers: &[Lanes], lane: usize, space: Space, bytes: usize| {
        let operand = &instruction.from[0];
        let address = registers[operand.register as usize][lane].wrapping_add_signed(operand.offset);
        memory.host(address, space, bytes, &instruction.name)
    };
    match *matrix {
        Matrix::Mma { k, bf16 } => mma(k, bf16, &to, &from, registers),
        Matrix::Load { matrices, transposed } => {
            for (index, &to) in to.iter().take(matrices).enumerate() {
                let mut rows = [[0; 8]; 8];
                for (row, halves) in rows.iter_mut().enumerate() {
                    let from = address(registers, 8 * index + row, Space::Shared, 16)?;
                    // SAFETY: the address was checked to lie in the block's memory.
                    *halves = std::array::from_fn(|i| unsafe { read(from + 2 * i as u64, 2) });
                }
                registers[to] = std::array::from_fn(|lane| {
                    let (row, column) = (lane / 4, 2 * (lane % 4));
                    let at =
                        |i: usize| if transposed { rows[column + i][row] } else { rows[row][column + i] };
                    at(0) | (at(1) << 16)
                });
            }
        }
        Matrix::Store { matrices, transposed } => {
            for (index, &from) in from[1..].iter().take(matrices).enumerate() {
                for lane in 0..LANES {
                    for i in 0..2 {
                        let (row, column) = (lane / 4, 2 * (lane % 4) + i);
                        let (row, column) = if transposed { (column, row) } else { (row, column) };
                        let to = address(registers, 8 * index + row, Space::Shared, 16)?;
                        let value = registers[from][lane] >> (16 * i);
                        // SAFETY: the address was checked to lie in the block's memory.
                        unsafe { crate::memory::write(to + 2 * column as u64, 2, value) };
                    }
                }
            }
        }
        Matrix::WmmaLoad { shape, rows, space, bytes } => {
            let per_register = 4 / bytes;
            let stride = from.get(1).map_or(shape[usize::from(rows)] as u64, |&r| registers[r][0]);
            for i in 0..shape[0] * shape[1] {
                let from = wmma_offset(i, shape, rows, stride) * bytes as u64;
                let base = address(registers, 0, space, bytes)?;
                let checked = if space == Space::Shared {
                    let operand = &instruction.from[0];
                    let base = registers[operand.register as usize][0].wrapping_add_signed(operand.offset);
                    memory.host(base.wrapping_add(from), space, bytes, &instruction.name)?
                } else {
                    base + from
                };
                // SAFETY: shared addresses are checked; others are the program's own.
                let value = unsafe { read(checked, bytes) };
                let (lane, part) = (i % LANES, i / LANES);
                let register = &mut registers[to[part / per_register]][lane];
                let shift = 8 * bytes * (part % per_register);
                let mask = if bytes == 4 { 0xFFFF_FFFF } else { 0xFFFF << shift };
                *register = (*register & !mask) | (value << shift);
            }
        }
        Matrix::WmmaStore { shape, rows, space } => {
            let values = shape[0] * shape[1] / LANES;
            let stride = from.get(1 + values).map_or(shape[usize::from(rows)] as u64, |&r| registers[r][0]);
            for i in 0..shape[0] * shape[1] {
                let operand = &instruction.from[0];
                let base = registers[operand.register as usize][0].wrapping_add_signed(operand.offset);
                let to = base.wrapping_add(4 * wmma_offset(i, shape, rows, stride));
                let to = memory.host(to, space, 4, &instruction.name)?;
                // SAFETY: shared addresses are checked; others are the program's own.
                unsafe { crate::memory::write(to, 4, registers[from[1 + i / LANES]][i % LANES]) };
            }
        }
        Matrix::WmmaMma { shape: [m, n, k], numbers } => {
            let (a, rest) = from.split_at(numbers.registers(m * k));
            let (b, c) = rest.split_at(numbers.registers(k * n));
            let at = |registers: &[Lanes], of: &[usize], i: usize| numbers.number(registers, of, i);
            let mut out = vec![0f32; m * n];
            for (i, out) in out.iter_mut().enumerate() {
                let (row, column) = (i / n, i % n);
                let c = float(registers[c[i / LANES]][i % LANES]);
                let products =
                    (0..k).map(|j| at(registers, a, row * k + j) * at(registers, b, j * n + column));
                *out = c + products.sum::<f32>();
            }
            for (i, value) in out.iter().enumerate() {
                registers[to[i / LANES]][i % LANES] = u64::from(value.to_bits());
            }
        }
        Matrix::Group { n, bf16 } => {
            let constant = |index: usize| registers[from[index]][0];
            let keeps = constant(2) & 1 == 1;
            let columns = [constant(5) & 1 == 1, constant(6) & 1 == 1];
            if constant(3) as i32 != 1 || constant(4) as i32 != 1 {
                return Err(MachineError::Unknown(format!("{} of negated operands", instruction.name)));
            }
            let registers = instruction.to.clone();
            begun.begin(Begun { registers, a: constant(0), b: constant(1), columns, keeps, n, bf16 });
        }
        Matrix::GroupFence => {}
        Matrix::GroupCommit => begun.commit(),
        Matrix::GroupWait => {
            for product in begun.wait(registers[from[0]][0] as usize) {
                group(&product, registers, memory, &instruction.name)?;
            }
        }
    }
    Ok(())
}

/// Where the `i`th number of a fragment lies, in numbers: fragments hold their matrices by rows.
fn wmma_offset(i: usize, shape: [usize; 2], rows: bool, stride: u64) -> u64 {
    let (row, column) = ((i / shape[1]) as u64, (i % shape[1]) as u64);
    if rows { row * stride + column } else { column * stride + row }
}

fn mma(k: usize, bf16: bool, to: &[usize], from: &[usize], registers: &mut [Lanes]) {
    let (a, rest) = from.split_at(k / 4);
    let (b, c) = rest.split_at(k / 8);
    let mut out = [[0f32; 8]; 16];
    for (row, sums) in out.iter_mut().enumerate() {
        for (column, sum) in sums.iter_mut().enumerate() {
            let product = |j: usize| {
                let half = usize::from(j >= 8);
                let lane = |line: usize| 4 * line + (j % 8) / 2;
                let x = half_of(registers[a[2 * half + row / 8]][lane(row % 8)], j % 2, bf16);
                x * half_of(registers[b[half]][lane(column)], j % 2, bf16)
            };
            *sum = (0..k).map(product).sum();
            let (lane, part) = (4 * (row % 8) + column / 2, 2 * (row / 8) + column % 2);
            *sum += float(registers[c[part]][lane]);
        }
    }
    for (part, &to) in to.iter().enumerate() {
        let value = |lane: usize| out[lane / 4 + 8 * (part / 2)][2 * (lane % 4) + part % 2];
        registers[to] = std::array::from_fn(|lane| u64::from(value(lane).to_bits()));
    }
}

/// What a descriptor says of a tile in shared memory.
struct Tile {
    start: u64,
    /// Bytes between the parts of 8 rows or columns, by the two directions.
    leading: u64,
    stride: u64,
    /// Bytes that a swizzled line has: 0, 32, 64 or 128.
    swizzle: u64,
    /// Whether rows of 16 bytes run along the rows of the operand (M or N) and not along K.
    columns: bool,
}

impl Tile {
    fn new(descriptor: u64, columns: bool) -> Self {
        let field = |from: u32| ((descriptor >> from) & 0x3FFF) << 4;
        let swizzle = match descriptor >> 62 {
            0 => 0,
            1 => 128,
            2 => 64,
            _ => 32,
        };
        Self { start: field(0), leading: field(16), stride: field(32), swizzle, columns }
    }

    /// The address of a number: `line` counts along M or N, `k` along K.
    fn address(&self, line: u64, k: u64) -> u64 {
        // The direction along which bytes are adjacent, and the other.
        let (near, far) = if self.columns { (line, k) } else { (k, line) };
        let panel = self.swizzle.max(16) / 2; // numbers of a line
        let within = 2 * (near % panel) + (far % 8) * self.swizzle.max(16);
        // Panels are `leading` apart, eights of lines `stride`; the other way round along M or N without a swizzle.
        let (panels, eights) = if self.columns && self.swizzle == 0 {
            (self.stride, self.leading)
        } else {
            (self.leading, self.stride)
        };
        let address = self.start + within + (near / panel) * panels + (far / 8) * eights;
        let mask = match self.swizzle {
            128 => 7,
            64 => 3,
            32 => 1,
            _ => 0,
        };
        address ^ (((address >> 7) & mask) << 4)
    }
}

fn group(
    product: &Begun,
    registers: &mut [Lanes],
    memory: &Memory<'_>,
    name: &str,
) -> Result<(), MachineError> {
    let (a, b) = (Tile::new(product.a, product.columns[0]), Tile::new(product.b, product.columns[1]));
    let first_row = 16 * (memory.warp % 4);
    let number = |tile: &Tile, line: usize, k: usize| -> Result<f32, MachineError> {
        let address = crate::memory::SHARED + tile.address(line as u64, k as u64);
        let address = memory.host(address, Space::Shared, 2, name)?;
        // SAFETY: the address was checked to lie in the block's memory.
        Ok(half_of(unsafe { read(address, 2) }, 0, product.bf16))
    };
    let mut columns = vec![[0f32; 16]; product.n];
    for (n, column) in columns.iter_mut().enumerate() {
        for (k, value) in column.iter_mut().enumerate() {
            *value = number(&b, n, k)?;
        }
    }
    for row in 0..16 {
        let mut x = [0f32; 16];
        for (k, value) in x.iter_mut().enumerate() {
            *value = number(&a, first_row + row, k)?;
        }
        for (n, column) in columns.iter().enumerate() {
            let sum: f32 = x.iter().zip(column).map(|(x, y)| x * y).sum();
            let register = product.registers[4 * (n / 8) + 2 * (row / 8) + n % 2];
            let lane = 4 * (row % 8) + (n % 8) / 2;
            let place = &mut registers[register as usize][lane];
            *place = u64::from((if product.keeps { float(*place) } else { 0.0 } + sum).to_bits());
        }
    }
    Ok(())
}
