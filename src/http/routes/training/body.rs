//! What a training run is asked for with.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::schedule::RateBody;
use crate::engine::dataset::NOISE_MAX;
use crate::engine::dataset::split::Split;
use crate::engine::schema;
use crate::http::App;
use crate::http::code::Code;
use crate::http::problem::{Fault, Problem};
use crate::http::rows::{ManyRows, Rows};
use crate::http::spec_body::into_seed;
use crate::http::strict::{given, given_whole, objects};
use crate::session::{DataError, Draw, RunLength, Session, SessionName, TrainData, TrainRequest, Until};

/// A training run: what is learned from, how long, and when it is enough.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct TrainBody {
    /// A dataset by its name, or a generated one with how it is drawn; a preset's own data if dataset, inputs and
    /// targets are left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    dataset: Option<DatasetRef>,
    /// x, `[examples][inputs]`, in the place of a dataset
    #[schema(value_type = ManyRows, required = false)]
    #[serde(default, deserialize_with = "given")]
    inputs: Option<Rows>,
    /// y, `[examples][outputs]`, beside inputs
    #[schema(value_type = ManyRows, required = false)]
    #[serde(default, deserialize_with = "given")]
    targets: Option<Rows>,
    /// Which rows are kept for testing; of a dataset a fifth by the seed 0 if left out, of other rows none
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    split: Option<SplitBody>,
    /// Whether each input becomes (x − mean)/std, by mean and deviation over the training rows; false if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    standardize: Option<bool>,
    /// How often all training rows are gone through; either this or steps
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    epochs: Option<u64>,
    /// How many batches are learned from; either this or epochs
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    steps: Option<u64>,
    /// Rows of a batch, the last one of an epoch having what is left; 32, or all rows where there are fewer, if left out
    #[schema(value_type = schema::BatchSize, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    batch_size: Option<u64>,
    /// Whether the rows are shuffled, each epoch anew; true if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    shuffle: Option<bool>,
    /// Where the shuffling starts; 0 if left out
    #[schema(value_type = schema::Seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    seed: Option<u64>,
    /// A learning rate, or a schedule of it, in the place of the optimizer's own
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    learning_rate: Option<RateBody>,
    /// When it is good enough, looked at with every evaluation
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    until: Option<UntilBody>,
    /// Evaluations without a better test loss after which it ends; one whose test loss overflows is not counted
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    patience: Option<u64>,
    /// Steps between two evaluations; an epoch's if left out
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    evaluate_every: Option<u64>,
    /// Steps between two reports; whenever steps are written down, about ten times a second, if left out
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    progress_every: Option<u64>,
    /// Goes on with the latest run, where nobody is at work on it; stands alone. Refused where a server is at work on it,
    /// and where it has ended
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    resume: Option<bool>,
}

/// A dataset by name, and how a generated one is drawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct DatasetBody {
    /// The dataset's name
    #[schema(value_type = schema::Name)]
    name: String,
    /// Where its random numbers start; 0 if left out
    #[schema(value_type = schema::Seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    seed: Option<u64>,
    /// How many examples are drawn; 200 if left out
    #[schema(value_type = schema::DrawnExamples, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    examples: Option<u64>,
    /// From 0 to 1, as each generator takes it; 0 if left out
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    noise: Option<f64>,
}

/// How rows are parted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct SplitBody {
    /// The share of the rows that is for testing, rounded up
    #[schema(value_type = schema::ShareBelowOne)]
    test: f64,
    /// Which rows these are; 0 if left out
    #[schema(value_type = schema::Seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    seed: Option<u64>,
}

/// When a run is good enough.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct UntilBody {
    /// The mean loss over the training rows is at most this
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    loss: Option<f64>,
    /// The share of the training rows that is right is at least this
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    accuracy: Option<f64>,
    /// The mean loss over the test rows is at most this
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    test_loss: Option<f64>,
    /// The share of the test rows that is right is at least this
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    test_accuracy: Option<f64>,
}

objects!(TrainBody, DatasetBody, SplitBody, UntilBody);

/// A dataset's name alone, or with how it is drawn.
#[derive(Debug)]
enum DatasetRef {
    Name(String),
    Drawn(DatasetBody),
}

