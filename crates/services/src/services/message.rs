//! MessageAPI: messages between the users of a workspace.

use super::{count, refused};
use crate::ServicesError;
use crate::python::{Function, IdSet, Operator, Outcome, Raised, Random, arithmetic, function, lower};
use crate::service::{Scenario, Service, no_function};
use crate::value::{Dict, Key, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("list_users", &[], &[]),
    function("get_user_id", &["user"], &[]),
    function("message_login", &["user_id"], &[]),
    function("message_get_login_status", &[], &[]),
    function("send_message", &["receiver_id", "message"], &[]),
    function("delete_message", &["receiver_id"], &[]),
    function("view_messages_sent", &[], &[]),
    function("add_contact", &["user_name"], &[]),
    function("search_messages", &["keyword"], &[]),
    function("get_message_stats", &[], &[]),
];

/// How many ids are given before the search for a free one is given up.
const MOST_IDS: usize = 80_000;

pub(crate) struct Messages {
    random: Random,
    generated_ids: IdSet,
    user_count: Value,
    /// User names to user ids.
    users: Dict,
    /// Each message a dict of one entry: its receiver and its text.
    inbox: Vec<Value>,
    message_count: Value,
    user: Value,
}

fn default_users() -> Dict {
    Dict::of([
        ("Alice", "USR001".into()),
        ("Bob", "USR002".into()),
        ("Catherine", "USR003".into()),
        ("Daniel", "USR004".into()),
    ])
}

fn default_inbox() -> Vec<Value> {
    vec![
        dict! {"USR002": "My name is Alice. I want to connect."},
        dict! {"USR003": "Could you upload the file?"},
        dict! {"USR004": "Could you upload the file?"},
    ]
}

impl Messages {
    pub(crate) fn load(scenario: &Scenario<'_>) -> Result<Self, ServicesError> {
        if let Some(given) = scenario.find("generated_ids") {
            return Err(scenario.error("generated_ids", "nothing: ids are generated", given));
        }
        Ok(Self {
            random: Random::new(&scenario.seed(200_191)?),
            generated_ids: IdSet::default(),
            user_count: scenario.get("user_count", 4),
            users: scenario.dict("user_map", default_users)?,
            inbox: scenario.list("inbox", default_inbox())?,
            message_count: scenario.get("message_count", 3),
            user: scenario.get("current_user", Value::None),
        })
    }

    fn user_id(&self, user: &Value) -> Outcome {
        Ok(match self.users.find(user)? {
            Some(id) => dict! {"user_id": id.clone()},
            None => refused(format!("User '{user}' not found in the workspace.")),
        })
    }

    fn is_user_id(&self, id: &Value) -> bool {
        self.users.values().any(|own| own == id)
    }

    fn log_in(&mut self, id: &Value) -> Value {
        if !self.is_user_id(id) {
            return dict! {"login_status": false, "message": format!("User ID '{id}' not found.")};
        }
        self.user = id.clone();
        dict! {"login_status": true, "message": format!("User '{id}' logged in successfully.")}
    }

    /// An id that no message has yet.
    fn new_id(&mut self) -> Outcome {
        while self.generated_ids.len() < MOST_IDS {
            let id = self.random.integer(10_000, 99_999);
            if !self.generated_ids.contains(id) {
                self.generated_ids.insert(id);
                return Ok(dict! {"new_id": Value::Int(id.into())});
            }
        }
        Err(Raised::too_large())
    }

    fn send(&mut self, receiver: &Value, message: &Value) -> Outcome {
        if !self.is_user_id(receiver) {
            return Ok(refused(format!("Receiver ID '{receiver}' not found.")));
        }
        let id = self.new_id()?;
        let mut sent = Dict::default();
        sent.insert(Key::of(receiver)?, message.clone());
        self.inbox.push(sent.into());
        self.message_count = arithmetic(Operator::AddInPlace, &self.message_count, &1.into())?;
        Ok(dict! {
            "sent_status": true,
            "message_id": id,
            "message": format!("Message sent to '{receiver}' successfully."),
        })
    }

    /// The receiver and the text of each message, in the inbox's order.
    fn messages(&self) -> impl DoubleEndedIterator<Item = Outcome<(&Key, &Value)>> + ExactSizeIterator {
        self.inbox.iter().map(|message| match message {
            Value::Dict(entries) => {
                entries.iter().next().ok_or_else(|| Raised::other("list index out of range"))
            }
            other => Err(Raised::attribute(other.type_name(), "items")),
        })
    }

