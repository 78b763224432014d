//! The account: money in and out, and the record of it.

use super::{Trading, refused};
use crate::python::{DATE, DATE_TIME, Moment, Operator, Outcome, arithmetic, item, parse_time};
use crate::value::{Order, Value, dict};

/// The market's day begins on 2024-09-01 at 10:30; its time of day in seconds.
const OPENING: u64 = (10 * 60 + 30) * 60;
const DAY: u64 = 24 * 60 * 60;

impl Trading {
    /// A moment of the 24 hours from the market's present, as text.
    fn timestamp(&mut self) -> String {
        let seconds = OPENING + self.random.integer(0, DAY);
        let (day, second) = (1 + seconds / DAY, seconds % DAY);
        format!("2024-09-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// Changes the balance and records it.
    fn book(&mut self, kind: &str, operator: Operator, amount: &Value) -> Outcome {
        let balance = arithmetic(operator, item(&self.account, "balance")?, amount)?;
        if let Value::Dict(account) = &mut self.account {
            account.set("balance", balance.clone());
        }
        let timestamp = self.timestamp();
        self.transactions.push(dict! {"type": kind, "amount": amount.clone(), "timestamp": timestamp});
        Ok(balance)
    }

    pub(super) fn fund(&mut self, amount: &Value) -> Outcome {
        if let Some(refusal) = self.refusal("fund the account") {
            return Ok(refusal);
        }
        if amount.compares(Order::LessOrEqual, &0.into())? {
            return Ok(refused("Funding amount must be positive."));
        }
        let balance = self.book("deposit", Operator::AddInPlace, amount)?;
        Ok(dict! {"status": "Account funded successfully", "new_balance": balance})
    }

    pub(super) fn transact(&mut self, account: &Value, kind: &Value, amount: &Value) -> Outcome {
        if let Some(refusal) = self.refusal("make a transaction") {
            return Ok(refusal);
        }
        if !self.market.is_str("Open") {
            return Ok(refused("Market is closed. Transactions are not allowed."));
        }
        if account != item(&self.account, "account_id")? {
            return Ok(refused(format!("Account with ID {account} not found.")));
        }
        if amount.compares(Order::LessOrEqual, &0.into())? {
            return Ok(refused("Transaction amount must be positive."));
        }
        if kind.is_str("deposit") {
            let balance = self.book("deposit", Operator::AddInPlace, amount)?;
            return Ok(dict! {"status": "Deposit successful", "new_balance": balance});
        }
        if kind.is_str("withdrawal") {
            if amount.compares(Order::Greater, item(&self.account, "balance")?)? {
                return Ok(refused("Insufficient funds for withdrawal."));
            }
            let balance = self.book("withdrawal", Operator::SubtractInPlace, amount)?;
            return Ok(dict! {"status": "Withdrawal successful", "new_balance": balance});
        }
        Ok(refused("Invalid transaction type. Use 'deposit' or 'withdrawal'."))
    }

    pub(super) fn transaction_history(&self, start: Option<&Value>, end: Option<&Value>) -> Outcome {
        if let Some(refusal) = self.refusal("view transaction history") {
            return Ok(Value::List(vec![refusal]));
        }
        let bound = |date: Option<&Value>, open: Moment| match date.filter(|date| date.truthy()) {
            Some(date) => parse_time(date, DATE),
            None => Ok(open),
        };
        let range = bound(start, Moment::MIN)?..=bound(end, Moment::MAX)?;
        let mut history = Vec::new();
        for transaction in &self.transactions {
            if range.contains(&parse_time(item(transaction, "timestamp")?, DATE_TIME)?) {
                history.push(transaction.clone());
            }
        }
        if let Some(texts) = self.context.texts() {
            history.extend_from_slice(&texts.transactions);
        }
        Ok(dict! {"transaction_history": history})
    }
}
