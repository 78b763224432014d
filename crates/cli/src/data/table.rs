//! Columns and bars of text.

use comfy_table::{CellAlignment, Table};

/// Rows in columns, the first to the left, the others to the right; two spaces between them.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        let (space, alignment) =
            if place == 0 { (0, CellAlignment::Left) } else { (2, CellAlignment::Right) };
        column.set_padding((space, 0)).set_cell_alignment(alignment);
    }
    table.trim_fmt() + "\n"
}

/// One line for each label: its count, its share of all, and a bar as long as that share of the greatest.
pub(super) fn bars(counts: &[(String, usize)]) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    const WIDTH: usize = 32;
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    let greatest = counts.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let label_width = counts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let count_width = greatest.to_string().len();
    let line = |(label, count): &(String, usize)| {
        let share = 100.0 * *count as f64 / total.max(1) as f64;
        let eighths = (8 * WIDTH * count).div_ceil(greatest);
        let bar = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
        let line = format!("  {label:<label_width$}  {count:>count_width$}  {share:>5.1} %  {bar}");
        line.trim_end().to_owned() + "\n"
    };
    counts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["", "n", "mean"]), row(["prompt", "1200", "3"])];
        assert_eq!(columns(&rows), "           n  mean\nprompt  1200     3\n");
    }

    #[test]
    fn a_count_above_zero_shows_a_bar() {
        let bars = bars(&[("a".to_owned(), 3200), ("bb".to_owned(), 1), ("c".to_owned(), 0)]);
        let expected =
            format!("  a   3200  100.0 %  {}\n  bb     1    0.0 %  ▏\n  c      0    0.0 %\n", "█".repeat(32));
        assert_eq!(bars, expected);
    }
}
