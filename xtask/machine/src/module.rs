//! A module of PTX: its kernels and variables.

use std::collections::HashMap;
use std::sync::Arc;

use crate::MachineError;
use crate::instruction::{Instruction, decode};
use crate::scalar::Ty;
use crate::tokens::tokens;

/// Kernels that were read, and the variables that they share.
pub struct Module {
    kernels: HashMap<String, Arc<Kernel>>,
}

/// A kernel, ready to run.
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Of each parameter the bytes, and where it begins.
    pub parameters: Vec<(usize, usize)>,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) registers: usize,
    /// Registers that hold the same from the beginning on.
    pub(crate) constants: Vec<(u32, Constant)>,
    /// Shared memory that is declared, in bytes; what a launch adds begins behind it.
    pub(crate) shared: usize,
    /// Memory of each lane.
    pub(crate) local: usize,
    /// Held for the addresses in `constants`.
    _variables: Arc<Vec<Box<[u64]>>>,
}

/// What a register holds that no instruction writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Value(u64),
    /// A register of PTX's own, such as `%tid.x`.
    Special(String),
    Shared(u64),
    Local(u64),
    Parameter(u64),
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    ///
    /// Text that is no PTX, and instructions that are not known.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        let mut reader = Reader::new(tokens(text));
        let mut pending: Vec<Kernel> = Vec::new();
        while let Some(token) = reader.peek() {
            match token {
                ".version" | ".target" | ".address_size" => reader.skip_directive(token),
                ".entry" => pending.push(reader.kernel()?),
                ".global" | ".const" | ".shared" => reader.variable()?,
                ".func" => return Err(MachineError::Unknown("a function that is not inlined".to_owned())),
                ".section" => reader.skip_section(),
                _ => reader.at += 1,
            }
        }
        let variables = Arc::new(std::mem::take(&mut reader.variables));
        let shared = |kernel: Kernel| Arc::new(Kernel { _variables: variables.clone(), ..kernel });
        Ok(Self {
            kernels: pending.into_iter().map(|kernel| (kernel.name.clone(), shared(kernel))).collect(),
        })
    }

    /// The kernel of a name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn kernel(&self, name: &str) -> Result<Arc<Kernel>, MachineError> {
        self.kernels.get(name).cloned().ok_or_else(|| MachineError::NoKernel(name.to_owned()))
    }
}

/// A text on its way to a module.
pub(crate) struct Reader<'a> {
    tokens: Vec<&'a str>,
    pub at: usize,
    /// Names that the module declares.
    symbols: HashMap<String, Constant>,
    variables: Vec<Box<[u64]>>,
    /// Shared memory that the module declares.
    shared: usize,
    body: Body,
}

/// What is known of the kernel that is read.
#[derive(Default)]
struct Body {
    /// The innermost scope last: registers and variables by name.
    scopes: Vec<HashMap<String, u32>>,
    symbols: HashMap<String, Constant>,
    constants: HashMap<Constant, u32>,
    registers: u32,
    local: usize,
    labels: HashMap<String, usize>,
    /// Innermost scope last, as numbers, since labels of inner scopes may repeat.
    path: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(tokens: Vec<&'a str>) -> Self {
        let (symbols, variables) = (HashMap::new(), Vec::new());
        Self { tokens, at: 0, symbols, variables, shared: 0, body: Body::default() }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    pub fn next(&mut self) -> &'a str {
        self.at += 1;
        self.tokens.get(self.at - 1).copied().unwrap_or("the end")
    }

    /// Whether the next token is this one, which is then passed.
    pub fn take(&mut self, token: &str) -> bool {
        let there = self.peek() == Some(token);
        self.at += usize::from(there);
        there
    }

    pub fn expect(&mut self, token: &'static str) -> Result<(), MachineError> {
        match self.next() {
            found if found == token => Ok(()),
            found => Err(MachineError::Syntax { expected: token, found: found.to_owned() }),
        }
    }

    /// Directives without an end of their own, and their arguments.
    fn skip_directive(&mut self, name: &str) {
        self.at += 2;
        while name == ".target" && self.take(",") {
            self.at += 1;
        }
    }

