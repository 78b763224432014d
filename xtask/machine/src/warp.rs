//! A warp: 32 lanes, of which those at the earliest place in the program run first. So they come together again where a
//! branch's two ways do, and what needs several lanes waits until they are there.

use crate::block::Memory;
use crate::copies::{Copy, Pending};
use crate::instruction::{Instruction, Op, Shuffle, Vote};
use crate::matrix::{self, Begun};
use crate::module::Kernel;
use crate::scalar::{Ty, insert};
use crate::{LANES, Lanes, MachineError};

/// What a warp that does not run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ended,
    /// For the other warps of its block.
    Waits,
}

pub(crate) struct Warp<'a> {
    kernel: &'a Kernel,
    pub(crate) registers: Vec<Lanes>,
    at: [u32; LANES],
    /// Lanes that have not ended.
    live: u32,
    /// Lanes that wait for others of the warp, at their place.
    parked: u32,
    /// Lanes that wait for the block.
    blocked: u32,
    pub(crate) copies: Vec<Pending<Copy>>,
    products: Pending<Begun>,
}

/// The lanes of a mask.
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| mask >> lane & 1 == 1)
}

impl<'a> Warp<'a> {
    pub fn new(kernel: &'a Kernel, lanes: usize) -> Self {
        Self {
            kernel,
            registers: vec![[0; LANES]; kernel.registers],
            at: [0; LANES],
            live: u32::MAX >> (LANES - lanes),
            parked: 0,
            blocked: 0,
            copies: (0..LANES).map(|_| Pending::default()).collect(),
            products: Pending::default(),
        }
    }

    pub fn set(&mut self, register: u32, values: Lanes) {
        self.registers[register as usize] = values;
    }

    /// The block's other warps have come.
    pub fn release(&mut self) {
        self.blocked = 0;
    }

    /// Runs until all lanes have ended or wait for the block.
    pub fn run(&mut self, memory: &Memory<'_>) -> Result<State, MachineError> {
        loop {
            let running = self.live & !self.parked & !self.blocked;
            if running == 0 {
                return self.rest();
            }
            let first = lanes(running).map(|lane| self.at[lane]).min().unwrap_or(0);
            let together =
                lanes(running).filter(|&lane| self.at[lane] == first).fold(0, |m, lane| m | 1 << lane);
            let next = lanes(running & !together).map(|lane| self.at[lane]).min().unwrap_or(u32::MAX);
            self.stretch(first, together, next, memory)?;
        }
    }

    fn rest(&self) -> Result<State, MachineError> {
        match (self.live, self.parked, self.blocked) {
            (0, ..) => Ok(State::Ended),
            (live, 0, blocked) if live == blocked => Ok(State::Waits),
            (_, parked, _) => {
                let name = |lane: usize| self.kernel.instructions[self.at[lane] as usize].name.clone();
                Err(MachineError::Stuck(lanes(parked).map(name).collect()))
            }
        }
    }

    /// Runs lanes that are at one place until they part, wait, or reach others.
    fn stretch(
        &mut self,
        mut at: u32,
        mask: u32,
        next: u32,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        let kernel = self.kernel;
        loop {
            let Some(instruction) = kernel.instructions.get(at as usize) else {
                self.live &= !mask;
                return Ok(());
            };
            let active = match instruction.guard {
                None => mask,
                Some((register, negated)) => {
                    let values = &self.registers[register as usize];
                    lanes(mask)
                        .filter(|&lane| (values[lane] & 1 == 1) != negated)
                        .fold(0, |m, lane| m | 1 << lane)
                }
            };
            match &instruction.op {
                Op::Branch(target) if active == mask => at = *target as u32,
                Op::Branch(target) if active != 0 => {
                    self.place(active, *target as u32);
                    self.place(mask & !active, at + 1);
                    return Ok(());
                }
                Op::End => {
                    self.live &= !active;
                    self.place(mask & !active, at + 1);
                    // They may be those that others wait for.
                    self.parked = 0;
                    return Ok(());
                }
                Op::Block if active != 0 => {
                    self.blocked |= active;
                    self.place(mask, at + 1);
                    return Ok(());
                }
                op => {
                    if active != 0
                        && self.needs(op, instruction, active).is_some_and(|all| all & !active != 0)
                    {
                        return self.gather(at, mask, instruction, memory);
                    }
                    if active != 0 {
                        self.execute(instruction, active, memory)?;
                    }
                    at += 1;
                }
            }
            // A branch back may pass others that are behind.
            if at >= next {
                self.place(mask, at);
                return Ok(());
            }
        }
    }

