-- How far each target of the audit log is, and how it fares.
create table audit_stream (
  tenant       text not null,
  target       text not null,
  cursor       bigint not null default 0,
  -- What the target's own writer remembers between deliveries.
  state        jsonb not null default '{}',
  failures     int not null default 0,
  broken       boolean not null default false,
  problem      text,
  since        text,
  delivered_at text,
  next_at      timestamptz not null,
  holder       text,
  lease_until  timestamptz,
  primary key (tenant, target)
);

-- What a bundle is narrowed to, what was asserted of it, how often it was fetched, and that its file is gone.
alter table bundle add column framework text;
alter table bundle add column formats text[];
alter table bundle add column scope jsonb;
alter table bundle add column assertion jsonb;
alter table bundle add column attempts int not null default 1;
alter table bundle add column downloads bigint not null default 0;
alter table bundle add column downloaded_at text;
alter table bundle add column expired_at text;
alter table bundle drop constraint bundle_state_check;
alter table bundle add constraint bundle_state_check
  check (state in ('queued', 'sealed', 'failed', 'cancelled', 'expired'));
