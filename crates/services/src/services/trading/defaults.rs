//! What a scenario that sets nothing starts from.

use crate::value::{Dict, Key, Value, dict};

/// Symbol, price, change in percent, volume, moving averages over 5 and 20 days.
const STOCKS: [(&str, [f64; 5]); 11] = [
    ("AAPL", [227.16, 0.17, 2.552, 227.11, 227.09]),
    ("GOOG", [2840.34, 0.24, 1.123, 2835.67, 2842.15]),
    ("TSLA", [667.92, -0.12, 1.654, 671.15, 668.2]),
    ("MSFT", [310.23, 0.09, 3.234, 309.88, 310.11]),
    ("NVDA", [220.34, 0.34, 1.234, 220.45, 220.67]),
    ("ALPH", [1320.45, -0.08, 1.567, 1321.12, 1325.78]),
    ("OMEG", [457.23, 0.12, 2.345, 456.78, 458.12]),
    ("QUAS", [725.89, -0.03, 1.789, 726.45, 728.0]),
    ("NEPT", [88.34, 0.19, 0.654, 88.21, 88.67]),
    ("SYNX", [345.67, 0.11, 2.112, 345.34, 346.12]),
    ("ZETA", [22.09, -0.05, 0.789, 22.12, 22.34]),
];

pub(super) fn stocks() -> Dict {
    let fields = ["price", "percent_change", "volume", "MA(5)", "MA(20)"];
    let stock = |numbers: [f64; 5]| {
        let mut stock = Dict::default();
        for (field, number) in fields.iter().zip(numbers) {
            stock.set(field, number);
        }
        Value::from(stock)
    };
    STOCKS.into_iter().map(|(symbol, numbers)| (Key::Str(symbol.to_owned()), stock(numbers))).collect()
}

fn order(id: i64, kind: &str, symbol: &str, price: f64, amount: i64, status: &str) -> (Key, Value) {
    let order = dict! {
        "id": id,
        "order_type": kind,
        "symbol": symbol,
        "price": price,
        "amount": amount,
        "status": status,
    };
    (Key::Int(id.into()), order)
}

pub(super) fn orders() -> Dict {
    let orders = [
        order(12_345, "Buy", "AAPL", 210.65, 10, "Completed"),
        order(12_446, "Sell", "GOOG", 2840.56, 5, "Pending"),
    ];
    orders.into_iter().collect()
}

pub(super) fn account() -> Value {
    dict! {"account_id": 12_345, "balance": 10_000.0, "binding_card": 1_974_202_140_965_533}
}
