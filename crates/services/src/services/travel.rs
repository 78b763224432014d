//! TravelAPI: flights, credit cards and bookings.

mod booking;
mod flights;

use super::refused;
use crate::ServicesError;
use crate::python::{
    DATE, Function, Kind, Moment, Operator, Outcome, Raised, Random, arithmetic, float_of, function, item,
    parse_time, round, starts_with,
};
use crate::service::{Context, Scenario, Service, no_function};
use crate::value::{Dict, Key, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function(
        "authenticate_travel",
        &["client_id", "client_secret", "refresh_token", "grant_type", "user_first_name", "user_last_name"],
        &[],
    ),
    function("travel_get_login_status", &[], &[]),
    function("get_budget_fiscal_year", &[], &["lastModifiedAfter", "includeRemoved"]),
    function(
        "register_credit_card",
        &["access_token", "card_number", "expiration_date", "cardholder_name", "card_verification_number"],
        &[],
    ),
    function("get_flight_cost", &["travel_from", "travel_to", "travel_date", "travel_class"], &[]),
    function("get_credit_card_balance", &["access_token", "card_id"], &[]),
    function(
        "book_flight",
        &["access_token", "card_id", "travel_date", "travel_from", "travel_to", "travel_class"],
        &[],
    ),
    function("retrieve_invoice", &["access_token"], &["booking_id", "insurance_id"]),
    function("list_all_airports", &[], &[]),
    function("cancel_booking", &["access_token", "booking_id"], &[]),
    function("compute_exchange_rate", &["base_currency", "target_currency", "value"], &[]),
    function(
        "verify_traveler_information",
        &["first_name", "last_name", "date_of_birth", "passport_number"],
        &[],
    ),
    function("set_budget_limit", &["access_token", "budget_limit"], &[]),
    function("get_nearest_airport_by_city", &["location"], &[]),
    function(
        "purchase_insurance",
        &["access_token", "insurance_type", "booking_id", "insurance_cost", "card_id"],
        &[],
    ),
    function("contact_customer_support", &["booking_id", "message"], &[]),
    function("get_all_credit_cards", &[], &[]),
];

/// What a dollar is in other currencies; whole rates are integers.
const DOLLAR: [(&str, f64); 10] = [
    ("RMB", 7.0),
    ("EUR", 0.8),
    ("JPY", 110.0),
    ("GBP", 0.7),
    ("CAD", 1.3),
    ("AUD", 1.4),
    ("INR", 70.0),
    ("RUB", 60.0),
    ("BRL", 3.8),
    ("MXN", 20.0),
];

/// The day on which travellers are as old as they are. The released service takes the day of the run, so
/// that its results change with time; ours is the day of the release, and they do not.
const TODAY: Moment = Moment { year: 2025, month: 8, day: 6, ..Moment::MIN };

pub(crate) struct Travel {
    context: Context,
    random: Random,
    cards: Dict,
    bookings: Dict,
    token: Value,
    token_type: Value,
    expires_in: Value,
    scope: Value,
    first_name: Value,
    last_name: Value,
    budget: Value,
}

/// Adds what is not there yet.
fn extend(entries: &mut Dict, additions: &Dict) {
    for (key, value) in additions.iter() {
        if entries.at(key).is_none() {
            entries.insert(key.clone(), value.clone());
        }
    }
}

impl Travel {
    pub(crate) fn load(scenario: &Scenario<'_>, context: &Context) -> Result<Self, ServicesError> {
        let mut cards = scenario.dict("credit_card_list", Dict::default)?;
        let mut bookings = scenario.dict("booking_record", Dict::default)?;
        if let Some(texts) = context.texts() {
            extend(&mut cards, &texts.credit_cards);
            extend(&mut bookings, &texts.bookings);
        }
        Ok(Self {
            context: context.clone(),
            random: Random::new(&scenario.seed(141_053)?),
            cards,
            bookings,
            token: scenario.get("access_token", Value::None),
            token_type: scenario.get("token_type", Value::None),
            expires_in: scenario.get("token_expires_in", Value::None),
            scope: scenario.get("token_scope", Value::None),
            first_name: scenario.get("user_first_name", Value::None),
            last_name: scenario.get("user_last_name", Value::None),
            budget: scenario.get("budget_limit", Value::None),
        })
    }

