-- What is known of the estate: folds of this service's own events, cleared and built again at will.

create table environments (
  tenant          text        not null,
  environment     text        not null,
  cloud           text        not null,
  name            text        not null,
  subscriptions   jsonb       not null,
  settings_scan   boolean     not null,
  every_hours     int,
  connected_at    timestamptz not null,
  disconnected_at timestamptz,
  primary key (tenant, environment)
);

create table scans (
  tenant      text        not null,
  scan        text        not null,
  environment text        not null,
  state       text        not null check (state in ('running', 'completed', 'failed', 'cancelled')),
  trigger     text        not null,
  started_at  timestamptz,
  ended_at    timestamptz,
  counts      jsonb,
  unreachable jsonb       not null default '[]',
  refused     jsonb       not null default '[]',
  problem     text,
  calls       int,
  primary key (tenant, scan)
);

-- `position` is the place in the vault's stream up to which these rows tell it: a scan folds what came later itself.
create table vaults (
  tenant      text        not null,
  vault       text        not null,
  environment text,
  position    int         not null,
  facts       jsonb,
  name        text        not null default '',
  unreachable text,
  last_change timestamptz not null,
  primary key (tenant, vault)
);
create index vaults_by_name on vaults (tenant, name, vault);

create table directories (
  tenant      text not null,
  directory   text not null,
  environment text,
  position    int  not null,
  primary key (tenant, directory)
);

create table applications (
  tenant    text  not null,
  asset     text  not null,
  directory text  not null,
  name      text  not null,
  facts     jsonb not null,
  primary key (tenant, asset)
);
create index applications_by_directory on applications (tenant, directory);

-- One row for whatever can expire: what vaults hold and what applications hold. `detail` is the fact as recorded.
create table assets (
  tenant      text        not null,
  asset       text        not null,
  kind        text        not null,
  name        text        not null,
  folded_name text        not null collate "C",
  holder      text        not null,
  enabled     boolean     not null,
  created     timestamptz,
  updated     timestamptz,
  expires     timestamptz,
  managed     boolean     not null,
  algorithm   text,
  bits        int,
  curve       text,
  detail      jsonb       not null,
  first_seen  timestamptz not null,
  primary key (tenant, asset)
);
create index assets_by_holder on assets (tenant, holder, kind);
create index assets_by_name on assets (tenant, folded_name, asset);
create index assets_by_expiry on assets (tenant, (coalesce(expires, 'infinity'::timestamptz)), asset);
create index assets_by_update on assets (tenant, (coalesce(updated, '-infinity'::timestamptz)), asset);

create table asset_history (
  tenant text        not null,
  asset  text        not null,
  seq    bigint      not null,
  at     timestamptz not null,
  what   text        not null check (what in ('found', 'changed', 'lost')),
  primary key (tenant, asset, seq, what)
);

create table resources (
  tenant        text    not null,
  resource      text    not null,
  environment   text,
  position      int     not null,
  facts         jsonb,
  name          text    not null default '',
  gone          boolean not null,
  settings_read boolean not null,
  primary key (tenant, resource)
);

create table edges (
  tenant   text  not null,
  edge     text  not null,
  resource text  not null,
  target   text,
  facts    jsonb not null,
  verdict  text  not null default 'proposed' check (verdict in ('proposed', 'confirmed', 'rejected')),
  primary key (tenant, edge)
);
create index edges_by_target on edges (tenant, target);
create index edges_by_resource on edges (tenant, resource);

create table hard_coded (
  tenant     text not null,
  setting    text not null,
  resource   text not null,
  name       text not null,
  looks_like text not null,
  primary key (tenant, setting)
);
create index hard_coded_by_resource on hard_coded (tenant, resource);
