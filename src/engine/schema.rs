//! How the engine's values are described to readers of the API: shapes and limits in one place.
//!
//! Each is a schema with a name of its own. A field says `value_type = schema::Matrix`, and its doc comment stands beside
//! the reference, as the description of that field.

use utoipa::openapi::schema::{SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::name::NAME_PATTERN;
use crate::limits::{
    DIGITS_MOST, INIT_MAX, KEY_CHARACTERS, Limits, NAME_CHARACTERS, PATH_COUNT_DIGITS, PATHS, RUN_STEPS, SEED_MAX,
    TELEPHONE_DEPTH, TELEPHONE_WIDTH, TEXT_CHARACTERS,
};

/// Schemas by name, each with its doc comment as its description.
macro_rules! schemas {
    ($($(#[doc = $text:literal])+ $name:ident: $schema:expr;)+) => {$(
        $(#[doc = $text])+
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.description(Some(concat!($($text),+).trim())).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

schemas! {
    // A double's format is its limit. (Its ends written out are no numbers to YAML 1.1.)

    /// A finite double.
    Number: double();
    /// A finite double, or null where it is undefined.
    NullableNumber: double().schema_type(SchemaType::from_iter([Type::Number, Type::Null]));
    /// A number not below zero.
    NonNegative: double().minimum(Some(0.0));
    /// A number above zero.
    Positive: double().exclusive_minimum(Some(0.0));
    /// A number from 0 to 1.
    Share: double().minimum(Some(0.0)).maximum(Some(1.0));
    /// A number from 0 up to but not 1.
    ShareBelowOne: double().minimum(Some(0.0)).exclusive_maximum(Some(1.0));
    /// A number that first weights are drawn with.
    InitNumber: double().minimum(Some(-INIT_MAX)).maximum(Some(INIT_MAX));
    /// A standard deviation that first weights are drawn with.
    InitDeviation: double().minimum(Some(0.0)).maximum(Some(INIT_MAX));

    /// A row of numbers, one for each unit of a layer.
    Row: array(Number::schema(), 1, Limits::default().units);
    /// A row of numbers not below zero, one for each unit of a layer.
    Variances: array(NonNegative::schema(), 1, Limits::default().units);
    /// `[rows][columns]`: rows of one length, at least one of each.
    Matrix: array(Row::schema(), 1, Limits::default().examples);
    /// `[rows][columns]`: rows of one length, as many as a dataset may have.
    DatasetMatrix: array(Row::schema(), 1, Limits::default().dataset_rows);
    /// One number for each unit of a layer, or one for each example of the batch.
    Vector: array(Number::schema(), 1, Limits::default().examples.max(Limits::default().units));
    /// One number for each example of the batch.
    PerExample: array(Number::schema(), 1, Limits::default().examples);

    /// A count of something, or a step's number.
    Count: integer(0, SEED_MAX);
    /// A count of something or a step's number, or null where there is none.
    NullableCount: integer(0, SEED_MAX).schema_type(SchemaType::from_iter([Type::Integer, Type::Null]));
    /// Significant digits.
    Digits: integer(1, DIGITS_MOST as u64);
    /// The place of one among several, counted from 1.
    Ordinal: integer(1, SEED_MAX);
    /// The seed of `numpy.random.default_rng`.
    Seed: integer(0, SEED_MAX);
    /// The number of inputs of a network, or of units of a layer.
    Units: integer(1, Limits::default().units as u64);
    /// Layers of a telephone game.
    TelephoneDepth: integer(2, TELEPHONE_DEPTH);
    /// Units of a telephone game's layers.
    TelephoneWidth: integer(1, TELEPHONE_WIDTH);
    /// How many paths are shown at the most.
    PathsShown: integer(1, PATHS as u64);
    /// The exact number of paths, in decimal digits.
    PathCount: text(1, PATH_COUNT_DIGITS).pattern(Some("^[0-9]+$"));
    /// How many parameters are checked at the most.
    SampleSize: integer(1, Limits::default().checked_parameters as u64);
    /// Entries of a page.
    Page: integer(1, Limits::default().page as u64);
    /// Steps or epochs of a training run, or steps between two of something.
    RunLength: integer(1, RUN_STEPS);
    /// Rows of a batch of a training run.
    BatchSize: integer(1, Limits::default().examples as u64);
    /// Rows that a dataset is drawn with.
    DrawnExamples: integer(2, Limits::default().drawn_examples as u64);
    /// `[i, j]` or `[j]`, counted from 0.
    WeightIndex: array(Count::schema(), 1, 2);
    /// Indices into a quantity, the outermost first, each counted from 0.
    Index: array(Count::schema(), 0, 3);

    /// The name of a session, a layer or a preset.
    Name: text(1, NAME_CHARACTERS).pattern(Some(NAME_PATTERN));
    /// The name of a session, or null where there is none.
    NullableName: text(1, NAME_CHARACTERS)
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .pattern(Some(NAME_PATTERN));
    /// Names of layers.
    Names: array(Name::schema(), 0, Limits::default().layers);
    /// Names of a dataset's columns or labels.
    ColumnNames: array(ColumnName::schema(), 0, Limits::default().units);
    /// The name of a dataset's column or label.
    ColumnName: text(1, TEXT_CHARACTERS);
    /// SHA-256 of all parameters and of what the optimizer remembers, in hexadecimal.
    StateHash: text(64, 64).pattern(Some("^[0-9a-f]{64}$"));
    /// What tells one training run from every other, in hexadecimal.
    RunId: text(32, 32).pattern(Some("^[0-9a-f]{32}$"));
    /// An RFC 6901 pointer; empty for the whole.
    Pointer: text(0, TEXT_CHARACTERS);
    /// A text for people.
    Prose: text(0, TEXT_CHARACTERS);
    /// A table: a line of names, then a row of numbers a line.
    Table: text(1, Limits::default().body_bytes.max(usize::try_from(Limits::default().answer_bytes).unwrap_or(usize::MAX)));
    /// An npz file, as `numpy.savez` writes it.
    Npz: text(1, Limits::default().body_bytes).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    /// Lines of JSON, as long as the run goes on.
    Lines: text(1, usize::MAX >> 11);
    /// A moment, as RFC 3339 writes it.
    Time: text(20, 30).format(Some(SchemaFormat::Custom("date-time".into())));
    /// A header's value: visible ASCII characters.
    Header: text(1, KEY_CHARACTERS).pattern(Some("^[!-~]+$"));
    /// Tags in quotes, separated by commas, or a star.
    Tags: text(1, TEXT_CHARACTERS).pattern(Some("^[!-~]([ -~]*[!-~])?$"));
    /// A path on this server.
    UriPath: text(1, 256);

    // With its kind named, a layer fits one schema alone.

    /// The kind of a dense layer.
    DenseKind: word(&["dense"]);
    /// The kind of an activation layer.
    ActivationKind: word(&["activation"]);
    /// The kind of a normalization.
    NormKind: word(&["batch_norm", "layer_norm"]);
    /// The kind of a dropout.
    DropoutKind: word(&["dropout"]);
    /// The kind of a residual block.
    ResidualKind: word(&["residual"]);
    /// The id of the trace's format.
    TraceFormat: word(&[super::trace::FORMAT]);
    /// That all is well.
    Healthy: word(&["ok"]);
}

fn double() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
}

#[allow(clippy::cast_precision_loss, reason = "no limit passes 2^53")]
fn integer(min: u64, max: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min as f64))
        .maximum(Some(max as f64))
}

fn text(min: usize, max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max))
}

fn word(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
}

fn array(items: RefOr<Schema>, min: usize, max: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(items).min_items(Some(min)).max_items(Some(max))
}
