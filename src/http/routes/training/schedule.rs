//! Learning rates that change in the course of a training run, as they are asked for.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::body::at_least_one;
use crate::engine::schedule::Schedule;
use crate::engine::schema;
use crate::http::code::Code;
use crate::http::problem::Fault;
use crate::http::spec_body::{check_settings, into_learning_rate, setting};
use crate::http::strict::{given, given_whole, objects};

/// A learning rate that changes; t counts the run's steps from 0.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ScheduleBody {
    /// constant: η; step: η·factor^⌊t/every⌋; exponential: η·factor^t; cosine: from η to end by half a cosine;
    /// linear_warmup: from η/steps to η
    #[serde(deserialize_with = "crate::http::strict::word")]
    kind: ScheduleKind,
    /// η; the optimizer's own if left out
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    rate: Option<f64>,
    /// step: steps between two changes
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    every: Option<u64>,
    /// step, exponential: what it is multiplied by; 0.1 and 0.999 if left out
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    factor: Option<f64>,
    /// cosine: where it ends; 0 if left out
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    end: Option<f64>,
    /// cosine: steps to the end, all of the run's if left out; linear_warmup: steps up to η
    #[schema(value_type = schema::RunLength, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    steps: Option<u64>,
}

/// How a learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// It does not
    Constant,
    /// In steps
    Step,
    /// A little with each step
    Exponential,
    /// Along half a cosine
    Cosine,
    /// Upwards at first
    LinearWarmup,
}

objects!(ScheduleBody);

/// A learning rate alone, or a schedule.
#[derive(Debug)]
pub enum RateBody {
    /// η
    Rate(f64),
    /// How it changes
    Schedule(ScheduleBody),
}

impl RateBody {
    /// The schedule, with the optimizer's own rate where none is given.
    pub fn into_schedule(self, optimizers: f64) -> Result<Schedule, Fault> {
        match self {
            Self::Rate(rate) => {
                let rate = into_learning_rate(rate, "/learning_rate")?.value();
                Ok(Schedule::Constant { rate })
            }
            Self::Schedule(body) => body.into_schedule(optimizers),
        }
    }
}

impl ScheduleBody {
    fn into_schedule(self, optimizers: f64) -> Result<Schedule, Fault> {
        const AT: &str = "/learning_rate";
        let (kind, takes): (&str, &[&str]) = match self.kind {
            ScheduleKind::Constant => ("constant", &[]),
            ScheduleKind::Step => ("step", &["every", "factor"]),
            ScheduleKind::Exponential => ("exponential", &["factor"]),
            ScheduleKind::Cosine => ("cosine", &["end", "steps"]),
            ScheduleKind::LinearWarmup => ("linear_warmup", &["steps"]),
        };
        let given = [
            ("every", self.every.is_some()),
            ("factor", self.factor.is_some()),
            ("end", self.end.is_some()),
            ("steps", self.steps.is_some()),
        ];
        check_settings(AT, kind, takes, &given)?;
        let rate = into_learning_rate(self.rate.unwrap_or(optimizers), "/learning_rate/rate")?.value();
        let factor = |otherwise| {
            setting(AT, "factor", self.factor, otherwise, "from 0 to 1", |factor| (0.0..=1.0).contains(&factor))
        };
        let needed = |field: &str, count: Option<u64>| match count {
            Some(count) => at_least_one(count, &format!("{AT}/{field}")),
            None => Err(Fault::new(AT, Code::MissingField, format!("{kind} needs {field}"))),
        };
        Ok(match self.kind {
            ScheduleKind::Constant => Schedule::Constant { rate },
            ScheduleKind::Step => Schedule::Step { rate, every: needed("every", self.every)?, factor: factor(0.1)? },
            ScheduleKind::Exponential => Schedule::Exponential { rate, factor: factor(0.999)? },
            ScheduleKind::Cosine => {
                let end = into_learning_rate(self.end.unwrap_or(0.0), "/learning_rate/end")?.value();
                // None: to the end of the run, which is not known here.
                let steps = self.steps.map_or(Ok(0), |steps| at_least_one(steps, "/learning_rate/steps"))?;
                Schedule::Cosine { rate, end, steps }
            }
            ScheduleKind::LinearWarmup => Schedule::LinearWarmup { rate, steps: needed("steps", self.steps)? },
        })
    }
}

impl<'de> Deserialize<'de> for RateBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;

        impl<'de> Visitor<'de> for RateVisitor {
            type Value = RateBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or an object")
            }

            #[allow(clippy::cast_precision_loss, reason = "an integer in JSON is read as the double nearest to it")]
            fn visit_u64<E: de::Error>(self, rate: u64) -> Result<RateBody, E> {
                Ok(RateBody::Rate(rate as f64))
            }

            #[allow(clippy::cast_precision_loss, reason = "an integer in JSON is read as the double nearest to it")]
            fn visit_i64<E: de::Error>(self, rate: i64) -> Result<RateBody, E> {
                Ok(RateBody::Rate(rate as f64))
            }

            fn visit_f64<E: de::Error>(self, rate: f64) -> Result<RateBody, E> {
                Ok(RateBody::Rate(rate))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<RateBody, A::Error> {
                <ScheduleBody as Deserialize>::deserialize(MapAccessDeserializer::new(entries)).map(RateBody::Schedule)
            }
        }

        deserializer.deserialize_any(RateVisitor)
    }
}

impl PartialSchema for RateBody {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("A learning rate, or how it changes"))
            .item(schema::NonNegative::schema())
            .item(Ref::from_schema_name("ScheduleBody"))
            .into()
    }
}

impl ToSchema for RateBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("ScheduleBody".into(), ScheduleBody::schema()));
        <ScheduleBody as ToSchema>::schemas(schemas);
    }
}
