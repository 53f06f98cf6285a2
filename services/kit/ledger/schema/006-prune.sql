-- Retention. What told of an act and is older than the retention loses its body; its place, leaf and link stay, so the
-- chain, every inclusion and every consistency proof still verify. Nothing that today's state is made of ever goes:
-- which types may go is the contracts' to say, and the event that accounts for it names them.

alter table ledger.event alter column envelope drop not null;

-- Two changes are permitted, each only while the newest event of the chain accounts for it, whoever asks:
-- an erasure that names the row empties `private`; a pruning whose bounds hold the row empties `private` and `envelope`.
create or replace function ledger.permit_erasure() returns trigger language plpgsql as $$
declare
  newest record;
  data jsonb;
begin
  if (new.tenant, new.seq, new.position, new.context_prev_seq, new.at, new.id, new.context, new.stream, new.type,
      new.leaf, new.link)
    = (old.tenant, old.seq, old.position, old.context_prev_seq, old.at, old.id, old.context, old.stream, old.type,
      old.leaf, old.link)
    and new.traceparent is not distinct from old.traceparent and new.tracestate is not distinct from old.tracestate
    and new.private is null and old.envelope is not null
  then
    select e.type, e.envelope into newest from ledger.event e join ledger.head h using (tenant, seq)
      where e.tenant = old.tenant;
    data := newest.envelope::jsonb -> 'event' -> 'data';
    if newest.type = 'ledger.erased' and old.private is not null and new.envelope = old.envelope
      and (data -> 'seqs') @> to_jsonb(old.seq) then
      return new;
    end if;
    -- A year is the least, whatever the event says.
    if newest.type = 'ledger.pruned' and new.envelope is null
      and old.seq <= (data ->> 'through')::bigint
      and old.at < (data ->> 'before')::timestamptz
      and old.at < clock_timestamp() - interval '365 days'
      and (data -> 'types') ? old.type then
      return new;
    end if;
  end if;
  raise exception 'UPDATE of ledger.event is refused: the ledger is append-only' using errcode = 'LG001';
end $$;

-- Removes the bodies of the events named: first the event that accounts for it, then the bodies.
-- Raises LG002 where the event says another number than went, LG008 where no checkpoint that stands in the chain
-- covers what is to go.
create function ledger.prune(of_tenant text, seqs bigint[], event_id uuid, event_body text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  data jsonb := event_body::jsonb -> 'data';
  pruned bigint;
begin
  if current_setting('role') <> 'attestry_ledger' then
    raise exception 'only role attestry_ledger prunes' using errcode = 'LG003';
  end if;
  if (data ->> 'through')::bigint > (data -> 'checkpoint' ->> 'size')::bigint or not exists (
    select from ledger.event e where e.tenant = of_tenant and e.context = 'evidence' and e.type = 'evidence.anchored'
      and (e.envelope::jsonb -> 'event' -> 'data') @> (data -> 'checkpoint'))
  then
    raise exception 'no checkpoint of this chain covers what is to go' using errcode = 'LG008';
  end if;
  perform ledger.append('attestry_ledger', of_tenant, 'ledger', array[null::bigint], array[1], null, null,
    'ledger.pruned', event_id::text, event_body, null);
  update ledger.event set envelope = null, private = null
    where tenant = of_tenant and seq = any (seqs) and envelope is not null;
  get diagnostics pruned = row_count;
  if pruned is distinct from (data ->> 'events')::bigint then
    raise exception 'the event says that % events went, and % did', data ->> 'events', pruned using errcode = 'LG002';
  end if;
  return pruned;
end $$;
revoke execute on function ledger.prune from public;
grant execute on function ledger.prune to attestry_ledger;
