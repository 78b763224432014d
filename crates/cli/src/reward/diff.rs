//! `toolrl reward diff`.

use toolrl_reward::Registry;
use toolrl_workbench::Diff;

use super::RowsArgs;
use super::choice::choose;
use super::rows::Chunks;

/// Arguments of `toolrl reward diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffArgs {
    /// A reward, as below
    #[arg(value_name = "A")]
    pub a: String,
    /// The reward that it is compared with
    #[arg(value_name = "B")]
    pub b: String,
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Show N rows and N pairs at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Compares two rewards on rows.
pub(super) fn diff(args: &DiffArgs, registry: &Registry) -> anyhow::Result<()> {
    let (a, b) = (choose(&args.a, registry)?.reward, choose(&args.b, registry)?.reward);
    let mut chunks = Chunks::open(&args.rows)?;
    let mut diff = Diff::new(&a.name, &b.name, args.limit);
    loop {
        let rows = chunks.next()?;
        if rows.is_empty() {
            return super::print_report(&diff.finish(), args.json);
        }
        for ((row, a), b) in rows.iter().zip(a.score(&rows)).zip(b.score(&rows)) {
            diff.add(row, &a, &b);
        }
    }
}
