//! Products by AMX's tiles on machines without them: the text that the assembler gets is run by an interpreter, in which
//! each instruction does what Intel's manual (volume 2, "AMX instructions") says of it.
//!
//! What the assembler makes of the text is seen in a test program: `objdump -d -M intel target/debug/deps/toolrl_cpu-… |
//! grep tmm` shows the same lines in the same order, once.

use std::cell::RefCell;
use std::collections::HashMap;

use half::bf16;
use pulp::bytemuck::{cast_slice, cast_slice_mut};

use super::super::amx::text::{SHAPES, TEXT};
use super::super::amx::{SIDE, Square, Unit, multiplies};
use super::super::numbers::Floats;
use super::tests::check_pairs;
use super::{Factors, Mat, Out, Write, multiply};

/// A tile: 16 rows of 64 bytes, and how much of them its shape has.
#[derive(Clone, Copy, Default)]
struct TileData {
    rows: usize,
    row_bytes: usize,
    data: [[[u8; 4]; 16]; 16],
}

thread_local! {
    /// This thread's tiles, where they are configured.
    static TILES: RefCell<Option<[TileData; 8]>> = const { RefCell::new(None) };
}

/// What instructions see beside the tiles: named registers, and pieces of memory at addresses.
struct Machine {
    registers: HashMap<&'static str, usize>,
    memory: Vec<(usize, Vec<u8>)>,
}

impl Machine {
    /// The bytes at an address, all of which must be in one piece.
    fn bytes(&mut self, address: usize, len: usize) -> &mut [u8] {
        let has = |(start, bytes): &&mut (usize, Vec<u8>)| {
            *start <= address && address + len <= *start + bytes.len()
        };
        let Some((start, bytes)) = self.memory.iter_mut().find(has) else {
            panic!("{len} bytes at {address:#x} are in no operand");
        };
        &mut bytes[address - *start..][..len]
    }

    /// `[{base} + {index}*1 + displacement]`: the base with the displacement, and the index.
    fn address(&self, operand: &str) -> (usize, usize) {
        let (mut base, mut index) = (0, 0);
        for term in operand.trim_matches(['[', ']']).split(" + ") {
            match term.strip_suffix("*1") {
                Some(register) => index = self.registers[name(register)],
                None if term.starts_with('{') => base += self.registers[name(term)],
                None => base += term.parse::<usize>().unwrap(),
            }
        }
        (base, index)
    }

    fn run(&mut self, text: &str) {
        TILES.with_borrow_mut(|tiles| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let (mut next, mut zero) = (0, false);
            while let Some(line) = lines.get(next) {
                next += 1;
                let (instruction, operands) = line.split_once(' ').unwrap_or((line, ""));
                let operands: Vec<&str> = operands.split(", ").collect();
                match (instruction, &operands[..]) {
                    ("add", [register, number]) => {
                        let register = self.registers.get_mut(name(register)).unwrap();
                        *register += number.parse::<usize>().unwrap();
                        zero = *register == 0;
                    }
                    ("dec", [register]) => {
                        let register = self.registers.get_mut(name(register)).unwrap();
                        *register -= 1;
                        zero = *register == 0;
                    }
                    ("jnz", ["2b"]) if zero => {}
                    ("jnz", ["2b"]) => next = lines.iter().position(|line| *line == "2:").unwrap(),
                    ("2:", _) => {}
                    ("ldtilecfg", [from]) => {
                        let from = self.address(from).0;
                        *tiles = Some(configured(self.bytes(from, 64)));
                    }
                    ("tilerelease", _) => *tiles = None,
                    _ => {
                        let tiles = tiles.as_mut().expect("tiles that are not configured");
                        self.on_tiles(instruction, &operands, tiles);
                    }
                }
            }
        });
    }

    fn on_tiles(&mut self, instruction: &str, operands: &[&str], tiles: &mut [TileData; 8]) {
        match (instruction, operands) {
            ("tilezero", [to]) => tiles[tile(to)].data = Default::default(),
            ("tileloadd", [to, from]) => {
                let ((from, stride), to) = (self.address(from), &mut tiles[tile(to)]);
                to.data = Default::default();
                for row in 0..to.rows {
                    let bytes = self.bytes(from + row * stride, to.row_bytes);
                    to.data[row].as_flattened_mut()[..to.row_bytes].copy_from_slice(bytes);
                }
            }
            ("tilestored", [to, from]) => {
                let ((to, stride), from) = (self.address(to), &tiles[tile(from)]);
                for row in 0..from.rows {
                    let bytes = self.bytes(to + row * stride, from.row_bytes);
                    bytes.copy_from_slice(&from.data[row].as_flattened()[..from.row_bytes]);
                }
            }
            ("tdpbf16ps", [sums, left, right]) => {
                let [left, right] = [left, right].map(|operand| tiles[tile(operand)]);
                add_products(&mut tiles[tile(sums)], &left, &right);
            }
            _ => panic!("no such instruction: {instruction} {operands:?}"),
        }
    }
}

