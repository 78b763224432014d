//! Porter's stemmer (M. Porter 1980, "An algorithm for suffix stripping", Program 14.3) with the changes that NLTK makes
//! to it by default (`PorterStemmer.NLTK_EXTENSIONS`), which rouge-score uses.

use std::borrow::Cow;

/// Words that go by no rule.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// An ending, and what it becomes.
type Rule = (&'static str, &'static str);

const STEP_1A: [Rule; 4] = [("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")];

const STEP_2: [Rule; 22] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
    ("logi", "log"),
];

const STEP_3: [Rule; 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
    "ate", "iti", "ous", "ive", "ize",
];

/// The stem of a word of the letters a to z and of digits.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word.into())))))))
}

fn step_1a(word: Cow<'_, str>) -> Cow<'_, str> {
    match word.strip_suffix("ies") {
        Some(stem) if word.len() == 4 => (stem.to_owned() + "ie").into(),
        _ => apply(word, &STEP_1A, |_, _| true),
    }
}

fn step_1b(word: Cow<'_, str>) -> Cow<'_, str> {
    if let Some(stem) = word.strip_suffix("ied") {
        return (stem.to_owned() + if word.len() == 4 { "ie" } else { "i" }).into();
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return if measure(stem) > 0 { (stem.to_owned() + "ee").into() } else { word };
    }
    let without = |ending| word.strip_suffix(ending).filter(|stem| vowels(stem).any(|vowel| vowel));
    let Some(stem) = without("ed").or_else(|| without("ing")) else { return word };
    if ["at", "bl", "iz"].iter().any(|ending| stem.ends_with(ending)) {
        return (stem.to_owned() + "e").into();
    }
    if ends_double_consonant(stem) {
        let kept = if stem.ends_with(['l', 's', 'z']) { 0 } else { 1 };
        return stem[..stem.len() - kept].to_owned().into();
    }
    let ending = if measure(stem) == 1 && ends_cvc(stem) { "e" } else { "" };
    (stem.to_owned() + ending).into()
}

fn step_1c(word: Cow<'_, str>) -> Cow<'_, str> {
    apply(word, &[("y", "i")], |stem, _| stem.len() > 1 && vowels(stem).last() == Some(false))
}

fn step_2(word: Cow<'_, str>) -> Cow<'_, str> {
    if let Some(stem) = word.strip_suffix("alli")
        && measure(stem) > 0
    {
        return step_2((stem.to_owned() + "al").into());
    }
    // The l of "logi" counts to the stem.
    apply(word, &STEP_2, |stem, ending| match ending {
        "logi" => measure(&(stem.to_owned() + "l")) > 0,
        _ => measure(stem) > 0,
    })
}

fn step_3(word: Cow<'_, str>) -> Cow<'_, str> {
    apply(word, &STEP_3, |stem, _| measure(stem) > 0)
}

fn step_4(word: Cow<'_, str>) -> Cow<'_, str> {
    let rules = STEP_4.map(|ending| (ending, ""));
    apply(word, &rules, |stem, ending| measure(stem) > 1 && (ending != "ion" || stem.ends_with(['s', 't'])))
}

fn step_5(word: Cow<'_, str>) -> String {
    let silent = |stem: &&str| measure(stem) > 1 || (measure(stem) == 1 && !ends_cvc(stem));
    let word = word.strip_suffix('e').filter(silent).unwrap_or(&word);
    let single = word.strip_suffix('l').filter(|stem| stem.ends_with('l') && measure(stem) > 1);
    single.unwrap_or(word).to_owned()
}

/// Applies the first rule whose ending the word has, if what stands before the ending allows it.
fn apply<'w>(word: Cow<'w, str>, rules: &[Rule], allows: impl Fn(&str, &str) -> bool) -> Cow<'w, str> {
    let found = rules.iter().find_map(|&(ending, new)| Some((word.strip_suffix(ending)?, ending, new)));
    match found {
        Some((stem, ending, new)) if allows(stem, ending) => (stem.to_owned() + new).into(),
        _ => word,
    }
}

/// Whether each letter is a vowel: a, e, i, o, u, and y behind a consonant.
fn vowels(word: &str) -> impl Iterator<Item = bool> {
    let mut last = true;
    word.bytes().map(move |letter| {
        last = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => true,
            b'y' => !last,
            _ => false,
        };
        last
    })
}

/// How often a consonant follows a vowel: m in `[C](VC){m}[V]`.
fn measure(stem: &str) -> usize {
    let mut before = false;
    vowels(stem).filter(|&vowel| std::mem::replace(&mut before, vowel) && !vowel).count()
}

fn ends_double_consonant(word: &str) -> bool {
    let letters = word.as_bytes();
    letters.len() >= 2
        && letters[letters.len() - 1] == letters[letters.len() - 2]
        && vowels(word).last() == Some(false)
}

/// Whether a word ends in consonant, vowel and a consonant other than w, x and y; or is a vowel and a consonant.
fn ends_cvc(word: &str) -> bool {
    let all: Vec<bool> = vowels(word).collect();
    match all[..] {
        [true, false] => true,
        [.., false, true, false] => !word.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stems of NLTK 3.10.4, of words that take every rule.
    const STEMS: &str = include_str!("../../tests/released/stems.txt");

    #[test]
    fn stems_are_those_of_nltk() {
        let mut count = 0;
        for (word, expected) in STEMS.lines().filter_map(|line| line.split_once(' ')) {
            assert_eq!(stem(word), expected, "{word}");
            count += 1;
        }
        assert!(count > 200, "only {count} words");
    }
}
