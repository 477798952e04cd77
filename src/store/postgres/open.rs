//! Opening a PostgreSQL store: what is wrong with the server or its database is said here, once and clearly, and what a
//! database lacks is made.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr as _;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _};
use thiserror::Error;
use tokio::time::timeout;

use crate::limits;

/// Why a PostgreSQL database is not opened. The texts say where it is and what to do, and never a password.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub enum ServerError {
    /// What was asked for is wrong: the URL, the user, the password, the database.
    Invalid(String),
    /// The server does not answer, or not now.
    Unavailable(String),
    /// The server is there, and no good for this: too old, a standby, or of another owner.
    Unsuitable(String),
    /// A newer version made the tables.
    Newer(String),
    /// What the database holds is not what was written.
    Damaged(String),
}

/// What a URL may say behind its question mark. sqlx logs the values of what it does not know, and one of those may be
/// a password with a slip in its name.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The tables that are made in a database.
const TABLES: [&str; 8] = ["logs", "entries", "snapshots", "keys", "data", "data_names", "data_uses", "runs"];

/// The oldest PostgreSQL that the tests would still be run on, as it numbers itself.
const OLDEST: i32 = 130_000;

/// How to reach a server, without its password in any text.
pub(super) struct Server {
    pub(super) options: PgConnectOptions,
    /// Where it is, for people
    pub(super) place: String,
}

