//! The options of `adapter_config.json`, one by one.

use fancy_regex::Regex;
use serde_json::{Value, json};

use super::config::{Biases, Form, Residual};
use super::matching::{Names, Targets, before_number, end, whole, within};
use crate::PolicyError;
use crate::config::Keys;

/// Options that are computed.
const COMPUTED: [&str; 20] = [
    "peft_type",
    "task_type",
    "base_model_name_or_path",
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "use_dora",
    "lora_bias",
    "bias",
    "modules_to_save",
    "trainable_token_indices",
    "init_lora_weights",
    "ensure_weight_tying",
];
/// Options that tell where an adapter is from, how it was made, or how it is trained; and `fan_in_fan_out`, which PEFT
/// sets to false for linear layers.
const WITHOUT_EFFECT: [&str; 12] = [
    "peft_version",
    "auto_mapping",
    "revision",
    "inference_mode",
    "megatron_core",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "qalora_group_size",
    "runtime_config",
    "fan_in_fan_out",
];
/// Values of `init_lora_weights` that leave the weights below as they are.
const PLAIN_STARTS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// Refuses what is set and neither computed nor without effect.
pub(super) fn refuse_others(keys: &Keys) -> Result<(), PolicyError> {
    let object = keys.raw.as_object().ok_or_else(|| keys.wrong("expected an object"))?;
    let known = |key: &str| COMPUTED.contains(&key) || WITHOUT_EFFECT.contains(&key);
    for (key, value) in object.iter().filter(|(key, _)| !known(key)) {
        let nothing = [json!(null), json!(false), json!([]), json!({})].contains(value);
        if !nothing {
            return Err(keys.unsupported(key, value, "only null, false or nothing in it"));
        }
    }
    for (key, fine) in [("peft_type", "LORA"), ("task_type", "CAUSAL_LM")] {
        if let Some(value) = keys.get(key)
            && value != fine
        {
            return Err(keys.unsupported(key, value, fine));
        }
    }
    Ok(())
}

/// The options of several parts.
pub(super) struct Options<'a>(pub &'a Keys<'a>);

