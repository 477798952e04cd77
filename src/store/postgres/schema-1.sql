-- Names sort by their bytes whatever the database's language, as they do in the other stores.
create table logs (
    id bytea primary key,
    tenant text collate "C" not null,
    name text collate "C" not null,
    named boolean not null default true,
    origin bytea references logs (id),
    origin_at bigint,
    size bigint not null,
    check ((origin is null) = (origin_at is null))
);
create unique index logs_name on logs (tenant, name) where named;
create index logs_origin on logs (origin) where origin is not null;
create index logs_unnamed on logs (id) where not named;

-- What is opaque is bytes, so that no encoding of the database comes between.
create table entries (
    log bytea not null references logs (id) on delete cascade,
    step bigint not null,
    last bigint not null,
    at bigint not null,
    append bytea not null,
    state bytea not null,
    before bytea not null,
    hash bytea not null,
    note bytea not null,
    body bytea not null,
    constraint entries_step primary key (log, step)
);

create table snapshots (
    log bytea not null references logs (id) on delete cascade,
    step bigint not null,
    bytes bytea not null,
    primary key (log, step)
);

create table keys (
    tenant text collate "C" not null,
    key text collate "C" not null,
    request bytea not null,
    at bigint not null,
    outcome bytea not null,
    constraint keys_key primary key (tenant, key)
);
create index keys_at on keys (at);
