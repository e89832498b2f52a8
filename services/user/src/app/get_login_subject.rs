//! Returns what a login, or a mail, needs to know of a user.

use taskman_ids::UserId;

use crate::app::App;
use crate::error::Error;
use crate::store;
use crate::store::user::Member;

/// Who is asked for.
pub(crate) enum By {
    /// Whoever has this address, as it was typed.
    Email(String),
    /// This user.
    User(UserId),
}

/// Finds the user; an unknown one is no error, so that the caller's path is the same. A login must not see a replica's
/// past.
pub(crate) async fn get_login_subject(app: &App, by: By) -> Result<Option<Member>, Error> {
    let mut conn = app.db.primary().acquire().await?;
    match by {
        By::Email(email) => store::user::find_member_by_email(&mut conn, &email).await,
        By::User(user) => store::user::find_member(&mut conn, user).await,
    }
}
