//! What the schemas of the API's document must say, and deriving them cannot.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ArrayItems, Type};
use utoipa::openapi::{Array, ObjectBuilder, OneOf, OneOfBuilder, RefOr, Schema};

use super::code::Code;
use crate::engine::telephone::Variant;
use crate::limits::{FAULTS_NAMED, Limits, NESTING, OVERRIDES, PATHS};
use crate::session::PRESETS;

/// Completes all schemas.
pub(super) fn complete(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    for (name, schema) in schemas {
        complete_one(schema);
        match name.as_str() {
            "SessionBody" | "ExplainBody" | "StatelessGradeBody" => {
                *schema = with_one_of(schema.clone(), ["preset", "network"]);
            }
            "LayerBody" => *schema = with_units_if_dense(schema.clone()),
            _ => {}
        }
    }
}

fn complete_one(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            for property in object.properties.values_mut() {
                if let RefOr::T(Schema::OneOf(either)) = property {
                    describe_outside(either);
                }
                complete_one(property);
            }
        }
        Schema::Array(array) => limit(array),
        Schema::OneOf(either) => either.items.iter_mut().for_each(complete_one),
        Schema::AllOf(all) => all.items.iter_mut().for_each(complete_one),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(complete_one),
        _ => {}
    }
}

/// Of something or null, the description is put at the something: it is the property's.
fn describe_outside(either: &mut OneOf) {
    let inside = either.items.iter_mut().find_map(|item| match item {
        RefOr::Ref(reference) if !reference.description.is_empty() => Some(&mut reference.description),
        _ => None,
    });
    if let (None, Some(inside)) = (&either.description, inside) {
        either.description = Some(std::mem::take(inside));
    }
}

/// An array whose length the field itself does not limit is limited by what it holds.
fn limit(array: &mut Array) {
    if let (None, ArrayItems::RefOrSchema(items)) = (array.max_items, &array.items)
        && let RefOr::Ref(item) = &**items
    {
        array.max_items = item.ref_location.rsplit('/').next().and_then(most);
    }
}

/// How many there are at the most of what a list holds.
fn most(item: &str) -> Option<usize> {
    let limits = Limits::default();
    Some(match item {
        "LayerForward" | "LayerBackward" | "LayerUpdate" | "LayerGradientNorm" | "LayerChangeNorm" | "LayerBody"
        | "LayerWeights" | "LayerWeightsBody" | "LayerDiff" | "LayerBlame" | "LayerDepth" | "LayerNorm" => {
            limits.layers
        }
        "UnitBlame" => limits.units,
        // From the branch of a residual block, and from the way around each block that begins there.
        "Received" => limits.units * (NESTING + 1),
        // One for each layer and two for a dense one, that of the loss and that of the weight.
        "Factor" => 2 * limits.layers + 2,
        "Path" => PATHS,
        "Checked" => limits.checked_parameters,
        "Difference" => usize::try_from(limits.pass_numbers).ok()?,
        "OverrideBody" | "OverrideView" => OVERRIDES,
        "Variant" | "VariantDepth" => Variant::ALL.len(),
        "PresetEntry" => PRESETS.len(),
        "CodeView" => Code::ALL.len(),
        "SessionEntry" | "StepEntry" | "DatasetEntry" => limits.page,
        "Fault" => FAULTS_NAMED,
        _ => return None,
    })
}

/// The schema of an object with exactly one of two fields.
fn with_one_of(schema: RefOr<Schema>, fields: [&str; 2]) -> RefOr<Schema> {
    let one = fields.into_iter().fold(OneOfBuilder::new(), |one, field| one.item(requiring(field)));
    AllOfBuilder::new().item(schema).item(one).into()
}

/// The schema of a layer: a dense one has its units, or weights that tell them.
fn with_units_if_dense(schema: RefOr<Schema>) -> RefOr<Schema> {
    let others = ["activation", "batch_norm", "layer_norm", "dropout", "residual"];
    let kind = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("A kind that has no units of its own"))
        .enum_values(Some(others));
    let another_kind = ObjectBuilder::new().property("kind", kind);
    let any = AnyOfBuilder::new().item(requiring("units")).item(requiring("weights")).item(another_kind);
    AllOfBuilder::new().item(schema).item(any).into()
}

fn requiring(field: &str) -> ObjectBuilder {
    ObjectBuilder::new().required(field)
}