    fn skip_section(&mut self) {
        while self.peek().is_some_and(|token| token != "}") {
            self.at += 1;
        }
        self.at += 1;
    }

    fn number(&mut self, expected: &'static str) -> Result<usize, MachineError> {
        let found = self.next();
        found.parse().map_err(|_| MachineError::Syntax { expected, found: found.to_owned() })
    }

    /// `.global .align 8 .u64 name[count] = value;`, and shared memory, of the module or of a kernel.
    fn variable(&mut self) -> Result<(), MachineError> {
        let space = self.next();
        let mut align = 1;
        let mut bytes = 0;
        let name = loop {
            match self.next() {
                ".align" => align = self.number("a number of bytes")?,
                word if word.starts_with('.') => {
                    bytes =
                        Ty::parse(&word[1..]).ok_or_else(|| MachineError::Unknown(word.to_owned()))?.bytes();
                }
                word => break word.to_owned(),
            }
        };
        let mut count = 1;
        if self.take("[") {
            count = if self.peek() == Some("]") { 0 } else { self.number("a number of elements")? };
            self.expect("]")?;
        }
        let constant = match space {
            ".shared" => {
                self.shared = self.shared.next_multiple_of(align.max(bytes));
                let at = self.shared;
                self.shared += count * bytes;
                Constant::Shared(at as u64)
            }
            ".local" => {
                self.body.local = self.body.local.next_multiple_of(align.max(bytes));
                let at = self.body.local;
                self.body.local += count * bytes;
                Constant::Local(at as u64)
            }
            _ => {
                let mut memory = vec![0u64; (count * bytes).div_ceil(8)].into_boxed_slice();
                if self.take("=") {
                    self.initial(&mut memory, bytes)?;
                }
                let address = memory.as_ptr() as u64;
                self.variables.push(memory);
                Constant::Value(address)
            }
        };
        self.expect(";")?;
        let symbols = if self.body.scopes.is_empty() { &mut self.symbols } else { &mut self.body.symbols };
        symbols.insert(name, constant);
        Ok(())
    }

    fn initial(&mut self, memory: &mut [u64], bytes: usize) -> Result<(), MachineError> {
        let many = self.take("{");
        for i in 0.. {
            let value = self.immediate()?;
            // SAFETY: the variable was made with room for as many as are declared, and those that are given are no more.
            unsafe { crate::memory::write(memory.as_mut_ptr() as u64 + (i * bytes) as u64, bytes, value) };
            if !many || !self.take(",") {
                break;
            }
        }
        if many { self.expect("}") } else { Ok(()) }
    }

    /// A number as it is written: whole, or the bits of a floating one.
    pub fn immediate(&mut self) -> Result<u64, MachineError> {
        let negative = self.take("-");
        let word = self.next();
        let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let value = match word.get(..2) {
            Some("0f" | "0F" | "0d" | "0D" | "0x") => hex(word[2..].trim_end_matches('U')),
            _ => word.trim_end_matches('U').parse().ok(),
        };
        let value = value.ok_or(MachineError::Syntax { expected: "a number", found: word.to_owned() })?;
        Ok(if negative { value.wrapping_neg() } else { value })
    }

    fn kernel(&mut self) -> Result<Kernel, MachineError> {
        self.expect(".entry")?;
        let name = self.next().to_owned();
        self.body = Body::default();
        let parameters = self.parameters()?;
        while self.peek().is_some_and(|token| token != "{") {
            self.at += 1; // .maxntid and its like
        }
        let mut instructions = Vec::new();
        self.statements(&mut instructions)?;
        for instruction in &mut instructions {
            instruction.resolve(&self.body.labels)?;
        }
        let body = std::mem::take(&mut self.body);
        Ok(Kernel {
            name,
            parameters,
            instructions,
            registers: body.registers as usize,
            constants: body.constants.into_iter().map(|(constant, register)| (register, constant)).collect(),
            shared: self.shared,
            local: body.local,
            _variables: Arc::default(),
        })
    }

