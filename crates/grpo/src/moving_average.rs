//! A reference policy that follows the policy.

use crate::GrpoError;

/// Moves a reference's parameters towards the policy's: `reference = alpha * policy + (1 - alpha) * reference`, number by
/// number. TR-DPO's soft update (Gorbatovski et al., arXiv 2404.09656; `alpha` of 1 is its hard update), and
/// TRL's `ref_model_mixup_alpha`.
///
/// # Errors
/// [`GrpoError::LengthMismatch`] for slices of different length, which are then as they were.
pub fn moving_average(reference: &mut [f32], policy: &[f32], alpha: f64) -> Result<(), GrpoError> {
    let (expected, found) = (reference.len(), policy.len());
    if expected != found {
        return Err(GrpoError::LengthMismatch { what: "policy", sequence: 0, expected, found });
    }
    for (reference, &policy) in reference.iter_mut().zip(policy) {
        *reference = (alpha * f64::from(policy) + (1.0 - alpha) * f64::from(*reference)) as f32;
    }
    Ok(())
}