fn name(operand: &str) -> &str {
    operand.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap()
}

fn tile(operand: &str) -> usize {
    operand.strip_prefix("tmm").unwrap().parse().unwrap()
}

/// Palette 1 from row 0; two bytes a tile from byte 16 on, one from byte 48 on; all others must be zeros.
fn configured(bytes: &[u8]) -> [TileData; 8] {
    assert_eq!((bytes[0], bytes[1]), (1, 0));
    assert!([&bytes[2..16], &bytes[32..48], &bytes[56..]].concat().iter().all(|&byte| byte == 0));
    std::array::from_fn(|tile| {
        let row_bytes = usize::from(u16::from_le_bytes([bytes[16 + 2 * tile], bytes[17 + 2 * tile]]));
        let rows = usize::from(bytes[48 + tile]);
        assert!((1..=64).contains(&row_bytes) && (1..=16).contains(&rows));
        TileData { rows, row_bytes, ..TileData::default() }
    })
}

/// A row's products by the low numbers of pairs and those by the high ones are added up apart, in f32, each as a fused
/// multiply-add; then both to the sum that is there. Numbers too small to be normal are zeros everywhere.
fn add_products(sums: &mut TileData, left: &TileData, right: &TileData) {
    assert!(left.row_bytes / 4 == right.rows && sums.rows == left.rows && sums.row_bytes == right.row_bytes);
    let normal = |x: f32| if x.is_subnormal() { 0.0 } else { x };
    let number = |pair: [u8; 4], high: usize| {
        normal(bf16::from_le_bytes([pair[2 * high], pair[2 * high + 1]]).to_f32())
    };
    for m in 0..sums.rows {
        for n in 0..sums.row_bytes / 4 {
            let mut products = [0.0; 2];
            for k in 0..right.rows {
                for (high, products) in products.iter_mut().enumerate() {
                    let (a, b) = (number(left.data[m][k], high), number(right.data[k][n], high));
                    *products = normal(a.mul_add(b, *products));
                }
            }
            let sum = &mut sums.data[m][n];
            let products = normal(products[0] + products[1]);
            *sum = normal(normal(f32::from_le_bytes(*sum)) + products).to_le_bytes();
        }
    }
}

fn begin() {
    let shapes = 64;
    let memory = vec![(shapes, SHAPES.0.to_vec())];
    Machine { registers: HashMap::from([("shapes", shapes)]), memory }.run(TEXT[0]);
}

fn end() {
    Machine { registers: HashMap::new(), memory: Vec::new() }.run(TEXT[2]);
}

fn square(rows: &[f32], columns: &[f32], sums: &mut Square) {
    by_text(TEXT[1], rows, columns, sums);
}

