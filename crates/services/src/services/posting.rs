//! TwitterAPI: posts, comments, reposts and followers.

use super::{count, refused};
use crate::ServicesError;
use crate::python::{
    Function, Operator, Outcome, Raised, arithmetic, contains, function, int_of_text, item, iterate, lower,
};
use crate::service::{Scenario, Service, no_function};
use crate::value::{Dict, Key, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("authenticate_twitter", &["username", "password"], &[]),
    function("posting_get_login_status", &[], &[]),
    function("post_tweet", &["content"], &["tags", "mentions"]),
    function("retweet", &["tweet_id"], &[]),
    function("comment", &["tweet_id", "comment_content"], &[]),
    function("mention", &["tweet_id", "mentioned_usernames"], &[]),
    function("follow_user", &["username_to_follow"], &[]),
    function("list_all_following", &[], &[]),
    function("unfollow_user", &["username_to_unfollow"], &[]),
    function("get_tweet", &["tweet_id"], &[]),
    function("get_user_tweets", &["username"], &[]),
    function("search_tweets", &["keyword"], &[]),
    function("get_tweet_comments", &["tweet_id"], &[]),
    function("get_user_stats", &["username"], &[]),
];

pub(crate) struct Posts {
    username: Value,
    password: Value,
    authenticated: Value,
    /// Posts by their integer ids.
    tweets: Dict,
    comments: Dict,
    retweets: Dict,
    following: Vec<Value>,
    counter: Value,
}

impl Posts {
    pub(crate) fn load(scenario: &Scenario<'_>) -> Result<Self, ServicesError> {
        let mut tweets = Dict::default();
        for (key, tweet) in scenario.dict("tweets", Dict::default)?.iter() {
            let id = int_of_text(&key.value().to_string());
            let id = id.map_err(|_| scenario.error("tweets", "integers as keys", &key.value()))?;
            tweets.insert(Key::Int(id), tweet.clone());
        }
        Ok(Self {
            username: scenario.get("username", "john"),
            password: scenario.get("password", "john123"),
            authenticated: scenario.get("authenticated", false),
            tweets,
            comments: scenario.dict("comments", Dict::default)?,
            retweets: scenario.dict("retweets", Dict::default)?,
            following: scenario.list("following_list", vec!["alice".into(), "bob".into()])?,
            counter: scenario.get("tweet_counter", 0),
        })
    }

    fn authenticate(&mut self, username: &Value, password: &Value) -> Value {
        let right = *username == self.username && *password == self.password;
        if right {
            self.authenticated = true.into();
        }
        dict! {"authentication_status": right}
    }

    fn post(&mut self, content: &Value, tags: Option<&Value>, mentions: Option<&Value>) -> Outcome {
        let list = |given: Option<&Value>| given.cloned().unwrap_or_else(|| Vec::new().into());
        let tweet = dict! {
            "id": self.counter.clone(),
            "username": self.username.clone(),
            "content": content.clone(),
            "tags": list(tags),
            "mentions": list(mentions),
        };
        self.tweets.insert(Key::of(&self.counter)?, tweet.clone());
        self.counter = arithmetic(Operator::AddInPlace, &self.counter, &1.into())?;
        Ok(tweet)
    }

    fn retweet(&mut self, id: &Value) -> Outcome {
        if self.tweets.find(id)?.is_none() {
            return Ok(not_found(id));
        }
        let own = self.retweets.set_default(Key::of(&self.username)?, Vec::new().into());
        if contains(own, id)? {
            return Ok(dict! {"retweet_status": "Already retweeted"});
        }
        append(own, id.clone())?;
        Ok(dict! {"retweet_status": "Successfully retweeted"})
    }

    fn comment(&mut self, id: &Value, content: &Value) -> Outcome {
        if self.tweets.find(id)?.is_none() {
            return Ok(not_found(id));
        }
        let comments = self.comments.set_default(Key::of(id)?, Vec::new().into());
        append(comments, dict! {"username": self.username.clone(), "content": content.clone()})?;
        Ok(dict! {"comment_status": "Comment added successfully"})
    }

    fn mention(&mut self, id: &Value, users: &Value) -> Outcome {
        let Some(tweet) = self.tweets.find_mut(id)? else {
            return Ok(not_found(id));
        };
        item(tweet, "mentions")?;
        if let Value::Dict(tweet) = tweet
            && let Some(mentions) = tweet.get_mut("mentions")
        {
            match mentions {
                Value::List(mentions) => mentions.extend(iterate(users)?),
                other => return Err(Raised::attribute(other.type_name(), "extend")),
            }
        }
        Ok(dict! {"mention_status": "Users mentioned successfully"})
    }

    fn follow(&mut self, user: &Value) -> Value {
        let new = !self.following.contains(user);
        if new {
            self.following.push(user.clone());
        }
        dict! {"follow_status": new}
    }

