//! `toolrl replay`.

use anyhow::bail;
use toolrl_train::Registry;

use crate::args::ReplayArgs;
use crate::progress::Progress;
use crate::train::block_on;

/// Computes a step of a run again; whether it is the same goes to standard output.
pub(crate) fn replay(args: &ReplayArgs, registry: &Registry) -> anyhow::Result<()> {
    let found =
        block_on(toolrl_train::replay(&args.run, args.step, args.device, registry, &mut Progress::new()))?;
    let from = if found.from == 0 { "the beginning".to_owned() } else { format!("step {}", found.from) };
    let Some(kept) = &found.kept else {
        println!(
            "step {} from {from}: {} replies, their rewards, every metric and the weights are the same to the bit",
            found.step, found.replies
        );
        return Ok(());
    };
    for difference in &found.differences {
        println!("{difference}");
    }
    bail!("step {} from {from} is not the same; what was computed is in {}", found.step, kept.display())
}