    fn delete_last(&mut self, receiver: &Value) -> Outcome {
        let mut last = None;
        for (i, message) in self.messages().enumerate().rev() {
            let (own, _) = message?;
            if own.value() == *receiver {
                last = Some((i, own.value()));
                break;
            }
        }
        let Some((last, own)) = last else {
            return Ok(refused(format!("Receiver ID {receiver} not found.")));
        };
        // The released code removes the first message that is equal to the last.
        let equal = self.inbox[..last].iter().position(|message| *message == self.inbox[last]);
        self.inbox.remove(equal.unwrap_or(last));
        Ok(dict! {
            "deleted_status": true,
            "message_id": own,
            "message": format!("Receiver {receiver}'s first message deleted successfully."),
        })
    }

    fn sent(&self) -> Outcome {
        let mut by_receiver = Dict::default();
        for message in self.messages() {
            let (receiver, text) = message?;
            if let Value::List(texts) = by_receiver.set_default(receiver.clone(), Vec::new().into()) {
                texts.push(text.clone());
            }
        }
        Ok(dict! {"messages": by_receiver})
    }

    fn add_contact(&mut self, name: &Value) -> Outcome {
        if self.users.find(name)?.is_some() {
            return Ok(refused(format!("User name '{name}' already exists.")));
        }
        self.user_count = arithmetic(Operator::AddInPlace, &self.user_count, &1.into())?;
        let id = Value::from(format!("USR{}", zero_filled(&self.user_count.to_string())));
        if self.is_user_id(&id) {
            return Ok(refused(format!("User ID '{id}' already exists.")));
        }
        self.users.insert(Key::of(name)?, id.clone());
        Ok(dict! {
            "added_status": true,
            "user_id": id,
            "message": format!("Contact '{name}' added successfully."),
        })
    }

    fn search(&self, keyword: &Value) -> Outcome {
        let keyword = lower(keyword)?;
        let mut results = Vec::new();
        for message in self.messages() {
            let (receiver, text) = message?;
            if lower(text)?.contains(&keyword) {
                results.push(dict! {"receiver_id": receiver.value(), "message": text.clone()});
            }
        }
        Ok(dict! {"results": results})
    }

    fn statistics(&self) -> Outcome {
        let mut contacts = Dict::default();
        for message in self.messages() {
            contacts.insert(message?.0.clone(), Value::None);
        }
        Ok(dict! {
            "stats": dict! {
                "received_count": count(self.inbox.len()),
                "total_contacts": count(contacts.len()),
            },
        })
    }
}

/// Python's `zfill(3)`, which puts zeros after a sign.
fn zero_filled(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    format!("{sign}{digits:0>width$}", width = 3 - sign.len())
}

impl Service for Messages {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        let needs_login = matches!(
            function,
            "send_message"
                | "delete_message"
                | "view_messages_sent"
                | "search_messages"
                | "get_message_stats"
        );
        if needs_login && !self.user.truthy() {
            return Ok(refused("No user is currently logged in."));
        }
        match (function, slots) {
            ("list_users", []) => Ok(dict! {"user_list": self.users.keys()}),
            ("get_user_id", &[Some(user)]) => self.user_id(user),
            ("message_login", &[Some(id)]) => Ok(self.log_in(id)),
            ("message_get_login_status", []) => Ok(dict! {"login_status": self.user.truthy()}),
            ("send_message", &[Some(receiver), Some(message)]) => self.send(receiver, message),
            ("delete_message", &[Some(receiver)]) => self.delete_last(receiver),
            ("view_messages_sent", []) => self.sent(),
            ("add_contact", &[Some(name)]) => self.add_contact(name),
            ("search_messages", &[Some(keyword)]) => self.search(keyword),
            ("get_message_stats", []) => self.statistics(),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("generated_ids", Value::Opaque(self.generated_ids.to_string())),
            ("user_count", self.user_count.clone()),
            ("user_map", self.users.clone().into()),
            ("inbox", self.inbox.clone().into()),
            ("message_count", self.message_count.clone()),
            ("current_user", self.user.clone()),
        ]
    }
}
