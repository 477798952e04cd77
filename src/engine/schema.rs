//! How the engine's values are described to readers of the API: shapes and limits in one place.

use utoipa::openapi::schema::{AdditionalProperties, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Array, ArrayBuilder};
use utoipa::openapi::{KnownFormat, Object, ObjectBuilder, OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::name::NAME_PATTERN;
use crate::limits::{INIT_MAX, KEY_CHARACTERS, Limits, NAME_CHARACTERS, SEED_MAX, TEXT_CHARACTERS};

/// A finite double: the format is the limit. (Its ends written out are no numbers to YAML 1.1.)
pub fn number() -> Object {
    double().build()
}

/// A number, or null where it is undefined.
pub fn nullable_number() -> Object {
    double().schema_type(SchemaType::from_iter([Type::Number, Type::Null])).build()
}

/// A learning rate: not below zero.
pub fn learning_rate() -> Object {
    double().minimum(Some(0.0)).build()
}

/// A number above zero.
pub fn positive() -> Object {
    double().exclusive_minimum(Some(0.0)).build()
}

/// From 0 to 1.
pub fn share() -> Object {
    double().minimum(Some(0.0)).maximum(Some(1.0)).build()
}

/// From 0 up to but not 1.
pub fn part() -> Object {
    double().minimum(Some(0.0)).exclusive_maximum(Some(1.0)).build()
}

fn double() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
}

/// A number that first weights are drawn with.
pub fn init_number() -> Object {
    double().minimum(Some(-INIT_MAX)).maximum(Some(INIT_MAX)).build()
}

/// A standard deviation that first weights are drawn with.
pub fn init_deviation() -> Object {
    double().minimum(Some(0.0)).maximum(Some(INIT_MAX)).build()
}

/// The kind of a dense layer: with its kind named, a layer fits one schema alone.
pub fn dense_kind() -> Object {
    word(&["dense"])
}

/// The kind of an activation layer.
pub fn activation_kind() -> Object {
    word(&["activation"])
}

/// The kind of a normalization.
pub fn norm_kind() -> Object {
    word(&["batch_norm", "layer_norm"])
}

/// The kind of a dropout.
pub fn dropout_kind() -> Object {
    word(&["dropout"])
}

/// The kind of a residual block.
pub fn residual_kind() -> Object {
    word(&["residual"])
}

fn word(words: &[&str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).build()
}

/// A row of at least one number and at most as many as a layer has units.
pub fn row() -> Array {
    array(number(), 1, Limits::default().units)
}

/// A row of numbers not below zero.
pub fn variances() -> Array {
    array(learning_rate(), 1, Limits::default().units)
}

/// `[rows][columns]`: at least one of each.
pub fn matrix() -> Array {
    array(row(), 1, Limits::default().examples)
}

/// One number for each unit or for each example.
pub fn vector() -> Array {
    array(number(), 1, Limits::default().examples)
}

/// One number for each example of the batch.
pub fn per_example() -> Array {
    array(number(), 1, Limits::default().examples)
}

/// A vector or a matrix.
pub fn tensor() -> Schema {
    OneOfBuilder::new().item(row()).item(matrix()).build().into()
}

/// Whether a layer has biases, or their values.
pub fn bias() -> Schema {
    OneOfBuilder::new()
        .description(Some("true: starting at zero; false: none; values: one for each unit"))
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(row())
        .build()
        .into()
}

/// A batch of rows; a single flat row is a batch of one.
pub fn rows() -> Schema {
    OneOfBuilder::new()
        .description(Some("A batch of rows, `[examples][units]`; a single flat row is taken as a batch of one."))
        .item(row())
        .item(matrix())
        .build()
        .into()
}

/// The name of a session, a layer or a preset.
pub fn name() -> Object {
    text(1, NAME_CHARACTERS, "A name.").pattern(Some(NAME_PATTERN)).build()
}

/// The SHA-256 of all parameters and optimizer state, in hexadecimal.
pub fn state_hash() -> Object {
    text(64, 64, "SHA-256 of all parameters, in hexadecimal.").pattern(Some("^[0-9a-f]{64}$")).build()
}

/// An RFC 6901 pointer.
pub fn pointer() -> Object {
    text(0, TEXT_CHARACTERS, "An RFC 6901 pointer; empty for the whole.").build()
}

/// A text for people.
pub fn prose() -> Object {
    text(0, TEXT_CHARACTERS, "A text for people.").build()
}

/// A count of something, or a step's number.
pub fn count() -> Object {
    integer(0, SEED_MAX).build()
}

/// A count of something, or null.
pub fn nullable_count() -> Object {
    integer(0, SEED_MAX).schema_type(SchemaType::from_iter([Type::Integer, Type::Null])).build()
}

/// The seed of a stream of random numbers.
pub fn seed() -> Object {
    integer(0, SEED_MAX).description(Some("The seed of `numpy.random.default_rng`.")).build()
}

/// `[i, j]` or `[j]`.
pub fn weight_index() -> Array {
    array(count(), 1, 2)
}

/// Indices into a quantity, the outermost first.
pub fn index() -> Array {
    array(count(), 0, 3)
}

/// The number of inputs of a network or of units of a layer.
pub fn units() -> Object {
    integer(1, Limits::default().units as u64).build()
}

/// An array of bounded length.
pub fn array(items: impl Into<RefOr<Schema>>, min: usize, max: usize) -> Array {
    ArrayBuilder::new().items(items.into()).min_items(Some(min)).max_items(Some(max)).build()
}

/// An object that takes no property but the named ones.
pub fn closed(object: ObjectBuilder) -> ObjectBuilder {
    object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

fn text(min: usize, max: usize, description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length(Some(min))
        .max_length(Some(max))
        .description(Some(description))
}

#[allow(clippy::cast_precision_loss, reason = "no limit passes 2^53")]
fn integer(min: u64, max: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min as f64))
        .maximum(Some(max as f64))
}

/// The id of the trace's format.
pub fn trace_format() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some([super::trace::FORMAT])).build()
}

/// A name, or null.
pub fn nullable_name() -> Object {
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    text(1, NAME_CHARACTERS, "A name, or null.").schema_type(types).pattern(Some(NAME_PATTERN)).build()
}

/// Entries of a page.
pub fn page() -> Object {
    integer(1, Limits::default().page as u64).build()
}

/// Names of layers.
pub fn names() -> Array {
    ArrayBuilder::new().items(name()).max_items(Some(1000)).build()
}

/// A moment, as RFC 3339 writes it.
pub fn time() -> Object {
    text(20, 30, "A moment, as RFC 3339 writes it.").format(Some(SchemaFormat::Custom("date-time".into()))).build()
}

/// A header's value.
pub fn header() -> Object {
    text(1, KEY_CHARACTERS, "Visible ASCII characters.").pattern(Some("^[!-~]+$")).build()
}

/// The number of a step in a path.
pub struct StepNumber;

impl PartialSchema for StepNumber {
    fn schema() -> RefOr<Schema> {
        count().into()
    }
}

impl ToSchema for StepNumber {}

/// A name in a path.
pub struct Name;

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        name().into()
    }
}

impl ToSchema for Name {}

/// A path on this server.
pub struct UriPath;

impl PartialSchema for UriPath {
    fn schema() -> RefOr<Schema> {
        text(1, 256, "A path on this server.").into()
    }
}

impl ToSchema for UriPath {}

/// That all is well.
pub fn ok() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["ok"])).build()
}
