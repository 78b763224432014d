//! What a warp reads and writes in memory.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::MachineError;
use crate::block::Memory;
use crate::copies::Copy;
use crate::instruction::{Instruction, Space};
use crate::memory::{read, write};
use crate::scalar::Ty;
use crate::warp::{Warp, lanes};

impl Warp<'_> {
    /// The host's address of a memory operand's `bytes` bytes, aligned as the device asks.
    fn address(
        &self,
        i: &Instruction,
        operand: usize,
        lane: usize,
        (space, bytes): (Space, usize),
        memory: &Memory<'_>,
    ) -> Result<u64, MachineError> {
        let operand = &i.from[operand];
        let address = self.registers[operand.register as usize][lane].wrapping_add_signed(operand.offset);
        if !address.is_multiple_of(bytes as u64) {
            return Err(MachineError::Misaligned { name: i.name.clone(), address, bytes });
        }
        memory.host(address, space, bytes, &i.name)
    }

    pub(crate) fn load(
        &mut self,
        i: &Instruction,
        space: Space,
        ty: Ty,
        mask: u32,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        let bytes = ty.bytes();
        for lane in lanes(mask) {
            let address = self.address(i, 0, lane, (space, bytes * i.to.len()), memory)?;
            for (n, &to) in i.to.iter().enumerate() {
                // SAFETY: shared addresses are checked; others are the program's own.
                let value = unsafe { read(address + (n * bytes) as u64, bytes) };
                let unused = 64 - 8 * bytes as u32;
                let signed = ((value << unused) as i64 >> unused) as u64;
                self.registers[to as usize][lane] = if matches!(ty, Ty::S(_)) { signed } else { value };
            }
        }
        Ok(())
    }

    pub(crate) fn store(
        &mut self,
        i: &Instruction,
        space: Space,
        ty: Ty,
        mask: u32,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        let bytes = ty.bytes();
        for lane in lanes(mask) {
            let address = self.address(i, 0, lane, (space, bytes * (i.from.len() - 1)), memory)?;
            for (n, from) in i.from[1..].iter().enumerate() {
                let value = self.registers[from.register as usize][lane];
                // SAFETY: shared addresses are checked; others are the program's own.
                unsafe { write(address + (n * bytes) as u64, bytes, value) };
            }
        }
        Ok(())
    }

    pub(crate) fn atomic(
        &mut self,
        i: &Instruction,
        (space, ty, kind): (Space, Ty, &str),
        mask: u32,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        for lane in lanes(mask) {
            if ty.bytes() != 4 {
                return Err(MachineError::Unknown(i.name.clone()));
            }
            let address = self.address(i, 0, lane, (space, 4), memory)?;
            let operand = |n: usize| self.registers[i.from[n].register as usize][lane] as u32;
            let (a, b) = (operand(1), i.from.get(2).map_or(0, |_| operand(2)));
            // SAFETY: the address is aligned; shared ones are checked, others are the program's own.
            let place = unsafe { AtomicU32::from_ptr(address as *mut u32) };
            let changed = |old: u32| match kind {
                "exch" => a,
                "cas" => {
                    if old == a {
                        b
                    } else {
                        old
                    }
                }
                "inc" => {
                    if old >= a {
                        0
                    } else {
                        old + 1
                    }
                }
                "max" => ty.cut(if matches!(ty, Ty::S(_)) {
                    (old as i32).max(a as i32) as u64
                } else {
                    u64::from(old.max(a))
                }) as u32,
                "min" => ty.cut(if matches!(ty, Ty::S(_)) {
                    (old as i32).min(a as i32) as u64
                } else {
                    u64::from(old.min(a))
                }) as u32,
                _ if ty == Ty::F32 => (f32::from_bits(old) + f32::from_bits(a)).to_bits(),
                _ => old.wrapping_add(a),
            };
            let old = place.fetch_update(SeqCst, SeqCst, |old| Some(changed(old))).unwrap_or_default();
            if let Some(&to) = i.to.first() {
                self.registers[to as usize][lane] = u64::from(old);
            }
        }
        Ok(())
    }

    /// Begins copies.
    pub(crate) fn copy(
        &mut self,
        i: &Instruction,
        mask: u32,
        memory: &Memory<'_>,
    ) -> Result<(), MachineError> {
        for lane in lanes(mask) {
            let operand = |n: usize| self.registers[i.from[n].register as usize][lane];
            let bytes = operand(2) as usize;
            let source = i.from.get(3).map_or(bytes, |_| operand(3) as usize);
            let to = self.address(i, 0, lane, (Space::Shared, bytes), memory)?;
            let from = self.address(i, 1, lane, (Space::Generic, bytes), memory)?;
            self.copies[lane].begin(Copy { to, from, bytes, source });
        }
        Ok(())
    }
}
