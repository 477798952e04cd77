//! The one table of refusals: every code with its status and what it means.
//!
//! 400: the request cannot be read as what the API describes. 422: it can be read, and cannot be done.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($variant:ident $text:literal $status:ident $title:literal,)+) => {
        /// A stable code: programs decide by it, never by a text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)+
                }
            }

            /// What it means, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" BAD_REQUEST "The body is not JSON.",
    WrongType "wrong_type" BAD_REQUEST "A value is of another type than the field or parameter takes.",
    UnknownValue "unknown_value" BAD_REQUEST "A text is none of those that the field or parameter takes.",
    UnknownField "unknown_field" BAD_REQUEST "The request has a field or parameter that means nothing here.",
    MissingField "missing_field" BAD_REQUEST "A field that must be there is missing.",
    DuplicateField "duplicate_field" BAD_REQUEST "A field stands twice in one object, or a parameter in one query.",
    NumberOutOfRange "number_out_of_range" BAD_REQUEST "A number lies outside the range that the field or parameter takes.",
    InvalidName "invalid_name" BAD_REQUEST "A name does not have the form of one.",
    InvalidPath "invalid_path" BAD_REQUEST "The path cannot be read.",
    InvalidQuery "invalid_query" BAD_REQUEST "The query cannot be read.",
    InvalidBody "invalid_body" BAD_REQUEST "The body could not be received.",
    NotFound "not_found" NOT_FOUND "There is nothing at this path.",
    SessionNotFound "session_not_found" NOT_FOUND "There is no session of that name.",
    LayerNotFound "layer_not_found" NOT_FOUND "The network has no layer of that name.",
    PresetNotFound "preset_not_found" NOT_FOUND "There is no preset of that name.",
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This path does not answer to that method.",
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The body took too long to arrive.",
    NameInUse "name_in_use" CONFLICT "A session of that name was made from another body.",
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is larger than this server takes.",
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body is in a form that this path does not take.",
    WrongShape "wrong_shape" UNPROCESSABLE_ENTITY "Numbers stand in a shape that does not fit the network.",
    ConflictingFields "conflicting_fields" UNPROCESSABLE_ENTITY "Two fields cannot stand together.",
    NetworkTooLarge "network_too_large" UNPROCESSABLE_ENTITY "The network is larger than this server takes.",
    BatchTooSmall "batch_too_small" UNPROCESSABLE_ENTITY "The batch has too few examples for its own statistics.",
    BatchTooLarge "batch_too_large" UNPROCESSABLE_ENTITY "The batch is larger than this server takes.",
    WorkTooLarge "work_too_large" UNPROCESSABLE_ENTITY "The request would compute for too long.",
    AnswerTooLarge "answer_too_large" UNPROCESSABLE_ENTITY "The answer would be larger than this server gives.",
    DuplicateName "duplicate_name" UNPROCESSABLE_ENTITY "Two layers have one name.",
    UnknownLayer "unknown_layer" UNPROCESSABLE_ENTITY "The body names a layer that the network does not have.",
    UnknownParameter "unknown_parameter" UNPROCESSABLE_ENTITY "The body names a parameter that the layer does not have.",
    UnknownNumber "unknown_number" UNPROCESSABLE_ENTITY "The body points at a number that there is not.",
    UnknownPreset "unknown_preset" UNPROCESSABLE_ENTITY "The body names a preset that there is not.",
    MissingData "missing_data" UNPROCESSABLE_ENTITY "The pass needs inputs or targets that were not given.",
    LossNeedsSoftmax "loss_needs_softmax" UNPROCESSABLE_ENTITY "The loss reads probabilities, and the last layer does not end in softmax.",
    NotAProbability "not_a_probability" UNPROCESSABLE_ENTITY "The loss reads probabilities, and a number is none.",
    NonFinite "non_finite" UNPROCESSABLE_ENTITY "A number overflowed or is undefined; nothing was changed.",
    Underflow "underflow" UNPROCESSABLE_ENTITY "A number is too small for a double to hold all its digits.",
    InternalError "internal_error" INTERNAL_SERVER_ERROR "The server met an error of its own; nothing was changed.",
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The server has more to do at the moment than it can hold.",
    StoreFull "store_full" INSUFFICIENT_STORAGE "The server keeps as much as it may.",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let texts = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts)).into()
    }
}

impl ToSchema for Code {}