impl Server {
    /// Reads a URL. Errors do not repeat it.
    pub(super) fn from_url(url: &str) -> Result<Self, ServerError> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) && !name.starts_with("options[") && !name.starts_with("options%5B") {
                let text = format!("{name:?} is no parameter of a PostgreSQL URL; known are {}", PARAMETERS.join(", "));
                return Err(ServerError::Invalid(text));
            }
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| {
            let form = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with % codes for what is special in a URL";
            ServerError::Invalid(format!(
                "the URL of PostgreSQL cannot be read: {}; it has the form {form}",
                told(error)
            ))
        })?;
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None if Path::new(options.get_host()).is_absolute() => options.get_host().to_owned(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("chainrule"),
        };
        Ok(Self { options: options.disable_statement_logging(), place })
    }

    /// Looks at the server and makes what its database lacks.
    pub(super) async fn prepare(&self) -> Result<(), ServerError> {
        let connecting = timeout(limits::DATABASE_ACQUIRE, self.options.connect()).await;
        let mut connection = match connecting {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.refusal(error)),
            Err(_) => {
                let waited = limits::DATABASE_ACQUIRE.as_secs();
                return Err(self.absent(&format!("no answer within {waited} seconds")));
            }
        };
        let looked = timeout(limits::DATABASE_ANSWER, self.look(&mut connection)).await;
        looked.unwrap_or_else(|_| Err(self.absent("no answer")))?;
        let checked = timeout(limits::DATABASE_ANSWER, self.check_tables(&mut connection)).await;
        checked.unwrap_or_else(|_| Err(self.absent("no answer")))?;
        self.migrate(&mut connection).await?;
        // Whether the server hears the farewell is no matter.
        let _ended = timeout(limits::DATABASE_READY, connection.close()).await;
        Ok(())
    }

    async fn look(&self, connection: &mut PgConnection) -> Result<(), ServerError> {
        let sql = "select current_setting('server_version_num')::int4, current_setting('server_version'),
            pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
            current_setting('fsync') = 'off', current_setting('full_page_writes') = 'off'";
        let asked = sqlx::query_as::<_, (i32, String, bool, bool, bool, bool)>(sql).persistent(false);
        let (number, version, standby, read_only, no_fsync, no_full_pages) =
            asked.fetch_one(connection).await.map_err(|error| self.refusal(error))?;
        let place = &self.place;
        if number < OLDEST {
            let wanted = OLDEST / 10_000;
            let text = format!("PostgreSQL at {place} is version {version}; version {wanted} or later is needed");
            return Err(ServerError::Unsuitable(text));
        }
        if standby {
            let text = format!("PostgreSQL at {place} is a standby and cannot be written to; name the primary instead");
            return Err(ServerError::Unsuitable(text));
        }
        if read_only {
            let database = self.options.get_database().unwrap_or(self.options.get_username());
            let text = format!(
                "PostgreSQL at {place} is read-only (default_transaction_read_only is on); turn that off for this \
                 database (alter database {database} set default_transaction_read_only = off), or name another in --store"
            );
            return Err(ServerError::Unsuitable(text));
        }
        for (off, setting) in [(no_fsync, "fsync"), (no_full_pages, "full_page_writes")] {
            if off {
                tracing::warn!(
                    %place, "PostgreSQL runs with {setting} = off: a power cut may lose or damage what it holds"
                );
            }
        }
        Ok(())
    }

    /// That no table of another program is in the way: found here, nothing has been made yet.
    async fn check_tables(&self, connection: &mut PgConnection) -> Result<(), ServerError> {
        let sql = "select relname::text from pg_class
            where relnamespace = to_regnamespace(quote_ident(current_schema())) and relname = any($1)
            and to_regclass('_sqlx_migrations') is null order by relname limit 1";
        let asked = sqlx::query_scalar::<_, String>(sql).bind(TABLES).persistent(false);
        match asked.fetch_optional(connection).await.map_err(|error| self.refusal(error))? {
            Some(table) => Err(self.occupied(&format!("the database has a table {table}"))),
            None => Ok(()),
        }
    }

    fn occupied(&self, what: &str) -> ServerError {
        let place = &self.place;
        ServerError::Unsuitable(format!(
            "PostgreSQL at {place}: {what}, which is not chainrule's; give chainrule a database of its own (createdb \
             chainrule) and name it in --store"
        ))
    }

    /// Brings the tables up to date. The advisory lock of sqlx lets one replica do it while others wait.
    async fn migrate(&self, connection: &mut PgConnection) -> Result<(), ServerError> {
        // The database's own limits are for everyday statements.
        for setting in ["set statement_timeout = '10min'", "set lock_timeout = '10min'"] {
            sqlx::query(setting).execute(&mut *connection).await.map_err(|error| self.refusal(error))?;
        }
        let place = &self.place;
        migrator().run_direct(None, connection, false).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => ServerError::Newer(format!(
                "the database at {place} was made by a newer version of chainrule (it has change {version} of the \
                 tables, and this one knows {}), or by another program; use that version, or another database",
                migrator().iter().map(|known| known.version).max().unwrap_or_default()
            )),
            MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => ServerError::Damaged(format!(
                "the database at {place} says that change {version} of its tables is not the one that this version \
                 knows; another program may use the database: give chainrule its own"
            )),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => self.refusal(error),
            error => ServerError::Unavailable(format!("the tables at {place} cannot be made: {error}")),
        })
    }

    /// What to do about an error that came while opening.
    fn refusal(&self, error: sqlx::Error) -> ServerError {
        let error = match error {
            sqlx::Error::Database(error) => error,
            error => return self.absent(&told(error)),
        };
        let error: &PgDatabaseError = error.downcast_ref();
        let (place, code, said) = (&self.place, error.code(), error.message());
        let said = format!("PostgreSQL at {place}: {said} ({code})");
        let user = self.options.get_username();
        match code {
            "28P01" | "28000" => ServerError::Invalid(format!("{said}; check the user and the password in --store")),
            "3D000" => {
                let database = self.options.get_database().unwrap_or(user);
                ServerError::Invalid(format!("{said}; create it (createdb {database}), or name another in --store"))
            }
            "42501" | "3F000" => ServerError::Unsuitable(format!(
                "{said}; the user {user} must be allowed to make tables: let it own the database (alter database … \
                 owner to {user})"
            )),
            // Beside tables of ours there is one of somebody else's.
            "42P07" => self.occupied(error.message()),
            "XX001" | "XX002" => ServerError::Damaged(said),
            _ => ServerError::Unavailable(format!("{said}; try again when it is ready")),
        }
    }

    fn absent(&self, what: &str) -> ServerError {
        let place = &self.place;
        ServerError::Unavailable(format!(
            "PostgreSQL at {place} cannot be reached: {what}; start it, or correct the host and the port in --store"
        ))
    }
}

/// An error's text. Where it is about the URL it may quote a part of that, and so is left out.
fn told(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(error) if !error.is::<std::num::ParseIntError>() => match error.to_string() {
            text if text.contains("sslmode") || text.contains("ssl") => {
                "its sslmode is none of PostgreSQL's".to_owned()
            }
            _ => "something in it is not as it should be".to_owned(),
        },
        error => error.to_string(),
    }
}

fn migrator() -> Migrator {
    let migration = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "logs, entries, snapshots, keys", include_str!("schema-1.sql")),
        migration(2, "data, runs", include_str!("schema-2.sql")),
    ])
}