fn by_text(text: &str, rows: &[f32], columns: &[f32], sums: &mut Square) {
    let width = rows.len() / SIDE;
    let at = [1 << 20, 1 << 30, 1 << 40];
    let registers = HashMap::from([
        ("upper", at[0]),
        ("lower", at[0] + SIDE / 2 * width * 4),
        ("row", width * 4),
        ("columns", at[1]),
        ("side", SIDE * 4),
        ("steps", width / 16),
        ("sums", at[2]),
    ]);
    let pieces = [rows, columns, sums.0.as_flattened()].map(|piece| cast_slice(piece).to_vec());
    let mut machine = Machine { registers, memory: at.into_iter().zip(pieces).collect() };
    machine.run(text);
    cast_slice_mut(sums.0.as_flattened_mut()).copy_from_slice(&machine.memory[2].1);
}

static INTERPRETED: Unit = Unit { begin, square, end };

/// Whole and broken tiles, squares and depths.
#[test]
fn products_by_interpreted_tiles_equal_f64_sums() {
    let by_squares = |out: &mut [f32], stride, write, lhs: Mat, rhs: Mat, threads| {
        assert!(lhs.shape.0 == 0 || (lhs.shape.0 - 1) * stride + rhs.shape.1 <= out.len());
        let out = Out { data: out.as_mut_ptr(), stride };
        // SAFETY: the assertion above bounds the writes.
        unsafe { multiply(Factors::Squares(&INTERPRETED), out, write, lhs, rhs, threads) }
        assert!(TILES.with_borrow(Option::is_none), "tiles are given back");
    };
    let shapes = [(1, 1, 1), (7, 2, 47), (32, 32, 64), (65, 33, 100), (7, 984, 33), (70, 385, 110)];
    check_pairs(by_squares, &shapes);
}

/// What stands behind an operand's rows is not multiplied, not even by zeros.
#[test]
fn numbers_outside_an_operand_are_not_read() {
    let (m, k, n) = (3, 5, 4);
    let poisoned = |rows: usize, cols: usize| -> Vec<bf16> {
        let number = |i: usize| if i % (cols + 1) < cols { 1.0 } else { f32::NAN };
        (0..rows * (cols + 1)).map(|i| bf16::from_f32(number(i))).collect()
    };
    let (a, b) = (poisoned(m, k), poisoned(n, k));
    let mut out = vec![0.5; m * n];
    let (lhs, rhs) = (Mat::stored(Floats::Bf16(&a), m, k, k + 1), Mat::stored(Floats::Bf16(&b), n, k, k + 1));
    let to = Out { data: out.as_mut_ptr(), stride: n };
    // SAFETY: the result is m by n.
    unsafe {
        let factors = Factors::Squares(&INTERPRETED);
        multiply(factors, to, Write::Add, lhs, rhs.t(), super::Threads::One);
    }
    assert_eq!(out, vec![5.5; m * n]);
}

/// By the product that a machine is asked for before any other: one that gives nothing, and some with a wrong line.
#[test]
fn wrong_tiles_are_noticed() {
    assert!(multiplies(&INTERPRETED));
    let nothing = |_: &[f32], _: &[f32], sums: &mut Square| *sums = Square::zeros();
    assert!(!multiplies(&Unit { begin, square: nothing, end }));
    let turned = |rows: &[f32], columns: &[f32], sums: &mut Square| {
        by_text(&TEXT[1].replace("tmm2, tmm5, tmm6", "tmm2, tmm6, tmm5"), rows, columns, sums);
    };
    assert!(!multiplies(&Unit { begin, square: turned, end }));
    let once = |rows: &[f32], columns: &[f32], sums: &mut Square| {
        by_text(&TEXT[1].replace("jnz 2b", "dec {steps}"), rows, columns, sums);
    };
    assert!(!multiplies(&Unit { begin, square: once, end }));
    let three = |rows: &[f32], columns: &[f32], sums: &mut Square| {
        by_text(&TEXT[1].replace(" + 2112], tmm3", " + 2112], tmm0"), rows, columns, sums);
    };
    assert!(!multiplies(&Unit { begin, square: three, end }));
}