    fn unfollow(&mut self, user: &Value) -> Value {
        let place = self.following.iter().position(|own| own == user);
        if let Some(place) = place {
            self.following.remove(place);
        }
        dict! {"unfollow_status": place.is_some()}
    }

    /// The posts that a test picks.
    fn picked(&self, mut test: impl FnMut(&Value) -> Outcome<bool>) -> Outcome<Vec<Value>> {
        let mut picked = Vec::new();
        for tweet in self.tweets.values() {
            if test(tweet)? {
                picked.push(tweet.clone());
            }
        }
        Ok(picked)
    }

    fn of_user(&self, user: &Value) -> Outcome<Vec<Value>> {
        self.picked(|tweet| Ok(item(tweet, "username")? == user))
    }

    fn search(&self, keyword: &Value) -> Outcome {
        let found = self.picked(|tweet| {
            let keyword = lower(keyword)?;
            if lower(item(tweet, "content")?)?.contains(&keyword) {
                return Ok(true);
            }
            let tags = iterate(item(tweet, "tags")?)?;
            let tags = tags.iter().map(lower).collect::<Outcome<Vec<_>>>()?;
            Ok(tags.contains(&keyword))
        })?;
        Ok(found.into())
    }

    fn comments_of(&self, id: &Value) -> Outcome {
        if self.tweets.find(id)?.is_none() {
            return Ok(not_found(id));
        }
        Ok(self.comments.find(id)?.cloned().unwrap_or_else(|| Vec::new().into()))
    }

    fn statistics(&self, user: &Value) -> Outcome {
        let tweets = self.of_user(user)?.len();
        let following = if *user == self.username { self.following.len() } else { 0 };
        let retweets = match self.retweets.find(user)? {
            Some(own) => iterate(own)?.len(),
            None => 0,
        };
        Ok(dict! {
            "tweet_count": count(tweets),
            "following_count": count(following),
            "retweet_count": count(retweets),
        })
    }
}

fn not_found(id: &Value) -> Value {
    refused(format!("Tweet with ID {id} not found."))
}

/// Python's `list.append`.
fn append(list: &mut Value, item: Value) -> Outcome<()> {
    match list {
        Value::List(items) => items.push(item),
        other => return Err(Raised::attribute(other.type_name(), "append")),
    }
    Ok(())
}

/// What a function does for a user who is not authenticated; `None` where it does not ask.
fn unauthenticated(function: &str) -> Option<Outcome> {
    let doing = match function {
        "post_tweet" => "posting",
        "retweet" => "retweeting",
        "follow_user" => "following",
        "list_all_following" => "listing following",
        "unfollow_user" => "unfollowing",
        // The released function raises a dict, which is no exception.
        "comment" => return Some(Err(Raised::type_error("exceptions must derive from BaseException"))),
        _ => return None,
    };
    Some(Ok(refused(format!("User not authenticated. Please authenticate before {doing}."))))
}

impl Service for Posts {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        if let Some(refusal) = unauthenticated(function).filter(|_| !self.authenticated.truthy()) {
            return refusal;
        }
        match (function, slots) {
            ("authenticate_twitter", &[Some(user), Some(password)]) => Ok(self.authenticate(user, password)),
            ("posting_get_login_status", []) => Ok(dict! {"login_status": self.authenticated.truthy()}),
            ("post_tweet", &[Some(content), tags, mentions]) => self.post(content, tags, mentions),
            ("retweet", &[Some(id)]) => self.retweet(id),
            ("comment", &[Some(id), Some(content)]) => self.comment(id, content),
            ("mention", &[Some(id), Some(users)]) => self.mention(id, users),
            ("follow_user", &[Some(user)]) => Ok(self.follow(user)),
            ("list_all_following", []) => Ok(self.following.clone().into()),
            ("unfollow_user", &[Some(user)]) => Ok(self.unfollow(user)),
            ("get_tweet", &[Some(id)]) => Ok(self.tweets.find(id)?.cloned().unwrap_or_else(|| not_found(id))),
            ("get_user_tweets", &[Some(user)]) => self.of_user(user).map(Value::List),
            ("search_tweets", &[Some(keyword)]) => self.search(keyword),
            ("get_tweet_comments", &[Some(id)]) => self.comments_of(id),
            ("get_user_stats", &[Some(user)]) => self.statistics(user),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("username", self.username.clone()),
            ("password", self.password.clone()),
            ("authenticated", self.authenticated.clone()),
            ("tweets", self.tweets.clone().into()),
            ("comments", self.comments.clone().into()),
            ("retweets", self.retweets.clone().into()),
            ("following_list", self.following.clone().into()),
            ("tweet_counter", self.counter.clone()),
        ]
    }
}
