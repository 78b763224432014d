//! How people put their requests, and small talk that needs no tool.

use super::names::PEOPLE;
use super::numbers::words;
use super::slot::{Draw, Slot};
use crate::random::Rng;

const GREETINGS: [&str; 8] = [
    "Hello!",
    "Hi there.",
    "Good morning.",
    "It is me again.",
    "I am in a hurry.",
    "One more thing.",
    "Quick question.",
    "I need your help.",
];

/// Ways to put one request; `{}` stands for the verb phrase, `{^}` for it with a capital.
const SINGLE: [&str; 8] = [
    "{^}.",
    "{^}, please.",
    "Please {}.",
    "Could you {}?",
    "Can you {}?",
    "I want you to {}.",
    "I would like you to {}.",
    "It would be great if you could {}.",
];

/// Ways to go from one request to the next.
const LINKS: [&str; 6] = [". Then ", ". Also, ", ", and also ", ", and after that ", ". Besides, ", ", and "];

/// One request as a sentence.
pub(crate) fn sentence(phrase: &str, rng: &mut Rng) -> String {
    let frame = rng.pick(&SINGLE);
    with_greeting(frame.replace("{^}", &capital(phrase)).replace("{}", phrase), rng)
}

/// Several requests in one turn.
pub(crate) fn sentences(phrases: &[&str], rng: &mut Rng) -> String {
    let please = rng.chance(0.3);
    let mut text = String::new();
    for (index, phrase) in phrases.iter().enumerate() {
        match index {
            0 if please => text.push_str(&format!("Please {phrase}")),
            0 => text.push_str(&capital(phrase)),
            _ => {
                text.push_str(rng.pick::<&str>(&LINKS));
                text.push_str(phrase);
            }
        }
    }
    text.push('.');
    with_greeting(text, rng)
}

fn with_greeting(text: String, rng: &mut Rng) -> String {
    if rng.chance(0.25) { format!("{} {text}", rng.pick(&GREETINGS)) } else { text }
}

fn capital(phrase: &str) -> String {
    let mut letters = phrase.chars();
    letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// A turn that needs no tool, and its answer.
pub(crate) fn small_talk(draw: &mut Draw<'_>) -> (String, String) {
    let rng = &mut *draw.rng;
    let (left, right) = (rng.between(1, 40), rng.between(1, 40));
    match rng.below(5) {
        0 => (
            with_greeting(format!("What is {left} plus {right}?"), rng),
            format!("That makes {}.", left + right),
        ),
        1 => {
            let request = format!("How much is {} and {}?", words(left), words(right));
            (with_greeting(request, rng), format!("That makes {}.", left + right))
        }
        2 => {
            let name = Slot::Text(&PEOPLE).draw(draw).phrase;
            (with_greeting(format!("My name is {name}."), draw.rng), format!("Nice to meet you, {name}."))
        }
        3 => {
            let name = Slot::Text(&PEOPLE).draw(draw).phrase;
            (with_greeting(format!("Say hello to {name}."), draw.rng), format!("Hello, {name}."))
        }
        _ => {
            let thanks = ["Thank you, that was all.", "Thanks for your help.", "That is all for today."];
            let name = Slot::Text(&PEOPLE).draw(draw).phrase;
            let request = format!("{} {} thanks you too.", draw.rng.pick(&thanks), name);
            (request, "You are welcome.".to_owned())
        }
    }
}
