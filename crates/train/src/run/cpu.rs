//! The time that the cores computed.

/// Seconds that this thread and those of its pool have computed so far; none where the system does not tell. Runs side by side
/// have a pool each.
pub(super) fn seconds() -> Option<f64> {
    let of_pool: f64 = rayon::broadcast(|_| of_this_thread()).into_iter().sum::<Option<f64>>()?;
    // A thread outside the pool computes beside it.
    let own = if rayon::current_thread_index().is_none() { of_this_thread()? } else { 0.0 };
    Some(of_pool + own)
}

/// Linux tells nanoseconds on a core, nanoseconds in wait for one, and turns.
fn of_this_thread() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = told.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn computing_takes_time_and_waiting_none() {
        let Some(before) = of_this_thread() else { return };
        std::thread::sleep(std::time::Duration::from_millis(30));
        let waited = of_this_thread().unwrap() - before;
        // As long as it takes to have computed so much, however busy the machine is.
        let (whole, begun) = (seconds().unwrap(), of_this_thread().unwrap());
        let mut sum = 0_u64;
        while of_this_thread().unwrap() < begun + 0.02 {
            sum = std::hint::black_box(sum.wrapping_mul(3) + 1);
        }
        assert!(waited < 0.03, "{waited}");
        assert!(seconds().unwrap() >= whole + 0.02, "this thread is outside the pool, and counts");
    }
}
