//! Instructions that each lane computes for itself.

use half::{bf16, f16};

/// How the bits of a register are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Pred,
    /// Bits or numbers without a sign, so many bytes.
    U(usize),
    /// Numbers with a sign.
    S(usize),
    F16,
    Bf16,
    F32,
    F64,
}

pub(crate) type Unary = Box<dyn Fn(u64) -> u64 + Send + Sync>;
pub(crate) type Binary = Box<dyn Fn(u64, u64) -> u64 + Send + Sync>;
pub(crate) type Ternary = Box<dyn Fn(u64, u64, u64) -> u64 + Send + Sync>;

impl Ty {
    pub fn parse(name: &str) -> Option<Self> {
        let number = |rest: &str| rest.parse::<usize>().ok().map(|bits| bits / 8);
        Some(match name {
            "pred" => Self::Pred,
            "f16" => Self::F16,
            "bf16" => Self::Bf16,
            "f32" => Self::F32,
            "f64" => Self::F64,
            _ if name.starts_with(['u', 'b']) => Self::U(number(&name[1..])?),
            _ if name.starts_with('s') => Self::S(number(&name[1..])?),
            _ => return None,
        })
    }

    pub fn bytes(self) -> usize {
        match self {
            Self::Pred => 1,
            Self::U(bytes) | Self::S(bytes) => bytes,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// Without the bits that a register of this size does not have.
    pub fn cut(self, bits: u64) -> u64 {
        if self.bytes() >= 8 { bits } else { bits & ((1 << (8 * self.bytes())) - 1) }
    }

    /// An integer with its sign.
    fn signed(self, bits: u64) -> i128 {
        let unused = 64 - 8 * self.bytes();
        match self {
            Self::S(_) => i128::from(((bits << unused) as i64) >> unused),
            _ => i128::from(self.cut(bits)),
        }
    }

    pub fn float_of(self, bits: u64) -> f64 {
        match self {
            Self::F16 => f16::from_bits(bits as u16).to_f64(),
            Self::Bf16 => bf16::from_bits(bits as u16).to_f64(),
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
            _ => self.signed(bits) as f64,
        }
    }

    pub fn bits_of(self, value: f64) -> u64 {
        match self {
            Self::F16 => u64::from(f16::from_f64(value).to_bits()),
            Self::Bf16 => u64::from(bf16::from_f64(value).to_bits()),
            Self::F32 => u64::from((value as f32).to_bits()),
            _ => value.to_bits(),
        }
    }
}

/// One operand. `None` where there is no such instruction.
pub(crate) fn unary(op: &str, mods: &[&str]) -> Option<Unary> {
    if op == "cvt" {
        return convert(mods);
    }
    let ty = Ty::parse(mods.last()?)?;
    let float = |f: fn(f64) -> f64| -> Option<Unary> {
        ty.float().then(|| Box::new(move |a| ty.bits_of(f(ty.float_of(a)))) as Unary)
    };
    let single = |f: fn(f32) -> f32| -> Option<Unary> {
        (ty == Ty::F32)
            .then(|| Box::new(move |a: u64| u64::from(f(f32::from_bits(a as u32)).to_bits())) as Unary)
    };
    Some(match op {
        "mov" => Box::new(move |a| ty.cut(a)),
        "not" if ty == Ty::Pred => Box::new(|a| a ^ 1),
        "not" => Box::new(move |a| ty.cut(!a)),
        "neg" if ty.float() => return float(|a| -a),
        "neg" => Box::new(move |a| ty.cut(a.wrapping_neg())),
        "abs" if ty.float() => return float(f64::abs),
        "abs" => Box::new(move |a| ty.cut(ty.signed(a).unsigned_abs() as u64)),
        "ex2" => return single(f32::exp2),
        "lg2" => return single(f32::log2),
        "rcp" => return single(|a| 1.0 / a),
        "sqrt" => return single(f32::sqrt),
        "rsqrt" => return single(|a| (1.0 / f64::from(a).sqrt()) as f32),
        "sin" => return single(f32::sin),
        "cos" => return single(f32::cos),
        "tanh" => return single(f32::tanh),
        "popc" => Box::new(move |a| u64::from(ty.cut(a).count_ones())),
        "clz" => Box::new(move |a| u64::from(ty.cut(a).leading_zeros()) + 8 * ty.bytes() as u64 - 64),
        "brev" => Box::new(move |a| ty.cut(a).reverse_bits() >> (64 - 8 * ty.bytes())),
        _ => return None,
    })
}

/// Two operands.
pub(crate) fn binary(op: &str, mods: &[&str]) -> Option<Binary> {
    let ty = Ty::parse(mods.last()?)?;
    if op == "setp" {
        return compare(mods.first()?, ty);
    }
    if op == "cvt" {
        // Two numbers as one pair, the second in the lower half.
        let part = Ty::parse(mods.iter().rev().nth(1)?.strip_suffix("x2")?)?;
        let half = move |a| part.bits_of(ty.float_of(a));
        return Some(Box::new(move |a, b| (half(a) << 16) | half(b)));
    }
    let float = |f: fn(f64, f64) -> f64| -> Option<Binary> {
        ty.float().then(|| Box::new(move |a, b| ty.bits_of(f(ty.float_of(a), ty.float_of(b)))) as Binary)
    };
    let integer = |f: fn(i128, i128) -> i128| -> Option<Binary> {
        Some(Box::new(move |a, b| ty.cut(f(ty.signed(a), ty.signed(b)) as u64)))
    };
    let bits = |f: fn(u64, u64) -> u64| -> Option<Binary> { Some(Box::new(move |a, b| ty.cut(f(a, b)))) };
    match op {
        // A sum or product of two f32 is exact in f64 before it is rounded, or rounds alike (2 * 24 + 2 bits <= 53).
        "add" if ty.float() => float(|a, b| a + b),
        "sub" if ty.float() => float(|a, b| a - b),
        "mul" if ty.float() => float(|a, b| a * b),
        "div" if ty.float() => float(|a, b| a / b),
        "min" if ty.float() => float(f64::min),
        "max" if ty.float() => float(f64::max),
        "add" => integer(|a, b| a + b),
        "sub" => integer(|a, b| a - b),
        "mul" if mods[0] == "wide" => {
            Some(Box::new(move |a, b| wide(ty).cut((ty.signed(a) * ty.signed(b)) as u64)))
        }
        "mul" if mods[0] == "hi" => {
            Some(Box::new(move |a, b| ty.cut(((ty.signed(a) * ty.signed(b)) >> (8 * ty.bytes())) as u64)))
        }
        "mul" => integer(i128::wrapping_mul),
        // The result of a division by zero is left open.
        "div" => integer(|a, b| a.checked_div(b).unwrap_or(-1)),
        "rem" => integer(|a, b| a.checked_rem(b).unwrap_or(a)),
        "min" => integer(i128::min),
        "max" => integer(i128::max),
        "and" => bits(|a, b| a & b),
        "or" => bits(|a, b| a | b),
        "xor" => bits(|a, b| a ^ b),
        "shl" => {
            Some(Box::new(move |a, b| if b as u32 >= 8 * ty.bytes() as u32 { 0 } else { ty.cut(a << b) }))
        }
        "shr" => {
            Some(Box::new(move |a, b| ty.cut((ty.signed(a) >> (b as u32).min(8 * ty.bytes() as u32)) as u64)))
        }
        _ => None,
    }
}

/// Three operands.
pub(crate) fn ternary(op: &str, mods: &[&str]) -> Option<Ternary> {
    let ty = Ty::parse(mods.last()?)?;
    Some(match op {
        "selp" => Box::new(move |a, b, p| ty.cut(if p & 1 == 1 { a } else { b })),
        "fma" | "mad" if ty == Ty::F32 => {
            let down = mods.contains(&"rm");
            Box::new(move |a, b, c| {
                let [a, b, c] = [a, b, c].map(|bits| f32::from_bits(bits as u32));
                let rounded = a.mul_add(b, c);
                let below = down && f64::from(rounded) > f64::from(a) * f64::from(b) + f64::from(c);
                u64::from(if below { rounded.next_down() } else { rounded }.to_bits())
            })
        }
        "fma" if ty.float() => {
            Box::new(move |a, b, c| ty.bits_of(ty.float_of(a).mul_add(ty.float_of(b), ty.float_of(c))))
        }
        "mad" => {
            let product = binary("mul", mods)?;
            let out = if mods[0] == "wide" { wide(ty) } else { ty };
            Box::new(move |a, b, c| out.cut(product(a, b).wrapping_add(c)))
        }
        "prmt" => Box::new(|a, b, selector| {
            let both = (b << 32) | (a & 0xFFFF_FFFF); // eight bytes to choose from
            let byte = |i: u64| {
                let choice = selector >> (4 * i);
                let byte = (both >> (8 * (choice & 7))) & 0xFF;
                if choice & 8 == 0 { byte } else { 0xFF * (byte >> 7) }
            };
            (0..4).map(|i| byte(i) << (8 * i)).sum()
        }),
        "bfe" => Box::new(move |a, start, length| {
            let (start, length) = (start & 0xFF, length & 0xFF);
            let bits = ty.cut(a).checked_shr(start as u32).unwrap_or(0);
            if length >= 64 { bits } else { bits & ((1 << length) - 1) }
        }),
        "shf" => {
            let left = mods.contains(&"l");
            Box::new(move |low, high, by| {
                let (both, by) = ((high << 32) | (low & 0xFFFF_FFFF), by & 31);
                if left { (both << by) >> 32 } else { (both >> by) & 0xFFFF_FFFF }
            })
        }
        _ => return None,
    })
}

/// `bfi`: the lower bits of the first in the second, from a place on.
pub(crate) fn insert(a: u64, b: u64, start: u64, length: u64) -> u64 {
    let (start, length) = (start & 0xFF, length & 0xFF);
    let mask = if length >= 64 { u64::MAX } else { (1 << length) - 1 };
    let mask = mask.checked_shl(start as u32).unwrap_or(0);
    (b & !mask) | (a.checked_shl(start as u32).unwrap_or(0) & mask)
}

fn wide(ty: Ty) -> Ty {
    match ty {
        Ty::S(bytes) => Ty::S(2 * bytes),
        _ => Ty::U(2 * ty.bytes()),
    }
}

fn compare(how: &str, ty: Ty) -> Option<Binary> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    // An `u` behind a comparison of floats: true where one is not a number.
    let (how, unordered) = match how {
        "equ" | "neu" | "ltu" | "leu" | "gtu" | "geu" => (&how[..2], true),
        _ => (how, false),
    };
    let holds: fn(std::cmp::Ordering) -> bool = match how {
        "eq" => |o| o == Equal,
        "ne" => |o| o != Equal,
        "lt" | "lo" => |o| o == Less,
        "le" | "ls" => |o| o != Greater,
        "gt" | "hi" => |o| o == Greater,
        "ge" | "hs" => |o| o != Less,
        "nan" if ty.float() => {
            return Some(Box::new(move |a, b| u64::from(ty.float_of(a).is_nan() || ty.float_of(b).is_nan())));
        }
        _ => return None,
    };
    Some(if ty.float() {
        Box::new(move |a, b| u64::from(ty.float_of(a).partial_cmp(&ty.float_of(b)).map_or(unordered, holds)))
    } else {
        Box::new(move |a, b| u64::from(holds(ty.signed(a).cmp(&ty.signed(b)))))
    })
}

fn convert(mods: &[&str]) -> Option<Unary> {
    let [how @ .., to, from] = mods else { return None };
    if *to == "tf32" {
        // To the nearest, ties away from zero: an infinity stays one, as its fraction is zero.
        return Some(Box::new(|a| (a + 0x1000) & 0xFFFF_E000));
    }
    let (to, from) = (Ty::parse(to)?, Ty::parse(from)?);
    let round: fn(f64) -> f64 = match how.first().copied() {
        Some("rzi") => f64::trunc,
        Some("rmi") => f64::floor,
        Some("rpi") => f64::ceil,
        Some("rni") => f64::round_ties_even,
        _ => |value| value,
    };
    let saturated = how.contains(&"sat");
    let towards = how.first().copied().filter(|how| matches!(*how, "rz" | "rm" | "rp"));
    let towards = towards.map(str::to_owned);
    Some(match (to.float(), from.float()) {
        (true, _) if towards.is_some() && to == Ty::F32 => {
            let towards = towards?;
            Box::new(move |a| u64::from(rounded(from.float_of(a), &towards).to_bits()))
        }
        (true, _) => Box::new(move |a| {
            let value = round(from.float_of(a));
            to.bits_of(if saturated {
                if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
            } else {
                value
            })
        }),
        // Out of range: the nearest number that there is.
        (false, true) => Box::new(move |a| {
            let (value, bits) = (round(from.float_of(a)), 8 * to.bytes() as u32);
            let limits = match to {
                Ty::S(_) => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
                _ => (0, (1i128 << bits) - 1),
            };
            to.cut((value as i128).clamp(limits.0, limits.1) as u64)
        }),
        (false, false) => Box::new(move |a| to.cut(from.signed(a) as u64)),
    })
}

/// An f32 on the asked side of a number.
fn rounded(value: f64, towards: &str) -> f32 {
    let nearest = value as f32;
    let (above, below) = (f64::from(nearest) > value, f64::from(nearest) < value);
    match towards {
        "rm" if above => nearest.next_down(),
        "rp" if below => nearest.next_up(),
        "rz" if above && value > 0.0 => nearest.next_down(),
        "rz" if below && value < 0.0 => nearest.next_up(),
        _ => nearest,
    }
}
