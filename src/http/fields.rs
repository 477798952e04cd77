//! Fields that several bodies have, each written once.
//!
//! Serde can flatten one struct into another, but then it keeps no pointer and refuses no unknown field.

/// Bodies that begin with groups of fields that others have too, and go on with fields of their own. `..session` stands
/// for what a session is made from, `..batch` for what goes through the network, `..learning_rate`, `..what_if` and
/// `..claim` for what is asked of a pass.
macro_rules! bodies {
    ($($(#[doc = $text:literal])+ pub struct $body:ident { $($fields:tt)* })+) => {$(
        $crate::http::fields::bodies!(@ [$(#[doc = $text])+ pub struct $body] [] $($fields)*);
        $crate::http::strict::objects!($body);
    )+};

    (@ $head:tt [$($before:tt)*] ..session, $($rest:tt)*) => {
        $crate::http::fields::bodies!(@ $head [$($before)*
            /// The name of a preset, in the place of network, loss, optimizer and seed
            #[schema(value_type = $crate::engine::schema::Name, required = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub preset: Option<String>,
            /// The network: its inputs, and its layers from the inputs up
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub network: Option<$crate::http::spec_body::NetworkBody>,
            /// What the outputs are judged by; half_squared_error if left out
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given_word")]
            pub loss: Option<$crate::engine::loss::Loss>,
            /// How gradients become changes; sgd with 0.1 if left out
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub optimizer: Option<$crate::http::spec_body::OptimizerBody>,
            /// Where the random numbers of first weights and of dropout start; 0 if left out
            #[schema(value_type = $crate::engine::schema::Seed, required = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given_whole")]
            pub seed: Option<u64>,
        ] $($rest)*);
    };

    (@ $head:tt [$($before:tt)*] ..batch, $($rest:tt)*) => {
        $crate::http::fields::bodies!(@ $head [$($before)*
            /// x, `[examples][inputs]` or one row; a preset's own data if inputs and targets are left out
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub inputs: Option<$crate::http::rows::Rows>,
            /// y, `[examples][outputs]` or one row; forward can do without
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub targets: Option<$crate::http::rows::Rows>,
            /// train or eval: whether batch_norm uses the batch and dropout drops; if left out eval for forward, else train
            #[schema(nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given_word")]
            pub mode: Option<$crate::engine::mode::Mode>,
        ] $($rest)*);
    };

    (@ $head:tt [$($before:tt)*] ..learning_rate, $($rest:tt)*) => {
        $crate::http::fields::bodies!(@ $head [$($before)*
            /// η for this pass alone, in the place of the optimizer's own
            #[schema(value_type = $crate::engine::schema::NonNegative, required = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub learning_rate: Option<f64>,
        ] $($rest)*);
    };

    (@ $head:tt [$($before:tt)*] ..what_if, $($rest:tt)*) => {
        $crate::http::fields::bodies!(@ $head [$($before)*
            /// Numbers to be set to others, for this pass alone; the answer is then what differs
            #[schema(min_items = 1, nullable = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub what_if: Option<Vec<$crate::http::routes::what_if::OverrideBody>>,
        ] $($rest)*);
    };

    (@ $head:tt [$($before:tt)*] ..claim, $($rest:tt)*) => {
        $crate::http::fields::bodies!(@ $head [$($before)*
            /// Any part of a trace, in the trace's own form; numbers may be rounded
            pub claim: $crate::http::routes::grade::ClaimBody,
            /// How far a number may be off beyond its own rounding, relative to the largest of its quantity; 1e-9
            /// if left out
            #[schema(value_type = $crate::engine::schema::Share, required = false)]
            #[serde(default, deserialize_with = "crate::http::strict::given")]
            pub tolerance: Option<f64>,
        ] $($rest)*);
    };

    (@ [$($head:tt)*] [$($shared:tt)*] $($own:tt)*) => {
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(remote = "Self", deny_unknown_fields)]
        $($head)* { $($shared)* $($own)* }
    };
}

pub(super) use bodies;
