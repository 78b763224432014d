//! A little English: articles, plurals, verbs, lists.

/// `a` or `an` before a word, and the word.
pub(crate) fn with_article(noun: &str) -> String {
    let sounds_open = noun.starts_with(['a', 'e', 'i', 'o', 'u']) && !noun.starts_with("uni");
    format!("{} {noun}", if sounds_open { "an" } else { "a" })
}

/// The plural of a noun that follows the rules.
pub(crate) fn plural(noun: &str) -> String {
    let ends = |tail: &[&str]| tail.iter().any(|tail| noun.ends_with(tail));
    if ends(&["s", "sh", "ch", "x"]) { format!("{noun}es") } else { format!("{noun}s") }
}

/// A verb phrase in the third person: `book a table` as `books a table`.
pub(crate) fn third_person(phrase: &str) -> String {
    let (verb, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
    let ends = |tail: &[&str]| tail.iter().any(|tail| verb.ends_with(tail));
    let verb = match verb.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if ends(&["s", "sh", "ch", "x", "o"]) => format!("{verb}es"),
        _ => format!("{verb}s"),
    };
    format!("{verb} {rest}").trim_end().to_owned()
}

/// The text with a capital first letter.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `A, B and C`
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The names in braces in a text, in their order.
pub(crate) fn holes(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// The text with what stands for `{name}` put in.
pub(crate) fn fill(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("{{{name}}}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_take_their_forms() {
        assert_eq!(["oven", "kayak", "eye test"].map(with_article), ["an oven", "a kayak", "an eye test"]);
        assert_eq!(["haircut", "wrench", "pass"].map(plural), ["haircuts", "wrenches", "passes"]);
        let verbs = ["search for it", "carry", "say a word", "book a tour", "go"].map(third_person);
        assert_eq!(verbs, ["searches for it", "carries", "says a word", "books a tour", "goes"]);
        let items = ["Ann", "Bo", "Cy"].map(str::to_owned);
        assert_eq!([listed(&items[..1]), listed(&items)], ["Ann", "Ann, Bo and Cy"]);
        assert_eq!(holes("move {one} to {date}.").collect::<Vec<_>>(), ["one", "date"]);
        assert_eq!(fill("a {x}, {y}", "x", "b"), "a b, {y}");
        assert_eq!([capital("énorme"), capital("")], ["Énorme", ""]);
    }
}
