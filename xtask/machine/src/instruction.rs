//! Instructions as they run.

use std::collections::HashMap;

use crate::MachineError;
use crate::matrix::{self, Matrix};
use crate::module::Reader;
use crate::scalar::{self, Binary, Ternary, Ty, Unary};

/// One instruction.
pub(crate) struct Instruction {
    /// The opcode with its modifiers, for errors.
    pub name: String,
    /// A predicate's register, and whether lanes take part where it is false.
    pub guard: Option<(u32, bool)>,
    pub op: Op,
    /// What is written.
    pub to: Vec<u32>,
    /// What is read.
    pub from: Vec<Operand>,
    target: Option<String>,
}

/// A register, and what is added to it where it is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub register: u32,
    pub offset: i64,
}

/// Where an address points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Global, local and parameters' memory, and any other by its address in the host.
    Generic,
    Shared,
}

/// How lanes give each other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shuffle {
    Xor,
    Down,
    Up,
    From,
}

/// What lanes find out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    All,
    Any,
    Ballot,
}

/// What an instruction does.
pub(crate) enum Op {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
    Insert,
    /// Several numbers of so many bytes as one, and one as several.
    Pack(usize),
    Unpack(usize),
    /// Of so many bytes a number; the sign is carried on where the type has one.
    Load(Space, Ty),
    Store(Space, Ty),
    Atomic(Space, Ty, String),
    ToGeneric,
    ToShared,
    Branch(usize),
    End,
    /// Waits for the block.
    Block,
    /// Waits for the lanes of a mask.
    Warp,
    Shuffle(Shuffle),
    Active,
    Vote(Vote),
    Elect,
    Copy,
    Commit,
    /// Until so many groups of copies at most are on their way.
    Wait,
    Matrix(Matrix),
    Nothing,
}

impl Instruction {
    /// Finds the place of a branch's label.
    pub fn resolve(&mut self, labels: &HashMap<String, usize>) -> Result<(), MachineError> {
        let Some(label) = &self.target else { return Ok(()) };
        let place = labels.get(label).ok_or_else(|| MachineError::Undeclared(label.clone()))?;
        self.op = Op::Branch(*place);
        Ok(())
    }
}

/// Reads one instruction.
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Instruction, MachineError> {
    let guard = if reader.take("@") {
        let negated = reader.take("!");
        Some((reader.value()?, negated))
    } else {
        None
    };
    let name = reader.next().to_owned();
    let mut parts = name.split('.');
    let op = parts.next().unwrap_or_default();
    let mods: Vec<&str> = parts.collect();
    if op == "bra" {
        let target = reader.next();
        let target = Some(reader.label(target));
        reader.expect(";")?;
        return Ok(Instruction { op: Op::Nothing, guard, to: Vec::new(), from: Vec::new(), target, name });
    }
    let mut operands = operands(reader)?;
    let decoded = operation(op, &mods).ok_or_else(|| MachineError::Unknown(name.clone()))?;
    let writes = !matches!(op, "st" | "red" | "bar" | "barrier" | "cp" | "stmatrix" | "ret" | "exit")
        && !["wmma.store", "wgmma.wait_group"].iter().any(|other| name.starts_with(other));
    let to = if writes && !operands.is_empty() { operands.remove(0) } else { Vec::new() };
    let from: Vec<Operand> = operands.into_iter().flatten().collect();
    let to: Vec<u32> = to.into_iter().map(|operand| operand.register).collect();
    let bytes = || mods.last().and_then(|ty| Ty::parse(ty)).map_or(0, Ty::bytes);
    let decoded = match (op, to.len(), from.len()) {
        ("mov", 1, parts) if parts > 1 => Op::Pack(bytes() / parts),
        ("mov", parts, 1) if parts > 1 => Op::Unpack(bytes() / parts),
        _ => decoded,
    };
    let expected = match decoded {
        Op::Unary(_) => Some((1, 1)),
        Op::Binary(_) => Some((1, 2)),
        Op::Ternary(_) => Some((1, 3)),
        Op::Insert => Some((1, 4)),
        _ => None,
    };
    if expected.is_some_and(|expected| expected != (to.len(), from.len())) {
        return Err(MachineError::Unknown(format!("{name} with {} and {} operands", to.len(), from.len())));
    }
    Ok(Instruction { name, guard, op: decoded, to, from, target: None })
}

