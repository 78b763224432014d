//! Python's set of integers, with the order in which it is written.

use std::fmt;

/// A set of positive integers in the order of CPython's hash table.
#[derive(Clone, Debug)]
pub(crate) struct IdSet {
    /// A power of two of slots.
    table: Vec<Option<u64>>,
    length: usize,
}

impl Default for IdSet {
    fn default() -> Self {
        Self { table: vec![None; 8], length: 0 }
    }
}

impl IdSet {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.table[self.slot(id)].is_some()
    }

    /// Adds an id. The table grows to over four times its ids when three fifths of it are taken.
    pub(crate) fn insert(&mut self, id: u64) {
        let slot = self.slot(id);
        if self.table[slot].replace(id).is_some() {
            return;
        }
        self.length += 1;
        if self.length * 5 >= (self.table.len() - 1) * 3 {
            let size = (self.length * 4 + 1).next_power_of_two();
            let old = std::mem::replace(&mut self.table, vec![None; size]);
            for id in old.into_iter().flatten() {
                let slot = self.slot(id);
                self.table[slot] = Some(id);
            }
        }
    }

    /// The id's slot, or the free one where it belongs: nine neighbours are tried before a jump.
    fn slot(&self, id: u64) -> usize {
        let mask = self.table.len() - 1;
        let (mut perturb, mut at) = (id, id as usize & mask);
        loop {
            let neighbours = if at + 9 <= mask { 9 } else { 0 };
            let fits = |slot: &usize| self.table[*slot].is_none_or(|own| own == id);
            if let Some(slot) = (at..=at + neighbours).find(fits) {
                return slot;
            }
            perturb >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
        }
    }
}

/// Writes as Python's `repr` of a set does.
impl fmt::Display for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return f.write_str("set()");
        }
        let ids: Vec<String> = self.table.iter().flatten().map(u64::to_string).collect();
        write!(f, "{{{}}}", ids.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::IdSet;

    /// The order is that of CPython 3.11.
    #[test]
    fn ids_are_written_in_the_order_of_the_table() {
        let mut set = IdSet::default();
        assert_eq!(set.to_string(), "set()");
        for (id, wanted) in ORDERS {
            set.insert(*id);
            set.insert(*id);
            assert!(set.contains(*id) && !set.contains(id + 1));
            assert_eq!(set.to_string(), *wanted);
        }
        assert_eq!(set.len(), ORDERS.len());
    }

    const ORDERS: &[(u64, &str)] = &[
        (41190, "{41190}"),
        (87678, "{87678, 41190}"),
        (81333, "{87678, 81333, 41190}"),
        (27094, "{87678, 27094, 81333, 41190}"),
        (58490, "{41190, 81333, 27094, 58490, 87678}"),
        (89157, "{89157, 41190, 81333, 27094, 58490, 87678}"),
        (72135, "{89157, 41190, 72135, 81333, 27094, 58490, 87678}"),
        (92014, "{89157, 41190, 72135, 92014, 81333, 27094, 58490, 87678}"),
        (86133, "{89157, 41190, 72135, 92014, 81333, 27094, 86133, 58490, 87678}"),
        (18588, "{89157, 41190, 72135, 92014, 81333, 27094, 86133, 58490, 18588, 87678}"),
        (89377, "{89377, 89157, 41190, 72135, 92014, 81333, 27094, 86133, 58490, 18588, 87678}"),
        (11725, "{89377, 89157, 41190, 72135, 11725, 92014, 81333, 27094, 86133, 58490, 18588, 87678}"),
    ];
}
