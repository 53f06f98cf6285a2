-- What every service has beside its own tables: how far it has read, what it still has to do, what is stuck.

create table cursor (
  tenant   text   not null,
  consumer text   not null,
  context  text   not null,
  seq      bigint not null,
  version  int    not null,
  primary key (tenant, consumer, context)
);

-- Work that the service sends to itself. The row is the truth, a bus message only carries its id.
create table pending_command (
  tenant       text        not null,
  id           text        not null,
  command      text        not null,
  session      text        not null,
  body         jsonb       not null,
  actor        jsonb       not null,
  cause        jsonb       not null,
  trace        jsonb,
  due_at       timestamptz not null,
  sent_at      timestamptz,
  attempts     int         not null default 0,
  lease        uuid,
  lease_until  timestamptz,
  cancel_asked boolean     not null default false,
  progress     jsonb,
  problem      text,
  outcome      text check (outcome in ('done', 'failed', 'cancelled')),
  ended_at     timestamptz,
  primary key (tenant, id)
);
create index pending_command_due on pending_command (tenant, due_at) where outcome is null;
create index pending_command_session on pending_command (tenant, session) where outcome is null;

-- What a consumer or command cannot digest: kept, shown, replayed.
create table stuck (
  tenant   text        not null,
  id       text        not null,
  consumer text        not null,
  context  text,
  seq      bigint,
  reason   text        not null,
  attempts int         not null default 1,
  since    timestamptz not null,
  -- Somebody asked to try again; the service's own process does it at its next turn.
  replay_asked boolean not null default false,
  primary key (tenant, id)
);

-- These tables are the kit's, in whatever schema they stand: its own role shows them to operators, for every service
-- and from any process, and asks for another try.
do $$ begin
  execute format('grant usage on schema %I to attestry_ledger', current_schema());
end $$;
create policy keeper on cursor to attestry_ledger using (true);
create policy keeper on stuck to attestry_ledger using (true);
create policy keeper on pending_command to attestry_ledger using (true);
grant select on cursor, stuck, pending_command to attestry_ledger;
grant update (replay_asked) on stuck to attestry_ledger;
