//! Why the gateway itself refuses a request, and what it passes on from others.

use std::time::Duration;

use http::StatusCode;
use taskman_errors::{Failure, Kind, Violation};
use taskman_rpc::status;
use tonic::{Code, Status};

use crate::transcode::path::BadPath;
use crate::transcode::render::RenderError;

/// Why a request got no answer of its method.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path can be read in two ways.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// No route has this path.
    #[error("there is no such path")]
    RouteNotFound,
    /// The path has routes, of other HTTP methods.
    #[error("the path answers {allow} only")]
    MethodNotAllowed {
        /// Those methods, as the header `Allow` lists them.
        allow: String,
    },
    /// The body is of a type, or encoded in a way, that is not read here.
    #[error("the body must be {0}")]
    UnsupportedMediaType(&'static str),
    /// The request is not what its own headers say.
    #[error("{0}")]
    Malformed(String),
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The body is larger than allowed.
    #[error("the body is larger than allowed")]
    BodyTooLarge,
    /// The head of the request is larger than allowed.
    #[error("the request line and headers are larger than allowed")]
    HeadTooLarge,
    /// The body came too slowly, or not to its end.
    #[error("the body did not come in time")]
    BodyTooSlow,
    /// The record is not of the version that `If-Match` names.
    #[error("the record has changed since it was read")]
    PreconditionFailed,
    /// A rate limit is used up.
    #[error("there were too many requests of this sort")]
    RateLimited {
        /// When the next one is allowed.
        retry_after: Duration,
    },
    /// The gateway has as much to do as it can.
    #[error("the gateway has as much to do as it can")]
    Overloaded,
    /// The deadline passed.
    #[error("the deadline of the call passed")]
    DeadlineExceeded,
    /// The method answers with a stream, which has no REST form yet.
    #[error("the method streams: call it by gRPC")]
    StreamsOnly,
    /// A service that is needed does not answer.
    #[error("a service that is needed does not answer; try again")]
    Away {
        /// When to try again, where it is known.
        retry_after: Option<Duration>,
    },
    /// A service answered more than is taken.
    #[error("the response is larger than allowed")]
    ResponseTooLarge,
    /// A service answered what is no response of its method.
    #[error(transparent)]
    Unrenderable(#[from] RenderError),
    /// What access control or a service answered.
    #[error("{}", .0.message())]
    Answered(Box<Status>),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Answered(Box::new(status))
    }
}

impl Error {
    /// Returns the status that a gRPC client is shown.
    pub fn status(&self) -> Status {
        match self {
            // What a service, or the library on its behalf, says about a fault of its own is for the log.
            Self::Answered(answered) if matches!(answered.code(), Code::Internal | Code::Unknown | Code::DataLoss) => {
                status::internal()
            }
            // Without its metadata: headers of a service are not the client's business.
            Self::Answered(answered) => {
                Status::with_details(answered.code(), answered.message(), answered.details().to_vec().into())
            }
            own => status::from_failure(own),
        }
    }

    /// Returns the HTTP status where the kind says too little.
    pub fn http_status(&self) -> Option<StatusCode> {
        Some(match self {
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::ResponseTooLarge | Self::Unrenderable(_) => StatusCode::BAD_GATEWAY,
            _ => return None,
        })
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Path(_)
            | Self::Malformed(_)
            | Self::Invalid(_)
            | Self::UnsupportedMediaType(_)
            | Self::BodyTooLarge
            | Self::HeadTooLarge => Kind::Invalid,
            Self::RouteNotFound => Kind::NotFound,
            Self::MethodNotAllowed { .. } | Self::StreamsOnly => Kind::Unimplemented,
            Self::PreconditionFailed => Kind::Stale,
            Self::RateLimited { .. } => Kind::Exhausted,
            Self::Overloaded | Self::Away { .. } => Kind::Unavailable,
            Self::DeadlineExceeded | Self::BodyTooSlow => Kind::Timeout,
            Self::ResponseTooLarge | Self::Unrenderable(_) => Kind::Internal,
            Self::Answered(answered) => status::kind(answered.code()),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Path(_) | Self::Malformed(_) => "REQUEST_MALFORMED",
            Self::Invalid(_) => "FIELD_INVALID",
            Self::RouteNotFound => "ROUTE_NOT_FOUND",
            Self::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
            Self::UnsupportedMediaType(_) => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTooLarge | Self::HeadTooLarge => "TOO_LARGE",
            Self::PreconditionFailed => "ETAG_MISMATCH",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::Away { .. } => "UNAVAILABLE",
            Self::DeadlineExceeded | Self::BodyTooSlow => "DEADLINE_EXCEEDED",
            Self::StreamsOnly => "UNIMPLEMENTED",
            Self::ResponseTooLarge | Self::Unrenderable(_) | Self::Answered(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => &[],
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Overloaded => Some(Duration::from_secs(1)),
            Self::Away { retry_after } => *retry_after,
            _ => None,
        }
    }
}