    fn place(&mut self, mask: u32, at: u32) {
        lanes(mask).for_each(|lane| self.at[lane] = at);
    }

    /// Lanes that must come together for an instruction, of those that live; none where each goes by itself.
    fn needs(&self, op: &Op, instruction: &Instruction, active: u32) -> Option<u32> {
        let of = |index: usize| {
            let register = instruction.from.get(index).or(instruction.from.last())?.register;
            Some(self.registers[register as usize][active.trailing_zeros() as usize] as u32 & self.live)
        };
        match op {
            Op::Warp => {
                let register =
                    instruction.to.first().copied().or(instruction.from.first().map(|o| o.register))?;
                Some(self.registers[register as usize][active.trailing_zeros() as usize] as u32 & self.live)
            }
            Op::Shuffle(_) => of(3),
            Op::Vote(_) => of(1),
            Op::Elect => of(0),
            Op::Matrix(_) => Some(self.live),
            _ => None,
        }
    }

    /// Lanes wait at an instruction, and those that wait there already run it with them if that is all of them.
    fn gather(
        &mut self,
        at: u32,
        mask: u32,
        instruction: &Instruction,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        self.place(mask, at);
        let there =
            lanes(self.parked).filter(|&lane| self.at[lane] == at).fold(mask, |m, lane| m | 1 << lane);
        if self.needs(&instruction.op, instruction, there).is_none_or(|all| all & !there != 0) {
            self.parked |= mask;
            return Ok(());
        }
        self.parked &= !there;
        self.execute(instruction, there, memory)?;
        self.place(there, at + 1);
        Ok(())
    }

    fn write(&mut self, register: u32, mask: u32, values: Lanes) {
        let place = &mut self.registers[register as usize];
        if mask == u32::MAX {
            *place = values;
        } else {
            lanes(mask).for_each(|lane| place[lane] = values[lane]);
        }
    }

