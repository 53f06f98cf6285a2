-- One chain a tenant. `event` is append-only; `head` is the one mutable row a tenant, and moves forward only.

create table ledger.tenant (
  tenant text collate "C" primary key,
  -- Keys the opaque ids of this tenant, so that nobody guesses a name from an id.
  stream_key bytea not null check (length(stream_key) = 32),
  origin text not null check (origin in ('real', 'demo'))
);

create table ledger.head (
  tenant text collate "C" primary key,
  seq bigint not null,
  link bytea not null,
  at timestamptz not null,
  -- The last seq of each context, so that an event can name the one before it of its own context.
  contexts text[] not null default '{}',
  context_seqs bigint[] not null default '{}'
) with (fillfactor = 20);

create table ledger.event (
  tenant text collate "C" not null,
  seq bigint not null,
  position bigint not null,
  context_prev_seq bigint not null,
  at timestamptz not null,
  id uuid not null,
  context text collate "C" not null,
  stream text collate "C" not null,
  type text collate "C" not null,
  -- The exact text that was hashed. No jsonb: it reorders, drops doubled keys and rewrites numbers.
  envelope text collate "C" not null,
  leaf bytea not null,
  link bytea not null,
  -- Salts and values of the committed fields; the only thing that may ever go, by ledger.erase().
  private text,
  -- Trace context rides beside the event, outside the hash.
  traceparent text,
  tracestate text,
  primary key (tenant, seq),
  unique (tenant, stream, position),
  unique (tenant, id)
);
alter table ledger.event alter column envelope set storage external;
create index event_by_context on ledger.event (tenant, context, seq);

create function ledger.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of %.% is refused: the ledger is append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'LG001';
end $$;

-- The one permitted change: private becomes null while the newest event of the chain is an erasure that names
-- this row. So the change cannot come before the event that accounts for it, whoever asks.
create function ledger.permit_erasure() returns trigger language plpgsql as $$
declare
  newest record;
begin
  if new.private is null and old.private is not null
    and (new.tenant, new.seq, new.position, new.context_prev_seq, new.at, new.id, new.context, new.stream, new.type,
      new.envelope, new.leaf, new.link)
    = (old.tenant, old.seq, old.position, old.context_prev_seq, old.at, old.id, old.context, old.stream, old.type,
      old.envelope, old.leaf, old.link)
    and new.traceparent is not distinct from old.traceparent and new.tracestate is not distinct from old.tracestate
  then
    select e.type, e.envelope into newest from ledger.event e join ledger.head h using (tenant, seq)
      where e.tenant = old.tenant;
    if newest.type = 'ledger.erased'
      and (newest.envelope::jsonb -> 'event' -> 'data' -> 'seqs') @> to_jsonb(old.seq) then
      return new;
    end if;
  end if;
  raise exception 'UPDATE of ledger.event is refused: the ledger is append-only' using errcode = 'LG001';
end $$;

create function ledger.refuse_rewind() returns trigger language plpgsql as $$
begin
  if new.tenant <> old.tenant or new.seq <= old.seq or new.at < old.at then
    raise exception 'the head of a chain moves forward only' using errcode = 'LG001';
  end if;
  return new;
end $$;

-- ENABLE ALWAYS: they also fire for the owner, for a superuser, and while replicating.
create trigger append_only before delete or truncate on ledger.event for each statement
  execute function ledger.refuse_change();
create trigger only_erasure before update on ledger.event for each row execute function ledger.permit_erasure();
create trigger no_rewind before delete or truncate on ledger.head for each statement
  execute function ledger.refuse_change();
-- The condition stands in the function: as the trigger's own it would be parsed anew in each statement.
create trigger only_forward before update on ledger.head for each row execute function ledger.refuse_rewind();
create trigger fixed before update or delete or truncate on ledger.tenant for each statement
  execute function ledger.refuse_change();
alter table ledger.event enable always trigger append_only;
alter table ledger.event enable always trigger only_erasure;
alter table ledger.head enable always trigger no_rewind;
alter table ledger.head enable always trigger only_forward;
alter table ledger.tenant enable always trigger fixed;
