-- What rotation knows: folds of discovery's, sync's and its own events, cleared and built again at will.

create table vaults (
  tenant      text not null,
  vault       text not null,
  environment text,
  name        text not null,
  uri         text not null,
  resource_id text not null,
  gone        boolean not null,
  primary key (tenant, vault)
);

create table items (
  tenant      text not null,
  asset       text not null,
  vault       text not null,
  kind        text not null,
  name        text not null,
  enabled     boolean not null,
  managed     boolean not null,
  created     timestamptz,
  updated     timestamptz,
  expires     timestamptz,
  tags        jsonb not null,
  primary key (tenant, asset)
);
create index items_by_vault on items (tenant, vault);

create table credentials (
  tenant      text not null,
  asset       text not null,
  application text not null,
  environment text,
  object_id   text not null,
  app_id      text not null,
  app_name    text not null,
  key_id      text not null,
  kind        text not null,
  name        text,
  starts_at   timestamptz,
  ends_at     timestamptz,
  primary key (tenant, asset)
);
create index credentials_by_application on credentials (tenant, application);

create table resources (
  tenant      text not null,
  resource    text not null,
  type        text not null,
  name        text not null,
  resource_id text not null,
  primary key (tenant, resource)
);

create table edges (
  tenant     text not null,
  edge       text not null,
  resource   text not null,
  target     text,
  via        text not null,
  setting    text not null,
  confidence int  not null,
  verdict    text not null default 'proposed' check (verdict in ('proposed', 'confirmed', 'rejected')),
  primary key (tenant, edge)
);
create index edges_by_target on edges (tenant, target);

create table routes (
  tenant text not null,
  route  text not null,
  source text not null,
  active boolean not null,
  primary key (tenant, route)
);

create table copies (
  tenant         text not null,
  route          text not null,
  secret         text not null,
  source_version text not null,
  at             timestamptz not null,
  primary key (tenant, route, secret)
);

create table policies (
  tenant       text not null,
  policy       text not null,
  enabled      boolean not null,
  credential   text not null,
  cadence_days int  not null,
  subject      jsonb,
  settings     jsonb,
  selector     text,
  name         text not null default '',
  primary key (tenant, policy)
);
create index policies_by_credential on policies (tenant, credential);

create table selectors (
  tenant       text not null,
  selector     text not null,
  enabled      boolean not null,
  name_part    text not null,
  cadence_days int  not null,
  settings     jsonb not null,
  primary key (tenant, selector)
);

create table matches (
  tenant     text not null,
  match      text not null,
  policy     text not null,
  secret     text not null,
  confidence int  not null,
  signals    jsonb not null,
  state      text not null check (state in ('proposed', 'verified', 'excluded')),
  primary key (tenant, match)
);
create index matches_by_policy on matches (tenant, policy);

create table freezes (
  tenant    text not null,
  id        text not null,
  starts_at timestamptz not null,
  ends_at   timestamptz not null,
  name      text not null,
  policies  jsonb not null,
  lifted    boolean not null default false,
  primary key (tenant, id)
);

-- The events of each rotation, so that its row is always the same fold of all of them.
create table run_events (
  tenant   text not null,
  rotation text not null,
  position int  not null,
  event    jsonb not null,
  primary key (tenant, rotation, position)
);

create table runs (
  tenant         text not null,
  rotation       text not null,
  policy         text not null,
  credential     text not null,
  replaced_by    text,
  principal      text not null,
  kind           text not null,
  name           text not null,
  mode           text not null,
  trigger        text not null,
  stage          text not null,
  over           boolean not null,
  paused         boolean not null,
  needs_operator jsonb,
  planned_at     timestamptz not null,
  opens_at       timestamptz,
  ended_at       timestamptz,
  reason         text,
  primary key (tenant, rotation)
);
create index runs_by_policy on runs (tenant, policy, planned_at desc);
create index runs_by_time on runs (tenant, planned_at desc, rotation);
create index runs_by_credential on runs (tenant, credential);
create index runs_by_replacement on runs (tenant, replaced_by);
