-- Bundles as the console lists them, folded from their streams.
create table bundle (
  tenant       text not null,
  bundle       text not null,
  state        text not null check (state in ('queued', 'sealed', 'failed', 'cancelled')),
  reports      text[] not null,
  period_from  text not null,
  period_to    text not null,
  requested_at text not null,
  requested_by text not null,
  sealed_at    text,
  bytes        bigint,
  sums_sha256  text,
  signing_key  text,
  stamp        jsonb,
  problem      text,
  seq          bigint not null,
  primary key (tenant, bundle)
);
create index bundle_newest on bundle (tenant, seq desc);
