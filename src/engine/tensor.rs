//! A layer's parameters, and whatever has one value for each of them: gradients, changes, optimizer state.

use std::borrow::Cow;
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use utoipa::openapi::schema::RefBuilder;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
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

    /// All values, row by row, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f64] {
        match self {
            Self::Vector(values) => values,
            Self::Matrix(matrix) => matrix.values_mut(),
        }
    }

    /// The value at `[column]` or `[row, column]`; `None` where the index is none of this shape.
    pub fn at(&self, index: &[usize]) -> Option<f64> {
        match (self, index) {
            (Self::Vector(values), &[column]) => values.get(column).copied(),
            (Self::Matrix(matrix), &[row, column]) => {
                (row < matrix.rows() && column < matrix.columns()).then(|| matrix.at(row, column))
            }
            _ => None,
        }
    }

    /// Rows and columns; a vector is one row.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Vector(values) => (1, values.len()),
            Self::Matrix(matrix) => (matrix.rows(), matrix.columns()),
        }
    }

    /// The index of the value at a place in row order: `[j]` or `[i, j]`.
    pub fn index(&self, at: usize) -> Vec<usize> {
        match self {
            Self::Vector(_) => vec![at],
            Self::Matrix(matrix) => vec![at / matrix.columns(), at % matrix.columns()],
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterName {
    /// `weights[i][j]` joins unit i below to unit j above.
    Weights,
    /// One value for each unit, added to its weighted sum.
    Bias,
    /// γ: one factor for each unit of a normalization.
    Gamma,
    /// β: one value for each unit of a normalization, added behind the factor.
    Beta,
}

/// Which of an optimizer's memories of one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotName {
    /// Gradients that fade with momentum.
    Velocity,
    /// The fading mean of squared gradients.
    SquareAverage,
    /// The sum of all squared gradients.
    SquareSum,
    /// The fading mean of gradients.
    FirstMoment,
    /// The fading mean of squared gradients, to be corrected for its start.
    SecondMoment,
}

/// Names of one kind, in the order in which they are listed.
pub trait WireName: Copy + PartialEq + 'static {
    /// Every name.
    const ALL: &'static [Self];

    /// The name on the wire.
    fn as_str(self) -> &'static str;

    /// What stands behind the name, for the API's description.
    fn meaning(self) -> &'static str;
}

impl WireName for SlotName {
    const ALL: &'static [Self] =
        &[Self::Velocity, Self::SquareAverage, Self::SquareSum, Self::FirstMoment, Self::SecondMoment];

    fn as_str(self) -> &'static str {
        match self {
            Self::Velocity => "velocity",
            Self::SquareAverage => "square_average",
            Self::SquareSum => "square_sum",
            Self::FirstMoment => "first_moment",
            Self::SecondMoment => "second_moment",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Velocity => "sgd with momentum: the gradients, fading, in the parameter's shape",
            Self::SquareAverage => "rmsprop: the fading mean of the squared gradients, in the parameter's shape",
            Self::SquareSum => "adagrad: the sum of all squared gradients, in the parameter's shape",
            Self::FirstMoment => "adam, adamw: m, the fading mean of the gradients, in the parameter's shape",
            Self::SecondMoment => "adam, adamw: v, the fading mean of the squared gradients, in the parameter's shape",
        }
    }
}

impl WireName for ParameterName {
    const ALL: &'static [Self] = &[Self::Weights, Self::Bias, Self::Gamma, Self::Beta];

    fn as_str(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Bias => "bias",
            Self::Gamma => "gamma",
            Self::Beta => "beta",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Weights => "Of the weights, `[in][out]`: `weights[i][j]` joins unit i below to unit j above",
            Self::Bias => "Of the biases, `[out]`: one is added to each unit's weighted sum",
            Self::Gamma => "Of a normalization's factors γ, `[units]`",
            Self::Beta => "Of a normalization's shifts β, `[units]`: added behind the factor",
        }
    }
}

/// One `T` for each name that there is, in the order of [`WireName::ALL`]: for each parameter of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T, N = ParameterName>(Vec<(N, T)>);

impl<T, N> Default for Named<T, N> {
    fn default() -> Self {
        Self(vec![])
    }
}

/// A layer's parameters.
pub type Parameters = Named<Arc<Tensor>>;

/// ∂E/∂w of the mean loss for each of a layer's parameters.
pub type Gradients = Named<Tensor>;

/// The form of [`Slots`] in a trace.
pub type SlotTensors = Named<Tensor, SlotName>;

/// What an optimizer remembers of one parameter: nothing, or some tensors of the parameter's shape.
pub type Slots = Named<Arc<Tensor>, SlotName>;

impl<T, N: WireName> Named<T, N> {
    /// From pairs in order.
    pub fn new(entries: impl IntoIterator<Item = (N, T)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The entries in order, to be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (N, &mut T)> {
        self.0.iter_mut().map(|(name, value)| (*name, value))
    }

    /// The entry of that name, if there is one.
    pub fn get(&self, name: N) -> Option<&T> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The same names with `f` of each entry.
    pub fn map<U>(&self, mut f: impl FnMut(N, &T) -> U) -> Named<U, N> {
        Named(self.0.iter().map(|(name, value)| (*name, f(*name, value))).collect())
    }
}

impl Parameters {
    /// The weights `[in][out]` of a layer that has them; asking another one is a programmer's error.
    pub fn weights(&self) -> &Matrix {
        match &*self[ParameterName::Weights] {
            Tensor::Matrix(weights) => weights,
            Tensor::Vector(_) => unreachable!("a network's state has matrices for weights"),
        }
    }

    /// The number of values in all tensors.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, tensor)| tensor.values().len()).sum()
    }
}

/// The entry of a parameter that the layer is known to have; asking for another one is a programmer's error.
impl<T, N: WireName> Index<N> for Named<T, N> {
    type Output = T;

    fn index(&self, name: N) -> &T {
        self.get(name).unwrap_or_else(|| panic!("there is no {} here", name.as_str()))
    }
}

impl<T: Serialize, N: WireName> Serialize for Named<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name.as_str(), value)?;
        }
        map.end()
    }
}

impl<T: ToSchema, N: WireName + ToSchema> PartialSchema for Named<T, N> {
    fn schema() -> RefOr<Schema> {
        let of = |object: ObjectBuilder, name: &N| {
            let entry = RefBuilder::new().ref_location_from_schema_name(T::name()).description(Some(name.meaning()));
            object.property(name.as_str(), entry)
        };
        let object = N::ALL.iter().fold(ObjectBuilder::new(), of);
        object.description(Some("One entry for each name that there is here.")).into()
    }
}

impl<T: ToSchema, N: WireName + ToSchema> ToSchema for Named<T, N> {
    fn name() -> Cow<'static, str> {
        format!("{}By{}", T::name(), N::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

impl PartialSchema for SlotName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|name| name.as_str())))
            .into()
    }
}

impl ToSchema for SlotName {}

impl PartialSchema for ParameterName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|name| name.as_str())))
            .into()
    }
}

impl ToSchema for ParameterName {}

impl PartialSchema for Tensor {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some(
                "The numbers of one parameter, or what belongs to each: `[in][out]` for weights, else `[out]`.",
            ))
            .item(schema::Row::schema())
            .item(schema::Matrix::schema())
            .into()
    }
}

impl ToSchema for Tensor {}