/// Operands up to the semicolon, those of a vector together.
fn operands(reader: &mut Reader<'_>) -> Result<Vec<Vec<Operand>>, MachineError> {
    let mut all = Vec::new();
    while !reader.take(";") {
        let mut group = Vec::new();
        if reader.take("{") {
            while !reader.take("}") {
                group.push(operand(reader)?);
                reader.take(",");
            }
        } else if reader.take("[") {
            group.push(operand(reader)?);
            reader.expect("]")?;
        } else {
            group.push(operand(reader)?);
            while reader.take("|") {
                group.push(operand(reader)?);
            }
        }
        all.push(group);
        if !reader.take(",") {
            reader.expect(";")?;
            break;
        }
    }
    Ok(all)
}

fn operand(reader: &mut Reader<'_>) -> Result<Operand, MachineError> {
    if reader.take("_") {
        return Ok(Operand { register: reader.ignored(), offset: 0 });
    }
    let register = reader.value()?;
    let offset = if reader.take("+") { reader.immediate()? as i64 } else { 0 };
    Ok(Operand { register, offset })
}

fn operation(op: &str, mods: &[&str]) -> Option<Op> {
    let last = mods.last().copied().unwrap_or_default();
    let space = if mods.iter().any(|m| m.starts_with("shared")) { Space::Shared } else { Space::Generic };
    Some(match op {
        "ld" | "ldu" => Op::Load(space, Ty::parse(last)?),
        "st" => Op::Store(space, Ty::parse(last)?),
        "atom" | "red" => {
            let kind = mods.iter().find(|m| matches!(**m, "add" | "exch" | "cas" | "inc" | "max" | "min"))?;
            Op::Atomic(space, Ty::parse(last)?, (*kind).to_owned())
        }
        "cvta" if space == Space::Shared && mods[0] == "to" => Op::ToShared,
        "cvta" if space == Space::Shared => Op::ToGeneric,
        "cvta" => Op::Unary(Box::new(|a| a)),
        "ret" | "exit" => Op::End,
        "bar" if mods[0] == "warp" => Op::Warp,
        "bar" | "barrier" if mods[0] == "sync" => Op::Block,
        "shfl" => Op::Shuffle(match mods[1] {
            "bfly" => Shuffle::Xor,
            "down" => Shuffle::Down,
            "up" => Shuffle::Up,
            "idx" => Shuffle::From,
            _ => return None,
        }),
        "activemask" => Op::Active,
        "vote" => Op::Vote(match mods[1] {
            "all" => Vote::All,
            "any" => Vote::Any,
            "ballot" => Vote::Ballot,
            _ => return None,
        }),
        "elect" => Op::Elect,
        "cp" => match mods {
            ["async", "commit_group"] => Op::Commit,
            ["async", "wait_group" | "wait_all"] => Op::Wait,
            ["async", "ca" | "cg", ..] => Op::Copy,
            _ => return None,
        },
        "fence" | "membar" | "griddepcontrol" => Op::Nothing,
        "bfi" => Op::Insert,
        "mma" | "wmma" | "ldmatrix" | "stmatrix" | "wgmma" => Op::Matrix(matrix::parse(op, mods)?),
        _ => {
            if let Some(unary) = scalar::unary(op, mods) {
                Op::Unary(unary)
            } else if let Some(binary) = scalar::binary(op, mods) {
                Op::Binary(binary)
            } else {
                Op::Ternary(scalar::ternary(op, mods)?)
            }
        }
    })
}
