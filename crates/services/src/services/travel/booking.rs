//! Bookings: made, billed, insured and cancelled.

use super::{Travel, flights};
use crate::python::{DATE, Kind, Operator, Outcome, Raised, arithmetic, contains, item, parse_time};
use crate::value::{Dict, Key, Order, Value, dict};

/// What is booked.
pub(super) struct Flight<'a> {
    pub(super) date: &'a Value,
    pub(super) from: &'a Value,
    pub(super) to: &'a Value,
    pub(super) class: &'a Value,
}

/// A refusal with the status under its own name.
fn failed(status: &str, reason: impl Into<String>) -> Value {
    Dict::of([(status, false.into()), ("error", reason.into().into())]).into()
}

impl Travel {
    pub(super) fn book(&mut self, token: &Value, card: &Value, flight: &Flight<'_>) -> Outcome {
        let refused = |reason: String| Ok(failed("booking_status", reason));
        if let Some(reason) = self.refusal(token)? {
            return refused(reason.into());
        }
        let Some(own) = self.cards.find(card)? else {
            return refused("Card not registered".into());
        };
        if !contains(own, &"balance".into())? {
            return refused("Balance not found".into());
        }
        let balance = item(own, "balance")?;
        let cost = match self.price(flight)? {
            Ok(cost) => Value::Float(cost),
            Err(reason) => return refused(reason),
        };
        if balance.compares(Order::Less, &cost)? {
            return refused("Insufficient funds".into());
        }
        if self.budget != Value::None && balance.compares(Order::Less, &self.budget)? {
            return refused("Balance is less than budget limit".into());
        }
        self.charge(card, Operator::SubtractInPlace, &cost)?;
        let (booking, transaction) = (self.new_number(7), self.new_number(8));
        let record = dict! {
            "card_id": card.clone(),
            "travel_date": flight.date.clone(),
            "travel_from": flight.from.clone(),
            "travel_to": flight.to.clone(),
            "travel_class": flight.class.clone(),
            "travel_cost": cost,
            "transaction_id": transaction.clone(),
        };
        self.bookings.insert(Key::of(&booking)?, record);
        let history = if self.context.is_long() { self.bookings.clone() } else { Dict::default() };
        Ok(dict! {
            "booking_id": booking,
            "transaction_id": transaction,
            "booking_status": true,
            "booking_history": history,
        })
    }

    /// A flight's price, or why it cannot be booked.
    fn price(&self, flight: &Flight<'_>) -> Outcome<Result<f64, String>> {
        let airports = flights::airports();
        if !airports.contains(flight.from) {
            return Ok(Err(format!("Invalid departure airport code: {}", flight.from)));
        }
        if !airports.contains(flight.to) {
            return Ok(Err(format!("Invalid destination airport code: {}", flight.to)));
        }
        match parse_time(flight.date, DATE) {
            Err(raised) if raised.kind == Kind::Value => {
                return Ok(Err("Invalid date format. Use YYYY-MM-DD.".into()));
            }
            parsed => parsed?,
        };
        Key::of(flight.class)?;
        if !["economy", "business", "first"].iter().any(|class| flight.class.is_str(class)) {
            // A set of Python, whose order there changes with each run.
            return Ok(Err("Invalid travel class. Must be one of {'economy', 'business', 'first'}".into()));
        }
        match flights::prices(flight.from, flight.to, flight.date, flight.class, &self.context) {
            Ok((price, _)) => Ok(Ok(price)),
            Err(raised) if raised.kind == Kind::Value => Ok(Err(raised.text)),
            Err(raised) => Err(raised),
        }
    }

    /// Changes a card's balance.
    fn charge(&mut self, card: &Value, operator: Operator, amount: &Value) -> Outcome<()> {
        let key = Key::of(card)?;
        let own = self.cards.find_mut(card)?.ok_or_else(|| Raised::key(&key))?;
        let balance = arithmetic(operator, item(own, "balance")?, amount)?;
        if let Value::Dict(own) = own {
            own.set("balance", balance);
        }
        Ok(())
    }

    pub(super) fn invoice(&mut self, token: &Value, booking: &Value) -> Outcome {
        if let Some(reason) = self.refusal(token)? {
            return Ok(super::refused(reason));
        }
        let Some(record) = self.bookings.find(booking)? else {
            return Ok(super::refused("Booking not found"));
        };
        let mut invoice = Dict::of([("booking_id", booking.clone())]);
        for field in
            ["travel_date", "travel_from", "travel_to", "travel_class", "travel_cost", "transaction_id"]
        {
            invoice.set(field, item(record, field)?.clone());
        }
        Ok(dict! {"invoice": invoice})
    }

    pub(super) fn cancel(&mut self, token: &Value, booking: &Value) -> Outcome {
        if let Some(reason) = self.refusal(token)? {
            return Ok(failed("cancel_status", reason));
        }
        let Some(record) = self.bookings.find(booking)?.cloned() else {
            return Ok(failed("cancel_status", "Booking not found"));
        };
        let (card, cost) = (item(&record, "card_id")?, item(&record, "travel_cost")?);
        self.charge(card, Operator::AddInPlace, cost)?;
        self.bookings.remove(booking)?;
        Ok(dict! {"cancel_status": true})
    }

    pub(super) fn insure(&mut self, token: &Value, booking: &Value, cost: &Value, card: &Value) -> Outcome {
        let refused = |reason: &str| Ok(failed("insurance_status", reason));
        if let Some(reason) = self.refusal(token)? {
            return refused(reason);
        }
        if self.budget != Value::None && self.budget.compares(Order::Less, cost)? {
            return refused("Exceeded budget limit");
        }
        if self.bookings.find(booking)?.is_none() {
            return refused("Booking not found");
        }
        if self.cards.find(card)?.is_none() {
            return refused("Credit card not registered");
        }
        self.charge(card, Operator::SubtractInPlace, cost)?;
        Ok(dict! {"insurance_id": self.new_number(9), "insurance_status": true})
    }

    pub(super) fn contact(&self, booking: &Value) -> Outcome {
        if self.bookings.find(booking)?.is_none() {
            return Ok(super::refused("Booking not found"));
        }
        Ok(dict! {
            "customer_support_message": "Thank you for contacting customer support. Your message has been \
                                         received and we will get back to you shortly.",
        })
    }
}
