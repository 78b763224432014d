//! What a reply is judged to be.

use std::fmt;

/// The verdict on a reply: right, or the first thing that is wrong with it.
pub type Verdict = Result<(), ErrorType>;

/// What is wrong with a reply, as the official scorer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorType {
    /// What was decoded is no list of objects of one key each, whose value is an object.
    WrongOutputFormat,
    /// Not one call where one function is offered.
    SimpleWrongCount,
    /// Not one call where several functions are offered.
    MultipleWrongCount,
    /// Not as many calls as the answer has.
    ParallelWrongCount,
    /// A call of the answer that no call of the reply matches.
    CannotFindMatch,
    /// A call to another function.
    WrongFunctionName,
    /// A required parameter is not there.
    MissingRequired,
    /// A parameter that the function or the answer lacks.
    UnexpectedParameter,
    /// A parameter that the answer needs, though the function does not, is not there.
    MissingOptional,
    /// A value of another type.
    SimpleType,
    /// A list whose items are of another type.
    NestedType,
    /// An argument for Java that is no string.
    JavaType,
    /// An argument for JavaScript that is no string.
    JavaScriptType,
    /// A string other than the answer's.
    StringValue,
    /// A number, flag or variable other than the answer's.
    OtherValue,
    /// A list other than the answer's.
    ListValue,
    /// A list of another number of objects than the answer's.
    ListOfDictsCount,
    /// An object with a key too many or too few.
    DictKey,
    /// An object with another value.
    DictValue,
    /// An object where the answer has none to hold it against.
    DictUnclear,
    /// A list of objects where the answer has none to hold it against.
    ListOfDictsUnclear,
    /// A call where none applies.
    CallWhereNoneApplies,
    /// No call where one applies.
    NoCallWhereOneApplies,
}

impl ErrorType {
    /// The official name.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongOutputFormat => "ast_decoder:decoder_wrong_output_format",
            Self::SimpleWrongCount => "simple_function_checker:wrong_count",
            Self::MultipleWrongCount => "multiple_function_checker:wrong_count",
            Self::ParallelWrongCount => "parallel_function_checker_no_order:wrong_count",
            Self::CannotFindMatch => "parallel_function_checker_no_order:cannot_find_match",
            Self::WrongFunctionName => "simple_function_checker:wrong_func_name",
            Self::MissingRequired => "simple_function_checker:missing_required",
            Self::UnexpectedParameter => "simple_function_checker:unexpected_param",
            Self::MissingOptional => "simple_function_checker:missing_optional",
            Self::SimpleType => "type_error:simple",
            Self::NestedType => "type_error:nested",
            Self::JavaType => "type_error:java",
            Self::JavaScriptType => "type_error:js",
            Self::StringValue => "value_error:string",
            Self::OtherValue => "value_error:others",
            Self::ListValue => "value_error:list/tuple",
            Self::ListOfDictsCount => "value_error:list_dict_count",
            Self::DictKey => "value_error:dict_key",
            Self::DictValue => "value_error:dict_value",
            Self::DictUnclear => "dict_checker:unclear",
            Self::ListOfDictsUnclear => "list_dict_checker:unclear",
            Self::CallWhereNoneApplies => "irrelevance_error:decoder_success",
            Self::NoCallWhereOneApplies => "relevance_error:decoder_failed",
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
