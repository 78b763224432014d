//! Which layers the options of PEFT mean: `check_target_module_exists` and `get_pattern_key` of PEFT 0.21, by a module's
//! path, such as `model.layers.0.self_attn.q_proj`.

use fancy_regex::Regex;

use super::MODULES;

/// Modules by name.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// `all-linear`: every linear layer but the head.
    Linear,
    /// A regular expression of the whole path.
    Pattern(Regex),
    /// Whole paths, or their ends from a dot on.
    Ends(Vec<String>),
}

impl Names {
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Linear => MODULES.iter().any(|module| ends_with(path, module)),
            Self::Pattern(pattern) => is_match(pattern, path),
            Self::Ends(ends) => ends.iter().any(|end| path == end || ends_with(path, end)),
        }
    }

    /// Whether the whole path is among the names: then no choice of layers narrows them.
    fn has_path(&self, path: &str) -> bool {
        matches!(self, Self::Ends(paths) if paths.iter().any(|p| p == path))
    }
}

fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'))
}

/// A pattern that gives up, as its search takes too long, does not match.
fn is_match(pattern: &Regex, path: &str) -> bool {
    pattern.is_match(path).unwrap_or(false)
}

/// The layers that get an adapter.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub names: Names,
    pub excluded: Names,
    /// Patterns of modules that are trained whole, and so have no adapter.
    pub whole: Vec<Regex>,
    /// The numbers of the layers, where not all.
    pub layers: Option<Vec<u64>>,
    /// What stands before a layer's number in its path; anything where there are none.
    pub before_number: Vec<Regex>,
}

impl Targets {
    pub(super) fn has(&self, path: &str) -> bool {
        let excluded = self.excluded.has(path) || self.whole.iter().any(|whole| is_match(whole, path));
        !excluded && self.names.has(path) && (self.names.has_path(path) || self.has_layer(path))
    }

    fn has_layer(&self, path: &str) -> bool {
        let Some(layers) = &self.layers else { return true };
        let number = self
            .before_number
            .iter()
            .find_map(|pattern| pattern.captures(path).ok().flatten()?.name("number")?.as_str().parse().ok());
        number.is_some_and(|number: u64| layers.contains(&number))
    }
}

/// A pattern that matches a whole text, as Python's `re.fullmatch`.
pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
    regex(&format!(r"\A(?:{pattern})\z"))
}

/// A pattern of a layer's kind: it matches a whole path, or its end from a dot on.
pub(super) fn end(pattern: &str) -> Result<Regex, String> {
    regex(&format!(r"\A(?:.*\.)?(?:{pattern})\z"))
}

/// A pattern that matches a module and all that is within it.
pub(super) fn within(pattern: &str) -> Result<Regex, String> {
    regex(&format!(r"\A(?:|.*\.){pattern}(?:\z|\..*)"))
}

/// What stands before a layer's number: `pattern`, or any name.
pub(super) fn before_number(pattern: Option<&str>) -> Result<Regex, String> {
    regex(&match pattern {
        Some(pattern) => format!(r"\A(?:|.*?\.){pattern}\.(?P<number>\d+)\."),
        None => r"\A.*?\.[^.]*\.(?P<number>\d+)\.".to_owned(),
    })
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ends: &[&str]) -> Names {
        Names::Ends(ends.iter().map(|&end| end.to_owned()).collect())
    }

    #[test]
    fn layers_are_found_as_peft_finds_them() {
        let (q0, q10) = ("model.layers.0.self_attn.q_proj", "model.layers.10.self_attn.q_proj");
        let all = || Targets {
            names: names(&["q_proj"]),
            excluded: names(&[]),
            whole: Vec::new(),
            layers: None,
            before_number: vec![before_number(None).unwrap()],
        };
        let pattern = |p: &str| Names::Pattern(whole(p).unwrap());
        for (targets, expected) in [
            (all(), [true, true]),
            (Targets { names: names(&["proj"]), ..all() }, [false, false]),
            (Targets { names: names(&["0.self_attn.q_proj"]), ..all() }, [true, false]),
            (Targets { names: pattern("q_proj"), ..all() }, [false, false]),
            (Targets { names: pattern(r".*layers\.(?!0\.).*q_proj"), ..all() }, [false, true]),
            (Targets { names: Names::Linear, ..all() }, [true, true]),
            (Targets { excluded: names(&[q0]), ..all() }, [false, true]),
            (Targets { excluded: pattern(".*10.*"), ..all() }, [true, false]),
            (Targets { whole: vec![within("self_attn").unwrap()], ..all() }, [false, false]),
            (Targets { layers: Some(vec![10]), ..all() }, [false, true]),
            // A whole path is meant, whatever layers are chosen.
            (Targets { names: names(&[q0]), layers: Some(vec![10]), ..all() }, [true, false]),
            (
                Targets {
                    layers: Some(vec![0]),
                    before_number: vec![before_number(Some("h")).unwrap()],
                    ..all()
                },
                [false, false],
            ),
        ] {
            assert_eq!([q0, q10].map(|path| targets.has(path)), expected, "{targets:?}");
        }
        assert!(!Names::Linear.has("lm_head"));
    }

    #[test]
    fn patterns_of_ranks_match_ends() {
        let of = |pattern: &str| is_match(&end(pattern).unwrap(), "model.layers.0.mlp.up_proj");
        assert!(of("up_proj") && of(r"layers\.\d.*") && of(r"model.*up_proj") && of("up_proj|down_proj"));
        assert!(!of("up") && !of("_proj"));
        assert!(end("(").is_err());
    }
}
