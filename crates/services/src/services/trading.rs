//! TradingBot: stocks, orders and an account.

mod account;
mod defaults;
mod stocks;

use super::refused;
use crate::ServicesError;
use crate::python::{
    CLOCK, Function, Operator, Outcome, Raised, Random, arithmetic, float_of, function, item, parse_time,
};
use crate::service::{Context, Scenario, Service, no_function};
use crate::value::{Dict, Key, Order, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("get_current_time", &[], &[]),
    function("update_market_status", &["current_time_str"], &[]),
    function("get_symbol_by_name", &["name"], &[]),
    function("get_stock_info", &["symbol"], &[]),
    function("get_order_details", &["order_id"], &[]),
    function("cancel_order", &["order_id"], &[]),
    function("place_order", &["order_type", "symbol", "price", "amount"], &[]),
    function("make_transaction", &["account_id", "xact_type", "amount"], &[]),
    function("get_account_info", &[], &[]),
    function("trading_login", &["username", "password"], &[]),
    function("trading_get_login_status", &[], &[]),
    function("trading_logout", &[], &[]),
    function("fund_account", &["amount"], &[]),
    function("remove_stock_from_watchlist", &["symbol"], &[]),
    function("get_watchlist", &[], &[]),
    function("get_order_history", &[], &[]),
    function("get_transaction_history", &[], &["start_date", "end_date"]),
    function("update_stock_price", &["symbol", "new_price"], &[]),
    function("get_available_stocks", &["sector"], &[]),
    function("filter_stocks_by_price", &["stocks", "min_price", "max_price"], &[]),
    function("add_to_watchlist", &["stock"], &[]),
    function("notify_price_change", &["stocks", "threshold"], &[]),
];

pub(crate) struct Trading {
    context: Context,
    random: Random,
    /// Orders by id; ids of the scenario that are digits become integers.
    orders: Dict,
    account: Value,
    authenticated: Value,
    market: Value,
    order_counter: Value,
    stocks: Dict,
    watch_list: Vec<Value>,
    transactions: Vec<Value>,
}

impl Trading {
    pub(crate) fn load(scenario: &Scenario<'_>, context: &Context) -> Result<Self, ServicesError> {
        let given = scenario.dict("orders", defaults::orders)?;
        Ok(Self {
            context: context.clone(),
            random: Random::new(&scenario.seed(1_053_520)?),
            orders: given.iter().map(|(id, order)| (order_id(id), order.clone())).collect(),
            account: scenario.get("account_info", defaults::account()),
            authenticated: scenario.get("authenticated", false),
            market: scenario.get("market_status", "Closed"),
            order_counter: scenario.get("order_counter", 12_446),
            stocks: scenario.dict("stocks", defaults::stocks)?,
            watch_list: scenario.list("watch_list", vec!["NVDA".into()])?,
            transactions: scenario.list("transaction_history", Vec::new())?,
        })
    }

    /// A refusal to users who are not logged in.
    fn refusal(&self, purpose: &str) -> Option<Value> {
        let refusal = || refused(format!("User not authenticated. Please log in to {purpose}."));
        (!self.authenticated.truthy()).then(refusal)
    }

    fn update_market(&mut self, time: &Value) -> Outcome {
        let time = parse_time(time, CLOCK)?;
        let open = ((9, 30)..=(16, 0)).contains(&(time.hour, time.minute));
        self.market = if open { "Open" } else { "Closed" }.into();
        Ok(dict! {"status": self.market.clone()})
    }

    fn order(&self, id: &Value) -> Outcome {
        let Some(order) = self.orders.find(id)? else {
            let known = Value::List(self.orders.keys());
            return Ok(refused(format!(
                "Order with ID {id} not found.Here is the list of orders_id: {known}"
            )));
        };
        let Some(texts) = self.context.texts() else {
            return Ok(order.clone());
        };
        let Value::Dict(entries) = order else {
            return Err(Raised::attribute(order.type_name(), "copy"));
        };
        let symbol = item(order, "symbol")?.to_string();
        let mut metadata = Dict::default();
        for (name, text) in texts.order_details.iter() {
            metadata.insert(name.clone(), text.to_string().replace("{symbol}", &symbol).into());
        }
        let mut detailed = entries.clone();
        detailed.set("metadata", metadata);
        Ok(detailed.into())
    }

    fn cancel(&mut self, id: &Value) -> Outcome {
        let Some(order) = self.orders.find_mut(id)? else {
            return Ok(refused(format!("Order with ID {id} not found.")));
        };
        if item(order, "status")?.is_str("Completed") {
            return Ok(refused(format!("Can't cancel order {id}. Order is already completed.")));
        }
        if let Value::Dict(order) = order {
            order.set("status", "Cancelled");
        }
        Ok(dict! {"order_id": id.clone(), "status": "Cancelled"})
    }

