//! Tool-call replies as text: a typed reply with spans, and JSON as Python reads it.
