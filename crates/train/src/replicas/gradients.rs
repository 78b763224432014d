//! The gradients of an update: each device computes those of its share of the packs, and every device gets their sum.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use toolrl_policy::{ParameterGradients, PassSettings};

use super::{Replicas, Replicated, begun, joined};
use crate::pack::Pack;

impl<M: Replicated> Replicas<M> {
    /// The gradients of all packs together, on each device; of no packs, none. `loss` is asked in the order of the packs,
    /// whichever devices compute them, for its derivatives by the numbers of each.
    ///
    /// # Errors
    /// Those of `loss`.
    pub(crate) fn gradients<E>(
        &self,
        packs: &[Pack],
        settings: impl Fn(u64) -> PassSettings + Sync,
        loss: impl FnMut(&Pack, &[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<Option<Vec<ParameterGradients>>, E> {
        if packs.is_empty() {
            return Ok(None);
        }
        let of_devices = match self.are_concurrent() {
            true => self.at_once(packs, settings, loss)?,
            false => self.in_turn(packs, settings, loss)?,
        };
        // A device that had no pack has a part in the sum too.
        let whole = self.all().zip(of_devices).map(|(replica, gradients)| match gradients.is_empty() {
            true => replica.model.policy().zero_gradients(),
            false => gradients,
        });
        Ok(Some(ParameterGradients::all_reduce(whole.collect())))
    }

    /// One pack after the other.
    pub(super) fn in_turn<E>(
        &self,
        packs: &[Pack],
        settings: impl Fn(u64) -> PassSettings,
        mut loss: impl FnMut(&Pack, &[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<Vec<ParameterGradients>, E> {
        let mut devices: Vec<_> =
            self.all().map(|replica| (&replica.model, ParameterGradients::default())).collect();
        for ((number, pack), device) in (0..).zip(packs).zip(dealt(packs, devices.len())) {
            let (model, sum) = &mut devices[device];
            model.add_gradients(&pack.pass, &settings(number), sum, |numbers| loss(pack, numbers))?;
        }
        Ok(devices.into_iter().map(|(_, sum)| sum).collect())
    }

    /// Each device's packs on a thread of its own, which asks this one for the loss. The same gradients as
    /// [`Self::in_turn`], to the bit.
    pub(super) fn at_once<E>(
        &self,
        packs: &[Pack],
        settings: impl Fn(u64) -> PassSettings + Sync,
        mut loss: impl FnMut(&Pack, &[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<Vec<ParameterGradients>, E> {
        let (devices, settings) = (dealt(packs, self.devices()), &settings);
        thread::scope(|scope| {
            let begun = self.all().enumerate().map(|(device, replica)| {
                let (asks, answers) = loss_elsewhere();
                let own = (0..).zip(packs).zip(&devices).filter(move |(_, of)| **of == device);
                let sum = move || {
                    let mut sum = ParameterGradients::default();
                    for ((number, pack), _) in own {
                        let loss = |numbers: &[f32]| asks.ask(numbers);
                        replica.model.add_gradients(&pack.pass, &settings(number), &mut sum, loss)?;
                    }
                    Ok::<_, NoAnswer>(sum)
                };
                (answers, begun(scope, sum))
            });
            let (answers, threads): (Vec<_>, Vec<_>) = begun.unzip();
            let mut of_packs = packs.iter().zip(&devices);
            let answered =
                of_packs.try_for_each(|(pack, &of)| answers[of].answer(|numbers| loss(pack, numbers)));
            // A thread that waits for an answer ends without one.
            drop(answers);
            let sums = joined(threads);
            answered?;
            Ok(sums.into_iter().map(Result::unwrap_or_default).collect())
        })
    }
}

/// The device of each pack: the one that has the fewest tokens so far.
pub(super) fn dealt(packs: &[Pack], devices: usize) -> Vec<usize> {
    let mut tokens = vec![0; devices];
    let of_pack = |pack: &Pack| {
        let device = (0..devices).min_by_key(|device| tokens[*device]).unwrap_or_default();
        tokens[device] += pack.pass.tokens.len();
        device
    };
    packs.iter().map(of_pack).collect()
}

/// A loss on another thread, for the thread of a device.
struct Asks {
    numbers: Sender<Vec<f32>>,
    derivatives: Receiver<Vec<f32>>,
}

/// The thread of a device, for the loss.
struct Answers {
    numbers: Receiver<Vec<f32>>,
    derivatives: Sender<Vec<f32>>,
}

/// The loss failed on a pack, this one or another.
struct NoAnswer;

fn loss_elsewhere() -> (Asks, Answers) {
    let ((ask, numbers), (answer, derivatives)) = (channel(), channel());
    (Asks { numbers: ask, derivatives }, Answers { numbers, derivatives: answer })
}

impl Asks {
    fn ask(&self, numbers: &[f32]) -> Result<Vec<f32>, NoAnswer> {
        self.numbers.send(numbers.to_vec()).map_err(|_| NoAnswer)?;
        self.derivatives.recv().map_err(|_| NoAnswer)
    }
}

impl Answers {
    /// Answers the next question.
    fn answer<E>(&self, loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>) -> Result<(), E> {
        // A thread that asks nothing any more has panicked, and joining it tells.
        let Ok(numbers) = self.numbers.recv() else { return Ok(()) };
        let derivatives = loss(&numbers)?;
        let _ = self.derivatives.send(derivatives);
        Ok(())
    }
}
