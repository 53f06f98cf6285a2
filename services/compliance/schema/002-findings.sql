-- Folds of this service's own events.
create table evaluation (
  tenant         text        not null,
  evaluation     text        not null,
  seq            bigint      not null,
  at             timestamptz not null,
  now            timestamptz not null,
  scan           text,
  score          jsonb       not null,
  rating         text,
  ruleset_digest text        not null,
  results        jsonb       not null,
  opened         int         not null default 0,
  reopened       int         not null default 0,
  resolved       int         not null default 0,
  primary key (tenant, evaluation)
);
create index evaluation_by_seq on evaluation (tenant, seq);

-- `rank` is the severity as a number, worst first. Names and reasons are not here: they are read from `estate`,
-- so that what was erased there is erased everywhere.
create table finding (
  tenant      text        not null,
  finding     text        not null,
  rule        text        not null,
  subject     text        not null,
  severity    text        not null,
  rank        smallint    not null,
  state       text        not null check (state in ('open', 'resolved')),
  because     text,
  reopened    int         not null default 0,
  first_seen  timestamptz not null,
  resolved_at timestamptz,
  primary key (tenant, finding)
);
create index finding_worst_first on finding (tenant, state, rank, first_seen, finding);
create index finding_by_subject on finding (tenant, subject);

create table ruleset (
  tenant text   not null,
  digest text   not null,
  primary key (tenant)
);