impl TrainBody {
    /// Whether it goes on with the run that there is.
    pub fn resumes(&self) -> Result<bool, Fault> {
        if self.resume != Some(true) {
            return Ok(false);
        }
        let others = [
            ("dataset", self.dataset.is_some()),
            ("inputs", self.inputs.is_some()),
            ("targets", self.targets.is_some()),
            ("split", self.split.is_some()),
            ("standardize", self.standardize.is_some()),
            ("epochs", self.epochs.is_some()),
            ("steps", self.steps.is_some()),
            ("batch_size", self.batch_size.is_some()),
            ("shuffle", self.shuffle.is_some()),
            ("seed", self.seed.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
            ("until", self.until.is_some()),
            ("patience", self.patience.is_some()),
            ("evaluate_every", self.evaluate_every.is_some()),
            ("progress_every", self.progress_every.is_some()),
        ];
        match others.into_iter().find(|(_, given)| *given) {
            Some((field, _)) => {
                let detail = format!("resume goes on with the run as it was asked for; leave {field} out");
                Err(Fault::new(format!("/{field}"), Code::ConflictingFields, detail))
            }
            None => Ok(true),
        }
    }

    /// The run, its dataset found.
    pub async fn into_request(self, app: &App, session: &Session) -> Result<TrainRequest, Problem> {
        let length = match (self.epochs, self.steps) {
            (Some(epochs), None) => RunLength::Epochs(at_least_one(epochs, "/epochs")?),
            (None, Some(steps)) => RunLength::Steps(at_least_one(steps, "/steps")?),
            (None, None) => {
                let detail = "how long is it to be? give epochs or steps";
                return Err(Fault::new("", Code::MissingField, detail).into());
            }
            (Some(_), Some(_)) => {
                let detail = "epochs and steps both say how long it is; leave one out";
                return Err(Fault::new("/steps", Code::ConflictingFields, detail).into());
            }
        };
        if self.dataset.is_some() && (self.inputs.is_some() || self.targets.is_some()) {
            let pointer = if self.inputs.is_some() { "/inputs" } else { "/targets" };
            let detail = "a dataset brings its own inputs and targets; leave one of the two out";
            return Err(Fault::new(pointer, Code::ConflictingFields, detail).into());
        }
        let optimizers = session.subject().model().spec().optimizer.learning_rate.value();
        let schedule = self.learning_rate.map(|rate| rate.into_schedule(optimizers)).transpose()?;
        let seed = into_seed(self.seed, "/seed")?;
        let shuffles = self.shuffle.unwrap_or(true);
        if !shuffles && self.seed.is_some() {
            let detail = "the seed starts the shuffling, and there is none; leave one of the two out";
            return Err(Fault::new("/seed", Code::ConflictingFields, detail).into());
        }
        let until = self.until.unwrap_or_default().into_until()?;
        let split = self.split.map(SplitBody::into_split).transpose()?;
        let one = |count: Option<u64>, pointer| count.map(|count| at_least_one(count, pointer)).transpose();
        let batch_size = one(self.batch_size, "/batch_size")?;
        let patience = one(self.patience, "/patience")?;
        let evaluate_every = one(self.evaluate_every, "/evaluate_every")?;
        let progress_every = one(self.progress_every, "/progress_every")?;
        let data = match (self.dataset, self.inputs, self.targets) {
            (Some(dataset), ..) => dataset.find(app).await?,
            (None, None, None) => TrainData::Own,
            (None, Some(inputs), Some(targets)) => {
                TrainData::Rows(inputs.into_batch("/inputs")?, targets.into_batch("/targets")?)
            }
            (None, inputs, _) => {
                let missing = if inputs.is_none() { "inputs" } else { "targets" };
                let detail = format!("inputs and targets come together, and {missing} is missing");
                return Err(Fault::new("", Code::MissingField, detail).into());
            }
        };
        Ok(TrainRequest {
            data,
            split,
            standardize: self.standardize.unwrap_or(false),
            length,
            batch_size,
            shuffle: shuffles.then_some(seed.value()),
            schedule,
            until,
            patience,
            evaluate_every,
            progress_every,
        })
    }
}

impl DatasetRef {
    async fn find(self, app: &App) -> Result<TrainData, Problem> {
        let (pointer, name, draw) = match self {
            Self::Name(name) => ("/dataset", name, Draw::default()),
            Self::Drawn(body) => {
                let DatasetBody { name, seed, examples, noise } = body;
                ("/dataset/name", name, into_draw(app, "/dataset", seed, examples, noise)?)
            }
        };
        let name = SessionName::parse(&name);
        let name = name.map_err(|error| Fault::new(pointer, Code::InvalidName, error.to_string()))?;
        match app.registry.dataset(&name, draw).await {
            Ok(found) => Ok(TrainData::Dataset(Arc::clone(&found.dataset))),
            Err(error @ DataError::None(_)) => {
                Err(Fault::new(pointer, Code::UnknownDataset, format!("{error}; GET /v1/datasets lists them")).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How a generated dataset is drawn, where the numbers say how.
pub fn into_draw(
    app: &App,
    outer: &str,
    seed: Option<u64>,
    examples: Option<u64>,
    noise: Option<f64>,
) -> Result<Draw, Fault> {
    let default = Draw::default();
    let out = |field: &str, detail: String| Fault::new(format!("{outer}/{field}"), Code::NumberOutOfRange, detail);
    let seed = into_seed(seed, &format!("{outer}/seed"))?.value();
    let most = app.limits().drawn_examples;
    let examples = match examples {
        None => default.examples,
        Some(count) => match usize::try_from(count).ok().filter(|count| (2..=most).contains(count)) {
            Some(count) => count,
            None => return Err(out("examples", format!("examples: a whole number from 2 to {most} was expected"))),
        },
    };
    let noise = noise.unwrap_or(default.noise);
    if !(0.0..=NOISE_MAX).contains(&noise) {
        return Err(out("noise", format!("noise: a number from 0 to {NOISE_MAX} was expected")));
    }
    Ok(Draw { seed, examples, noise })
}

impl SplitBody {
    fn into_split(self) -> Result<Split, Fault> {
        if !(0.0..1.0).contains(&self.test) {
            let detail = "test: a number from 0 up to but not 1 was expected";
            return Err(Fault::new("/split/test", Code::NumberOutOfRange, detail));
        }
        let seed = into_seed(self.seed, "/split/seed")?;
        Ok(Split { test: self.test, seed: seed.value() })
    }
}

impl UntilBody {
    fn into_until(self) -> Result<Until, Fault> {
        let losses = [("loss", self.loss), ("test_loss", self.test_loss)];
        let shares = [("accuracy", self.accuracy), ("test_accuracy", self.test_accuracy)];
        let wrong = |field, detail| Err(Fault::new(format!("/until/{field}"), Code::NumberOutOfRange, detail));
        if let Some((field, _)) = losses.into_iter().find(|(_, loss)| loss.is_some_and(|loss| loss < 0.0)) {
            return wrong(field, "a loss is not below zero");
        }
        let outside = |share: Option<f64>| share.is_some_and(|share| !(0.0..=1.0).contains(&share));
        if let Some((field, _)) = shares.into_iter().find(|(_, share)| outside(*share)) {
            return wrong(field, "an accuracy is a share, from 0 to 1");
        }
        let Self { loss, accuracy, test_loss, test_accuracy } = self;
        Ok(Until { loss, accuracy, test_loss, test_accuracy })
    }
}

/// A count of something that there must be.
pub(super) fn at_least_one(count: u64, pointer: &str) -> Result<u64, Fault> {
    if count > 0 {
        return Ok(count);
    }
    Err(Fault::new(pointer, Code::NumberOutOfRange, "a whole number of at least 1 was expected"))
}

impl<'de> Deserialize<'de> for DatasetRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DatasetVisitor;

        impl<'de> Visitor<'de> for DatasetVisitor {
            type Value = DatasetRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a dataset's name or an object")
            }

            fn visit_str<E>(self, name: &str) -> Result<DatasetRef, E> {
                Ok(DatasetRef::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<DatasetRef, A::Error> {
                <DatasetBody as Deserialize>::deserialize(MapAccessDeserializer::new(entries)).map(DatasetRef::Drawn)
            }
        }

        deserializer.deserialize_any(DatasetVisitor)
    }
}

impl PartialSchema for DatasetRef {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("A dataset's name, or its name with how it is drawn"))
            .item(schema::Name::schema())
            .item(Ref::from_schema_name("DatasetBody"))
            .into()
    }
}

impl ToSchema for DatasetRef {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("DatasetBody".into(), DatasetBody::schema()));
        <DatasetBody as ToSchema>::schemas(schemas);
    }
}
