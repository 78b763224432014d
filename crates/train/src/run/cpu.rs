//! The time that the cores computed.

use toolrl_cpu::team::seconds_of_this_thread;

/// Seconds that this thread and those of its pool have computed so far, with the threads that help them; none where the
/// system does not tell. Runs side by side have a pool each.
pub(super) fn seconds() -> Option<f64> {
    let of_pool: f64 = rayon::broadcast(|_| seconds_of_this_thread()).into_iter().sum::<Option<f64>>()?;
    // A thread outside the pool computes beside it.
    let own = if rayon::current_thread_index().is_none() { seconds_of_this_thread()? } else { 0.0 };
    Some(of_pool + own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn computing_takes_time_and_waiting_none() {
        let own = || seconds_of_this_thread().unwrap();
        let before = own();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let waited = own() - before;
        // As long as it takes to have computed so much, however busy the machine is.
        let (whole, begun) = (seconds().unwrap(), own());
        let mut sum = 0_u64;
        while own() < begun + 0.02 {
            sum = std::hint::black_box(sum.wrapping_mul(3) + 1);
        }
        assert!(waited < 0.03, "{waited}");
        assert!(seconds().unwrap() >= whole + 0.02, "this thread is outside the pool, and counts");
    }
}
