//! What is added to a reward for the length of the reply alone.

/// DAPO's soft punishment of overlong replies (arXiv 2503.14476, equation 13): 0 for a reply of at most
/// `max_tokens - buffer` tokens, then falling evenly to -1 at `max_tokens`, and -1 beyond.
///
/// ```
/// use toolrl_grpo::soft_overlong;
///
/// assert_eq!(soft_overlong(80, 100, 20), 0.0);
/// assert_eq!(soft_overlong(90, 100, 20), -0.5);
/// assert_eq!(soft_overlong(100, 100, 20), -1.0);
/// assert_eq!(soft_overlong(100, 100, 0), 0.0);
/// ```
pub fn soft_overlong(tokens: usize, max_tokens: usize, buffer: usize) -> f64 {
    let free = max_tokens.saturating_sub(buffer);
    match tokens.saturating_sub(free) {
        0 => 0.0,
        over => -(over as f64 / buffer.max(1) as f64).min(1.0),
    }
}