    fn place(&mut self, kind: &Value, symbol: &Value, price: &Value, amount: &Value) -> Outcome {
        if let Some(refusal) = self.refusal("place an order") {
            return Ok(refusal);
        }
        if self.stocks.find(symbol)?.is_none() {
            return Ok(refused(format!("Invalid stock symbol: {symbol}")));
        }
        let none = Value::from(0);
        if price.compares(Order::LessOrEqual, &none)? || amount.compares(Order::LessOrEqual, &none)? {
            return Ok(refused("Price and amount must be positive values."));
        }
        let price = float_of(price)?;
        let id = self.order_counter.clone();
        let order = dict! {
            "id": id.clone(),
            "order_type": kind.clone(),
            "symbol": symbol.clone(),
            "price": price,
            "amount": amount.clone(),
            "status": "Open",
        };
        self.orders.insert(Key::of(&id)?, order);
        self.order_counter = arithmetic(Operator::AddInPlace, &self.order_counter, &1.into())?;
        Ok(dict! {
            "order_id": id,
            "order_type": kind.clone(),
            "status": "Pending",
            "price": price,
            "amount": amount.clone(),
        })
    }

    fn log_in(&mut self) -> Value {
        if self.authenticated.truthy() {
            return dict! {"status": "Already logged in"};
        }
        self.authenticated = true.into();
        dict! {"status": "Logged in successfully"}
    }

    fn log_out(&mut self) -> Value {
        if !self.authenticated.truthy() {
            return dict! {"status": "No user is currently logged in"};
        }
        self.authenticated = false.into();
        dict! {"status": "Logged out successfully"}
    }

    fn order_history(&self) -> Value {
        match self.refusal("view order history") {
            Some(refusal) => Value::List(vec![refusal]),
            None => dict! {"history": self.orders.keys()},
        }
    }
}

/// An order's key: text of digits becomes an integer.
fn order_id(key: &Key) -> Key {
    match key {
        Key::Str(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            crate::python::int_of_text(text).map_or_else(|_| key.clone(), Key::Int)
        }
        _ => key.clone(),
    }
}

impl Service for Trading {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        match (function, slots) {
            ("get_current_time", []) => Ok(dict! {"current_time": "10:30 AM"}),
            ("update_market_status", &[Some(time)]) => self.update_market(time),
            ("get_symbol_by_name", &[Some(name)]) => stocks::symbol_of(name),
            ("get_stock_info", &[Some(symbol)]) => self.stock(symbol),
            ("get_order_details", &[Some(id)]) => self.order(id),
            ("cancel_order", &[Some(id)]) => self.cancel(id),
            ("place_order", &[Some(kind), Some(symbol), Some(price), Some(amount)]) => {
                self.place(kind, symbol, price, amount)
            }
            ("make_transaction", &[Some(account), Some(kind), Some(amount)]) => {
                self.transact(account, kind, amount)
            }
            ("get_account_info", []) => {
                Ok(self.refusal("view account information").unwrap_or_else(|| self.account.clone()))
            }
            ("trading_login", _) => Ok(self.log_in()),
            ("trading_get_login_status", []) => Ok(dict! {"status": self.authenticated.truthy()}),
            ("trading_logout", []) => Ok(self.log_out()),
            ("fund_account", &[Some(amount)]) => self.fund(amount),
            ("remove_stock_from_watchlist", &[Some(symbol)]) => Ok(self.unwatch(symbol)),
            ("get_watchlist", []) => Ok(self.watched()),
            ("get_order_history", []) => Ok(self.order_history()),
            ("get_transaction_history", &[start, end]) => self.transaction_history(start, end),
            ("update_stock_price", &[Some(symbol), Some(price)]) => self.set_price(symbol, price),
            ("get_available_stocks", &[Some(sector)]) => stocks::of_sector(sector, &self.context),
            ("filter_stocks_by_price", &[Some(symbols), Some(low), Some(high)]) => {
                self.between(symbols, low, high)
            }
            ("add_to_watchlist", &[Some(symbol)]) => self.watch(symbol),
            ("notify_price_change", &[Some(symbols), Some(threshold)]) => self.notify(symbols, threshold),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("orders", self.orders.clone().into()),
            ("account_info", self.account.clone()),
            ("authenticated", self.authenticated.clone()),
            ("market_status", self.market.clone()),
            ("order_counter", self.order_counter.clone()),
            ("stocks", self.stocks.clone().into()),
            ("watch_list", self.watch_list.clone().into()),
            ("transaction_history", self.transactions.clone().into()),
            ("long_context", self.context.is_long().into()),
        ]
    }
}
