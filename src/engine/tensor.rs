//! A layer's parameters, and whatever has one value for each of them: gradients, changes, optimizer state.

use std::borrow::Cow;
use std::ops::Index;
use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::matrix::Matrix;
use super::schema;

/// A vector `[out]` or a matrix `[in][out]` of parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Tensor {
    /// `[out]`
    Vector(Vec<f64>),
    /// `[in][out]`
    Matrix(Matrix),
}

impl Tensor {
    /// All values, row by row.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::Vector(values) => values,
            Self::Matrix(matrix) => matrix.values(),
        }
    }

    /// Rows and columns; a vector is one row.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Vector(values) => (1, values.len()),
            Self::Matrix(matrix) => (matrix.rows(), matrix.columns()),
        }
    }

    /// How a reader would write the shape: `[3]` or `[2][3]`.
    pub fn shape(&self) -> String {
        match self {
            Self::Vector(values) => format!("[{}]", values.len()),
            Self::Matrix(matrix) => format!("[{}][{}]", matrix.rows(), matrix.columns()),
        }
    }

    /// Whether the other one has as many dimensions of the same sizes.
    pub fn same_shape(&self, other: &Self) -> bool {
        matches!(self, Self::Vector(_)) == matches!(other, Self::Vector(_)) && self.size() == other.size()
    }

    /// `f` of every value.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Vector(values) => Self::Vector(values.iter().map(|&value| f(value)).collect()),
            Self::Matrix(matrix) => Self::Matrix(matrix.map(f)),
        }
    }

    /// `f` of every pair of values at the same place. Panics where the shapes differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Matrix(a), Self::Matrix(b)) => Self::Matrix(a.zip(b, f)),
            (a, b) => {
                assert!(a.same_shape(b), "tensors of one shape");
                Self::Vector(a.values().iter().zip(b.values()).map(|(&a, &b)| f(a, b)).collect())
            }
        }
    }
}

/// Which parameter of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterName {
    /// `weights[i][j]` joins unit i below to unit j above.
    Weights,
    /// One value for each unit, added to its weighted sum.
    Bias,
}

impl ParameterName {
    /// Every parameter name, in the order in which a layer lists them.
    pub const ALL: [Self; 2] = [Self::Weights, Self::Bias];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Bias => "bias",
        }
    }
}

/// One `T` for each parameter of a layer, in the order of [`ParameterName::ALL`].
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(Vec<(ParameterName, T)>);

/// A layer's parameters.
pub type Parameters = Named<Arc<Tensor>>;

/// ∂E/∂w of the mean loss for each of a layer's parameters.
pub type Gradients = Named<Tensor>;

impl<T> Named<T> {
    /// From pairs in order.
    pub fn new(entries: impl IntoIterator<Item = (ParameterName, T)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (ParameterName, &T)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The entry of that name, if the layer has one.
    pub fn get(&self, name: ParameterName) -> Option<&T> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The same names with `f` of each entry.
    pub fn map<U>(&self, f: impl Fn(ParameterName, &T) -> U) -> Named<U> {
        Named(self.0.iter().map(|(name, value)| (*name, f(*name, value))).collect())
    }
}

impl Parameters {
    /// The number of values in all tensors.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, tensor)| tensor.values().len()).sum()
    }
}

/// The entry of a parameter that the layer is known to have; asking for another one is a programmer's error.
impl<T> Index<ParameterName> for Named<T> {
    type Output = T;

    fn index(&self, name: ParameterName) -> &T {
        self.get(name).unwrap_or_else(|| panic!("this layer has no {}", name.as_str()))
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name.as_str(), value)?;
        }
        map.end()
    }
}

impl<T: ToSchema> PartialSchema for Named<T> {
    fn schema() -> RefOr<Schema> {
        let of = |object: ObjectBuilder, name: ParameterName| object.property(name.as_str(), T::schema());
        let object = ParameterName::ALL.into_iter().fold(ObjectBuilder::new(), of);
        object.description(Some("One entry for each parameter that the layer has.")).into()
    }
}

impl<T: ToSchema> ToSchema for Named<T> {
    fn name() -> Cow<'static, str> {
        format!("{}ByParameter", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

impl PartialSchema for Tensor {
    fn schema() -> RefOr<Schema> {
        schema::tensor().into()
    }
}

impl ToSchema for Tensor {}
