//! The rotary settings, in both of transformers' spellings: `rope_scaling` beside `rope_theta`, and `rope_parameters`.

use serde_json::{Map, Value};

use super::RopeScaling;
use super::keys::Keys;
use crate::PolicyError;

/// Keys of every rope type.
const EVERY: [&str; 4] = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
/// Keys of some rope type.
const SOME: [&str; 12] = [
    "factor",
    "original_max_position_embeddings",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "low_freq_factor",
    "high_freq_factor",
    "short_factor",
    "long_factor",
];
const KINDS: &str = "default, linear, dynamic, yarn, llama3";

impl Keys<'_> {
    /// The base of the frequencies and their change, as transformers 5.24 settles them: a `rope_scaling` that holds
    /// something stands in the place of `rope_parameters`, and what stands within counts before what stands beside.
    /// Where neither tells a base, it is `theta`.
    pub(super) fn rope(
        &self,
        dim: usize,
        positions: usize,
        theta: f64,
    ) -> Result<(f64, RopeScaling), PolicyError> {
        let (scaling, parameters) = (self.object("rope_scaling")?, self.object("rope_parameters")?);
        if scaling.is_some() && parameters.is_some() {
            self.compare("rope_scaling", "rope_parameters");
        }
        let name = if scaling.is_some() { "rope_scaling" } else { "rope_parameters" };
        let nothing = Map::new();
        let of = scaling.or(parameters).unwrap_or(&nothing);
        Within { keys: self, name, of, positions, nested: false, base: "rope_theta" }.settled(theta, dim)
    }

    /// As [`Self::rope`], of layers that see all tokens and of those that see a window: in transformers' spelling for
    /// families with both, and in Gemma 3's own (`rope_scaling` and `rope_theta` for the former, `rope_local_base_freq`).
    pub(super) fn ropes_by_layer(
        &self,
        dim: usize,
        positions: usize,
    ) -> Result<[(f64, RopeScaling); 2], PolicyError> {
        let (scaling, parameters) = (self.object("rope_scaling")?, self.object("rope_parameters")?);
        let names = ["full_attention", "sliding_attention"];
        let nothing = Map::new();
        let all = parameters.unwrap_or(&nothing);
        if let Some((key, value)) = all.iter().find(|(key, _)| !names.contains(&key.as_str())) {
            let option = format!("rope_parameters.{key}");
            return Err(self.unsupported(&option, value, "full_attention and sliding_attention"));
        }
        let of = |name: &str| match all.get(name).filter(|of| !of.is_null()) {
            Some(of) => {
                let wrong = || self.wrong(format!("rope_parameters.{name} should be an object, not {of}"));
                of.as_object().cloned().ok_or_else(wrong)
            }
            None => Ok(Map::from_iter([("rope_type".to_owned(), Value::from("default"))])),
        };
        let (mut full, sliding) = (of(names[0])?, of(names[1])?);
        full.extend(scaling.cloned().unwrap_or_default());
        let settled = |name, of: &Map<String, Value>, base, theta| {
            Within { keys: self, name, of, positions, nested: true, base }.settled(theta, dim)
        };
        Ok([
            settled("rope_parameters.full_attention", &full, "rope_theta", 1_000_000.0)?,
            settled("rope_parameters.sliding_attention", &sliding, "rope_local_base_freq", 10_000.0)?,
        ])
    }
}

/// One of the objects.
struct Within<'a> {
    keys: &'a Keys<'a>,
    name: &'static str,
    of: &'a Map<String, Value>,
    /// The longest context, in tokens.
    positions: usize,
    /// Whether it is that of some layers alone, which looks at no original context beside.
    nested: bool,
    /// The key of the base beside it.
    base: &'static str,
}

