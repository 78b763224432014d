//! Chat templates, in the Jinja environment that transformers gives them.

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};
use minijinja_contrib::globals::{cycler, joiner};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::{Map, json};
use toolrl_grammar::json::float_repr;

use crate::fuel::{charge_items, charge_method};
use crate::python_json::tojson;
use crate::settings::Settings;
use crate::{ChatError, Message, TemplateDate, TemplateVariables};

/// The template for every conversation.
pub(crate) const DEFAULT: &str = "default";
/// The template that a directory may have for conversations with tools.
const TOOL_USE: &str = "tool_use";
/// The function by which a template asks for the date.
const DATE: &str = "strftime_now";

/// What one conversation may take, after which it fails: template instructions, and 64 bytes of text each. So a
/// loop in a template that comes with a model ends within seconds, and within 64 MB. A long conversation takes
/// some ten thousands.
const FUEL: u64 = 1_000_000;

/// The stack of the template engine, of which only what is used takes memory. A template can nest lists as deep as its
/// fuel lasts, and the engine prints and drops them by recursion.
const STACK: usize = 1 << 30;

/// A directory's compiled templates and the variables they see.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    dir: PathBuf,
    environment: Environment<'static>,
    variables: Map<String, serde_json::Value>,
    tell_date: bool,
}

impl Templates {
    /// Compiles the templates; special tokens become variables (`bos_token`).
    pub(crate) fn compile(dir: &Path, settings: Settings) -> Result<Self, ChatError> {
        let mut environment =
            environment().map_err(|source| ChatError::Template { path: dir.to_owned(), source })?;
        let tell_date = settings.templates.values().any(|(_, source)| source.contains(DATE));
        for (name, (path, source)) in settings.templates {
            let source = without_generation_tags(&with_plain_lines(&source));
            on_own_stack(|| environment.add_template_owned(name, source))
                .map_err(|source| ChatError::Template { path, source })?;
        }
        let variables =
            settings.special_tokens.into_iter().map(|(role, token)| (role.to_owned(), token.into()));
        Ok(Self { dir: dir.to_owned(), environment, variables: variables.collect(), tell_date })
    }

    /// Has one template for every conversation, in the place of all others.
    pub(crate) fn replace(&mut self, path: &Path, source: &str) -> Result<(), ChatError> {
        let names: Vec<String> = self.environment.templates().map(|(name, _)| name.to_owned()).collect();
        names.iter().for_each(|name| self.environment.remove_template(name));
        self.tell_date = source.contains(DATE);
        let source = without_generation_tags(&with_plain_lines(source));
        let environment = &mut self.environment;
        on_own_stack(|| environment.add_template_owned(DEFAULT, source))
            .map_err(|source| ChatError::Template { path: path.to_owned(), source })
    }

    /// Whether one of them asks for the date.
    pub(crate) fn tell_date(&self) -> bool {
        self.tell_date
    }

    /// Sets what templates read beside the conversation.
    pub(crate) fn set_variables(&mut self, variables: TemplateVariables) {
        self.variables.extend(variables.values);
        let date = variables.date;
        self.environment.add_function(DATE, move |format: &str| strftime_now(date, format));
    }

    /// The names of the templates.
    fn names(&self) -> String {
        let names: Vec<&str> = self.environment.templates().map(|(name, _)| name).collect();
        names.join(", ")
    }

    /// The text of a conversation.
    pub(crate) fn render(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let with_tools = if tools.is_empty() { None } else { self.environment.get_template(TOOL_USE).ok() };
        let template = match with_tools {
            Some(template) => template,
            None => self
                .environment
                .get_template(DEFAULT)
                .map_err(|_| ChatError::NoTemplate { dir: self.dir.clone(), others: self.names() })?,
        };
        let mut context = self.variables.clone();
        context.insert("messages".to_owned(), messages.iter().map(Message::as_read).collect());
        context.insert("tools".to_owned(), if tools.is_empty() { json!(null) } else { json!(tools) });
        context.entry("documents").or_insert(json!(null));
        context.insert("add_generation_prompt".to_owned(), json!(add_generation_prompt));
        on_own_stack(|| template.render(Value::from(Serde(context))))
            .map_err(|source| ChatError::Render { messages: messages.len(), source })
    }
}

/// Has the engine compile or render on a thread with [`STACK`]. A panic in it becomes an error: some assignments that
/// it should refuse are none that it knows.
fn on_own_stack<T: Send>(run: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let refused = |reason: &'static str| Error::new(ErrorKind::InvalidOperation, reason);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run);
        let thread = thread.map_err(|source| refused("no thread could be started").with_source(source))?;
        thread.join().unwrap_or_else(|_| Err(refused("the template's engine panicked")))
    })
}

/// Jinja as transformers sets it up: blocks leave no blank lines, nothing is escaped, strings and
/// dictionaries have Python's methods.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_fuel(Some(FUEL));
    // An error would else hold the template's values, and drop them, however deep, on the caller's stack.
    environment.set_debug(false);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write_value);
    environment.set_unknown_method_callback(python_method);
    environment.add_filter("tojson", tojson);
    environment.add_filter("string", string);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("cycler", |items: Rest<Value>| cycler(items.0));
    environment.add_function("joiner", joiner);
    environment.add_function(DATE, |format: &str| strftime_now(None, format));
    Ok(environment)
}

