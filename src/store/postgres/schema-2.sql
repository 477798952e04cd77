create table data (
    hash bytea primary key,
    bytes bytea not null
);
-- What is packed already is not packed again.
alter table data alter column bytes set storage external;

create table data_names (
    tenant text collate "C" not null,
    name text collate "C" not null,
    hash bytea not null references data (hash),
    at bigint not null,
    note bytea not null,
    primary key (tenant, name)
);
create index data_names_hash on data_names (hash);

create table data_uses (
    log bytea not null references logs (id) on delete cascade,
    hash bytea not null references data (hash),
    primary key (log, hash)
);
create index data_uses_hash on data_uses (hash);

-- Times are this database's own, in milliseconds since 1970.
create table runs (
    log bytea primary key references logs (id) on delete cascade,
    owner bytea not null,
    until bigint not null,
    open boolean not null,
    cancel boolean not null,
    body bytea not null
);
create index runs_open on runs (until) where open;
