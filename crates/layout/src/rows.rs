//! What a layer's projections give of a decoding step's tokens, in numbers of any kind `T`: tensors, or memory.

/// Queries, keys and values as a layer's projections gave them.
#[derive(Clone, Debug)]
pub enum Projected<T> {
    /// Queries `[s, query heads * dim]`, keys and values `[s, kv heads * dim]`, stored alike.
    Apart([T; 3]),
    /// Side by side in the rows of one product, `[s, (query heads + 2 * kv heads) * dim]`.
    Joined(T),
}

/// The rows of a step's s tokens.
#[derive(Clone, Debug)]
pub struct NewRows<T, R = T> {
    /// Queries, keys and values.
    pub qkv: Projected<T>,
    /// Their biases, stored alike, one row each, where they are still to be added.
    pub biases: Option<[R; 3]>,
}

impl<T, R> NewRows<T, R> {
    /// The same of other numbers.
    pub fn map<U, S>(self, number: impl FnMut(T) -> U, bias: impl FnMut(R) -> S) -> NewRows<U, S> {
        NewRows { qkv: self.qkv.map(number), biases: self.biases.map(|biases| biases.map(bias)) }
    }
}

impl<T> Projected<T> {
    /// The queries, or all where they stand side by side.
    pub fn first(&self) -> &T {
        match self {
            Self::Apart([first, ..]) | Self::Joined(first) => first,
        }
    }

    fn map<U>(self, mut number: impl FnMut(T) -> U) -> Projected<U> {
        match self {
            Self::Apart(qkv) => Projected::Apart(qkv.map(number)),
            Self::Joined(all) => Projected::Joined(number(all)),
        }
    }
}
