//! Decoder models, their key-value cache, and Hugging Face weights in and out.
