//! Stocks and the watch list.

use super::{Trading, refused};
use crate::python::{Operator, Outcome, Raised, absolute, arithmetic, item, iterate, join};
use crate::service::Context;
use crate::value::{Key, Order, Value, dict};

/// Companies and their symbols.
const SYMBOLS: [(&str, &str); 12] = [
    ("Apple", "AAPL"),
    ("Google", "GOOG"),
    ("Tesla", "TSLA"),
    ("Microsoft", "MSFT"),
    ("Nvidia", "NVDA"),
    ("Zeta Corp", "ZETA"),
    ("Alpha Tech", "ALPH"),
    ("Omega Industries", "OMEG"),
    ("Quasar Ltd.", "QUAS"),
    ("Neptune Systems", "NEPT"),
    ("Synex Solutions", "SYNX"),
    ("Amazon", "AMZN"),
];

/// Sectors and their stocks.
const SECTORS: [(&str, &[&str]); 2] =
    [("Technology", &["AAPL", "GOOG", "MSFT", "NVDA"]), ("Automobile", &["TSLA", "F", "GM"])];

pub(super) fn symbol_of(company: &Value) -> Outcome {
    Key::of(company)?;
    let known = SYMBOLS.iter().find(|(name, _)| company.is_str(name));
    Ok(dict! {"symbol": known.map_or("Stock not found", |(_, symbol)| symbol)})
}

pub(super) fn of_sector(sector: &Value, context: &Context) -> Outcome {
    Key::of(sector)?;
    let mut stocks: Vec<Value> = Vec::new();
    if let Some((name, symbols)) = SECTORS.iter().find(|(name, _)| sector.is_str(name)) {
        stocks.extend(symbols.iter().map(|symbol| Value::from(*symbol)));
        if let Some(texts) = context.texts() {
            let more = if *name == "Technology" { &texts.technology } else { &texts.automobile };
            stocks.extend_from_slice(more);
        }
    }
    Ok(dict! {"stock_list": stocks})
}

impl Trading {
    pub(super) fn stock(&self, symbol: &Value) -> Outcome {
        let Some(stock) = self.stocks.find(symbol)? else {
            return Ok(not_found(symbol));
        };
        let mut stock = stock.clone();
        if let (Some(texts), Value::Dict(stock)) = (self.context.texts(), &mut stock) {
            stock.set("MA(5)", texts.averages_of_5.clone());
            stock.set("MA(20)", texts.averages_of_20.clone());
        }
        Ok(stock)
    }

    pub(super) fn set_price(&mut self, symbol: &Value, price: &Value) -> Outcome {
        let Some(stock) = self.stocks.find_mut(symbol)? else {
            return Ok(not_found(symbol));
        };
        if price.compares(Order::LessOrEqual, &0.into())? {
            return Ok(refused("New price must be a positive value."));
        }
        let old = item(stock, "price")?.clone();
        if let Value::Dict(stock) = stock {
            stock.set("price", price.clone());
            let change = arithmetic(Operator::Subtract, price, &old)?;
            let part = arithmetic(Operator::Divide, &change, &old)?;
            stock.set("percent_change", arithmetic(Operator::Multiply, &part, &100.into())?);
        }
        Ok(dict! {"symbol": symbol.clone(), "old_price": old, "new_price": price.clone()})
    }

    pub(super) fn between(&self, symbols: &Value, low: &Value, high: &Value) -> Outcome {
        let mut filtered = Vec::new();
        for symbol in iterate(symbols)? {
            let price = match self.stocks.find(&symbol)? {
                None => 0.into(),
                Some(Value::Dict(stock)) => stock.get("price").cloned().unwrap_or_else(|| 0.into()),
                Some(other) => return Err(Raised::attribute(other.type_name(), "get")),
            };
            if price.compares(Order::GreaterOrEqual, low)? && price.compares(Order::LessOrEqual, high)? {
                filtered.push(symbol);
            }
        }
        Ok(dict! {"filtered_stocks": filtered})
    }

    pub(super) fn notify(&self, symbols: &Value, threshold: &Value) -> Outcome {
        let mut changed = Vec::new();
        for symbol in iterate(symbols)? {
            if let Some(stock) = self.stocks.find(&symbol)?
                && absolute(item(stock, "percent_change")?)?.compares(Order::GreaterOrEqual, threshold)?
            {
                changed.push(symbol);
            }
        }
        let notification = match join(&changed)? {
            _ if changed.is_empty() => "No significant price changes in the selected stocks.".into(),
            names => format!("Stocks {names} have significant price changes."),
        };
        Ok(dict! {"notification": notification})
    }

    pub(super) fn watch(&mut self, symbol: &Value) -> Outcome {
        if !self.watch_list.contains(symbol) && self.stocks.find(symbol)?.is_some() {
            self.watch_list.push(symbol.clone());
        }
        Ok(dict! {"symbol": self.watch_list.clone()})
    }

    pub(super) fn unwatch(&mut self, symbol: &Value) -> Value {
        if let Some(refusal) = self.refusal("modify the watchlist") {
            return refusal;
        }
        match self.watch_list.iter().position(|own| own == symbol) {
            Some(place) => {
                self.watch_list.remove(place);
                dict! {"status": format!("Stock {symbol} removed from watchlist successfully.")}
            }
            None => refused(format!("Stock {symbol} not found in watchlist.")),
        }
    }

    pub(super) fn watched(&self) -> Value {
        if !self.authenticated.truthy() {
            let error = "Error: User not authenticated. Please log in to view the watchlist.";
            return Value::List(vec![error.into()]);
        }
        match self.context.texts() {
            None => dict! {"watchlist": self.watch_list.clone()},
            Some(texts) => Value::List(self.watch_list.iter().chain(&texts.watch_list).cloned().collect()),
        }
    }
}

fn not_found(symbol: &Value) -> Value {
    refused(format!("Stock with symbol '{symbol}' not found."))
}
