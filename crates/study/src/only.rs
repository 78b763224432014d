//! Some arms of a plan.

use std::collections::{BTreeSet, HashMap};

use crate::Plan;

impl Plan {
    /// Drops all arms but these, and what was planned for none but the others.
    pub(crate) fn keep(&mut self, names: &[String]) {
        let kept = |name: &String| names.contains(name);
        let study = &mut self.study;
        for of_arms in [&mut self.chains, &mut self.tests] {
            let mut arms = study.arms.iter();
            of_arms.retain(|_| arms.next().is_some_and(|arm| kept(&arm.name)));
        }
        study.arms.retain(|arm| kept(&arm.name));
        study.tables.iter_mut().for_each(|table| table.arms.retain(kept));
        study.tables.retain(|table| !table.arms.is_empty());
        study.findings.retain(|finding| kept(&finding.better) && kept(&finding.worse));
        self.drop_other_runs();
    }

    /// Drops the runs of no arm's chain and no arm's tests.
    fn drop_other_runs(&mut self) {
        let of_arms = self.chains.iter().chain(&self.tests).flatten().flatten();
        let wanted: BTreeSet<usize> = of_arms.copied().collect();
        let places: HashMap<usize, usize> = wanted.iter().enumerate().map(|(new, &old)| (old, new)).collect();
        let place = |old: usize| places.get(&old).copied();
        let mut old = 0..;
        self.runs.retain(|_| old.next().and_then(place).is_some());
        // A run that is wanted starts from one that is: both are of the same chain.
        self.runs.iter_mut().for_each(|run| run.after = run.after.and_then(place));
        for run in self.chains.iter_mut().chain(&mut self.tests).flatten().flatten() {
            *run = place(*run).unwrap_or(*run);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::plan::tests::{plan, plan_of, tested_plan, tested_plan_of};

    #[test]
    fn an_arm_alone_has_the_runs_that_it_has_among_others() {
        let out = Path::new("out");
        let (all, one) = (plan(out), plan_of(out, &["SFT+GRPO"]));
        let dirs: Vec<_> = one.runs.iter().map(|run| &run.dir).collect();
        assert_eq!(dirs, all.runs.iter().map(|run| &run.dir).collect::<Vec<_>>());
        assert_eq!(one.chains, [[vec![0, 1], vec![2, 3]]]);
        assert!(one.study.findings.is_empty(), "the other arm is not there");

        let (all, one) = (tested_plan(out), tested_plan_of(out, &["raw", "SFT"]));
        assert_eq!(one.chains, [vec![vec![], vec![]], vec![vec![2], vec![5]]]);
        assert_eq!(one.tests, [[vec![0, 1], vec![0, 1]], [vec![3, 4], vec![6, 7]]]);
        assert_eq!(one.runs[6].after, Some(5));
        let of_sft = |run: &&crate::PlannedRun| !run.dir.to_string_lossy().contains("grpo");
        let dirs: Vec<_> = all.runs.iter().filter(of_sft).map(|run| &run.dir).collect();
        assert_eq!(one.runs.iter().map(|run| &run.dir).collect::<Vec<_>>(), dirs);
    }
}
