//! Requests as people put them.

use super::asked::{Asked, Detail, Mood};
use super::english::{capital, fill};
use super::phrases::Phrases;
use super::values::Draw;

/// A request for one call.
pub(crate) fn one(asked: &Asked, phrases: &Phrases, draw: &mut Draw<'_>) -> Option<String> {
    let said = draw.rng.chance(0.3).then(|| asked.clause(Mood::Say, draw.rng)).flatten();
    if let Some(clause) = said {
        return Some(around(capital(&clause.text()) + ".", phrases, draw));
    }
    let question = draw.rng.chance(0.4).then(|| asked.clause(Mood::Ask, draw.rng)).flatten();
    if let Some(clause) = question {
        return Some(around(capital(&clause.text()) + "?", phrases, draw));
    }
    let clause = asked.clause(Mood::Order, draw.rng)?;
    let request = match clause.with_labels().filter(|_| draw.rng.chance(0.3)) {
        None => order(&clause.text(), phrases, draw),
        Some((core, details)) => {
            let request = order(&core, phrases, draw);
            let pattern = draw.text(&phrases.details);
            let between = if pattern.starts_with("{request}\n") { "\n" } else { ", " };
            fill(&fill(pattern, "request", &request), "details", &details.join(between))
        }
    };
    Some(around(capital(&request), phrases, draw))
}

/// A request for a tool that reads and one that uses a row of what was read.
pub(crate) fn hop(
    first: &Asked,
    then: &Asked,
    pick: &str,
    phrases: &Phrases,
    draw: &mut Draw<'_>,
) -> Option<String> {
    let first = first.clause(Mood::Order, draw.rng)?.text();
    let then = picked(then, pick, draw)?;
    Some(joined(&phrases.hop, &[first, then], draw))
}

/// A request about a row of an earlier result.
pub(crate) fn about_row(asked: &Asked, pick: &str, phrases: &Phrases, draw: &mut Draw<'_>) -> Option<String> {
    let phrase = picked(asked, pick, draw)?;
    Some(order(&phrase, phrases, draw))
}

fn picked(asked: &Asked, pick: &str, draw: &mut Draw<'_>) -> Option<String> {
    Some(fill(&asked.clause(Mood::Hop, draw.rng)?.text(), "pick", pick))
}

/// A request for several calls, in their order.
pub(crate) fn several(asked: &[Asked], phrases: &Phrases, draw: &mut Draw<'_>) -> Option<String> {
    let clauses: Vec<_> =
        asked.iter().map(|asked| Some(asked.clause(Mood::Order, draw.rng)?.text())).collect::<Option<_>>()?;
    let patterns = if asked.len() == 2 { &phrases.two } else { &phrases.three };
    Some(around(joined(patterns, &clauses, draw), phrases, draw))
}

/// A request, and once more with the value of one parameter changed.
pub(crate) fn again(
    asked: &Asked,
    changed: &Detail,
    phrases: &Phrases,
    draw: &mut Draw<'_>,
) -> Option<String> {
    let clause = asked.clause(Mood::Order, draw.rng)?;
    let request = capital(&order(&clause.text(), phrases, draw));
    Some(format!("{request} {}", fill(draw.text(&phrases.again), "detail", &changed.phrase)))
}

fn joined(patterns: &[String], clauses: &[String], draw: &mut Draw<'_>) -> String {
    let mut text = draw.text(patterns).to_owned();
    for (index, clause) in clauses.iter().enumerate() {
        text = fill(&text, &format!("Vp{}", index + 1), &capital(clause));
        text = fill(&text, &format!("vp{}", index + 1), clause);
    }
    text
}

/// A verb phrase as a plain, a polite or an indirect request.
fn order(phrase: &str, phrases: &Phrases, draw: &mut Draw<'_>) -> String {
    // Nobody wants to show himself something: the indirect ones make the speaker the one who acts.
    let for_me = phrase.split(' ').any(|word| word == "me");
    let patterns = match draw.rng.below(5) {
        0 | 1 => &phrases.plain,
        4 if !for_me => &phrases.indirect,
        _ => &phrases.polite,
    };
    let pattern = draw.text(patterns);
    fill(&fill(pattern, "Vp", &capital(phrase)), "vp", phrase)
}

/// With a greeting before it or thanks after it, at times.
fn around(request: String, phrases: &Phrases, draw: &mut Draw<'_>) -> String {
    let mut request = request;
    if draw.rng.chance(0.12) && !request.contains('\n') {
        request = format!("{request} {}", draw.text(&phrases.after));
    }
    if draw.rng.chance(0.15) {
        let before = draw.text(&phrases.before);
        let goes_on = before.ends_with([',', ':']) && !request.starts_with('I');
        let request = if goes_on { small(&request) } else { request };
        return format!("{before} {request}");
    }
    request
}

/// The text with a small first letter.
pub(crate) fn small(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
