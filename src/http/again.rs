//! An answer that was given before, made again from the log: of any past step, and of a request that is sent again.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::code::Code;
use super::conditions::tagged;
use super::problem::{PROBLEM_JSON, Problem};
use super::routes::{passes, sessions, weights};
use crate::engine::cost::{Extent, cost};
use crate::engine::pass::PassError;
use crate::engine::summary::first_overflow;
use crate::session::{Detail, Happened, Outcome, Recalled, Session, SessionError, SubjectError};

/// What a request was answered when it was first here.
pub async fn again(app: &App, outcome: Outcome) -> Result<Response, Problem> {
    let log = outcome.log();
    match outcome {
        Outcome::Deleted => return Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Refused { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            return Ok((status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body.0).into_response());
        }
        Outcome::Created { .. } | Outcome::Found { .. } | Outcome::Changed { .. } => {}
    }
    let session = match log {
        Some(log) => app.registry.session_of(log).await?,
        None => None,
    };
    let Some(session) = session else {
        let detail = "this request was answered before, and the session that it was about is deleted";
        return Err(Problem::new(Code::SessionNotFound, detail));
    };
    match outcome {
        Outcome::Created { .. } => {
            let (_, live) = session.beginning().await?;
            Ok(sessions::created(app, &session, &live).await)
        }
        Outcome::Found { step, .. } => {
            let live = session.at(Some(step)).await?;
            Ok(sessions::view(app, StatusCode::OK, &session, &live).await)
        }
        Outcome::Changed { step, .. } => recalled(app, &session, step, None).await,
        Outcome::Deleted | Outcome::Refused { .. } => unreachable!("both are answered above"),
    }
}

/// What the change that made a step was answered; a trace in another detail, if one is asked for.
pub async fn recalled(app: &App, session: &Session, step: u64, detail: Option<Detail>) -> Result<Response, Problem> {
    let Recalled { happened, live, name } = session.recall(step).await?;
    let tag = live.tag;
    let response = match happened {
        Happened::Created | Happened::Rewound => sessions::view_as(app, StatusCode::OK, session, &name, &live).await,
        Happened::Replaced(layer) => weights::recalled(app, session, &name, &live, layer.as_ref()).await?,
        Happened::Stepped(trace, was) => {
            let detail = detail.unwrap_or(was);
            let rows = trace.forward.inputs.rows();
            let bytes = cost(session.subject().model(), rows, Extent::Step).answer_bytes;
            let limit = app.limits().answer_bytes;
            if detail == Detail::Full && bytes > limit {
                let (part, less) = ("full trace", "trace=summary or trace=none");
                return Err(SubjectError::AnswerTooLarge { part, bytes, limit, less }.into());
            }
            if detail == Detail::Summary
                && let Some(overflow) = first_overflow(&trace)
            {
                return Err(SessionError::Pass(PassError::NonFinite(Box::new(overflow))).into());
            }
            passes::answer(app, session, (name, step), *trace, detail).await
        }
    };
    Ok(tagged(response, tag))
}