impl Within<'_> {
    /// The base, `default` where there is none, and the change.
    fn settled(&self, default: f64, dim: usize) -> Result<(f64, RopeScaling), PolicyError> {
        let theta =
            self.above_zero("rope_theta", self.here_or_beside("rope_theta", self.base), Some(default))?;
        let kind = self.kind();
        let scaling = match kind.as_str() {
            Some("default") => RopeScaling::None,
            Some("linear") => RopeScaling::Linear { factor: self.positive("factor", None)? },
            Some("dynamic") => RopeScaling::Dynamic { factor: self.positive("factor", None)? },
            Some("yarn") => self.yarn()?,
            Some("llama3") => RopeScaling::Llama3 {
                factor: self.positive("factor", None)?,
                low: self.positive("low_freq_factor", None)?,
                high: self.positive("high_freq_factor", None)?,
                original: self.original()?,
            },
            _ => return Err(self.keys.unsupported(&format!("{}.rope_type", self.name), &kind, KINDS)),
        };
        self.look_at_the_others(scaling, dim)?;
        Ok((theta, scaling))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.of.get(key).filter(|v| !v.is_null())
    }

    fn kind(&self) -> Value {
        let (new, old) = (self.get("rope_type"), self.get("type"));
        if let (Some(new), Some(old)) = (new, old)
            && new != old
        {
            self.warn(format!("rope_type = {new} counts, and not type = {old}"));
        }
        new.or(old).cloned().unwrap_or_else(|| Value::from("default"))
    }

    /// A key within, or else one beside.
    fn here_or_beside(&self, key: &str, beside: &str) -> Option<&Value> {
        let (within, beside) = (self.get(key), self.keys.get(beside));
        if let (Some(within), Some(beside)) = (within, beside)
            && within.as_f64() != beside.as_f64()
        {
            self.warn(format!("{key} = {within} counts, and not the {beside} beside it"));
        }
        within.or(beside)
    }

    fn positive(&self, key: &str, default: Option<f64>) -> Result<f64, PolicyError> {
        self.above_zero(key, self.get(key), default)
    }

    fn above_zero(&self, key: &str, value: Option<&Value>, default: Option<f64>) -> Result<f64, PolicyError> {
        let wrong = |what: String| self.keys.wrong(format!("{}: {key} {what}", self.name));
        match (value, default) {
            (Some(value), _) => {
                let number = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
                number.ok_or_else(|| wrong(format!("should be a number above 0, not {value}")))
            }
            (None, Some(default)) => Ok(default),
            (None, None) => Err(wrong("is missing".to_owned())),
        }
    }

    /// The context that the model was first trained on: what stands beside counts before what stands within.
    fn original(&self) -> Result<f64, PolicyError> {
        let key = "original_max_position_embeddings";
        let (within, beside) = (self.get(key), self.keys.get(key).filter(|_| !self.nested));
        if let (Some(within), Some(beside)) = (within, beside)
            && within != beside
        {
            self.warn(format!("{key} = {beside} beside it counts, and not the {within} within"));
        }
        self.above_zero(key, beside.or(within), Some(self.positions as f64))
    }

    fn yarn(&self) -> Result<RopeScaling, PolicyError> {
        let original = self.original()?;
        // transformers asks for the key, and takes the contexts' ratio where it is null.
        let ratio = self.of.contains_key("factor").then_some(self.positions as f64 / original);
        let factor = self.positive("factor", ratio)?;
        let optional = |key: &str| match self.get(key) {
            Some(value) => value.as_f64().map(Some).ok_or_else(|| {
                self.keys.wrong(format!("{}: {key} should be a number, not {value}", self.name))
            }),
            None => Ok(None),
        };
        let or = |number: Option<f64>, default: f64| number.filter(|n| *n != 0.0).unwrap_or(default);
        let grown = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
        let both = optional("mscale")?.zip(optional("mscale_all_dim")?).filter(|(m, all)| m * all != 0.0);
        let inferred = both.map_or_else(|| grown(1.0), |(m, all)| grown(m) / grown(all));
        let truncate = match self.of.get("truncate") {
            None => true,
            Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| {
                self.keys.wrong(format!("{}: truncate should be true or false, not {value}", self.name))
            })?,
        };
        Ok(RopeScaling::Yarn {
            factor,
            original,
            fast: or(optional("beta_fast")?, 32.0),
            slow: or(optional("beta_slow")?, 1.0),
            truncate,
            attention_factor: optional("attention_factor")?.unwrap_or(inferred),
        })
    }

    /// Refuses keys of no rope type, and warns of those that this type does not look at.
    fn look_at_the_others(&self, scaling: RopeScaling, dim: usize) -> Result<(), PolicyError> {
        let own: &[&str] = match scaling {
            RopeScaling::None => &[],
            RopeScaling::Linear { .. } | RopeScaling::Dynamic { .. } => &SOME[..1],
            RopeScaling::Yarn { .. } => &SOME[..8],
            RopeScaling::Llama3 { .. } => &["factor", SOME[1], "low_freq_factor", "high_freq_factor"],
        };
        let mut unused = Vec::new();
        for (key, value) in self.of.iter().filter(|(_, value)| !value.is_null()) {
            match key.as_str() {
                key if EVERY.contains(&key) || own.contains(&key) => {}
                key if SOME.contains(&key) => unused.push(format!("{key} = {value}")),
                key => {
                    let option = format!("{}.{key}", self.name);
                    return Err(self.keys.unsupported(
                        &option,
                        value,
                        "the keys of transformers' rope types",
                    ));
                }
            }
        }
        if !unused.is_empty() {
            self.warn(format!("this rope type does not look at {}", unused.join(", ")));
        }
        self.look_at_the_share(scaling, dim)
    }

    /// These families turn a head's whole width: transformers passes another share over where nothing else is
    /// scaled, and fails where it is.
    fn look_at_the_share(&self, scaling: RopeScaling, dim: usize) -> Result<(), PolicyError> {
        let key = "partial_rotary_factor";
        let Some(value) = self.here_or_beside(key, key) else { return Ok(()) };
        match value.as_f64() {
            Some(share) if (share * dim as f64) as usize == dim => Ok(()),
            Some(_) if scaling == RopeScaling::None => {
                self.warn(format!("{key} = {value} has no effect in this family: the whole head is turned"));
                Ok(())
            }
            _ => Err(self.keys.unsupported(key, value, "1, with this rope type")),
        }
    }

    fn warn(&self, what: String) {
        tracing::warn!("{}: {}: {what}", self.keys.path.display(), self.name);
    }
}
