//! TicketAPI: support tickets.

use super::refused;
use crate::ServicesError;
use crate::python::{Function, Operator, Outcome, Raised, arithmetic, function, item, lower};
use crate::service::{Scenario, Service, no_function};
use crate::value::{Order, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("create_ticket", &["title"], &["description", "priority"]),
    function("get_ticket", &["ticket_id"], &[]),
    function("close_ticket", &["ticket_id"], &[]),
    function("resolve_ticket", &["ticket_id", "resolution"], &[]),
    function("edit_ticket", &["ticket_id", "updates"], &[]),
    function("ticket_login", &["username", "password"], &[]),
    function("ticket_get_login_status", &[], &[]),
    function("logout", &[], &[]),
    function("get_user_tickets", &[], &["status"]),
];

/// The fields of a ticket that can be edited.
const EDITABLE: [&str; 4] = ["title", "description", "status", "priority"];

pub(crate) struct Tickets {
    queue: Vec<Value>,
    counter: Value,
    user: Value,
}

impl Tickets {
    pub(crate) fn load(scenario: &Scenario<'_>) -> Result<Self, ServicesError> {
        Ok(Self {
            queue: scenario.list("ticket_queue", Vec::new())?,
            counter: scenario.get("ticket_counter", 1),
            user: scenario.get("current_user", Value::None),
        })
    }

    fn create(&mut self, title: &Value, description: Option<&Value>, priority: Option<&Value>) -> Outcome {
        if !self.user.truthy() {
            return Ok(refused("User not authenticated. Please log in to create a ticket."));
        }
        let priority = priority.cloned().unwrap_or_else(|| 1.into());
        if priority.compares(Order::Less, &1.into())? || priority.compares(Order::Greater, &5.into())? {
            return Ok(refused("Invalid priority. Priority must be between 1 and 5."));
        }
        let ticket = dict! {
            "id": self.counter.clone(),
            "title": title.clone(),
            "description": description.cloned().unwrap_or_else(|| "".into()),
            "status": "Open",
            "priority": priority,
            "created_by": self.user.clone(),
        };
        self.queue.push(ticket.clone());
        self.counter = arithmetic(Operator::AddInPlace, &self.counter, &1.into())?;
        Ok(ticket)
    }

    /// The place of the first ticket of this id in the queue.
    fn find(&self, id: &Value) -> Outcome<Option<usize>> {
        for (i, ticket) in self.queue.iter().enumerate() {
            if item(ticket, "id")? == id {
                return Ok(Some(i));
            }
        }
        Ok(None)
    }

    fn get(&self, id: &Value) -> Outcome {
        Ok(match self.find(id)? {
            Some(i) => self.queue[i].clone(),
            None => not_found(id),
        })
    }

    /// Gives a ticket a status that it must not have yet.
    fn settle(&mut self, id: &Value, status: &str, done: &str, resolution: Option<&Value>) -> Outcome {
        let Some(i) = self.find(id)? else {
            return Ok(not_found(id));
        };
        if item(&self.queue[i], "status")?.is_str(status) {
            return Ok(refused(format!("Ticket with ID {id} is already {done}.")));
        }
        if let Value::Dict(ticket) = &mut self.queue[i] {
            ticket.set("status", status);
            if let Some(resolution) = resolution {
                ticket.set("resolution", resolution.clone());
            }
        }
        Ok(dict! {"status": format!("Ticket {id} has been {done} successfully.")})
    }

    fn edit(&mut self, id: &Value, updates: &Value) -> Outcome {
        let Some(i) = self.find(id)? else {
            return Ok(not_found(id));
        };
        let Value::Dict(updates) = updates else {
            return Err(Raised::attribute(updates.type_name(), "keys"));
        };
        let editable = |key: &Value| EDITABLE.iter().any(|field| key.is_str(field));
        let invalid: Vec<Value> = updates.keys().into_iter().filter(|key| !editable(key)).collect();
        if !invalid.is_empty() {
            let fields = crate::python::join(&invalid)?;
            return Ok(refused(format!("Invalid fields for update: {fields}")));
        }
        if let Value::Dict(ticket) = &mut self.queue[i] {
            for (key, value) in updates.iter().filter(|(_, value)| **value != Value::None) {
                ticket.insert(key.clone(), value.clone());
            }
        }
        Ok(dict! {"status": format!("Ticket {id} has been updated successfully.")})
    }

    fn log_in(&mut self, username: &Value, password: &Value) -> Value {
        let success = username.truthy() && password.truthy();
        if success {
            self.user = username.clone();
        }
        dict! {"success": success}
    }

    fn log_out(&mut self) -> Value {
        let success = self.user.truthy();
        if success {
            self.user = Value::None;
        }
        dict! {"success": success}
    }

    fn of_user(&self, status: Option<&Value>) -> Outcome {
        if !self.user.truthy() {
            let refusal = refused("User not authenticated. Please log in to view tickets.");
            return Ok(Value::List(vec![refusal]));
        }
        let mut tickets = Vec::new();
        for ticket in &self.queue {
            if item(ticket, "created_by")? == &self.user {
                tickets.push(ticket);
            }
        }
        if let Some(status) = status.filter(|status| status.truthy()) {
            let mut kept = Vec::new();
            for ticket in tickets {
                if lower(item(ticket, "status")?)? == lower(status)? {
                    kept.push(ticket);
                }
            }
            tickets = kept;
        }
        Ok(Value::List(tickets.into_iter().cloned().collect()))
    }
}

fn not_found(id: &Value) -> Value {
    refused(format!("Ticket with ID {id} not found."))
}

impl Service for Tickets {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        match (function, slots) {
            ("create_ticket", &[Some(title), description, priority]) => {
                self.create(title, description, priority)
            }
            ("get_ticket", &[Some(id)]) => self.get(id),
            ("close_ticket", &[Some(id)]) => self.settle(id, "Closed", "closed", None),
            ("resolve_ticket", &[Some(id), Some(resolution)]) => {
                self.settle(id, "Resolved", "resolved", Some(resolution))
            }
            ("edit_ticket", &[Some(id), Some(updates)]) => self.edit(id, updates),
            ("ticket_login", &[Some(username), Some(password)]) => Ok(self.log_in(username, password)),
            ("ticket_get_login_status", []) => Ok(dict! {"username": self.user.truthy()}),
            ("logout", []) => Ok(self.log_out()),
            ("get_user_tickets", &[status]) => self.of_user(status),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("ticket_queue", self.queue.clone().into()),
            ("ticket_counter", self.counter.clone()),
            ("current_user", self.user.clone()),
        ]
    }
}