impl Options<'_> {
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize, PolicyError> {
        Ok(self.0.optional_size(key)?.unwrap_or(default))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, PolicyError> {
        let Some(value) = self.0.get(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|list| {
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.0.wrong(format!("{key} should be a list of names, not {value}")))
    }

    fn pattern(
        &self,
        key: &str,
        text: &str,
        of: fn(&str) -> Result<Regex, String>,
    ) -> Result<Regex, PolicyError> {
        of(text).map_err(|e| self.0.wrong(format!("{key}: {text:?} is no pattern: {e}")))
    }

    fn names(&self, key: &str) -> Result<Names, PolicyError> {
        match self.0.get(key) {
            Some(Value::String(text)) if text.to_lowercase() == "all-linear" => Ok(Names::Linear),
            Some(Value::String(text)) => self.pattern(key, text, whole).map(Names::Pattern),
            _ => self.texts(key).map(Names::Ends),
        }
    }

    pub(super) fn targets(&self) -> Result<Targets, PolicyError> {
        let names = match self.0.get("target_modules") {
            Some(_) => self.names("target_modules")?,
            // PEFT's default for these families.
            None => Names::Ends(["q_proj", "v_proj"].map(str::to_owned).into()),
        };
        let layers = self.layers()?;
        if layers.is_some() && !matches!(names, Names::Ends(_)) {
            let value = &self.0.raw["layers_to_transform"];
            return Err(self.0.unsupported(
                "layers_to_transform",
                value,
                "null, beside a pattern of targets",
            ));
        }
        let saved = self.texts("modules_to_save")?;
        let whole =
            saved.iter().map(|m| self.pattern("modules_to_save", m, within)).collect::<Result<_, _>>();
        let before = match self.0.get("layers_pattern") {
            Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
            Some(Value::String(_)) => Vec::new(),
            _ => self.texts("layers_pattern")?,
        };
        let pattern = |text: &String| self.pattern("layers_pattern", text, |text| before_number(Some(text)));
        let mut before_number_of: Vec<Regex> = before.iter().map(pattern).collect::<Result<_, _>>()?;
        if before.is_empty() {
            before_number_of.push(self.pattern("layers_pattern", "", |_| before_number(None))?);
        }
        let excluded = self.names("exclude_modules")?;
        Ok(Targets { names, excluded, whole: whole?, layers, before_number: before_number_of })
    }

    fn layers(&self) -> Result<Option<Vec<u64>>, PolicyError> {
        let Some(value) = self.0.get("layers_to_transform") else { return Ok(None) };
        let numbers = match value {
            Value::Array(list) => list.iter().map(Value::as_u64).collect::<Option<Vec<_>>>(),
            single => single.as_u64().map(|number| vec![number]),
        };
        let numbers = numbers.ok_or_else(|| {
            self.0.wrong(format!("layers_to_transform should be layers' numbers, not {value}"))
        })?;
        Ok(Some(numbers).filter(|numbers| !(numbers.is_empty() && value.is_array())))
    }

    pub(super) fn patterns<T>(
        &self,
        key: &str,
        of: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<(Regex, T)>, PolicyError> {
        let wrong = |value: &Value| self.0.wrong(format!("{key} should hold numbers, not {value}"));
        let pair = |(text, value): (&String, &Value)| {
            Ok((self.pattern(key, text, end)?, of(value).ok_or_else(|| wrong(value))?))
        };
        self.0.object(key)?.into_iter().flatten().map(pair).collect()
    }

    pub(super) fn form(&self) -> Result<Form, PolicyError> {
        let biases = match self.0.get("bias").map(|v| (v, v.as_str())) {
            None | Some((_, Some("none"))) => Biases::None,
            Some((_, Some("all"))) => Biases::All,
            Some((_, Some("lora_only"))) => Biases::Adapted,
            Some((value, _)) => return Err(self.0.unsupported("bias", value, "none, all, lora_only")),
        };
        Ok(Form {
            dora: self.0.flag("use_dora", false)?,
            bias_of_b: self.0.flag("lora_bias", false)?,
            biases,
            saved: self.texts("modules_to_save")?,
            tokens: self.tokens()?,
            residual: self.residual()?,
            keep_tied: self.0.flag("ensure_weight_tying", false)?,
        })
    }

    fn tokens(&self) -> Result<Option<Vec<usize>>, PolicyError> {
        let key = "trainable_token_indices";
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let list = match value {
            Value::Object(layers) if layers.len() == 1 => layers.get("embed_tokens"),
            list => Some(list),
        };
        let ids = list.and_then(|list| {
            list.as_array()?.iter().map(|id| id.as_u64().map(|id| id as usize)).collect::<Option<Vec<_>>>()
        });
        ids.map(Some).ok_or_else(|| self.0.unsupported(key, value, "token ids, of embed_tokens alone"))
    }

    fn residual(&self) -> Result<Residual, PolicyError> {
        let key = "init_lora_weights";
        match self.0.get(key) {
            None | Some(Value::Bool(_)) => Ok(Residual::None),
            Some(Value::String(start)) if start == "pissa" => Ok(Residual::Pissa),
            Some(Value::String(start)) if start.eq_ignore_ascii_case("olora") => Ok(Residual::Olora),
            Some(Value::String(start)) if PLAIN_STARTS.contains(&start.to_lowercase().as_str()) => {
                Ok(Residual::None)
            }
            Some(value) => Err(self.0.unsupported(
                key,
                value,
                "true, false, gaussian, eva, orthogonal, mica, pissa, olora; others change the base by random numbers \
                 or data: convert the adapter with PEFT's path_initial_model_for_weight_conversion",
            )),
        }
    }
}