/// Jinja's test: whatever has a length and can be indexed, so strings and dictionaries too.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined)
}

/// Jinja's test: whatever can be looped over, which `none` cannot.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Prints a value as Python's `str`; floats are where the engine's own way differs.
fn write_value(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() && !value.is_integer() && number.is_finite() => {
            output.write_str(&float_repr(number)).map_err(Error::from)
        }
        _ => {
            charge_items(state, value)?;
            minijinja::escape_formatter(output, state, value)
        }
    }
}

/// Jinja's filter: a value as it is printed.
fn string(state: &State, value: &Value) -> Result<Value, Error> {
    charge_items(state, value)?;
    Ok(if value.kind() == ValueKind::String { value.clone() } else { value.to_string().into() })
}

/// The methods of Python's strings, lists and dictionaries.
fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    charge_method(state, value, method, arguments)?;
    let affix = || arguments.first().and_then(Value::as_str);
    match (method, value.as_str(), affix()) {
        ("removeprefix", Some(text), Some(prefix)) => Ok(text.strip_prefix(prefix).unwrap_or(text).into()),
        ("removesuffix", Some(text), Some(suffix)) => Ok(text.strip_suffix(suffix).unwrap_or(text).into()),
        _ => unknown_method_callback(state, value, method, arguments),
    }
}

/// Lets a template refuse a conversation.
fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// The date, or the local time where there is none, in C's `strftime` form.
fn strftime_now(date: Option<TemplateDate>, format: &str) -> Result<String, Error> {
    date.unwrap_or_else(TemplateDate::now).strftime(format).map_err(|cause| {
        Error::new(ErrorKind::InvalidOperation, format!("strftime_now cannot read {format:?}"))
            .with_source(cause)
    })
}

/// The template as Jinja2 reads it: whatever ends a line is a line feed.
fn with_plain_lines(source: &str) -> String {
    source.replace("\r\n", "\n").replace('\r', "\n")
}

/// The template without the `{% generation %}` tags by which transformers marks the assistant's text:
/// they do not change what is rendered, and become blocks that always hold.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (inside, after) = tag.split_at(end);
        match inside.trim_matches(['-', '+']).trim() {
            "generation" => out.push_str(&inside.replace("generation", "if true")),
            "endgeneration" => out.push_str(&inside.replace("endgeneration", "endif")),
            _ => out.push_str(inside),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Additions;

    /// The rendering of a template for one user message.
    fn render(source: &str, tools: &[serde_json::Value]) -> Result<String, ChatError> {
        let templates = [("default", source), ("tool_use", "with tools")];
        let settings = Settings {
            special_tokens: [("eos_token", "<eos>".to_owned())].into(),
            additions: Additions::default(),
            templates: templates
                .map(|(name, text)| (name.to_owned(), (PathBuf::new(), text.to_owned())))
                .into(),
        };
        Templates::compile(Path::new("model"), settings)?.render(
            &[Message::new("user", " hi\n")],
            tools,
            true,
        )
    }

    #[test]
    fn renders_as_jinja_in_python() {
        let cases = [
            ("{{ messages[0].content.strip() }}{{ eos_token }}", "hi<eos>"),
            ("a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"),
            ("{{ true }} {{ none }} {{ absent }}|{{ 1 == 1.0 }}", "True None |True"),
            ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"),
            ("{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "b1a2"),
            ("{{ 'a</t>b'.split('</t>')[-1] }}{{ 'xay'.lstrip('x') }}{{ [1, 2, 3][::-1] }}", "bay[3, 2, 1]"),
            ("{{ 'abc' is sequence }} {{ {} is sequence }} {{ 1 is sequence }}", "True True False"),
            ("{%- generation -%} x {%- endgeneration %} y{% generation %}z{% endgeneration %}", "x yz"),
            ("{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}", "TrueTrueTrue"),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "1",
            ),
            ("{{ strftime_now('%%') }}{{ strftime_now('%Y') | length }}", "%4"),
            ("{{ '<' }}{{ '&' | tojson }}", "<\"&\""),
            ("{{ 1e16 }} {{ 1e-7 }} {{ 7 / 2 }} {{ 2.0 }}", "1e+16 1e-07 3.5 2.0"),
            ("{{ none is iterable }} {{ 'a' is iterable }} {{ [] is iterable }}", "False True True"),
            (
                "{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('a') }} {{ 'abc'.removesuffix('c') }}",
                "bc abc ab",
            ),
            ("{% unclosed", ""),
        ];
        for (source, expected) in cases {
            match render(source, &[]) {
                Ok(text) => assert_eq!(text, expected, "{source}"),
                Err(error) => assert!(expected.is_empty(), "{source}: {error}"),
            }
        }
    }

    #[test]
    fn tools_choose_their_own_template() {
        assert_eq!(render("plain", &[]).unwrap(), "plain");
        assert_eq!(render("plain", &[json!({})]).unwrap(), "with tools");
    }

    #[test]
    fn a_template_can_refuse() {
        let error = render("{{ raise_exception('roles must alternate') }}", &[]).unwrap_err();
        assert!(error.to_string().contains("roles must alternate"), "{error}");
        assert!(matches!(
            render("{{ strftime_now('%Q') }}", &[]),
            Err(ChatError::Render { messages: 1, .. })
        ));
    }
}
