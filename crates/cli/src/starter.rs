//! The tiny policy that the quickstart starts from, inside the binary.

use std::path::Path;

use anyhow::Context as _;

/// Name and bytes of its files; fixtures/README.md has the commands that make them.
const FILES: [(&str, &[u8]); 5] = [
    ("config.json", include_bytes!("../../../fixtures/quickstart/config.json")),
    ("generation_config.json", include_bytes!("../../../fixtures/quickstart/generation_config.json")),
    ("model.safetensors", include_bytes!("../../../fixtures/quickstart/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../../fixtures/quickstart/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../../fixtures/quickstart/tokenizer_config.json")),
];

/// Writes the policy's directory.
pub(crate) fn unpack(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, bytes) in FILES {
        let path = dir.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
