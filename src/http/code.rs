//! The one table of refusals: every code with its status, what it means and what to do.
//!
//! 400: the request cannot be read as what the API describes. 422: it can be read, and cannot be done.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($variant:ident $text:literal $status:ident $title:literal $explanation:literal $remedy:literal,)+) => {
        /// A stable code: programs decide by it, never by a text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code of that text.
            pub fn find(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

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

            /// What has happened, in a paragraph.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => $explanation,)+
                }
            }

            /// What to do about it, in a paragraph.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" BAD_REQUEST "The body is not JSON."
        "The body breaks the grammar of JSON, so nothing in it can be read."
        "The detail says at which line and column reading stopped. JSON has no comments, no trailing commas, no NaN, \
         and double quotes alone.",
    MalformedCsv "malformed_csv" BAD_REQUEST "The body is not a table of numbers."
        "The body says that it is CSV, and a line of it cannot be read: it has more or fewer fields than the header, a \
         quote that is not closed or stands where none may, or a field that is no number."
        "Each of the errors, the first 20 at the most, names line and column, both counted from 1. The first line names \
         the columns, with commas between; a column of labels is named in one_hot, and everything else is numbers.",
    MalformedNpz "malformed_npz" BAD_REQUEST "The body is no npz file that can be read here."
        "The body says that it is an npz file, and is none, or is damaged, or lacks the arrays inputs and targets, or has \
         them in a type that is not read here, or has numbers in them that are not finite or that no double is."
        "Write it with numpy.savez(file, inputs=…, targets=…): two arrays of two dimensions, of float64, float32 or \
         integers up to 2^53. Each of the errors, the first 20 at the most, points at a number, as /inputs/ROW/COLUMN.",
    WrongType "wrong_type" BAD_REQUEST "A value is of another type than the field or parameter takes."
        "Where one type stands, another is needed: a text in the place of a number, null in the place of a value, an \
         array in the place of an object."
        "Look at the pointer, or at the parameter that the detail names, and write what the detail says was \
         expected. Leave a field out instead of writing null.",
    UnknownValue "unknown_value" BAD_REQUEST "A text is none of those that the field or parameter takes."
        "The field or parameter takes one of a few words, and this is none of them."
        "The detail lists the words, and names the one that was probably meant.",
    UnknownField "unknown_field" BAD_REQUEST "The request has a field or parameter that means nothing here."
        "A field or parameter has a name that nothing here reads. It is refused, for a typo in learning_rate would \
         otherwise train with another one."
        "The detail lists the names that are known here; correct the name or leave it out.",
    MissingField "missing_field" BAD_REQUEST "A field that must be there is missing."
        "An object lacks a field that has no default."
        "The detail names the field and the pointer the object; add it.",
    DuplicateField "duplicate_field" BAD_REQUEST "A field stands twice in one object, or a parameter in one query."
        "The same name stands twice, and one of the two values would be lost."
        "Remove one of the two.",
    NumberOutOfRange "number_out_of_range" BAD_REQUEST
        "A number lies outside the range that the field or parameter takes."
        "The number is of the right type and lies outside the range that makes sense here, or is larger than a \
         double can hold."
        "The detail gives the range, and the pointer or the parameter's name the place.",
    InvalidName "invalid_name" BAD_REQUEST "A name does not have the form of one."
        "A name is 1 to 63 of a-z, 0-9, dot, underscore and hyphen, and starts with a letter or a digit. This one is \
         not."
        "Choose a name of that form; upper case and spaces are not part of it.",
    InvalidPath "invalid_path" BAD_REQUEST "The path cannot be read."
        "A part of the path is not UTF-8 once its percent signs are resolved."
        "Encode the name's UTF-8 bytes, or better use a name that needs no percent signs.",
    InvalidQuery "invalid_query" BAD_REQUEST "The query cannot be read."
        "What stands behind the question mark is not UTF-8 once its percent signs are resolved, or a list of columns in \
         it has quotes that are not closed or stand where none may."
        "Encode the UTF-8 bytes of names and values; most clients do so by themselves. A column whose name has a comma \
         stands in quotes, as in the table.",
    InvalidBody "invalid_body" BAD_REQUEST "The body could not be received."
        "The connection broke, or the body's framing was wrong, before all of the body was here."
        "Send the request again; if it happens again, look at what stands between the client and the server.",
    InvalidHeader "invalid_header" BAD_REQUEST "A header cannot be read."
        "If-Match or Idempotency-Key has a value that is none: a tag without quotes, a key that is empty, longer than \
         255 characters or not visible ASCII, or the same header twice."
        "Send If-Match with a tag as ETag gave it, quotes included, and a new Idempotency-Key for each new request.",
    NotFound "not_found" NOT_FOUND "There is nothing at this path."
        "No route of this server has that path."
        "GET /docs shows every path, and /openapi.yaml lists them for programs. A slash at the end makes another \
         path.",
    SessionNotFound "session_not_found" NOT_FOUND "There is no session of that name."
        "The path names a session that this server does not have: it was never made, was deleted, or was kept in the \
         memory of a server that has stopped."
        "GET /v1/sessions lists what there is; PUT /v1/sessions/{name} makes one.",
    StepNotFound "step_not_found" NOT_FOUND "The session has no such step."
        "The session is there, and has not come as far as the step in the path or the query."
        "GET /v1/sessions/{name}/steps lists the steps that there are; step 0 is the creation.",
    StepSealed "step_sealed" GONE "The step was computed with an older version of the arithmetic."
        "The arithmetic of this program changed since the step was made, and would give other bits for it. A session's \
         past is never changed, so the step is not computed again; the session itself goes on."
        "GET /v1/sessions/{name}/steps still has the step's loss and norms. Steps behind the one of kind seal are recalled \
         as ever; an older version of the program answers this one from an export.",
    LayerNotFound "layer_not_found" NOT_FOUND "The network has no layer of that name."
        "The session is there, and its network has no layer of the name in the path."
        "The detail lists the layers; one without a name of its own is called layer1, layer2 and so on from the \
         inputs up.",
    PresetNotFound "preset_not_found" NOT_FOUND "There is no preset of that name."
        "The path names a preset that this version does not have."
        "GET /v1/presets lists them.",
    DatasetNotFound "dataset_not_found" NOT_FOUND "There is no dataset of that name."
        "The path names a dataset that is not built in, and that nobody has put here or that was deleted."
        "GET /v1/datasets lists what there is; PUT /v1/datasets/{name} makes one.",
    TrainingNotFound "training_not_found" NOT_FOUND "The session has no training run, or not that one."
        "The session was never trained, or the run that was asked for is followed by another one, or the step that was \
         asked for was not made by a run."
        "POST /v1/sessions/{name}/train begins one; GET /v1/sessions/{name}/steps lists the steps of every run, and \
         /v1/sessions/{name}/train?step=N tells of the run that made one.",
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This path does not answer to that method."
        "The path exists, and answers to other methods than this one."
        "The header Allow of the answer lists them.",
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE "There is no such form of this answer."
        "The header Accept, or format in the query, names no form that this is answered in. Nothing was computed or changed."
        "The detail lists the forms that there are; format in the query wins over Accept, and without both it is JSON.",
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The body took too long to arrive."
        "The body was announced and did not arrive within the time that the server waits."
        "Send it again, over a faster way or in smaller pieces: fewer rows at a time.",
    NameInUse "name_in_use" CONFLICT "The name is another session's."
        "A session of that name exists. To PUT it again with the body that it was made from would have answered it as it \
         stands; this body is another one. A fork always makes a new session, so that the name of any other one is in its \
         way, even that of an earlier fork from the same step."
        "Choose another name, or delete the session first. A fork that may be sent again has an Idempotency-Key: then it \
         is made once, and answered alike.",
    DatasetExists "dataset_exists" CONFLICT "A dataset of that name holds something else."
        "A dataset never changes: the name stands for other rows, columns or labels. The same content under the same name \
         would have been answered as it stands."
        "Choose another name, or delete that dataset first; sessions that used it keep its rows.",
    DatasetBuiltIn "dataset_built_in" CONFLICT "A dataset of that name is built in."
        "The datasets that come with the server can be neither replaced nor deleted."
        "Choose another name for your own.",
    Training "training" CONFLICT "The session is being trained."
        "A training run is at work on the session, and nothing else may change it meanwhile. Reads, forward and backward \
         passes and insights go on."
        "Wait for its end (GET /v1/sessions/{name}/train tells how far it is), or end it with DELETE \
         /v1/sessions/{name}/train.",
    TrainingOver "training_over" CONFLICT "The session's latest training run has ended."
        "The run is done, cancelled or failed, and there is nothing of it to go on with: resume is for one that nobody is \
         at work on before its end."
        "POST /v1/sessions/{name}/train with a dataset begins a new run, from where the session stands; GET on the same \
         path tells how the latest one ended.",
    IdempotencyKeyBusy "idempotency_key_busy" CONFLICT
        "The first request with this Idempotency-Key is still at work."
        "A request with the same key came before and is not answered yet."
        "Wait for its answer, or send it again after the seconds that the header Retry-After names.",
    StaleState "stale_state" PRECONDITION_FAILED "The session does not stand where If-Match says."
        "The session has gone on since the tag was given, or went back, or is yet to be made. Nothing was changed."
        "GET /v1/sessions/{name} shows where it stands, with the tag in ETag; decide again on that. To make a session, \
         leave If-Match out.",
    HistoryLost "history_lost" PRECONDITION_FAILED "If-Match names a step that the session has never made."
        "The tag is of a step beyond the last one: of another session that had this name, or of a store that has lost \
         steps, which it must not. Nothing was changed."
        "GET /v1/sessions/{name}/steps shows what there is. If nobody has deleted the session or brought back an older \
         copy of its store, please report it.",
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is larger than this server takes."
        "The body has more bytes than one request may have."
        "Send fewer rows at a time, or weights layer by layer; a dataset, which is one body, as an npz file, which mostly \
         is smaller than text. GET /v1/info tells the limits.",
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "The body is in a form that this path does not take."
        "The content type says that the body is not JSON, or the body is compressed."
        "Send JSON as application/json, uncompressed; curl --json does so. A body without a content type is taken as \
         JSON too.",
    WrongShape "wrong_shape" UNPROCESSABLE_ENTITY "Numbers stand in a shape that does not fit the network."
        "Every number is one, and there are too many or too few of them in a row or a column for this network."
        "The detail gives the shape that is needed and the one that came. Inputs and targets are one row an example; \
         weights are one row a unit below.",
    ConflictingFields "conflicting_fields" UNPROCESSABLE_ENTITY "Two fields cannot stand together."
        "Each field is right alone; together, or with this kind of layer or optimizer, one of them would be without \
         effect."
        "The detail says which; leave one of the two out.",
    NetworkTooLarge "network_too_large" UNPROCESSABLE_ENTITY "The network is larger than this server takes."
        "The network has more inputs, layers, units or parameters than this server takes."
        "The detail gives the limit; GET /v1/info tells all of them.",
    BatchTooSmall "batch_too_small" UNPROCESSABLE_ENTITY "The batch has too few examples for its own statistics."
        "Batch normalization in training takes mean and variance over the batch, and one example has no variance."
        "Send at least two examples. forward, backward and step can be asked with \"mode\": \"eval\", which takes the running \
         statistics; a training run cannot, and needs another batch_size or more training rows.",
    BatchTooLarge "batch_too_large" UNPROCESSABLE_ENTITY "The batch is larger than this server takes."
        "The batch has more rows than one request may have."
        "Send it in several requests; the detail gives the limit.",
    WorkTooLarge "work_too_large" UNPROCESSABLE_ENTITY "The request would compute for too long."
        "The request was counted before anything was computed, and would take longer, or keep more numbers in \
         memory, than one request may."
        "Send fewer rows, or ask for less; the detail gives both figures.",
    AnswerTooLarge "answer_too_large" UNPROCESSABLE_ENTITY "The answer would be larger than this server gives."
        "The answer was estimated before anything was computed, and has more bytes than one answer may have."
        "Ask with trace=summary or trace=none, or send fewer rows, as the detail says.",
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY
        "The Idempotency-Key was sent with another request before."
        "A key stands for one request: one method, path, query and body. This is another one, and nothing was done."
        "Use a new key, a random one best, for each new request, and the same one only to send the same request again.",
    UnknownStep "unknown_step" UNPROCESSABLE_ENTITY "The body names a step that the session does not have."
        "The session has not come as far as the step that the body names."
        "GET /v1/sessions/{name}/steps lists the steps that there are; step 0 is the creation.",
    NetworksDiffer "networks_differ" UNPROCESSABLE_ENTITY "The two networks have different layers."
        "Parameters are compared one by one, and these two networks have different layers, or layers of different sizes."
        "Compare sessions of one network, such as branches of one session, or two steps of the same one.",
    DuplicateName "duplicate_name" UNPROCESSABLE_ENTITY "Two layers have one name."
        "Two layers of one network, or of one list of weights, have the same name, so that neither could be asked \
         for."
        "Give each a name of its own; the pointer shows the second one.",
    UnknownLayer "unknown_layer" UNPROCESSABLE_ENTITY "The request names a layer that the network does not have."
        "The body or the query names a layer, and the network has none of that name."
        "GET /v1/sessions/{name} lists the layers; one without a name of its own is called layer1, layer2 and so on \
         from the inputs up.",
    UnknownParameter "unknown_parameter" UNPROCESSABLE_ENTITY
        "The body names a parameter that the layer does not have."
        "The layer is there, and has no parameter of that kind: a dense layer has weights and perhaps a bias, a \
         normalization gamma and beta."
        "GET /v1/sessions/{name}/weights shows which layer has which.",
    UnknownNumber "unknown_number" UNPROCESSABLE_ENTITY "The body points at a number that there is not."
        "A pointer or an index in the body leads to no number: it lies beyond the end, or names what this trace does \
         not have."
        "Indices count from 0. The trace itself shows which places there are: ask for it in full first.",
    UnknownPreset "unknown_preset" UNPROCESSABLE_ENTITY "The body names a preset that there is not."
        "The body names a preset that this version does not have."
        "The detail lists them, and so does GET /v1/presets.",
    UnknownDataset "unknown_dataset" UNPROCESSABLE_ENTITY "The body names a dataset that there is not."
        "The body names a dataset that is not built in, and that nobody has put here or that was deleted."
        "GET /v1/datasets lists what there is; PUT /v1/datasets/{name} makes one.",
    UnknownColumn "unknown_column" UNPROCESSABLE_ENTITY "The query names a column that the table does not have."
        "A name in targets or one_hot is none of the names in the first line of the table."
        "The detail lists the columns that there are.",
    DatasetTooLarge "dataset_too_large" UNPROCESSABLE_ENTITY "The dataset is larger than this server takes."
        "The dataset has more rows, columns, labels or numbers than one may have."
        "The detail gives the limit; part it into several.",
    MissingData "missing_data" UNPROCESSABLE_ENTITY "The pass needs inputs or targets that were not given."
        "The pass needs inputs, and mostly targets; the body has not both, and the session has no data of a preset \
         to fall back on."
        "Give inputs and targets. Only forward can do without targets.",
    EmptyClaim "empty_claim" UNPROCESSABLE_ENTITY "The claim has no number that could be compared with the trace."
        "Nothing is claimed: the claim is empty, null, or holds only names and settings, which are not judged."
        "Claim at least one number of a trace, such as {\"forward\": {\"outputs\": [[0.5]]}}.",
    LossNeedsSoftmax "loss_needs_softmax" UNPROCESSABLE_ENTITY
        "The loss reads probabilities, and the last layer does not end in softmax."
        "cross_entropy reads the outputs as probabilities that sum to one, which softmax alone makes."
        "Give the last layer the activation softmax, or choose another loss.",
    NotAProbability "not_a_probability" UNPROCESSABLE_ENTITY "The loss reads probabilities, and a number is none."
        "The loss takes logarithms of what it reads, so targets, and for binary cross-entropy outputs too, lie \
         between 0 and 1. One does not."
        "Give targets between 0 and 1; let the last layer end in sigmoid or softmax.",
    NonFinite "non_finite" UNPROCESSABLE_ENTITY "A number overflowed or is undefined."
        "A sum, product or function passed the largest double, or has no value. The field non_finite names the first \
         such number and what it was computed from. Nothing is changed by such a step: the session is as it was before it, \
         and a training run stops at the last step that was good."
        "Mostly the learning rate or the inputs are too large: lower the one, scale the other, or start with smaller \
         weights.",
    Underflow "underflow" UNPROCESSABLE_ENTITY "A number is too small for a double to hold all its digits."
        "An error or delta on its way down was so small that a double lost digits of it, or all: how much the depth \
         weakens it cannot be told from such numbers."
        "Ask with fewer layers, or with weights and inputs nearer to 1.",
    InternalError "internal_error" INTERNAL_SERVER_ERROR "The server met an error of its own; nothing was changed."
        "The server met a defect of its own. Nothing was changed by this request."
        "It is not the request's fault; the server's log says more, and a report with the request helps.",
    SessionDamaged "session_damaged" INTERNAL_SERVER_ERROR "The session's log is not what was written."
        "An entry of the log was changed after it was written, or leads to other numbers than it did. No number that \
         depends on it is served; steps before it and other sessions are."
        "Bring back the store from a copy, or fork the session at an earlier step and go on from there. The detail names \
         the step; the server's log says the same.",
    OtherArithmetic "other_arithmetic" NOT_IMPLEMENTED "Another version of the arithmetic computed the session."
        "The session was computed by a version of this program whose arithmetic gives other bits, and this one has no \
         state that it could go on from. Nothing of it is changed or lost."
        "Where the store is from a newer version, serve it with that. Where it is from an older one, run chainrule snapshot \
         of that older version on the store once, and ask again.",
    StoreUnavailable "store_unavailable" SERVICE_UNAVAILABLE "The store does not answer."
        "The place where sessions are kept cannot be reached, or has trouble that may pass. Where it is not known \
         whether a change was written, it was written whole or not at all."
        "Ask again after the seconds that the header Retry-After names; with an Idempotency-Key nothing is done twice.",
    StoreDamaged "store_damaged" INTERNAL_SERVER_ERROR "The store holds something else than was written."
        "The database itself is damaged, so that it can be neither trusted nor written to."
        "Stop the server, keep the files as they are, and bring back a copy; the server's log says what was found.",
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The server has more to do at the moment than it can hold."
        "The bodies of all requests together take all the room that the server has for them, or other servers change the \
         same session faster than this one can, and this request waited in vain. Nothing was changed."
        "Send it again after the seconds that the header Retry-After names.",
    StoreFull "store_full" INSUFFICIENT_STORAGE "The store takes no more."
        "The disk is full, the store may not be written to, or a store in memory holds as much as it may. Nothing was \
         changed, and what is there can still be read."
        "Make room, or delete sessions that nobody needs; GET /v1/sessions lists them. The detail says which it is.",
}

impl Code {
    /// Whether the same request may be answered otherwise a little later, without anybody's doing.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Overloaded | Self::StoreUnavailable | Self::StoreFull | Self::IdempotencyKeyBusy)
    }

    /// Whether the same request is refused alike for ever, so that the refusal is kept under its key: the request alone
    /// is to blame. What hangs on the session, on its network and its numbers, on a dataset or on the store may be
    /// otherwise later.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::UnknownPreset
                | Self::DuplicateName
                | Self::LossNeedsSoftmax
                | Self::NetworkTooLarge
                | Self::BatchTooLarge
                | Self::DatasetTooLarge
                | Self::UnknownColumn
        )
    }
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
