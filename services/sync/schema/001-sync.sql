-- Folds of events, cleared and built again at will.

-- Vaults that can be copied from, and the names of what they hold, as discovery tells them.
create table source_vault (
  tenant text not null,
  vault  text not null,
  name   text not null,
  uri    text not null,
  primary key (tenant, vault)
);
create table source_item (
  tenant text not null,
  asset  text not null,
  vault  text not null,
  name   text not null,
  primary key (tenant, asset)
);

create table connector (
  tenant     text        not null,
  connector  text        not null,
  cloud      text        not null,
  name       text        not null,
  account    text        not null,
  region     text,
  how        text        not null,
  access     jsonb       not null,
  added_at   timestamptz not null,
  tested_at  timestamptz,
  tested_ok  boolean,
  problem    text,
  removed_at timestamptz,
  primary key (tenant, connector)
);

create table route (
  tenant    text        not null,
  route     text        not null,
  source    text        not null,
  connector text        not null,
  name      text        not null,
  settings  jsonb       not null,
  state     text        not null check (state in ('active', 'paused', 'closed')),
  accepted  boolean     not null,
  opened_at timestamptz not null,
  primary key (tenant, route)
);

create table copy (
  tenant      text        not null,
  copy        text        not null,
  route       text        not null,
  secret      text        not null,
  state       text        not null,
  source_name text        not null,
  target_name text        not null,
  changed_at  timestamptz not null,
  body        jsonb       not null,
  primary key (tenant, copy)
);
create index copy_of_route on copy (tenant, route, source_name, copy);
create index copy_by_name on copy (tenant, source_name, copy);

create table run (
  tenant     text        not null,
  run        text        not null,
  route      text        not null,
  trigger    text        not null,
  started_at timestamptz not null,
  ended_at   timestamptz,
  outcome    text,
  plan       text,
  needs      text,
  decided    text,
  planned    jsonb,
  done       jsonb,
  failed     int         not null default 0,
  list_calls int         not null default 0,
  values_read int        not null default 0,
  problem    text,
  primary key (tenant, run)
);
create index run_of_route on run (tenant, route, started_at desc, run);

-- One row a kill switch that is thrown; `connector` is 'all' for the one over all.
create table kill_switch (
  tenant    text        not null,
  connector text        not null,
  thrown_at timestamptz not null,
  reason    text        not null,
  primary key (tenant, connector)
);
create table allowance (
  tenant  text    not null primary key,
  allowed boolean not null
);

-- What is no fact, and is found again if it is lost.

-- Lines of the newest plan of each route, those that change nothing left out.
create table plan_line (
  tenant text not null,
  route  text not null,
  run    text not null,
  copy   text not null,
  secret text not null,
  action text not null,
  source_name text not null,
  body   jsonb not null,
  primary key (tenant, run, copy)
);
create index plan_line_of_route on plan_line (tenant, route, source_name, copy);

-- Source changes that were looked at once they were long past.
create table confirmed (
  tenant  text not null,
  copy    text not null,
  updated text not null,
  primary key (tenant, copy)
);
-- When the next write to an account is due, in epoch milliseconds.
create table quota (
  tenant  text   not null,
  place   text   not null,
  arrival bigint not null,
  primary key (tenant, place)
);
-- Runs that a kill switch keeps.
create table held (
  tenant    text        not null,
  route     text        not null,
  connector text        not null,
  secret    text        not null,
  held_at   timestamptz not null,
  primary key (tenant, route, secret)
);
create table heartbeat (
  tenant  text        not null,
  worker  text        not null,
  beat_at timestamptz not null,
  until   timestamptz not null,
  lost    boolean     not null default false,
  primary key (tenant, worker)
);

-- The key ring and what is sealed under it: stored credentials, and the key of the digests.
create table ring_key (
  tenant     text        not null,
  key        text        not null,
  nonce      bytea       not null,
  wrapped    bytea       not null,
  created_at timestamptz not null,
  retired    boolean     not null default false,
  primary key (tenant, key)
);
create table sealed (
  tenant     text  not null,
  name       text  not null,
  key        text  not null,
  nonce      bytea not null,
  ciphertext bytea not null,
  primary key (tenant, name)
);
