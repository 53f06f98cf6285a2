-- Who relays, and how far each tenant was published. A lease is a row with a time, not a session lock: those break
-- behind a pooler.

create table ledger.lease (
  -- A lease belongs to the install.
  tenant text not null default 'install' check (tenant = 'install'),
  name text primary key,
  holder text not null,
  until timestamptz not null
);

create table ledger.relay_cursor (
  tenant text collate "C" not null,
  name text not null,
  seq bigint not null,
  primary key (name, tenant)
);