    /// A number of so many digits, as text.
    fn new_number(&mut self, digits: u32) -> Value {
        let low = 10u64.pow(digits - 1);
        self.random.integer(low, 10 * low - 1).to_string().into()
    }

    fn authenticate(&mut self, grant: &Value, first_name: &Value, last_name: &Value) -> Value {
        self.expires_in = 2.into();
        self.token = self.new_number(6);
        self.token_type = "Bearer".into();
        self.scope = grant.clone();
        self.first_name = first_name.clone();
        self.last_name = last_name.clone();
        dict! {
            "expires_in": 2,
            "access_token": self.token.clone(),
            "token_type": "Bearer",
            "scope": grant.clone(),
        }
    }

    fn is_logged_in(&self) -> bool {
        !(self.expires_in == Value::None || self.expires_in == Value::from(0))
    }

    /// Why a token does not do; a wrong one brings the end of the right one nearer.
    fn refusal(&mut self, token: &Value) -> Outcome<Option<&'static str>> {
        if self.expires_in == Value::from(0) {
            return Ok(Some("Token expired"));
        }
        if *token != self.token {
            self.expires_in = arithmetic(Operator::SubtractInPlace, &self.expires_in, &1.into())?;
            return Ok(Some("Invalid access token"));
        }
        Ok(None)
    }

    fn register(&mut self, token: &Value, number: &Value, rest: [(&str, &Value); 3]) -> Outcome {
        if self.expires_in == Value::None {
            return Ok(refused("Token not initialized"));
        }
        if let Some(reason) = self.refusal(token)? {
            return Ok(refused(reason));
        }
        if self.cards.find(number)?.is_some() {
            return Ok(refused("Card already registered"));
        }
        let id = self.new_number(12);
        let mut card = Dict::of([("card_number", number.clone())]);
        for (name, value) in rest {
            card.set(name, value.clone());
        }
        card.set("balance", Value::Int(self.random.integer(10_000, 99_999).into()));
        self.cards.insert(Key::of(&id)?, card.into());
        Ok(dict! {"card_id": id})
    }

    fn balance(&mut self, token: &Value, card: &Value) -> Outcome {
        if let Some(reason) = self.refusal(token)? {
            return Ok(refused(reason));
        }
        match self.cards.find(card)? {
            Some(card) => Ok(dict! {"card_balance": item(card, "balance")?.clone()}),
            None => {
                let known = Value::List(self.cards.keys());
                Ok(refused(format!("Card not registered. Here are a list of card_id's: {known}")))
            }
        }
    }

    fn set_budget(&mut self, token: &Value, limit: &Value) -> Outcome {
        if let Some(reason) = self.refusal(token)? {
            return Ok(refused(reason));
        }
        self.budget = float_of(limit)?.into();
        Ok(dict! {"budget_limit": self.budget.clone()})
    }

    fn verify(&self, first: &Value, last: &Value, born: &Value, passport: &Value) -> Outcome {
        let failed = |reason: String| dict! {"verification_status": false, "verification_failure": reason};
        if self.first_name != *first || self.last_name != *last {
            return Ok(failed(format!(
                "Cannot book flight information for another user.Expected {} {}, got {first} {last}",
                self.first_name, self.last_name
            )));
        }
        let born = match parse_time(born, DATE) {
            Ok(born) => born,
            Err(raised) if raised.kind == Kind::Value => {
                return Ok(failed("Invalid date of birth format. Please use YYYY-MM-DD.".into()));
            }
            Err(raised) => return Err(raised),
        };
        let before_birthday = (TODAY.month, TODAY.day) < (born.month, born.day);
        if i64::from(TODAY.year) - i64::from(born.year) - i64::from(before_birthday) < 18 {
            return Ok(failed("Traveler must be at least 18 years old.".into()));
        }
        if !starts_with(passport, "US")? {
            return Ok(failed("Passport must be issued by the United States.".into()));
        }
        Ok(dict! {"verification_status": true})
    }
}

