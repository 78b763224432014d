//! `toolrl reward forecast`.

use toolrl_reward::Registry;
use toolrl_workbench::Forecast;

use super::RowsArgs;
use super::choice::RewardArgs;
use super::rows::Chunks;

/// What the columns mean, for `--help`.
pub(super) const HELP: &str = "\
--rows takes several sampled replies to each prompt, for instance a finished run's directory.

least, most       share of replies with the term's least and greatest value
flat              share of groups in which the term does not vary
centred,          the term's share in the variance of the advantage, within groups:
normalized, gdpo  cov(part, advantage) / var(advantage), for mean_centered, group_normalized and
                  reward_decoupled; the terms' shares add up to 100%, those of correctness's
                  parts to its own
useful groups     groups of a batch (--batch) with an advantage other than 0
effective groups  (sum q)^2 / sum q^2 of the groups' squared advantages q: how many the
                  gradient listens to

The advice follows fixed rules, in this order: half of the groups without spread or more; one term with 80% of \
the normalized advantage and another that varies with at most 10%; a tenth of the ties within groups between \
different mixtures of terms; a spread of groups that differs 5-fold between the tenth and the ninetieth \
percentile; groups of 3 or fewer. docs/rewards.md says more. REWARD is as for `reward explain`.

Example:
  toolrl reward forecast --rows runs/quickstart-1 --recipe runs/quickstart-1/config.toml";

/// Arguments of `toolrl reward forecast`.
#[derive(Clone, Debug, clap::Args)]
pub struct ForecastArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    #[command(flatten)]
    pub(crate) reward: RewardArgs,
    /// Prompts a training step [default: the recipe's, or 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Tells what a reward will teach.
pub(super) fn forecast(args: &ForecastArgs, registry: &Registry) -> anyhow::Result<()> {
    let chosen = args.reward.reward(registry)?;
    let mut chunks = Chunks::open(&args.rows)?;
    let mut forecast = Forecast::new();
    loop {
        let rows = chunks.next()?;
        if rows.is_empty() {
            break;
        }
        for (row, scored) in rows.iter().zip(chosen.reward.score(&rows)) {
            forecast.add(row, &scored);
        }
    }
    let batch = args.batch.map(|n| n as usize).or(chosen.prompts).unwrap_or(16);
    super::print_report(&forecast.finish(batch)?, args.json)
}
