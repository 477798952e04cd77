//! An answer that was given before, made again from the log: of any past step, and of a request that is sent again.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::code::Code;
use super::conditions::tagged;
use super::format::varied;
use super::problem::{PROBLEM_JSON, Problem};
use super::routes::{datasets, passes, sessions, weights};
use super::sheet::Wanted;
use crate::engine::cost::{Extent, cost};
use crate::session::{
    Bytes, DatasetKind, DatasetSummary, Detail, Happened, Outcome, Recalled, Session, answerable, hexadecimal,
};
use crate::store::LogId;

/// What a request was answered when it was first here; a trace in the form that is asked for now.
pub async fn again(app: &App, outcome: Outcome, wanted: Wanted) -> Result<Response, Problem> {
    match outcome {
        Outcome::Deleted => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Kept { name, size, hash, put } => {
            let hash = hexadecimal(hash.0.as_slice().try_into().unwrap_or_default());
            let summary = DatasetSummary { name, kind: DatasetKind::Own, title: None, size, hash };
            Ok(datasets::kept((summary, put)))
        }
        Outcome::Refused { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body.0).into_response())
        }
        Outcome::Created { log } => {
            let session = still_there(app, &log).await?;
            let (_, live) = session.beginning().await?;
            Ok(sessions::created(app, &session, &live).await)
        }
        Outcome::Found { log, step } => {
            let session = still_there(app, &log).await?;
            let live = session.at(Some(step)).await?;
            Ok(sessions::view(app, StatusCode::OK, &session, &live).await)
        }
        // A key that a training run was begun under, in a request that now is another one.
        Outcome::Trained { .. } => Err(crate::session::KeyError::OtherRequest.into()),
        Outcome::Changed { log, step } => recalled(app, &*still_there(app, &log).await?, step, (None, wanted)).await,
    }
}

/// The session that an answer was about.
pub async fn still_there(app: &App, log: &Bytes) -> Result<Arc<Session>, Problem> {
    let session = match LogId::from_slice(&log.0) {
        Some(log) => app.registry.session_of(log).await?,
        None => None,
    };
    session.ok_or_else(|| {
        let detail = "this request was answered before, and the session that it was about is deleted";
        Problem::new(Code::SessionNotFound, detail)
    })
}

/// What the change that made a step was answered; a trace in another detail and another form, if they are asked for.
pub async fn recalled(
    app: &App,
    session: &Session,
    step: u64,
    (detail, wanted): (Option<Detail>, Wanted),
) -> Result<Response, Problem> {
    let Recalled { happened, live, name } = session.recall(step).await?;
    let tag = live.tag;
    let is_trace = matches!(happened, Happened::Stepped(..));
    if !wanted.is_json() && !wanted.json_will_do() && !is_trace {
        let detail =
            format!("step {step} is no pass, and has no worked solution; there is format=json (application/json)");
        return Err(Problem::new(Code::NotAcceptable, detail));
    }
    let response = match happened {
        Happened::Created | Happened::Rewound | Happened::Sealed => {
            varied(sessions::view_as(app, StatusCode::OK, session, &name, &live).await)
        }
        Happened::Replaced(layer) => varied(weights::recalled(app, session, &name, &live, layer.as_ref()).await?),
        Happened::Stepped(trace, was) => {
            // A worked solution is made of all of it, whatever was answered then.
            let detail = if wanted.is_json() { detail.unwrap_or(was) } else { Detail::Full };
            let rows = trace.forward.inputs.rows();
            detail.check(cost(session.subject().model(), rows, Extent::Step), app.limits())?;
            let form = wanted.of(session.subject().model(), Some(rows))?;
            passes::answer(app, session, (name, step), answerable(*trace, detail)?, (detail, form)).await
        }
    };
    Ok(tagged(response, tag))
}