    fn execute(&mut self, i: &Instruction, mask: u32, memory: &Memory<'_>) -> Result<(), MachineError> {
        let from = |index: usize| &self.registers[i.from[index].register as usize];
        match &i.op {
            Op::Unary(f) => {
                let a = from(0);
                let values = std::array::from_fn(|lane| f(a[lane]));
                self.write(i.to[0], mask, values);
            }
            Op::Binary(f) => {
                let (a, b) = (from(0), from(1));
                let values = std::array::from_fn(|lane| f(a[lane], b[lane]));
                self.write(i.to[0], mask, values);
            }
            Op::Ternary(f) => {
                let (a, b, c) = (from(0), from(1), from(2));
                let values = std::array::from_fn(|lane| f(a[lane], b[lane], c[lane]));
                self.write(i.to[0], mask, values);
            }
            Op::Insert => {
                let (a, b, start, length) = (from(0), from(1), from(2), from(3));
                let values = std::array::from_fn(|lane| insert(a[lane], b[lane], start[lane], length[lane]));
                self.write(i.to[0], mask, values);
            }
            Op::Pack(bytes) => {
                let part = |lane: usize, n: usize| Ty::U(*bytes).cut(from(n)[lane]) << (8 * bytes * n);
                let values = std::array::from_fn(|lane| (0..i.from.len()).map(|n| part(lane, n)).sum());
                self.write(i.to[0], mask, values);
            }
            Op::Unpack(bytes) => {
                let whole = *from(0);
                for (n, &to) in i.to.iter().enumerate() {
                    self.write(to, mask, whole.map(|bits| Ty::U(*bytes).cut(bits >> (8 * bytes * n))));
                }
            }
            Op::Load(space, ty) => self.load(i, *space, *ty, mask, memory)?,
            Op::Store(space, ty) => self.store(i, *space, *ty, mask, memory)?,
            Op::Atomic(space, ty, kind) => self.atomic(i, (*space, *ty, kind), mask, memory)?,
            Op::ToGeneric => {
                let values = from(0).map(|address| memory.shared.generic(address));
                self.write(i.to[0], mask, values);
            }
            Op::ToShared => {
                let values = from(0).map(|address| memory.shared.window(address));
                self.write(i.to[0], mask, values);
            }
            Op::Shuffle(how) => self.shuffle(i, *how, mask),
            Op::Active => self.write(i.to[0], mask, [u64::from(mask); LANES]),
            Op::Vote(vote) => {
                let set =
                    lanes(mask).filter(|&lane| from(0)[lane] & 1 == 1).fold(0u32, |m, lane| m | 1 << lane);
                let value = match vote {
                    Vote::All => u64::from(set == mask),
                    Vote::Any => u64::from(set != 0),
                    Vote::Ballot => u64::from(set),
                };
                self.write(i.to[0], mask, [value; LANES]);
            }
            Op::Elect => {
                let leader = mask.trailing_zeros() as usize;
                self.write(i.to[0], mask, [leader as u64; LANES]);
                self.write(i.to[1], mask, std::array::from_fn(|lane| u64::from(lane == leader)));
            }
            Op::Copy => self.copy(i, mask, memory)?,
            Op::Commit => lanes(mask).for_each(|lane| self.copies[lane].commit()),
            Op::Wait => {
                let left = i.from.first().map_or(0, |o| self.registers[o.register as usize][0] as usize);
                for lane in lanes(mask) {
                    // SAFETY: where it goes was checked when it was begun; where it comes from is the program's own.
                    self.copies[lane].wait(left).into_iter().for_each(|copy| unsafe { copy.run() });
                }
            }
            Op::Matrix(matrix) => matrix::run(matrix, i, &mut self.registers, memory, &mut self.products)?,
            Op::Warp | Op::Nothing => {}
            Op::Branch(_) | Op::End | Op::Block => return Err(MachineError::Unknown(i.name.clone())),
        }
        Ok(())
    }

    fn shuffle(&mut self, i: &Instruction, how: Shuffle, mask: u32) {
        let operand = |n: usize| self.registers[i.from[n].register as usize];
        let (values, by, clamp) = (operand(0), operand(1), operand(2));
        let mut result = ([0; LANES], [0; LANES]);
        for lane in lanes(mask) {
            let (by, segment, limit) =
                (by[lane] as u32 & 31, (clamp[lane] as u32 >> 8) & 31, clamp[lane] as u32 & 31);
            let lane_number = lane as u32;
            let (low, high) = (lane_number & segment, (lane_number & segment) | (limit & !segment));
            let (source, inside) = match how {
                Shuffle::Up => (lane_number.wrapping_sub(by), lane_number as i32 - by as i32 >= high as i32),
                Shuffle::Down => (lane_number + by, lane_number + by <= high),
                Shuffle::Xor => (lane_number ^ by, lane_number ^ by <= high),
                Shuffle::From => (low | (by & !segment), low | (by & !segment) <= high),
            };
            let source = if inside { source as usize } else { lane };
            result.0[lane] = values[source];
            result.1[lane] = u64::from(inside);
        }
        self.write(i.to[0], mask, result.0);
        if let Some(&there) = i.to.get(1) {
            self.write(there, mask, result.1);
        }
    }
}
