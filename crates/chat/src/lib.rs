//! Tokenizers and chat templates of a model directory.