fn exchange(base: &Value, target: &Value, value: &Value) -> Outcome {
    for (currency, rate) in DOLLAR {
        let rate = if rate.fract() == 0.0 { Value::from(rate as i64) } else { rate.into() };
        if base.is_str("USD") && target.is_str(currency) {
            return Ok(dict! {"exchanged_value": arithmetic(Operator::Multiply, value, &rate)?});
        }
        if base.is_str(currency) && target.is_str("USD") {
            let dollars = arithmetic(Operator::Divide, value, &rate)?;
            return Ok(dict! {"exchanged_value": round(&dollars, &2.into())?});
        }
    }
    Err(Raised::value_error("No available exchange rate for the given currencies."))
}

impl Service for Travel {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        match (function, slots) {
            ("authenticate_travel", &[_, _, _, Some(grant), Some(first), Some(last)]) => {
                Ok(self.authenticate(grant, first, last))
            }
            ("travel_get_login_status", []) => Ok(dict! {"status": self.is_logged_in()}),
            ("get_budget_fiscal_year", _) => Ok(dict! {"budget_fiscal_year": "2018"}),
            (
                "register_credit_card",
                &[Some(token), Some(number), Some(expiry), Some(holder), Some(code)],
            ) => {
                let rest = [
                    ("expiration_date", expiry),
                    ("cardholder_name", holder),
                    ("card_verification_number", code),
                ];
                self.register(token, number, rest)
            }
            ("get_flight_cost", &[Some(from), Some(to), Some(date), Some(class)]) => {
                let (_, prices) = flights::prices(from, to, date, class, &self.context)?;
                Ok(dict! {"travel_cost_list": prices})
            }
            ("get_credit_card_balance", &[Some(token), Some(card)]) => self.balance(token, card),
            ("book_flight", &[Some(token), Some(card), Some(date), Some(from), Some(to), Some(class)]) => {
                self.book(token, card, &booking::Flight { date, from, to, class })
            }
            ("retrieve_invoice", &[Some(token), booking, _]) => {
                self.invoice(token, booking.unwrap_or(&Value::None))
            }
            ("list_all_airports", []) => Ok(flights::airports().into()),
            ("cancel_booking", &[Some(token), Some(booking)]) => self.cancel(token, booking),
            ("compute_exchange_rate", &[Some(base), Some(target), Some(value)]) => {
                exchange(base, target, value)
            }
            ("verify_traveler_information", &[Some(first), Some(last), Some(born), Some(passport)]) => {
                self.verify(first, last, born, passport)
            }
            ("set_budget_limit", &[Some(token), Some(limit)]) => self.set_budget(token, limit),
            ("get_nearest_airport_by_city", &[Some(city)]) => {
                Ok(dict! {"nearest_airport": flights::nearest_airport(city)?})
            }
            ("purchase_insurance", &[Some(token), Some(_), Some(booking), Some(cost), Some(card)]) => {
                self.insure(token, booking, cost, card)
            }
            ("contact_customer_support", &[Some(booking), Some(_)]) => self.contact(booking),
            ("get_all_credit_cards", []) => Ok(dict! {"credit_card_list": self.cards.clone()}),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("credit_card_list", self.cards.clone().into()),
            ("booking_record", self.bookings.clone().into()),
            ("access_token", self.token.clone()),
            ("token_type", self.token_type.clone()),
            ("token_expires_in", self.expires_in.clone()),
            ("token_scope", self.scope.clone()),
            ("user_first_name", self.first_name.clone()),
            ("user_last_name", self.last_name.clone()),
            ("budget_limit", self.budget.clone()),
            ("long_context", self.context.is_long().into()),
        ]
    }
}
