//! Evaluation of a policy: held-out reward, format rate, exact-call rate.