    /// `(.param .u64 name, .param .align 4 .b8 name[32])`.
    fn parameters(&mut self) -> Result<Vec<(usize, usize)>, MachineError> {
        let (mut all, mut end) = (Vec::new(), 0usize);
        self.expect("(")?;
        while !self.take(")") {
            let (mut align, mut bytes, mut name) = (0, 0, "");
            while !matches!(self.peek(), Some("," | ")" | "[") | None) {
                match self.next() {
                    ".param" | ".ptr" | ".global" => {}
                    ".align" => align = self.number("a number of bytes")?,
                    word if word.starts_with('.') => bytes = Ty::parse(&word[1..]).map_or(0, Ty::bytes),
                    word => name = word,
                }
            }
            let mut size = bytes;
            if self.take("[") {
                size *= self.number("a number of elements")?;
                self.expect("]")?;
            }
            self.take(",");
            end = end.next_multiple_of(align.max(bytes).max(1));
            self.body.symbols.insert(name.to_owned(), Constant::Parameter(end as u64));
            all.push((size, end));
            end += size;
        }
        Ok(all)
    }

    /// Everything between a brace and its partner.
    fn statements(&mut self, instructions: &mut Vec<Instruction>) -> Result<(), MachineError> {
        self.expect("{")?;
        self.body.scopes.push(HashMap::new());
        self.body.path.push(self.at);
        while !self.take("}") {
            match self.peek() {
                Some("{") => self.statements(instructions)?,
                Some(".reg") => self.registers()?,
                Some(".shared" | ".local") => self.variable()?,
                Some(";") => self.at += 1,
                Some(name) if self.tokens.get(self.at + 1) == Some(&":") => {
                    self.at += 2;
                    let label = self.label(name);
                    self.body.labels.insert(label, instructions.len());
                }
                Some(_) => instructions.push(decode(self)?),
                None => return Err(MachineError::Syntax { expected: "}", found: "the end".to_owned() }),
            }
        }
        self.body.scopes.pop();
        self.body.path.pop();
        Ok(())
    }

    /// `.reg .b32 %r<12>;` or `.reg .pred p, q;`.
    fn registers(&mut self) -> Result<(), MachineError> {
        self.at += 2;
        while !self.take(";") {
            let name = self.next();
            let names: Vec<String> = if self.take("<") {
                let count = self.number("a number of registers")?;
                self.expect(">")?;
                (0..count).map(|i| format!("{name}{i}")).collect()
            } else {
                vec![name.to_owned()]
            };
            for name in names {
                let register = self.body.registers;
                self.body.registers += 1;
                if let Some(scope) = self.body.scopes.last_mut() {
                    scope.insert(name, register);
                }
            }
            self.take(",");
        }
        Ok(())
    }

    /// A label with the scope that it is in. Labels of compilers are the function's.
    pub fn label(&self, name: &str) -> String {
        let scope = if name.starts_with('$') { None } else { self.body.path.last() };
        format!("{name}@{}", scope.copied().unwrap_or_default())
    }

    /// The register that holds what a name or number says.
    pub fn value(&mut self) -> Result<u32, MachineError> {
        let Some(token) = self.peek() else {
            return Err(MachineError::Syntax { expected: "an operand", found: "the end".to_owned() });
        };
        if token == "-" || token.starts_with(|c: char| c.is_ascii_digit()) {
            let value = self.immediate()?;
            return Ok(self.constant(Constant::Value(value)));
        }
        self.at += 1;
        if let Some(&register) = self.body.scopes.iter().rev().find_map(|scope| scope.get(token)) {
            return Ok(register);
        }
        let symbol = self.body.symbols.get(token).or_else(|| self.symbols.get(token)).cloned();
        match symbol {
            Some(symbol) => Ok(self.constant(symbol)),
            None if token.starts_with('%') => Ok(self.constant(Constant::Special(token[1..].to_owned()))),
            None => Err(MachineError::Undeclared(token.to_owned())),
        }
    }

    /// A register that is written and never read: where `_` stands.
    pub fn ignored(&mut self) -> u32 {
        self.body.registers += 1;
        self.body.registers - 1
    }

    fn constant(&mut self, constant: Constant) -> u32 {
        let registers = &mut self.body.registers;
        *self.body.constants.entry(constant).or_insert_with(|| {
            *registers += 1;
            *registers - 1
        })
    }
}
