-- Auditors from outside as their events say; `position` is how far this row has folded its stream.
create table auditor (
  tenant text not null,
  auditor text not null,
  position bigint not null,
  seq bigint not null,
  state jsonb not null,
  primary key (tenant, auditor)
);
create index auditor_newest on auditor (tenant, seq desc);

-- Hashes of the secrets of links: a link itself is shown once and kept nowhere.
create table auditor_link (
  tenant text not null,
  link text not null,
  auditor text not null,
  sha256 bytea not null check (length(sha256) = 32),
  primary key (tenant, link)
);

-- A one-time password opens nothing after this; null for a password of one's own.
alter table password add column good_until timestamptz;

-- Sign-ins that may still pass, by source. Rows, so that several gateways share one limit.
create table sign_in_rate (
  tenant text not null,
  source text not null,
  tokens double precision not null,
  at timestamptz not null,
  primary key (tenant, source)
);
create index sign_in_rate_by_age on sign_in_rate (tenant, at);

-- Refused sign-ins of names that nobody has: they lock as those of operators do.
create table stranger (
  tenant text not null,
  subject text not null,
  lockout jsonb not null,
  at timestamptz not null,
  primary key (tenant, subject)
);
create index stranger_by_age on stranger (tenant, at);
